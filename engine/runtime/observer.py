"""What a computation reports while it runs, and how it is cancelled.

An `Observer` is handed down from the caller to whatever runs. Work comes in tasks of so many parts: after each part the
executor calls `advance`, which raises where somebody has called `cancel`. Compiled code looks at `stop` between two
kernels. Progress is drawn by a subclass (`progress.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from factorloom.expressions.errors import CancelledError

__all__ = ["Observer"]


class Observer:
    """Counts what one computation does, and can cancel it from another thread.

    Attributes
    ----------
    kernels : int
        How many kernels have run: one for every step and tile. Polars stages run none.
    peak_bytes : int
        The most memory that outputs and values between stages took, as far as kernels write them.

    Examples
    --------
    >>> import factorloom as fl
    >>> observer = fl.Observer()
    >>> frame = fl.example().compute(mean=fl.ts_mean(fl.close, 2), observer=observer)
    >>> observer.kernels > 0
    True
    """

    def __init__(self) -> None:
        self.kernels = 0
        self.peak_bytes = 0
        self._bytes = 0
        self.stop: npt.NDArray[np.uint8] = np.zeros(1, np.uint8)
        self._lock = threading.Lock()

    @contextmanager
    def task(self, name: str, parts: int) -> Iterator[None]:
        """Report a task of so many parts, which runs inside the `with` block."""
        yield

    def advance(self) -> None:
        """Report that a part of the task is done.

        Raises
        ------
        CancelledError
            Where the computation was cancelled.
        """
        self.check()

    def check(self) -> None:
        """Raise `CancelledError` where the computation was cancelled."""
        if self.stop[0]:
            raise CancelledError("the computation was cancelled", hint="start it again with a new observer")

    def cancel(self) -> None:
        """End the computation soon; it then raises `CancelledError`. May be called from any thread."""
        self.stop[0] = 1

    def ran(self, kernels: int) -> None:
        """Report that so many kernels have run."""
        with self._lock:
            self.kernels += kernels

    def hold(self, size: int) -> None:
        """Report that so many bytes were taken, or given back where negative."""
        with self._lock:
            self._bytes += size
            self.peak_bytes = max(self.peak_bytes, self._bytes)
