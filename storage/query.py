"""Run read-only SQL on a store.

Three measures keep a query from writing: it must be a single statement of a reading type, it runs in a read-only
transaction that is rolled back, and the connection has no access to files (see `duckdb_file`). None is enough alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import polars as pl

from factorloom.expressions.errors import ArgumentError, StoreError
from factorloom.storage.sql import Cursor, fetch

__all__ = ["Parameters", "query"]

Parameters = Sequence[Any] | Mapping[str, Any] | None

SHOW_TABLES = re.compile(r"\s*show\s+tables\s*;?\s*", re.IGNORECASE)
TABLES = """SELECT table_schema || '.' || table_name AS name FROM information_schema.tables
    WHERE table_schema <> 'cache' ORDER BY name"""
"""What SHOW TABLES would leave out: DuckDB looks into the first schema alone."""

READ_TYPES = ("SELECT", "EXPLAIN", "MULTI")
"""Types of statement that only read. MULTI is PIVOT, and no other statement that returns rows."""


def query(cursor: Cursor, text: str, parameters: Parameters = None) -> pl.DataFrame:
    """Run one read-only statement with `?` or `$name` parameters."""
    if not isinstance(text, str):
        raise ArgumentError(f"a query must be text, got {type(text).__name__}")
    try:
        if SHOW_TABLES.fullmatch(text):
            text = TABLES
        _check(cursor.extract_statements(text))
        return _numbers(fetch(cursor, text, _plain(parameters)))
    except duckdb.Error as error:
        raise StoreError(str(error).strip()) from error
    except pl.exceptions.PolarsError as error:
        hint = "cast the column in the query, for example ::VARCHAR"
        raise StoreError(f"Polars cannot represent a type of the result: {error}", hint=hint) from error


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
