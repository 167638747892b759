"""Reading a store with SQL.

Three things keep a query from writing: it is one statement of a reading kind, it runs in a read-only
transaction that is rolled back, and the connection has no access to files (see `database`). No one of them
would be enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import polars as pl

from factorloom.expressions.errors import ArgumentError, StoreError
from factorloom.storage.sql import Cursor, fetch

__all__ = ["Parameters", "query"]

Parameters = Sequence[Any] | Mapping[str, Any] | None

READING = ("SELECT", "EXPLAIN", "MULTI")
"""Kinds of statement that read; DuckDB calls PIVOT, and nothing else that gives rows, MULTI."""


def query(cursor: Cursor, text: str, parameters: Parameters = None) -> pl.DataFrame:
    """Run one reading statement with `?` or `$name` parameters."""
    if not isinstance(text, str):
        raise ArgumentError(f"a query is text, got {type(text).__name__}")
    try:
        _check(cursor.extract_statements(text))
        return fetch(cursor, text, _plain(parameters))
    except duckdb.Error as error:
        raise StoreError(str(error).strip()) from error
    except pl.exceptions.PolarsError as error:
        hint = "cast the column in the query, for example ::VARCHAR"
        raise StoreError(f"the result has a type that Polars lacks: {error}", hint=hint) from error


def _check(statements: Sequence[duckdb.Statement]) -> None:
    if len(statements) != 1:
        raise StoreError(f"a query is one statement, got {len(statements)}")
    kind = statements[0].type.name
    if kind not in READING:
        raise StoreError(f"a query only reads: {kind} is refused", hint="change a store with load, compute and score")


def _plain(parameters: Parameters) -> Any:
    if parameters is None or isinstance(parameters, Mapping):
        return parameters
    if isinstance(parameters, str) or not isinstance(parameters, Sequence):
        raise ArgumentError(
            f"parameters are a list or a mapping, got {type(parameters).__name__}",
            hint="for example ['AAPL']",
        )
    return list(parameters)
