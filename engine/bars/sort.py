"""Sorting bars by (symbol, date) with whole numbers for keys, and one gather per column.

A key is `symbol code * number of dates + date code`. Bars fill most of the range of such keys, so that a table of the
range, into which each row's number is written at its key, gives the order in one pass. Only keys that are far apart, or
repeated, are compared with one another.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.layout import Index

__all__ = ["sort_bars"]

ROOM = 8
"""The range of keys is at most so many times the number of rows where a table is used."""


def sort_bars(bars: pl.DataFrame, symbol: str, date: str) -> pl.DataFrame:
    """The bars by (symbol, date); equal keys stay in their order.

    >>> bars = pl.DataFrame({"symbol": ["B", "A", "A"], "date": [1, 2, 1], "close": [3.0, 2.0, 1.0]})
    >>> sort_bars(bars, "symbol", "date")["close"].to_list()
    [1.0, 2.0, 3.0]
    """
    if _is_sorted(bars, symbol, date):
        return bars
    rows = pl.Series(_order(bars[symbol], bars[date]))
    return bars.select(pl.all().gather(rows))


def _is_sorted(bars: pl.DataFrame, symbol: str, date: str) -> bool:
    s, d = pl.col(symbol), pl.col(date)
    ordered = (s > s.shift(1)) | ((s == s.shift(1)) & (d >= d.shift(1)))
    return bool(bars.select(ordered.all()).item())


def _order(symbol: pl.Series, date: pl.Series) -> npt.NDArray[np.integer]:
    """The row that comes first, the one that comes second, and so on."""
    names = symbol.unique().sort()
    dates, count = _codes(date.to_physical().cast(pl.Int64).to_numpy())
    keys = symbol.cast(pl.Enum(names)).to_physical().cast(pl.Int64).to_numpy() * count + dates
    if names.len() * count <= ROOM * keys.size:
        kind = np.int32 if keys.size < 2**31 else np.int64
        table: npt.NDArray[np.integer] = np.full(names.len() * count, -1, kind)
        table[keys] = np.arange(keys.size, dtype=table.dtype)
        order = table[table >= 0]
        if order.size == keys.size:  # no key is repeated
            return order
    return np.argsort(keys, kind="stable")


def _codes(dates: Index) -> tuple[Index, int]:
    """The number of each date among all distinct dates, and how many of these there are."""
    first = dates.min(initial=np.iinfo(np.int64).max)
    span = int(dates.max(initial=first)) - int(first) + 1
    if span > ROOM * dates.size:
        known = np.unique(dates)
        return np.searchsorted(known, dates), known.size
    present = np.zeros(span, np.bool_)
    present[dates - first] = True
    numbers = np.cumsum(present) - 1
    return numbers[dates - first], int(numbers[-1]) + 1
