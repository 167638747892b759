"""Processes killed at any moment: what was acknowledged is there, what was begun is there whole or not at all."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

from factorloom.storage.checkup import check_store
from factorloom.storage.store import open_store
from tests.storage import schedule
from tests.storage.process import start, wait_for
from tests.storage.schedule import State

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to kill with")

KILLS = 4 if settings().max_examples < 1_000 else 1_000
NURSERY = """
import os, traceback
from pathlib import Path
from tests.storage import schedule
say("ready")
for line in sys.stdin:
    where, seed, first = line.rsplit(" ", 2)
    child = os.fork()
    if child == 0:
        said = open(where + ".said", "w", buffering=1)
        try:
            schedule.run(where, int(seed), int(first), lambda number: said.write(f"{number}\\n"))
        except BaseException:
            Path(where + ".failed").write_text(traceback.format_exc())
        os._exit(1)
    say(child)
    os.waitpid(child, 0)
    say("dead")
"""
"""Forks a process for each store: all is imported, and nothing has run that forks badly."""


def test_killed_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was acknowledged is lost, nothing is half done, and the next process goes on."""
    schedule.set_small(monkeypatch.setattr)
    dice = random.Random(KILLS)
    nursery = start(NURSERY, tmp_path)
    wait_for(nursery, "ready")
    path, first = tmp_path, 0
    try:
        for number in range(KILLS):
            seed = number // 40
            if number % 40 == 0:
                path, first = tmp_path / f"store{seed}", 0
            last = last_step(nursery, path, seed, first, dice)
            first = check(path, seed, last)
    finally:
        nursery.communicate()


def last_step(nursery: subprocess.Popen[str], path: Path, seed: int, first: int, dice: random.Random) -> int:
    """Let a process do steps from one on, and kill it at some moment; returns the last one that it acknowledged."""
    assert nursery.stdin is not None and nursery.stdout is not None
    said = path.with_name(f"{path.name}.said")
    said.unlink(missing_ok=True)
    nursery.stdin.write(f"{path} {seed} {first}\n")
    nursery.stdin.flush()
    child = int(nursery.stdout.readline())
    wanted, deadline = dice.choice([0, 1, 2, 4, 8]), time.monotonic() + 60
    while len(acknowledged(said)) < wanted and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(dice.random() * (0.3 if wanted else 1.5))
    with suppress(ProcessLookupError):  # it has failed, and says so below
        os.kill(child, signal.SIGKILL)
    wait_for(nursery, "dead")
    failed = path.with_name(f"{path.name}.failed")
    assert not failed.exists(), failed.read_text()
    return max(acknowledged(said), default=first - 1)


def acknowledged(said: Path) -> list[int]:
    """The steps of whole lines."""
    return [int(line) for line in said.read_text().split("\n")[:-1]] if said.exists() else []


def check(path: Path, seed: int, last: int) -> int:
    """Compare a store with the states after its last step and after the one begun; returns the step to go on with."""
    states = State.after(seed, last + 1)
    with open_store(path) as store:
        found = State.of(store)
        assert found in states[-2:], f"schedule {seed}: neither the state after step {last} nor after {last + 1}"
        schedule.probe(store)
    assert check_store(path).is_empty()
    backup = schedule.backup_of(path)
    if (backup / "CURRENT").exists():
        with open_store(backup, read_only=True) as store:
            assert State.of(store) in states, f"schedule {seed}: the backup is no state up to step {last + 1}"
            schedule.probe(store)
        assert check_store(backup).is_empty()
    return last + 2 if found == states[-1] else last + 1
