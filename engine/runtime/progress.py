"""Progress of long work: bars on a terminal, one line elsewhere; on stderr, so that data on stdout stays clean."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from factorloom.engine.runtime.observer import Observer

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["COMPILING", "LINE", "Bar", "Line", "default_observer"]

COMPILING = "compiling kernels"
"""The task that takes long only once; where no bar can be drawn, a line says so."""

LINE = "factorloom: compiling kernels, which later runs find on disk"

PATIENCE = 0.5
"""Seconds before a bar is drawn: short work stays quiet."""

LONGER = 1.0
"""Seconds before a line is written."""


class Bar(Observer):
    """An observer that draws a progress bar for every task that takes longer than a moment."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Progress | None = None
        self._started = 0.0

    @contextmanager
    def task(self, name: str, parts: int) -> Iterator[None]:
        """Draw a bar while the work goes on."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar.add_task(name, total=parts)
        self._started = time.monotonic()
        try:
            yield
        finally:
            self._bar.stop()

    def advance(self) -> None:
        """Move the bar on."""
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0])
            if not self._bar.live.is_started and time.monotonic() - self._started > PATIENCE:
                self._bar.start()
        super().advance()


class Line(Observer):
    """An observer that writes one line where kernels are compiled and that takes longer than a moment."""

    @contextmanager
    def task(self, name: str, parts: int) -> Iterator[None]:
        """Write the line unless the work ends before."""
        timer = threading.Timer(LONGER, lambda: print(LINE, file=sys.stderr, flush=True))  # noqa: T201
        timer.daemon = True
        if name == COMPILING:
            timer.start()
        try:
            yield
        finally:
            timer.cancel()


def default_observer() -> Observer:
    """A progress bar on a terminal; in notebooks and elsewhere a line where kernels are compiled."""
    return Bar() if sys.stderr.isatty() else Line()
