"""Values that were just computed: small ones wait in memory, and are written together with later ones.

To publish a file takes tens of milliseconds, which many a small result does not. What waits is found like any other
value by the stores of this process that write too; it is written when there is more of it, before a store is closed,
and when the process ends. A killed process loses it: it can be computed again.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakValueDictionary

from factorloom.expressions.errors import StoreError
from factorloom.storage.backing import Backing
from factorloom.storage.entry import MemoryEntry
from factorloom.storage.tier import Tiers
from factorloom.storage.view import View
from factorloom.storage.write import Made, keep

__all__ = ["Keeper", "StoreWarning", "keeper_of"]

WAITING, WAITING_BYTES = 32, 1 << 23
"""So many results, or bytes, are written at once."""

MOST = 1 << 28
"""Values that could not be written are kept in memory up to so many bytes."""


class StoreWarning(UserWarning):
    """Values were computed, but could not be kept."""


class Held(NamedTuple):
    """Values that are not written yet."""

    view: View
    made: Made
    entry: MemoryEntry


class Keeper:
    """Keeps what is computed; the stores of a process that write one folder share one.

    Attributes
    ----------
    count
        How many results were ever kept.
    """

    def __init__(self) -> None:
        self.count = 0
        self._held: list[Held] = []
        self._new = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    def entries(self, dataset: str) -> list[MemoryEntry]:
        """The values of a dataset that are not written yet."""
        with self._lock:
            return [each.entry for each in self._held if each.view.dataset == dataset]

    def keep(self, backing: Backing, tiers: Tiers, view: View, made: Sequence[Made]) -> None:
        """Keep values; they are written when enough have come together."""
        limit = WAITING_BYTES if tiers.persistent is None else min(WAITING_BYTES, tiers.persistent // 16)
        with self._lock:
            self._held += [Held(view, each, each.entry(view)) for each in made]
            self._new += len(made)
            self.count += len(made)
            is_due = self._new >= WAITING or sum(each.entry.bytes for each in self._held[-self._new :]) >= limit
        if is_due:
            self.write(backing, tiers)

    def write(self, backing: Backing, tiers: Tiers, *, patient: bool = True) -> None:
        """Write all that is not written yet; where that cannot be, some of it stays in memory.

        A caller that is not patient does not wait for another writer, tries nothing for the second time, and is silent.
        """
        if not (patient or self._new):
            return
        with self._writing:
            with self._lock:
                some, self._new = self._held.copy(), 0
            if some and backing.is_written_here:
                try:
                    keep(backing, [each[:2] for each in some], tiers.persistent, tiers.dtype, None if patient else 0.0)
                except StoreError as error:
                    if patient:
                        warnings.warn(f"values were computed but not kept: {error}", StoreWarning, stacklevel=2)
                else:
                    with self._lock:
                        self._held = self._held[len(some) :]
            with self._lock:
                while len(self._held) > 1 and sum(each.entry.bytes for each in self._held) > MOST:
                    del self._held[0]

    def forget(self) -> None:
        """Let go of everything."""
        with self._writing, self._lock:
            self._held, self._new = [], 0


KEEPERS: WeakValueDictionary[tuple[str, str, bool], Keeper] = WeakValueDictionary()
LOCK = threading.Lock()


def keeper_of(backing: Backing, tiers: Tiers) -> Keeper:
    """The keeper of a folder."""
    key = backing.folder.name, tiers.dtype, backing.read_only
    with LOCK:
        keeper = KEEPERS.get(key)
        if keeper is None:
            keeper = KEEPERS[key] = Keeper()
        return keeper
