"""An end for work that may take for ever: the process itself ends, whatever it is doing."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from factorloom.expressions.errors import ParameterError

__all__ = ["within_seconds"]

FAILURE = 1


@contextmanager
def within_seconds(seconds: float | None) -> Iterator[None]:
    """Let the block run for so many seconds, then say so and end the process; a query cannot refuse that."""
    if seconds is None:
        yield
        return
    if not seconds > 0:
        raise ParameterError(f"timeout must be above 0 seconds, got {seconds}")
    timer = threading.Timer(seconds, _end, [seconds])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end(seconds: float) -> None:
    sys.stderr.write(f"factorloom: the query was ended after {seconds:g} seconds\n  hint: allow more with --timeout\n")
    sys.stderr.flush()
    os._exit(FAILURE)
