"""Loops on one cross-section: ranks under a mask, quantiles, correlations. Compiled as parts of those that call them.

Ranks are whole numbers: twice the mean rank among the names that are present, 0 for missing ones. Half of it, rounded
down, is different for values that do not tie, and at most the number of names, so that ranks among a part of the names
come from counting, without sorting again.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from factorloom.engine.bars.layout import Array, Index
from factorloom.expressions.operators.loop.sort import MEMBER, Words, order_section

__all__ = [
    "BLOCK_DATES",
    "FEWEST",
    "FEW_REMOVED",
    "Ints",
    "bounded",
    "correlate",
    "correlate_ranks",
    "correlation",
    "fill_buckets",
    "fill_buckets_by_group",
    "fill_edges",
    "load",
    "order_by_group",
    "order_by_rank",
    "rank_names",
    "remove_absent",
    "restrict",
    "restrict_by_group",
]

Ints: TypeAlias = npt.NDArray[np.int32]

FEWEST = 3
"""Names below which there is no correlation."""

BLOCK_DATES, BLOCK_SYMBOLS = 16, 128
"""How many dates are loaded at a time, and how many symbols of them."""

FEW_REMOVED = 24
"""So many names are taken out of ranks one by one; of more, the names that stay are counted."""


def load(column: Array, rows: Index, symbols: Ints, symbol_count: int, offsets: Index, first: int, out: Array) -> None:
    """Values of some dates from `first` on, one row each, some symbols at a time: values of one symbol on successive
    dates are neighbours in memory, so that those of the first date bring along the others."""
    last = min(first + out.shape[0], offsets.size - 1)
    done = offsets[first:last].copy()
    for symbol in range(BLOCK_SYMBOLS, symbol_count + BLOCK_SYMBOLS, BLOCK_SYMBOLS):
        for d in range(first, last):
            k, a, b = np.uint64(done[d - first]), np.uint64(offsets[d]), np.uint64(offsets[d + 1])
            while k < b and symbols[k] < symbol:
                out[d - first, k - a] = column[np.uint64(rows[k])]
                k += np.uint64(1)
            done[d - first] = k


def rank_names(x: Array, scratch: Array, room: Words, ranks: Ints, order: Ints) -> int:
    """Fill in the doubled ranks, and the names in their order, those without a value last; return how many have one."""
    present = order_section(x, scratch, room)
    for k in range(np.uint64(x.size)):
        ranks[k] = np.int32(scratch[k]) if x[k] == x[k] else np.int32(0)
    for k in range(np.uint64(x.size)):
        order[k] = np.int32(room[k] & MEMBER)
    return present


def fill_edges(ranks: Ints, order: Ints, present: int, edges: Ints) -> None:
    """Where each quantile starts in the order of names, and the last one ends.

    Edge j lies at the place `j * (present - 1) / quantiles` of the sorted values, counted from 0, between two values
    linearly. A value is above it where the first of its ties stands above that place.
    """
    quantiles, place = edges.size - 1, 0
    for j in range(quantiles):
        place = max(place, j * (present - 1) // quantiles + 1 if j > 0 else 0)
        while 0 < place < present and ranks[order[place]] == ranks[order[place - 1]]:
            place += 1
        edges[j] = place
    edges[quantiles] = present


def fill_buckets(order: Ints, edges: Ints, buckets: Ints) -> None:
    """The quantile of every name, from 1; 0 for missing ones."""
    for j in range(edges.size - 1):
        for i in range(np.uint64(edges[j]), np.uint64(edges[j + 1])):
            buckets[np.uint64(order[i])] = j + 1
    for i in range(np.uint64(edges[edges.size - 1]), np.uint64(buckets.size)):
        buckets[np.uint64(order[i])] = 0


def fill_buckets_by_group(ranks: Ints, order: Ints, starts: Ints, quantiles: int, buckets: Ints) -> None:
    """The same among the names of each group, from their order by group."""
    buckets[: ranks.size] = 0
    for group in range(starts.size - 1):
        first, stop = starts[group], starts[group + 1]
        bucket, before, last = 1, 0, np.int32(0)
        for i in range(first, stop):
            k = order[i]
            if ranks[k] != last:
                before, last = i - first, ranks[k]
                while bucket < quantiles and bucket * (stop - first - 1) < before * quantiles:
                    bucket += 1
            buckets[k] = bucket


def restrict(ranks: Ints, other: Ints, present: int, both: int, counts: Ints, out: Ints) -> None:
    """Doubled ranks among the `both` names that `other` has too, of the `present` ones; 0 for all others."""
    if present - both <= FEW_REMOVED:
        _remove(ranks, other, counts, out)
        return
    counts[: present + 1] = 0
    for k in range(np.uint64(ranks.size)):
        counts[np.uint64(ranks[k] >> 1) if other[k] > 0 else np.uint64(0)] += np.int32(1)
    before = 0
    for i in range(1, present + 1):
        size = counts[i]
        counts[i] = 2 * before + size + 1
        before += size
    counts[0] = 0
    for k in range(np.uint64(ranks.size)):
        out[k] = counts[np.uint64(ranks[k] >> 1) if other[k] > 0 else np.uint64(0)]


def _remove(ranks: Ints, other: Ints, removed: Ints, out: Ints) -> None:
    """The same for a few names: each that goes lowers the doubled ranks above it by 2, and those of its ties by 1."""
    count = np.uint64(0)
    for k in range(np.uint64(ranks.size)):
        removed[count] = ranks[k]
        count += np.uint64((ranks[k] > 0) & (other[k] == 0))
    lower(ranks, other, removed[:count], out)


def remove_absent(ranks: Ints, other: Ints, absent: Ints, removed: Ints, out: Ints) -> None:
    """The same where the names that `other` lacks are known."""
    count = np.uint64(0)
    for i in range(np.uint64(absent.size)):
        removed[count] = ranks[np.uint64(absent[i])]
        count += np.uint64(removed[count] > 0)
    lower(ranks, other, removed[:count], out)


def lower(ranks: Ints, other: Ints, removed: Ints, out: Ints) -> None:
    """Take the removed ranks out of all, and the names that `other` lacks."""
    for k in range(np.uint64(ranks.size)):
        out[k] = ranks[k]
    for i in range(np.uint64(removed.size)):
        rank = removed[i]
        for k in range(np.uint64(ranks.size)):
            out[k] = np.int32(out[k] - np.int32(ranks[k] > rank) - np.int32(ranks[k] >= rank))
    for k in range(np.uint64(ranks.size)):
        out[k] = out[k] if other[k] > 0 else np.int32(0)


def order_by_rank(ranks: Ints, present: int, counts: Ints, order: Ints) -> None:
    """Names that are present in the order of their ranks."""
    counts[: present + 2] = 0
    for k in range(ranks.size):
        counts[(ranks[k] >> 1) + 1] += 1
    counts[1] = 0
    for i in range(2, present + 2):
        counts[i] += counts[i - 1]
    for k in range(ranks.size):
        if ranks[k] > 0:
            place = counts[ranks[k] >> 1]
            counts[ranks[k] >> 1] = place + 1
            order[place] = k


def order_by_group(by_rank: Ints, groups: Ints, order: Ints, starts: Ints) -> None:
    """Names group by group, in each in the order given; `starts` is where each group starts, and the last one ends."""
    starts[:] = 0
    for i in range(by_rank.size):
        starts[groups[by_rank[i]] + 1] += 1
    for group in range(1, starts.size):
        starts[group] += starts[group - 1]
    for i in range(by_rank.size):
        k = by_rank[i]
        order[starts[groups[k]]] = k
        starts[groups[k]] += 1
    for group in range(starts.size - 1, 0, -1):
        starts[group] = starts[group - 1]
    starts[0] = 0


def restrict_by_group(ranks: Ints, other: Ints, order: Ints, starts: Ints, out: Ints) -> None:
    """Doubled ranks in each group among the names that `other` has too; 0 for all others."""
    out[: ranks.size] = 0
    for group in range(starts.size - 1):
        i, before = starts[group], 0
        while i < starts[group + 1]:
            stop, size, rank = i, 0, ranks[order[i]]
            while stop < starts[group + 1] and ranks[order[stop]] == rank:
                size += 1 if other[order[stop]] > 0 else 0
                stop += 1
            for place in range(i, stop):
                if other[order[place]] > 0:
                    out[order[place]] = 2 * before + size + 1
            before += size
            i = stop


def correlate_ranks(a: Ints, b: Ints, names: int) -> float:
    """Correlation of doubled ranks among `names` names, 0 for all others: whole numbers until the last step."""
    aa, bb, ab = np.int64(0), np.int64(0), np.int64(0)
    for k in range(np.uint64(a.size)):
        u, v = np.int64(a[k]), np.int64(b[k])
        aa += u * u
        bb += v * v
        ab += u * v
    return correlation(names, int(aa), int(bb), int(ab))


def correlation(names: int, aa: int, bb: int, ab: int) -> float:
    """From sums of squares and products of doubled ranks, whose mean is `names + 1`."""
    centre = names * (names + 1) * (names + 1)
    if names < FEWEST or aa == centre or bb == centre:
        return np.nan
    return bounded(np.float64(ab - centre) / (np.sqrt(np.float64(aa - centre)) * np.sqrt(np.float64(bb - centre))))


def bounded(value: float) -> float:
    """A correlation without the rounding beyond 1."""
    return float(min(max(value, -1.0), 1.0))


def correlate(x: Array, y: Array, xx: float, yy: float, xy: float) -> float:
    """Pearson's correlation from sums of squared deviations and their products; on a scale of 1 where they overflow."""
    value = xy / (np.sqrt(xx) * np.sqrt(yy))
    if not (np.isfinite(value) and TINY < xx < HUGE and TINY < yy < HUGE):
        value = scaled_correlation(x, y)
    return bounded(value)


TINY, HUGE = 1e-290, 1e290
"""Sums of squares outside these may have lost digits."""


def scaled_correlation(x: Array, y: Array) -> float:
    """The same with values divided by their largest deviation."""
    largest_x, largest_y = np.abs(x).max(), np.abs(y).max()
    u, v = x / largest_x, y / largest_y
    u -= u.mean()
    v -= v.mean()
    u /= np.abs(u).max()
    v /= np.abs(v).max()
    return float((u * v).sum() / (np.sqrt((u * u).sum()) * np.sqrt((v * v).sum())))
