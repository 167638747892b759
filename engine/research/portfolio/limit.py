"""Bounds of weights: caps by filling up, kept positions, and the limit of turnover.

A side, the long or the short one, has a capital of 1 to spread over names in proportion to what a method asks for.
Bounds hold for each side by itself and for absolute weights. In `spread` the capital rises like water: every name grows
at the same rate until it, or its group, is full. What finds no room stays in cash.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factorloom.engine.research.portfolio.grid import Codes
from factorloom.engine.research.series import Array

__all__ = ["ROUNDING", "Bools", "fill_up", "spread", "squeeze"]

Bools = npt.NDArray[np.bool_]

ROUNDING = 1e-12
"""Sums of weights are compared to within this."""


def fill_up(wish: Array, capital: float, cap: float) -> Array:
    """`min(cap, level * wish)` with the level at which the sum is the capital, or all names are full.

    >>> import numpy as np
    >>> fill_up(np.array([6.0, 3.0, 1.0]), 1.0, 0.5).round(4).tolist()
    [0.5, 0.375, 0.125]
    """
    full = np.zeros(wish.size, dtype=bool)
    while True:
        free = np.where(full, 0.0, wish)
        largest = free.max(initial=0.0)
        if largest == 0:
            return np.where(full, cap, 0.0) if full.any() else free
        free /= largest  # tiny wishes must not overflow the level
        left = max(capital - cap * full.sum(), 0.0) if full.any() else capital
        level = left / free.sum()
        found = np.where(full, cap, np.minimum(free * level, cap))
        more = ~full & (free * level > cap)
        if not more.any():
            return found
        full |= more


def spread(
    wish: Array, groups: Codes | None, capital: float, cap: float, group_cap: float, taken: Array | None = None
) -> Array:
    """The capital in proportion to the wishes, at most `cap` a name and `group_cap` a group.

    Parameters
    ----------
    wish
        (N,), at least 0.
    groups
        (N,) numbers of groups from 0 on, or None without a cap on them.
    capital, cap, group_cap
        Fractions; `inf` is no cap.
    taken
        (groups,) what kept positions hold of each group already.
    """
    chosen = np.flatnonzero(wish)
    found = np.zeros(wish.size)
    if groups is None or np.isinf(group_cap):
        found[chosen] = fill_up(wish[chosen], capital, cap)
        return found
    room = np.full(int(groups.max(initial=-1)) + 1, group_cap)
    if taken is not None:
        room = np.maximum(room - taken, 0.0)
    found[chosen] = _in_groups(wish[chosen], groups[chosen], room, capital, cap, ROUNDING * group_cap)
    return found


def _in_groups(wish: Array, groups: Codes, room: Array, capital: float, cap: float, rounding: float) -> Array:
    """Fill up all names, then give each group that is over its room just that, and fill up the others again."""
    found, full = np.zeros(wish.size), np.zeros(room.size, dtype=bool)
    while True:
        free = ~full[groups]
        found[free] = fill_up(wish[free], max(capital - float(found[~free].sum()), 0.0), cap)
        sums = np.bincount(groups, found, minlength=room.size)
        over = np.flatnonzero(~full & (sums > room + rounding))
        if not over.size:
            return found
        for group in over:
            inside = groups == group
            found[inside] = fill_up(wish[inside], float(room[group]), cap)
        full[over] = True


def squeeze(weights: Array, groups: Codes | None, group_cap: float) -> Array:
    """Signed weights, with those of a group that is over its cap on a side made smaller in proportion."""
    if groups is None or np.isinf(group_cap):
        return weights
    found = weights.copy()
    for sign in (1.0, -1.0):
        side = sign * weights > 0
        sums = np.bincount(groups, np.where(side, np.abs(weights), 0.0))
        scale = np.where(sums > group_cap * (1 + ROUNDING), group_cap / np.maximum(sums, group_cap), 1.0)
        found = np.where(side, weights * scale[groups], found)
    return found
