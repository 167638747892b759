"""Adaptive averages and stops, in which each value depends on the one before; each is an indicator.

A bar on which an input is missing has no value and is skipped: later values are those of a series without that bar.
Memory is unbounded.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import numpy as np

from factorloom.expressions.indicator import builtin
from factorloom.expressions.operators.loop.window import Array
from factorloom.expressions.parameter import Choice, Real, Window

__all__ = ["ts_kama", "ts_mcginley", "ts_sar", "ts_trailing_stop", "ts_volatility_stop"]

Positive: TypeAlias = Annotated[float, Real(above=0)]
SIDES = ("line", "direction")
DIRECTION = SIDES.index("direction")
Side: TypeAlias = Annotated[Any, Choice(SIDES)]  # callers give the word, the loop gets its index


@builtin(unbounded=True, lookback=lambda window, **_: window)
def ts_kama(x: Array, window: Window = 10, fast: Window = 2, slow: Window = 30, out: Any = None) -> None:
    """Kaufman's adaptive moving average: fast while `x` trends, slow while it moves sideways.

    `kama = kama + smoothing * (x - kama)`, where `smoothing` is the square of `slowest + er * (fastest - slowest)` with
    `slowest = 2 / (slow + 1)`, `fastest = 2 / (fast + 1)` and the efficiency ratio `er`: the absolute change over
    `window` bars divided by the sum of the absolute changes of its bars (1 where nothing changed). It starts at bar
    `window` of the symbol from the value of the bar before, as TA-Lib's `KAMA`.

    Source: P. Kaufman, Trading Systems and Methods, Wiley, 1998.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_kama(fl.close, 1)))
    date              A       B      C
    2024-01-02        -       -      -
    2024-01-03   10.444  19.556      -
    2024-01-04   11.136  20.642  5.889
    """
    calm = 2 / (slow + 1)
    swift = 2 / (fast + 1) - calm
    values, count, average = np.empty(x.size), 0, 0.0
    for i in range(x.size):
        out[i] = np.nan
        if np.isnan(x[i]):
            continue
        values[count] = x[i]
        if count < window:
            average = x[i]
        else:
            path = 0.0
            for k in range(count - window, count):
                path += abs(values[k + 1] - values[k])
            efficiency = abs(x[i] - values[count - window]) / path if path > 0 else 1.0
            average += (efficiency * swift + calm) ** 2 * (x[i] - average)
            out[i] = average
        count += 1


@builtin(unbounded=True, lookback=lambda **_: 1)
def ts_mcginley(x: Array, window: Window = 10, k: Positive = 0.6, out: Any = None) -> None:
    """McGinley's dynamic: an average that follows `x` faster below it than above it.

    `average + (x - average) / (k * window * (x / average) ** 4)`, from the first value on; it never overshoots `x`. A
    value that is not above 0 is skipped like a missing one.

    Source: J. R. McGinley, The McGinley dynamic, Journal of Technical Analysis 48, 1997.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_mcginley(fl.close, 10)))
    date              A       B      C
    2024-01-02        -       -      -
    2024-01-03   10.114  19.795      -
    2024-01-04   10.272  20.036  5.087
    """
    average = np.nan
    for i in range(x.size):
        out[i] = np.nan
        if not x[i] > 0:
            continue
        if np.isnan(average):
            average = x[i]
            continue
        average += (x[i] - average) / max(k * window * (x[i] / average) ** 4, 1.0)
        out[i] = average


@builtin(unbounded=True, lookback=lambda **_: 1)
def ts_sar(high: Array, low: Array, acceleration: Positive = 0.02, maximum: Positive = 0.2, out: Any = None) -> None:
    """Wilder's parabolic stop and reverse: a stop that approaches the price faster the longer a trend lasts.

    It moves towards the extreme of the trend by a share of their distance that starts at `acceleration` and grows by
    `acceleration` with every new extreme, up to `maximum`, but never into the range of the current bar or of the one
    before. When the price touches it the trend reverses, and the stop starts from the extreme. The first trend falls if
    the low of the second bar fell, and by more than its high rose: TA-Lib's `SAR`.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_sar(fl.high, fl.low)))
    date            A     B    C
    2024-01-02      -     -    -
    2024-01-03    9.5  21.5    -
    2024-01-04   9.54  18.0  5.0
    """
    # A falling trend is a rising one of the negated prices: `good` and `bad` are the ends of the bar in the trend.
    side, stop, extreme, speed, count = 1.0, 0.0, 0.0, 0.0, 0
    last_good = last_bad = 0.0
    for i in range(high.size):
        out[i] = np.nan
        if np.isnan(high[i]) or np.isnan(low[i]):
            continue
        good, bad = (high[i], low[i]) if side > 0 else (-low[i], -high[i])
        count += 1
        if count == 2:
            fall = last_bad - bad
            if fall > 0 and fall > good - last_good:
                side, good, bad, last_good, last_bad = -1.0, -bad, -good, -last_bad, -last_good
            stop, extreme, speed = last_bad, good, min(acceleration, maximum)
            last_good, last_bad = good, bad
        if count >= 2:
            if bad <= stop:
                side, good, bad, last_bad = -side, -bad, -good, -last_good
                stop = min(-extreme, last_bad, bad)
                extreme, speed = good, min(acceleration, maximum)
            elif good > extreme:
                extreme = good
                speed = min(speed + acceleration, maximum)
            out[i] = side * stop
            stop = min(stop + speed * (extreme - stop), last_bad, bad)
        last_good, last_bad = good, bad


@builtin(unbounded=True)
def ts_trailing_stop(upper: Array, lower: Array, close: Array, value: Side = "line", out: Any = None) -> None:
    """A trailing stop: the lower band while the trend rises, the upper band while it falls.

    The lower band only rises and the upper one only falls, until the price has closed beyond it. The trend reverses
    where the price closes beyond the current band. It starts as a rising one. `value="line"` gives the band,
    `value="direction"` the trend: 1 or -1. With bands around the middle of the bar it is SuperTrend.

    Source: O. Seban, Tout le monde mérite d'être riche, 2008 (SuperTrend); the loop is TA-Lib's.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_trailing_stop(fl.high + 1, fl.low - 1, fl.close)))
    date            A     B    C
    2024-01-02    8.5  18.5    -
    2024-01-03    9.0  18.5  4.0
    2024-01-04   10.5  18.5  4.5
    """
    top, bottom, last, trend = np.inf, -np.inf, np.nan, 1.0
    for i in range(close.size):
        out[i] = np.nan
        if np.isnan(upper[i]) or np.isnan(lower[i]) or np.isnan(close[i]):
            continue
        top = upper[i] if upper[i] < top or last > top else top
        bottom = lower[i] if lower[i] > bottom or last < bottom else bottom
        if last == last:
            if trend > 0 and close[i] < bottom:
                trend = -1.0
            elif trend < 0 and close[i] > top:
                trend = 1.0
        last = close[i]
        out[i] = trend if value == DIRECTION else bottom if trend > 0 else top


@builtin(unbounded=True)
def ts_volatility_stop(x: Array, distance: Array, out: Any = None) -> None:
    """Wilder's volatility stop: the highest value of a rising trend so far, less the `distance` of the bar before.

    In a falling trend it is the lowest value plus the distance. When `x` crosses the stop the trend reverses and starts
    from `x`. The direction of the first trend is taken from the change of `x` until the first distance, so the stop
    is missing until it is first crossed.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_volatility_stop(fl.close, fl.lit(0.5))))
    date            A  B  C
    2024-01-02      -  -  -
    2024-01-03      -  -  -
    2024-01-04   10.5  -  -
    """
    first = last = away = np.nan
    side, top, bottom, is_sure = 1.0, -np.inf, np.inf, False
    for i in range(x.size):
        out[i] = np.nan
        if np.isnan(x[i]):
            continue
        if not np.isnan(away):
            stop = top - away if side > 0 else bottom + away
            out[i] = stop if is_sure else np.nan
            if side * (x[i] - stop) < 0:
                side, top, bottom, is_sure = -side, x[i], x[i], True
        elif not np.isnan(distance[i]):
            side = 1.0 if last > first else -1.0
        first = x[i] if np.isnan(first) else first
        top, bottom, last = max(top, x[i]), min(bottom, x[i]), x[i]
        away = away if np.isnan(distance[i]) else distance[i]
