"""Pass 4: split the stages into batches of factors, one after another, where too many values would wait.

`cut` lets all factors go through the first stage, then all through the second, and so on: what stages pass on to each
other then waits for all factors at once. A batch goes through all stages before the next one starts. What two batches
share is computed once and kept, but for cell-wise functions of columns: they are computed anew.

There are as few batches as the room allows. A streamed plan ends in one stage of all factors. Its first stages are
split such that as little as possible waits for the last one; where that is still too much, outputs are computed early,
and wait in a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from factorloom.engine.plan.flow import Flow, flows_of
from factorloom.engine.plan.plan import Orientation, Plan, Stage
from factorloom.engine.plan.separate import WHOLE_DATES, last_nodes
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["split"]

BATCHES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""The numbers of batches that are tried."""


def split(plan: Plan) -> Plan:
    if _waiting(plan) <= plan.room.limit:
        return plan
    splitter = _Splitter(plan)
    best = plan
    for made in splitter.candidates():
        if _waiting(made) <= plan.room.limit:
            return made
        best = min(best, made, key=_waiting)
    return best


def _waiting(plan: Plan) -> int:
    return plan.bytes_between(_parts(flows_of(plan)[0]))


def _parts(flows: Iterable[Flow]) -> Iterator[tuple[tuple[Factor, ...], dict[Factor, None]]]:
    return ((flow.waiting, flow.emits) for flow in flows)


class _Splitter:
    """Ways to split a plan that has been cut."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._level = {node: number for number, stage in enumerate(plan.stages) for node in stage.nodes}
        self._bits: dict[Factor, int] = {}
        self._cheap: set[Factor] = set()
        for number, node in enumerate(plan.nodes):
            below = 0
            for child in node.operands:
                below |= self._bits[child]
            is_cell = node.operator.axis is Axis.CELL and self._cheap.issuperset(node.operands)
            if node.operator in (COL, LIT) or is_cell:
                self._cheap.add(node)
            self._bits[node] = below | (0 if node in self._cheap else 1 << number)

    def candidates(self) -> Iterator[Plan]:
        """Plans of more and more batches; then, of a streamed plan, those whose outputs wait in a file."""
        if not self._plan.streamed:
            targets = self._ordered(self._plan.outputs.values())
            for count in BATCHES[1:]:
                yield self._in_batches(targets, count)
            return
        last = last_nodes(self._plan)
        targets = self._ordered(_read_by(last, self._plan))
        for count in BATCHES:
            yield self._in_batches(targets, count, last, leaves_early=False)
        direct = self._from_columns()
        targets = self._ordered(node for node in self._plan.outputs.values() if node not in direct)
        last = tuple(node for node in last if node in direct)
        for count in BATCHES:
            yield replace(self._in_batches(targets, count, last), on_disk=frozenset(targets))

    def _from_columns(self) -> set[Factor]:
        """What needs no whole dates."""
        direct: set[Factor] = set()
        for node in self._plan.nodes:
            if node.operator.axis not in WHOLE_DATES and direct.issuperset(node.operands):
                direct.add(node)
        return direct

    def _ordered(self, targets: Iterable[Factor]) -> list[Factor]:
        """Targets in an order in which each adds as little as possible to those before it."""
        rest = dict.fromkeys(node for node in targets if node in self._level)
        order: list[Factor] = []
        known = 0
        while rest:
            bits = self._bits
            chosen = min(rest, key=lambda node: ((bits[node] & ~known).bit_count(), -bits[node].bit_count()))
            del rest[chosen]
            order.append(chosen)
            known |= bits[chosen]
        return order

    def _in_batches(
        self, targets: Sequence[Factor], count: int, last: tuple[Factor, ...] = (), *, leaves_early: bool = True
    ) -> Plan:
        """The plan in so many batches of about equal work; `last` is computed in the last stage of a streamed plan.

        The targets leave before that stage, or wait for it.
        """
        work, known = [], 0
        for node in targets:
            work.append((self._bits[node] & ~known).bit_count())
            known |= self._bits[node]
        batches: list[list[Factor]] = [[] for _ in range(count)]
        before = 0
        for node, size in zip(targets, work, strict=True):
            batches[before * count // max(1, sum(work)) if before < sum(work) else count - 1].append(node)
            before += size
        done: set[Factor] = set()
        stages: list[Stage] = []
        for batch in batches:
            needed = self._needed(batch, done)
            for number, stage in enumerate(self._plan.stages):
                nodes = tuple(node for node in self._plan.nodes if node in needed and self._level[node] == number)
                if nodes:
                    stages.append(Stage(stage.orientation, nodes))
            done |= needed
        if leaves_early and stages[-1].orientation is Orientation.DATE:
            stages.append(Stage(Orientation.SYMBOL, ()))
        if self._plan.streamed:
            stages.append(Stage(Orientation.SYMBOL, last))
        if stages[0].orientation is Orientation.DATE:
            stages.insert(0, Stage(Orientation.SYMBOL, ()))
        return replace(self._plan, stages=tuple(stages))

    def _needed(self, targets: Iterable[Factor], done: set[Factor]) -> set[Factor]:
        """What these targets need and is not kept from before."""
        needed: set[Factor] = set()
        stack = list(targets)
        while stack:
            node = stack.pop()
            if node in self._level and node not in needed and (node not in done or node in self._cheap):
                needed.add(node)
                stack += node.operands
        return needed


def _read_by(nodes: Iterable[Factor], plan: Plan) -> Iterator[Factor]:
    """What a last stage with these nodes takes in."""
    inside = set(nodes)
    taken = [child for node in inside for child in node.operands] + list(plan.outputs.values())
    return (node for node in plan.nodes if node in set(taken) - inside)
