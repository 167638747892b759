"""Small things said in SQL: names that are safe to write, and results as a cell or a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import polars as pl

__all__ = ["Cursor", "by_key", "fetch", "quote", "table", "value"]

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


def by_key(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows by symbol and date; DuckDB keeps the order in which they are stored, but not where it joins.

    >>> by_key(pl.DataFrame({"symbol": ["B", "A"], "date": [1, 1]}))["symbol"].to_list()
    ['A', 'B']
    """
    symbol, date = pl.col("symbol"), pl.col("date")
    follows = (symbol > symbol.shift()) | ((symbol == symbol.shift()) & (date > date.shift()))
    return frame if frame.select(follows.all()).item() else frame.sort("symbol", "date")
