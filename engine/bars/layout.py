"""Columns as arrays, and the runs of rows (a symbol, a date, a group) that an operator sees one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from factorloom.engine.runtime.memory import borrow

__all__ = [
    "KEYS",
    "Array",
    "Floats",
    "GroupRuns",
    "Index",
    "Rows",
    "as_array",
    "as_frame",
    "as_series",
    "codes_of",
    "dates_as_codes",
    "offsets_of",
    "read_into",
    "runs_by_group",
    "series_on",
]

Array: TypeAlias = npt.NDArray[np.float64]
Floats: TypeAlias = npt.NDArray[np.float64] | npt.NDArray[np.float32]
Index: TypeAlias = npt.NDArray[np.int64]
Rows: TypeAlias = npt.NDArray[np.uint32]
"""Numbers of rows, dates or symbols, one for each bar: Polars frames have fewer than 2**32 rows."""


KEYS = ("symbol", "date")
"""The key columns of bars, whatever a table calls them."""

SPAN = 8
"""From the first date to the last are at most so many times the number of bars where codes are looked up in a table."""


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


class _Exported:
    """An array of Arrow in the form that any library takes: for one of pyarrow, Polars imports all of its functions."""

    def __init__(self, array: pa.Array) -> None:
        self._array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        exported: tuple[object, object] = self._array.__arrow_c_array__(requested_schema)
        return exported


def as_array(series: pl.Series) -> Floats:
    """A series of floats as an array with NaN where it is null, without a copy where nothing is missing."""
    if not series.null_count():
        return series.to_numpy()
    values: Floats = borrow(series.len(), "float32" if series.dtype == pl.Float32 else "float64")
    read_into(values, series)
    return values


def read_into(values: Floats, series: pl.Series) -> None:
    """Write a series into an array of the same type, Float64 or Float32, NaN where it is null."""
    assert series.dtype in (pl.Float64, pl.Float32)
    array = series.to_arrow()  # the expressions of Polars take longer to start than this takes for 10,000 values
    bits, buffer = array.buffers()
    stop = array.offset + len(array)
    values[:] = np.frombuffer(buffer, values.dtype, stop)[array.offset :]
    if bits is not None:
        absent = ~np.frombuffer(bits, np.uint8)
        missing = np.unpackbits(absent, count=stop, bitorder="little")[array.offset :]
        np.putmask(values, missing.view(np.bool_), np.nan)


def as_series(name: str, values: npt.NDArray[Any], present: npt.NDArray[np.bool_] | None = None) -> pl.Series:
    """An array as a series on the same memory: null where it is NaN, or where `present` is given and false."""
    return pl.Series(_Exported(_nullable(values, present))).alias(name)


def as_frame(values: Mapping[str, Floats]) -> pl.DataFrame:
    """Arrays of one size as a frame on the same memory, null where they are NaN: many short ones at a time."""
    struct = pa.StructArray.from_arrays([_nullable(each) for each in values.values()], list(values))
    return pl.Series(_Exported(struct)).struct.unnest()


def series_on(name: str, values: npt.NDArray[Any], bits: npt.NDArray[np.uint8] | None, missing: int) -> pl.Series:
    """A series on the memory of an array, with a bit for every value that is present, the first in the lowest."""
    return pl.Series(_Exported(_with_bits(values, bits, missing))).alias(name)


def _nullable(values: npt.NDArray[Any], present: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    present = ~np.isnan(values) if present is None else present
    missing = values.size - int(np.count_nonzero(present))
    return _with_bits(values, np.packbits(present, bitorder="little") if missing else None, missing)


def _with_bits(values: npt.NDArray[Any], bits: npt.NDArray[np.uint8] | None, missing: int) -> pa.Array:
    buffers = [None if bits is None else pa.py_buffer(bits), pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), values.size, buffers, missing)


def runs_by_group(codes: Index, offsets: Index) -> GroupRuns:
    """Runs of equal code within each date, from codes in the order by date; -1 is in none."""
    dates = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
    places = np.lexsort((codes, dates))
    places = places[codes[places] >= 0]
    pairs = dates[places] * (codes.max(initial=0) + 1) + codes[places]
    starts = np.append(np.flatnonzero(np.diff(pairs, prepend=-1)), places.size)
    firsts = dates[places[starts[:-1]]]
    return GroupRuns(places, starts, np.searchsorted(firsts, np.arange(offsets.size)))


def codes_of(categories: pl.Series) -> Index:
    """The codes of an Enum, -1 for missing ones."""
    return categories.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()


def dates_as_codes(series: pl.Series) -> tuple[npt.NDArray[np.int32], int]:
    """The number of each date among all distinct dates, and how many of these there are."""
    dates = series.to_physical().cast(pl.Int64).to_numpy()
    first = dates.min(initial=np.iinfo(np.int64).max)
    span = int(dates.max(initial=first)) - int(first) + 1
    if span > SPAN * dates.size:
        known = np.unique(dates)
        return np.searchsorted(known, dates).astype(np.int32), known.size
    places = dates - first
    present = np.zeros(span, np.bool_)
    present[places] = True
    numbers = np.cumsum(present, dtype=np.int32) - np.int32(1)
    return numbers[places], int(numbers[-1]) + 1


def offsets_of(codes: npt.NDArray[np.integer]) -> Index:
    """Where the rows of each code start, and where the rows of the last code end; equal codes are adjacent."""
    return np.concatenate([[0], np.cumsum(np.bincount(codes))]).astype(np.int64)
