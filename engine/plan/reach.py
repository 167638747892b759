"""Which bars values need, and which values bars reach: along each symbol by numbers of bars, and across dates.

Backward, `needed_rows` gives the bars that a part of the values needs; `lacks_bars` says whether too few were given.
They go back through the stages of a plan, and keep one stretch of bars for every symbol.

Forward, `Reach` gives the values that a change of bars can touch. It goes up through the nodes of a factor, and keeps
any number of stretches for each. A cell-wise operator touches what its inputs touch. An operator that reads from so
many bars before to so many after the current one touches as many after and before a changed bar; a shift, which reads
just one, touches just one. One of unbounded memory touches all later bars of the symbol. One across symbols touches
whole dates, one within groups the groups of what it reads. One that counts dates of the market touches, where a date
comes or goes, all bars that are so many dates away.

Where a bar comes or goes, later bars of the symbol are counted anew. Whatever reads bars along time then changes on
them, if only in the last digit: sums are cut into blocks that are counted from the first bar (see `block.py`). What
stands on such a bar itself has not changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Index, codes_of
from factorloom.engine.bars.selection import Mask
from factorloom.engine.plan.plan import Orientation, Plan
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["Reach", "lacks_bars", "needed_rows"]


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
    return _rows_in(Stretches(first[first < last], last[first < last]), bars.rows)


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


def lacks_bars(plan: Plan, bars: Bars, selected: Mask) -> bool:
    """Whether the selected rows need bars of a symbol before the first one that is given, which is not its first."""
    first, last = _ends(selected, bars.by_symbol)
    start, stop = bars.by_symbol[:-1], bars.by_symbol[1:]
    for stage in reversed(plan.stages):
        if stage.orientation is Orientation.DATE:
            first, last = _whole_dates(first, last, bars)
            continue
        before, after = stage.span()
        present = first < last
        reach = first - min(before, bars.rows + 1)
        if (present & (reach < start) & (bars.first_bars > 0)).any():
            return True
        first = np.where(present, np.maximum(start, reach), first).astype(np.int64)
        last = np.where(present, np.minimum(stop, last + min(after, bars.rows)), last).astype(np.int64)
    return False


class Stretches(NamedTuple):
    """Rows as stretches, in order: where each starts, and where it ends. None holds rows of two symbols, and no two of
    a symbol touch."""

    first: Index
    last: Index


def _rows_in(stretches: Stretches, rows: int) -> Mask:
    """Of so many rows, whether each is in one of the stretches."""
    lengths = np.diff(np.column_stack(stretches).ravel(), prepend=0, append=rows)
    return np.repeat(np.arange(lengths.size) % 2 == 1, lengths)


class Reach:
    """Which values a change of bars can touch. What factors share is found once.

    Parameters
    ----------
    bars
        As they are after the change.
    changed
        By column, the rows on which its value is not what it was; a column that is left out has not changed. Under `""`
        the rows that are new, those whose number among the bars of the symbol is another one, and the last row of a
        symbol that has lost bars after it.
    dates
        For every date of the bars, whether a bar came or went there. New rows are on such dates.
    calendar
        For every date of the bars, whether it is new, or dates after it and before the next one are gone. None: the
        dates are those that they were.

    Examples
    --------
    >>> import numpy as np, factorloom as fl
    >>> panel = fl.example()
    >>> close = (panel.frame["symbol"] == "A").to_numpy() & (panel.frame["date"] == panel.dates[1]).to_numpy()
    >>> reach = Reach(panel, {"close": close}, dates=np.zeros(3, bool))
    >>> for factor in (fl.ts_delay(fl.close, 1), fl.ts_mean(fl.close, 2), fl.cs_rank(fl.close)):
    ...     print(np.flatnonzero(reach.rows(factor)))
    [2]
    [1 2]
    [1 4 6]
    """

    def __init__(self, bars: Bars, changed: Mapping[str, Mask], dates: Mask, calendar: Mask | None = None) -> None:
        self._bars = bars
        self._changed = changed
        self._dates = dates
        self._calendar = None if calendar is None or not calendar.any() else np.flatnonzero(calendar)
        self._starts = np.zeros(bars.rows + 1, np.bool_)
        self._starts[bars.by_symbol] = True
        self._touched: dict[Factor, Stretches] = {}
        self._known: dict[bytes, Stretches] = {}
        self._whole_dates: dict[bytes, Stretches] = {}
        self._categories: dict[str, tuple[Index, Index]] = {}
        moved = changed.get("", np.zeros(bars.rows, np.bool_))
        self._moved = self._stretches(moved)
        self._new = moved & dates[bars.date_codes]
        self._nothing_but_new = self._stretches(self._new)

    def rows(self, factor: Factor) -> Mask:
        """The rows on which the value of a factor can be another one, or is the first one there."""
        for node in factor.walk():
            if node not in self._touched:
                self._touched[node] = self._reached(node)
        return self._mask(self._touched[factor])

    def _reached(self, node: Factor) -> Stretches:
        """What a node touches; its inputs are known."""
        op = node.operator
        if op is COL:
            return self._of_column(str(node.parameters[0]))
        if op is LIT:
            return self._nothing_but_new
        numbers = node.inputs if op.counts_dates else node.operands
        touched = self._joined(*(self._touched[child] for child in numbers))
        if op.axis is Axis.TIME:
            before, after = op.span(op.named(node.parameters))
            if op.counts_dates and self._calendar is not None:
                recounted = self._recounted(self._calendar, before, after)
                return self._joined(self._along_time(touched, before, after), recounted)
            return self._along_time(touched, self._bars.rows if op.unbounded else before, after)
        if op.axis is Axis.CROSS:
            return self._across(touched)
        return self._within(touched, node.inputs[-1]) if op.axis is Axis.GROUP else touched

    def _of_column(self, name: str) -> Stretches:
        changed = self._changed.get(name)
        return self._nothing_but_new if changed is None else self._stretches(changed | self._new)

    def _along_time(self, touched: Stretches, before: int, after: int) -> Stretches:
        """The bars whose value is read from these, or from bars that are counted anew."""
        rows, offsets = self._bars.rows, self._bars.by_symbol
        first, last = self._joined(touched, self._moved)
        symbol = np.searchsorted(offsets, first, side="right") - 1
        first = np.maximum(first - max(min(after, rows), -rows), offsets[symbol])
        last = np.minimum(last + min(before, rows), offsets[symbol + 1])
        there = first < last
        return self._joined(Stretches(first[there], last[there]), self._moved)

    def _recounted(self, calendar: Index, before: int, after: int) -> Stretches:
        """The bars for which a date so far before or after them is another one than it was."""
        codes = self._bars.date_codes.astype(np.int64)
        size = self._dates.size
        edges = np.zeros(size + 1, np.int64)
        np.add.at(edges, np.maximum(calendar - after, 0), 1)
        np.add.at(edges, np.minimum(calendar + before + 1, size), -1)
        return self._stretches((np.cumsum(edges[:-1]) > 0)[codes])

    def _across(self, touched: Stretches) -> Stretches:
        """The dates of these rows, and those on which bars came or went."""
        dates = self._dates.copy()
        dates[self._bars.date_codes[self._mask(touched)]] = True
        key = dates.tobytes()
        if key not in self._whole_dates:
            self._whole_dates[key] = self._stretches(dates[self._bars.date_codes])
        return self._whole_dates[key]

    def _within(self, touched: Stretches, key: Factor) -> Stretches:
        """The groups of these rows, and whole dates where categories changed; rows without a category are in none."""
        name = str(key.parameters[0])
        if name not in self._categories:
            codes = codes_of(self._bars.table[name])
            self._categories[name] = codes, self._bars.date_codes * (codes.max(initial=0) + 2) + codes
        codes, groups = self._categories[name]
        rows, near = (np.flatnonzero(self._mask(each)) for each in (touched, self._across(touched)))
        reached = self._mask(self._across(self._touched[key]))
        reached[near] |= np.isin(groups[near], groups[rows[codes[rows] >= 0]])
        return self._stretches(reached)

    def _joined(self, *parts: Stretches) -> Stretches:
        """All rows of these."""
        parts = tuple({id(part): part for part in parts}.values())
        if len(parts) == 1:
            return parts[0]
        first, last = (np.concatenate(ends) for ends in zip(*parts, strict=True))
        order = np.argsort(first, kind="stable")
        first, last = first[order], np.maximum.accumulate(last[order])
        apart = (first[1:] > last[:-1]) | ((first[1:] == last[:-1]) & self._starts[first[1:]])
        edges = np.flatnonzero(np.concatenate([[True], apart, [True]])) if first.size else np.zeros(1, np.int64)
        return self._only(first[edges[:-1]], last[edges[1:] - 1])

    def _stretches(self, rows: Mask) -> Stretches:
        edges = np.flatnonzero(np.diff(rows, prepend=False, append=False))
        inner = self._bars.by_symbol[1:-1]
        inner = inner[rows[inner] & rows[inner - 1]]
        return self._only(*(np.sort(np.concatenate([edges[side::2], inner])) for side in (0, 1)))

    def _only(self, first: Index, last: Index) -> Stretches:
        """These stretches; equal ones are one object."""
        key = hashlib.blake2b(np.concatenate([first, last]).tobytes(), digest_size=16).digest()
        return self._known.setdefault(key, Stretches(first, last))

    def _mask(self, stretches: Stretches) -> Mask:
        return _rows_in(stretches, self._bars.rows)
