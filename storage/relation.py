"""What SQL sees of a store: views over its files, for the published catalogue and for queries of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from factorloom.storage.catalog import BarSegment, Catalog, SavedFactor, TableFile
from factorloom.storage.entry import Entries, FileEntry
from factorloom.storage.sql import literal, quote
from factorloom.storage.table import FROM, TO
from factorloom.storage.view import SINCE, View, day_of

__all__ = ["CATALOG_VIEWS", "Files", "Relation", "relations"]

CATALOG_VIEWS = {
    "datasets": "*",
    "versions": "*",
    "symbols": "dataset, symbol, bars",
    "segments": "* EXCLUDE (days, hashes)",
    "tables": "*",
    "cache": "*",
    "factors": "*",
    "scores": "*",
    "models": "*",
    "weights": "*",
    "trials": "*",
    "meta": "*",
}
"""The tables of the catalogue that SQL sees, and their columns."""

DAY, NUMBER, TEXT = "date", "number", "text"


def slot(number: int) -> str:
    """What stands in a query for the files of this number; names of columns cannot hold it."""
    return f"\x1f{number}\x1f"


class Files(NamedTuple):
    """Files that are read as one table, and their columns with their types."""

    files: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]


class Relation(NamedTuple):
    """A view.

    Attributes
    ----------
    schema, name
    query
        Its text, with slots where it reads files.
    files
        What it reads there.
    comments
        What columns mean.
    """

    schema: str
    name: str
    query: str
    files: tuple[Files, ...]
    comments: tuple[tuple[str, str], ...] = ()

    def text(self, source: Callable[[Files], str]) -> str:
        """The query, with what reads the files in place."""
        text = self.query
        for number, files in enumerate(self.files):
            text = text.replace(slot(number), source(files))
        return text


def relations(catalog: Catalog, view: View, entries: Entries) -> Iterator[Relation]:
    """All views of one dataset, in one of its versions."""
    yield _bars(view)
    yield from _tables(catalog, view)
    yield from _factors(catalog, view, entries)
    yield _scores(catalog, view)
    yield _models(view)
    yield _weights(view)


def _bars(view: View) -> Relation:
    moment = DAY if view.daily else "moment"
    columns = (("symbol", TEXT), ("date", moment), *((name, kind or NUMBER) for name, kind in view.types.items()))
    groups: dict[tuple[str, ...], list[BarSegment]] = {}
    for segment in view.segments:
        filled = zip(segment.columns, segment.types, strict=True)
        groups.setdefault(tuple(name for name, kind in filled if kind), []).append(segment)
    parts: list[str] = []
    files: list[Files] = []
    for names, segments in groups.items():
        own = [(name, kind) for name, kind in columns if name in ("symbol", "date", *names)]
        shown = ", ".join(
            quote(name) if name in ("symbol", "date", *names) else f"NULL::{_TYPES[kind]} AS {quote(name)}"
            for name, kind in columns
        )
        newest = max(segment.newest for segment in segments)
        where = f" WHERE {SINCE} <= {view.version}" if newest > view.version else ""
        parts.append(f"SELECT {shown} FROM {slot(len(files))}{where}")
        files.append(Files(tuple(each.file for each in segments), (*own, (SINCE, "version"))))
    return Relation("bars", view.dataset, " UNION ALL ".join(parts), tuple(files))


def _tables(catalog: Catalog, view: View) -> Iterator[Relation]:
    found = {
        (each.kind, each.name): each
        for each in catalog.tables
        if each.dataset == view.dataset
        and each.from_version <= view.version
        and (each.to_version is None or view.version < each.to_version)
    }
    parts: list[str] = []
    files: list[Files] = []
    for (kind, name), each in found.items():
        if kind == "attributes":
            dated = any(table.dated for table in view.tables if table.kind == kind)
            keys = ["symbol", *((FROM, TO) if dated else ())]
            shown = ", ".join(map(quote, [*keys, *each.columns]))
            yield Relation("attributes", view.dataset, f"SELECT {shown} FROM {slot(0)}", (_table_files(each),))
        else:
            parts.append(f"SELECT {literal(name)} AS universe, symbol, {FROM}, {TO} FROM {slot(len(files))}")
            files.append(_table_files(each))
    if parts:
        yield Relation("universes", view.dataset, " UNION ALL ".join(parts), tuple(files))


def _table_files(entry: TableFile) -> Files:
    kinds = zip(entry.columns, entry.types, strict=True)
    return Files((entry.file,), (("symbol", TEXT), (FROM, DAY), (TO, DAY), *kinds))


def _factors(catalog: Catalog, view: View, entries: Entries) -> Iterator[Relation]:
    """One view for all saved factors of a dataset, one for each set, and one with a row for every value."""
    saved = [each for each in catalog.factors if each.dataset == view.dataset]
    moment = DAY if view.daily else "moment"
    latest = {each.name.lower(): each for each in saved}
    yield _wide(view, view.dataset, list(latest.values()), entries, moment)
    for name in dict.fromkeys(each.set for each in saved):
        some = [each for each in saved if each.set == name]
        yield _wide(view, f"{view.dataset}__{name}", some, entries, moment)
    if latest:
        wide = _wide(view, f"{view.dataset}__long", list(latest.values()), entries, moment)
        names = ", ".join(quote(each.name) for each in latest.values())
        long = f"UNPIVOT ({wide.query}) ON {names} INTO NAME factor VALUE value"
        yield wide._replace(query=f"FROM ({long})", comments=())


def _wide(view: View, name: str, saved: Sequence[SavedFactor], entries: Entries, moment: str) -> Relation:
    keys = (("symbol", TEXT), ("date", moment))
    files = [Files(tuple(segment.file for segment in view.segments), (*keys, (SINCE, "version")))]
    where = f" WHERE {SINCE} <= {view.version}" if any(each.newest > view.version for each in view.segments) else ""
    text = f"SELECT symbol, date FROM {slot(0)}{where}"
    shown = ["bars.symbol", "bars.date"]
    joins = []
    groups: dict[tuple[Part, ...], list[SavedFactor]] = {}
    for each in saved:
        groups.setdefault(tuple(_parts(entries, each.digest)), []).append(each)
    for number, (key, some) in enumerate(groups.items()):
        if not key:
            shown += [f"NULL::DOUBLE AS {quote(each.name)}" for each in some]
            continue
        digests = list(dict.fromkeys(each.digest for each in some))
        columns = (*keys, *((digest, "value") for digest in digests))
        whole = [part.file for part in key if part.whole]
        selects = []
        names = ", ".join(["symbol", "date", *map(quote, digests)])
        if whole:
            selects.append(f"SELECT {names} FROM {slot(len(files))}")
            files.append(Files(tuple(whole), columns))
        for part in key:
            if not part.whole:
                between = f"date::DATE BETWEEN DATE '{day_of(part.first)}' AND DATE '{day_of(part.last)}'"
                selects.append(f"SELECT {names} FROM {slot(len(files))} WHERE {between}")
                files.append(Files((part.file,), columns))
        joins.append(f" LEFT JOIN ({' UNION ALL '.join(selects)}) AS g{number} USING (symbol, date)")
        for each in some:
            value = f"g{number}.{quote(each.digest)}"
            shown.append(f"CASE WHEN isnan({value}) THEN NULL ELSE {value} END AS {quote(each.name)}")
    query = f"SELECT {', '.join(shown)} FROM ({text}) AS bars{''.join(joins)}"
    comments = tuple((each.name, each.note or each.text) for each in saved)
    return Relation("factors", name, query, tuple(files), comments)


class Part(NamedTuple):
    """A file, the days that are read of it, and whether these are all of its days."""

    file: str
    first: int
    last: int
    whole: bool


def _parts(entries: Entries, digest: str) -> Iterator[Part]:
    """The files that hold a factor, so that every day is read once."""
    for entry, first, last in entries.choose(digest, entries.covered(digest)):
        if isinstance(entry, FileEntry):
            yield Part(entry.row.file, first, last, first <= entry.days[0] and entry.days[1] <= last)


def _scores(catalog: Catalog, view: View) -> Relation:
    moment = DAY if view.daily else "moment"
    columns = (
        *(("model", TEXT), ("model_digest", TEXT), ("version", "version"), ("date", moment), ("symbol", TEXT)),
        *(("score", "value"), ("rank", "rank"), ("percentile", "value"), ("quantile", "rank"), ("coverage", "value")),
        *(("reason", TEXT), ("contributions", "map")),
    )
    files = [each for each in catalog.scores if each.dataset == view.dataset]
    if not files:
        empty = ", ".join(f"NULL::{_TYPES[kind]} AS {quote(name)}" for name, kind in columns)
        return Relation("scores", view.dataset, f"SELECT {empty} WHERE false", ())
    shown = ", ".join(quote(name) for name, _ in columns)
    where = f" WHERE version <= {view.version}" if max(each.version for each in files) > view.version else ""
    read = Files(tuple(each.file for each in files), columns)
    return Relation("scores", view.dataset, f"SELECT {shown} FROM {slot(0)}{where}", (read,))


def _models(view: View) -> Relation:
    query = f"""SELECT model, digest AS model_digest, document, first_at, last_at
        FROM catalog.models WHERE dataset = {literal(view.dataset)}"""
    return Relation("models", view.dataset, query, ())


def _weights(view: View) -> Relation:
    days = ", ".join(f"{name}::{'DATE' if view.daily else 'TIMESTAMP'} AS {name}" for name in ("date", "first", "last"))
    query = f"""SELECT model, digest AS model_digest, version, {days}, dates, rows, alpha, factor, weight
        FROM catalog.weights WHERE dataset = {literal(view.dataset)} AND version <= {view.version}"""
    return Relation("weights", view.dataset, query, ())


_TYPES = {
    TEXT: "VARCHAR",
    NUMBER: "DOUBLE",
    "value": "DOUBLE",
    DAY: "DATE",
    "moment": "TIMESTAMP",
    "version": "INTEGER",
    "rank": "BIGINT",
    "map": "MAP(VARCHAR, DOUBLE)",
}
