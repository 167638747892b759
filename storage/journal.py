"""The log of a store's work: one row of `catalog.runs` for every load, compute and score.

A run that writes adds its row in its own transaction. A run that only reads must not wait for the writer, so its row
stays in memory until the next write, the next SQL query, or the end of the store.
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

Row = tuple[object, ...]

MAX_PENDING = 100
"""Rows kept in memory before an attempt to write them: a service may run for long without writing."""


class Counters(msgspec.Struct, frozen=True):
    """Cache hits and misses of one store object.

    Attributes
    ----------
    hits, misses
        Factor columns read from the cache; factor columns computed.
    kernel_runs
        Kernels run for the misses.
    """

    hits: int = 0
    misses: int = 0
    kernel_runs: int = 0


class Run:
    """One call of a verb, timed from its start."""

    def __init__(self, verb: str, dataset: str) -> None:
        self.verb = verb
        self.dataset = dataset
        self.started = now()
        self.hits = 0
        self.misses = 0
        self.kernel_runs = 0
        self._clock = time.perf_counter()

    def row(self, entry: Dataset, rows: int) -> Row:
        """The run, ended now, as a row of `catalog.runs`."""
        seconds = time.perf_counter() - self._clock
        return (self.verb, self.dataset, entry.version, self.started, seconds, rows, self.hits, self.misses)


class Journal:
    """The counters and runs of one store object, and its writing transactions."""

    def __init__(self, database: Database) -> None:
        self.counters = Counters()
        self._database = database
        self._pending: list[Row] = []
        self._lock = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """A transaction that also writes the pending rows."""
        rows: list[Row] = []
        try:
            with self._database.writing() as cursor:
                yield cursor
                rows = self._take()
                _insert(cursor, rows)
        except BaseException:
            with self._lock:
                self._pending[:0] = rows
            raise

    def record(self, cursor: Cursor, run: Run, entry: Dataset, rows: int) -> None:
        """Add the row of a run to the transaction that did its work."""
        _insert(cursor, [run.row(entry, rows)])

    def defer(self, run: Run, entry: Dataset, rows: int) -> None:
        """Count a run and keep its row for a later write; a read-only store drops the row."""
        self.count(run)
        if self._database.read_only:
            return
        with self._lock:
            self._pending.append(run.row(entry, rows))
        if len(self._pending) >= MAX_PENDING:
            self.flush(wait=False)

    def count(self, run: Run) -> None:
        """Add a run to the counters."""
        with self._lock:
            old = self.counters
            self.counters = Counters(old.hits + run.hits, old.misses + run.misses, old.kernel_runs + run.kernel_runs)

    def flush(self, *, wait: bool) -> None:
        """Write the pending rows; without `wait`, only if no other thread is writing."""
        if not self._pending or self._database.read_only or not self._database.write_lock.acquire(blocking=wait):
            return
        try:
            with self.writing():
                pass
        finally:
            self._database.write_lock.release()

    def _take(self) -> list[Row]:
        with self._lock:
            rows, self._pending = self._pending, []
        return rows


def _insert(cursor: Cursor, rows: list[Row]) -> None:
    for row in rows:
        cursor.execute("INSERT INTO catalog.runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", list(row))
