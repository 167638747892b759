"""What the parts of a store's public interface share."""

from __future__ import annotations

import atexit
import os
from weakref import WeakSet

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
        OPEN.add(self)

    def _settle(self, *, patient: bool = True) -> None:
        """Write the values that wait in memory."""
        self._calculator.keeper.write(self._backing, self._tiers, patient=patient)


OPEN: WeakSet[Part] = WeakSet()


def _let_go() -> None:
    """Close what DuckDB holds and nobody is using: a forked process would crash when it collects it."""
    for part in list(OPEN):
        part._queries.close()
        part._backing.catalogs.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_let_go)


@atexit.register
def _settle_all() -> None:
    """Write what waits in stores that were never closed."""
    for part in list(OPEN):
        part._settle(patient=False)
