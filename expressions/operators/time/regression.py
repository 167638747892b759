"""Least squares over the last bars of a symbol: on time, and on another input.

Windows and missing values are as in `moment.py`. A regression has five values, of which an operator gives one:

- `slope`: the change of `x` for one unit of the regressor, which is one bar for a trend;
- `intercept`: the line at 0: at the oldest bar of the window for a trend;
- `fitted`: the line at the current bar;
- `residual`: `x` less `fitted`;
- `rsquared`: the share of the variance of `x` that the line explains.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.form import statistic
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.block import moments, shared_comoments
from factorloom.expressions.operators.loop.noise import (
    denoised_products,
    denoised_products_column,
    denoised_scatter,
)
from factorloom.expressions.operators.loop.window import (
    Array,
    Joint,
    Pair,
    PairSamples,
    added,
    around_base,
    of_joint,
    once,
    paired,
    spread_of,
    where_enough,
    window_bars,
)
from factorloom.expressions.parameter import Choice

__all__ = ["ts_regression", "ts_trend"]

VALUES = ("slope", "intercept", "fitted", "residual", "rsquared")
SLOPE, INTERCEPT, FITTED, RESIDUAL, RSQUARED = range(5)
LineValue: TypeAlias = Annotated[str, Choice(VALUES)]


@operator(Axis.TIME, lookback=window_bars, version=2)
def ts_trend(x: Input, window: Pair, *, value: LineValue = "slope", min_samples: PairSamples = None) -> Factor:
    """Least squares of the last `window` values on time: `value` names the result.

    Time is the index of a bar in the window, 0 for the oldest and `window - 1` for the current one; missing values keep
    their index, and so do the bars before the first one of a symbol. Missing where fewer than `min_samples`
    are present (default: `window`, at least 2); the residual where `x` is, and `rsquared` for a constant window.
    Qlib's `SLOPE`, `RSQUARE` and `RESI` are the slope, `rsquared` and the residual.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_trend(fl.close, 3)))
    date           A    B  C
    2024-01-02     -    -  -
    2024-01-03     -    -  -
    2024-01-04   1.0  1.0  -
    >>> print(fl.example().show(fl.ts_trend(fl.close, 3, value="residual")))
    date           A      B  C
    2024-01-02     -      -  -
    2024-01-03     -      -  -
    2024-01-04   0.0  0.667  -
    """


@statistic("time_total", "time_scatter", "time_product")
def trend(x: Array, window: int, first_bar: int, time_total: Array, time_scatter: Array, time_product: Array) -> None:
    """Time in the window: its sum, its scatter, and its joint scatter with `x`, as in `block.comoments`."""
    tail = np.zeros((5, min(window, x.size + first_bar % window)))
    tail_n, tail_s, tail_t, tail_tt, tail_ts = tail[0], tail[1], tail[2], tail[3], tail[4]
    last = 0.0
    for start in range(-(first_bar % window), x.size, window):
        low, width = max(0, -start), min(window, x.size - start)
        first = last
        n = s = t = tt = ts = 0.0  # times from the first bar of the head
        for k in range(low, width):
            i = np.uint64(start + k)
            value = x[i]
            if value == value:
                if n == 0.0:
                    first = value
                d, time = value - first, float(k)
                n += 1.0
                s += d
                t += time
                tt += time * time
                ts += time * d
            before, gap = float(window - 1 - k), last - first
            number, deviations = n + tail_n[k], s + (tail_s[k] + gap * tail_n[k])
            times = (t + before * n) + tail_t[k]
            squares = (tt + before * (2.0 * t + before * n)) + tail_tt[k]
            products = (ts + before * s) + (tail_ts[k] + gap * tail_t[k])
            time_total[i] = times
            time_scatter[i] = number * squares - times * times
            time_product[i] = number * products - times * deviations
        n = s = t = tt = ts = 0.0
        for k in range(width - 1, max(low, 1) - 1, -1):
            tt += 2.0 * t + n  # one bar further back, the times of all newer ones are 1 higher
            t += n
            ts += s
            value = x[np.uint64(start + k)]
            if value == value:
                if n == 0.0:
                    last = value
                n += 1.0
                s += value - last
            j = np.uint64(k - 1)
            tail_n[j], tail_s[j], tail_t[j], tail_tt[j], tail_ts[j] = n, s, t, tt, ts


@ts_trend.meaning
def _(x: Array, value: str) -> float:
    time = np.arange(float(x.size))
    return _line(x, time, x[-1], time[-1], value)


@ts_trend.polars
def _(x: pl.Expr, window: int, value: str, min_samples: int) -> pl.Expr:
    n, base, total, spread = spread_of(x, window)
    _, deviations = around_base(x, window)
    times = [float(window - 1 - k) for k in range(window)]
    present = [x.shift(k).is_not_null().cast(pl.Float64) for k in range(window)]
    time = added([t * one for t, one in zip(times, present, strict=True)])
    squares = added([t * t * one for t, one in zip(times, present, strict=True)])
    products = added([t * d for t, d in zip(times, deviations, strict=True)])

    def compute(*columns: pl.Expr) -> pl.Expr:
        x, n, base, total, spread, time, squares, products = columns
        scatter = n * squares - time * time
        product = denoised_products_column(n * products - time * total, spread, scatter)
        line = line_value(VALUES.index(value), n, x, base, total, spread, time, scatter, product, 0.0, window - 1.0)
        return where_enough(line, n, min_samples)

    return once(compute, x, n, base, total, spread, time, squares, products)


@ts_trend.kernel_from(moments, trend)
def _(
    x: Array,
    window: int,
    value: int,
    count: Array,
    base: Array,
    total: Array,
    scatter: Array,
    time_total: Array,
    time_scatter: Array,
    time_product: Array,
    min_samples: int,
    out: Array,
) -> None:
    for i in range(out.size):
        line = line_value(
            value,
            count[i],
            x[i],
            base[i],
            total[i],
            scatter[i],
            time_total[i],
            time_scatter[i],
            denoised_products(time_product[i], scatter[i], time_scatter[i]),
            0.0,
            window - 1.0,
        )
        out[i] = line if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars, version=2)
def ts_regression(
    x: Input, y: Input, window: Pair, *, value: LineValue = "slope", min_samples: PairSamples = None
) -> Factor:
    """Least squares of `x` on `y` over the last `window` bars: `value` names the result.

    The slope is `ts_beta(x, y, window)`. Only bars where both are present count; missing where fewer than
    `min_samples` do (default: `window`, at least 2), and where `y` is constant; `fitted` where `y` is missing, the
    residual where either is, and `rsquared` where `x` is constant.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_regression(fl.close, fl.volume, 3, value="residual")))
    date             A      B  C
    2024-01-02       -      -  -
    2024-01-03       -      -  -
    2024-01-04   0.714  0.667  -
    """


@ts_regression.meaning
def _(x: Array, y: Array, value: str) -> float:
    return _line(x, y, x[-1], y[-1], value)


@ts_regression.polars
def _(x: pl.Expr, y: pl.Expr, window: int, value: str, min_samples: int) -> pl.Expr:
    def line(s: Joint, x: pl.Expr, y: pl.Expr) -> pl.Expr:
        value_of: pl.Expr = line_value(
            VALUES.index(value),
            s.n,
            x,
            s.base_x,
            s.total_x,
            s.scatter_x,
            s.total_y,
            s.scatter_y,
            s.scatter_xy,
            -s.base_y,
            y - s.base_y,
        )
        return value_of

    return of_joint(x, y, window, min_samples, line)


@ts_regression.kernel_from(shared_comoments)
def _(
    x: Array,
    y: Array,
    value: int,
    count: Array,
    base_x: Array,
    base_y: Array,
    total_x: Array,
    total_y: Array,
    scatter_x: Array,
    scatter_y: Array,
    scatter_xy: Array,
    min_samples: int,
    out: Array,
) -> None:
    for i in range(out.size):
        line = line_value(
            value,
            count[i],
            x[i],
            base_x[i],
            total_x[i],
            scatter_x[i],
            total_y[i],
            scatter_y[i],
            scatter_xy[i],
            -base_y[i],
            y[i] - base_y[i],
        )
        out[i] = line if count[i] >= min_samples else np.nan


def line_value(
    value: int,
    n: Any,
    x: Any,
    base: Any,
    total: Any,
    scatter: Any,
    other: Any,
    other_scatter: Any,
    product: Any,
    origin: Any,
    now: Any,
) -> Any:
    """The result `value` of a regression line, from sums around bases; numbers in a kernel, expressions in Polars.

    `other` is the sum of the regressor, `origin` its zero and `now` its current value, each less the base of the
    regressor.
    """
    slope = product / other_scatter
    if value == SLOPE:
        return slope
    if value == INTERCEPT:
        return base + (total + slope * (n * origin - other)) / n
    if value == FITTED:
        return base + (total + slope * (n * now - other)) / n
    if value == RESIDUAL:
        return x - base - (total + slope * (n * now - other)) / n
    return slope * (product / scatter)


def _line(x: Array, y: Array, x_now: float, y_now: float, value: str) -> float:
    """The result `value` of the regression line of one window, exact for whole numbers."""
    a, b = paired(x, y)
    d, e, n = a - a[0], b - b[0], a.size
    scatter_x, scatter = (
        denoised_scatter(n * (v * v).sum() - v.sum() ** 2, n * base) for v, base in ((d, a[0]), (e, b[0]))
    )
    product = denoised_products(n * (d * e).sum() - d.sum() * e.sum(), scatter_x, scatter)
    slope = float(np.divide(product, scatter))

    def above(at: float) -> float:
        """The line at some `y`, less the first value."""
        return float(d.mean() + slope * ((at - b[0]) - e.mean()))

    values = {
        "slope": slope,
        "intercept": a[0] + above(0.0),
        "fitted": a[0] + above(y_now),
        "residual": (x_now - a[0]) - above(y_now),
        "rsquared": slope * float(np.divide(product, scatter_x)),
    }
    return float(values[value])
