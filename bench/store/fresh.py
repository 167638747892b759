"""Requests to a store in a new process.

`ask` starts `python -m factorloom.bench.store.fresh`, writes a task to its stdin and reads the answer from its stdout,
both as JSON. Importing is not timed; opening the store is.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from factorloom.bench.process import environment, reply
from factorloom.bench.store.figure import Clock, Seconds, timed
from factorloom.bench.store.market import BARS, alpha158
from factorloom.engine.runtime.setting import configure
from factorloom.expressions.factor import Factor
from factorloom.storage.store import Store, open_store

__all__ = ["Answer", "Process", "Read", "Request", "Task", "ask", "digest"]

Request = dict[str, Any]
"""What `compute` takes besides factors: start, end, dates and symbols, dates as text."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to do.

    Attributes
    ----------
    path
        A store, or files of Parquet to read one after the other.
    requests
        One after the other; or, with `watch`, any of them for so many seconds.
    """

    path: str = ""
    files: list[str] = []
    factors: int | None = None
    requests: list[Request] = []
    watch: float = 0.0
    seed: int = 0


class Read(msgspec.Struct, frozen=True):
    """One answer while others may write.

    Attributes
    ----------
    first, last
        The version of the dataset before and after the request; the same where it names a version.
    digest
        Of the answer.
    wall
        Seconds from question to answer.
    blocked
        Those in which no thread of the process ran or waited for a processor.
    """

    request: int
    first: int
    last: int
    digest: str
    wall: float
    blocked: float


class Answer(msgspec.Struct, kw_only=True):
    """The seconds of each request, the first with opening the store; or what was read."""

    seconds: list[Seconds] = []
    reads: list[Read] = []
    errors: list[str] = []


class Process:
    """A new process on a task."""

    def __init__(self, task: Task) -> None:
        self._answer = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=self._answer,
            env=environment(**({"POLARS_MAX_THREADS": "1"} if task.watch else {})),
        )
        assert self._process.stdin is not None
        with self._process.stdin as stdin:
            stdin.write(msgspec.json.encode(task))

    @property
    def running(self) -> bool:
        """Whether it is still at work."""
        return self._process.poll() is None

    def answer(self) -> Answer:
        """What it found, once it has ended."""
        code = self._process.wait()
        with self._answer as file:
            file.seek(0)
            return Answer(errors=[f"a process exited with code {code}"]) if code else _decoded(file.read())


def _decoded(answer: bytes) -> Answer:
    return msgspec.json.decode(answer, type=Answer)


def ask(task: Task) -> Answer:
    """Do a task in a new process."""
    answer = Process(task).answer()
    if answer.errors:
        raise RuntimeError(answer.errors[0])
    return answer


def digest(values: pl.DataFrame) -> str:
    """A digest of values and their keys; missing is the same as NaN, and 0 as -0."""
    state = hashlib.blake2b(digest_size=16)
    for column in values.iter_columns():
        if column.dtype.is_float():
            state.update(np.ascontiguousarray(column.fill_null(float("nan")).to_numpy() + 0.0).tobytes())
        else:
            state.update("\0".join(column.cast(pl.String).to_list()).encode())
    return state.hexdigest()


def _done(task: Task) -> Answer:
    if task.files:
        return Answer(seconds=[timed(lambda file=file: pl.read_parquet(file)) for file in task.files])  # type: ignore[misc]
    factors = alpha158(task.factors)
    if task.watch:
        configure(threads=1)
        with open_store(task.path, read_only=True) as store:
            return _watched(store, factors, task)
    clock = Clock()
    with clock:
        store = open_store(task.path, read_only=True)
    seconds = [timed(lambda each=each: store.compute(BARS, factors, **each)) for each in task.requests]  # type: ignore[misc]
    store.close()
    return Answer(seconds=[clock.seconds + seconds[0], *seconds[1:]])


def _watched(store: Store, factors: Mapping[str, Factor], task: Task) -> Answer:
    """Ask again and again, every other time for a version by its number."""
    answer, choice = Answer(), random.Random(task.seed)
    for number in range(len(task.requests)):
        store.compute(BARS, factors, **task.requests[number])
    until = time.monotonic() + task.watch
    while time.monotonic() < until:
        number, named = choice.randrange(len(task.requests)), choice.random() < 0.5
        try:
            answer.reads.append(_read(store, factors, task.requests, number, named=named))
        except Exception as error:
            answer.errors.append(f"{type(error).__name__}: {error}")
    return answer


def _read(
    store: Store, factors: Mapping[str, Factor], requests: Sequence[Request], number: int, *, named: bool
) -> Read:
    first, ran, begun = store.version(BARS), _ran(), time.perf_counter()
    values = store.compute(BARS, factors, **requests[number], as_of=first if named else None)
    wall = time.perf_counter() - begun
    blocked = max(0.0, wall - (_ran() - ran))
    return Read(number, first, first if named else store.version(BARS), digest(values), wall, blocked)


def _ran() -> float:
    """Seconds for which threads of this process ran, or waited for a processor; those they ran where the system does
    not say more. A process that watches has one thread of each kind, so that hardly two are counted at a time."""
    total, threads = 0, 0
    for path in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError, ValueError):  # a thread that has just ended
            run, waited, _ = path.read_text().split()
            total, threads = total + int(run) + int(waited), threads + 1
    return total / 1e9 if threads else time.process_time()


if __name__ == "__main__":
    reply(Task, _done)
