"""Loops on the names of a date by quantile: who is where, and what they returned."""

from __future__ import annotations

import numpy as np

from factorloom.engine.bars.layout import Array
from factorloom.engine.research.evaluation.loop.place import COUNT, ERROR, MEAN
from factorloom.engine.research.evaluation.loop.section import Ints

__all__ = [
    "count_both",
    "count_sizes",
    "gather_labelled",
    "mean",
    "order_by_quantile",
    "order_by_rank",
    "quantile_returns",
    "spread",
    "varied",
    "weighted_returns",
]


def count_sizes(buckets: Ints, entered: Ints, sizes: Ints) -> int:
    """Names in each quantile; returns how many of them have an entry price."""
    priced = np.int64(0)
    for k in range(np.uint64(buckets.size)):
        priced += np.int64((entered[k] > 0) & (buckets[k] > 0))
    for q in range(sizes.size):
        bucket, count = np.int32(q + 1), np.int64(0)
        for k in range(np.uint64(buckets.size)):
            count += np.int64(buckets[k] == bucket)
        sizes[q] = count
    return int(priced)


def order_by_quantile(buckets: Ints, sizes: Ints, order: Ints, edges: Ints) -> None:
    """Names by quantile, those without one last; `edges[0]` is where each quantile starts, and the last one ends."""
    for q in range(sizes.size):
        edges[0, q + 1] = edges[0, q] + sizes[q]
        edges[1, q + 1] = edges[0, q]
    edges[1, 0] = edges[0, sizes.size]
    for k in range(np.uint64(buckets.size)):
        bucket = np.uint64(buckets[k])
        place = edges[1, bucket]
        order[np.uint64(place)] = k
        edges[1, bucket] = place + 1


def order_by_rank(ranks: Ints, sizes: Ints, present: int, order: Ints, edges: Ints) -> None:
    """The same where no values tie: the rank is the place."""
    for q in range(sizes.size):
        edges[0, q + 1] = edges[0, q] + sizes[q]
    absent = np.int64(present)
    for k in range(np.uint64(ranks.size)):
        is_there = ranks[k] > 0
        order[np.uint64((np.int64(ranks[k]) >> 1) - 1 if is_there else absent)] = k
        absent += np.int64(not is_there)


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


def mean(x: Array) -> float:
    """The mean, NaN where there are no values; four sums at a time."""
    whole, k = np.uint64(x.size // 4 * 4), np.uint64(0)
    a = b = c = d = 0.0
    while k < whole:
        a += x[k]
        b += x[k + np.uint64(1)]
        c += x[k + np.uint64(2)]
        d += x[k + np.uint64(3)]
        k += np.uint64(4)
    while k < np.uint64(x.size):
        a += x[k]
        k += np.uint64(1)
    return ((a + b) + (c + d)) / x.size


def spread(x: Array, centre: float) -> tuple[float, float]:
    """Sums of squared and of absolute deviations."""
    whole, k = np.uint64(x.size // 2 * 2), np.uint64(0)
    a = b = c = d = 0.0
    while k < whole:
        u, v = x[k] - centre, x[k + np.uint64(1)] - centre
        a += u * u
        b += v * v
        c += abs(u)
        d += abs(v)
        k += np.uint64(2)
    if k < np.uint64(x.size):
        u = x[k] - centre
        a += u * u
        c += abs(u)
    return a + b, c + d


def quantile_returns(
    x: Array, y: Array, edges: Ints, centre_x: float, centre_y: float, by_quantile: Array, d: int
) -> tuple[float, float]:
    """Mean and standard error of each quantile; returns sums of products and of squares of deviations."""
    products, squares = 0.0, 0.0
    for q in range(edges.size - 1):
        k, last = np.uint64(edges[q]), np.uint64(edges[q + 1])
        count = np.float64(edges[q + 1] - edges[q])
        s0 = s1 = b0 = b1 = c0 = c1 = 0.0
        while k + np.uint64(1) < last:
            u0, v0 = x[k] - centre_x, y[k] - centre_y
            u1, v1 = x[k + np.uint64(1)] - centre_x, y[k + np.uint64(1)] - centre_y
            s0 += v0
            s1 += v1
            b0 += v0 * v0
            b1 += v1 * v1
            c0 += u0 * v0
            c1 += u1 * v1
            k += np.uint64(2)
        if k < last:
            u0, v0 = x[k] - centre_x, y[k] - centre_y
            s0 += v0
            b0 += v0 * v0
            c0 += u0 * v0
        total, square = s0 + s1, b0 + b1
        products += c0 + c1
        squares += square
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
