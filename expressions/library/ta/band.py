"""Bands, channels and stops around the price."""

from __future__ import annotations

from factorloom.expressions.column import close, high, low
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.ta.overlap import ema, midprice, sma
from factorloom.expressions.library.ta.price import medprice, typprice
from factorloom.expressions.library.ta.registry import technical
from factorloom.expressions.library.ta.statistic import stddev
from factorloom.expressions.library.ta.volatility import atr
from factorloom.expressions.operators import ts_delay, ts_max, ts_min, ts_sar, ts_trailing_stop, ts_volatility_stop

__all__ = [
    "accbands",
    "atr_stop",
    "bbands",
    "chandelier",
    "donchian",
    "envelope",
    "ichimoku",
    "kc",
    "sar",
    "starc",
    "supertrend",
    "volatility_stop",
]

TYPICAL = typprice()


@technical("DONCHIAN_UPPER", "DONCHIAN_MIDDLE", "DONCHIAN_LOWER")
def donchian(high: Factor = high, low: Factor = low, window: int = 20) -> tuple[Factor, Factor, Factor]:
    """Donchian channel: the highest high, the lowest low, and the middle between them.

    Source: R. Donchian, High finance in copper, Financial Analysts Journal 16, 1960.
    """
    return ts_max(high, window), midprice(high, low, window), ts_min(low, window)


@technical("BBANDS_UPPER", "BBANDS_MIDDLE", "BBANDS_LOWER")
def bbands(x: Factor = close, window: int = 20, deviations: float = 2.0) -> tuple[Factor, Factor, Factor]:
    """Bollinger bands: standard deviations (ddof 0) around the mean.

    Source: J. Bollinger, Bollinger on Bollinger Bands, McGraw-Hill, 2001.
    """
    return _around(sma(x, window), stddev(x, window, deviations))


@technical("ACCBANDS_UPPER", "ACCBANDS_MIDDLE", "ACCBANDS_LOWER")
def accbands(
    high: Factor = high, low: Factor = low, close: Factor = close, window: int = 20
) -> tuple[Factor, Factor, Factor]:
    """Acceleration bands: means of the high and the low, each widened by four times the relative range of the bar.

    Source: P. Headley, Big Trends in Trading, Wiley, 2002.

    Note: Missing where high and low add up to 0; TA-Lib leaves them unchanged.
    """
    width = 4 * (high - low) / (high + low)
    return sma(high * (1 + width), window), sma(close, window), sma(low * (1 - width), window)


@technical("ENVELOPE_UPPER", "ENVELOPE_MIDDLE", "ENVELOPE_LOWER")
def envelope(x: Factor = close, window: int = 20, percent: float = 2.5) -> tuple[Factor, Factor, Factor]:
    """Moving average envelope: `percent` percent around the mean.

    Source: J. Murphy, Technical Analysis of the Financial Markets, 1999.
    """
    middle = sma(x, window)
    return _around(middle, middle * (percent / 100))


@technical("KC_UPPER", "KC_MIDDLE", "KC_LOWER")
def kc(
    x: Factor = TYPICAL,
    high: Factor = high,
    low: Factor = low,
    close: Factor = close,
    window: int = 20,
    atr_window: int = 10,
    deviations: float = 2.0,
) -> tuple[Factor, Factor, Factor]:
    """Keltner channel: average true ranges around an exponential average of the typical price.

    Source: C. Keltner, How to Make Money in Commodities, 1960; with true ranges by L. Raschke.

    Note: Both averages start from the first bars. TA-Lib starts the shorter one later, so that both have their first
    value on the same bar: by default its first range is the mean of the 10 bars up to bar 20, where ours is Wilder's
    average since bar 2. The difference shrinks by a tenth per bar, to less than 1e-9 of the price after 200 bars.
    """
    return _around(ema(x, window), deviations * atr(high, low, close, atr_window))


@technical("STARC_UPPER", "STARC_MIDDLE", "STARC_LOWER")
def starc(
    high: Factor = high,
    low: Factor = low,
    close: Factor = close,
    window: int = 5,
    atr_window: int = 10,
    deviations: float = 2.0,
) -> tuple[Factor, Factor, Factor]:
    """Stoller's average range channel: average true ranges around a simple average.

    Source: M. Stoller, STARC bands, 1980s.
    """
    return _around(sma(close, window), deviations * atr(high, low, close, atr_window))


@technical("ICHIMOKU_TENKAN", "ICHIMOKU_KIJUN", "ICHIMOKU_SENKOU_A", "ICHIMOKU_SENKOU_B")
def ichimoku(
    high: Factor = high, low: Factor = low, tenkan: int = 9, kijun: int = 26, senkou: int = 52
) -> tuple[Factor, Factor, Factor, Factor]:
    """Ichimoku cloud: midprices of three windows, and the two edges of the cloud at this bar.

    Source: G. Hosoda, Ichimoku Kinko Hyo, 1969.

    Note: The cloud is drawn `kijun` bars ahead, so its edges are values of `kijun` bars ago. The chikou span is left
    out.
    """
    quick, slow = midprice(high, low, tenkan), midprice(high, low, kijun)
    return quick, slow, ts_delay((quick + slow) / 2, kijun), ts_delay(midprice(high, low, senkou), kijun)


@technical("CHANDELIER_LONG", "CHANDELIER_SHORT")
def chandelier(
    high: Factor = high, low: Factor = low, close: Factor = close, window: int = 22, deviations: float = 3.0
) -> tuple[Factor, Factor]:
    """Chandelier exits: average true ranges below the highest high, and above the lowest low.

    Source: C. Le Beau, in A. Elder, Come Into My Trading Room, Wiley, 2002.
    """
    distance = deviations * atr(high, low, close, window)
    return ts_max(high, window) - distance, ts_min(low, window) + distance


@technical("SAR")
def sar(high: Factor = high, low: Factor = low, acceleration: float = 0.02, maximum: float = 0.2) -> Factor:
    """Parabolic stop and reverse: a stop that approaches the price faster the longer a trend lasts.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    return ts_sar(high, low, acceleration, maximum)


@technical("SUPERTREND", "SUPERTREND_DIRECTION")
def supertrend(
    high: Factor = high, low: Factor = low, close: Factor = close, window: int = 10, deviations: float = 3.0
) -> tuple[Factor, Factor]:
    """SuperTrend: a trailing stop at average true ranges from the median price; and its direction, 1 or -1.

    Source: O. Seban, Tout le monde mérite d'être riche, 2008.
    """
    upper, _, lower = _around(medprice(high, low), deviations * atr(high, low, close, window))
    return ts_trailing_stop(upper, lower, close), ts_trailing_stop(upper, lower, close, value="direction")


@technical("ATR_STOP", "ATR_STOP_DIRECTION")
def atr_stop(
    high: Factor = high, low: Factor = low, close: Factor = close, window: int = 21, deviations: float = 3.0
) -> tuple[Factor, Factor]:
    """Average true range trailing stop: as SuperTrend, but from the close; and its direction, 1 or -1.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    upper, _, lower = _around(close, deviations * atr(high, low, close, window))
    return ts_trailing_stop(upper, lower, close), ts_trailing_stop(upper, lower, close, value="direction")


@technical("VOLATILITY_STOP")
def volatility_stop(
    high: Factor = high, low: Factor = low, close: Factor = close, window: int = 7, deviations: float = 3.0
) -> Factor:
    """Wilder's volatility system: a stop at average true ranges from the best close of a trend, which reverses it.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.

    Note: Missing until the stop is first crossed, because the trend is not known until then.
    """
    return ts_volatility_stop(close, deviations * atr(high, low, close, window))


def _around(middle: Factor, distance: Factor) -> tuple[Factor, Factor, Factor]:
    return middle + distance, middle, middle - distance
