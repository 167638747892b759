"""How many values windows have, and their bounds: statistics of a whole series at once.

The maximum of 2 bars gives the maximum of 4, that of 8, and so on up to the window: each step combines every bar with
the one `step` bars before. A step is one pass without branches over arrays that stay in the processor's cache, so a
window of 252 bars costs little more than one of 5.
"""

from __future__ import annotations

import numpy as np

from factorloom.expressions.form import statistic
from factorloom.expressions.operators.loop.noise import NOISE
from factorloom.expressions.operators.loop.window import Array

__all__ = ["TIES", "counts", "highs", "lows", "widen_ago"]

TIES = ("oldest", "newest")
OLDEST = TIES.index("oldest")


@statistic("count")
def counts(x: Array, window: int, count: Array) -> None:
    """How many values every window has: a plain ramp where nothing is missing after the first value."""
    start = 0
    while start < x.size and x[start] != x[start]:
        start += 1
    count[:start] = 0.0
    values, counted = x[start:], count[start:]
    missing = 0
    for i in range(values.size):
        missing += values[i] != values[i]
    first = min(window, values.size)
    if missing == 0:
        for i in range(first):
            counted[i] = i + 1.0
        counted[first:] = window
        return
    n = 0
    for i in range(first):
        n += values[i] == values[i]
        counted[i] = n
    old, new, later = values[: values.size - first], values[first:], counted[first:]
    for i in range(new.size):
        n += new[i] == new[i]
        n -= old[i] == old[i]
        later[i] = n


@statistic("top")
def highs(x: Array, window: int, top: Array) -> None:
    """The largest value of every window, minus infinity for a window without values."""
    widen(x, window, 1.0, top)


@statistic("bottom")
def lows(x: Array, window: int, bottom: Array) -> None:
    """The smallest value of every window, infinity for a window without values."""
    widen(x, window, -1.0, bottom)
    for i in range(bottom.size):
        bottom[i] = -bottom[i]


def widen(x: Array, window: int, sign: float, best: Array) -> None:
    """The largest `sign * x` of every window."""
    now, wider = np.empty(x.size), np.empty(x.size)
    for i in range(x.size):
        now[i] = sign * x[i] if x[i] == x[i] else -np.inf
    width, last = 1, min(window, x.size)
    while width < last:
        step = min(width, last - width)
        _copy(now[:step], wider)
        old, new, both = now[: x.size - step], now[step:], wider[step:]
        for i in range(both.size):
            both[i] = old[i] if old[i] > new[i] else new[i]
        now, wider = wider, now
        width += step
    _copy(now, best)


def widen_ago(x: Array, window: int, sign: float, ties: int, ago: Array) -> None:
    """How many bars ago the largest `sign * x` of every window was; values tie as in `tie.py`."""
    now, wider = np.empty(x.size), np.empty(x.size)
    when, earlier = np.zeros(x.size), np.empty(x.size)
    for i in range(x.size):
        now[i] = sign * x[i] if x[i] == x[i] else -np.inf
    width, last = 1, min(window, x.size)
    while width < last:
        step = min(width, last - width)
        _copy(now[:step], wider)
        _copy(when[:step], earlier)
        old, new, both = now[: x.size - step], now[step:], wider[step:]
        when_old, when_new, when_both = when[: x.size - step], when[step:], earlier[step:]
        if ties == OLDEST:
            for i in range(both.size):
                is_old = old[i] >= new[i] - NOISE * abs(new[i])
                when_both[i] = when_old[i] + step if is_old else when_new[i]
        else:
            for i in range(both.size):
                is_old = old[i] - NOISE * abs(old[i]) > new[i]
                when_both[i] = when_old[i] + step if is_old else when_new[i]
        for i in range(both.size):
            both[i] = old[i] if old[i] > new[i] else new[i]
        now, wider, when, earlier = wider, now, earlier, when
        width += step
    _copy(when, ago)


def _copy(values: Array, out: Array) -> None:
    """Copy values to the start of `out`; for a slice, Numba would compile the texts of NumPy's errors."""
    for i in range(values.size):
        out[i] = values[i]
