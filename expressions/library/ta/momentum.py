"""Momentum: changes of the price, and differences of averages."""

from __future__ import annotations

from factorloom.expressions.column import close, high, low, missing, open_
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.ta.overlap import ema, sma, wma
from factorloom.expressions.library.ta.price import medprice
from factorloom.expressions.library.ta.registry import technical
from factorloom.expressions.library.ta.statistic import tsf
from factorloom.expressions.operators import is_missing, ts_delay, ts_delta, ts_ema, ts_pct_change, where

__all__ = [
    "ac",
    "ao",
    "apo",
    "coppock",
    "dpo",
    "eri",
    "fosc",
    "macd",
    "mom",
    "pmo",
    "ppo",
    "qstick",
    "roc",
    "rocp",
    "rocr",
    "rocr100",
    "trix",
]


@technical("MOM")
def mom(x: Factor = close, window: int = 10) -> Factor:
    """Momentum: the change over `window` bars.

    Source: TA-Lib, MOM.
    """
    return ts_delta(x, window)


@technical("ROC")
def roc(x: Factor = close, window: int = 10) -> Factor:
    """Rate of change: the relative change over `window` bars, in percent.

    Source: TA-Lib, ROC.
    """
    return 100 * ts_pct_change(x, window)


@technical("ROCP")
def rocp(x: Factor = close, window: int = 10) -> Factor:
    """Rate of change: the relative change over `window` bars.

    Source: TA-Lib, ROCP.
    """
    return ts_pct_change(x, window)


@technical("ROCR")
def rocr(x: Factor = close, window: int = 10) -> Factor:
    """Rate of change ratio: the value divided by that of `window` bars ago.

    Source: TA-Lib, ROCR.
    """
    return x / ts_delay(x, window)


@technical("ROCR100")
def rocr100(x: Factor = close, window: int = 10) -> Factor:
    """Rate of change ratio in percent: 100 where nothing changed over `window` bars.

    Source: TA-Lib, ROCR100.
    """
    return 100 * rocr(x, window)


@technical("COPPOCK")
def coppock(x: Factor = close, window: int = 10, fast: int = 11, slow: int = 14) -> Factor:
    """Coppock curve: the weighted average of the sum of two rates of change.

    Source: E. Coppock, in Barron's, 1962, where bars are months.
    """
    return wma(roc(x, fast) + roc(x, slow), window)


@technical("DPO")
def dpo(x: Factor = close, window: int = 20) -> Factor:
    """Detrended price oscillator: the price of half a window ago minus the mean of the window.

    Source: S. Achelis, Technical Analysis from A to Z, 1995.

    Note: The older price is compared with the current mean, so there is no look-ahead; charts shift it back.
    """
    return ts_delay(x, window // 2 + 1) - sma(x, window)


@technical("AO")
def ao(high: Factor = high, low: Factor = low, fast: int = 5, slow: int = 34) -> Factor:
    """Awesome oscillator: a fast minus a slow mean of the median price.

    Source: B. Williams, New Trading Dimensions, Wiley, 1998.
    """
    middle = medprice(high, low)
    return sma(middle, fast) - sma(middle, slow)


@technical("AC")
def ac(high: Factor = high, low: Factor = low, fast: int = 5, slow: int = 34, signal: int = 5) -> Factor:
    """Accelerator oscillator: the awesome oscillator minus its own mean.

    Source: B. Williams, New Trading Dimensions, Wiley, 1998.
    """
    line = ao(high, low, fast, slow)
    return line - sma(line, signal)


@technical("APO")
def apo(x: Factor = close, fast: int = 12, slow: int = 26) -> Factor:
    """Absolute price oscillator: a fast minus a slow exponential average.

    Source: TA-Lib, APO.
    """
    return ema(x, fast) - ema(x, slow)


@technical("PPO")
def ppo(x: Factor = close, fast: int = 12, slow: int = 26) -> Factor:
    """Percentage price oscillator: a fast exponential average relative to a slow one, in percent.

    Source: TA-Lib, PPO.
    """
    return 100 * (ema(x, fast) / ema(x, slow) - 1)


@technical("PMO", "PMO_SIGNAL")
def pmo(x: Factor = close, slow: int = 35, fast: int = 20, signal: int = 10) -> tuple[Factor, Factor]:
    """Price momentum oscillator: the rate of change of a bar, averaged twice, in tenths of a percent; and its average.

    Source: C. Swenlin, The DecisionPoint price momentum oscillator.

    Note: Its two averages have a smoothing of 2 / window, where an exponential average has 2 / (window + 1).
    """
    first = ts_ema(roc(x, 1), slow - 1, start="mean", min_samples=slow)
    line = ts_ema(_again(x, 10 * first, 1), fast - 1, start="mean", min_samples=fast)
    return line, ema(line, signal)


@technical("MACD", "MACD_SIGNAL", "MACD_HIST")
def macd(x: Factor = close, fast: int = 12, slow: int = 26, signal: int = 9) -> tuple[Factor, Factor, Factor]:
    """Moving average convergence/divergence: a fast minus a slow exponential average; its average; their difference.

    Source: G. Appel, The Moving Average Convergence-Divergence Method, 1979.

    Note: The fast average starts from the first values; TA-Lib starts it where the slow one does, so that both agree
    after 150 bars. The line has a longer history than its average.
    """
    return _lines(x, apo(x, fast, slow), signal)


@technical("TRIX")
def trix(x: Factor = close, window: int = 30) -> Factor:
    """TRIX: the change, in percent, of a triple exponential average.

    Source: J. Hutson, Good TRIX, Technical Analysis of Stocks & Commodities 1, 1983.
    """
    return roc(_again(x, _again(x, ema(x, window), window), window), 1)


@technical("QSTICK")
def qstick(open_: Factor = open_, close: Factor = close, window: int = 10) -> Factor:
    """Qstick: the mean move from open to close.

    Source: T. Chande and S. Kroll, The New Technical Trader, Wiley, 1994.
    """
    return sma(close - open_, window)


@technical("ERI_BULL", "ERI_BEAR")
def eri(high: Factor = high, low: Factor = low, close: Factor = close, window: int = 13) -> tuple[Factor, Factor]:
    """Elder's ray: the high, and the low, minus the exponential average of the close.

    Source: A. Elder, Trading for a Living, Wiley, 1993.
    """
    average = ema(close, window)
    return high - average, low - average


@technical("FOSC")
def fosc(x: Factor = close, window: int = 5) -> Factor:
    """Forecast oscillator: the price minus its forecast from the window before, in percent of the price.

    Source: T. Chande and S. Kroll, The New Technical Trader, Wiley, 1994.
    """
    return 100 * (x - ts_delay(tsf(x, window), 1)) / x


def _again(x: Factor, average: Factor, window: int) -> Factor:
    """The average of an average of `x`, which skips the bars where `x` is missing."""
    return ema(where(is_missing(x), missing, average), window)


def _lines(x: Factor, line: Factor, signal: int) -> tuple[Factor, Factor, Factor]:
    average = _again(x, line, signal)
    return line, average, line - average
