"""Loops on the names of a date by quantile: who is where, and what they returned."""

from __future__ import annotations

import numpy as np

from factorloom.engine.bars.layout import Array
from factorloom.engine.research.evaluation.loop.place import COUNT, ERROR, MEAN
from factorloom.engine.research.evaluation.loop.section import Ints
from factorloom.engine.runtime.jit import any_order

__all__ = [
    "count_both",
    "count_entered",
    "gather",
    "gather_labelled",
    "mean",
    "order_by_quantile",
    "quantile_returns",
    "spread",
    "varied",
    "weighted_returns",
]


def order_by_quantile(buckets: Ints, places: Ints, order: Ints, edges: Ints) -> None:
    """Names by quantile, those without one last; `edges` is where each quantile starts, and the last one ends."""
    edges[:] = 0
    for k in range(buckets.size):
        if buckets[k] > 0:
            edges[buckets[k]] += 1
    for q in range(1, edges.size):
        edges[q] += edges[q - 1]
        places[q] = edges[q - 1]
    places[0] = edges[edges.size - 1]
    for k in range(buckets.size):
        order[places[buckets[k]]] = k
        places[buckets[k]] += 1


def count_entered(ranks: Ints, entered: Ints) -> int:
    """Names with a value that have an entry price."""
    count = np.int64(0)
    for k in range(np.uint64(ranks.size)):
        count += np.int64((entered[k] > 0) & (ranks[k] > 0))
    return int(count)


def count_both(ranks: Ints, y_ranks: Ints) -> int:
    both = np.int64(0)
    for k in range(np.uint64(ranks.size)):
        both += np.int64((ranks[k] > 0) & (y_ranks[k] > 0))
    return int(both)


def gather_labelled(
    x: Array, y: Array, y_ranks: Ints, order: Ints, edges: Ints, u: Array, v: Array, ends: Ints
) -> None:
    """The names that have a label too, by quantile, with new edges."""
    count = np.uint64(0)
    for q in range(edges.size - 1):
        ends[q] = count
        for i in range(np.uint64(edges[q]), np.uint64(edges[q + 1])):
            k = np.uint64(order[i])
            u[count] = x[k]
            v[count] = y[k]
            count += np.uint64(y_ranks[k] > 0)
    ends[edges.size - 1] = count


def varied(ranks: Ints) -> bool:
    """Whether not all names tie."""
    first = np.int32(0)
    for k in range(ranks.size):
        if ranks[k] > 0:
            if first > 0 and ranks[k] != first:
                return True
            first = ranks[k]
    return False


@any_order
def gather(x: Array, order: Ints, out: Array) -> float:
    """Values in the order of the names, and their mean: NaN where there are none."""
    for k in range(np.uint64(order.size)):
        out[k] = x[np.uint64(order[k])]
    total = 0.0
    for k in range(np.uint64(order.size)):
        total += out[k]
    return total / order.size


@any_order
def mean(x: Array) -> float:
    """The mean, NaN where there are no values."""
    total = 0.0
    for k in range(np.uint64(x.size)):
        total += x[k]
    return total / x.size


@any_order
def spread(x: Array, centre: float) -> tuple[float, float]:
    """Sums of squared and of absolute deviations."""
    squares, away = 0.0, 0.0
    for k in range(np.uint64(x.size)):
        u = x[k] - centre
        squares += u * u
        away += abs(u)
    return squares, away


@any_order
def quantile_returns(
    x: Array, y: Array, edges: Ints, centre_x: float, centre_y: float, by_quantile: Array, d: int
) -> tuple[float, float]:
    """Mean and standard error of each quantile; returns sums of products and of squares of deviations."""
    products, squares = 0.0, 0.0
    for q in range(edges.size - 1):
        total, square, product = 0.0, 0.0, 0.0
        for k in range(np.uint64(edges[q]), np.uint64(edges[q + 1])):
            v = y[k] - centre_y
            total += v
            square += v * v
            product += (x[k] - centre_x) * v
        products += product
        squares += square
        count = np.float64(edges[q + 1] - edges[q])
        by_quantile[MEAN, d, q] = centre_y + total / count if count > 0 else np.nan
        variance = max(square - total * total / count, 0.0) / (count - 1.0) if count > 1 else np.nan
        by_quantile[ERROR, d, q] = np.sqrt(variance / count) if count > 1 else np.nan
        by_quantile[COUNT, d, q] = count
    return products, squares


def weighted_returns(
    y: Array, y_ranks: Ints, buckets: Ints, weights: Array, sums: Array, by_quantile: Array, d: int
) -> None:
    sums[:] = 0.0
    for k in range(y.size):
        if buckets[k] > 0 and y_ranks[k] > 0:
            sums[0, buckets[k]] += weights[k]
            sums[1, buckets[k]] += weights[k] * y[k]
            sums[2, buckets[k]] += 1.0
    for q in range(by_quantile.shape[2]):
        mean = sums[1, q + 1] / sums[0, q + 1]
        by_quantile[MEAN, d, q] = mean if np.isfinite(mean) else np.nan
        by_quantile[ERROR, d, q] = np.nan
        by_quantile[COUNT, d, q] = sums[2, q + 1]
