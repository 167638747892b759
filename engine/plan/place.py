"""Pass 5: say what every stage reads, and what it leaves behind for later stages and for the result.

Stages that go date by date read and write values in the order of dates. The turning is done by the others, whose
tiles hold several neighbours of a date: the first stage turns the columns that are read by date, and each turns what
it reads or keeps. A result leaves the plan in the first stage by symbol that knows it; in a streamed plan in the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from factorloom.engine.plan.plan import Plan, Stage
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["allot"]


def allot(plan: Plan) -> Plan:
    made = {node: number for number, stage in enumerate(plan.stages) for node in stage.nodes}
    given = _given(plan, made)
    reads = [_reads(stage, given[number]) for number, stage in enumerate(plan.stages)]
    turned = {node for stage, read in zip(plan.stages, reads, strict=True) if stage.axis is Axis.CROSS for node in read}
    reads[0] |= dict.fromkeys(node for node in plan.nodes if node in turned and node.operator is COL)
    stages = []
    for number, stage in enumerate(plan.stages):
        later = {node for read in reads[number + 1 :] for node in read}
        own = {*stage.nodes, *reads[0]} if number == 0 else set(stage.nodes)
        keeps = tuple(
            node for node in plan.nodes if node in own & later and (node.operator is not COL or node in turned)
        )
        stages.append(replace(stage, reads=tuple(reads[number]), keeps=keeps, results=given[number]))
        turned |= set(keeps) if stage.axis is Axis.CROSS else set()
    return replace(plan, stages=tuple(stages), turned=frozenset(turned))


def _given(plan: Plan, made: Mapping[Factor, int]) -> list[tuple[Factor, ...]]:
    """The results that leave in each stage."""
    aims = dict.fromkeys(plan.aims.values())
    last = len(plan.stages) - 1
    leaves = {node: last if plan.streamed else made.get(node, 0) + made.get(node, 0) % 2 for node in aims}
    return [tuple(node for node in aims if leaves[node] == number) for number in range(len(plan.stages))]


def _reads(stage: Stage, given: tuple[Factor, ...]) -> dict[Factor, None]:
    """What a stage takes in, in the order of first use."""
    inside = set(stage.nodes)
    taken = [child for node in stage.nodes for child in node.operands] + list(given)
    return dict.fromkeys(node for node in taken if node not in inside and node.operator is not LIT)
