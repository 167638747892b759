"""Processes side by side: readers never wait, writers take turns, and what is killed loses nothing that was stored."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from factorloom.expressions.errors import StoreError
from factorloom.expressions.parse import parse
from factorloom.storage.lock import locked
from factorloom.storage.store import open_store
from tests.storage.process import start, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to kill with")

BARS = pl.DataFrame({"symbol": ["A", "B"], "date": ["2024-01-02"] * 2, "close": [1.0, 2.0]})
TWICE = {"twice": parse("close * 2")}


def test_a_store_that_is_open_elsewhere_is_read_and_written(path: Path) -> None:
    code = """
store = open_store(path)
store.load("theirs", simulate(symbols=3, years=1))
say("loaded"); sys.stdin.readline()
say(store.version("ours")); say(store.sql("select count(*) from bars.ours").item())
"""
    other = start(code, path)
    try:
        wait_for(other, "loaded")
        with open_store(path) as store:
            assert store.load("ours", BARS).version == 1
            assert store.compute("theirs", TWICE).height > 0
            assert store.datasets()["name"].to_list() == ["ours", "theirs"]
    finally:
        out, _ = other.communicate("go\n")
    assert out.split() == ["1", "2"]


def test_readers_do_not_wait_for_a_writer_and_a_second_writer_fails_or_waits(path: Path) -> None:
    with open_store(path) as store:
        store.load("demo", BARS)
    holder = start(
        """
from factorloom.storage.lock import locked
store = open_store(path)
with locked(store._backing.folder, wait=0):
    say("locked"); sys.stdin.readline()
""",
        path,
    )
    try:
        wait_for(holder, "locked")
        with open_store(path, wait=0) as store:
            assert store.sql("SELECT count(*) FROM bars.demo").item() == 2
            with pytest.raises(StoreError, match=f"is being written by process {holder.pid}"):
                store.load("demo", BARS.with_columns(close=pl.lit(3.0)))
            assert store.compute("demo", TWICE)["twice"].to_list() == [2.0, 4.0]
            with pytest.warns(UserWarning, match="computed but not kept"):
                store.close()
        waiting = start(
            """
store = open_store(path)
say("open")
say(store.load("demo", pl.DataFrame({"symbol": ["A"], "date": ["2024-01-03"], "close": [3.0]})).version)
""",
            path,
        )
        wait_for(waiting, "open")
        time.sleep(1.5)
    finally:
        holder.communicate("done\n")
    out, said = waiting.communicate()
    assert out.strip() == "2"
    assert said.strip() == f"factorloom: waiting for process {holder.pid} that writes {path}"


def test_the_lock_ends_with_its_process(path: Path) -> None:
    code = """
from factorloom.storage.lock import locked
store = open_store(path)
with locked(store._backing.folder, wait=0):
    say("locked"); time.sleep(600)
"""
    holder = start(code, path)
    wait_for(holder, "locked")
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    with open_store(path) as store, locked(store._backing.folder, wait=0):
        pass


@pytest.mark.parametrize("step", ["write_segment", "record_version"])
def test_killed_while_loading(path: Path, step: str) -> None:
    """The process is killed before, or after, the new bars are written."""
    with open_store(path) as store:
        store.load("demo", BARS)
    code = f"""
from factorloom.storage import dataset
def stop(*arguments, **more):
    say("inside"); time.sleep(600)
dataset.{step} = stop
open_store(path).load("demo", simulate(symbols=300, years=2))
"""
    victim = start(code, path)
    wait_for(victim, "inside")
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    with open_store(path) as store:
        assert store.version("demo") == 1
        assert store.panel("demo").frame["close"].to_list() == [1.0, 2.0]
        store.load("demo", BARS.with_columns(close=pl.lit(3.0)))
        assert store.version("demo") == 2


def test_killed_after_loading(path: Path) -> None:
    """A load that returned is stored, although the store was never closed."""
    victim = start("store = open_store(path); store.load('demo', simulate(50, 1)); say('done'); time.sleep(600)", path)
    wait_for(victim, "done")
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    with open_store(path, read_only=True) as store:
        assert store.datasets()["symbols"].to_list() == [50]
        assert store.sql("SELECT verb FROM catalog.runs")["verb"].to_list() == ["load"]


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    """Each process loads four versions of its own dataset and of a common one."""
    code = """
for version in range(1, 5):
    with open_store(path) as store:
        frame = pl.DataFrame({"symbol": [sys.argv[2]], "date": [f"2024-01-0{version}"], "close": [version + 1.0]})
        assert store.load(f"d{sys.argv[2]}", frame).version == version
        store.load("common", frame)
"""
    processes = [start(code, path, str(number)) for number in range(3)]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    with open_store(path) as store:
        assert store.datasets().select("name", "version", "rows").rows() == [
            *(("common", 12, 12), ("d0", 4, 4), ("d1", 4, 4), ("d2", 4, 4)),
        ]


def test_a_process_may_fork_while_a_store_is_open(path: Path) -> None:
    """What the child inherits of DuckDB, and collects, must not end it; the parent goes on as before."""
    code = """
import gc, os, warnings
warnings.simplefilter("ignore")
store = open_store(path)
store.load("demo", simulate(symbols=3, years=1))
store.compute("demo", twice="close * 2"); store.sql("from catalog.datasets")
child = os.fork()
if child == 0:
    del store; gc.collect(); sys.exit(3)
say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
say(store.sql("select count(*) from catalog.datasets").item())
say(store.load("demo", simulate(symbols=4, years=1)).version)
"""
    out, said = start(code, path).communicate(timeout=120)
    assert out.split() == ["3", "1", "2"], said
