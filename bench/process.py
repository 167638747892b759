"""What a process of a benchmark does: read a request, and write what comes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

__all__ = ["Outcome", "ask", "environment", "reply"]

Request = TypeVar("Request")


class Outcome(msgspec.Struct, kw_only=True):
    """What comes of a process; `error` says why there is nothing else."""

    error: str = ""


Answer = TypeVar("Answer", bound=Outcome)


def environment(**changes: str) -> dict[str, str]:
    """That of a new process, which keeps the bytecode of what it imports, as Python does unless it is told not to."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | changes


def ask(module: str, request: Any, kind: type[Answer]) -> Answer:
    """The reply of a module that runs in a new process; where that fails, a reply with the last line of its `error`."""
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=msgspec.json.encode(request),
        capture_output=True,
        check=False,
        env=environment(),
    )
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return kind(error=last[:200] or f"exited with code {done.returncode}")
    return msgspec.json.decode(done.stdout, type=kind)


def reply(kind: type[Request], work: Callable[[Request], Any]) -> None:
    """Read a request from stdin and write the result to stdout, both as JSON; what is printed goes to stderr."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=kind)
    with answer:
        answer.write(msgspec.json.encode(work(request)))
