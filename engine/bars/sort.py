"""Sorting bars by (symbol, date) with whole numbers for keys, and one gather per column.

A key is `symbol code * number of dates + date code`. Bars fill most of the range of such keys, so that a table of the
range, into which each row's number is written at its key, gives the order in one pass. Only keys that are far apart, or
repeated, are compared with one another.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.layout import dates_as_codes

__all__ = ["sort_bars"]

Keys: TypeAlias = npt.NDArray[np.integer]

ROOM = 8
"""The range of keys is at most so many times the number of rows where a table is used."""


def sort_bars(bars: pl.DataFrame, symbol: str, date: str) -> pl.DataFrame:
    """The bars by (symbol, date), symbols as an Enum in the order of its categories; equal keys stay in their order.

    >>> kind = pl.Enum(["A", "B"])
    >>> bars = pl.DataFrame({"symbol": ["B", "A", "A"], "date": [1, 2, 1], "close": [3.0, 2.0, 1.0]})
    >>> sort_bars(bars.cast({"symbol": kind}), "symbol", "date")["close"].to_list()
    [1.0, 2.0, 3.0]
    """
    symbols = bars[symbol].to_physical().to_numpy()
    dates, count = dates_as_codes(bars[date])
    size = (int(symbols.max(initial=0)) + 1) * count
    keys: Keys = symbols.astype(_type(size))
    np.multiply(keys, count, out=keys)
    np.add(keys, dates, out=keys)
    if np.greater_equal(keys[1:], keys[:-1]).all():
        return bars.rechunk()  # columns in parts would be copied when they are computed on
    rows = pl.Series(_order(keys, size))
    return bars.select(pl.all().gather(rows))


def _order(keys: Keys, size: int) -> Keys:
    """The row that comes first, the one that comes second, and so on; keys are below `size`."""
    if size <= ROOM * keys.size:
        table: Keys = np.full(size, -1, _type(keys.size))
        table[keys] = np.arange(keys.size, dtype=table.dtype)
        order: Keys = table[np.greater_equal(table, 0)]
        if order.size == keys.size:  # no key is repeated
            return order
    return np.argsort(keys, kind="stable")


def _type(size: int) -> type[np.int32] | type[np.int64]:
    """What holds whole numbers below `size`."""
    return np.int32 if size < 2**31 else np.int64
