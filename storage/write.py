"""Write computed values to segments, and publish them in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Array, Index, as_array
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import for_each
from factorloom.expressions.errors import StoreError
from factorloom.storage.backing import Backing
from factorloom.storage.catalog import CacheFile, replace_row
from factorloom.storage.digest import days_of
from factorloom.storage.entry import Basis, MemoryEntry
from factorloom.storage.merge import merges, write_entry
from factorloom.storage.pieces import cut_days
from factorloom.storage.publish import Draft
from factorloom.storage.segment import SUMS, DamagedError
from factorloom.storage.view import View

__all__ = ["Made", "arrays_of", "keep", "merge"]


class Made(NamedTuple):
    """Values that were just computed, for all bars from one day to another.

    Attributes
    ----------
    basis
        What they depend on.
    keys
        `symbol` and `date` of the bars.
    values
        By digest of factor, missing as NaN.
    """

    first_day: int
    last_day: int
    basis: Basis
    keys: pl.DataFrame
    values: dict[str, Array]

    def entry(self, view: View) -> MemoryEntry:
        """The values as an entry in memory."""
        return MemoryEntry((self.first_day, self.last_day), self.basis, view.version, self.values)


def arrays_of(frame: pl.DataFrame, names: Sequence[str], dtype: str) -> dict[str, Array]:
    """Columns as arrays, missing as NaN; of `dtype` float32 as that gives them back, missing where it overflows."""
    found: dict[str, Array] = {}

    def work(name: str) -> None:
        values = np.asarray(as_array(frame[name]), np.float64)
        if dtype == "float32":
            with np.errstate(over="ignore"):
                narrow = values.astype(np.float32)
            values = np.where(np.isfinite(narrow), narrow, np.nan).astype(np.float64)
        found[name] = values

    for_each(work, names, Observer())
    return {name: found[name] for name in names}


def keep(
    backing: Backing, made: Sequence[tuple[View, Made]], limit: int | None, dtype: str, wait: float | None = None
) -> None:
    """Write values, and publish them together; readers of this process and others then find them.

    Above `limit` bytes, those that were made first are taken out, but not those of saved or pinned factors.
    """
    rows: list[CacheFile] = []
    try:
        for view, each in _joined(made):
            _write(backing, view, each, dtype, rows)
        _publish(backing, made, rows, limit, wait)
    except StoreError:
        for row in rows:
            for name in (row.file, row.file + SUMS):
                backing.folder.segment(name).unlink(missing_ok=True)
        raise


def _publish(
    backing: Backing,
    made: Sequence[tuple[View, Made]],
    rows: Sequence[CacheFile],
    limit: int | None,
    wait: float | None,
) -> None:
    with backing.publishing(wait=wait) as draft:
        for row in rows:
            if row.dataset in draft.before.datasets:
                replace_row(draft.cursor, "cache", row)
            else:  # dropped in the meantime
                draft.unuse(row.file, at_once=True)
        for view in {view.stamp: view for view, _ in made}.values():
            entry = draft.before.datasets.get(view.dataset)
            if entry is not None and entry.version == view.version:
                with suppress(DamagedError):  # of another file, which is noticed when it is read
                    merge(backing, draft, view, [row for row in rows if row.dataset == view.dataset])
        if limit is not None:
            _evict(draft, limit)


def _joined(made: Sequence[tuple[View, Made]]) -> Iterator[tuple[View, Made]]:
    """Values of other factors on the same bars, with the same basis, as one."""
    groups: dict[tuple[object, ...], list[tuple[View, Made]]] = {}
    for view, each in made:
        groups.setdefault((view.stamp, each.first_day, each.last_day, each.basis), []).append((view, each))
    for some in groups.values():
        view, first = some[0]
        yield view, first._replace(values={name: array for _, each in some for name, array in each.values.items()})


def _evict(draft: Draft, limit: int) -> None:
    """Take out values that were made first, until all are within the limit."""
    rows = draft.cursor.execute("SELECT file, dataset, bytes, factors FROM catalog.cache ORDER BY created").fetchall()
    saved = {(each.dataset, each.digest) for each in draft.before.factors} | draft.before.pins
    over = sum(size for _, _, size, _ in rows) - limit
    for file, dataset, size, factors in rows:
        if over <= 0:
            return
        if not any((dataset, digest) in saved for digest in factors):
            draft.cursor.execute("DELETE FROM catalog.cache WHERE file = ?", [file])
            draft.unuse(file, at_once=True)
            over -= size


def merge(backing: Backing, draft: Draft, view: View, more: Sequence[CacheFile] = (), *, every: bool = False) -> None:
    """Replace small files of values by larger ones."""
    rows = [row for row in draft.before.cache if row.dataset == view.dataset]
    for gone, new in list(merges(backing, view, [*rows, *more], every=every)):
        for row in gone:
            draft.cursor.execute("DELETE FROM catalog.cache WHERE file = ?", [row.file])
            draft.unuse(row.file, at_once=not _is_seen(draft, row.dataset, row.factors))
        replace_row(draft.cursor, "cache", new)


def _is_seen(draft: Draft, dataset: str, factors: Sequence[str]) -> bool:
    """Whether SQL shows any of these factors, so that a query of another process may be reading them."""
    saved = {each.digest for each in draft.before.factors if each.dataset == dataset}
    return not saved.isdisjoint(factors)


def _write(backing: Backing, view: View, made: Made, dtype: str, written: list[CacheFile]) -> None:
    """Write values to files of stretches of whole days, which are added to those that are written."""
    days = days_of(made.keys["date"])

    def work(rows: Index | slice) -> None:
        some = days[rows]
        span = (made.first_day, made.last_day) if some.size == days.size else (int(some.min()), int(some.max()))
        values = {digest: array[rows].astype(dtype, copy=False) for digest, array in made.values.items()}
        written.append(write_entry(backing, view, span, made.keys[rows], values, made.basis))

    for_each(work, cut_days(days), Observer())
