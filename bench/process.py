"""What a process of a benchmark does: read a request, and write what comes of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

__all__ = ["reply"]

Request = TypeVar("Request")


def reply(kind: type[Request], work: Callable[[Request], Any]) -> None:
    """Read a request from stdin and write the result to stdout, both as JSON; what is printed goes to stderr."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=kind)
    with answer:
        answer.write(msgspec.json.encode(work(request)))
