"""The passes that turn factors into a plan, one file each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from factorloom.engine.plan.cut import cut
from factorloom.engine.plan.place import place
from factorloom.engine.plan.plan import Plan, Room
from factorloom.engine.plan.schedule import schedule
from factorloom.engine.plan.share import share
from factorloom.engine.plan.simplify import simplify
from factorloom.engine.plan.split import split
from factorloom.expressions.factor import Factor

__all__ = ["PASSES", "make_plan"]

PASSES: tuple[Callable[[Plan], Plan], ...] = (simplify, share, cut, split, schedule, place)
"""All passes, in the order in which they run."""

KEPT = 8
"""Plans that are kept: planning a large set of factors takes longer than computing it for a few thousand bars."""


def make_plan(
    wanted: Mapping[str, Factor],
    *,
    dtype: str = "float64",
    streamed: bool = False,
    room: Room | None = None,
    until: Callable[[Plan], Plan] | None = None,
) -> Plan:
    """The plan for these factors, after all passes, or as it is after the pass `until`; the last ones are kept."""
    return _plan(tuple(wanted.items()), dtype, streamed, room or Room(), until)


@functools.lru_cache(KEPT)
def _plan(
    wanted: tuple[tuple[str, Factor], ...],
    dtype: str,
    streamed: bool,
    room: Room,
    until: Callable[[Plan], Plan] | None,
) -> Plan:
    plan = Plan(dict(wanted), dict(wanted), dtype=dtype, streamed=streamed, room=room)
    for step in PASSES:
        plan = step(plan)
        if step is until:
            break
    return plan
