"""Oscillators: shares and positions in a range, which are bounded or return to 0."""

from __future__ import annotations

from factorloom.expressions.column import close, high, low, missing, open_, volume
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.ta.overlap import ema, rma, sma
from factorloom.expressions.library.ta.price import avgdev, medprice, typprice
from factorloom.expressions.library.ta.registry import technical
from factorloom.expressions.library.ta.statistic import percentrank
from factorloom.expressions.library.ta.volatility import trange
from factorloom.expressions.operators import (
    is_missing,
    sign,
    ts_delay,
    ts_delta,
    ts_fisher,
    ts_max,
    ts_min,
    ts_pct_change,
    ts_scale,
    ts_streak,
    ts_sum,
    where,
)
from factorloom.expressions.operators.cell.arithmetic import max as larger
from factorloom.expressions.operators.cell.arithmetic import min as smaller

__all__ = [
    "bop",
    "cci",
    "cmo",
    "cmou",
    "crsi",
    "fisher",
    "imi",
    "kdj",
    "mfi",
    "rsi",
    "smi",
    "stoch",
    "stochf",
    "stochrsi",
    "tsi",
    "ultosc",
    "willr",
]


@technical("RSI")
def rsi(x: Factor = close, window: int = 14) -> Factor:
    """Relative strength index: Wilder's average of rises as a share of that of all changes, from 0 to 100.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.

    Note: Missing before the first change; TA-Lib gives 0.
    """
    change = ts_delta(x, 1)
    return 100 * rma(larger(change, 0), window) / rma(abs(change), window)


@technical("CMO")
def cmo(x: Factor = close, window: int = 14) -> Factor:
    """Chande's momentum oscillator with Wilder's averages: changes as a share of absolute changes, from -100 to 100.

    Source: TA-Lib, CMO, after T. Chande and S. Kroll, The New Technical Trader, Wiley, 1994.

    Note: Missing before the first change; TA-Lib gives 0.
    """
    change = ts_delta(x, 1)
    return 100 * rma(change, window) / rma(abs(change), window)


@technical("CMOU")
def cmou(x: Factor = close, window: int = 14) -> Factor:
    """Chande's momentum oscillator: the change over the window as a share of all changes in it, from -100 to 100.

    Source: T. Chande and S. Kroll, The New Technical Trader, Wiley, 1994.

    Note: Missing where nothing changed; TA-Lib gives 0.
    """
    return 100 * ts_delta(x, window) / ts_sum(abs(ts_delta(x, 1)), window)


@technical("CRSI")
def crsi(x: Factor = close, window: int = 3, streak_window: int = 2, rank_window: int = 100) -> Factor:
    """Connors' RSI: the mean of the RSI, the RSI of the streak of rises or falls, and the percent rank of the return.

    Source: L. Connors and C. Alvarez, An Introduction to ConnorsRSI, 2012.
    """
    return (rsi(x, window) + rsi(ts_streak(x), streak_window) + percentrank(ts_pct_change(x, 1), rank_window)) / 3


@technical("FISHER", "FISHER_TRIGGER")
def fisher(high: Factor = high, low: Factor = low, window: int = 9) -> tuple[Factor, Factor]:
    """Fisher's transform of the position of the median price in the range of the window; and its last value.

    Source: J. Ehlers, Using the Fisher transform, Technical Analysis of Stocks & Commodities 20, 2002.

    Note: Bars where the window has no range are skipped.
    """
    line = ts_fisher(ts_scale(medprice(high, low), window))
    return line, ts_delay(line, 1)


@technical("TSI")
def tsi(x: Factor = close, slow: int = 25, fast: int = 13) -> Factor:
    """True strength index: twice smoothed changes as a share of twice smoothed absolute changes, from -100 to 100.

    Source: W. Blau, True strength index, Technical Analysis of Stocks & Commodities 9, 1991.

    Note: Missing before the first change; TA-Lib gives 0.
    """
    change = ts_delta(x, 1)
    signed, absolute = (_twice(change, part, slow, fast) for part in (change, abs(change)))
    return 100 * signed / absolute


@technical("STOCHF_FASTK", "STOCHF_FASTD")
def stochf(
    high: Factor = high, low: Factor = low, close: Factor = close, window: int = 5, signal: int = 3
) -> tuple[Factor, Factor]:
    """Fast stochastics: the position of the close between the low and the high of the window, 0 to 100; and its mean.

    Source: G. Lane, Lane's stochastics, Technical Analysis of Stocks & Commodities 2, 1984.

    Note: Missing where the window has no range; TA-Lib gives 0. The first has a longer history than its mean.
    """
    bottom, top = ts_min(low, window), ts_max(high, window)
    fast = 100 * (close - bottom) / (top - bottom)
    return fast, sma(fast, signal)


@technical("STOCH_SLOWK", "STOCH_SLOWD")
def stoch(
    high: Factor = high, low: Factor = low, close: Factor = close, window: int = 5, slowing: int = 3, signal: int = 3
) -> tuple[Factor, Factor]:
    """Slow stochastics: the mean of the fast ones, from 0 to 100; and its mean.

    Source: G. Lane, Lane's stochastics, Technical Analysis of Stocks & Commodities 2, 1984.

    Note: Missing where a window has no range; TA-Lib gives 0. The first has a longer history than its mean.
    """
    _, slow = stochf(high, low, close, window, slowing)
    return slow, sma(slow, signal)


@technical("STOCHRSI_FASTK", "STOCHRSI_FASTD")
def stochrsi(x: Factor = close, rsi_window: int = 14, window: int = 5, signal: int = 3) -> tuple[Factor, Factor]:
    """Fast stochastics of the relative strength index, from 0 to 100.

    Source: T. Chande and S. Kroll, The New Technical Trader, Wiley, 1994.

    Note: Missing where the index did not change; TA-Lib gives 0. The first has a longer history than its mean.
    """
    fast = 100 * ts_scale(rsi(x, rsi_window), window)
    return fast, sma(fast, signal)


@technical("KDJ_K", "KDJ_D", "KDJ_J")
def kdj(
    high: Factor = high, low: Factor = low, close: Factor = close, window: int = 9, slowing: int = 3, signal: int = 3
) -> tuple[Factor, Factor, Factor]:
    """Stochastics with Wilder's averages: K, its average D, and J, which is `3 * K - 2 * D`.

    Source: TA-Lib, KDJ.

    Note: Bars where the window has no range are skipped; TA-Lib takes them as 0. K has a longer history than D.
    """
    fast, _ = stochf(high, low, close, window)
    k = where(is_missing(fast), missing, rma(fast, slowing))
    d = rma(k, signal)
    return k, d, 3 * k - 2 * d


@technical("SMI", "SMI_SIGNAL")
def smi(
    high: Factor = high,
    low: Factor = low,
    close: Factor = close,
    window: int = 13,
    fast: int = 2,
    slow: int = 25,
    signal: int = 9,
) -> tuple[Factor, Factor]:
    """Stochastic momentum index: the close relative to the middle of the range, -100 to 100; and its average.

    Source: W. Blau, Stochastic momentum, Technical Analysis of Stocks & Commodities 11, 1993.

    Note: Missing while the range is 0; TA-Lib gives 0. The first has a longer history than its average.
    """
    bottom, top = ts_min(low, window), ts_max(high, window)
    distance = close - (top + bottom) / 2
    smoothed, half = (_twice(distance, part, slow, fast) for part in (distance, (top - bottom) / 2))
    line = 100 * smoothed / half
    return line, ema(where(is_missing(distance), missing, line), signal)


@technical("WILLR")
def willr(high: Factor = high, low: Factor = low, close: Factor = close, window: int = 14) -> Factor:
    """Williams' %R: the position of the close between the high and the low of the window, from -100 to 0.

    Source: L. Williams, How I Made One Million Dollars, 1973.

    Note: Missing where the window has no range; TA-Lib gives 0.
    """
    top = ts_max(high, window)
    return 100 * (close - top) / (top - ts_min(low, window))


@technical("CCI")
def cci(high: Factor = high, low: Factor = low, close: Factor = close, window: int = 14) -> Factor:
    """Commodity channel index: the typical price minus its mean, in units of 0.015 of its mean deviation.

    Source: D. Lambert, Commodity channel index, Commodities 9, 1980.

    Note: Missing where the typical price did not change in the window; TA-Lib gives 0.
    """
    price = typprice(high, low, close)
    return (price - sma(price, window)) / (0.015 * avgdev(price, window))


@technical("ULTOSC")
def ultosc(
    high: Factor = high, low: Factor = low, close: Factor = close, short: int = 7, medium: int = 14, long: int = 28
) -> Factor:
    """Ultimate oscillator: buying pressure as a share of the true range in three windows, the shortest weighing most.

    Source: L. Williams, The ultimate oscillator, Technical Analysis of Stocks & Commodities 3, 1985.

    Note: Missing where a window has no true range; TA-Lib gives 0.
    """
    pressure, spread = close - smaller(low, ts_delay(close, 1)), trange(high, low, close)
    first, second, third = (ts_sum(pressure, window) / ts_sum(spread, window) for window in (short, medium, long))
    return 100 / 7 * (4 * first + 2 * second + third)


@technical("MFI")
def mfi(
    high: Factor = high, low: Factor = low, close: Factor = close, volume: Factor = volume, window: int = 14
) -> Factor:
    """Money flow index: the money traded while the typical price rose, as a share of that while it changed, 0 to 100.

    Source: G. Quong and A. Soudack, Volume-weighted RSI: money flow, Technical Analysis of Stocks &
    Commodities 7, 1989.

    Note: Changes by rounding are ignored. Missing where the typical price did not change; TA-Lib gives 0.
    """
    price = typprice(high, low, close)
    way, flow = _direction(price, ts_delay(price, 1)), price * volume
    return 100 * ts_sum(flow * (way > 0), window) / ts_sum(flow * abs(way), window)


@technical("IMI")
def imi(open_: Factor = open_, close: Factor = close, window: int = 14) -> Factor:
    """Intraday momentum index: rises from open to close as a share of all such changes in the window, from 0 to 100.

    Source: T. Chande and S. Kroll, The New Technical Trader, Wiley, 1994.

    Note: Missing where every close equals its open; TA-Lib gives 50.
    """
    move = close - open_
    return 100 * ts_sum(larger(move, 0), window) / ts_sum(abs(move), window)


@technical("BOP")
def bop(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Balance of power: the move from open to close as a share of the bar's range, from -1 to 1.

    Source: I. Livshin, Balance of market power, Technical Analysis of Stocks & Commodities 19, 2001.

    Note: Missing where the bar has no range; TA-Lib gives 0.
    """
    return (close - open_) / (high - low)


def _direction(x: Factor, last: Factor) -> Factor:
    """1 where `x` is above the last value, -1 where it is below, 0 where they differ only by rounding."""
    change = x - last
    return sign(change) * (abs(change) > 1e-13 * (abs(x) + abs(last)))


def _twice(x: Factor, part: Factor, slow: int, fast: int) -> Factor:
    """The average of the average of a part of `x`, which skips the bars where `x` is missing."""
    return ema(where(is_missing(x), missing, ema(part, slow)), fast)
