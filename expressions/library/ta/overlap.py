"""Moving averages; bands and stops are in `band.py`.

An average of averages skips missing bars, as the first one does.
"""

from __future__ import annotations

import math

from factorloom.expressions.column import close, high, low, missing, volume
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.ta.price import medprice
from factorloom.expressions.library.ta.registry import technical
from factorloom.expressions.operators import (
    is_missing,
    ts_decay_linear,
    ts_delay,
    ts_ema,
    ts_kama,
    ts_max,
    ts_mcginley,
    ts_mean,
    ts_min,
    ts_wma,
    where,
)

__all__ = [
    "alligator",
    "alma",
    "dema",
    "ema",
    "hma",
    "kama",
    "mcginley",
    "midpoint",
    "midprice",
    "rma",
    "sma",
    "t3",
    "tema",
    "trima",
    "vwma",
    "wma",
    "zlema",
]

MEDIAN = medprice()


@technical("SMA")
def sma(x: Factor = close, window: int = 30) -> Factor:
    """Simple moving average: the mean of the window.

    Source: TA-Lib, SMA.
    """
    return ts_mean(x, window)


@technical("EMA")
def ema(x: Factor = close, window: int = 30) -> Factor:
    """Exponential moving average with smoothing `2 / (window + 1)`, from the mean of the first window on.

    Source: TA-Lib, EMA.
    """
    return ts_ema(x, window, start="mean")


@technical("RMA")
def rma(x: Factor = close, window: int = 30) -> Factor:
    """Wilder's moving average, also called smoothed: exponential with smoothing `1 / window`.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    return ts_ema(x, 2 * window - 1, start="mean", min_samples=window)


@technical("WMA")
def wma(x: Factor = close, window: int = 30) -> Factor:
    """Weighted moving average: the newest value weighs `window`, the oldest 1.

    Source: TA-Lib, WMA.
    """
    return ts_decay_linear(x, window)


@technical("VWMA")
def vwma(x: Factor = close, volume: Factor = volume, window: int = 30) -> Factor:
    """Volume-weighted moving average.

    Source: TA-Lib, VWMA.

    Note: Missing where the whole window has no volume.
    """
    return ts_wma(x, volume, window)


@technical("TRIMA")
def trima(x: Factor = close, window: int = 30) -> Factor:
    """Triangular moving average: the mean of means, so that the middle of the window weighs most.

    Source: TA-Lib, TRIMA.
    """
    return ts_mean(ts_mean(x, (window + 1) // 2), window // 2 + 1)


def _averages(x: Factor, window: int, count: int) -> list[Factor]:
    """The exponential average, the average of that, and so on."""
    averages = [x]
    for _ in range(count):
        averages.append(where(is_missing(x), missing, ema(averages[-1], window)))
    return averages[1:]


@technical("DEMA")
def dema(x: Factor = close, window: int = 30) -> Factor:
    """Double exponential moving average: the average plus its difference from its own average.

    Source: P. Mulloy, Smoothing data with faster moving averages, Technical Analysis of Stocks & Commodities 12, 1994.
    """
    first, second = _averages(x, window, 2)
    return 2 * first - second


@technical("TEMA")
def tema(x: Factor = close, window: int = 30) -> Factor:
    """Triple exponential moving average.

    Source: P. Mulloy, Smoothing data with faster moving averages, Technical Analysis of Stocks & Commodities 12, 1994.
    """
    first, second, third = _averages(x, window, 3)
    return 3 * first - 3 * second + third


@technical("T3")
def t3(x: Factor = close, window: int = 5, factor: float = 0.7) -> Factor:
    """Tillson's T3: `DEMA` applied three times, with `factor` between the plain average (0) and `DEMA` (1).

    Source: T. Tillson, Better moving averages, Technical Analysis of Stocks & Commodities 16, 1998.
    """
    square, cube = factor**2, factor**3
    third, fourth, fifth, sixth = _averages(x, window, 6)[2:]
    return (
        (1 + 3 * factor + 3 * square + cube) * third
        - (3 * factor + 6 * square + 3 * cube) * fourth
        + (3 * square + 3 * cube) * fifth
        - cube * sixth
    )


@technical("ZLEMA")
def zlema(x: Factor = close, window: int = 30) -> Factor:
    """Zero lag exponential moving average: that of `x` plus its change over half a window.

    Source: J. Ehlers and R. Way, Zero lag (well, almost), Technical Analysis of Stocks & Commodities 28, 2010.
    """
    return ema(2 * x - ts_delay(x, (window - 1) // 2), window) if window > 2 else ema(x, window)


@technical("HMA")
def hma(x: Factor = close, window: int = 20) -> Factor:
    """Hull moving average: the average of twice the weighted average of half a window minus that of the window.

    Source: A. Hull, How to reduce lag in a moving average, 2005.
    """
    return wma(2 * wma(x, window // 2) - wma(x, window), math.isqrt(window))


@technical("KAMA")
def kama(x: Factor = close, window: int = 30, fast: int = 2, slow: int = 30) -> Factor:
    """Kaufman's adaptive moving average: fast while the price trends, slow while it moves sideways.

    Source: P. Kaufman, Trading Systems and Methods, Wiley, 1998.
    """
    return ts_kama(x, window, fast, slow)


@technical("ALMA")
def alma(x: Factor = close, window: int = 9, offset: float = 0.85, sigma: float = 6.0) -> Factor:
    """Arnaud Legoux moving average: Gaussian weights around a point of the window, 0 the oldest bar and 1 the newest.

    Source: A. Legoux and D. Kouzis-Loukas, Arnaud Legoux moving average, 2009.
    """
    middle, width = offset * (window - 1), window / sigma
    weights = [math.exp(-((window - 1 - ago - middle) ** 2) / (2 * width**2)) for ago in range(window)]
    total = math.fsum(weights)  # the same in every Python: from 3.12 on, sum() rounds in another way
    average = x * (weights[0] / total)
    for ago in range(1, window):
        average = average + ts_delay(x, ago) * (weights[ago] / total)
    return average


@technical("MCGINLEY")
def mcginley(x: Factor = close, window: int = 10, k: float = 0.6) -> Factor:
    """McGinley dynamic: an average that follows faster downwards than upwards.

    Source: J. R. McGinley, The McGinley dynamic, Journal of Technical Analysis 48, 1997.

    Note: It never overshoots the price, as the formula would after a fall to 59 percent of the average.
    """
    return ts_mcginley(x, window, k)


@technical("MIDPOINT")
def midpoint(x: Factor = close, window: int = 14) -> Factor:
    """Midpoint: the middle between the highest and the lowest value of the window.

    Source: TA-Lib, MIDPOINT.
    """
    return (ts_max(x, window) + ts_min(x, window)) / 2


@technical("MIDPRICE")
def midprice(high: Factor = high, low: Factor = low, window: int = 14) -> Factor:
    """Midprice: the middle between the highest high and the lowest low of the window.

    Source: TA-Lib, MIDPRICE.
    """
    return (ts_max(high, window) + ts_min(low, window)) / 2


@technical("ALLIGATOR_JAW", "ALLIGATOR_TEETH", "ALLIGATOR_LIPS")
def alligator(x: Factor = MEDIAN, jaw: int = 13, teeth: int = 8, lips: int = 5) -> tuple[Factor, Factor, Factor]:
    """Williams' alligator: Wilder's averages of the median price, shifted into the future.

    Source: B. Williams, Trading Chaos, Wiley, 1995.

    Note: The values that charts show at a bar, which are the averages of 8, 5 and 3 bars before.
    """
    return ts_delay(rma(x, jaw), 8), ts_delay(rma(x, teeth), 5), ts_delay(rma(x, lips), 3)
