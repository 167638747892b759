"""Scales, ticks, and the thinning of long series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scale", "date_ticks", "fitted", "sampled", "thinned", "ticks"]

Array = NDArray[np.float64]

LARGEST = 1e300
"""Beyond this, widths of scales would be infinite."""


@dataclass(frozen=True)
class Scale:
    """A straight line from values [low, high] to coordinates [start, stop]."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)

    def to(self, start: float, stop: float) -> Scale:
        """The same values on other coordinates."""
        return Scale(self.low, self.high, start, stop)


def fitted(values: Sequence[Array], start: float, stop: float, *, zero: bool = False) -> Scale:
    """A scale on which all finite values fit, from one round number to another; `zero` is then one of them.

    >>> import numpy as np
    >>> fitted([np.array([0.13, np.nan, 0.97])], 0, 100)
    Scale(low=0.0, high=1.0, start=0, stop=100)
    """
    flat = np.concatenate([np.ravel(each) for each in values]) if values else np.empty(0)
    flat = np.clip(flat[np.isfinite(flat)], -LARGEST, LARGEST)
    low, high = (float(flat.min()), float(flat.max())) if flat.size else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-9):
        pad = abs(high) * 0.5 or 1.0
        low, high = low - pad, high + pad
    step = _step(high - low, 8)
    return Scale(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, start, stop)


def ticks(scale: Scale, count: int = 4) -> tuple[list[float], float]:
    """Round values on a scale, and their distance."""
    step = _step(scale.high - scale.low, count)
    first = math.ceil(scale.low / step - 1e-6)
    last = math.floor(scale.high / step + 1e-6)
    return [number * step for number in range(first, last + 1)], step


def _step(width: float, count: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that cuts a width into at most `count` parts or so."""
    rough = width / count
    power = 10.0 ** math.floor(math.log10(rough))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= rough * 0.999)


def date_ticks(labels: Sequence[Sequence[str]], most: int = 7) -> list[tuple[int, str]]:
    """Places and labels of ticks along dates.

    Parameters
    ----------
    labels
        A text for every date, from coarse to fine (years, months, days). A tick stands where the text changes; the
        coarsest with three changes at least is taken.
    most
        The number of ticks; of more, every second, third, ... is taken.
    """
    found: list[tuple[int, str]] = []
    for texts in labels:
        found = [(place, text) for place, text in enumerate(texts) if place and text != texts[place - 1]]
        if len(found) >= 3:
            break
    if not found and labels and labels[-1]:
        found = [(0, labels[-1][0])]
    every = math.ceil(len(found) / most) if found else 1
    return found[::every]


def thinned(values: Array, points: int) -> tuple[NDArray[np.int64], list[int]]:
    """Places of the values that are drawn, and where a new stroke begins among them.

    The smallest and the largest value of each of `points / 2` equal parts are kept, and both ends of the series; a
    stroke ends where more values are missing in a row than a part has.

    >>> import numpy as np
    >>> places, starts = thinned(np.array([1.0, 5.0, np.nan, 2.0, 2.0, 2.0]), 4)
    >>> places.tolist(), starts
    ([0, 1, 3, 5], [0])
    """
    finite = np.isfinite(values)
    present = np.flatnonzero(finite)
    if not present.size:
        return present, []
    width = max(1, math.ceil(values.size / max(points // 2, 1)))
    kept = present
    if present.size > points:
        parts = np.full((math.ceil(values.size / width), width), np.nan)
        np.copyto(parts.reshape(-1)[: values.size], values, where=finite)
        known = np.isfinite(parts)
        drawn, rows = np.zeros(parts.shape, bool), np.arange(len(parts))
        drawn[rows, np.where(known, parts, np.inf).argmin(axis=1)] = True
        drawn[rows, np.where(known, parts, -np.inf).argmax(axis=1)] = True
        drawn &= known  # not those of a part without values
        drawn.reshape(-1)[present[[0, -1]]] = True
        kept = np.flatnonzero(drawn)
    return kept, _starts(kept, present, width)


def sampled(values: Array, points: int) -> tuple[NDArray[np.int64], list[int]]:
    """As `thinned`, for a series that is smooth: values at equal distances, the smallest, the largest, and both ends.

    >>> import numpy as np
    >>> sampled(np.array([0.0, 1.0, 2.0, 3.0, 9.0, 3.0, 2.0, 1.0, 0.0]), 3)[0].tolist()
    [0, 3, 4, 6, 8]
    """
    present = np.flatnonzero(np.isfinite(values))
    if present.size <= points:
        return present, [0] if present.size else []
    width = max(1, math.ceil(values.size / points))
    known = values[present]
    drawn = present % width == 0
    drawn[[0, known.argmin(), known.argmax(), -1]] = True
    kept = present[drawn]
    return kept, _starts(kept, present, width)


def _starts(kept: NDArray[np.int64], present: NDArray[np.int64], width: int) -> list[int]:
    """Where strokes begin: after more missing values in a row than a part has."""
    breaks = present[1:][present[1:] - present[:-1] > max(width, 5)]
    return [0, *sorted({int(place) for place in np.searchsorted(kept, breaks)} - {0, len(kept)})]
