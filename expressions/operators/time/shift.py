"""The values of a symbol some bars ago, or ahead: shifts and changes.

A bar counts whether its value is missing or not; a date on which a symbol has no bar does not count. The meaning sees
the bars from the oldest one needed to the newest, NaN where the series has no bar.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.cell.function import log
from factorloom.expressions.operators.loop.window import Array, present, window_bars
from factorloom.expressions.parameter import Periods, Window

__all__ = ["ts_delay", "ts_delta", "ts_last", "ts_lead", "ts_log_return", "ts_pct_change"]


def _periods(periods: int) -> int:
    return periods


@operator(Axis.TIME, lookback=_periods, lookahead=lambda periods: -periods)
def ts_delay(x: Input, periods: Periods) -> Factor:
    """The value `periods` bars ago.

    Lookback `periods`; the first `periods` bars of a symbol are missing.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_delay(fl.close, 1)))
    date            A     B    C
    2024-01-02      -     -    -
    2024-01-03   10.0  20.0    -
    2024-01-04   11.0  19.0  5.0
    """


@ts_delay.meaning
def _(x: Array) -> float:
    return float(x[0])


@ts_delay.polars
def _(x: pl.Expr, periods: int) -> pl.Expr:
    return x.shift(periods)


@ts_delay.kernel
def _(x: Array, periods: int, out: Array) -> None:
    first = min(periods, x.size)
    out[:first] = np.nan
    old, later = x[: x.size - first], out[first:]
    for i in range(later.size):
        later[i] = old[i]


@operator(Axis.TIME, lookahead=_periods)
def ts_lead(x: Input, periods: Periods) -> Factor:
    """The value `periods` bars ahead: for labels only, because it looks ahead.

    Scoring and serving refuse it. The last `periods` bars of a symbol are missing.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_lead(fl.close, 1)))
    date            A     B    C
    2024-01-02   11.0  19.0    -
    2024-01-03   12.0  22.0  7.0
    2024-01-04      -     -    -
    """


@ts_lead.meaning
def _(x: Array) -> float:
    return float(x[-1])


@ts_lead.polars
def _(x: pl.Expr, periods: int) -> pl.Expr:
    return x.shift(-periods)


@ts_lead.kernel
def _(x: Array, periods: int, out: Array) -> None:
    last = max(x.size - periods, 0)
    new, earlier = x[x.size - last :], out[:last]
    for i in range(earlier.size):
        earlier[i] = new[i]
    out[last:] = np.nan


@operator(Axis.TIME, lookback=_periods)
def ts_delta(x: Input, periods: Periods) -> Factor:
    """The change over `periods` bars: `x - ts_delay(x, periods)`.

    Lookback `periods`; missing where either value is.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_delta(fl.close, 1)))
    date           A     B    C
    2024-01-02     -     -    -
    2024-01-03   1.0  -1.0    -
    2024-01-04   1.0   3.0  2.0
    """


@ts_delta.meaning
def _(x: Array) -> float:
    return float(x[-1] - x[0])


@ts_delta.polars
def _(x: pl.Expr, periods: int) -> pl.Expr:
    return x - x.shift(periods)


@ts_delta.kernel
def _(x: Array, periods: int, out: Array) -> None:
    first = min(periods, x.size)
    old, new, later = x[: x.size - first], x[first:], out[first:]
    out[:first] = np.nan
    for i in range(later.size):
        later[i] = new[i] - old[i]


@operator(Axis.TIME, lookback=_periods)
def ts_pct_change(x: Input, periods: Periods) -> Factor:
    """The relative change over `periods` bars: `x / ts_delay(x, periods) - 1`.

    Lookback `periods`; missing where either value is, and where the older one is 0. A ratio: 0.1 is 10 percent.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_pct_change(fl.close, 1)))
    date             A      B    C
    2024-01-02       -      -    -
    2024-01-03     0.1  -0.05    -
    2024-01-04   0.091  0.158  0.4
    """


@ts_pct_change.meaning
def _(x: Array) -> float:
    return float(x[-1] / x[0] - 1)


@ts_pct_change.polars
def _(x: pl.Expr, periods: int) -> pl.Expr:
    return x / x.shift(periods) - 1


@ts_pct_change.kernel
def _(x: Array, periods: int, out: Array) -> None:
    first = min(periods, x.size)
    old, new, later = x[: x.size - first], x[first:], out[first:]
    out[:first] = np.nan
    for i in range(later.size):
        later[i] = new[i] / old[i] - 1


@operator(Axis.TIME, lookback=_periods)
def ts_log_return(x: Input, periods: Periods) -> Factor:
    """The logarithmic change over `periods` bars: `log(x / ts_delay(x, periods))`.

    Lookback `periods`; missing where either value is, and where their ratio is not positive.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_log_return(fl.close, 1)))
    date             A       B      C
    2024-01-02       -       -      -
    2024-01-03   0.095  -0.051      -
    2024-01-04   0.087   0.147  0.336
    """
    return log(x / ts_delay(x, periods))


@operator(Axis.TIME, lookback=window_bars)
def ts_last(x: Input, window: Window) -> Factor:
    """The newest present value of the last `window` bars; missing where all of them are.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_last(fl.where(fl.close == 11, fl.missing, fl.close), 2)))
    date            A     B    C
    2024-01-02   10.0  20.0    -
    2024-01-03   10.0  19.0  5.0
    2024-01-04   12.0  22.0  7.0
    """


@ts_last.meaning
def _(x: Array) -> float:
    return float(present(x)[-1]) if not np.isnan(x).all() else np.nan


@ts_last.polars
def _(x: pl.Expr, window: int) -> pl.Expr:
    return x.forward_fill(limit=window - 1) if window > 1 else x


@ts_last.kernel
def _(x: Array, window: int, out: Array) -> None:
    last, age = np.nan, 0
    for i in range(x.size):
        age = 0 if x[i] == x[i] else age + 1
        last = x[i] if age == 0 else last
        out[i] = last if age < window else np.nan
