"""The cells that count, date by date, with their labels: what every factor is measured against."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Array, Index, as_array, codes_of
from factorloom.engine.bars.selection import date_span
from factorloom.engine.research.evaluation.labels import label_values
from factorloom.engine.research.evaluation.loop.measure import measure, rank_labels
from factorloom.engine.research.evaluation.loop.section import Ints
from factorloom.engine.research.evaluation.setting import Settings
from factorloom.engine.research.series import finite
from factorloom.engine.runtime.jit import prepare
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import for_each, processors
from factorloom.expressions.errors import BarsError
from factorloom.expressions.factor import Factor

__all__ = ["Cells", "Source", "cells_of", "pieces"]


class Source(Protocol):
    """Where bars and values of factors come from: a panel, or a dataset of a store."""

    @property
    def bars(self) -> Bars:
        """All bars, with prices, groups and weights as columns."""

    def values(self, factors: dict[str, Factor]) -> pl.DataFrame:
        """A column for each factor, one row for each bar, in the order of the bars."""


@dataclass(frozen=True)
class Cells:
    """The names in the universe, with a group where one is asked for, on the evaluated dates, sorted by date.

    Attributes
    ----------
    dates : Series
        The evaluated dates: all market dates from a first to a last.
    rows, symbols, groups : arrays, one for each cell
        Row among the bars, number of the symbol, number of the group (empty: none).
    offsets : array of int64
        Where the cells of each date start, and where those of the last one end.
    names : tuple of str
        Of the groups.
    labels, label_ranks : arrays, (horizons, cells)
    label_counts : array, (horizons, dates)
    weights : array of float64
        Of each cell; empty: equal weights.
    entered : array of int32
        1 where the cell has an entry price.
    complete : array of bool, (horizons, dates)
        Whether the exit date is on or before the last market date, and a benchmark has a return there.
    market : array of float64, (horizons, dates)
        Mean simple return of the cells where `excess` is taken off the labels; otherwise without rows.
    left_out : dict
        How many bars are no cells, by reason.
    """

    dates: pl.Series
    rows: Index
    symbols: Ints
    symbol_count: int
    groups: Ints
    names: tuple[str, ...]
    offsets: Index
    horizons: Index
    labels: Array
    label_ranks: Ints
    label_counts: Ints
    weights: Array
    entered: Ints
    complete: npt.NDArray[np.bool_]
    market: Array
    left_out: dict[str, int]
    unpriced: int
    market_dates: int
    first_date: int

    @property
    def count(self) -> int:
        """How many cells there are."""
        return self.rows.size


def cells_of(
    source: Source, settings: Settings, horizons: tuple[int, ...], observer: Observer, *, log: bool = False
) -> Cells:
    """Select the cells, and rank their labels: simple returns, or logarithms."""
    bars = source.bars
    if not bars.rows:
        raise BarsError("there are no bars to evaluate on")
    prepare(observer, rank_labels, measure)
    kept, left_out = _kept(source, settings)
    codes = bars.date_codes.astype(np.int64)
    first, last = date_span(bars, settings.start, settings.end)
    by_date = np.empty(bars.rows, np.int64)
    by_date[bars.places] = np.arange(bars.rows)
    rows = by_date if kept.all() else by_date[kept[by_date]]
    offsets = np.searchsorted(codes[rows], np.arange(first, last + 2)).astype(np.int64)
    labels = label_values(
        bars,
        source.values,
        horizons,
        entry_lag=settings.entry_lag,
        price=settings.price,
        halted=settings.halted,
        log=log,
        excess=settings.excess,
    )
    symbol_of = np.repeat(np.arange(bars.by_symbol.size - 1), np.diff(bars.by_symbol))[rows]
    numbers, count = _numbered(symbol_of, bars.by_symbol.size - 1)
    days = np.arange(first, last + 1)
    shifts = settings.entry_lag + np.array(horizons)
    of_cells, ranks, counts = _ranked(labels.values, rows, offsets, observer)
    complete = days + shifts[:, None] < bars.dates.len()
    if isinstance(settings.excess, Factor):
        complete &= counts > 0
    groups, names = _groups(bars, settings, rows)
    return Cells(
        dates=bars.dates[first : last + 1],
        rows=rows,
        symbols=numbers,
        symbol_count=max(count, 1),
        groups=groups,
        names=names,
        offsets=offsets,
        horizons=np.array(horizons, np.int64),
        labels=of_cells,
        label_ranks=ranks,
        label_counts=counts,
        weights=_weights(source, settings, rows),
        entered=labels.entered[rows].astype(np.int32),
        complete=complete,
        market=_market(labels.plain, rows, offsets),
        left_out=left_out,
        unpriced=labels.unpriced,
        market_dates=bars.dates.len(),
        first_date=first,
    )


def pieces(dates: int, items: int, least: int = 1) -> list[tuple[int, int]]:
    """Stretches of at least so many dates, that processors have about as much to do as each other, however few items
    there are."""
    count = max(1, min(-(-4 * processors() // max(items, 1)), dates // least))
    edges = np.linspace(0, dates, count + 1).astype(int).tolist()
    return list(itertools.pairwise(edges))


def _market(returns: Array, rows: Index, offsets: Index) -> Array:
    """Mean of the returns that there are on each date, by (horizon, date)."""
    dates = offsets.size - 1
    of_cells = np.repeat(np.arange(dates), np.diff(offsets))
    means = np.empty((len(returns), dates))
    for place, values in enumerate(returns):
        known = ~np.isnan(values[rows])
        counts = np.bincount(of_cells[known], minlength=dates)
        sums = np.bincount(of_cells[known], values[rows[known]], minlength=dates)
        with np.errstate(all="ignore"):
            means[place] = finite(sums / counts)
    return means


def _numbered(codes: Index, size: int) -> tuple[Ints, int]:
    """Codes below a size as numbers of those that occur, and how many these are."""
    present = np.zeros(size, np.bool_)
    present[codes] = True
    numbers = np.cumsum(present, dtype=np.int32) - np.int32(1)
    return numbers[codes], int(present.sum())


def _ranked(labels: Array, rows: Index, offsets: Index, observer: Observer) -> tuple[Array, Ints, Ints]:
    """Labels by cell, their ranks, and how many there are on each date."""
    dates = offsets.size - 1
    of_cells = np.empty((len(labels), rows.size))
    ranks, counts = np.zeros(of_cells.shape, np.int32), np.zeros((len(labels), dates), np.int32)

    def work(item: tuple[int, int, int]) -> None:
        h, first, last = item
        some = slice(offsets[first], offsets[last])
        np.take(labels[h], rows[some], out=of_cells[h, some], mode="clip")
        rank_labels(of_cells, offsets, h, first, last, ranks, counts)

    for_each(work, [(h, *piece) for h in range(len(labels)) for piece in pieces(dates, len(labels))], observer)
    return of_cells, ranks, counts


def _kept(source: Source, settings: Settings) -> tuple[npt.NDArray[np.bool_], dict[str, int]]:
    """Which bars are cells, and how many are not, by the first reason that holds."""
    bars = source.bars
    first, last = date_span(bars, settings.start, settings.end)
    codes = bars.date_codes.astype(np.int64)
    kept = (codes >= first) & (codes <= last)
    left_out = {"outside dates": int(bars.rows - kept.sum()), "outside universe": 0, "no group": 0}
    if settings.universe is not None:
        values = as_array(source.values({"universe": settings.universe})["universe"])
        inside = np.nan_to_num(values, nan=0.0) != 0
        left_out["outside universe"] = int((kept & ~inside).sum())
        kept = kept & inside
    for column in [each for each in (settings.group, settings.category) if each is not None]:
        grouped = codes_of(bars.table[column]) >= 0
        left_out["no group"] += int((kept & ~grouped).sum())
        kept = kept & grouped
    return kept, left_out


def _groups(bars: Bars, settings: Settings, rows: Index) -> tuple[Ints, tuple[str, ...]]:
    if settings.group is None:
        return np.empty(0, np.int32), ()
    column = bars.table[settings.group]
    assert isinstance(column.dtype, pl.Enum)
    known, codes = np.unique(codes_of(column)[rows], return_inverse=True)
    categories = column.dtype.categories
    return codes.astype(np.int32), tuple(categories[int(code)] for code in known)


def _weights(source: Source, settings: Settings, rows: Index) -> Array:
    """A weight for each cell; what is missing or not positive weighs nothing."""
    if settings.weights is None:
        return np.empty(0)
    values = np.asarray(as_array(source.values({"weights": settings.weights})["weights"]), np.float64)[rows]
    return np.where(values > 0, values, 0.0)
