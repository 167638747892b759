"""What the pass over dates leaves of every factor: numbers by date, never values of bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from factorloom.engine.bars.layout import Array, as_array
from factorloom.engine.research.evaluation.cells import Cells, Source, pieces
from factorloom.engine.research.evaluation.loop.measure import TOGETHER, measure
from factorloom.engine.research.evaluation.loop.place import (
    COUNT,
    MEAN,
    NUMBERS_BY_DATE,
    NUMBERS_BY_QUANTILE,
    UNIVERSE,
)
from factorloom.engine.research.evaluation.loop.section import BLOCK_DATES, Ints
from factorloom.engine.runtime.memory import borrow
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import for_each
from factorloom.expressions.factor import Factor

__all__ = ["GroupSeries", "Measured", "batches", "measured"]

BATCH_BYTES = 256 * 2**20
"""Values of factors that are in memory at a time."""

RING_BYTES = 64 * 2**20
"""What each thread may keep of earlier dates for several factors at once."""


@dataclass(frozen=True)
class Measured:
    """Arrays of all factors.

    Attributes
    ----------
    present : (factors, 2, dates)
        Names that have a value, and of these the ones that have an entry price.
    sizes : (factors, dates, quantiles)
        Names in each quantile.
    used : (factors, horizons, dates)
        Names that have a value and a label.
    kept : (factors, horizons, dates, quantiles)
        Names of a quantile that were in it `horizon` market dates before.
    numbers : (factors, horizons, numbers, dates)
        IC, rank IC, return of the factor-weighted portfolio, mean return of the names used, autocorrelation of ranks.
    by_quantile : (factors, horizons, numbers, dates, quantiles)
        Mean return, its standard error, the names that it is of, and with weights the weight traded.
    """

    present: Ints
    sizes: Ints
    used: Ints
    kept: Ints
    numbers: Array
    by_quantile: Array

    @classmethod
    def empty(cls, factors: int, horizons: int, dates: int, quantiles: int) -> Measured:
        """Arrays to be filled."""
        by_horizon = factors, horizons
        return cls(
            _filled((factors, 2, dates), np.int32(0)),
            _filled((factors, dates, quantiles), np.int32(0)),
            _filled((*by_horizon, dates), np.int32(0)),
            _filled((*by_horizon, dates, quantiles), np.int32(0)),
            _filled((*by_horizon, NUMBERS_BY_DATE, dates), np.float64(np.nan)),
            _filled((*by_horizon, NUMBERS_BY_QUANTILE, dates, quantiles), np.float64(np.nan)),
        )

    @property
    def nbytes(self) -> int:
        """The memory that it takes."""
        return sum(int(getattr(self, field.name).nbytes) for field in fields(self))

    def excess(self, *, weighted: bool) -> Array:
        """Mean returns of quantiles over that of all names used: (factors, horizons, dates, quantiles)."""
        means, counts = self.by_quantile[:, :, MEAN], self.by_quantile[:, :, COUNT]
        over = means - self.numbers[:, :, UNIVERSE, :, None]
        if not weighted:  # of a quantile that holds all names it is only rounding
            over[(counts == self.used[..., None]) & ~np.isnan(means)] = 0.0
        return over


@dataclass(frozen=True)
class GroupSeries:
    """Correlations in groups, of some factors: (factors, horizons, groups, dates), and (…, 2, groups, dates)."""

    used: Ints
    numbers: Array


def _filled(shape: tuple[int, ...], value: np.generic) -> npt.NDArray[Any]:
    array = borrow(math.prod(shape), value.dtype.name)
    array[:] = value
    return array.reshape(shape)


def batches(source: Source, factors: Mapping[str, Factor]) -> Iterator[dict[str, Array]]:
    """The columns of all factors, as many at a time as memory allows."""
    count = max(1, BATCH_BYTES // max(8 * source.bars.rows, 1))
    names = iter(factors)
    while some := {name: factors[name] for name in islice(names, count)}:
        columns = _arrays(source, some)
        yield columns
        del columns  # before the next ones are computed


def _arrays(source: Source, factors: dict[str, Factor]) -> dict[str, Array]:
    """A column for each factor; NaN is missing."""
    frame = source.values(factors)
    waiting = {name: frame[name] for name in factors}
    del frame
    columns = dict.fromkeys(factors, np.empty(0))

    def work(name: str) -> None:
        columns[name] = np.asarray(as_array(waiting.pop(name)), np.float64)

    for_each(work, factors, Observer())
    return columns


def measured(
    source: Source,
    factors: Mapping[str, Factor],
    cells: Cells,
    quantiles: int,
    neutral: bool,
    observer: Observer,
    on_groups: Callable[[list[str], GroupSeries], None] | None = None,
) -> Measured:
    """Run the pass for all factors; correlations in groups go to `on_groups`, some factors at a time."""
    horizons, dates = cells.horizons.size, cells.dates.len()
    groups = len(cells.names) if on_groups else 0
    whole = Measured.empty(len(factors), horizons, dates, quantiles)
    done = 0
    with observer.task("evaluating", len(factors)):
        for columns in batches(source, factors):
            series = GroupSeries(
                np.zeros((len(columns), horizons, groups, dates), np.int32),
                np.full((len(columns), horizons, 2, groups, dates), np.nan),
            )
            _run(columns, cells, quantiles, neutral, whole, done, series, observer)
            if on_groups and groups:
                on_groups(list(columns), series)
            done += len(columns)
            del columns, series
    return whole


def _run(
    columns: Mapping[str, Array],
    cells: Cells,
    quantiles: int,
    neutral: bool,
    whole: Measured,
    done: int,
    series: GroupSeries,
    observer: Observer,
) -> None:
    arrays = list(columns.values())
    dates = cells.dates.len()
    longest = min(int(cells.horizons.max()), dates)
    ring = (16 if cells.weights.size else 8) * cells.symbol_count * (longest + 1)
    together = max(1, min(TOGETHER, RING_BYTES // ring))
    starts = range(0, len(arrays), together)

    def work(item: tuple[int, int, int]) -> None:
        place, first, last = item
        some = arrays[place : place + together]
        of_all, of_some = slice(done + place, done + place + len(some)), slice(place, place + len(some))
        measure(
            tuple(some + some[:1] * (TOGETHER - len(some))),
            len(some),
            cells.rows,
            cells.symbols,
            cells.groups,
            cells.offsets,
            cells.labels,
            cells.label_ranks,
            cells.label_counts,
            cells.horizons,
            cells.weights,
            cells.entered,
            cells.symbol_count,
            len(cells.names),
            int(neutral),
            quantiles,
            first,
            last,
            whole.present[of_all],
            whole.sizes[of_all],
            whole.used[of_all],
            whole.kept[of_all],
            whole.numbers[of_all],
            whole.by_quantile[of_all],
            series.used[of_some],
            series.numbers[of_some],
        )

    least = max(BLOCK_DATES, 2 * longest)  # the dates before a piece are ranked once more
    items = [(place, *piece) for place in starts for piece in pieces(dates, len(starts), least)]
    for_each(work, items, _Shares(observer, len(items), len(arrays)))


class _Shares(Observer):
    """Reports items, of which one may be of several factors, and several of one, as factors that are done."""

    def __init__(self, whole: Observer, items: int, factors: int) -> None:
        super().__init__()
        self._whole, self._items, self._factors = whole, items, factors
        self._done = 0

    def advance(self) -> None:
        before, self._done = self._done * self._factors // self._items, self._done + 1
        for _ in range(self._done * self._factors // self._items - before):
            self._whole.advance()
        self._whole.check()

    def cancel(self) -> None:
        self._whole.cancel()
