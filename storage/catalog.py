"""The catalogue of a store: its format, its datasets and the definitions of its tables."""

from __future__ import annotations

import datetime as dt
import re

import msgspec
import polars as pl

from factorloom.engine.bars.selection import Selection, refuse_absent_dates, refuse_unknown_symbols
from factorloom.expressions.errors import DatasetError, StoreError, suggest
from factorloom.storage.sql import Cursor, fetch, table, value

__all__ = [
    "FORMAT",
    "Dataset",
    "check_format",
    "check_name",
    "create",
    "dataset",
    "datasets",
    "exists",
    "find",
    "now",
    "record",
    "refuse_unknown",
]

FORMAT = 1
"""Version of the table definitions below. A store with a later format is refused."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

SCHEMA = """
CREATE SCHEMA catalog;
CREATE SCHEMA bars;
CREATE SCHEMA attributes;
CREATE SCHEMA cache;
CREATE SCHEMA factors;
CREATE SCHEMA scores;
CREATE TABLE catalog.meta (key VARCHAR, value VARCHAR);
CREATE TABLE catalog.datasets (
    name VARCHAR, version BIGINT, symbols BIGINT, rows BIGINT, start DATE, "end" DATE,
    columns VARCHAR[], loaded_at TIMESTAMP
);
CREATE TABLE catalog.factors (
    dataset VARCHAR, version BIGINT, digest VARCHAR, name VARCHAR, text VARCHAR, lookback BIGINT,
    table_name VARCHAR, column_name VARCHAR, rows BIGINT, created TIMESTAMP
);
CREATE TABLE catalog.runs (
    verb VARCHAR, dataset VARCHAR, version BIGINT, started TIMESTAMP, seconds DOUBLE,
    rows BIGINT, hits BIGINT, misses BIGINT
);
"""


class Dataset(msgspec.Struct, frozen=True):
    """One row of `catalog.datasets`.

    `version` counts the loads that changed the dataset; `columns` are those of a panel, attributes last.
    """

    name: str
    version: int
    symbols: int
    rows: int
    start: dt.date
    end: dt.date
    columns: list[str]
    loaded_at: dt.datetime


def exists(cursor: Cursor, schema: str, name: str) -> bool:
    """Whether the store has the table or view `schema.name`."""
    query = "SELECT count(*) FROM information_schema.tables WHERE table_schema = ? AND table_name = ?"
    return bool(value(cursor, query, [schema, name]))


def check_name(name: str) -> str:
    """Refuse an invalid dataset name."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise DatasetError(
            f"{name!r} is not a valid dataset name",
            hint="use at most 63 lower-case letters, digits and _, with a letter first",
        )
    return name


def dataset(cursor: Cursor, name: str) -> Dataset:
    """Look up a dataset; an unknown one is an error with a suggestion."""
    found = find(cursor, check_name(name))
    if found is None:
        known = datasets(cursor)["name"].to_list()
        raise DatasetError(
            f"the store has no dataset {name!r}",
            hint=suggest(name, known) or "the store is empty: load a dataset first",
        )
    return found


def find(cursor: Cursor, name: str) -> Dataset | None:
    """Look up a dataset; None if unknown."""
    rows = cursor.execute("SELECT * FROM catalog.datasets WHERE name = ?", [name]).fetchall()
    return Dataset(*rows[0]) if rows else None


def refuse_unknown(cursor: Cursor, entry: Dataset, selection: Selection) -> None:
    """Refuse symbols and dates that have no bars in the dataset."""
    bars = table("bars", entry.name)
    if selection.symbols is not None:
        refuse_unknown_symbols(selection.symbols, fetch(cursor, f"SELECT DISTINCT symbol FROM {bars}")["symbol"])
    if selection.dates is not None:
        refuse_absent_dates(selection.dates, fetch(cursor, f"SELECT DISTINCT date FROM {bars} ORDER BY 1")["date"])


def datasets(cursor: Cursor) -> pl.DataFrame:
    """All datasets, by name."""
    return fetch(cursor, "SELECT * FROM catalog.datasets ORDER BY name")


def record(cursor: Cursor, entry: Dataset) -> None:
    """Insert or replace the row of a dataset."""
    cursor.execute("DELETE FROM catalog.datasets WHERE name = ?", [entry.name])
    values = list(msgspec.structs.astuple(entry))
    cursor.execute("INSERT INTO catalog.datasets VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def create(cursor: Cursor) -> None:
    """Create the tables of an empty store."""
    cursor.execute(SCHEMA)
    cursor.execute("INSERT INTO catalog.meta VALUES ('format', ?)", [str(FORMAT)])


def check_format(cursor: Cursor, path: str) -> bool:
    """Refuse a database that is not a store of a known format; True if the database is empty."""
    if not exists(cursor, "catalog", "meta"):
        if value(cursor, "SELECT count(*) FROM information_schema.tables"):
            raise StoreError(f"{path} is a DuckDB database but not a Factorloom store", hint="choose another path")
        return True
    stored = value(cursor, "SELECT max(value) FROM catalog.meta WHERE key = 'format'")
    if not str(stored).isdigit() or int(str(stored)) > FORMAT:
        raise StoreError(
            f"the store {path} has format {stored}; this Factorloom reads format {FORMAT}",
            hint="open it with the release that wrote it, or a later one",
        )
    return False


def now() -> dt.datetime:
    """The current time in UTC, without a time zone as DuckDB stores it."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)
