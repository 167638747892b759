"""The catalogue of a store: its tables in DuckDB, and their rows as objects."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import msgspec
import numpy as np

from factorloom.expressions.errors import DatasetError, StoreError
from factorloom.storage.digest import Hashes
from factorloom.storage.sql import Cursor

__all__ = [
    "FORMAT",
    "BarSegment",
    "CacheFile",
    "Catalog",
    "Dataset",
    "ModelVersion",
    "SavedFactor",
    "ScoreFile",
    "TableFile",
    "VersionEntry",
    "check_format",
    "check_name",
    "create",
    "now",
    "read_catalog",
    "replace_row",
]

FORMAT = 2
"""Version of the table definitions below. A store with another format is refused."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

SCHEMAS = ("catalog", "bars", "attributes", "universes", "factors", "scores", "models", "weights")

TABLES = """
CREATE TABLE catalog.meta (key VARCHAR, value VARCHAR);
CREATE TABLE catalog.datasets (
    name VARCHAR, version BIGINT, symbols BIGINT, rows BIGINT, start DATE, "end" DATE,
    columns VARCHAR[], loaded_at TIMESTAMP
);
CREATE TABLE catalog.versions (
    dataset VARCHAR, version BIGINT, kind VARCHAR, known_at TIMESTAMP, source VARCHAR,
    inserted BIGINT, updated BIGINT, deleted BIGINT, rows BIGINT, symbols BIGINT
);
CREATE TABLE catalog.symbols (dataset VARCHAR, symbol VARCHAR, first BIGINT, last BIGINT, bars BIGINT);
CREATE TABLE catalog.segments (
    file VARCHAR, dataset VARCHAR, first_day INTEGER, last_day INTEGER, rows BIGINT, bytes BIGINT, "check" VARCHAR,
    from_version BIGINT, to_version BIGINT, newest BIGINT, pure BOOLEAN, daily BOOLEAN,
    columns VARCHAR[], types VARCHAR[], days BLOB, hashes BLOB
);
CREATE TABLE catalog.tables (
    file VARCHAR, dataset VARCHAR, kind VARCHAR, name VARCHAR, rows BIGINT, bytes BIGINT, "check" VARCHAR,
    from_version BIGINT, to_version BIGINT, columns VARCHAR[], types VARCHAR[]
);
CREATE TABLE catalog.cache (
    file VARCHAR, dataset VARCHAR, first_day INTEGER, last_day INTEGER, rows BIGINT, bytes BIGINT, "check" VARCHAR,
    version BIGINT, dtype VARCHAR, created TIMESTAMP, factors VARCHAR[], columns VARCHAR[],
    reach_first INTEGER, reach_last INTEGER, input UBIGINT
);
CREATE TABLE catalog.factors (
    dataset VARCHAR, "set" VARCHAR, name VARCHAR, digest VARCHAR, text VARCHAR, columns VARCHAR[], lookback BIGINT,
    direction INTEGER, note VARCHAR, saved_at TIMESTAMP
);
CREATE TABLE catalog.scores (
    file VARCHAR, dataset VARCHAR, model VARCHAR, version BIGINT, first TIMESTAMP, last TIMESTAMP, dates BIGINT,
    rows BIGINT, bytes BIGINT, "check" VARCHAR, scored_at TIMESTAMP
);
CREATE TABLE catalog.models (
    dataset VARCHAR, model VARCHAR, digest VARCHAR, document VARCHAR, first_at TIMESTAMP, last_at TIMESTAMP
);
CREATE TABLE catalog.weights (
    dataset VARCHAR, model VARCHAR, digest VARCHAR, version BIGINT, date TIMESTAMP, first TIMESTAMP, last TIMESTAMP,
    dates BIGINT, rows BIGINT, alpha DOUBLE, factor VARCHAR, weight DOUBLE
);
CREATE TABLE catalog.trials (
    dataset VARCHAR, digest VARCHAR, name VARCHAR, text VARCHAR, first_at TIMESTAMP, times BIGINT
);
CREATE TABLE catalog.pins (dataset VARCHAR, digest VARCHAR);
CREATE TABLE catalog.unused (file VARCHAR, since TIMESTAMP);
COMMENT ON TABLE catalog.datasets IS 'One row per dataset, as it is now';
COMMENT ON TABLE catalog.versions IS 'One row per load: what was known from when on';
COMMENT ON TABLE catalog.factors IS 'Saved factors: their names, sets and definitions';
COMMENT ON TABLE catalog.cache IS 'Files with values of factors, by digest of factor and inputs';
COMMENT ON TABLE catalog.segments IS 'Files with bars of a stretch of days, for versions before to_version';
COMMENT ON TABLE catalog.models IS 'Every version of a model that has scored, as TOML';
COMMENT ON TABLE catalog.weights IS 'Fitted weights of models, by the date from which on they hold';
COMMENT ON TABLE catalog.trials IS 'Every factor that was ever evaluated, and how often';
COMMENT ON COLUMN catalog.datasets.version IS 'How many loads have changed the dataset';
COMMENT ON COLUMN catalog.versions.known_at IS 'When it was loaded, UTC';
COMMENT ON COLUMN catalog.factors.lookback IS 'Bars before the current one that a value needs';
"""


class Dataset(msgspec.Struct, frozen=True):
    """One row of `catalog.datasets`.

    `version` counts the loads that changed the dataset; `columns` are those of a panel, attributes and universes last.
    """

    name: str
    version: int
    symbols: int
    rows: int
    start: dt.date
    end: dt.date
    columns: list[str]
    loaded_at: dt.datetime


class VersionEntry(msgspec.Struct, frozen=True):
    """One row of `catalog.versions`: what a load, or a deletion, did to a dataset."""

    dataset: str
    version: int
    kind: str
    known_at: dt.datetime
    source: str
    inserted: int
    updated: int
    deleted: int
    rows: int
    symbols: int


class BarSegment(msgspec.Struct, frozen=True):
    """Bars of a stretch of days, by symbol and date, for the versions from `from_version` to before `to_version`.

    Each bar has the number of the version that brought it, `newest` at most: earlier versions do not see it. A `pure`
    segment holds no bar that was different before. `days` are the days that have bars, and `hashes` a row of their
    digests for the keys, then one for each column.
    """

    file: str
    dataset: str
    first_day: int
    last_day: int
    rows: int
    size: int
    check: str
    from_version: int
    to_version: int | None
    newest: int
    pure: bool
    daily: bool
    columns: list[str]
    types: list[str]
    days: bytes
    hashes: bytes

    def day_numbers(self) -> np.ndarray[Any, np.dtype[np.int32]]:
        """The days that have bars."""
        return np.frombuffer(self.days, np.int32)

    def digests(self) -> dict[str, Hashes]:
        """The digests by day of the keys, named "", and of each column."""
        rows = np.frombuffer(self.hashes, np.uint64).reshape(len(self.columns) + 1, -1)
        return dict(zip(["", *self.columns], rows, strict=True))


class TableFile(msgspec.Struct, frozen=True):
    """A dated table: the attributes of symbols, or the membership in a universe, for some versions."""

    file: str
    dataset: str
    kind: str
    name: str
    rows: int
    size: int
    check: str
    from_version: int
    to_version: int | None
    columns: list[str]
    types: list[str]


class CacheFile(msgspec.Struct, frozen=True):
    """Values of some factors on all bars of a stretch of days.

    They belong to any version whose keys and `columns` have the digest `input` from day `reach_first` to `reach_last`.
    `version` is one of these.
    """

    file: str
    dataset: str
    first_day: int
    last_day: int
    rows: int
    size: int
    check: str
    version: int
    dtype: str
    created: dt.datetime
    factors: list[str]
    columns: list[str]
    reach_first: int
    reach_last: int
    input: int


class SavedFactor(msgspec.Struct, frozen=True):
    """One row of `catalog.factors`: a factor under a name."""

    dataset: str
    set: str
    name: str
    digest: str
    text: str
    columns: list[str]
    lookback: int
    direction: int
    note: str
    saved_at: dt.datetime


class ScoreFile(msgspec.Struct, frozen=True):
    """The scores of one model on some dates, from `first` to `last`; `version` is the newest that they are of."""

    file: str
    dataset: str
    model: str
    version: int
    first: dt.datetime
    last: dt.datetime
    dates: int
    rows: int
    size: int
    check: str
    scored_at: dt.datetime


class ModelVersion(msgspec.Struct, frozen=True):
    """One row of `catalog.models`: a version of a model, and when it first and last scored."""

    dataset: str
    model: str
    digest: str
    document: str
    first_at: dt.datetime
    last_at: dt.datetime


StoredFile = BarSegment | TableFile | CacheFile | ScoreFile


class Catalog(msgspec.Struct, frozen=True):
    """All rows that readers need; histories that only SQL shows stay in DuckDB. `root` is where views find files."""

    number: int
    root: str | None
    datasets: dict[str, Dataset]
    versions: list[VersionEntry]
    segments: list[BarSegment]
    tables: list[TableFile]
    cache: list[CacheFile]
    factors: list[SavedFactor]
    scores: list[ScoreFile]
    pins: set[tuple[str, str]]
    unused: dict[str, dt.datetime]

    def files(self) -> list[StoredFile]:
        """All files of the store."""
        return [*self.segments, *self.tables, *self.cache, *self.scores]


def read_catalog(cursor: Cursor, number: int) -> Catalog:
    """The rows of a catalogue."""
    return Catalog(
        number=number,
        root=cursor.execute("SELECT max(value) FROM catalog.meta WHERE key = 'root'").fetchall()[0][0],
        datasets={row[0]: Dataset(*row) for row in cursor.execute("FROM catalog.datasets ORDER BY name").fetchall()},
        versions=_rows(cursor, "versions", VersionEntry, "dataset, version"),
        segments=_rows(cursor, "segments", BarSegment, "dataset, first_day, from_version"),
        tables=_rows(cursor, "tables", TableFile, "dataset, kind, name, from_version"),
        cache=_rows(cursor, "cache", CacheFile, "created"),
        factors=_rows(cursor, "factors", SavedFactor, "saved_at, name"),
        scores=_rows(cursor, "scores", ScoreFile, "scored_at"),
        pins=set(cursor.execute("FROM catalog.pins").fetchall()),
        unused=dict(cursor.execute("FROM catalog.unused").fetchall()),
    )


def create(cursor: Cursor) -> None:
    """Create the tables of an empty catalogue."""
    for schema in SCHEMAS:
        cursor.execute(f"CREATE SCHEMA {schema}")
    cursor.execute(TABLES)
    cursor.execute("INSERT INTO catalog.meta VALUES ('format', ?)", [str(FORMAT)])


def check_format(cursor: Cursor, name: str) -> None:
    """Refuse the catalogue of another release."""
    ((stored,),) = cursor.execute("SELECT max(value) FROM catalog.meta WHERE key = 'format'").fetchall()
    if not str(stored).isdigit() or int(str(stored)) > FORMAT:
        raise StoreError(
            f"the store {name} has format {stored}; this Factorloom reads format {FORMAT}",
            hint="open it with the release that wrote it, or a later one",
        )
    if int(str(stored)) < FORMAT:
        raise StoreError(
            f"the store {name} has format {stored}, of before release 0.1.0; this Factorloom reads format {FORMAT}",
            hint="load the data into a new store",
        )


def replace_row(cursor: Cursor, table: str, row: msgspec.Struct, **where: object) -> None:
    """Insert a row in place of those that agree in these columns; without columns, only insert it."""
    if where:
        condition = " AND ".join(f'"{column}" = ?' for column in where)
        cursor.execute(f"DELETE FROM catalog.{table} WHERE {condition}", list(where.values()))
    values = list(msgspec.structs.astuple(row))
    cursor.execute(f"INSERT INTO catalog.{table} VALUES ({', '.join('?' * len(values))})", values)


def check_name(name: object, what: str = "dataset") -> str:
    """Refuse an invalid name of a dataset, a set or a universe."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise DatasetError(
            f"{name!r} is not a valid {what} name",
            hint="use at most 63 lower-case letters, digits and _, with a letter first",
        )
    return name


def now() -> dt.datetime:
    """The current time in UTC, without a time zone as DuckDB stores it."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def _rows(cursor: Cursor, table: str, kind: type[Any], order: str) -> list[Any]:
    return [kind(*row) for row in cursor.execute(f"FROM catalog.{table} ORDER BY {order}").fetchall()]
