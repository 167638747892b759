"""Sorted bars as table and as arrays, with the runs of rows of each symbol, date and group."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.category import text_of
from factorloom.engine.bars.layout import (
    KEYS,
    Array,
    Floats,
    GroupRuns,
    Index,
    Rows,
    as_array,
    codes_of,
    dates_as_codes,
    offsets_of,
    runs_by_group,
)
from factorloom.expressions.factor import DATES_LEFT

__all__ = ["Bars"]

FEW = 1 << 16
"""So many rows are brought into date-major order without compiled code."""


class Bars:
    """Bars sorted by (symbol, date), one row per key, as table and as arrays; text is Enum in the table."""

    symbol, date = KEYS

    def __init__(
        self, table: pl.DataFrame, first_bars: Index | None = None, dates_left: Callable[[], Array] | None = None
    ) -> None:
        self.table = table
        self._first_bars = first_bars
        self._dates_left = dates_left
        self._arrays: dict[str, Floats] = {}
        self._groups: dict[str, GroupRuns] = {}

    @property
    def rows(self) -> int:
        """The number of bars."""
        return self.table.height

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that factors may use, keys left out."""
        return tuple(name for name in self.table.columns if name not in (self.symbol, self.date))

    @cached_property
    def symbols(self) -> pl.Series:
        """The distinct symbols as text, sorted."""
        return text_of(self.table[self.symbol].gather(self.by_symbol[:-1]))

    @cached_property
    def dates(self) -> pl.Series:
        """The distinct dates, sorted."""
        return self.table[self.date].unique().sort()

    def array(self, column: str) -> Floats:
        """A column of numbers in panel order, missing as NaN; not to be written to."""
        if column == DATES_LEFT:
            return self.dates_left
        if column not in self._arrays:
            self._arrays[column] = as_array(self.table[column])
        return self._arrays[column]

    @cached_property
    def by_symbol(self) -> Index:
        """Where the rows of each symbol start, and where the last one's end."""
        return offsets_of(self.table[self.symbol].to_physical().rle_id().to_numpy())

    @cached_property
    def first_bars(self) -> Index:
        """The number of the first bar of each symbol: 0, or in a part of other bars its number among those."""
        return np.zeros(self.by_symbol.size - 1, np.int64) if self._first_bars is None else self._first_bars

    def part(self, rows: npt.NDArray[np.bool_]) -> Bars:
        """The bars of these rows, of each symbol a stretch."""
        part = Bars(self.table.filter(pl.Series(rows)))
        first = np.flatnonzero(rows)[part.by_symbol[:-1]]
        symbols = np.searchsorted(self.by_symbol, first, side="right") - 1
        part._first_bars = self.first_bars[symbols] + first - self.by_symbol[symbols]
        part._dates_left = lambda: self.dates_left[rows]
        return part

    @cached_property
    def dates_left(self) -> Array:
        """How many dates come after that of each bar; a part of other bars counts the dates of those."""
        if self._dates_left is not None:
            return self._dates_left()
        last = self.by_date.size - 2
        return last - self.date_codes.astype(np.float64)

    @cached_property
    def by_date(self) -> Index:
        """Where the rows of each date start in date-major order, and where the rows of the last date end."""
        return offsets_of(self.date_codes)

    @cached_property
    def places(self) -> Rows:
        """The position of each row of the panel in date-major order: by date, then by symbol."""
        places = np.empty(self.rows, np.uint32)
        if self.rows <= FEW:
            places[np.argsort(self.date_codes, kind="stable")] = np.arange(self.rows, dtype=np.uint32)
            return places
        from factorloom.engine.bars.order import places_of

        places_of(self.date_codes, self.by_date, places)
        return places

    def by_group(self, column: str) -> GroupRuns:
        """One run per date and category of a column."""
        if column not in self._groups:
            codes = np.empty(self.rows, np.int64)
            codes[self.places] = codes_of(self.table[column])
            self._groups[column] = runs_by_group(codes, self.by_date)
        return self._groups[column]

    @cached_property
    def date_codes(self) -> Rows:
        """The number of each row's date."""
        return dates_as_codes(self.table[self.date])[0].view(np.uint32)
