"""Worker processes that compile kernels while this process does so too, and leave the code on disk for it.

A first run has many kernels to compile, each alone, and one process compiles one at a time. Workers are new
interpreters that import nothing of the caller's: scripts need no `if __name__ == "__main__":`, and no thread is forked.
What a worker does not know, such as an indicator of the caller's, is compiled here. Workers end with the standard input
that they read from, however this process ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from factorloom.engine.executor.native.shape import Shape, called_by, to_text
from factorloom.engine.runtime import cache
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import processors

__all__ = ["Crew"]

FEW = 3
"""Fewer kernels are compiled before a worker has started, which takes about a second."""

MOST = 8
"""Workers at most: each takes about 150 MB."""

PATIENCE = 2.0
"""Seconds that a worker has to finish writing a file when it is told to end."""

POLL = 0.05
"""Seconds between two looks at whether the computation was cancelled."""

COMMAND = "from factorloom.engine.executor.native.worker import main; main()"


class Crew:
    """The workers for some shapes, as a context that they do not outlive.

    Parameters
    ----------
    missing
        What is to be compiled, or loaded from disk.

    Attributes
    ----------
    count : int
        How many are not on disk, and so must be compiled.
    """

    def __init__(self, missing: Iterable[Shape]) -> None:
        shapes = sorted(missing, key=lambda shape: (-_weight(shape.function), shape.title))
        known = cache.titles() if shapes else set()
        self._kept = [shape for shape in shapes if shape.title in known]
        self._waiting = deque(shape for shape in shapes if shape.title not in known)
        self.count = len(self._waiting)
        self._done: SimpleQueue[Shape] = SimpleQueue()
        self._workers: list[subprocess.Popen[bytes]] = []
        self._feeders: list[threading.Thread] = []

    def __enter__(self) -> Crew:
        count = min(processors() - 1, len(self._waiting) // 2, MOST)
        if len(self._waiting) >= FEW and count > 0 and cache.folder() is not None:
            with contextlib.suppress(OSError):
                for _ in range(count):
                    self._hire()
        return self

    def __exit__(self, *error: object) -> None:
        self._waiting.clear()
        for worker in self._workers:
            assert worker.stdin is not None
            with contextlib.suppress(OSError):
                worker.stdin.close()
        for worker in self._workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(PATIENCE)
            worker.kill()
            worker.wait()
        for feeder in self._feeders:
            feeder.join()
        for worker in self._workers:
            assert worker.stdout is not None
            worker.stdout.close()

    def share(self, observer: Observer) -> Iterator[Shape]:
        """Every shape once: first those that are to be compiled here, then those whose code is on disk."""
        count = self.count
        while self._waiting:
            with contextlib.suppress(IndexError):
                shape = self._waiting.popleft()
                count -= 1
                yield shape
        yield from self._kept
        for _ in range(count):
            yield self._finished(observer)

    def _finished(self, observer: Observer) -> Shape:
        """The next shape that a worker is done with, whether it succeeded or not."""
        while True:
            try:
                return self._done.get(timeout=POLL)
            except Empty:
                observer.check()

    def _hire(self) -> None:
        """Start a worker, and a thread that hands it one shape after another."""
        places = [str(Path(__file__).parents[4]), *filter(None, sys.path)]
        variables = {"PYTHONPATH": os.pathsep.join(places), "POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        worker = subprocess.Popen(
            [sys.executable, "-P", "-c", COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | variables,
        )
        self._workers.append(worker)
        feeder = threading.Thread(target=self._feed, args=(worker,), name="factorloom-compile", daemon=True)
        self._feeders.append(feeder)
        feeder.start()

    def _feed(self, worker: subprocess.Popen[bytes]) -> None:
        stdin: Any = worker.stdin
        stdout: Any = worker.stdout
        answer = b"ready"
        while answer and self._waiting:
            with contextlib.suppress(IndexError):
                shape = self._waiting.popleft()
                try:
                    stdin.write(json.dumps(to_text(shape)).encode() + b"\n")
                    stdin.flush()
                    answer = stdout.readline()
                except (OSError, ValueError):  # it has ended, or has been told to
                    answer = b""
                finally:
                    self._done.put(shape)


def _weight(function: Any) -> int:
    """About how long a loop takes to compile: the size of its code and of what it calls."""
    return sum(len(each.__code__.co_code) for each in called_by(function))
