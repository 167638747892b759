"""Quote SQL names, write conditions, and fetch results as a value or a frame."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import polars as pl

from factorloom.engine.bars.selection import Selection, next_day

__all__ = ["Cursor", "by_key", "condition", "fetch", "quote", "table", "value"]

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


def condition(selection: Selection, alias: str) -> tuple[str, dict[str, Any]]:
    """The condition on the table `alias` that selects bars, and its parameters."""
    terms: dict[str, Any] = {}
    conditions = ["true"]
    if selection.start is not None:
        conditions.append(f"{alias}.date >= $start")
        terms["start"] = selection.start
    if selection.end is not None:
        after = next_day(selection.end)
        conditions.append(f"{alias}.date {'<=' if after is None else '<'} $end")
        terms["end"] = selection.end if after is None else after
    if selection.symbols is not None:
        conditions.append(f"{alias}.symbol IN (SELECT unnest($symbols::VARCHAR[]))")
        terms["symbols"] = list(selection.symbols)
    if selection.dates is not None:
        days = [day for day in selection.dates if not isinstance(day, dt.datetime)]
        moments = [day for day in selection.dates if isinstance(day, dt.datetime)]
        on_day = f"{alias}.date::DATE IN (SELECT unnest($days::DATE[]))"
        conditions.append(f"({on_day} OR {alias}.date::TIMESTAMP IN (SELECT unnest($moments::TIMESTAMP[])))")
        terms |= {"days": days, "moments": moments}
    return " AND ".join(conditions), terms


def by_key(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort rows by symbol and date, if they are not; DuckDB keeps the stored order except in joins.

    >>> by_key(pl.DataFrame({"symbol": ["B", "A"], "date": [1, 1]}))["symbol"].to_list()
    ['A', 'B']
    """
    symbol, date = pl.col("symbol"), pl.col("date")
    follows = (symbol > symbol.shift()) | ((symbol == symbol.shift()) & (date > date.shift()))
    return frame if frame.select(follows.all()).item() else frame.sort("symbol", "date")
