"""Take things out of a store: datasets, symbols, saved names, scores, values, and old versions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

import polars as pl

from factorloom.engine.bars.selection import refuse_unknown_symbols
from factorloom.expressions.errors import ArgumentError, ParameterError, suggest
from factorloom.storage import catalog
from factorloom.storage.backing import Backing
from factorloom.storage.catalog import CacheFile
from factorloom.storage.dataset import next_version, record_version, seen, symbols_of, write_pieces
from factorloom.storage.entry import Basis
from factorloom.storage.pieces import Pieces
from factorloom.storage.publish import Draft
from factorloom.storage.view import View

__all__ = ["drop_cache", "drop_dataset", "drop_files", "drop_names", "drop_scores", "drop_symbols", "prune"]

TABLES = (
    *("datasets", "versions", "symbols", "segments", "tables", "cache", "factors"),
    *("scores", "models", "weights", "trials", "pins"),
)


def drop_dataset(backing: Backing, name: str) -> None:
    """Take out a dataset with all of its versions, values, names and scores."""
    with backing.publishing() as draft:
        backing.dataset(name, draft.before)
        for row in draft.before.files():
            if row.dataset == name:
                draft.unuse(row.file)
        for table in TABLES:
            column = "name" if table == "datasets" else "dataset"
            draft.cursor.execute(f"DELETE FROM catalog.{table} WHERE {column} = ?", [name])


def drop_symbols(backing: Backing, name: str, symbols: Collection[str]) -> int:
    """Take out all bars of some symbols, which makes a new version; returns how many bars there were."""
    with backing.publishing() as draft:
        backing.dataset(name, draft.before)
        view = backing.view(name, None, draft.before)
        refuse_unknown_symbols(symbols, view.symbols)
        if set(symbols) >= set(view.symbols):
            raise ParameterError(
                f"these are all symbols of dataset {name!r}", hint=f"drop the dataset itself: store.drop({name!r})"
            )
        version = next_version(draft, name)
        pieces = Pieces(view, symbols_of(draft.cursor, name), version)
        pieces.delete(pl.col("symbol").cast(pl.String).is_in(list(symbols)))
        write_pieces(backing, draft, name, pieces.finish(), version)
        record_version(draft, name, seen(backing, draft, name, version, view.tables), "drop", pieces)
        return pieces.deleted


def drop_names(backing: Backing, dataset: str, names: Collection[str] | None, set_name: str | None) -> int:
    """Take out saved names, or all of a set; their values stay until they are not needed."""
    with backing.publishing() as draft:
        backing.dataset(dataset, draft.before)
        saved = [each for each in draft.before.factors if each.dataset == dataset]
        known = {each.name for each in saved}
        for name in names or ():
            if name not in known:
                raise ParameterError(f"no factor is saved as {name!r}", hint=suggest(name, known))
        if set_name is not None and set_name not in {each.set for each in saved}:
            raise ParameterError(f"no set is named {set_name!r}", hint=suggest(set_name, {each.set for each in saved}))
        gone = [
            each
            for each in saved
            if (names is None or each.name in names) and (set_name is None or each.set == set_name)
        ]
        for each in gone:
            draft.cursor.execute("DELETE FROM catalog.factors WHERE dataset = ? AND name = ?", [dataset, each.name])
        return len(gone)


def drop_scores(backing: Backing, dataset: str, model: str | None) -> int:
    """Take out the scores of a model, or of all models; returns how many dates there were."""
    with backing.publishing() as draft:
        backing.dataset(dataset, draft.before)
        rows = [each for each in draft.before.scores if each.dataset == dataset and model in (None, each.model)]
        if model is not None and not rows:
            known = {each.model for each in draft.before.scores if each.dataset == dataset}
            raise ParameterError(f"there are no scores of a model {model!r}", hint=suggest(model, known))
        _delete(draft, "scores", [row.file for row in rows])
        for name in {row.model for row in rows}:
            for table in ("models", "weights"):
                draft.cursor.execute(f"DELETE FROM catalog.{table} WHERE dataset = ? AND model = ?", [dataset, name])
        return sum(row.dates for row in rows)


def drop_cache(backing: Backing, dataset: str | None) -> int:
    """Take out kept values, of one dataset or of all; returns their bytes."""
    with backing.publishing() as draft:
        if dataset is not None:
            backing.dataset(dataset, draft.before)
        rows = [each for each in draft.before.cache if dataset in (None, each.dataset)]
        _delete(draft, "cache", [row.file for row in rows])
        return sum(row.size for row in rows)


def drop_files(backing: Backing, files: Collection[str]) -> None:
    """Take out files of values and of scores."""
    with backing.publishing() as draft:
        for table, rows in (("cache", draft.before.cache), ("scores", draft.before.scores)):
            _delete(draft, table, [row.file for row in rows if row.file in files])


def prune(backing: Backing, dataset: str | None, *, versions: int | None, days: float | None) -> int:
    """Forget old versions of one dataset, or of all; returns how many."""
    if (versions is None) == (days is None):
        raise ArgumentError("say versions=, how many to keep, or days=, how long", hint="store.prune(versions=10)")
    for what, value in (("versions", versions), ("days", days)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise ParameterError(f"{what} must be a number, at least 0, got {value!r}")
    with backing.publishing() as draft:
        names = draft.before.datasets if dataset is None else [backing.dataset(dataset, draft.before).name]
        return sum(_prune(backing, draft, name, versions, days) for name in names)


def _prune(backing: Backing, draft: Draft, name: str, versions: int | None, days: float | None) -> int:
    known = [each for each in draft.before.versions if each.dataset == name]
    if versions is not None:
        kept = known[-max(1, int(versions)) :]
    else:
        assert days is not None
        since = catalog.now() - dt.timedelta(days=days)
        kept = [each for each in known if each.known_at >= since] or known[-1:]
    first = kept[0].version
    draft.cursor.execute("DELETE FROM catalog.versions WHERE dataset = ? AND version < ?", [name, first])
    before = draft.before
    ended = [
        [
            each.file
            for each in rows
            if each.dataset == name and each.to_version is not None and each.to_version <= first
        ]
        for rows in (before.segments, before.tables)
    ]
    _delete(draft, "segments", ended[0])
    _delete(draft, "tables", ended[1])
    views = [backing.view(name, each.version, before) for each in kept]
    _delete(draft, "cache", [row.file for row in before.cache if row.dataset == name and not fits_any(row, views)])
    return len(known) - len(kept)


def fits_any(row: CacheFile, views: Iterable[View]) -> bool:
    """Whether values belong to any of these views."""
    basis = Basis(tuple(row.columns), row.reach_first, row.reach_last, row.input)
    return any(basis.fits(view) for view in views)


def _delete(draft: Draft, table: str, files: Collection[str]) -> None:
    for file in files:
        draft.cursor.execute(f"DELETE FROM catalog.{table} WHERE file = ?", [file])
        draft.unuse(file)
