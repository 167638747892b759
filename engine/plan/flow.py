"""What each stage takes in, leaves for later stages and emits, and what waits in memory meanwhile.

Stages that go date by date load and keep values in the order of dates. Rows are moved between the two orders by the
others, whose tiles hold several neighbours of a date: each moves what it loads or keeps, and the first one the columns
that are read by date; where batches share nothing, the one before the stage that reads them. An output leaves the plan
in the first stage by symbol that knows it; in a streamed plan in the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from factorloom.engine.plan.plan import Orientation, Plan, Stage
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["Flow", "Layouts", "flows_of"]

Layouts = Mapping[Factor, Orientation]
Nodes = dict[Factor, None]
"""An ordered set."""


@dataclass(frozen=True)
class Flow:
    """The values that cross the borders of one stage.

    Attributes
    ----------
    reads, keeps, emits
        What it takes in, leaves for later stages, and emits.
    writes, fetches
        The outputs that it leaves in a file, and those that it reads back.
    waiting
        What is kept in memory while it runs: what it keeps, and what it or a later stage takes in.
    """

    reads: Nodes
    keeps: Nodes
    emits: Nodes
    writes: Nodes
    fetches: frozenset[Factor]
    waiting: tuple[Factor, ...]


def flows_of(plan: Plan) -> tuple[list[Flow], Layouts]:
    """The flow of every stage, and the layouts of the values that are in the order of dates."""
    stages = plan.stages
    emits, writes = _emits(plan)
    reads = [_reads(stage, leaving) for stage, *leaving in zip(stages, emits, writes, strict=True)]
    for node in plan.on_disk:
        del reads[-1][node]
    layouts = _layouts(stages, reads)
    moves = _moves(plan, reads)
    made = [(*stage.nodes, *moved) for stage, moved in zip(stages, moves, strict=True)]
    needed: list[set[Factor]] = [set()]
    for stage, read, here in zip(reversed(stages), reversed(reads), reversed(made), strict=True):
        waits = (node for node in read if node.operator is not COL or stage.orientation is Orientation.DATE)
        needed.append(needed[-1].difference(here).union(waits))
    needed.reverse()
    flows: list[Flow] = []
    waiting: Nodes = {}
    for number in range(len(stages)):
        keeps = dict.fromkeys(node for node in made[number] if node in needed[number + 1])
        waiting = {node: None for node in waiting if node in needed[number]} | keeps
        fetches = plan.on_disk if number == len(stages) - 1 else frozenset[Factor]()
        flows.append(Flow(reads[number] | moves[number], keeps, emits[number], writes[number], fetches, tuple(waiting)))
    return flows, layouts


def _layouts(stages: Sequence[Stage], reads: Sequence[Nodes]) -> Layouts:
    """The layout of the values that a stage date by date reads or makes; all others are in the order of the panel."""
    by_date: dict[Factor, Orientation] = {}
    for stage, read in zip(stages, reads, strict=True):
        if stage.orientation is Orientation.DATE:
            by_date |= dict.fromkeys((*read, *stage.nodes), Orientation.DATE)
    return by_date


def _moves(plan: Plan, reads: Sequence[Nodes]) -> list[Nodes]:
    """The columns that each stage brings into the order of dates."""
    moves: list[Nodes] = [{} for _ in plan.stages]
    place = 0
    for number, stage in enumerate(plan.stages):
        if stage.orientation is Orientation.DATE:
            moves[place] |= dict.fromkeys(node for node in reads[number] if node.operator is COL)
        elif plan.anew:
            place = number
    return moves


def _emits(plan: Plan) -> tuple[list[Nodes], list[Nodes]]:
    """The outputs that leave in each stage, and those that it writes to a file."""
    made = {node: n for n, stage in reversed(list(enumerate(plan.stages))) for node in stage.nodes}
    by_symbol = [n for n, stage in enumerate(plan.stages) if stage.orientation is Orientation.SYMBOL]
    emits: list[Nodes] = [{} for _ in plan.stages]
    writes: list[Nodes] = [{} for _ in plan.stages]
    for node in plan.outputs.values():
        first = next(number for number in by_symbol if number >= made.get(node, 0))
        emits[by_symbol[-1] if plan.streamed else first][node] = None
        if node in plan.on_disk:
            writes[first][node] = None
    return emits, writes


def _reads(stage: Stage, leaving: Iterable[Nodes]) -> Nodes:
    """What a stage takes in, in the order of first use."""
    inside = set(stage.nodes)
    taken = [child for node in stage.nodes for child in node.operands] + [node for nodes in leaving for node in nodes]
    return dict.fromkeys(node for node in taken if node not in inside and node.operator is not LIT)
