"""Small things said in SQL: names that are safe to write, and results as a cell or a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import polars as pl

__all__ = ["Cursor", "fetch", "quote", "table", "value"]

Cursor = duckdb.DuckDBPyConnection


def quote(name: str) -> str:
    """Write any text as an SQL identifier.

    >>> quote('close / "open"')
    '"close / ""open""\"'
    """
    return '"' + name.replace('"', '""') + '"'


def table(schema: str, name: str) -> str:
    """The quoted name of a table of the store.

    >>> table("bars", "sp500")
    'bars."sp500"'
    """
    return f"{schema}.{quote(name)}"


def value(cursor: Cursor, query: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Any:
    """The first cell of a result; None when there is none."""
    rows = cursor.execute(query, parameters).fetchall()
    return rows[0][0] if rows else None


def fetch(cursor: Cursor, query: str, parameters: Any = None) -> pl.DataFrame:
    """A result as a frame, by way of Arrow."""
    frame: pl.DataFrame = cursor.sql(query, params=parameters).pl()
    return frame
