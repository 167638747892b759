"""The record of what a store did: one line of `catalog.runs` for every load, compute and score.

A run that writes is recorded in its own transaction. A run that only reads must not wait for the writer, so
its line waits in memory until something is written, asked in SQL, or the store is closed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from factorloom.storage.catalog import Dataset, now
from factorloom.storage.database import Database
from factorloom.storage.sql import Cursor

__all__ = ["Counters", "Journal", "Run"]

Line = tuple[object, ...]

MANY = 100
"""Lines that may wait; a service that only reads writes them now and then."""


class Counters(msgspec.Struct, frozen=True):
    """What a store object has done so far.

    Attributes
    ----------
    hits, misses
        Factor columns served from the cache; computed.
    kernel_runs
        Kernels that ran for the misses.
    """

    hits: int = 0
    misses: int = 0
    kernel_runs: int = 0


class Run:
    """One call, timed from its start."""

    def __init__(self, verb: str, dataset: str) -> None:
        self.verb = verb
        self.dataset = dataset
        self.started = now()
        self.hits = 0
        self.misses = 0
        self.kernel_runs = 0
        self._clock = time.perf_counter()

    def line(self, entry: Dataset, rows: int) -> Line:
        """The run as a line of `catalog.runs`, ending now."""
        seconds = time.perf_counter() - self._clock
        return (self.verb, self.dataset, entry.version, self.started, seconds, rows, self.hits, self.misses)


class Journal:
    """Counts and lines of one store object, and the door through which it writes."""

    def __init__(self, database: Database) -> None:
        self.counters = Counters()
        self._database = database
        self._waiting: list[Line] = []
        self._lock = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """A transaction that also writes the waiting lines."""
        lines: list[Line] = []
        try:
            with self._database.writing() as cursor:
                yield cursor
                lines = self._take()
                _insert(cursor, lines)
        except BaseException:
            with self._lock:
                self._waiting[:0] = lines
            raise

    def record(self, cursor: Cursor, run: Run, entry: Dataset, rows: int) -> None:
        """Write the line of a run in the transaction of its own work."""
        _insert(cursor, [run.line(entry, rows)])

    def add(self, run: Run, entry: Dataset, rows: int) -> None:
        """Keep the line of a run until there is a chance to write it; a store open for reading has none."""
        self.count(run)
        if self._database.read_only:
            return
        with self._lock:
            self._waiting.append(run.line(entry, rows))
        if len(self._waiting) >= MANY:
            self.flush(wait=False)

    def count(self, run: Run) -> None:
        """Count what a run found and made."""
        with self._lock:
            seen = self.counters
            self.counters = Counters(seen.hits + run.hits, seen.misses + run.misses, seen.kernel_runs + run.kernel_runs)

    def flush(self, *, wait: bool) -> None:
        """Write the waiting lines; unless told to `wait`, only if nobody is writing."""
        if not self._waiting or self._database.read_only or not self._database.turn.acquire(blocking=wait):
            return
        try:
            with self.writing():
                pass
        finally:
            self._database.turn.release()

    def _take(self) -> list[Line]:
        with self._lock:
            lines, self._waiting = self._waiting, []
        return lines


def _insert(cursor: Cursor, lines: list[Line]) -> None:
    for line in lines:
        cursor.execute("INSERT INTO catalog.runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", list(line))
