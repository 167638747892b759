"""Whether two readings of a formula differ in more than the order in which they add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["assert_the_same_but_for_rounding"]

Array = npt.NDArray[np.float64]
SEEDS = 200


def assert_the_same_but_for_rounding(
    got: Array, expected: Array, shaken: Callable[[np.random.Generator], Array], name: str
) -> None:
    """The same values to 1e-9 of the column's largest, and the same cells missing.

    Cells that differ, at most one in four, must hang on rounding, as the order of two correlations of ranks does that
    are equal but for it: `shaken` gives the values with every sum put off by noise, which must move them.
    """
    apart = ~_same(got, expected)
    assert apart.mean() < 0.25, name
    for seed in range(SEEDS):
        if not apart.any():
            break
        apart &= _same(shaken(Fitful(np.random.PCG64(seed))), expected)
    assert not apart.any(), f"{name}: {apart.sum()} cells"


def _same(got: Array, expected: Array) -> npt.NDArray[np.bool_]:
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=0)
    return np.isclose(got, expected, rtol=1e-9, atol=1e-9 * scale, equal_nan=True)


class Fitful(np.random.Generator):
    """Noise that leaves out every second sum or so, lest two that always change hide each other."""

    def uniform(self, *args: Any) -> Any:
        return super().uniform(*args) * self.integers(2)
