"""Pass 6: write down all that every stage does: what it loads and keeps, in which layout, and what it emits.

A value is loaded just before its first use, and kept or emitted as soon as it is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from factorloom.engine.plan.flow import Flow, Layouts, flows_of
from factorloom.engine.plan.plan import Emit, Fetch, Instruction, Keep, Load, Orientation, Plan, Stage, Write
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL

__all__ = ["place"]


def place(plan: Plan) -> Plan:
    flows, layouts = flows_of(plan)
    stages = []
    for stage, flow in zip(plan.stages, flows, strict=True):
        lines = _instructions(stage, flow, layouts)
        stages.append(replace(stage, instructions=tuple(lines), waiting=flow.waiting))
    return replace(plan, stages=tuple(stages))


def _instructions(stage: Stage, flow: Flow, layouts: Layouts) -> Iterator[Instruction]:
    """All that a stage does; the first one finds columns in the order of the panel."""
    loaded: set[Factor] = set()

    def load(nodes: Iterable[Factor]) -> Iterator[Instruction]:
        for node in nodes:
            if node in flow.reads and node not in loaded:
                loaded.add(node)
                found_by_symbol = node.operator is COL and stage.orientation is Orientation.SYMBOL
                yield Load(node, Orientation.SYMBOL if found_by_symbol else layouts.get(node, Orientation.SYMBOL))

    def leave(node: Factor) -> Iterator[Instruction]:
        if node in flow.keeps:
            yield Keep(node, layouts.get(node, Orientation.SYMBOL))
        if node in flow.writes:
            yield Write(node)
        if node in flow.emits:
            yield Emit(node)

    for run in stage.steps:
        yield from load(run.step.operands)
        yield run
        if isinstance(run.step, Factor):
            yield from leave(run.step)
    made = set(stage.nodes)
    for node in dict.fromkeys((*flow.keeps, *flow.writes, *flow.emits)):
        if node in made:
            continue
        if node in flow.reads:
            yield from load((node,))
        elif node in flow.fetches:
            yield Fetch(node)
        yield from leave(node)
