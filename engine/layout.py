"""How rows are laid out: columns as arrays, and the runs of rows that an operator sees one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = [
    "Array",
    "GroupRuns",
    "Index",
    "Runs",
    "as_array",
    "as_series",
    "runs_by_date",
    "runs_by_group",
    "runs_by_symbol",
]

Array: TypeAlias = npt.NDArray[np.float64]
Index: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Runs:
    """Runs of rows.

    Attributes
    ----------
    order : array of int64, or None
        The rows of the panel in the order of the runs; None for the panel's own order.
    offsets : array of int64, one longer than the number of runs
        Where each run starts in that order, and where the last one ends.
    """

    order: Index | None
    offsets: Index


@dataclass(frozen=True)
class GroupRuns:
    """Runs of one date and one category; rows without a category are in none.

    Attributes
    ----------
    places : array of int64
        Places in the order by date, run after run.
    offsets : array of int64
        Where each run starts in `places`, and where the last one ends.
    dates : array of int64, one longer than the number of dates
        The first run of each date.
    """

    places: Index
    offsets: Index
    dates: Index


def as_array(series: pl.Series) -> Array:
    """A Float64 series as an array with NaN where it is null, without a copy where nothing is missing."""
    return (series.fill_null(np.nan) if series.null_count() else series).to_numpy()


def as_series(name: str, values: Array) -> pl.Series:
    """An array as a Float64 series, null where it is not finite."""
    return pl.Series(name, values, nan_to_null=True)


def runs_by_symbol(symbols: pl.Series) -> Runs:
    """Runs of equal symbols; the rows are sorted by symbol already."""
    return Runs(None, _offsets(symbols.rle_id().to_numpy()))


def runs_by_date(dates: pl.Series) -> Runs:
    """Runs of equal dates, in the order of dates, and within a date in the order of rows."""
    codes = _codes(dates).to_numpy()
    return Runs(np.argsort(codes, kind="stable"), _offsets(codes))


def runs_by_group(categories: pl.Series, by_date: Runs) -> GroupRuns:
    """Runs of equal category within each date."""
    assert by_date.order is not None
    dates = np.repeat(np.arange(by_date.offsets.size - 1), np.diff(by_date.offsets))
    codes = _codes(categories).fill_null(-1).to_numpy()[by_date.order]
    places = np.lexsort((codes, dates))
    places = places[codes[places] >= 0]
    pairs = dates[places] * (codes.max(initial=0) + 1) + codes[places]
    offsets = np.append(np.flatnonzero(np.diff(pairs, prepend=-1)), places.size)
    firsts = dates[places[offsets[:-1]]]
    return GroupRuns(places, offsets, np.searchsorted(firsts, np.arange(by_date.offsets.size)))


def _codes(series: pl.Series) -> pl.Series:
    """Whole numbers from 0 in the order of the values, null where they are."""
    return series.rank("dense").cast(pl.Int64) - 1


def _offsets(codes: npt.NDArray[np.integer]) -> Index:
    return np.concatenate([[0], np.cumsum(np.bincount(codes))]).astype(np.int64)
