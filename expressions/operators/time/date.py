"""The value of a symbol some dates of the market ahead, whatever bars the symbol lacks on the way.

The dates of the market are those of all bars of a panel. A form gets how many of them come after each bar (see
`form.py`): a bar on the date looked for has `periods` fewer of them left than the current one.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.window import Array, present
from factorloom.expressions.parameter import Flag, Periods

__all__ = ["ts_lead_dates"]


def _ahead(periods: int, last: bool) -> int:
    return periods


@operator(Axis.TIME, lookahead=_ahead)
def ts_lead_dates(x: Input, periods: Periods, *, last: Annotated[bool, Flag()] = False) -> Factor:
    """The value `periods` dates of the market ahead: for labels only, because it looks ahead.

    The dates of the market are the distinct dates of all symbols of the panel, so that a symbol's gaps do not shorten
    the way, as they do with `ts_lead`. A symbol without a bar on that date, or without a value there, is missing; with
    `last=True` it has its last present value from the current bar until that date. Where the panel ends before that
    date, the value is missing either way. It looks ahead at most `periods` bars: a symbol has at most one on a date.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_lead_dates(fl.close, 1)))
    date            A     B    C
    2024-01-02   11.0  19.0    -
    2024-01-03   12.0  22.0  7.0
    2024-01-04      -     -    -
    """


@ts_lead_dates.meaning
def _(x: Array, dates_left: Array, periods: int, last: bool) -> float:
    there = dates_left[0] - periods
    if there < 0:
        return np.nan
    until = np.flatnonzero(dates_left >= there)[-1]
    if not last:
        return float(x[until]) if dates_left[until] == there else np.nan
    known = present(x[: until + 1])
    return float(known[-1]) if known.size else np.nan


@ts_lead_dates.polars
def _(x: pl.Expr, dates_left: pl.Expr, periods: int, last: bool) -> pl.Expr:
    there = dates_left - periods
    until = (-dates_left).search_sorted(-there, side="right") - 1
    if not last:
        return pl.when((there >= 0) & (dates_left.gather(until) == there)).then(x.gather(until))
    count = x.is_not_null().cum_sum()
    is_known = count.gather(until) > count - x.is_not_null()
    return pl.when((there >= 0) & is_known).then(x.forward_fill().gather(until))


@ts_lead_dates.kernel
def _(x: Array, dates_left: Array, periods: int, last: int, out: Array) -> None:
    final = x.size - 1
    for i in range(x.size):
        out[i] = np.nan
        there = dates_left[i] - periods
        if there < 0:
            continue
        until = min(i + periods, final)
        while dates_left[until] < there:
            until -= 1
        if last:
            while until > i and np.isnan(x[until]):
                until -= 1
            out[i] = x[until]
        elif dates_left[until] == there:
            out[i] = x[until]
