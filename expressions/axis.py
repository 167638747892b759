"""The four axes of operators."""

from __future__ import annotations

from enum import Enum

__all__ = ["Axis"]


class Axis(Enum):
    """Which bars an operator reads to give the value of one bar.

    Members are ordered from the narrowest to the widest: the axis of a factor is the widest axis among its operators.
    With `Axis.TIME` or narrower a symbol can be computed alone; anything wider needs every symbol of the date. How much
    history a factor needs is its `lookback`.

    >>> Axis.TIME < Axis.CROSS
    True
    >>> print(Axis.GROUP.value)
    group
    """

    CELL = "cell"
    """The bar's own values: `close / open - 1`."""
    TIME = "time"
    """Bars of the same symbol: `ts_mean(close, 20)`."""
    GROUP = "group"
    """Bars of the same date and the same category: `group_rank(close, sector)`."""
    CROSS = "cross"
    """All bars of the same date: `cs_rank(close)`."""

    def __lt__(self, other: Axis) -> bool:
        return _WIDTH[self] < _WIDTH[other]


_WIDTH = {axis: width for width, axis in enumerate(Axis)}
