"""Prices computed from the other prices of a bar."""

from __future__ import annotations

from factorloom.expressions.column import close, high, low, missing, open_
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.ta.registry import technical
from factorloom.expressions.operators import (
    fill,
    is_missing,
    max_of,
    min_of,
    ts_delay,
    ts_ema,
    ts_fill_forward,
    ts_mad,
    where,
)

__all__ = ["avgdev", "avgprice", "ha", "medprice", "typprice", "wclprice"]


@technical("AVGPRICE")
def avgprice(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Average price: the mean of open, high, low and close.

    Source: TA-Lib, AVGPRICE.
    """
    return (open_ + high + low + close) / 4


@technical("MEDPRICE")
def medprice(high: Factor = high, low: Factor = low) -> Factor:
    """Median price: the middle between high and low.

    Source: TA-Lib, MEDPRICE.
    """
    return (high + low) / 2


@technical("TYPPRICE")
def typprice(high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Typical price: the mean of high, low and close.

    Source: TA-Lib, TYPPRICE.
    """
    return (high + low + close) / 3


@technical("WCLPRICE")
def wclprice(high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Weighted close: the mean of high, low and twice the close.

    Source: TA-Lib, WCLPRICE.
    """
    return (high + low + 2 * close) / 4


@technical("AVGDEV")
def avgdev(x: Factor = close, window: int = 14) -> Factor:
    """Average deviation: the mean distance of the values of a window from their mean.

    Source: TA-Lib, AVGDEV.
    """
    return ts_mad(x, window, around="mean")


@technical("HA_OPEN", "HA_HIGH", "HA_LOW", "HA_CLOSE")
def ha(
    open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close
) -> tuple[Factor, Factor, Factor, Factor]:
    """Heikin-Ashi bars: the close is the mean of the bar, the open the middle of the last Heikin-Ashi bar.

    Source: D. Valcu, Using the Heikin-Ashi technique, Technical Analysis of Stocks & Commodities 22, 2004.

    Note: The first open is the middle between open and close, as in TA-Lib. The mean of the last open and the last
    close is an exponential average of closes with smoothing 1/2. A missing bar is skipped.
    """
    ha_close = avgprice(open_, high, low, close)
    first = (open_ + close) / 2
    last_close = fill(ts_delay(ts_fill_forward(ha_close), 1), first)
    is_out = is_missing(ha_close)
    ha_open = where(is_out, missing, ts_ema(where(is_out, missing, last_close), 3, min_samples=1))
    tops, bottoms = max_of(high, ha_open, ha_close), min_of(low, ha_open, ha_close)
    return ha_open, where(is_out, missing, tops), where(is_out, missing, bottoms), ha_close
