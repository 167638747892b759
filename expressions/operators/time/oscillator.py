"""The parts of oscillators that depend on the whole history; each is an indicator.

A bar on which an input is missing is skipped. Memory is unbounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from factorloom.expressions.indicator import builtin
from factorloom.expressions.operators.loop.window import Array

__all__ = ["ts_volume_force"]


@builtin(unbounded=True, lookback=lambda **_: 1)
def ts_volume_force(high: Array, low: Array, close: Array, volume: Array, out: Any = None) -> None:
    """Klinger's volume force: `100 * volume * abs(2 * range / swing - 1)`, with the sign of the trend.

    The trend is the direction of the last change of the typical price, and `swing` is the sum of ranges since the bar
    before the trend began. Missing until the typical price has changed, and where the swing is 0. Some sources have
    `abs(2 * (range / swing - 1))` instead.

    Source: S. Klinger, Identifying trends with volume analysis, Technical Analysis of Stocks & Commodities 15, 1997.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_volume_force(fl.high, fl.low, fl.close, fl.volume)))
    date                A          B       C
    2024-01-02          -          -       -
    2024-01-03     2400.0  -2333.333       -
    2024-01-04   3857.143   3666.667  3600.0
    """
    trend, swing, last, last_range = 0.0, 0.0, np.nan, 0.0
    for i in range(close.size):
        out[i] = np.nan
        total, spread = high[i] + low[i] + close[i], high[i] - low[i]
        if np.isnan(total) or np.isnan(volume[i]):
            continue
        # Sums of three prices that differ only by rounding are equal.
        if abs(total - last) > 1e-13 * (abs(total) + abs(last)):
            way = 1.0 if total > last else -1.0
            swing = swing if way == trend else last_range
            trend = way
        swing += spread
        if trend != 0 and swing > 0:
            out[i] = 100 * volume[i] * abs(2 * spread / swing - 1) * trend
        last, last_range = total, spread
