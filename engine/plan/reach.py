"""Which bars a part of the values needs: back through the stages, in bars of each symbol and across dates."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Index
from factorloom.engine.plan.plan import Plan
from factorloom.expressions.axis import Axis

__all__ = ["needed"]

Mask: TypeAlias = npt.NDArray[np.bool_]


def needed(plan: Plan, bars: Bars, selected: Mask) -> Mask:
    """The rows from which the selected rows can be computed: a stretch of bars for every symbol.

    A stage symbol by symbol needs its lookback and look-ahead in bars around what is needed after it; a stage date by
    date needs every symbol from the first to the last date on which anything is needed.
    """
    first, last = _ends(selected, bars.by_symbol)
    for stage in reversed(plan.stages):
        if stage.axis is Axis.CROSS:
            first, last = _whole_dates(first, last, bars)
        else:
            before, after = stage.span()
            there = first < last
            start, stop = bars.by_symbol[:-1], bars.by_symbol[1:]
            first = np.where(there, np.maximum(start, first - min(before, bars.rows)), first).astype(np.int64)
            last = np.where(there, np.minimum(stop, last + min(after, bars.rows)), last).astype(np.int64)
    edges = np.zeros(bars.rows + 1, np.int64)
    np.add.at(edges, first[first < last], 1)
    np.add.at(edges, last[first < last], -1)
    return np.cumsum(edges[:-1]) > 0


def _ends(selected: Mask, offsets: Index) -> tuple[Index, Index]:
    """The first selected row of every symbol, and the one after its last; equal where there is none."""
    rows = np.flatnonzero(selected)
    first = np.searchsorted(rows, offsets[:-1])
    last = np.searchsorted(rows, offsets[1:])
    there = first < last
    if not rows.size:
        return offsets[:-1].copy(), offsets[:-1].copy()
    low = np.where(there, rows[np.minimum(first, rows.size - 1)], offsets[:-1])
    high = np.where(there, rows[np.maximum(last, 1) - 1] + 1, offsets[:-1])
    return low, high


def _whole_dates(first: Index, last: Index, bars: Bars) -> tuple[Index, Index]:
    """All symbols, from the earliest to the latest date of these stretches."""
    there = first < last
    if not there.any():
        return first, last
    codes = bars.date_codes
    low, high = codes[first[there]].min(), codes[last[there] - 1].max()
    return _ends((codes >= low) & (codes <= high), bars.by_symbol)
