"""Observers: what a computation counts, and how it is ended from outside."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import factorloom as fl
from factorloom.engine.panel import Engine
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import for_each
from factorloom.expressions.errors import CancelledError

ENGINES: tuple[Engine, ...] = ("numba", "polars")
FACTORS = {"mean": fl.ts_mean(fl.close, 2), "rank": fl.cs_rank(fl.ts_delta(fl.close, 1)), "close": fl.close}


class Recorder(Observer):
    """Remembers every task, and how many parts of it were done."""

    def __init__(self, cancel_after: int | None = None) -> None:
        super().__init__()
        self.tasks: list[tuple[str, int]] = []
        self.done = 0
        self.cancel_after = cancel_after

    @contextmanager
    def task(self, name: str, parts: int) -> Iterator[None]:
        self.tasks.append((name, parts))
        with super().task(name, parts):
            yield

    def advance(self) -> None:
        self.done += 1
        if self.done == self.cancel_after:
            self.cancel()
        super().advance()


def market(symbols: int = 40, bars: int = 600) -> fl.Panel:
    rng = np.random.default_rng(3)
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 1) + pl.duration(days=bars - 1), eager=True)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (symbols, bars)), axis=1)).ravel()
    names = np.repeat([f"S{n:03}" for n in range(symbols)], bars)
    return fl.Panel.from_frame(pl.DataFrame({"symbol": names, "date": pl.concat([days] * symbols), "close": close}))


@pytest.mark.parametrize("engine", ENGINES)
def test_every_part_of_every_task_is_told(engine: Engine) -> None:
    recorder = Recorder()
    market().compute(FACTORS, engine=engine, observer=recorder)
    assert recorder.done == sum(parts for _, parts in recorder.tasks) > 0


def test_kernels_and_memory_are_counted_for_this_computation_alone() -> None:
    panel, counts = market(), []
    for _ in range(2):
        observer = Observer()
        panel.compute(FACTORS, observer=observer)
        counts.append((observer.kernels, observer.peak_bytes))
    assert counts[0] == counts[1]
    assert counts[0][0] > 0
    assert counts[0][1] >= 3 * 8 * panel.rows


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cancelled_computation_ends_and_the_next_is_right(engine: Engine) -> None:
    panel = market()
    expected = panel.compute(FACTORS)
    parts = Recorder()
    panel.compute(FACTORS, engine=engine, observer=parts)
    for cancel_after in range(1, parts.done + 1):
        with pytest.raises(CancelledError, match="was cancelled"):
            panel.compute(FACTORS, engine=engine, observer=Recorder(cancel_after))
    assert panel.compute(FACTORS).equals(expected)


def test_cancelled_before_it_starts_nothing_runs() -> None:
    observer = Recorder()
    observer.cancel()
    with pytest.raises(CancelledError):
        market().compute(FACTORS, observer=observer)
    assert (observer.tasks, observer.done, observer.kernels) == ([], 0, 0)


def test_a_cancelled_write_leaves_the_old_file(tmp_path: Path) -> None:
    panel, path = market(), tmp_path / "values.parquet"
    old = panel.write(path, FACTORS).collect()
    with pytest.raises(CancelledError):
        panel.write(path, {"other": fl.ts_mean(fl.close, 3)}, observer=Recorder(cancel_after=2))
    assert pl.read_parquet(path).equals(old)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_all_callers_share_one_pool() -> None:
    panel = market()
    expected = panel.compute(FACTORS)
    with ThreadPoolExecutor(8) as callers:
        results = list(callers.map(lambda _: panel.compute(FACTORS), range(16)))
    assert all(result.equals(expected) for result in results)
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("factorloom")]
    assert len(ours) <= (os.cpu_count() or 1)


def test_a_failing_item_ends_the_work_and_is_raised() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        done.append(number)
        if number == 3:
            raise ValueError("item 3")

    observer = Observer()
    with pytest.raises(ValueError, match="item 3"):
        for_each(work, range(1000), observer)
    assert len(done) < 1000
    for_each(done.append, range(10), Observer())


INTERRUPTED = """
import os, signal, sys, threading
import factorloom as fl
from tests.engine.test_observer import FACTORS, market

panel = market(400, 2500)
factors = {f"{name} {n}": fl.ts_rank(factor, 100 + n) for name, factor in FACTORS.items() for n in range(20)}
small = {"rank 0": factors["rank 0"]}
panel.compute(small)
panel.compute(factors, symbols=["S000"])
before = threading.active_count(), len(os.listdir("/proc/self/fd"))
expected = panel.compute(small)
for delay in map(float, sys.argv[1].split(",")):
    timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        panel.compute(factors)
        timer.join()
        print("finished")
    except KeyboardInterrupt:
        print("interrupted")
    timer.join()
    assert panel.compute(small).equals(expected)
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before
"""


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")
def test_an_interrupt_ends_a_computation_and_leaves_nothing() -> None:
    random.seed(5)
    delays = ",".join(f"{random.uniform(0.01, 0.5):.3f}" for _ in range(8))
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, delays],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert len(words) == 8
    assert "interrupted" in words


FORKED = """
import os
import factorloom as fl
panel = fl.example()
panel.compute(mean=fl.ts_mean(fl.close, 2))
child = os.fork()
if child == 0:
    try:
        panel.compute(mean=fl.ts_mean(fl.close, 2))
    except fl.errors.ForkedError:
        os._exit(7)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_of_a_process_that_has_computed_is_refused() -> None:
    """It would hang: the threads did not come along."""
    ignored = [sys.executable, "-W", "ignore", "-c", FORKED]
    assert subprocess.run(ignored, capture_output=True, text=True, timeout=120, check=True).stdout.strip() == "7"
