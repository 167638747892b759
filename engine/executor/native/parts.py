"""A stage as several, each with some of its outputs, so that a single long tile keeps more than one thread busy."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import TypeAlias

from factorloom.engine.executor.native.tile import Tiles
from factorloom.engine.plan.plan import Emit, Fetch, Instruction, Keep, Load, Run, Stage, Step, Write
from factorloom.engine.runtime.thread import processors
from factorloom.expressions.factor import Factor

__all__ = ["divide", "parts_of"]

LONG_ROWS = 262_144
"""Where a tile has more rows, and more than a thread's share of all rows, threads share its outputs."""

LONG_PARTS = 4
"""Parts of such a stage for each thread: with more, each needs fewer registers, and more is computed twice."""

Needs: TypeAlias = Mapping[Factor, frozenset[Step]]
"""All steps that a value needs, its own included."""


def parts_of(stage: Stage, tiles: Tiles) -> list[Stage]:
    """The stage, or where tiles are too long to keep all threads busy, stages with some of its outputs each."""
    rows = tiles.rows.stop - tiles.rows.start
    is_long = tiles.size > LONG_ROWS and tiles.size * processors() > rows
    return divide(stage, LONG_PARTS * processors()) if is_long and processors() > 1 else [stage]


def divide(stage: Stage, count: int) -> list[Stage]:
    """Up to so many stages which together do what the stage does; what several of them need, each computes for itself.

    Outputs are dealt out one by one, those that need the most steps first: to the part that lacks the fewest of these
    steps while it has less than its share of all steps, else to the part that has the fewest then.
    """
    needs = _needs(stage)
    if not needs:
        return [stage]
    outputs = dict.fromkeys(_outputs(stage))
    parts: list[tuple[set[Factor], set[Step]]] = [(set(), set()) for _ in range(min(count, len(outputs)))]
    share = len(frozenset().union(*needs.values())) / max(len(parts), 1)
    for node in sorted(outputs, key=lambda node: -len(needs[node])):
        chosen, steps = min(parts, key=lambda part: _cost(part[1], needs[node], share))
        chosen.add(node)
        steps |= needs[node]
    return [_part(stage, chosen, steps) for chosen, steps in parts if chosen]


def _cost(steps: Set[Step], added: Set[Step], share: float) -> tuple[bool, int, int]:
    """What counts against a part with these steps when an output is dealt out: more in front means later."""
    after = len(steps | added)
    is_full = after > share
    return is_full, after if is_full else after - len(steps), after


def _needs(stage: Stage) -> Needs:
    found: dict[Step, frozenset[Step]] = {}
    for run in stage.steps:
        inputs: tuple[Step, ...] = (*run.step.operands, *run.statistics)
        found[run.step] = frozenset((run.step,)).union(*(found[step] for step in inputs if step in found))
    return {node: found.get(node, frozenset()) for node in _outputs(stage)}


def _outputs(stage: Stage) -> tuple[Factor, ...]:
    """What a stage leaves behind."""
    return (*stage.emits, *stage.writes, *(keep.node for keep in stage.keeps))


def _part(stage: Stage, outputs: set[Factor], steps: set[Step]) -> Stage:
    """The part of a stage that gives some of its outputs."""
    read = outputs.union(*(step.operands for step in steps))

    def is_needed(item: Instruction) -> bool:
        match item:
            case Load(node):
                return node in read
            case Run(step):
                return step in steps
            case Keep(node) | Write(node) | Fetch(node) | Emit(node):
                return node in outputs

    return replace(
        stage,
        nodes=tuple(node for node in stage.nodes if node in steps),
        steps=tuple(run for run in stage.steps if run.step in steps),
        instructions=tuple(filter(is_needed, stage.instructions)),
    )
