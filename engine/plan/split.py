"""Pass 4: split the stages into batches of factors, one after another, where too many values would wait.

`cut` lets all factors go through the first stage, then all through the second, and so on: what stages pass on to each
other then waits for all factors at once. A batch goes through all stages before the next one starts. What two batches
share is computed once and kept, but for cell-wise functions of columns: they are computed anew.

A batch has as many factors as there is room for. A streamed plan ends in one stage of all factors. Its first stages are
split such that as little as possible waits for the last one; where that is still too much, outputs are computed early,
and wait in a file. Where even that needs more than a caller allows, batches share nothing: each computes all anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from factorloom.engine.plan.flow import Flow, flows_of
from factorloom.engine.plan.last_stage import WHOLE_DATES, last_nodes
from factorloom.engine.plan.plan import Orientation, Plan, Stage
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["split"]


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
        """The plan in batches; of a streamed plan also in batches whose outputs wait in a file."""
        plan, last = self._plan, tuple[Factor, ...]()
        targets = self._ordered(plan.outputs.values())
        if plan.streamed:
            last = last_nodes(plan)
            yield self._filled(plan, self._ordered(_read_by(last, plan)), last, leaves_early=False)
            direct = self._from_columns()
            targets = [node for node in targets if node not in direct]
            plan = replace(plan, on_disk=frozenset(targets))
            last = tuple(node for node in last if node in direct)
        if plan.room.may_be_slow or not plan.streamed:
            yield self._filled(plan, targets, last)
        if plan.room.may_be_slow:
            yield self._filled(replace(plan, anew=True), targets, last)

    def _from_columns(self) -> set[Factor]:
        """What needs no whole dates."""
        direct: set[Factor] = set()
        for node in self._plan.nodes:
            if node.operator.axis not in WHOLE_DATES and direct.issuperset(node.operands):
                direct.add(node)
        return direct

    def _ordered(self, targets: Iterable[Factor]) -> list[Factor]:
        """Targets in an order that keeps together what is shared, those that add most to all others first.

        Found from its end: what comes last adds as little as possible, and so on. Much waits for what is deep, so that
        comes while few results take memory.
        """
        rest = dict.fromkeys(node for node in targets if node in self._level)
        order: list[Factor] = []
        known = 0
        while rest:
            bits = self._bits
            chosen = min(rest, key=lambda node: ((bits[node] & ~known).bit_count(), -bits[node].bit_count()))
            del rest[chosen]
            order.append(chosen)
            known |= bits[chosen]
        return order[::-1]

    def _filled(
        self, plan: Plan, targets: Sequence[Factor], last: tuple[Factor, ...] = (), *, leaves_early: bool = True
    ) -> Plan:
        """The plan in batches of as many targets as there is room for, at least one in each.

        A streamed plan computes `last` in its last stage; the targets leave before it, or wait for it.
        """
        ends: list[int] = []
        start, most = 0, len(targets)
        while start < len(targets):
            least = start + 1
            while least < most:
                half = (least + most + 1) // 2
                stages, count = self._batches(plan, targets, [*ends, half], last, leaves_early)
                parts = list(_parts(flows_of(replace(plan, stages=stages))[0]))
                fits = plan.bytes_between(parts[:count]) <= plan.room.limit
                least, most = (half, most) if fits else (least, half - 1)
            ends.append(least)
            start, most = least, min(len(targets), 3 * least - 2 * start)
        return replace(plan, stages=self._batches(plan, targets, ends, last, leaves_early)[0])

    def _batches(
        self, plan: Plan, targets: Sequence[Factor], ends: Sequence[int], last: tuple[Factor, ...], leaves_early: bool
    ) -> tuple[tuple[Stage, ...], int]:
        """The stages of all batches, the last of which has the remaining targets, and how many come before that one."""
        done: set[Factor] = set()
        left: set[Factor] = set()
        stages: list[Stage] = []
        count = 0
        for start, end in itertools.pairwise((0, *ends, len(targets))):
            count = len(stages)
            needed = self._needed((node for node in targets[start:end] if node not in left), done)
            by_level: dict[int, list[Factor]] = {}
            for node in plan.nodes:
                if node in needed:
                    by_level.setdefault(self._level[node], []).append(node)
            orientations = [stage.orientation for stage in self._plan.stages]
            batch = [Stage(orientations[level], tuple(by_level[level])) for level in sorted(by_level)]
            if not batch or (batch[0].orientation is Orientation.DATE and (plan.anew or not stages)):
                batch.insert(0, Stage(Orientation.SYMBOL, ()))
            stages += batch
            done |= set() if plan.anew else needed
            left |= needed
        if leaves_early and stages[-1].orientation is Orientation.DATE:
            stages.append(Stage(Orientation.SYMBOL, ()))
        if plan.streamed:
            stages.append(Stage(Orientation.SYMBOL, last))
        return tuple(stages), count

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
