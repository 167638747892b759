"""How many processors are used."""

from __future__ import annotations

import os

from factorloom.expressions.errors import ArgumentError

__all__ = ["configure", "processors"]

_threads: int | None = None


def configure(*, threads: int | None = None) -> None:
    """Say how many threads the engine may use; None for as many as the process may run on.

    >>> import factorloom as fl
    >>> fl.configure(threads=1)
    >>> fl.configure(threads=None)
    """
    global _threads
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ArgumentError(f"threads must be a whole number of at least 1, got {threads!r}")
    _threads = threads


def processors() -> int:
    """The threads that were asked for, or the processors that the process may run on."""
    if _threads is not None:
        return _threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
