"""Progress bars for long work: on a terminal only, and on stderr, so that data on stdout stays clean."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress"]

PATIENCE = 0.5
"""Seconds before a bar is drawn: short work stays quiet."""


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[..., None]]:
    """Draw a bar while the block runs; the block calls what it is given after every step.

    >>> with progress("reading", total=2) as advance:
    ...     advance()
    ...     advance(1)
    """
    if not sys.stderr.isatty():
        yield lambda steps=1: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(description, total=total)
    started = time.monotonic()

    def advance(steps: int = 1) -> None:
        bar.advance(task, steps)
        if not bar.live.is_started and time.monotonic() - started > PATIENCE:
            bar.start()

    try:
        yield advance
    finally:
        bar.stop()
