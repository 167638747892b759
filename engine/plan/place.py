"""Pass 5: write down all that every stage does: what it loads and keeps, in which layout, and what it emits.

Stages that go date by date load and keep values in the order of dates. Rows are moved between the two orders by the
others, whose tiles hold several neighbours of a date: the first stage moves the columns that are read by date, and
each moves what it loads or keeps. An output leaves the plan in the first stage by symbol that knows it; in a streamed
plan in the last. A value is loaded just before its first use, and kept or emitted as soon as it is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import replace

from factorloom.engine.plan.plan import (
    Emit,
    Instruction,
    Keep,
    Load,
    Orientation,
    Plan,
    Stage,
)
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["place"]

Layouts = Mapping[Factor, Orientation]


def place(plan: Plan) -> Plan:
    emits = _emits(plan)
    reads = [_reads(stage, emitted) for stage, emitted in zip(plan.stages, emits, strict=True)]
    layouts = _layouts(plan, reads)
    reads[0] |= dict.fromkeys(node for node in layouts if node.operator is COL)
    stages = []
    for number, stage in enumerate(plan.stages):
        later = {node for read in reads[number + 1 :] for node in read}
        keeps = [node for node in stage.nodes if node in later]
        if number == 0:
            keeps += [node for node in reads[0] if node in later and node in layouts]
        lines = _instructions(stage, number == 0, reads[number], dict.fromkeys(keeps), emits[number], layouts)
        stages.append(replace(stage, instructions=tuple(lines)))
    return replace(plan, stages=tuple(_waiting(stages)))


def _waiting(stages: list[Stage]) -> Iterator[Stage]:
    """The stages with what is kept in memory while each of them runs."""
    kept: dict[Factor, None] = {}
    for number, stage in enumerate(stages):
        needed = {load.node for later in stages[number:] for load in later.loads}
        kept = {node: None for node in kept if node in needed} | {keep.node: None for keep in stage.keeps}
        yield replace(stage, waiting=tuple(kept))


def _layouts(plan: Plan, reads: list[dict[Factor, None]]) -> dict[Factor, Orientation]:
    """The layout of the values that a stage date by date reads or makes; all others are in the order of the panel."""
    by_date: dict[Factor, Orientation] = {}
    for stage, read in zip(plan.stages, reads, strict=True):
        if stage.orientation is Orientation.DATE:
            by_date |= dict.fromkeys((*read, *stage.nodes), Orientation.DATE)
    return by_date


def _emits(plan: Plan) -> list[dict[Factor, None]]:
    """The outputs that leave in each stage."""
    made = {node: number for number, stage in enumerate(plan.stages) for node in stage.nodes}
    by_symbol = [n for n, stage in enumerate(plan.stages) if stage.orientation is Orientation.SYMBOL]
    emits: list[dict[Factor, None]] = [{} for _ in plan.stages]
    for node in plan.outputs.values():
        known = made.get(node, 0)
        number = by_symbol[-1] if plan.streamed else next(number for number in by_symbol if number >= known)
        emits[number][node] = None
    return emits


def _reads(stage: Stage, emitted: Mapping[Factor, None]) -> dict[Factor, None]:
    """What a stage takes in, in the order of first use."""
    inside = set(stage.nodes)
    taken = [child for node in stage.nodes for child in node.operands] + list(emitted)
    return dict.fromkeys(node for node in taken if node not in inside and node.operator is not LIT)


def _instructions(
    stage: Stage,
    first: bool,
    reads: Mapping[Factor, None],
    keeps: Mapping[Factor, None],
    emits: Mapping[Factor, None],
    layouts: Layouts,
) -> Iterator[Instruction]:
    """All that a stage does; the first one finds columns in the order of the panel."""
    loaded: set[Factor] = set()

    def load(nodes: Set[Factor] | tuple[Factor, ...]) -> Iterator[Instruction]:
        for node in nodes:
            if node in reads and node not in loaded:
                loaded.add(node)
                found_by_symbol = node.operator is COL and stage.orientation is Orientation.SYMBOL
                yield Load(node, Orientation.SYMBOL if found_by_symbol else layouts.get(node, Orientation.SYMBOL))

    def leave(node: Factor) -> Iterator[Instruction]:
        if node in keeps:
            yield Keep(node, layouts.get(node, Orientation.SYMBOL))
        if node in emits:
            yield Emit(node)

    for run in stage.steps:
        yield from load(run.step.operands)
        yield run
        if isinstance(run.step, Factor):
            yield from leave(run.step)
    made = set(stage.nodes)
    for node in dict.fromkeys((*keeps, *emits)):
        if node not in made:
            yield from load((node,))
            yield from leave(node)
