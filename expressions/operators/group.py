"""The operators of `cross.py` within each category of a date: a sector, an industry, an exchange.

Where the category is missing the value is missing.
"""

from __future__ import annotations

from factorloom.expressions.factor import Factor, Input, Key
from factorloom.expressions.operator import grouped
from factorloom.expressions.operators.cross import (
    Limit,
    WinsorizeMethod,
    cs_count,
    cs_demean,
    cs_mean,
    cs_rank,
    cs_robust_zscore,
    cs_winsorize,
    cs_zscore,
)

__all__ = [
    "group_count",
    "group_demean",
    "group_mean",
    "group_rank",
    "group_robust_zscore",
    "group_winsorize",
    "group_zscore",
]


@grouped(cs_rank)
def group_rank(x: Input, by: Key) -> Factor:
    """`cs_rank` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_rank(fl.close, "sector")))
    date           A    B    C
    2024-01-02   1.0  1.0    -
    2024-01-03   1.0  1.0  0.5
    2024-01-04   1.0  1.0  0.5
    """


@grouped(cs_count)
def group_count(x: Input, by: Key) -> Factor:
    """`cs_count` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_count(fl.close, "sector")))
    date           A    B    C
    2024-01-02   1.0  1.0    -
    2024-01-03   2.0  1.0  2.0
    2024-01-04   2.0  1.0  2.0
    """


@grouped(cs_mean)
def group_mean(x: Input, by: Key) -> Factor:
    """`cs_mean` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_mean(fl.close, "sector")))
    date            A     B    C
    2024-01-02   10.0  20.0    -
    2024-01-03    8.0  19.0  8.0
    2024-01-04    9.5  22.0  9.5
    """


@grouped(cs_demean)
def group_demean(x: Input, by: Key) -> Factor:
    """`cs_demean` within each category of the column `by`: the simplest neutralisation.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_demean(fl.close, "sector")))
    date           A    B     C
    2024-01-02   0.0  0.0     -
    2024-01-03   3.0  0.0  -3.0
    2024-01-04   2.5  0.0  -2.5
    """


@grouped(cs_zscore)
def group_zscore(x: Input, by: Key) -> Factor:
    """`cs_zscore` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_zscore(fl.close, "sector")))
    date             A  B       C
    2024-01-02       -  -       -
    2024-01-03   0.707  -  -0.707
    2024-01-04   0.707  -  -0.707
    """


@grouped(cs_robust_zscore)
def group_robust_zscore(x: Input, by: Key) -> Factor:
    """`cs_robust_zscore` within each category of the column `by`: a sector-neutral robust z-score.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_robust_zscore(fl.close, "sector")))
    date             A  B       C
    2024-01-02       -  -       -
    2024-01-03   0.674  -  -0.674
    2024-01-04   0.674  -  -0.674
    """


@grouped(cs_winsorize)
def group_winsorize(x: Input, by: Key, *, limit: Limit = 3.0, method: WinsorizeMethod = "mad") -> Factor:
    """`cs_winsorize` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_winsorize(fl.close, "sector", limit=1)))
    date            A     B    C
    2024-01-02   10.0  20.0    -
    2024-01-03   11.0  19.0  5.0
    2024-01-04   12.0  22.0  7.0
    """
