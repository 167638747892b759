"""Values of selections in memory, by the bars that they depend on: later versions that have the same find them."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence

import polars as pl

from factorloom.engine.bars.selection import Selection
from factorloom.storage.entry import Days, Entries
from factorloom.storage.gather import Rows, selected
from factorloom.storage.tier import Tiers
from factorloom.storage.view import View

__all__ = ["Selections"]

MAX_ROWS, KEPT_ROWS, KEPT = 1 << 18, 1 << 20, 1 << 10
"""The keys of selections of at most so many bars are kept, the last ones: of so many bars, and so many, in all."""

MAX_NUMBERS = 1 << 14
"""So many selections, each with what its values were read from, have a number."""

NONE = -1
"""The number of a selection whose values are not all at hand."""

SHARE = 4
"""Values that take more than this part of the limit are not kept: they would drive out most of what is there."""


class Selections:
    """The selections of one store that are in memory: their keys, and values."""

    def __init__(self, tiers: Tiers) -> None:
        self._tiers = tiers
        self._rows: OrderedDict[Hashable, Rows] = OrderedDict()
        self._bars = 0
        self._numbers: OrderedDict[Hashable, int] = OrderedDict()
        self._next = itertools.count()
        self._lock = threading.Lock()

    def rows(self, view: View, selection: Selection, wanted: Days) -> Rows:
        """The keys of the selected bars."""
        key = _content(view, selection, wanted)
        with self._lock:
            if key in self._rows:
                self._rows.move_to_end(key)
                return self._rows[key]
        rows = selected(view, selection, wanted)
        if rows.days.size <= MAX_ROWS:
            with self._lock:
                if key not in self._rows:
                    self._rows[key] = rows
                    self._bars += rows.days.size
                while self._bars > KEPT_ROWS or len(self._rows) > KEPT:
                    self._bars -= self._rows.popitem(last=False)[1].days.size
        return rows

    def get(
        self, view: View, selection: Selection, wanted: Days, entries: Entries, digests: Sequence[str]
    ) -> dict[str, pl.Series]:
        """The values that are in memory, by digest of factor."""
        numbers = self._numbered(view, selection, wanted, entries, digests)
        found = self._tiers.get((numbers.get(digest, NONE), digest) for digest in digests)
        return {digest: values for (_, digest), values in found.items()}

    def put(
        self,
        view: View,
        selection: Selection,
        wanted: Days,
        entries: Entries,
        values: Mapping[str, pl.Series],
    ) -> None:
        """Keep values that were read from these entries, unless they are too many."""
        numbers = self._numbered(view, selection, wanted, entries, list(values))
        if sum(8 * values[digest].len() for digest in numbers) * SHARE <= self._tiers.hot.limit:
            for digest, number in numbers.items():
                self._tiers.put((number, digest), values[digest])

    def where(self, view: View, selection: Selection, wanted: Days, entries: Entries, digest: str) -> str | None:
        """The tier in memory that has the values of a factor."""
        numbers = self._numbered(view, selection, wanted, entries, [digest])
        return self._tiers.where((numbers[digest], digest)) if numbers else None

    def forget(self) -> None:
        """Let go of everything."""
        self._tiers.clear()
        with self._lock:
            self._rows.clear()
            self._bars = 0
            self._numbers.clear()

    def _numbered(
        self, view: View, selection: Selection, wanted: Days, entries: Entries, digests: Sequence[str]
    ) -> dict[str, int]:
        """For each factor whose values are all at hand, the number of the selection as read from where they are."""
        content = _content(view, selection, wanted)
        numbers: dict[str, int] = {}
        for some in entries.alike(digests):
            if not (wanted & ~entries.covered(some[0])).any():
                parts = entries.choose(some[0], wanted)
                number = self._number((content, tuple((entry.days, entry.basis, *read) for entry, *read in parts)))
                numbers |= dict.fromkeys(some, number)
        return numbers

    def _number(self, key: Hashable) -> int:
        with self._lock:
            number = self._numbers.pop(key, None)
            self._numbers[key] = number = next(self._next) if number is None else number
            while len(self._numbers) > MAX_NUMBERS:
                self._numbers.popitem(last=False)
        return number


def _content(view: View, selection: Selection, wanted: Days) -> Hashable:
    """What tells the selected bars of a view from all others that this store has seen."""
    days = view.days[wanted]
    first, last = (int(days[0]), int(days[-1])) if days.size else (1, 0)
    return view.dataset, selection, first, last, view.digest((), first, last)
