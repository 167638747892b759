"""How much factors say the same: correlations of their ranks by date, and of their rank ICs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.research.evaluation.cells import Cells, Source
from factorloom.engine.research.evaluation.loop.section import Ints
from factorloom.engine.research.evaluation.summary import mean_of
from factorloom.engine.research.evaluation.tails import with_buckets
from factorloom.engine.research.series import FEWEST
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import for_each
from factorloom.expressions.factor import Factor

__all__ = ["correlation_of_ics", "correlation_of_values", "pair_frame"]

Use: TypeAlias = Callable[[int, Ints, Ints], None]
"""What is done with the number of a factor, and with doubled ranks and quantiles of its cells."""

STRETCH = 64
"""Dates whose correlations one thread adds: the same sums on any number of processors."""

TOGETHER = 1 << 17
"""Ranks that are correlated at a time."""

ROUNDING = 1e-20
"""A sum of squares that is only rounding: ranks are whole numbers, and correlations at most 1."""


def correlation_of_values(
    source: Source, factors: Mapping[str, Factor], cells: Cells, quantiles: int, neutral: bool, also: Use
) -> Array:
    """Mean over dates of the correlation of ranks, each among all names of its factor, over the names of both.

    What it finds of each factor goes to `also` too: ranks are what takes the time.
    """
    count, dates = len(factors), cells.offsets.size - 1
    ranks = np.zeros((count, cells.count), np.uint16 if _is_narrow(cells) else np.uint32)

    def use(factor: int, found: Ints, buckets: Ints) -> None:
        ranks[factor] = found
        also(factor, found, buckets)

    with_buckets(source, factors, cells, quantiles, neutral, use)
    firsts = range(0, dates, STRETCH)
    totals, days = np.zeros((len(firsts), count, count)), np.zeros((len(firsts), count, count), np.int64)

    def add(place: int) -> None:
        for some in _split(cells.offsets, range(firsts[place], min(firsts[place] + STRETCH, dates)), count):
            for value in _of_dates(ranks, cells.offsets[some.start : some.stop + 1]):
                present = ~np.isnan(value)
                totals[place] += np.where(present, value, 0.0)
                days[place] += present

    for_each(add, range(len(firsts)), Observer())
    total, known = totals.sum(axis=0), days.sum(axis=0)
    return np.where(known > 0, total / np.maximum(known, 1), np.nan)


def correlation_of_ics(rank_ic: Array) -> Array:
    """Correlation of the series of each two factors over the dates that both have, from (factors, dates)."""
    present = ~np.isnan(rank_ic)
    centred = np.where(present, rank_ic - mean_of(rank_ic, 1)[:, None], 0.0)
    return _pairwise(centred, present)


def pair_frame(names: list[str], values: Array, ics: Array) -> pl.DataFrame:
    """Rows by pairs of factors, each with each."""
    count = len(names)
    series = pl.Series(names, dtype=pl.String)
    first, second = np.repeat(np.arange(count), count), np.tile(np.arange(count), count)
    return pl.DataFrame(
        [
            series.gather(pl.Series(first)).alias("factor_a"),
            series.gather(pl.Series(second)).alias("factor_b"),
            pl.Series("values", values.reshape(-1), nan_to_null=True),
            pl.Series("ics", ics.reshape(-1), nan_to_null=True),
        ]
    )


def _is_narrow(cells: Cells) -> bool:
    """Whether doubled ranks have 16 bits."""
    return int(np.diff(cells.offsets).max(initial=0)) < 2**15


def _split(offsets: Index, dates: range, factors: int) -> Iterator[range]:
    """Dates that follow one another, as many together as keep the ranks of all factors in the cache."""
    widest = int(np.diff(offsets[dates.start : dates.stop + 1]).max(initial=1))
    count = max(1, TOGETHER // (factors * widest))
    for first in dates[::count]:
        yield range(first, min(first + count, dates.stop))


def _of_dates(ranks: npt.NDArray[np.unsignedinteger[Any]], offsets: Index) -> Array:
    """Correlations (dates, factors, factors) of the doubled ranks of all factors, 0 for missing."""
    x = np.zeros((offsets.size - 1, len(ranks), int(np.diff(offsets).max(initial=0))))
    for day, (first, last) in zip(x, pairwise(offsets.tolist()), strict=True):
        day[:, : last - first] = ranks[:, first:last]
    present = x > 0
    np.subtract(x, present.sum(axis=2, keepdims=True) + 1, out=x, where=present)
    alike = (present == present[:, :1]).all(axis=(1, 2))
    out = np.empty((len(x), len(ranks), len(ranks)))
    out[alike] = _complete(x[alike], present[alike, 0].sum(axis=1))
    out[~alike] = _pairwise(x[~alike], present[~alike])
    return out


def _pairwise(x: Array, present: npt.NDArray[np.bool_]) -> Array:
    """Pearson's correlation of all pairs of rows over the columns that both have.

    Values are near their mean, and 0 where they are missing; several tables (…, rows, columns) at a time.
    """
    mask = present.astype(np.float64)
    of_mask = np.swapaxes(mask, -1, -2)
    n, of_first = mask @ of_mask, x @ of_mask
    squares = (x * x) @ of_mask
    with np.errstate(all="ignore"):
        covariance = x @ np.swapaxes(x, -1, -2) - of_first * np.swapaxes(of_first, -1, -2) / n
        variance = squares - of_first**2 / n
        varied = (variance > ROUNDING) & (variance > 1e-12 * squares)
        variance = np.where(varied & (n >= FEWEST), variance, np.nan)
        return np.clip(covariance / np.sqrt(variance * np.swapaxes(variance, -1, -2)), -1.0, 1.0)


def _complete(x: Array, count: Index) -> Array:
    """The same of whole numbers in rows that have the same columns, so many; others are 0, and rows sum to 0."""
    covariance = x @ np.swapaxes(x, -1, -2)
    variance = np.diagonal(covariance, axis1=-2, axis2=-1)
    variance = np.where((variance > 0) & (count >= FEWEST)[:, None], variance, np.nan)
    with np.errstate(all="ignore"):
        return np.clip(covariance / np.sqrt(variance[..., None] * variance[..., None, :]), -1.0, 1.0)
