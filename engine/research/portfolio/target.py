"""What a method asks for on one date, before any bound: signed wishes whose scale does not matter."""

from __future__ import annotations

import numpy as np

from factorloom.engine.research.series import Array
from factorloom.expressions.errors import ParameterError

__all__ = ["METHODS", "wishes"]

METHODS = ("top", "score", "long_short", "inverse_volatility")


def wishes(
    method: str, scores: Array, volatility: Array | None, quantiles: int, top: int | None, date: object
) -> Array:
    """Signed wishes of the names of a date; 0 for those that are not held.

    Parameters
    ----------
    method
        One of `METHODS`.
    scores, volatility
        (N,), NaN where missing; columns in the order of the symbols, which decides between equal scores.
    quantiles, top
        How many names a side holds: `top`, or `names // quantiles`, at least 1.
    date
        For the error.

    Raises
    ------
    ParameterError
        The method is `"score"` and no score of the date is above 0.
    """
    present = np.flatnonzero(~np.isnan(scores))
    wish = np.zeros(scores.size)
    if not present.size:
        return wish
    if method == "score":
        positive = np.where(scores > 0, scores, 0.0)
        largest = positive.max()
        if largest == 0:
            raise ParameterError(
                f"no score is above 0 on {date}, so weights in proportion to scores would sum to 0",
                hint="shift the scores, take a percentile as the score, or use method='top'",
            )
        share: Array = positive / largest
        return share
    count = min(max(present.size // quantiles, 1) if top is None else top, present.size)
    order = present[np.argsort(-scores[present], kind="stable")]
    if method == "long_short":
        count = min(count, present.size // 2)
        wish[order[:count]] = 1.0
        wish[order[present.size - count :]] = -1.0
        return wish
    wish[order[:count]] = 1.0
    if method == "inverse_volatility" and volatility is not None:
        usable = np.where(volatility > 0, volatility, np.inf)
        held = wish > 0
        least = np.where(held, usable, np.inf).min()
        if np.isfinite(least):
            return np.where(held, least / usable, 0.0)
        return np.zeros(scores.size)
    return wish
