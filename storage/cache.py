"""Factor columns kept in DuckDB, found by digest.

The columns of one computation stand in one table of the schema `cache`, beside the keys, in the very order of
the bars. Tables of one dataset version therefore have the same rows in the same places and are put side by
side by position, which is some hundred times faster than joining them by key and reads only the columns asked
for.

A column belongs to a digest and a dataset version. Names are only labels: `catalog.factors` holds every name
a column was asked for under, and the view `factors.<dataset>` shows the latest column of each name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl

from factorloom.expressions.errors import ArgumentError, ParameterError, StoreError
from factorloom.expressions.factor import Factor
from factorloom.storage import catalog
from factorloom.storage.catalog import Dataset
from factorloom.storage.selection import Selection
from factorloom.storage.sql import Cursor, by_key, fetch, quote, table, value

__all__ = [
    "Label",
    "Place",
    "check_factors",
    "clear",
    "find",
    "give",
    "hold",
    "is_labelled",
    "labels",
    "read",
    "write",
]


class Place(NamedTuple):
    """Where a factor column stands."""

    schema: str
    table: str
    column: str

    @property
    def source(self) -> str:
        """The table as SQL names it."""
        return table(self.schema, self.table)


class Label(NamedTuple):
    """A name that a cached column was asked for under."""

    name: str
    digest: str
    place: Place


def check_factors(factors: object) -> dict[str, Factor]:
    """Refuse anything but factors by name, and names that clash with the keys."""
    if not isinstance(factors, Mapping) or not factors:
        raise ArgumentError(
            f"factors must be a mapping of names to factors, got {type(factors).__name__}",
            hint="for example {'momentum': fl.ts_pct_change(fl.close, 20)}",
        )
    for name, factor in factors.items():
        if not isinstance(factor, Factor):
            raise ArgumentError(f"{name!r} is no factor but a {type(factor).__name__}", hint="read text with fl.parse")
        if not isinstance(name, str) or not name or not name.isprintable() or name.lower() in ("symbol", "date"):
            raise ParameterError(f"{name!r} cannot name a factor", hint="use any printable text but symbol and date")
    return dict(factors)


def labels(cursor: Cursor, entry: Dataset) -> list[Label]:
    """Every name of every cached column of a dataset, in the order in which they were given."""
    rows = cursor.execute(
        """SELECT name, digest, table_name, column_name FROM catalog.factors
        WHERE dataset = ? AND version = ? ORDER BY created, name""",
        [entry.name, entry.version],
    ).fetchall()
    return [Label(name, digest, Place("cache", *place)) for name, digest, *place in rows]


def find(known: Iterable[Label], factors: Iterable[Factor]) -> dict[str, Place]:
    """The places of those factors that are cached, by digest."""
    cached = {label.digest: label.place for label in known}
    return {factor.digest: cached[factor.digest] for factor in factors if factor.digest in cached}


def is_labelled(known: Iterable[Label], factors: Mapping[str, Factor]) -> bool:
    """Whether every name already stands for the factor it is asked for."""
    latest = {label.name: label.digest for label in known}
    return all(latest.get(name) == factor.digest for name, factor in factors.items())


def write(cursor: Cursor, entry: Dataset, values: pl.DataFrame) -> dict[str, Place]:
    """Keep computed columns, named by digest, as one table; gives their places.

    Doubles are stored as they are: DuckDB's compression gains a third of the space on noise and takes three
    times as long to write and twice as long to read.
    """
    if values.height != entry.rows:
        raise StoreError(f"{values.height} values for {entry.rows} bars of {entry.name!r}")
    name = _next_table(cursor, entry)
    digests = values.columns[2:]
    date = "DATE" if values.dtypes[1] == pl.Date else "TIMESTAMP"
    columns = ", ".join(f"{_column(digest)} DOUBLE USING COMPRESSION uncompressed" for digest in digests)
    cursor.execute(f"CREATE TABLE {table('cache', name)} (symbol VARCHAR, date {date}, {columns})")
    cursor.register("computed", values)
    cursor.execute(f"INSERT INTO {table('cache', name)} SELECT * FROM computed")
    cursor.unregister("computed")
    return {digest: Place("cache", name, _column(digest)) for digest in digests}


def hold(cursor: Cursor, values: pl.DataFrame) -> dict[str, Place]:
    """Lend computed columns, named by digest, to this cursor alone; gives their places."""
    cursor.register("computed", values)
    return {digest: Place("temp", "computed", quote(digest)) for digest in values.columns[2:]}


def give(cursor: Cursor, entry: Dataset, factors: Mapping[str, Factor], places: Mapping[str, Place]) -> None:
    """Give cached columns their names: in `catalog.factors`, and in the view."""
    given = pl.DataFrame(
        {
            "digest": [factor.digest for factor in factors.values()],
            "name": list(factors),
            "text": [str(factor) for factor in factors.values()],
            "lookback": [factor.lookback for factor in factors.values()],
            "table_name": [places[factor.digest].table for factor in factors.values()],
            "column_name": [places[factor.digest].column for factor in factors.values()],
        }
    )
    cursor.register("given", given)
    terms = {"dataset": entry.name, "version": entry.version}
    cursor.execute(
        """DELETE FROM catalog.factors USING given WHERE dataset = $dataset AND version = $version
        AND factors.digest = given.digest AND factors.name = given.name""",
        terms,
    )
    cursor.execute(
        """INSERT INTO catalog.factors SELECT $dataset, $version, *, $rows, greatest($created, (
            SELECT max(created) + INTERVAL 1 MICROSECOND FROM catalog.factors WHERE dataset = $dataset
        )) FROM given""",
        {**terms, "rows": entry.rows, "created": catalog.now()},
    )
    cursor.unregister("given")
    _show(cursor, entry)


def read(
    cursor: Cursor,
    names: Mapping[str, Factor],
    places: Mapping[str, Place],
    selection: Selection,
) -> pl.DataFrame:
    """Symbol, date and the named columns of the selected bars, by symbol and date."""
    columns = list(dict.fromkeys(factor.digest for factor in names.values()))
    tables = _aliases(places[digest].source for digest in columns)
    chosen = ", ".join(
        f"{tables[places[digest].source]}.{places[digest].column} AS column_{number}"
        for number, digest in enumerate(columns)
    )
    condition, terms = selection.where("t0")
    query = f"SELECT t0.symbol, t0.date, {chosen} FROM {_side_by_side(tables)} WHERE {condition}"
    values = by_key(fetch(cursor, query, terms))
    return values.select(
        "symbol",
        "date",
        *(pl.col(f"column_{columns.index(factor.digest)}").alias(name) for name, factor in names.items()),
    )


def clear(cursor: Cursor, entry: Dataset) -> None:
    """Forget the cached columns of every version but the entry's own."""
    stale = cursor.execute(
        "SELECT DISTINCT table_name FROM catalog.factors WHERE dataset = ? AND version <> ?",
        [entry.name, entry.version],
    ).fetchall()
    cursor.execute("DELETE FROM catalog.factors WHERE dataset = ? AND version <> ?", [entry.name, entry.version])
    _show(cursor, entry)
    for (name,) in stale:
        cursor.execute(f"DROP TABLE {table('cache', name)}")


def _show(cursor: Cursor, entry: Dataset) -> None:
    """Renew the view of the dataset's factors; names that differ only in case are one to DuckDB."""
    latest = {label.name.lower(): label for label in labels(cursor, entry)}.values()
    tables = _aliases([table("bars", entry.name), *(label.place.source for label in latest)])
    columns = "".join(f", {tables[label.place.source]}.{label.place.column} AS {quote(label.name)}" for label in latest)
    query = f"SELECT t0.symbol, t0.date{columns} FROM {_side_by_side(tables)}"
    cursor.execute(f"CREATE OR REPLACE VIEW {table('factors', entry.name)} AS {query}")


def _next_table(cursor: Cursor, entry: Dataset) -> str:
    query = "SELECT count(DISTINCT table_name) FROM catalog.factors WHERE dataset = ? AND version = ?"
    return f"{entry.name}_v{entry.version}_{value(cursor, query, [entry.name, entry.version]) + 1}"


def _aliases(sources: Iterable[str]) -> dict[str, str]:
    return {source: f"t{number}" for number, source in enumerate(dict.fromkeys(sources))}


def _side_by_side(tables: Mapping[str, str]) -> str:
    return " POSITIONAL JOIN ".join(f"{name} AS {alias}" for name, alias in tables.items())


def _column(digest: str) -> str:
    return f"f_{digest}"
