"""A worker process: compiles the shapes that it reads from its standard input, one a line, and answers each."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from queue import SimpleQueue

import factorloom.expressions.library
import factorloom.expressions.operators  # noqa: F401
from factorloom.engine.executor.native.kernel import compile_shape
from factorloom.engine.executor.native.shape import from_text
from factorloom.engine.runtime.cache import WRITING

__all__ = ["main"]


def main() -> None:
    """Compile until the input ends; then end at once, but not while a file is being written."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lines: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    while True:
        print(_answer(lines.get()), flush=True)  # noqa: T201


def _read(lines: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    with WRITING:
        os._exit(0)


def _answer(line: str) -> str:
    try:
        compile_shape(from_text(json.loads(line)))
    except Exception as error:
        return f"failed: {error!r}".replace("\n", " ")
    return "done"
