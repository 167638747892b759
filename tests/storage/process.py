"""Run code on a store in other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PRELUDE = """
import sys, time
import polars as pl
from factorloom.storage.store import open_store
from factorloom.engine.bars.market import simulate
def say(word):
    print(word, flush=True)
path = sys.argv[1]
"""


def start(code: str, path: Path, *words: str) -> subprocess.Popen[str]:
    """Start a process that runs code on a store."""
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, str(path), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if line != word:
        process.kill()
        pytest.fail(f"expected {word!r}, got {line!r}: {process.communicate()[1]}")


def run(code: str, path: Path) -> str:
    """Run code on a store in another process; returns its output."""
    process = start(code, path)
    out, error = process.communicate()
    assert process.returncode == 0, error
    return out.strip()
