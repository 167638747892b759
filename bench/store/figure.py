"""Figures of a benchmark of the store, and the clocks that they are read from."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import msgspec

__all__ = ["Clock", "Figure", "Seconds", "figure", "median", "timed"]


class Seconds(msgspec.Struct, frozen=True):
    """Seconds by the clock on the wall, and of all processors."""

    wall: float
    cpu: float

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(self.wall + other.wall, self.cpu + other.cpu)

    def __sub__(self, other: Seconds) -> Seconds:
        return Seconds(self.wall - other.wall, self.cpu - other.cpu)


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One figure.

    Attributes
    ----------
    what
        What was measured.
    value, unit
        Seconds (`s`), or bytes (`B`), a number (`n`), a share (`%`).
    cpu
        Seconds of all processors.
    of, ratio
        What it is divided by, and the quotient.
    limit
        What the ratio, or the value where there is no ratio, should not exceed; or not fall below, with `at_least`.
    """

    what: str
    value: float
    unit: str = "s"
    cpu: float | None = None
    of: str = ""
    ratio: float | None = None
    limit: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the limit is kept; None without one."""
        if self.limit is None:
            return None
        found = self.value if self.ratio is None else self.ratio
        return found >= self.limit if self.at_least else found <= self.limit


class Clock:
    """Adds up the seconds of what is done under it.

    >>> clock = Clock()
    >>> with clock:
    ...     pass
    >>> clock.seconds.wall < 1
    True
    """

    def __init__(self) -> None:
        self.seconds = Seconds(0.0, 0.0)
        self._start = self.seconds

    def __enter__(self) -> Clock:
        self._start = Seconds(time.perf_counter(), time.process_time())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds += Seconds(time.perf_counter(), time.process_time()) - self._start


def timed(run: Callable[[], Any]) -> Seconds:
    """The time of one run, without freeing its result."""
    clock = Clock()
    with clock:
        result = run()
    del result
    return clock.seconds


def median(runs: Sequence[Seconds]) -> Seconds:
    """The median wall and CPU seconds."""
    return Seconds(statistics.median(each.wall for each in runs), statistics.median(each.cpu for each in runs))


def figure(
    what: str,
    runs: Sequence[Seconds],
    of: str = "",
    others: Sequence[Seconds] = (),
    *,
    limit: float | None = None,
    note: str = "",
) -> Figure:
    """The median of some runs; with others, the median of the ratios of pairs, or the ratio of the medians.

    >>> figure("copy", [Seconds(2.0, 2.0), Seconds(3.0, 3.0)], "read", [Seconds(1.0, 1.0), Seconds(1.0, 1.0)]).ratio
    2.5
    """
    middle, ratio = median(runs), None
    if len(others) == len(runs):
        ratio = statistics.median(one.wall / max(other.wall, 1e-9) for one, other in zip(runs, others, strict=True))
    elif others:
        ratio = middle.wall / max(median(others).wall, 1e-9)
    return Figure(what=what, value=middle.wall, cpu=middle.cpu, of=of, ratio=ratio, limit=limit, note=note)
