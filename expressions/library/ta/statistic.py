"""Statistics of the last bars, as charting programs define them."""

from __future__ import annotations

import math

from factorloom.expressions.column import close, high, low
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.ta.registry import technical
from factorloom.expressions.operators import (
    arctan,
    ts_beta,
    ts_corr,
    ts_pct_change,
    ts_quantile,
    ts_share_below,
    ts_std,
    ts_trend,
    ts_var,
)

__all__ = [
    "beta",
    "correl",
    "linearreg",
    "linearreg_angle",
    "linearreg_intercept",
    "linearreg_slope",
    "percentile",
    "percentrank",
    "stddev",
    "tsf",
    "var",
]


@technical("BETA")
def beta(x: Factor = high, y: Factor = low, window: int = 5) -> Factor:
    """Beta: the slope of the changes of `y`, in percent, on those of `x`.

    Source: TA-Lib, BETA.

    Note: Missing where `x` changed by the same percentage on every bar; TA-Lib gives 0.
    """
    return ts_beta(ts_pct_change(y, 1), ts_pct_change(x, 1), window)


@technical("CORREL")
def correl(x: Factor = high, y: Factor = low, window: int = 30) -> Factor:
    """Pearson's correlation of two prices.

    Source: TA-Lib, CORREL.

    Note: Missing where either is constant; TA-Lib gives 0.
    """
    return ts_corr(x, y, window)


@technical("LINEARREG")
def linearreg(x: Factor = close, window: int = 14) -> Factor:
    """Linear regression: the end point of the line through the window, also called the end point moving average.

    Source: TA-Lib, LINEARREG.
    """
    return ts_trend(x, window, value="fitted")


@technical("LINEARREG_ANGLE")
def linearreg_angle(x: Factor = close, window: int = 14) -> Factor:
    """Linear regression angle: the slope of the line through the window, in degrees.

    Source: TA-Lib, LINEARREG_ANGLE.
    """
    return arctan(linearreg_slope(x, window)) * (180 / math.pi)


@technical("LINEARREG_INTERCEPT")
def linearreg_intercept(x: Factor = close, window: int = 14) -> Factor:
    """Linear regression intercept: the start of the line through the window.

    Source: TA-Lib, LINEARREG_INTERCEPT.
    """
    return ts_trend(x, window, value="intercept")


@technical("LINEARREG_SLOPE")
def linearreg_slope(x: Factor = close, window: int = 14) -> Factor:
    """Linear regression slope: the rise of the line through the window per bar.

    Source: TA-Lib, LINEARREG_SLOPE.
    """
    return ts_trend(x, window, value="slope")


@technical("PERCENTILE")
def percentile(x: Factor = close, window: int = 30, percent: float = 50.0) -> Factor:
    """Percentile: the smallest value of the window that `percent` percent of its values do not exceed.

    Source: TA-Lib, PERCENTILE.

    Note: The nearest rank, so always a value of the window; `ts_quantile` interpolates.
    """
    rank = min(max(math.ceil(percent * window / 100), 1), window)
    return ts_quantile(x, window, q=(rank - 1) / max(window - 1, 1))


@technical("PERCENTRANK")
def percentrank(x: Factor = close, window: int = 100) -> Factor:
    """Percent rank: the percentage of the values before the current one that are below it.

    Source: TA-Lib, PERCENTRANK.
    """
    return 100 * ts_share_below(x, window)


@technical("STDDEV")
def stddev(x: Factor = close, window: int = 5, deviations: float = 1.0) -> Factor:
    """Standard deviation of the population (ddof 0), times `deviations`.

    Source: TA-Lib, STDDEV.
    """
    return ts_std(x, window) * (deviations * math.sqrt((window - 1) / window))


@technical("TSF")
def tsf(x: Factor = close, window: int = 14) -> Factor:
    """Time series forecast: the line through the window, one bar ahead.

    Source: TA-Lib, TSF.
    """
    return linearreg(x, window) + linearreg_slope(x, window)


@technical("VAR")
def var(x: Factor = close, window: int = 5) -> Factor:
    """Variance of the population (ddof 0).

    Source: TA-Lib, VAR.
    """
    return ts_var(x, window) * ((window - 1) / window)
