"""Which bars a part of the values needs: back through the stages, in bars of each symbol and across dates."""

from __future__ import annotations

import numpy as np

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Index
from factorloom.engine.bars.selection import Mask
from factorloom.engine.plan.plan import Orientation, Plan

__all__ = ["needed_rows"]


def needed_rows(plan: Plan, bars: Bars, selected: Mask) -> Mask:
    """The rows from which the selected rows can be computed: a stretch of bars for every symbol.

    A stage symbol by symbol needs its lookback and look-ahead in bars around what is needed after it; a stage date by
    date needs every symbol from the first to the last date on which anything is needed.
    """
    first, last = _ends(selected, bars.by_symbol)
    for stage in reversed(plan.stages):
        if stage.orientation is Orientation.DATE:
            first, last = _whole_dates(first, last, bars)
        else:
            before, after = stage.span()
            present = first < last
            start, stop = bars.by_symbol[:-1], bars.by_symbol[1:]
            first = np.where(present, np.maximum(start, first - min(before, bars.rows)), first).astype(np.int64)
            last = np.where(present, np.minimum(stop, last + min(after, bars.rows)), last).astype(np.int64)
    edges = np.zeros(bars.rows + 1, np.int64)
    np.add.at(edges, first[first < last], 1)
    np.add.at(edges, last[first < last], -1)
    return np.cumsum(edges[:-1]) > 0


def _ends(selected: Mask, offsets: Index) -> tuple[Index, Index]:
    """The first selected row of every symbol, and the one after its last; equal where present is none."""
    rows = np.flatnonzero(selected)
    first = np.searchsorted(rows, offsets[:-1])
    last = np.searchsorted(rows, offsets[1:])
    present = first < last
    if not rows.size:
        return offsets[:-1].copy(), offsets[:-1].copy()
    low = np.where(present, rows[np.minimum(first, rows.size - 1)], offsets[:-1])
    high = np.where(present, rows[np.maximum(last, 1) - 1] + 1, offsets[:-1])
    return low, high


def _whole_dates(first: Index, last: Index, bars: Bars) -> tuple[Index, Index]:
    """All symbols, from the earliest to the latest date of these stretches."""
    present = first < last
    if not present.any():
        return first, last
    codes = bars.date_codes
    low, high = codes[first[present]].min(), codes[last[present] - 1].max()
    return _ends((codes >= low) & (codes <= high), bars.by_symbol)
