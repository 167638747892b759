"""The log of a store's work: a line of `runs.jsonl` for every load, compute, scan and score, and counters in memory."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from contextlib import suppress
from typing import Annotated, Any

import msgspec
import polars as pl

from factorloom.storage.catalog import now
from factorloom.storage.folder import Folder

__all__ = ["Counters", "Journal", "Run", "read_runs"]

SCHEMA: dict[str, Any] = {
    "verb": pl.String,
    "dataset": pl.String,
    "version": pl.Int64,
    "started": pl.Datetime("us"),
    "seconds": pl.Float64,
    "rows": pl.Int64,
    "hits": pl.Int64,
    "misses": pl.Int64,
}
LONGEST = 1 << 24
"""The log begins anew, and keeps the old one, when it has so many bytes."""


Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the log."""

    verb: str
    dataset: str
    version: Count
    started: Annotated[dt.datetime, msgspec.Meta(tz=False)]
    seconds: float
    rows: Count
    hits: Count
    misses: Count


class Counters(msgspec.Struct, frozen=True):
    """Cache hits and misses of one store object.

    Attributes
    ----------
    hits, misses
        Factors whose values were all at hand; factors of which some were computed.
    kernel_runs
        Kernels run for the misses.
    cells
        Values computed for the misses.
    """

    hits: int = 0
    misses: int = 0
    kernel_runs: int = 0
    cells: int = 0


class Run:
    """One call of a verb, timed from its start."""

    def __init__(self, verb: str, dataset: str) -> None:
        self.verb = verb
        self.dataset = dataset
        self.started = now()
        self.hits = 0
        self.misses = 0
        self.kernel_runs = 0
        self.cells = 0
        self._clock = time.perf_counter()

    def line(self, version: int, rows: int) -> bytes:
        """The run, ended now, as a line of the log."""
        seconds = time.perf_counter() - self._clock
        values = (self.verb, self.dataset, version, self.started, seconds, rows, self.hits, self.misses)
        return msgspec.json.encode(dict(zip(SCHEMA, values, strict=True))) + b"\n"


class Journal:
    """The counters and the log of one store object."""

    def __init__(self, folder: Folder, *, read_only: bool) -> None:
        self.counters = Counters()
        self._path = folder.runs
        self._read_only = read_only
        self._lock = threading.Lock()

    def record(self, run: Run, version: int, rows: int) -> None:
        """Count a run, and add its line; a store that is read only, or full, only counts."""
        with self._lock:
            old = self.counters
            self.counters = Counters(
                hits=old.hits + run.hits,
                misses=old.misses + run.misses,
                kernel_runs=old.kernel_runs + run.kernel_runs,
                cells=old.cells + run.cells,
            )
        if self._read_only:
            return
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(descriptor, run.line(version, rows))  # one write: lines of many processes do not mix
                if os.fstat(descriptor).st_size > LONGEST:
                    self._path.replace(self._path.with_suffix(".old.jsonl"))
            finally:
                os.close(descriptor)


def read_runs(folder: Folder) -> pl.DataFrame:
    """The log; a line that was cut by a killed process, or is damaged, is left out."""
    rows = []
    with suppress(OSError):
        for line in folder.runs.read_bytes().splitlines():
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                rows.append(msgspec.structs.astuple(msgspec.json.decode(line, type=Line)))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
