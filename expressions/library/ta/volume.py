"""Prices weighted by volume: money flows, and sums of volume with the sign of the price change.

Sums over the whole history start with the first bar of the symbol in the panel. A missing bar is skipped: the next one
is compared with the last present one.
"""

from __future__ import annotations

from factorloom.expressions.column import close, high, low, missing, volume
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.ta.momentum import ppo
from factorloom.expressions.library.ta.overlap import ema, sma
from factorloom.expressions.library.ta.price import typprice
from factorloom.expressions.library.ta.registry import technical
from factorloom.expressions.operators import (
    fill,
    is_missing,
    sign,
    ts_cumprod,
    ts_cumsum,
    ts_delay,
    ts_delta,
    ts_ema,
    ts_fill_forward,
    ts_sum,
    ts_volume_force,
    where,
)

__all__ = ["ad", "adosc", "cmf", "efi", "kvo", "marketfi", "nvi", "obv", "pvi", "pvo", "pvt", "rvol", "vwap"]


@technical("AD")
def ad(high: Factor = high, low: Factor = low, close: Factor = close, volume: Factor = volume) -> Factor:
    """Chaikin's accumulation/distribution line: the sum of volume times the position of the close in the range.

    Source: M. Chaikin, in S. Achelis, Technical Analysis from A to Z, 1995.

    Note: A bar without range adds nothing.
    """
    return ts_cumsum(_money_flow(high, low, close, volume))


@technical("ADOSC")
def adosc(
    high: Factor = high,
    low: Factor = low,
    close: Factor = close,
    volume: Factor = volume,
    fast: int = 3,
    slow: int = 10,
) -> Factor:
    """Chaikin's oscillator: a fast minus a slow average of the accumulation/distribution line.

    Note: Both averages start from the first value of the line.

    Source: M. Chaikin, in S. Achelis, Technical Analysis from A to Z, 1995.
    """
    line = ad(high, low, close, volume)
    return ts_ema(line, fast) - ts_ema(line, slow)


@technical("CMF")
def cmf(
    high: Factor = high, low: Factor = low, close: Factor = close, volume: Factor = volume, window: int = 20
) -> Factor:
    """Chaikin's money flow: volume times the position of the close in the range, as a share of the volume, -1 to 1.

    Source: M. Chaikin, in S. Achelis, Technical Analysis from A to Z, 1995.

    Note: A bar without range adds nothing. Missing without volume; TA-Lib gives 0.
    """
    return ts_sum(_money_flow(high, low, close, volume), window) / ts_sum(volume, window)


@technical("EFI")
def efi(close: Factor = close, volume: Factor = volume, window: int = 13) -> Factor:
    """Elder's force index: the exponential average of change times volume.

    Source: A. Elder, Trading for a Living, Wiley, 1993.
    """
    return ema(ts_delta(close, 1) * volume, window)


@technical("MARKETFI")
def marketfi(high: Factor = high, low: Factor = low, volume: Factor = volume) -> Factor:
    """Market facilitation index: the range of the bar per unit of volume.

    Source: B. Williams, Trading Chaos, Wiley, 1995.

    Note: Missing without volume; TA-Lib gives 0.
    """
    return (high - low) / volume


@technical("NVI")
def nvi(close: Factor = close, volume: Factor = volume) -> Factor:
    """Negative volume index: 1000 compounded by the returns of bars with less volume than the bar before.

    Source: N. Fosback, Stock Market Logic, 1976.
    """
    return 1000 * ts_cumprod(_growth(close, volume < _last(volume)))


@technical("PVI")
def pvi(close: Factor = close, volume: Factor = volume) -> Factor:
    """Positive volume index: 1000 compounded by the returns of bars with more volume than the bar before.

    Source: N. Fosback, Stock Market Logic, 1976.
    """
    return 1000 * ts_cumprod(_growth(close, volume > _last(volume)))


@technical("OBV")
def obv(close: Factor = close, volume: Factor = volume) -> Factor:
    """On-balance volume: volume added where the price rose, and subtracted where it fell.

    Source: J. Granville, Granville's New Key to Stock Market Profits, 1963.

    Note: It starts with the first volume, as in TA-Lib.
    """
    last = _last(close)
    return ts_cumsum(where(is_missing(last), volume, volume * sign(close - last)))


@technical("PVT")
def pvt(close: Factor = close, volume: Factor = volume) -> Factor:
    """Price-volume trend: the sum of volume times return, from 0 on the first bar.

    Source: S. Achelis, Technical Analysis from A to Z, 1995.
    """
    return ts_cumsum(volume * (_since_last(close) - 1))


@technical("PVO")
def pvo(volume: Factor = volume, fast: int = 12, slow: int = 26) -> Factor:
    """Percentage volume oscillator: a fast average of the volume relative to a slow one, in percent.

    Source: TA-Lib, PVO.
    """
    return ppo(volume, fast, slow)


@technical("RVOL")
def rvol(volume: Factor = volume, window: int = 20) -> Factor:
    """Relative volume: the volume divided by the mean of the `window` volumes before.

    Source: TA-Lib, RVOL.
    """
    return volume / ts_delay(sma(volume, window), 1)


@technical("VWAP")
def vwap(high: Factor = high, low: Factor = low, close: Factor = close, volume: Factor = volume) -> Factor:
    """Volume-weighted average price since the first bar of the symbol, of typical prices.

    Source: TA-Lib, VWAP.

    Note: Missing until there is volume. The average within one bar is the column `vwap`.
    """
    traded = typprice(high, low, close) * volume
    return ts_cumsum(traded) / ts_cumsum(where(is_missing(traded), missing, volume))


@technical("KVO", "KVO_SIGNAL")
def kvo(
    high: Factor = high,
    low: Factor = low,
    close: Factor = close,
    volume: Factor = volume,
    fast: int = 34,
    slow: int = 55,
    signal: int = 13,
) -> tuple[Factor, Factor]:
    """Klinger's volume oscillator: a fast minus a slow average of the volume force; and its average.

    Source: S. Klinger, Identifying trends with volume analysis, Technical Analysis of Stocks & Commodities 15, 1997.

    Note: Sources disagree on the force; see `ts_volume_force`.
    """
    force = ts_volume_force(high, low, close, volume)
    line = ema(force, fast) - ema(force, slow)
    return line, ema(where(is_missing(force), missing, line), signal)


def _last(x: Factor) -> Factor:
    """The last value before this bar."""
    return ts_delay(ts_fill_forward(x), 1)


def _since_last(x: Factor) -> Factor:
    """The value divided by the last one before: 1 on the first bar."""
    return x / fill(_last(x), x)


def _growth(close: Factor, counts: Factor) -> Factor:
    """The growth of the price on bars where `counts` is true, 1 on others."""
    return where(is_missing(close), missing, where(fill(counts, 0), _since_last(close), 1))


def _money_flow(high: Factor, low: Factor, close: Factor, volume: Factor) -> Factor:
    """Volume times the position of the close in the range: -1 at the low, 1 at the high."""
    return where(high > low, (2 * close - high - low) / (high - low), 0) * volume
