"""Rounding and clipping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ParameterError
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.parameter import Real, Value, Whole

__all__ = ["ceil", "clip", "floor", "round"]

Array: TypeAlias = npt.NDArray[np.float64]
Column = TypeVar("Column", Array, pl.Expr)
Digits: TypeAlias = Annotated[int, Whole(-15, 15)]

WHOLE = 2.0**52
"""From this size on every Float64 is a whole number."""


class _Upper(Real):
    """An upper limit: not below the lower one."""

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        upper, lower = super().check(name, value, others), others["lower"]
        assert isinstance(upper, float) and isinstance(lower, float)
        if upper < lower:
            raise ParameterError(f"{name} must not be below lower ({lower:g}), got {upper:g}")
        return upper


@operator(Axis.CELL)
def round(x: Input, *, digits: Digits = 0) -> Factor:
    """`x` rounded to `digits` digits after the point, or before it where `digits` is negative.

    Halves go to the even neighbour, as in Python and NumPy: 0.5 to 0, 1.5 to 2. With digits, the
    Float64 `x * 10 ** digits` is rounded, as NumPy does.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.round(fl.close / 4, digits=1)))
    date           A    B    C
    2024-01-02   2.5  5.0    -
    2024-01-03   2.8  4.8  1.2
    2024-01-04   3.0  5.5  1.8
    """


@round.meaning
def _(x: Array, digits: int) -> Array:
    scaled = _scaled(x, digits)
    return np.where(np.abs(scaled) < WHOLE, _scaled(np.rint(scaled), -digits), x)


@round.polars
def _(x: pl.Expr, digits: int) -> pl.Expr:
    scaled = _scaled(x, digits)
    return pl.when(scaled.abs() < WHOLE).then(_scaled(scaled.round(0, mode="half_to_even"), -digits)).otherwise(x)


@round.kernel
def _(x: Array, digits: int, out: Array) -> None:
    up, down = 10.0 ** max(digits, 0), 10.0 ** max(-digits, 0)
    for i in range(out.size):
        scaled = x[i] * up / down
        out[i] = np.rint(scaled) * down / up if np.abs(scaled) < WHOLE else x[i]


@operator(Axis.CELL)
def floor(x: Input) -> Factor:
    """The largest whole number that is not above `x`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.floor(fl.close / 4)))
    date           A    B    C
    2024-01-02   2.0  5.0    -
    2024-01-03   2.0  4.0  1.0
    2024-01-04   3.0  5.0  1.0
    """


floor.meaning(np.floor)


@floor.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.floor()


@operator(Axis.CELL)
def ceil(x: Input) -> Factor:
    """The smallest whole number that is not below `x`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ceil(fl.close / 4)))
    date           A    B    C
    2024-01-02   3.0  5.0    -
    2024-01-03   3.0  5.0  2.0
    2024-01-04   3.0  6.0  2.0
    """


ceil.meaning(np.ceil)


@ceil.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.ceil()


@operator(Axis.CELL)
def clip(x: Input, lower: Annotated[float, Real()], upper: Annotated[float, _Upper()]) -> Factor:
    """`x` clipped to the range from `lower` to `upper`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.clip(fl.close, 10, 20)))
    date            A     B     C
    2024-01-02   10.0  20.0     -
    2024-01-03   11.0  19.0  10.0
    2024-01-04   12.0  20.0  10.0
    """


@clip.meaning
def _(x: Array, lower: float, upper: float) -> Array:
    return np.minimum(np.maximum(x, lower), upper)


@clip.polars
def _(x: pl.Expr, lower: float, upper: float) -> pl.Expr:
    return x.clip(lower, upper)


@clip.kernel
def _(x: Array, lower: float, upper: float, out: Array) -> None:
    for i in range(out.size):
        out[i] = lower if x[i] < lower else upper if x[i] > upper else x[i]


def _scaled(x: Column, digits: int) -> Column:
    """`x` times a power of ten. Powers below 1 are not exact, so it is divided by their inverse."""
    return x * 10.0**digits if digits >= 0 else x / 10.0**-digits
