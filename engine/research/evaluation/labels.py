"""Forward returns of every bar, the labels that factors are measured by, and why a bar has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import types

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Array, Index, Rows
from factorloom.engine.runtime.jit import COUNTS, NUMBERS, loop
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import for_each

__all__ = ["Halted", "Labels", "label_values"]

Halted: TypeAlias = Literal["last", "missing"] | float
"""What a symbol without a price on the exit date gets: its last price since the entry, nothing, or this return."""

CODES = types.Array(types.uint32, 1, "C", readonly=True)
VALUES = types.Array(types.float64, 1, "C")

LAST, MISSING, GIVEN = 0, 1, 2


@dataclass(frozen=True)
class Labels:
    """Labels in the order of the bars.

    Attributes
    ----------
    values : array of float64, (horizons, bars)
        Forward returns, NaN where there is none.
    entered : array of bool, (bars,)
        Whether the symbol has a price on the entry date.
    unpriced : int
        How many prices are not positive, and count as missing.
    """

    values: Array
    entered: npt.NDArray[np.bool_]
    unpriced: int


def label_values(bars: Bars, horizons: Sequence[int], *, entry_lag: int, price: str, halted: Halted) -> Labels:
    """Return of every bar from the price `entry_lag` market dates later to that `horizon` market dates after the entry.

    `p[d + entry_lag + horizon] / p[d + entry_lag] - 1`, with d counting the distinct dates of all bars: gaps of a
    symbol do not shorten the horizon. Missing without a price on the entry date, and where the exit date is after the
    last date of all.
    """
    given = bars.array(price).astype(np.float64)
    unpriced = int((given <= 0).sum())
    prices = np.where(given > 0, given, np.nan)
    values = np.empty((len(horizons), bars.rows))
    mode, filling = (
        (GIVEN, float(halted)) if not isinstance(halted, str) else (LAST if halted == "last" else MISSING, 0.0)
    )
    entered = np.empty(bars.rows)
    last = bars.dates.len() - 1
    codes, offsets = bars.date_codes, bars.by_symbol
    _forward.prepare()

    def work(place: int) -> None:
        there = entered if place == 0 else np.empty(bars.rows)
        _forward(prices, codes, offsets, last, entry_lag, horizons[place], mode, filling, values[place], there)

    for_each(work, range(len(horizons)), Observer())
    return Labels(values, entered > 0, unpriced)


@loop(
    types.void(
        NUMBERS, CODES, COUNTS, types.int64, types.int64, types.int64, types.int64, types.float64, VALUES, VALUES
    )
)
def _forward(
    prices: Array,
    codes: Rows,
    offsets: Index,
    last: int,
    entry_lag: int,
    horizon: int,
    mode: int,
    filling: float,
    out: Array,
    entered: Array,
) -> None:
    for symbol in range(offsets.size - 1):
        start, stop = offsets[symbol], offsets[symbol + 1]
        entry, after, latest = start, start, -1
        for row in range(start, stop):
            first = np.int64(codes[row]) + entry_lag
            target = first + horizon
            while entry < stop and np.int64(codes[entry]) < first:
                entry += 1
            while after < stop and np.int64(codes[after]) <= target:
                latest = after if prices[after] == prices[after] else latest
                after += 1
            has_entry = entry < stop and np.int64(codes[entry]) == first and prices[entry] == prices[entry]
            entered[row] = 1.0 if has_entry else 0.0
            out[row] = np.nan
            if has_entry and target <= last:
                if np.int64(codes[latest]) == target or mode == LAST:
                    value = prices[latest] / prices[entry] - 1.0
                    out[row] = value if np.isfinite(value) else np.nan
                elif mode == GIVEN:
                    out[row] = filling
