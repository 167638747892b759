"""Values of factors that are at hand: in a file of the cache, or in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.runtime.thread import for_each_of
from factorloom.storage.catalog import CacheFile
from factorloom.storage.segment import SegmentFiles
from factorloom.storage.view import View

__all__ = ["FOREVER", "Basis", "Days", "Entries", "Entry", "FileEntry", "MemoryEntry"]

Days = npt.NDArray[np.bool_]

FOREVER = 2_500_000
"""The number of a day after all others."""


class Basis(NamedTuple):
    """What values depend on: keys and columns of the bars from one day to another, by their digest."""

    columns: tuple[str, ...]
    first_day: int
    last_day: int
    input: int

    @classmethod
    def of(cls, view: View, columns: Sequence[str], first_day: int, last_day: int) -> Basis:
        """The basis as a view fills it."""
        return cls(tuple(columns), first_day, last_day, view.digest(columns, first_day, last_day))

    def fits(self, view: View) -> bool:
        """Whether a view has the same bars there."""
        known = all(name in view.columns for name in self.columns)
        return known and view.digest(self.columns, self.first_day, self.last_day) == self.input


class Entry(Protocol):
    """Values of some factors on all bars of a stretch of days, by symbol and date."""

    @property
    def days(self) -> tuple[int, int]:
        """The first and the last day."""

    @property
    def factors(self) -> Sequence[str]:
        """The digests of the factors."""

    @property
    def rows(self) -> int:
        """The number of bars."""

    @property
    def basis(self) -> Basis:
        """What the values depend on."""

    @property
    def version(self) -> int:
        """A version of the dataset that they belong to."""

    def gather(self, digests: Sequence[str], rows: Index | slice) -> Sequence[Array]:
        """The values of these factors on these bars, missing as NaN."""


class FileEntry:
    """Values in a file."""

    def __init__(self, files: SegmentFiles, row: CacheFile) -> None:
        self._files = files
        self.row = row
        self.days = (row.first_day, row.last_day)
        self.factors = row.factors
        self.rows = row.rows
        self.version = row.version
        self.basis = Basis(tuple(row.columns), row.reach_first, row.reach_last, row.input)

    def gather(self, digests: Sequence[str], rows: Index | slice) -> Sequence[Array]:
        """See `Entry`."""
        segment = self._files.open(self.row.file, self.row.size, self.row.check)
        return segment.gather(digests, rows)


class MemoryEntry:
    """Values in memory, which are not written yet, or cannot be."""

    def __init__(self, days: tuple[int, int], basis: Basis, version: int, values: Mapping[str, Array]) -> None:
        self.days = days
        self.basis = basis
        self.version = version
        self.values = values
        self.factors = list(values)
        self.rows = next(iter(values.values())).size

    @property
    def bytes(self) -> int:
        """What it takes."""
        return sum(array.nbytes for array in self.values.values())

    def gather(self, digests: Sequence[str], rows: Index | slice) -> Sequence[Array]:
        """See `Entry`."""
        if isinstance(rows, slice):
            return [self.values[digest][rows] for digest in digests]
        found = [np.empty(rows.size) for _ in digests]

        def take(column: int) -> None:
            np.take(self.values[digests[column]], rows, out=found[column], mode="clip")

        for_each_of(take, range(len(digests)), rows.size)
        return found


class Held(NamedTuple):
    """The entries of one factor, and what tells them from those of another."""

    entries: tuple[Entry, ...]
    key: tuple[int, ...]


NOTHING = Held((), ())


class Entries:
    """The entries that hold for one view, by factor."""

    def __init__(self, view: View, entries: Iterable[Entry]) -> None:
        self._view = view
        self._by_factor: dict[str, Held] = {}
        self._covered: dict[tuple[int, ...], Days] = {}
        self.stale: dict[str, list[Entry]] = {}
        groups: dict[tuple[bool, tuple[str, ...]], list[Entry]] = {}
        for entry in entries:
            groups.setdefault((entry.basis.fits(view), tuple(entry.factors)), []).append(entry)
        for (fits, factors), some in groups.items():
            if fits:
                self._add(factors, some)
                continue
            for digest in factors:
                self.stale.setdefault(digest, []).extend(some)

    def add(self, entry: Entry) -> None:
        """Add an entry that was just made."""
        self._add(entry.factors, [entry])

    def _add(self, digests: Iterable[str], some: Sequence[Entry]) -> None:
        """Add entries to factors; what others are reading stays as it is."""
        made: dict[int, Held] = {}  # the same for many factors
        for digest in digests:
            old = self._by_factor.get(digest, NOTHING)
            if id(old) not in made:
                entries = (*old.entries, *some)
                made[id(old)] = Held(entries, tuple(map(id, entries)))
            self._by_factor[digest] = made[id(old)]

    def alike(self, digests: Iterable[str]) -> list[list[str]]:
        """Factors in groups whose values are in the same entries."""
        groups: dict[tuple[int, ...], list[str]] = {}
        for digest in digests:
            groups.setdefault(self._by_factor.get(digest, NOTHING).key, []).append(digest)
        return list(groups.values())

    def covered(self, digest: str) -> Days:
        """For each day of the view, whether the values of a factor are at hand."""
        entries, key = self._by_factor.get(digest, NOTHING)
        if key not in self._covered:  # the same for many factors
            steps = np.zeros(self._view.days.size + 1, np.int64)
            for entry in entries:
                first, last = np.searchsorted(self._view.days, [entry.days[0], entry.days[1] + 1])
                steps[first] += 1
                steps[last] -= 1
            self._covered[key] = np.cumsum(steps[:-1]) > 0
        return self._covered[key]

    def choose(self, digest: str, wanted: Days) -> tuple[tuple[Entry, int, int], ...]:
        """Entries, each with the first and last day that it is read for, so that every wanted day is read once."""
        return tuple(self._chosen(self._by_factor.get(digest, NOTHING).entries, wanted))

    def _chosen(self, entries: Sequence[Entry], wanted: Days) -> Iterator[tuple[Entry, int, int]]:
        days = self._view.days
        numbers = np.flatnonzero(wanted)
        place = 0
        while place < numbers.size:
            day = int(days[numbers[place]])
            best: Any = max(
                (each for each in entries if each.days[0] <= day <= each.days[1]), key=lambda each: each.days[1]
            )
            place = int(np.searchsorted(days[numbers], best.days[1], side="right"))
            yield best, day, int(days[numbers[place - 1]])
