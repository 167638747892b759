"""Quote SQL names, and fetch results as a value or a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import polars as pl

__all__ = ["Cursor", "by_key", "fetch", "quote", "table", "value"]

Cursor = duckdb.DuckDBPyConnection


def quote(name: str) -> str:
    """Quote any text as an SQL identifier.

    >>> quote('close / "open"')
    '"close / ""open""\"'
    """
    return '"' + name.replace('"', '""') + '"'


def table(schema: str, name: str) -> str:
    """The qualified and quoted name of a table.

    >>> table("bars", "sp500")
    'bars."sp500"'
    """
    return f"{schema}.{quote(name)}"


def value(cursor: Cursor, query: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Any:
    """The first value of a result; None if the result is empty."""
    rows = cursor.execute(query, parameters).fetchall()
    return rows[0][0] if rows else None


def fetch(cursor: Cursor, query: str, parameters: Any = None) -> pl.DataFrame:
    """A result as a frame."""
    frame: pl.DataFrame = cursor.sql(query, params=parameters).pl()
    return frame


def by_key(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort rows by symbol and date, if they are not; DuckDB keeps the stored order except in joins.

    >>> by_key(pl.DataFrame({"symbol": ["B", "A"], "date": [1, 1]}))["symbol"].to_list()
    ['A', 'B']
    """
    symbol, date = pl.col("symbol"), pl.col("date")
    follows = (symbol > symbol.shift()) | ((symbol == symbol.shift()) & (date > date.shift()))
    return frame if frame.select(follows.all()).item() else frame.sort("symbol", "date")
