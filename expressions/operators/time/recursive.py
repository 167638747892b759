"""Operators that depend on the whole history of a symbol.

Their memory is unbounded: a value needs every older bar, and `lookback` is only the warm-up. The meaning sees the whole
series up to the current bar.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.window import Array, Pair, PairSamples, present, where_enough
from factorloom.expressions.operators.time.shift import ts_last
from factorloom.expressions.parameter import Choice, Count, Real, Samples, Value, Window

__all__ = ["ts_bars_since", "ts_ema", "ts_ewm_std", "ts_fill_forward", "ts_hump"]


STARTS = ("value", "mean")
MEAN = STARTS.index("mean")
EndlessSamples: TypeAlias = Annotated[int | None, Samples(endless=True)]
Start: TypeAlias = Annotated[str, Choice(STARTS)]


class _Limit(Count):
    """A number of bars, or None for no limit, which is stored as 0."""

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        return 0 if value is None else super().check(name, value, others)


def _warm_up(min_samples: int, **_: object) -> int:
    return min_samples - 1


@operator(Axis.TIME, lookback=_warm_up, unbounded=True)
def ts_ema(x: Input, window: Window, *, start: Start = "value", min_samples: EndlessSamples = None) -> Factor:
    """The exponential moving average with smoothing `2 / (window + 1)`: `ema = ema + smoothing * (x - ema)`.

    - `start="value"`: from the first present value (pandas' `ewm(span=window, adjust=False, ignore_na=True)`);
    - `start="mean"`: from the mean of the first `min_samples` values, as TA-Lib's `EMA`.

    A missing value leaves the average unchanged. Missing until `min_samples` values have been seen (default: `window`).
    Memory: unbounded. Wilder's average over `n` values is `ts_ema(x, 2 * n - 1, start="mean", min_samples=n)`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_ema(fl.close, 2)))
    date              A       B      C
    2024-01-02        -       -      -
    2024-01-03   10.667  19.333      -
    2024-01-04   11.556  21.111  6.333
    >>> print(fl.example().show(fl.ts_ema(fl.close, 2, start="mean")))
    date            A       B    C
    2024-01-02      -       -    -
    2024-01-03   10.5    19.5    -
    2024-01-04   11.5  21.167  6.0
    """


@ts_ema.meaning
def _(x: Array, window: int, start: str, min_samples: int) -> float:
    values = present(x)
    seed = min_samples if start == "mean" else 1
    average = values[:seed].mean()
    for value in values[seed:]:
        average += 2 / (window + 1) * (value - average)
    return float(average)


@ts_ema.polars
def _(x: pl.Expr, window: int, start: str, min_samples: int) -> pl.Expr:
    if start == "mean":
        seen, deviation = x.cum_count(), x - x.drop_nulls().first()
        mean = x - deviation + deviation.cum_sum() / seen
        x = pl.when(seen > min_samples).then(x).when((seen == min_samples) & x.is_not_null()).then(mean)
        min_samples = 1
    return x.ewm_mean(alpha=2 / (window + 1), adjust=False, ignore_nulls=True, min_samples=min_samples).forward_fill()


@ts_ema.kernel
def _(x: Array, window: int, start: int, min_samples: int, out: Array) -> None:
    smoothing, average, count = 2 / (window + 1), 0.0, 0
    for i in range(x.size):
        if not np.isnan(x[i]):
            is_start = count < min_samples if start == MEAN else count == 0
            average += (x[i] - average) * (1 / (count + 1) if is_start else smoothing)
            count += 1
        out[i] = average if count >= min_samples else np.nan


@operator(Axis.TIME, lookback=_warm_up, unbounded=True)
def ts_ewm_std(x: Input, window: Pair, *, min_samples: PairSamples = None) -> Factor:
    """The exponentially weighted standard deviation with smoothing `2 / (window + 1)`, for the weights of `ts_ema`.

    Unbiased: `sqrt(sum(w * (x - ema)**2) / (1 - sum(w**2)))` for weights `w` that sum to 1 (pandas'
    `ewm(span=window, adjust=False, ignore_na=True).std()`). A missing value leaves it unchanged. Missing until
    `min_samples` values have been seen (default: `window`, at least 2). Exactly 0 for a constant. Memory: unbounded.

    Source: T. Finch, Incremental calculation of weighted mean and variance, University of Cambridge, 2009.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_ewm_std(fl.close, 2)))
    date             A      B      C
    2024-01-02       -      -      -
    2024-01-03   0.707  0.707      -
    2024-01-04   0.975   1.83  1.414
    """


@ts_ewm_std.meaning
def _(x: Array, window: int) -> float:
    values = present(x) - present(x)[-1]
    smoothing, age = 2 / (window + 1), np.arange(values.size)[::-1]
    weights = (1 - smoothing) ** age * np.where(age == values.size - 1, 1, smoothing)
    mean = (weights * values).sum()
    return float(np.sqrt((weights * (values - mean) ** 2).sum() / (1 - (weights**2).sum())))


@ts_ewm_std.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    smoothing = 2 / (window + 1)
    # The deviation of a value from the average before it, as in the kernel: no level and no old outlier costs digits.
    step = pl.when(x.is_not_null()).then((x - x.forward_fill().shift(1)).fill_null(0.0))
    deviation = _smoothed(step / smoothing, smoothing)
    variance = _smoothed((1 - smoothing) * deviation * deviation, smoothing)
    first = (1 - smoothing) ** (2 * (x.cum_count() - 1))
    left = (1 - first) * (1 - smoothing) / (1 - smoothing / 2)
    return where_enough((variance / left).sqrt(), x.cum_count(), min_samples).forward_fill()


def _smoothed(x: pl.Expr, smoothing: float) -> pl.Expr:
    return x.ewm_mean(alpha=smoothing, adjust=False, ignore_nulls=True)


@ts_ewm_std.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    smoothing = 2 / (window + 1)
    keep, rest = 1 - smoothing, np.empty(x.size)
    # `deviation` is that of a value from the average before it, computed without the average: no level costs digits.
    last = deviation = variance = left = 0.0
    count = 0
    for i in range(x.size):
        if x[i] == x[i]:
            deviation = x[i] - last + keep * deviation if count else 0.0
            variance = keep * (variance + smoothing * deviation * deviation)
            left = keep * (keep * left + 2 * smoothing) if count else 0.0
            last = x[i]
            count += 1
        out[i] = variance if count >= min_samples else np.nan
        rest[i] = left
    for i in range(x.size):
        out[i] = np.sqrt(out[i] / rest[i])


@operator(Axis.TIME, unbounded=True)
def ts_fill_forward(x: Input, *, limit: Annotated[int | None, _Limit(1)] = None) -> Factor:
    """The value, or where it is missing the last present one before it.

    With a `limit` it is carried forward over at most `limit` bars, and memory is bounded: `ts_last(x, limit + 1)`.
    Without one, memory is unbounded.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_fill_forward(fl.where(fl.close > 10, fl.close, fl.missing))))
    date            A     B  C
    2024-01-02      -  20.0  -
    2024-01-03   11.0  19.0  -
    2024-01-04   12.0  22.0  -
    """
    return ts_last(x, limit + 1) if limit else None  # type: ignore[return-value]


@ts_fill_forward.meaning
def _(x: Array) -> float:
    return float(present(x)[-1]) if not np.isnan(x).all() else np.nan


@ts_fill_forward.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.forward_fill()


@ts_fill_forward.kernel
def _(x: Array, out: Array) -> None:
    last = np.nan
    for i in range(x.size):
        last = x[i] if x[i] == x[i] else last
        out[i] = last


@operator(Axis.TIME, unbounded=True)
def ts_bars_since(condition: Input) -> Factor:
    """How many bars ago the condition was last true, that is neither 0 nor missing.

    0 where it is true at the current bar; missing before it was first true. Memory: unbounded.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_bars_since(fl.close < 20)))
    date           A    B    C
    2024-01-02   0.0    -    -
    2024-01-03   0.0  0.0  0.0
    2024-01-04   0.0  1.0  0.0
    """


@ts_bars_since.meaning
def _(condition: Array) -> float:
    true = np.flatnonzero(~np.isnan(condition) & (condition != 0))
    return float(condition.size - 1 - true[-1]) if true.size else np.nan


@ts_bars_since.polars
def _(condition: pl.Expr) -> pl.Expr:
    bar = pl.int_range(pl.len())
    return bar - pl.when(condition != 0).then(bar).forward_fill()


@ts_bars_since.kernel
def _(condition: Array, out: Array) -> None:
    since = np.nan
    for i in range(condition.size):
        since = 0.0 if (condition[i] != 0) & (condition[i] == condition[i]) else since + 1.0
        out[i] = since


@operator(Axis.TIME, unbounded=True)
def ts_hump(x: Input, *, threshold: Annotated[float, Real(above=0)]) -> Factor:
    """The last value kept until `x` differs from it by more than `threshold`, and then `x`.

    It reduces the turnover of a score by ignoring small changes. Missing where `x` is, which does not affect later
    bars. Memory: unbounded. Source: the `hump` of WorldQuant BRAIN, with a threshold in units of `x`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_hump(fl.close, threshold=1)))
    date            A     B    C
    2024-01-02   10.0  20.0    -
    2024-01-03   10.0  20.0  5.0
    2024-01-04   12.0  22.0  7.0
    """


@ts_hump.meaning
def _(x: Array, threshold: float) -> float:
    kept = np.nan
    for value in present(x):
        kept = kept if abs(value - kept) <= threshold else value
    return float(kept) if not np.isnan(x[-1]) else np.nan


@ts_hump.polars
def _(x: pl.Expr, threshold: float) -> pl.Expr:
    return x.map_batches(lambda values: _kept(values, threshold), return_dtype=pl.Float64)


def _kept(values: pl.Series, threshold: float) -> pl.Series:
    """Polars has no expression for a value that depends on the one before it."""
    kept, out = float("nan"), []
    for value in values:
        if value is not None and not abs(value - kept) <= threshold:
            kept = value
        out.append(None if value is None else kept)
    return pl.Series(out, dtype=pl.Float64)


@ts_hump.kernel
def _(x: Array, threshold: float, out: Array) -> None:
    kept = np.nan
    for i in range(x.size):
        if x[i] == x[i]:
            kept = kept if abs(x[i] - kept) <= threshold else x[i]
        out[i] = kept if x[i] == x[i] else np.nan
