"""Loops on the groups of a date: labels without the group's mean, and what each group shows."""

from __future__ import annotations

import numpy as np

from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.research.evaluation.loop.section import Ints, correlation

__all__ = ["demean", "neutral_portfolio", "relate_groups"]


def demean(ranks: Ints, labels: Array, groups: Ints, sums: Array, out: Array) -> float:
    """Labels less the mean of the group's names that have factor and label; returns the mean of all of these."""
    sums[:2] = 0.0
    count, total = 0, 0.0
    for k in range(ranks.size):
        if ranks[k] > 0 and labels[k] == labels[k]:
            sums[0, groups[k]] += 1.0
            sums[1, groups[k]] += labels[k]
            count += 1
            total += labels[k]
    for k in range(ranks.size):
        out[k] = labels[k] - sums[1, groups[k]] / sums[0, groups[k]] if ranks[k] > 0 else np.nan
    return total / count


def neutral_portfolio(x: Array, ranks: Ints, y: Array, y_ranks: Ints, groups: Ints, sums: Array) -> float:
    """Return of deviations from the group's mean, groups weighing the same; names with a factor and a label."""
    sums[:5] = 0.0
    for k in range(x.size):
        if ranks[k] > 0 and y_ranks[k] > 0:
            g = groups[k]
            sums[0, g] += 1.0
            sums[1, g] += x[k]
            sums[4, g] = max(sums[4, g], abs(x[k]))
    for k in range(x.size):
        if ranks[k] > 0 and y_ranks[k] > 0:
            g = groups[k]
            away = x[k] - sums[1, g] / sums[0, g]
            sums[2, g] += abs(away)
            sums[3, g] += away * y[k]
    total, count = 0.0, 0
    for g in range(sums.shape[1]):
        if sums[2, g] > 1e-12 * sums[0, g] * sums[4, g]:
            total += sums[3, g] / sums[2, g]
            count += 1
    return total / count if count > 0 and np.isfinite(total) else np.nan


def relate_groups(
    x: Array,
    y: Array,
    a: Ints,
    b: Ints,
    groups: Ints,
    sums: Array,
    rank_sums: Index,
    used: Ints,
    by_group: Array,
    d: int,
) -> None:
    """Both correlations in each group."""
    sums[:] = 0.0
    rank_sums[:] = 0
    for k in range(x.size):
        if a[k] > 0:
            g, u, v = groups[k], np.int64(a[k]), np.int64(b[k])
            rank_sums[0, g] += 1
            rank_sums[1, g] += u * u
            rank_sums[2, g] += v * v
            rank_sums[3, g] += u * v
            sums[0, g] += x[k]
            sums[1, g] += y[k]
            sums[2, g] = max(sums[2, g], abs(x[k]))
            sums[3, g] = max(sums[3, g], abs(y[k]))
    for k in range(x.size):
        if a[k] > 0:
            g = groups[k]
            n = rank_sums[0, g]
            u = (x[k] - sums[0, g] / n) / sums[2, g]
            v = (y[k] - sums[1, g] / n) / sums[3, g]
            sums[4, g] += u * u
            sums[5, g] += v * v
            sums[6, g] += u * v
    for g in range(used.shape[0]):
        used[g, d] = rank_sums[0, g]
        rank_ic = correlation(rank_sums[0, g], rank_sums[1, g], rank_sums[2, g], rank_sums[3, g])
        value = sums[6, g] / (np.sqrt(sums[4, g]) * np.sqrt(sums[5, g]))
        by_group[0, g, d] = min(max(value, -1.0), 1.0) if rank_ic == rank_ic and np.isfinite(value) else np.nan
        by_group[1, g, d] = rank_ic
