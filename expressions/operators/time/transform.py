"""Transforms that depend on the whole history of a symbol; each is an indicator.

A bar on which the input is missing has no value and is skipped. Memory is unbounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from factorloom.expressions.indicator import builtin
from factorloom.expressions.operators.loop.window import Array

__all__ = ["ts_fisher", "ts_streak"]


@builtin(unbounded=True)
def ts_fisher(x: Array, out: Any = None) -> None:
    """Fisher's transform of a position in a range, smoothed before and after: large where the position is near 0 or 1.

    `fisher = arctanh(y) + fisher / 2` with `y = 0.33 * (2 * x - 1) + 0.67 * y`, where a `y` beyond 0.99 becomes 0.999.
    Both start from 0 before the first bar.

    Source: J. Ehlers, Using the Fisher transform, Technical Analysis of Stocks & Commodities 20, 2002.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_fisher((fl.close - fl.low) / (fl.high - fl.low))))
    date             A       B       C
    2024-01-02     0.0  -0.167       -
    2024-01-03    0.11  -0.262  -0.343
    2024-01-04   0.129  -0.013  -0.228
    """
    smooth, fisher = 0.0, 0.0
    for i in range(x.size):
        out[i] = np.nan
        if np.isnan(x[i]):
            continue
        smooth = 0.33 * (2 * x[i] - 1) + 0.67 * smooth
        if abs(smooth) > 0.99:
            smooth = 0.999 if smooth > 0 else -0.999
        fisher = 0.5 * np.log((1 + smooth) / (1 - smooth)) + 0.5 * fisher
        out[i] = fisher


@builtin(unbounded=True)
def ts_streak(x: Array, out: Any = None) -> None:
    """How many times in a row the value has risen, or, as a negative number, fallen; 0 where it did not change.

    0 on the first bar of the symbol.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_streak(fl.close)))
    date           A     B    C
    2024-01-02   0.0   0.0    -
    2024-01-03   1.0  -1.0  0.0
    2024-01-04   2.0   1.0  1.0
    """
    streak, last = 0.0, np.nan
    for i in range(x.size):
        out[i] = np.nan
        if np.isnan(x[i]):
            continue
        if x[i] > last:
            streak = max(streak, 0.0) + 1
        elif x[i] < last:
            streak = min(streak, 0.0) - 1
        else:
            streak = 0.0
        out[i], last = streak, x[i]
