"""Places of the numbers that the pass over dates writes."""

from __future__ import annotations

__all__ = [
    "AUTOCORRELATION",
    "COUNT",
    "ERROR",
    "IC",
    "MEAN",
    "NUMBERS_BY_DATE",
    "NUMBERS_BY_QUANTILE",
    "PORTFOLIO",
    "RANK_IC",
    "TRADED",
    "UNIVERSE",
]

IC, RANK_IC, PORTFOLIO, UNIVERSE, AUTOCORRELATION, NUMBERS_BY_DATE = 0, 1, 2, 3, 4, 5
"""Of a date."""

MEAN, ERROR, COUNT, TRADED, NUMBERS_BY_QUANTILE = 0, 1, 2, 3, 4
"""Of a quantile on a date."""
