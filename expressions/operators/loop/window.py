"""What the operators on windows share: their lookback, how a meaning reads a window, and sums in Polars.

The Polars forms add up the shifted series around a value of the window itself, because Polars' own rolling variance and
correlation lose digits at high price levels.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.operators.loop.noise import (
    denoised_products,
    denoised_products_column,
    denoised_scatter,
    denoised_scatter_column,
)
from factorloom.expressions.parameter import Count, Samples

__all__ = [
    "Array",
    "Joint",
    "Pair",
    "PairSamples",
    "added",
    "around_base",
    "around_median",
    "average",
    "centred",
    "count_of",
    "multiplied",
    "of_joint",
    "once",
    "paired",
    "powers_of",
    "present",
    "products_of",
    "spread_of",
    "where_enough",
    "window_bars",
]

Array: TypeAlias = npt.NDArray[np.float64]
Pair: TypeAlias = Annotated[int, Count(2, "the spread of one value is undefined")]
PairSamples: TypeAlias = Annotated[int | None, Samples(2)]


DEPTH = 32
"""So many terms of a sum or product are nested: Polars takes long for deeper expressions."""


def window_bars(window: int, **_: object) -> int:
    return window - 1


def present(x: Array) -> Array:
    """The present values of a window."""
    return x[~np.isnan(x)]


def paired(x: Array, y: Array) -> tuple[Array, Array]:
    """The values of two windows on the bars where both are present."""
    both = ~(np.isnan(x) | np.isnan(y))
    return x[both], y[both]


def average(values: Array) -> float:
    """The mean, exact for a constant and for whole numbers, so that equal windows have equal means."""
    first, n = float(values[0]), values.size
    total = float((values - first).sum())
    return first if total == 0 else (n * first + total) / n


def centred(values: Array) -> Array:
    """Deviations from the mean, with every digit kept at any price level, and exactly 0 where they are noise."""
    shifted: Array = values - values[0]
    deviations: Array = shifted - float(shifted.mean())
    squares = float((deviations * deviations).sum())
    return deviations if denoised_scatter(squares, float(values[0]) * values.size**0.5) > 0 else np.zeros(values.size)


def products_of(a: Array, b: Array) -> float:
    """The sum of products of two series of deviations, 0 where it is noise."""
    return denoised_products(float((a * b).sum()), float((a * a).sum()), float((b * b).sum()))


def around_median(values: Array) -> Array:
    """Deviations from the median, from those from the lower of the middle two, so that a high level costs no digits."""
    low = np.sort(values)[(values.size - 1) // 2]
    shifted: Array = values - low
    return shifted - float(np.median(shifted))


def count_of(x: pl.Expr, window: int) -> pl.Expr:
    return x.is_not_null().cast(pl.Float64).rolling_sum(window, min_samples=1)


def where_enough(value: pl.Expr, count: pl.Expr, min_samples: int) -> pl.Expr:
    return pl.when(count >= min_samples).then(value)


def added(terms: Sequence[pl.Expr], *, side_by_side: int = 1) -> pl.Expr:
    """The sum of terms, of which those that are missing count as 0, in the order of `short.py`.

    Polars' `sum_horizontal` adds in an order that changes from one run to the next. With `side_by_side=2`, all terms
    but the first are added two by two.
    """
    first, *rest = [term.fill_null(0.0) for term in terms]
    steps = [first, *(_chain(rest[k : k + side_by_side]) for k in range(0, len(rest), side_by_side))]
    return _chain([_chain(steps[k : k + DEPTH]) for k in range(0, len(steps), DEPTH)])


def multiplied(factors: Sequence[pl.Expr]) -> pl.Expr:
    """The product of factors."""
    parts = [functools.reduce(operator.mul, factors[k : k + DEPTH]) for k in range(0, len(factors), DEPTH)]
    return functools.reduce(operator.mul, parts)


def _chain(terms: list[pl.Expr]) -> pl.Expr:
    return functools.reduce(operator.add, terms)


def around_base(x: pl.Expr, window: int) -> tuple[pl.Expr, list[pl.Expr]]:
    """A value of the window itself, and every value of the window less that one."""
    base = x.forward_fill(limit=window - 1) if window > 1 else x
    return base, [x.shift(k) - base for k in range(window)]


def once(result: Callable[..., pl.Expr], *parts: pl.Expr) -> pl.Expr:
    """A cell-wise result of expressions that are each computed once, though it names them more than once."""
    names = [str(place) for place in range(len(parts))]
    columns = pl.struct([part.alias(name) for name, part in zip(names, parts, strict=True)])
    value = result(*map(pl.field, names)).alias("result")
    return columns.struct.with_fields(value).struct.field("result")


def spread_of(x: pl.Expr, window: int) -> tuple[pl.Expr, pl.Expr, pl.Expr, pl.Expr]:
    """Count, base, sum around the base, and `count` times the sum of squared deviations of every window."""
    base, deviations = around_base(x, window)
    count, total = count_of(x, window), added(deviations)
    squares = _scatter(count, [d * d for d in deviations], total * total)
    return count, base, total, once(denoised_scatter_column, squares, count * base)


def powers_of(x: pl.Expr, window: int) -> tuple[pl.Expr, pl.Expr, pl.Expr, pl.Expr, pl.Expr, pl.Expr]:
    """Count, a value of the window itself, and sums of the first four powers of the deviations from it."""
    base, deviations = around_base(x, window)
    squares = [d * d for d in deviations]
    cubes, fourths = [q * d for q, d in zip(squares, deviations, strict=True)], [q * q for q in squares]
    return (
        count_of(x, window),
        base,
        added(deviations),
        added(squares),
        added(cubes),
        added(fourths),
    )


class Joint(NamedTuple):
    """What the Polars forms on two inputs read, over the bars where both are present, as in `block.comoments`."""

    n: pl.Expr
    base_x: pl.Expr
    base_y: pl.Expr
    total_x: pl.Expr
    total_y: pl.Expr
    scatter_x: pl.Expr
    scatter_y: pl.Expr
    scatter_xy: pl.Expr


def of_joint(
    x: pl.Expr, y: pl.Expr, window: int, min_samples: int, result: Callable[[Joint, pl.Expr, pl.Expr], pl.Expr]
) -> pl.Expr:
    """The result of two inputs for windows with enough bars; it takes their moments and the current values."""
    both = x.is_not_null() & y.is_not_null()
    count = count_of(pl.when(both).then(x), window)
    base_x, deviations_x = around_base(pl.when(both).then(x), window)
    base_y, deviations_y = around_base(pl.when(both).then(y), window)
    sums = [added(deviations_x, side_by_side=2), added(deviations_y, side_by_side=2)]
    products = [
        added([a * b for a, b in zip(left, right, strict=True)], side_by_side=2)
        for left, right in (
            (deviations_x, deviations_x),
            (deviations_y, deviations_y),
            (deviations_x, deviations_y),
        )
    ]

    def compute(*columns: pl.Expr) -> pl.Expr:
        n, base_x, base_y, total_x, total_y, xx, yy, xy, x_now, y_now = columns
        scatter_x = denoised_scatter_column(n * xx - total_x * total_x, n * base_x)
        scatter_y = denoised_scatter_column(n * yy - total_y * total_y, n * base_y)
        scatter_xy = denoised_products_column(n * xy - total_x * total_y, scatter_x, scatter_y)
        joint = Joint(n, base_x, base_y, total_x, total_y, scatter_x, scatter_y, scatter_xy)
        return where_enough(result(joint, x_now, y_now), n, min_samples)

    return once(compute, count, base_x, base_y, *sums, *products, x, y)


def _scatter(count: pl.Expr, products: list[pl.Expr], totals: pl.Expr) -> pl.Expr:
    """`count` times the sum of products of deviations from the means, from sums around bases; exact for whole numbers.

    Not divided by `count`, so that a correlation of two bars is exactly 1 or -1.
    """
    return count * added(products) - totals
