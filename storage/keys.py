"""The keys of bars as numbers: where the bars of some symbols stand among those of all."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.layout import Index
from factorloom.storage.catalog import BarSegment

__all__ = ["DAY", "Keys", "Numbered", "Stretch", "dates_of", "places_of"]

DAY = 86_400_000_000
"""A day in microseconds, in which moments are counted."""


class Keys(NamedTuple):
    """The sorted keys of a segment.

    Attributes
    ----------
    names
        The distinct symbols.
    ends
        Where the bars of each symbol end.
    dates
        Gives the dates of the bars from one place to another.
    """

    names: pl.Series
    ends: npt.NDArray[Any]
    dates: Callable[[int, int], npt.NDArray[Any]]

    @property
    def rows(self) -> int:
        """How many bars there are."""
        return int(self.ends[-1]) if self.ends.size else 0

    @property
    def bytes(self) -> int:
        """What names and ends take."""
        return int(self.names.estimated_size()) + self.ends.nbytes

    def stretch(self, symbol: str) -> tuple[int, int]:
        """Where the bars of a symbol begin and end; of one that is not there, where they would."""
        place = bisect.bisect_left(self.names, symbol)
        start = int(self.ends[place - 1]) if place else 0
        return start, int(self.ends[place]) if place < len(self.names) and self.names[place] == symbol else start


class Stretch:
    """The keys of a segment from one day to another; `rows` is how many bars these are."""

    def __init__(self, keys: Keys, segment: BarSegment, first_day: int, last_day: int, day: int) -> None:
        self._keys, self.rows = keys, keys.rows
        self._counts: npt.NDArray[np.bool_] | None = None
        if first_day > segment.first_day or last_day < segment.last_day:
            dates = keys.dates(0, keys.rows)
            self._counts = (dates >= first_day * day) & (dates < (last_day + 1) * day)
            self.rows = int(np.count_nonzero(self._counts))

    def find(self, symbol: str) -> tuple[int, npt.NDArray[Any]]:
        """How many bars come before those of a symbol, and the dates of its own."""
        start, stop = self._keys.stretch(symbol)
        if self._counts is None:
            return start, self._keys.dates(start, stop)
        dates = self._keys.dates(start, stop)
        return int(np.count_nonzero(self._counts[:start])), dates[self._counts[start:stop]]


class Numbered:
    """Sorted bars with each key as one number, in the order of (symbol, date)."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._names = frame["symbol"].dtype.categories  # type: ignore[attr-defined]
        self._moments = np.unique(_moments(frame["date"]))
        self.numbers: Index = self._numbers(frame["symbol"].to_physical(), frame["date"])

    def places(self, keys: pl.DataFrame) -> Index:
        """Where some of the bars stand; all of them must be there."""
        known = self._names.search_sorted(keys["symbol"].dtype.categories)  # type: ignore[attr-defined]
        return np.searchsorted(self.numbers, self._numbers(known.gather(keys["symbol"].to_physical()), keys["date"]))

    def _numbers(self, codes: pl.Series, dates: pl.Series) -> Index:
        places = np.searchsorted(self._moments, _moments(dates))
        return codes.cast(pl.Int64).to_numpy() * self._moments.size + places


def dates_of(stretches: Sequence[Stretch], symbol: str) -> tuple[int, npt.NDArray[Any]]:
    """How many bars of some stretches come before those of a symbol, and the dates of its own."""
    found = [each.find(symbol) for each in stretches]
    return sum(before for before, _ in found), np.sort(np.concatenate([dates for _, dates in found]))


def places_of(stretches: Sequence[Stretch], keys: pl.DataFrame, names: pl.Series) -> Index:
    """Where the bars of a few symbols stand among those of all."""
    codes, wanted = keys["symbol"].to_physical().to_numpy(), _moments(keys["date"])
    places = np.empty(keys.height, np.int64)
    for code in np.unique(codes).tolist():
        before, dates = dates_of(stretches, names[code])
        chosen = codes == code
        places[chosen] = before + np.searchsorted(dates, wanted[chosen])
    return places


def _moments(dates: pl.Series) -> Index:
    return dates.to_physical().cast(pl.Int64).to_numpy()
