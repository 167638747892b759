"""A plan that takes no more memory than it may."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from factorloom.engine.bars.bars import Bars
from factorloom.engine.executor.protocol import Executor
from factorloom.engine.plan.passes import make_plan
from factorloom.engine.plan.plan import Plan, Room
from factorloom.expressions.errors import ArgumentError, MemoryLimitError

__all__ = ["Size", "bytes_of", "fit", "needs"]

Size: TypeAlias = int | str
"""A number of bytes, or text such as `"6 GB"` or `"512 MiB"`."""

UNITS = {
    "": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}

SHARE = 0.45
"""What a computation may take beyond panel and results, as a share of the results, unless the caller gives a limit.

A streamed plan that needs more without a file may take it then.
"""

LEAST = 512 * 2**20
"""So many bytes may wait between stages in any case."""


TEXT_BYTES = 16
"""Of a symbol as text, in results."""


def needs(plan: Plan, executor: Executor, bars: Bars) -> Mapping[str, float]:
    """The most bytes that a computation takes beyond the panel, by purpose: those of the executor and the keys."""
    taken = executor.memory(plan, bars)
    return {**taken, "results": taken["results"] + (0 if plan.streamed else TEXT_BYTES * bars.rows)}


def fit(plan: Plan, executor: Executor, bars: Bars, memory: Size | None) -> Plan:
    """The plan, split into as many batches as it takes to need no more than `memory` bytes beyond the panel.

    Raises
    ------
    MemoryLimitError
        Where no split needs so little; it says what is needed.
    """
    limit = None if memory is None else bytes_of(memory)
    plan = replace(plan, room=Room(rank_bytes=executor.rank_bytes(bars)))
    taken = needs(plan, executor, bars)
    rows, others = max(bars.rows, 1), sum(taken.values()) - taken["between stages"]
    if limit is None:
        whole = SHARE if plan.streamed else 1 + SHARE
        allowed = max(whole * plan.output_bytes - others / rows, LEAST / rows)
    else:
        allowed = (limit - others) / rows
    if plan.waiting_bytes > allowed:
        room = replace(plan.room, limit=allowed, may_be_slow=limit is not None)
        plan = make_plan(plan.wanted, dtype=plan.dtype, streamed=plan.streamed, room=room)
        taken = needs(plan, executor, bars)
    if limit is not None and sum(taken.values()) > limit:
        # In batches of one, which do not depend on the limit: what is said to be needed is enough.
        plan = make_plan(plan.wanted, dtype=plan.dtype, streamed=plan.streamed, room=replace(plan.room, limit=0))
        taken = needs(plan, executor, bars)
    if limit is not None and sum(taken.values()) > limit:
        needed = math.ceil(sum(taken.values()))
        raise MemoryLimitError(
            f"the computation needs {_shown(needed, up=True)} beyond the panel, and may take {_shown(limit)}",
            hint="allow more memory, or take fewer factors, dates or symbols at a time"
            + ("" if plan.streamed else ", or write to files: panel.write"),
        )
    return plan


def bytes_of(size: Size) -> int:
    """A number of bytes from a number or text."""
    if isinstance(size, int) and not isinstance(size, bool) and size > 0:
        return min(size, sys.maxsize)
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", size.lower()) if isinstance(size, str) else None
    number = float(found[1]) * UNITS.get(found[2], 0) if found else 0.0
    if number < 1:
        raise ArgumentError(f"memory must be a positive number of bytes or text such as '6 GB', got {size!r}")
    return int(min(number, sys.maxsize))


def _shown(size: int, *, up: bool = False) -> str:
    """A size in words, rounded down, or up."""
    if size < 2**20:
        return f"{size:,} byte{'s' * (size != 1)}"
    return f"{-(-size // 2**20) if up else size // 2**20:,} MiB"
