"""What the parts of a store's public interface share."""

from __future__ import annotations

import weakref

from factorloom.storage.backing import Backing
from factorloom.storage.calculator import Calculator
from factorloom.storage.query import Queries
from factorloom.storage.runs import Journal
from factorloom.storage.tier import Tiers

__all__ = ["Part"]


class Part:
    """One open store, of which each subclass offers some verbs."""

    def __init__(self, backing: Backing, tiers: Tiers) -> None:
        self._backing = backing
        self._tiers = tiers
        self._journal = Journal(backing.folder, read_only=backing.read_only)
        self._calculator = Calculator(backing, tiers)
        self._queries = Queries(backing)
        keeper = self._calculator.keeper
        weakref.finalize(self, keeper.write, backing, tiers)  # of a store that is never closed, at the latest at exit

    def _settle(self) -> None:
        """Write the values that wait in memory."""
        self._calculator.keeper.write(self._backing, self._tiers)
