"""Volatility, in the units of the price or in percent, per bar and not annualised."""

from __future__ import annotations

import math

from factorloom.expressions.column import close, high, low, missing
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.ta.overlap import ema, rma, sma
from factorloom.expressions.library.ta.registry import technical
from factorloom.expressions.library.ta.statistic import stddev
from factorloom.expressions.operators import (
    is_missing,
    log,
    sqrt,
    square,
    ts_delay,
    ts_delta,
    ts_log_return,
    ts_max,
    ts_min,
    ts_pct_change,
    ts_std,
    ts_sum,
    where,
)
from factorloom.expressions.operators.cell.arithmetic import max as larger
from factorloom.expressions.operators.cell.arithmetic import min as smaller

__all__ = ["adr", "atr", "chop", "cvi", "hv", "massi", "natr", "rvi", "trange", "ulcer"]


@technical("TRANGE")
def trange(high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """True range: from the high to the low of the bar and the close before it.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    last = ts_delay(close, 1)
    return larger(high, last) - smaller(low, last)


@technical("ATR")
def atr(high: Factor = high, low: Factor = low, close: Factor = close, window: int = 14) -> Factor:
    """Average true range: Wilder's average of the true range.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    return rma(trange(high, low, close), window)


@technical("NATR")
def natr(high: Factor = high, low: Factor = low, close: Factor = close, window: int = 14) -> Factor:
    """Normalised average true range: in percent of the close.

    Source: J. Forman, Cross-market evaluations with normalized average true range, Technical Analysis of Stocks &
    Commodities 24, 2006.
    """
    return 100 * atr(high, low, close, window) / close


@technical("ADR")
def adr(high: Factor = high, low: Factor = low, window: int = 14) -> Factor:
    """Average daily range: the mean of high minus low.

    Source: TA-Lib, ADR.
    """
    return sma(high - low, window)


@technical("CVI")
def cvi(high: Factor = high, low: Factor = low, window: int = 10, periods: int = 10) -> Factor:
    """Chaikin's volatility: the change, in percent, of the exponential average of high minus low.

    Source: M. Chaikin, in S. Achelis, Technical Analysis from A to Z, 1995.

    Note: Missing where the earlier average is 0; TA-Lib gives 0.
    """
    return 100 * ts_pct_change(ema(high - low, window), periods)


@technical("MASSI")
def massi(high: Factor = high, low: Factor = low, fast: int = 9, slow: int = 25) -> Factor:
    """Mass index: the sum of the average of high minus low divided by its own average, near `slow` in calm markets.

    Source: D. Dorsey, The mass index, Technical Analysis of Stocks & Commodities 10, 1992.

    Note: Missing while the range is 0; TA-Lib takes the ratio as 1.
    """
    spread = high - low
    average = where(is_missing(spread), missing, ema(spread, fast))
    return ts_sum(average / ema(average, fast), slow)


@technical("RVI")
def rvi(x: Factor = close, window: int = 14, deviation_window: int = 10) -> Factor:
    """Relative volatility index: the share of rising bars in Wilder's average of standard deviations, from 0 to 100.

    Source: D. Dorsey, The relative volatility index, Technical Analysis of Stocks & Commodities 11, 1993.

    Note: Missing before the first change of the price; TA-Lib gives 50.
    """
    change, deviation = ts_delta(x, 1), stddev(x, deviation_window)
    rising = rma(deviation * (change > 0), window)
    return 100 * rising / (rising + rma(deviation * (change < 0), window))


@technical("CHOP")
def chop(high: Factor = high, low: Factor = low, close: Factor = close, window: int = 14) -> Factor:
    """Choppiness index: the path of the price relative to its range, 100 for sideways, 0 for a straight line.

    Source: E. W. Dreiss, in Futures magazine, 1993.

    Note: Missing where the window has no range.
    """
    spread = ts_max(high, window) - ts_min(low, window)
    return 100 / math.log(window) * log(ts_sum(trange(high, low, close), window) / spread)


@technical("ULCER")
def ulcer(x: Factor = close, window: int = 14) -> Factor:
    """Ulcer index: the root mean square of the drawdown, in percent, from the highest price of the window.

    Source: P. Martin and B. McCann, The Investor's Guide to Fidelity Funds, Wiley, 1989.
    """
    return sqrt(sma(square(100 * (x / ts_max(x, window) - 1)), window))


@technical("HV")
def hv(x: Factor = close, window: int = 20) -> Factor:
    """Historical volatility: the standard deviation (ddof 1) of logarithmic returns, per bar and not annualised.

    Source: J. Hull, Options, Futures, and Other Derivatives.
    """
    return ts_std(ts_log_return(x, 1), window)
