"""Cache factor columns in DuckDB by digest and dataset version.

The columns of one computation are one table of the schema `cache`, with the keys, in the order of the bars. All tables
of a dataset version therefore have the same rows in the same order and are joined by position, which is about a hundred
times faster than a join by key and reads only the columns needed.

Names are only labels of a column: `catalog.factors` has every name under which a column was requested, and the view
`factors.<dataset>` shows the latest column of each name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl

from factorloom.engine.bars.selection import Selection
from factorloom.expressions.errors import ParameterError, StoreError
from factorloom.expressions.factor import Factor
from factorloom.storage import catalog
from factorloom.storage.catalog import Dataset
from factorloom.storage.sql import Cursor, by_key, condition, fetch, quote, table, value

__all__ = [
    "Label",
    "Location",
    "check_names",
    "clear",
    "find",
    "is_labelled",
    "label_columns",
    "labels",
    "read",
    "register",
    "write",
]


class Location(NamedTuple):
    """The table and column of a factor's values."""

    schema: str
    table: str
    column: str

    @property
    def source(self) -> str:
        """The qualified name of the table in SQL."""
        return table(self.schema, self.table)


class Label(NamedTuple):
    """A name under which a cached column was requested."""

    name: str
    digest: str
    location: Location


def check_names(names: Iterable[str]) -> None:
    """Refuse names that cannot be columns of a view; SQL does not tell names apart that differ only in case."""
    seen: dict[str, str] = {}
    for name in names:
        if not name or not name.isprintable() or name.lower() in ("symbol", "date"):
            raise ParameterError(
                f"{name!r} is not a valid factor name", hint="use printable text other than symbol and date"
            )
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise ParameterError(f"the names {other!r} and {name!r} differ only in case", hint="rename one of them")


def labels(cursor: Cursor, entry: Dataset) -> list[Label]:
    """All names of all cached columns of a dataset, oldest first."""
    rows = cursor.execute(
        """SELECT name, digest, table_name, column_name FROM catalog.factors
        WHERE dataset = ? AND version = ? ORDER BY created, name""",
        [entry.name, entry.version],
    ).fetchall()
    return [Label(name, digest, Location("cache", *location)) for name, digest, *location in rows]


def find(known: Iterable[Label], factors: Iterable[Factor]) -> dict[str, Location]:
    """The locations of the cached factors among `factors`, by digest."""
    cached = {label.digest: label.location for label in known}
    return {factor.digest: cached[factor.digest] for factor in factors if factor.digest in cached}


def is_labelled(known: Iterable[Label], factors: Mapping[str, Factor]) -> bool:
    """Whether every name already refers to its factor."""
    latest = {label.name: label.digest for label in known}
    return all(latest.get(name) == factor.digest for name, factor in factors.items())


def write(cursor: Cursor, entry: Dataset, values: pl.DataFrame) -> dict[str, Location]:
    """Store computed columns, named by digest, as one table; returns their locations.

    Doubles are not compressed: compression by DuckDB saves a third of the space on noisy values but takes three times
    as long to write and twice as long to read.
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
    return {digest: Location("cache", name, _column(digest)) for digest in digests}


def register(cursor: Cursor, values: pl.DataFrame) -> dict[str, Location]:
    """Make computed columns, named by digest, readable through this cursor only; returns their locations."""
    cursor.register("computed", values)
    return {digest: Location("temp", "computed", quote(digest)) for digest in values.columns[2:]}


def label_columns(
    cursor: Cursor, entry: Dataset, factors: Mapping[str, Factor], locations: Mapping[str, Location]
) -> None:
    """Label cached columns in `catalog.factors`, and update the view."""
    labelled = pl.DataFrame(
        {
            "digest": [factor.digest for factor in factors.values()],
            "name": list(factors),
            "text": [str(factor) for factor in factors.values()],
            "lookback": [factor.lookback for factor in factors.values()],
            "table_name": [locations[factor.digest].table for factor in factors.values()],
            "column_name": [locations[factor.digest].column for factor in factors.values()],
        }
    )
    cursor.register("labelled", labelled)
    terms = {"dataset": entry.name, "version": entry.version}
    cursor.execute(
        """DELETE FROM catalog.factors USING labelled WHERE dataset = $dataset AND version = $version
        AND factors.digest = labelled.digest AND factors.name = labelled.name""",
        terms,
    )
    cursor.execute(
        """INSERT INTO catalog.factors SELECT $dataset, $version, *, $rows, greatest($created, (
            SELECT max(created) + INTERVAL 1 MICROSECOND FROM catalog.factors WHERE dataset = $dataset
        )) FROM labelled""",
        {**terms, "rows": entry.rows, "created": catalog.now()},
    )
    cursor.unregister("labelled")
    _update_view(cursor, entry)


def read(
    cursor: Cursor,
    entry: Dataset,
    names: Mapping[str, Factor],
    locations: Mapping[str, Location],
    selection: Selection,
    rows: slice | None = None,
) -> pl.DataFrame:
    """Symbol, date and the named factors of the selected bars, by symbol and date.

    With `rows`, only those of a stretch of rows of the tables, which must be stored ones.
    """
    columns = list(dict.fromkeys(factor.digest for factor in names.values()))
    tables = _aliases([locations[digest].source for digest in columns] or [table("bars", entry.name)])
    selected = "".join(
        f", {tables[locations[digest].source]}.{locations[digest].column} AS column_{number}"
        for number, digest in enumerate(columns)
    )
    chosen, terms = condition(selection, "t0")
    query = f"SELECT t0.symbol, t0.date{selected} FROM {_positional_join(tables, rows)} WHERE {chosen}"
    values = by_key(fetch(cursor, query, terms))
    return values.select(
        "symbol",
        "date",
        *(pl.col(f"column_{columns.index(factor.digest)}").alias(name) for name, factor in names.items()),
    )


def clear(cursor: Cursor, entry: Dataset) -> None:
    """Delete the cached columns of all versions but the one of `entry`."""
    stale = cursor.execute(
        "SELECT DISTINCT table_name FROM catalog.factors WHERE dataset = ? AND version <> ?",
        [entry.name, entry.version],
    ).fetchall()
    cursor.execute("DELETE FROM catalog.factors WHERE dataset = ? AND version <> ?", [entry.name, entry.version])
    _update_view(cursor, entry)
    for (name,) in stale:
        cursor.execute(f"DROP TABLE {table('cache', name)}")


def _update_view(cursor: Cursor, entry: Dataset) -> None:
    """Recreate the view of a dataset's factors; names that differ only in case are the same name to DuckDB."""
    latest = {label.name.lower(): label for label in labels(cursor, entry)}.values()
    tables = _aliases([table("bars", entry.name), *(label.location.source for label in latest)])
    columns = "".join(
        f", {tables[label.location.source]}.{label.location.column} AS {quote(label.name)}" for label in latest
    )
    query = f"SELECT t0.symbol, t0.date{columns} FROM {_positional_join(tables)}"
    cursor.execute(f"CREATE OR REPLACE VIEW {table('factors', entry.name)} AS {query}")


def _next_table(cursor: Cursor, entry: Dataset) -> str:
    query = "SELECT count(DISTINCT table_name) FROM catalog.factors WHERE dataset = ? AND version = ?"
    return f"{entry.name}_v{entry.version}_{value(cursor, query, [entry.name, entry.version]) + 1}"


def _aliases(sources: Iterable[str]) -> dict[str, str]:
    return {source: f"t{number}" for number, source in enumerate(dict.fromkeys(sources))}


def _positional_join(tables: Mapping[str, str], rows: slice | None = None) -> str:
    """The tables side by side. DuckDB reads of a stretch of row numbers only the parts of a table that hold it."""
    stretch = "" if rows is None else f" WHERE rowid >= {rows.start} AND rowid < {rows.stop}"
    named = (
        f"{name} AS {alias}" if rows is None else f"(SELECT * FROM {name}{stretch}) AS {alias}"
        for name, alias in tables.items()
    )
    return " POSITIONAL JOIN ".join(named)


def _column(digest: str) -> str:
    return f"f_{digest}"
