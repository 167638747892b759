"""Ranks across the symbols of one date, and operators built on them.

Missing values are ignored, and stay missing. Values that agree in their first 12 digits tie (see `tie.py`).
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Annotated, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.normal import normal_quantile, normal_quantiles
from factorloom.expressions.operators.loop.section import like, spread_over
from factorloom.expressions.operators.loop.sort import rank_section
from factorloom.expressions.operators.loop.tie import tied, tied_column
from factorloom.expressions.operators.loop.window import present
from factorloom.expressions.parameter import Choice, Whole

__all__ = ["cs_normal_score", "cs_quantile_bin", "cs_rank"]

Array: TypeAlias = npt.NDArray[np.float64]
RankMethod: TypeAlias = Annotated[str, Choice(("percent", "ordinal", "min", "max", "dense"))]
Bins: TypeAlias = Annotated[int, Whole(2, 1000)]

METHODS: dict[str, Literal["min", "max", "dense"]] = {"min": "min", "max": "max", "dense": "dense"}
"""The methods of Polars that are not the mean rank."""


def _ranks(x: Array) -> Array:
    """The ranks of the present members from 1 on, with ties sharing their mean rank."""
    keys = tied(x)
    below = (keys[:, None] > keys[None, :]).sum(axis=1)
    same = (keys[:, None] == keys[None, :]).sum(axis=1)
    return np.where(np.isnan(x), np.nan, below + (same + 1) / 2)


def _shared_ranks(x: Array, method: str) -> Array:
    """The ranks where ties share the smallest, the largest, or the number of the value."""
    values = present(x) if method != "dense" else np.unique(present(x))
    others = values[None, :] <= x[:, None] if method != "min" else values[None, :] < x[:, None]
    return np.where(np.isnan(x), np.nan, others.sum(axis=1) + (method == "min"))


@operator(Axis.CROSS, version=3, rank=lambda method: method == "percent")
def cs_rank(x: Input, *, method: RankMethod = "percent") -> Factor:
    """The rank among the symbols of the date, the smallest first; ties share their mean rank.

    Values that agree in their first 12 digits tie.

    - `method="percent"`: the rank divided by the number of symbols that have a value, in (0, 1]; 1 is the largest:
      pandas' `rank(pct=True)`;
    - `method="ordinal"`: the rank itself, from 1 to that number: pandas' `rank()`. Ties share a rank here too, which
      may then end in .5;
    - `method="min"`, `"max"`: the rank that ties share is the smallest, the largest of theirs;
    - `method="dense"`: the number of different values up to this one.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_rank(fl.close)))
    date             A    B      C
    2024-01-02     0.5  1.0      -
    2024-01-03   0.667  1.0  0.333
    2024-01-04   0.667  1.0  0.333
    >>> print(fl.example().show(fl.cs_rank(fl.close, method="ordinal")))
    date           A    B    C
    2024-01-02   1.0  2.0    -
    2024-01-03   2.0  3.0  1.0
    2024-01-04   2.0  3.0  1.0
    """


@cs_rank.meaning
def _(x: Array, method: str) -> Array:
    if method == "percent":
        return _ranks(x) / max(1, present(x).size)
    return _ranks(x) if method == "ordinal" else _shared_ranks(tied(x), method)


@cs_rank.polars
def _(x: pl.Expr, method: str) -> pl.Expr:
    rank = tied_column(x).rank(METHODS.get(method, "average"))
    return rank / spread_over(x, x.count()) if method == "percent" else rank


@cs_rank.kernel
def _(x: Array, method: int, out: Array) -> None:
    n = rank_section(x, out)
    if method > 1:
        share_ranks(n, method, out)
    divisor = 2.0 * n if method == 0 else 2.0
    for i in range(out.size):
        out[i] /= divisor


def share_ranks(n: int, method: int, doubled: Array) -> None:
    """Twice the rank that ties share by the method of that number, in place of twice their mean rank."""
    members = np.zeros(2 * n + 1)
    for i in range(doubled.size):
        if doubled[i] == doubled[i]:
            members[int(doubled[i])] += 1
    different = np.empty(members.size)
    count = 0.0
    for rank in range(members.size):
        count += members[rank] > 0
        different[rank] = count
    for i in range(doubled.size):
        if doubled[i] == doubled[i]:
            rank = int(doubled[i])
            others = members[rank] - 1
            doubled[i] += -others if method == 2 else others if method == 3 else 2 * different[rank] - doubled[i]


@operator(Axis.CROSS, version=3)
def cs_quantile_bin(x: Input, *, bins: Bins = 5) -> Factor:
    """The quantile of the date that a symbol falls into, from 1 (the smallest values) to `bins`.

    `ceil(bins * (rank - 1) / (n - 1))`, at least 1, with the rank of `cs_rank(method="ordinal")` among `n` values.
    Without ties this is `pandas.qcut`, and the sizes of bins differ by at most 1. Ties share the bin of their mean
    rank, so a date whose values are all equal, or that has a single one, falls into the middle bin (the lower of two).

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_quantile_bin(fl.close, bins=3)))
    date           A    B    C
    2024-01-02   1.0  3.0    -
    2024-01-03   2.0  3.0  1.0
    2024-01-04   2.0  3.0  1.0
    """


@cs_quantile_bin.meaning
def _(x: Array, bins: int) -> Array:
    if present(x).size == 1:
        return like(x, np.ceil(bins / 2))
    return np.maximum(np.ceil(bins * (_ranks(x) - 1) / (present(x).size - 1)), 1)


@cs_quantile_bin.polars
def _(x: pl.Expr, bins: int) -> pl.Expr:
    place = (bins * (tied_column(x).rank("average") - 1) / (x.count().cast(pl.Float64) - 1)).ceil().clip(1)
    return pl.when(x.count() > 1).then(place).otherwise(spread_over(x, pl.lit(float((bins + 1) // 2))))


@cs_quantile_bin.kernel
def _(x: Array, bins: int, out: Array) -> None:
    n = rank_section(x, out)
    for i in range(out.size):
        rank = out[i] / 2
        place = max(np.ceil(bins * (rank - 1) / (n - 1)), 1.0) if n > 1 else np.ceil(bins / 2)
        out[i] = place if rank == rank else np.nan


@operator(Axis.CROSS, version=3)
def cs_normal_score(x: Input) -> Factor:
    """The standard normal quantile of the rank: the values mapped to a normal distribution, in the same order.

    `Phi^-1((rank - 1/2) / n)` with the rank of `cs_rank(method="ordinal")` among `n` values (rankits); ties share a
    score, and a date whose values are all equal has score 0.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_normal_score(fl.close)))
    date              A      B       C
    2024-01-02   -0.674  0.674       -
    2024-01-03      0.0  0.967  -0.967
    2024-01-04      0.0  0.967  -0.967

    Source: Bliss, Greenwood & White (1956), A rankit analysis of paired comparisons, Biometrics 12, 381-403; the
    quantile is in `normal.py`.
    """


@cs_normal_score.meaning
def _(x: Array) -> Array:
    shares, normal = (_ranks(x) - 0.5) / max(1, present(x).size), NormalDist()
    return np.array([np.nan if np.isnan(share) else normal.inv_cdf(share) for share in shares])


@cs_normal_score.polars
def _(x: pl.Expr) -> pl.Expr:
    def section(ranks: pl.Series) -> pl.Series:
        rank = ranks.to_numpy()
        return pl.Series(normal_quantiles(rank - 0.5, ranks.count() - rank + 0.5))

    return tied_column(x).rank("average").map_batches(section, return_dtype=pl.Float64)


@cs_normal_score.kernel
def _(x: Array, out: Array) -> None:
    n = rank_section(x, out)
    for i in range(out.size):
        twice = out[i]
        out[i] = normal_quantile(twice - 1, 2 * n - twice + 1) if twice == twice else np.nan
