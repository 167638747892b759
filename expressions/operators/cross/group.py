"""The operators of `moment.py`, `ranking.py` and `robust.py` within each category of a date: a sector, an industry.

Missing where the category is.
"""

from __future__ import annotations

from factorloom.expressions.factor import Factor, Input, Key
from factorloom.expressions.operator import grouped
from factorloom.expressions.operators.cross.moment import (
    Total,
    cs_count,
    cs_demean,
    cs_max,
    cs_mean,
    cs_min,
    cs_scale,
    cs_std,
    cs_sum,
    cs_zscore,
)
from factorloom.expressions.operators.cross.ranking import (
    Bins,
    RankMethod,
    cs_normal_score,
    cs_quantile_bin,
    cs_rank,
)
from factorloom.expressions.operators.cross.robust import (
    Limit,
    WinsorizeMethod,
    cs_fill,
    cs_median,
    cs_robust_zscore,
    cs_winsorize,
)

__all__ = [
    "group_count",
    "group_demean",
    "group_fill",
    "group_max",
    "group_mean",
    "group_median",
    "group_min",
    "group_normal_score",
    "group_quantile_bin",
    "group_rank",
    "group_robust_zscore",
    "group_scale",
    "group_std",
    "group_sum",
    "group_winsorize",
    "group_zscore",
]


@grouped(cs_rank)
def group_rank(x: Input, by: Key, *, method: RankMethod = "percent") -> Factor:
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


@grouped(cs_sum)
def group_sum(x: Input, by: Key) -> Factor:
    """`cs_sum` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_sum(fl.close, "sector")))
    date            A     B     C
    2024-01-02   10.0  20.0     -
    2024-01-03   16.0  19.0  16.0
    2024-01-04   19.0  22.0  19.0
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


@grouped(cs_fill)
def group_fill(x: Input, by: Key) -> Factor:
    """`cs_fill` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_fill(fl.returns, "sector")))
    date             A      B    C
    2024-01-02       -      -    -
    2024-01-03     0.1  -0.05  0.1
    2024-01-04   0.091  0.158  0.4
    """


@grouped(cs_median)
def group_median(x: Input, by: Key) -> Factor:
    """`cs_median` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_median(fl.close, "sector")))
    date            A     B    C
    2024-01-02   10.0  20.0    -
    2024-01-03    8.0  19.0  8.0
    2024-01-04    9.5  22.0  9.5
    """


@grouped(cs_min)
def group_min(x: Input, by: Key) -> Factor:
    """`cs_min` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_min(fl.close, "sector")))
    date            A     B    C
    2024-01-02   10.0  20.0    -
    2024-01-03    5.0  19.0  5.0
    2024-01-04    7.0  22.0  7.0
    """


@grouped(cs_max)
def group_max(x: Input, by: Key) -> Factor:
    """`cs_max` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_max(fl.close, "sector")))
    date            A     B     C
    2024-01-02   10.0  20.0     -
    2024-01-03   11.0  19.0  11.0
    2024-01-04   12.0  22.0  12.0
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


@grouped(cs_std)
def group_std(x: Input, by: Key) -> Factor:
    """`cs_std` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_std(fl.close, "sector")))
    date             A  B      C
    2024-01-02       -  -      -
    2024-01-03   4.243  -  4.243
    2024-01-04   3.536  -  3.536
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


@grouped(cs_normal_score)
def group_normal_score(x: Input, by: Key) -> Factor:
    """`cs_normal_score` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_normal_score(fl.close, "sector")))
    date             A    B       C
    2024-01-02     0.0  0.0       -
    2024-01-03   0.674  0.0  -0.674
    2024-01-04   0.674  0.0  -0.674
    """


@grouped(cs_quantile_bin)
def group_quantile_bin(x: Input, by: Key, *, bins: Bins = 5) -> Factor:
    """`cs_quantile_bin` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_quantile_bin(fl.close, "sector", bins=2)))
    date           A    B    C
    2024-01-02   1.0  1.0    -
    2024-01-03   2.0  1.0  1.0
    2024-01-04   2.0  1.0  1.0
    """


@grouped(cs_scale)
def group_scale(x: Input, by: Key, *, total: Total = 1.0) -> Factor:
    """`cs_scale` within each category of the column `by`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_scale(fl.close, "sector")))
    date             A    B      C
    2024-01-02     1.0  1.0      -
    2024-01-03   0.688  1.0  0.312
    2024-01-04   0.632  1.0  0.368
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
