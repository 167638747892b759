"""Weights date by date: what the method asks for, within caps, with positions that stay, and limited turnover.

On every date, in this order:

1. the method's names share the capital of their side within the caps (`limit.spread`);
2. names held for fewer than `min_holding` dates that would leave, and held names whose weight would change by at most
   `band`, keep their weight, and the others share what is left; again, until no change is within the band;
3. the way from the weights of the date before is cut to the fraction that meets `max_turnover`;
4. a group that is over its cap even so, because names changed their group, is cut: caps come before all other limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from factorloom.engine.research.portfolio.grid import Codes
from factorloom.engine.research.portfolio.limit import ROUNDING, Bools, spread, squeeze
from factorloom.engine.research.series import Array, total

__all__ = ["Limits", "Note", "walk"]

Note = tuple[int, str, float, float, str]
"""The number of the date, the limit, what was wanted and what was got, and why."""


@dataclass(frozen=True)
class Limits:
    """Bounds as fractions; `inf` is none."""

    max_weight: float
    max_group: float
    max_turnover: float
    min_holding: int
    band: float


def walk(
    scores: Array, ask: Callable[[int], Array], groups: Codes | None, limits: Limits, two_sided: bool
) -> tuple[Array, list[Note]]:
    """The weights of every date, as (dates, symbols), and what could not be met."""
    found, notes = np.zeros(scores.shape), list[Note]()
    before, age = np.zeros(scores.shape[1]), np.zeros(scores.shape[1], dtype=np.int64)
    present = ~np.isnan(scores)
    for day in range(len(scores)):
        of_day = None if groups is None else groups[day]
        if present[day].any():
            after = _decide(day, ask(day), before, age, of_day, limits, two_sided, notes)
        else:
            notes.append((day, "score", 0.0, 0.0, "no score on the date: the weights of the date before stay"))
            after = squeeze(before, of_day, limits.max_group)
        age = np.where(after == 0, 0, np.where(np.sign(after) == np.sign(before), age + 1, 1))
        found[day] = before = after
    return found, notes


def _decide(
    day: int,
    wish: Array,
    before: Array,
    age: Codes,
    groups: Codes | None,
    limits: Limits,
    two_sided: bool,
    notes: list[Note],
) -> Array:
    nothing = np.zeros(wish.size, dtype=bool)
    target = _shared(wish, nothing, before, groups, limits)
    held_on = (before != 0) & (age < limits.min_holding) & (np.sign(target) != np.sign(before))
    if held_on.any():
        size = total(np.abs(before[held_on]))
        notes.append((day, "min_holding", 0.0, size, f"{int(held_on.sum())} names that would leave stay"))
    after = _within_band(wish, held_on, before, groups, limits) if held_on.any() or limits.band > 0 else target
    _note_cash(day, wish, after, two_sided, limits, notes)
    after = _limited(day, before, after, limits, notes)
    cut = squeeze(after, groups, limits.max_group)
    if cut is not after and not np.array_equal(cut, after):
        turned = turnover(before, cut)
        if turned > limits.max_turnover + ROUNDING:
            why = "names changed their group, and caps come before turnover"
            notes.append((day, "max_turnover", limits.max_turnover, turned, why))
    return cut


def turnover(before: Array, after: Array) -> float:
    """Half the sum of the absolute changes."""
    return total(np.abs(after - before)) / 2


def _shared(wish: Array, kept: Bools, before: Array, groups: Codes | None, limits: Limits) -> Array:
    """Kept weights, and the rest of each side's capital in proportion to the wishes of the others."""
    found: Array = squeeze(np.where(kept, before, 0.0), groups, limits.max_group)
    for sign in (1.0, -1.0):
        wanted = np.where(kept, 0.0, np.maximum(sign * wish, 0.0))
        if not wanted.any():
            continue
        mine = np.maximum(sign * found, 0.0)
        taken: Array | None = None if groups is None else np.bincount(groups, mine).astype(np.float64)
        capital = max(1.0 - total(mine), 0.0)
        found = np.add(found, sign * spread(wanted, groups, capital, limits.max_weight, limits.max_group, taken))
    return found


def _within_band(wish: Array, held_on: Bools, before: Array, groups: Codes | None, limits: Limits) -> Array:
    """The shared weights once no change of a name held on both dates is within the band."""
    kept = held_on
    while True:
        target = _shared(wish, kept, before, groups, limits)
        both = (before != 0) & (np.sign(target) == np.sign(before)) & ~kept
        near = both & (np.abs(target - before) <= limits.band) & (limits.band > 0)
        if not near.any():
            return target
        kept = kept | near


def _limited(day: int, before: Array, after: Array, limits: Limits, notes: list[Note]) -> Array:
    """As far from the weights of the date before towards the new ones as the limit of turnover allows."""
    turned = turnover(before, after)
    if turned <= limits.max_turnover + ROUNDING:
        return after
    notes.append((day, "max_turnover", turned, limits.max_turnover, "a part of each change is made"))
    moved: Array = before + (limits.max_turnover / turned) * (after - before)
    return moved


def _note_cash(day: int, wish: Array, after: Array, two_sided: bool, limits: Limits, notes: list[Note]) -> None:
    """Say which side holds less than its capital, and why."""
    for sign, side in ((1.0, "long"), (-1.0, "short"))[: 2 if two_sided else 1]:
        size = total(np.maximum(sign * after, 0.0))
        if size >= 1 - ROUNDING:
            continue
        if not (sign * wish > 0).any():
            why = f"no name to hold: the {side} side stays in cash"
        elif np.isinf(limits.max_weight) and np.isinf(limits.max_group):
            why = f"positions that stay leave a part of the {side} side in cash"
        else:
            why = f"the names are full: a part of the {side} side stays in cash"
        notes.append((day, "invested", 1.0, size, why))
