"""Trying indicators out: what compiled code would get wrong in silence is an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import factorloom as fl
from factorloom.expressions.errors import ArgumentError, FactorloomError, IndicatorError, LookaheadError, WindowError
from factorloom.expressions.registry import OPERATORS
from tests.oracle import Array


def unwritten(x: Array, out: Array) -> None:
    for i in range(1, x.size):
        out[i] = x[i]


def peeking(x: Array, out: Array) -> None:
    for i in range(x.size):
        out[i] = x[min(i + 1, x.size - 1)]


def wrapping(x: Array, out: Array) -> None:
    for i in range(x.size):
        out[i] = x[i] - x[i - 1]


def demeaned(x: Array, out: Array) -> None:
    out[:] = x - np.nanmean(x)


def overrun(x: Array, window: fl.Window, out: Array) -> None:
    for i in range(x.size):
        out[i] = x[i + window]


def remembering(x: Array, out: Array) -> None:
    total = 0.0
    for i in range(x.size):
        total += 0.0 if np.isnan(x[i]) else x[i]
        out[i] = total


def writing(x: Array, out: Array) -> None:
    for i in range(x.size):
        x[i] = out[i] = 0.0


def dividing(x: Array, out: Array) -> None:
    count = 0
    for i in range(x.size):
        out[i] = 1 / count


def adding(x: Array, out: Array) -> None:
    for i in range(x.size):
        out[i] += x[i]


FAULTS = [
    (unwritten, IndicatorError, r"uses out\[0\] before it is written, or never writes it"),
    (adding, IndicatorError, r"uses out\[0\] before it is written, or never writes it"),
    (peeking, LookaheadError, r"looks ahead: out\[0\] is \S+ when bar 0 is the last one"),
    (wrapping, LookaheadError, r"looks ahead: out\[0\]"),
    (demeaned, LookaheadError, "looks ahead"),
    (overrun, IndicatorError, "fails on 120 bars, window=5: IndexError"),
    (remembering, IndicatorError, r"needs more than 0 bars before the current one: out\[\d+\] changes"),
    (writing, IndicatorError, "read-only"),
    (dividing, IndicatorError, "ZeroDivisionError"),
]


@pytest.mark.parametrize(("loop", "kind", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_what_compiled_code_would_get_wrong_is_found(loop: Any, kind: type[FactorloomError], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        fl.indicator(lookback=lambda **_: 0)(loop)
    assert loop.__name__ in caught.value.message
    assert loop.__name__ not in OPERATORS


def test_a_fault_that_random_walks_do_not_show_is_found_on_other_numbers() -> None:
    @fl.indicator(lookback=lambda window: window)
    def spike(x, window: fl.Window, out):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            out[i] = x[-1] if x[i] > 1e6 else x[i]

    fl.check_indicator(spike, range(100), window=3)
    with pytest.raises(LookaheadError, match=r"spike looks ahead: out\[7\]"):
        fl.check_indicator(spike, [*range(7), 2e6, *range(50)], window=3)
    with pytest.raises(WindowError, match="at least 1, got 0"):
        fl.check_indicator(spike, range(100), window=0)
    with pytest.raises(ArgumentError, match="missing a required argument"):
        fl.check_indicator(spike, window=3)
