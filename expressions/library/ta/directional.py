"""Trends: their strength and their direction."""

from __future__ import annotations

from factorloom.expressions.column import close, high, low, missing
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.ta.overlap import rma
from factorloom.expressions.library.ta.registry import technical
from factorloom.expressions.library.ta.volatility import atr, trange
from factorloom.expressions.operators import (
    is_missing,
    ts_argmax,
    ts_argmin,
    ts_cumsum,
    ts_delay,
    ts_delta,
    ts_fill_forward,
    ts_max,
    ts_min,
    ts_sum,
    where,
)
from factorloom.expressions.operators.cell.arithmetic import max as larger
from factorloom.expressions.operators.cell.arithmetic import min as smaller

__all__ = [
    "adx",
    "adxr",
    "aroon",
    "aroonosc",
    "dx",
    "er",
    "fractal",
    "minus_di",
    "minus_dm",
    "plus_di",
    "plus_dm",
    "vhf",
    "vortex",
    "wad",
]


@technical("PLUS_DM")
def plus_dm(high: Factor = high, low: Factor = low, window: int = 14) -> Factor:
    """Plus directional movement: Wilder's sum of rises of the high that are larger than the fall of the low.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.

    Note: The sum starts from `window` movements as in the source; TA-Lib starts one bar earlier from one less, so that
    both agree after 300 bars.
    """
    rise, fall = _moves(high, low)
    return window * rma(where(rise > fall, larger(rise, 0), 0), window)


@technical("MINUS_DM")
def minus_dm(high: Factor = high, low: Factor = low, window: int = 14) -> Factor:
    """Minus directional movement: Wilder's sum of falls of the low that are larger than the rise of the high.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.

    Note: Agrees with TA-Lib after 300 bars, as PLUS_DM.
    """
    rise, fall = _moves(high, low)
    return window * rma(where(fall > rise, larger(fall, 0), 0), window)


@technical("PLUS_DI")
def plus_di(high: Factor = high, low: Factor = low, close: Factor = close, window: int = 14) -> Factor:
    """Plus directional indicator: the plus directional movement in percent of the true range.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.

    Note: Agrees with TA-Lib after 300 bars, as PLUS_DM. Missing while the true range is 0; TA-Lib gives 0.
    """
    return 100 * plus_dm(high, low, window) / (window * atr(high, low, close, window))


@technical("MINUS_DI")
def minus_di(high: Factor = high, low: Factor = low, close: Factor = close, window: int = 14) -> Factor:
    """Minus directional indicator: the minus directional movement in percent of the true range.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.

    Note: Agrees with TA-Lib after 300 bars, as PLUS_DM. Missing while the true range is 0; TA-Lib gives 0.
    """
    return 100 * minus_dm(high, low, window) / (window * atr(high, low, close, window))


@technical("DX")
def dx(high: Factor = high, low: Factor = low, window: int = 14) -> Factor:
    """Directional movement index: the difference of plus and minus movements as a share of both, from 0 to 100.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.

    Note: The true range of both indicators cancels. Agrees with TA-Lib after 300 bars, as PLUS_DM. Missing before the
    first movement; TA-Lib gives 0.
    """
    plus, minus = plus_dm(high, low, window), minus_dm(high, low, window)
    return 100 * abs(plus - minus) / (plus + minus)


@technical("ADX")
def adx(high: Factor = high, low: Factor = low, window: int = 14) -> Factor:
    """Average directional index: Wilder's average of the directional movement index.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.

    Note: Agrees with TA-Lib after 300 bars, as PLUS_DM. Bars before the first movement are skipped.
    """
    return rma(where(is_missing(high - low), missing, dx(high, low, window)), window)


@technical("ADXR")
def adxr(high: Factor = high, low: Factor = low, window: int = 14) -> Factor:
    """Average directional index rating: the mean of the index now and `window - 1` bars ago.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.

    Note: Agrees with TA-Lib after 300 bars, as PLUS_DM.
    """
    index = adx(high, low, window)
    return (index + ts_delay(index, window - 1)) / 2


@technical("AROON_DOWN", "AROON_UP")
def aroon(high: Factor = high, low: Factor = low, window: int = 14) -> tuple[Factor, Factor]:
    """Aroon: the age of the lowest low, and of the highest high, of `window + 1` bars, from 100 (now) to 0.

    Source: T. Chande, A time price oscillator, Technical Analysis of Stocks & Commodities 13, 1995.
    """
    down, up = ts_argmin(low, window + 1, ties="newest"), ts_argmax(high, window + 1, ties="newest")
    return 100 * (1 - down / window), 100 * (1 - up / window)


@technical("AROONOSC")
def aroonosc(high: Factor = high, low: Factor = low, window: int = 14) -> Factor:
    """Aroon oscillator: Aroon up minus Aroon down.

    Source: T. Chande, A time price oscillator, Technical Analysis of Stocks & Commodities 13, 1995.
    """
    down, up = aroon(high, low, window)
    return up - down


@technical("VORTEX_PLUS", "VORTEX_MINUS")
def vortex(high: Factor = high, low: Factor = low, close: Factor = close, window: int = 14) -> tuple[Factor, Factor]:
    """Vortex indicator: the distance from the last low to the high, and from the last high to the low, per true range.

    Source: E. Botes and D. Siepman, The vortex indicator, Technical Analysis of Stocks & Commodities 28, 2010.

    Note: Missing where the window has no true range; TA-Lib gives 0.
    """
    spread = ts_sum(trange(high, low, close), window)
    up, down = abs(high - ts_delay(low, 1)), abs(low - ts_delay(high, 1))
    return ts_sum(up, window) / spread, ts_sum(down, window) / spread


@technical("ER")
def er(x: Factor = close, window: int = 10) -> Factor:
    """Efficiency ratio: the absolute change over the window as a share of all changes in it, from 0 to 1.

    Source: P. Kaufman, Trading Systems and Methods, Wiley, 1998.

    Note: Missing where nothing changed; TA-Lib gives 1.
    """
    return abs(ts_delta(x, window)) / ts_sum(abs(ts_delta(x, 1)), window)


@technical("VHF")
def vhf(x: Factor = close, window: int = 28) -> Factor:
    """Vertical horizontal filter: the range of the window as a share of all changes in it.

    Source: A. White, The vertical horizontal filter, Futures 20, 1991.

    Note: Missing where nothing changed; TA-Lib gives 0.
    """
    return (ts_max(x, window) - ts_min(x, window)) / ts_sum(abs(ts_delta(x, 1)), window)


@technical("WAD")
def wad(high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Williams' accumulation/distribution: the sum of rises from the true low and falls from the true high.

    Source: L. Williams, How I Made One Million Dollars, 1973.

    Note: It starts with 0 on the first bar. A missing bar is skipped.
    """
    last = ts_delay(ts_fill_forward(close), 1)
    rise, fall = close - smaller(low, last), close - larger(high, last)
    step = where(close > last, rise, where(close < last, fall, 0))
    return ts_cumsum(where(is_missing(last), 0 * close, step))


@technical("FRACTAL_HIGH", "FRACTAL_LOW")
def fractal(high: Factor = high, low: Factor = low, left: int = 2, right: int = 2) -> tuple[Factor, Factor]:
    """Williams' fractals: 1 where the bar `right` bars ago is higher, or lower, than the bars on both sides of it.

    Source: B. Williams, Trading Chaos, Wiley, 1995.

    Note: Given on the bar that confirms it, not on the fractal itself, so without look-ahead; TA-Lib gives 100 for 1.
    """
    return _is_peak(high, left, right), _is_peak(-low, left, right)


def _moves(high: Factor, low: Factor) -> tuple[Factor, Factor]:
    """The rise of the high, and the fall of the low."""
    return ts_delta(high, 1), -ts_delta(low, 1)


def _is_peak(x: Factor, left: int, right: int) -> Factor:
    middle = ts_delay(x, right)
    return middle > larger(ts_max(x, right), ts_delay(ts_max(x, left), right + 1))
