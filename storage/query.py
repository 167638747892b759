"""Run read-only SQL on a store.

A query runs on a DuckDB connection of its own, in memory, that has no access to files: the bars and values of the store
are given to it as Arrow datasets, whose files are compared with their digests first, and the catalogue is attached for
reading only. It must be a single statement of a reading type. None of this is enough alone.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem

from factorloom.engine.runtime.limit import room
from factorloom.engine.runtime.thread import processors
from factorloom.expressions.errors import ArgumentError, ParameterError, StoreError
from factorloom.storage.backing import Backing
from factorloom.storage.catalog import SCHEMAS, Catalog
from factorloom.storage.publish import CONFIG, raise_interrupt
from factorloom.storage.relation import CATALOG_VIEWS, Files, Relation, relations
from factorloom.storage.runs import read_runs
from factorloom.storage.sql import Cursor, literal, quote, table
from factorloom.storage.view import View

__all__ = ["Parameters", "Queries"]

Parameters = Sequence[Any] | Mapping[str, Any] | None

SHOW_TABLES = re.compile(r"\s*show\s+tables\s*;?\s*", re.IGNORECASE)
TABLES = """SELECT table_schema || '.' || table_name AS name FROM information_schema.tables
    WHERE table_catalog = 'memory' AND table_schema <> 'main' ORDER BY name"""
"""What SHOW TABLES would leave out: DuckDB looks into the first schema alone."""

READ_TYPES = ("SELECT", "EXPLAIN", "MULTI")
"""Types of statement that only read. MULTI is PIVOT, and no other statement that returns rows."""

ARROW: dict[str, pa.DataType] = {
    "text": pa.large_string(),
    "number": pa.float64(),
    "value": pa.float64(),
    "date": pa.date32(),
    "moment": pa.timestamp("us"),
    "version": pa.int32(),
    "rank": pa.int64(),
    "map": pa.map_(pa.large_string(), pa.float64()),
}
SHARE = 4
"""A result may take this part of the memory that is left."""


class Session:
    """A connection that sees one catalogue, or datasets as they were known in some versions."""

    def __init__(self, backing: Backing, catalog: Catalog, path: Path, views: Sequence[tuple[View, Any]]) -> None:
        self._backing = backing
        self._checks = {each.file: (each.size, each.check) for each in catalog.files()}
        self._files: dict[tuple[str, str], list[str]] = {}
        self.cursor: Cursor = duckdb.connect(
            ":memory:", config={**CONFIG, "threads": processors(), "enable_external_access": True}
        )
        for schema in SCHEMAS:
            self.cursor.execute(f"CREATE SCHEMA {schema}")
        self.cursor.execute(f"ATTACH {literal(str(path))} AS stored (READ_ONLY)")
        for name, columns in CATALOG_VIEWS.items():
            self.cursor.execute(f"CREATE VIEW catalog.{name} AS SELECT {columns} FROM stored.catalog.{name}")
        self._count = 0
        self._register("runs", read_runs(backing.folder))
        for view, entries in views:
            for relation in relations(catalog, view, entries):
                self._create(relation)
        for setting in ("enable_external_access = false", "lock_configuration = true"):
            self.cursor.execute(f"SET {setting}")

    def run(self, text: str, parameters: Parameters, max_rows: int | None) -> pl.DataFrame:
        """Run one statement."""
        if SHOW_TABLES.fullmatch(text):
            text = TABLES
        _check(self.cursor.extract_statements(text))
        self._verify(text)
        return _limited(self.cursor.sql(text, params=_plain(parameters)), max_rows)

    def refresh_runs(self) -> None:
        """Show the newest lines of the log."""
        self.cursor.unregister("runs")
        self.cursor.register("runs", read_runs(self._backing.folder))

    def _register(self, name: str, frame: pl.DataFrame) -> None:
        self.cursor.register(name, frame)
        self.cursor.execute(f"CREATE VIEW catalog.{name} AS SELECT * FROM {name}")

    def _create(self, relation: Relation) -> None:
        files = [file for each in relation.files for file in each.files]
        self._files[relation.schema, relation.name.lower()] = files
        text = relation.text(self._source)
        self.cursor.execute(f"CREATE VIEW {table(relation.schema, relation.name)} AS {text}")
        for column, meaning in relation.comments:
            self.cursor.execute(
                f"COMMENT ON COLUMN {table(relation.schema, relation.name)}.{quote(column)} IS {literal(meaning)}"
            )

    def _source(self, files: Files) -> str:
        self._count += 1
        name = f"files_{self._count}"
        schema = pa.schema([pa.field(column, ARROW[kind]) for column, kind in files.columns])
        paths = [str(self._backing.folder.segment(file)) for file in files.files]
        dataset = ds.FileSystemDataset.from_paths(
            paths, schema=schema, format=ds.ParquetFileFormat(), filesystem=LocalFileSystem()
        )
        self.cursor.register(name, dataset)
        return name

    def _verify(self, text: str) -> None:
        """Compare the files of all views that a query may read with their digests: all whose names are in its text."""
        lower = text.lower()
        hidden = "query" in lower or "files_" in lower  # query_table() and the like take names that are put together
        for (_, name), files in self._files.items():
            if hidden or name in lower:
                for file in files:
                    self._backing.files.open(file, *self._checks[file]).verify()


class Queries:
    """Runs the queries of one store object; connections are kept while the catalogue stays the same."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._idle: list[tuple[int, Session]] = []
        self._lock = threading.Lock()

    def run(
        self, text: str, parameters: Parameters = None, *, as_of: Any = None, max_rows: int | None = None
    ) -> pl.DataFrame:
        """Run one read-only statement with `?` or `$name` parameters."""
        if not isinstance(text, str):
            raise ArgumentError(f"a query must be text, got {type(text).__name__}")
        try:
            with self._session(as_of) as session:
                return _numbers(session.run(text, parameters, max_rows))
        except duckdb.Error as error:
            raise StoreError(str(error).strip()) from error
        except RuntimeError as error:
            raise_interrupt(error)
        except (pa.ArrowException, OSError) as error:
            raise StoreError(f"a file cannot be read: {error}", hint="run: factorloom store check") from error
        except pl.exceptions.PolarsError as error:
            hint = "cast the column in the query, for example ::VARCHAR"
            raise StoreError(f"Polars cannot represent a type of the result: {error}", hint=hint) from error

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for _, session in self._idle:
                session.cursor.close()
            self._idle = []

    @contextmanager
    def _session(self, as_of: Any) -> Iterator[Session]:
        catalog, path = self._backing.newest()
        session = self._take(catalog.number) if as_of is None else None
        if session is None:
            session = Session(self._backing, catalog, path, list(self._views(catalog, as_of)))
        else:
            session.refresh_runs()
        is_good = False
        try:
            yield session
            is_good = True
        finally:
            if is_good and as_of is None:
                with self._lock:
                    self._idle.append((catalog.number, session))
            else:
                session.cursor.close()

    def _take(self, number: int) -> Session | None:
        """An idle connection that sees this catalogue; those that see an older one are closed."""
        with self._lock:
            found = None
            kept = []
            for known, session in self._idle:
                if known != number:
                    session.cursor.close()
                elif found is None:
                    found = session
                else:
                    kept.append((known, session))
            self._idle = kept
            return found

    def _views(self, catalog: Catalog, as_of: Any) -> Iterator[tuple[View, Any]]:
        for name in catalog.datasets:
            with suppress(ParameterError):  # a dataset of which nothing was known then
                view = self._backing.view(name, as_of, catalog)
                yield view, self._backing.saved_entries(catalog, view)


def _limited(relation: Any, max_rows: int | None) -> pl.DataFrame:
    """A result as a frame; one that has too many rows, or does not fit into memory, is refused."""
    if relation is None:
        return pl.DataFrame()
    reader = relation.to_arrow_reader(1 << 17)
    batches, rows, size = [], 0, 0
    most = room() // SHARE
    for batch in reader:
        rows += batch.num_rows
        size += batch.nbytes
        if max_rows is not None and rows > max_rows:
            raise StoreError(f"the result has more than {max_rows:,} rows", hint="add a limit, or aggregate")
        if size > most:
            raise StoreError(
                f"the result does not fit into {most / 2**30:.1f} GiB, a quarter of the memory that is left",
                hint="add a limit, aggregate, or select fewer columns",
            )
        batches.append(batch)
    whole = pa.Table.from_batches(batches, schema=reader.schema)
    names: list[str] = []
    for name in whole.column_names:
        names.append(name if name not in names else f"{name}_{len(names)}")
    return pl.DataFrame(pl.from_arrow(whole.rename_columns(names)))


def _numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """Decimals as Int64 where they are whole numbers that fit, as DuckDB's sums of these are; else as Float64."""
    for column in frame.select(pl.col(pl.Decimal)).iter_columns():
        whole = column.cast(pl.Int64, strict=False) if getattr(column.dtype, "scale", 1) == 0 else None
        fits = whole is not None and whole.null_count() == column.null_count()
        frame = frame.with_columns(whole if whole is not None and fits else column.cast(pl.Float64))
    return frame


def _check(statements: Sequence[duckdb.Statement]) -> None:
    if len(statements) != 1:
        raise StoreError(f"a query must be one statement, got {len(statements)}")
    kind = statements[0].type.name
    if kind not in READ_TYPES:
        raise StoreError(
            f"a query must only read: {kind} is refused", hint="use load, compute or score to change a store"
        )


def _plain(parameters: Parameters) -> Any:
    if parameters is None or isinstance(parameters, Mapping):
        return parameters
    if isinstance(parameters, str) or not isinstance(parameters, Sequence):
        raise ArgumentError(
            f"parameters must be a list or a mapping, got {type(parameters).__name__}",
            hint="for example ['AAPL']",
        )
    return list(parameters)
