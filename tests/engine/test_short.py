"""Short windows that must be full, which have a loop of their own: against exact arithmetic on hard series."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import factorloom as fl
from factorloom.expressions.operators.loop.short import AHEAD, SHORT
from tests.engine.exact import Array, Line
from tests.engine.test_digits import panel_of, series
from tests.oracle import to_array

WINDOWS = (2, 3, 4, 7, SHORT, SHORT + 1)


def windows(x: Array, window: int) -> list[list[Fraction] | None]:
    """The values of every window, or nothing where one is missing or before the start."""
    ends = range(1, x.size + 1)
    parts = [x[end - window : end] if end >= window else np.array([np.nan]) for end in ends]
    return [None if np.isnan(part).any() else [Fraction(value) for value in part.tolist()] for part in parts]


def correlations(x: Array, y: Array, window: int) -> Array:
    pairs = zip(windows(x, window), windows(y, window), strict=True)
    return floats(None if a is None or b is None else Line(list(a), list(b)).value("corr") for a, b in pairs)


def means(x: Array, window: int) -> Array:
    weights = range(1, window + 1)
    return floats(
        None if values is None else sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)
        for values in windows(x, window)
    )


def floats(values: object) -> Array:
    return np.array([np.nan if value is None else float(value) for value in values])  # type: ignore[attr-defined]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", series())
def test_short_windows_hold_their_digits(name: str, window: int) -> None:
    x, y = series()[name]
    panel = panel_of({name: (x, y)})
    table = panel.compute(
        corr=fl.ts_corr(fl.col("x"), fl.col("y"), window), mean=fl.ts_decay_linear(fl.col("x"), window)
    )
    np.testing.assert_allclose(to_array(table["corr"]), correlations(x, y, window), rtol=0, atol=1e-13)
    apart, size = np.abs(to_array(table["mean"]) - means(x, window)), means(np.abs(x), window)
    np.testing.assert_array_equal(np.isnan(apart), np.isnan(size))
    assert (apart[~np.isnan(size)] <= 1e-13 * size[~np.isnan(size)]).all()


def test_stretches_that_are_summed_side_by_side_meet() -> None:
    """More bars than one stretch, and a last one that is not full."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 2 * AHEAD + 37))
    table = panel_of({"A": (x, y)}).compute(
        corr=fl.ts_corr(fl.col("x"), fl.col("y"), 5), mean=fl.ts_decay_linear(fl.col("x"), 5)
    )
    np.testing.assert_allclose(to_array(table["corr"]), correlations(x, y, 5), rtol=0, atol=1e-13)
    np.testing.assert_allclose(to_array(table["mean"]), means(x, 5), rtol=0, atol=1e-15)
