"""The keys of bars as numbers: where the bars of some symbols stand among those of all."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.layout import Index
from factorloom.storage.catalog import BarSegment

__all__ = ["DAY", "Keys", "Numbered", "Picked", "Stretch", "found_in", "places_of"]

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

    def find(self, symbol: str) -> tuple[int, int, int]:
        """The number of a symbol, and where its bars begin and end; of one that is not there, where they would."""
        place = bisect.bisect_left(self.names, symbol)
        start = int(self.ends[place - 1]) if place else 0
        stop = int(self.ends[place]) if place < len(self.names) and self.names[place] == symbol else start
        return place, start, stop


class Stretch:
    """The keys of a segment from one day to another; `rows` is how many bars these are."""

    def __init__(self, keys: Keys, segment: BarSegment, first_day: int, last_day: int, day: int) -> None:
        self._keys, self.rows = keys, keys.rows
        self._first, self._end = first_day * day, (last_day + 1) * day
        self._before: npt.NDArray[np.int32] | None = None
        if first_day > segment.first_day or last_day < segment.last_day:
            counts = np.cumsum(self._inside(keys.dates(0, keys.rows)), dtype=np.int32)
            self._before = np.concatenate([np.zeros(1, np.int32), counts[np.asarray(keys.ends) - 1]])
            self.rows = int(self._before[-1])

    def find(self, symbol: str) -> tuple[int, npt.NDArray[Any]]:
        """How many bars come before those of a symbol, and the dates of its own."""
        place, start, stop = self._keys.find(symbol)
        dates = self._keys.dates(start, stop)
        if self._before is None:
            return start, dates
        return int(self._before[place]), dates[self._inside(dates)]

    def _inside(self, dates: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = (dates >= self._first) & (dates < self._end)
        return found


class Picked(NamedTuple):
    """The keys of some bars as numbers: names, for each bar the code of its own, and its date."""

    names: pl.Series
    codes: npt.NDArray[Any]
    dates: Index

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Picked:
        """The keys that are in a frame, symbols as Enum."""
        names = frame["symbol"].dtype.categories  # type: ignore[attr-defined]
        return cls(names, frame["symbol"].to_physical().to_numpy(), _moments(frame["date"]))

    def at(self, places: Index) -> Picked:
        """Those at some places."""
        return Picked(self.names, self.codes[places], self.dates[places])


class Numbered:
    """Sorted bars with each key as one number, in the order of (symbol, date)."""

    def __init__(self, frame: pl.DataFrame) -> None:
        keys = Picked.of(frame)
        self._names = keys.names
        self._moments = np.unique(keys.dates)
        self._at = np.searchsorted(self._moments, keys.dates).astype(np.int32)
        self.numbers: Index = keys.codes.astype(np.int64) * self._moments.size + self._at

    def places(self, keys: Picked) -> Index:
        """Where some of the bars stand; all of them must be there."""
        known: Index = self._names.search_sorted(keys.names).to_numpy()[keys.codes].astype(np.int64)
        return np.searchsorted(self.numbers, known * self._moments.size + np.searchsorted(self._moments, keys.dates))

    def places_on(self, moments: Index) -> Index:
        """Where all bars at some moments stand."""
        chosen: npt.NDArray[np.bool_] = np.isin(self._moments, moments)
        return np.flatnonzero(chosen[self._at])


def found_in(stretches: Sequence[Stretch], symbols: Iterable[str]) -> dict[str, tuple[int, npt.NDArray[Any]]]:
    """How many bars of some stretches come before those of each symbol, and the dates of its own."""
    found: dict[str, list[tuple[int, npt.NDArray[Any]]]] = {symbol: [] for symbol in symbols}
    for stretch in stretches:  # symbols inside: few files may be open at once
        for symbol, parts in found.items():
            parts.append(stretch.find(symbol))
    return {
        symbol: (sum(before for before, _ in parts), np.sort(np.concatenate([dates for _, dates in parts])))
        for symbol, parts in found.items()
    }


def places_of(stretches: Sequence[Stretch], keys: Picked) -> Index:
    """Where the bars of a few symbols stand among those of all."""
    places = np.empty(keys.codes.size, np.int64)
    codes = {keys.names[code]: code for code in np.unique(keys.codes).tolist()}
    for symbol, (before, dates) in found_in(stretches, codes).items():
        chosen = keys.codes == codes[symbol]
        places[chosen] = before + np.searchsorted(dates, keys.dates[chosen])
    return places


def _moments(dates: pl.Series) -> Index:
    return dates.to_physical().cast(pl.Int64).to_numpy()
