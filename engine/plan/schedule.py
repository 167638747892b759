"""Pass 5: say in which order a stage's nodes run, with every statistic before the first node that reads it.

What reads a value runs as soon as it can, while the value is still in the processor's cache; that also keeps few
values alive at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from factorloom.engine.plan.plan import Plan, Run, SharedStatistic, Stage, Step, shared_statistics

__all__ = ["schedule"]


def schedule(plan: Plan) -> Plan:
    return replace(plan, stages=tuple(replace(stage, steps=tuple(_ordered(stage))) for stage in plan.stages))


def _ordered(stage: Stage) -> Iterator[Run]:
    inside = set(stage.nodes)
    needs: dict[Step, set[Step]] = {}
    parameters: dict[SharedStatistic, set[float | int]] = {}
    reads: dict[Step, tuple[SharedStatistic, ...]] = {}
    for node in stage.nodes:
        read = reads[node] = tuple(shared_statistics(node))
        for shared in read:
            needs.setdefault(shared, {child for child in shared.operands if child in inside})
            parameters.setdefault(shared, set()).update(shared.parameters)
        needs[node] = {*read, *(child for child in node.operands if child in inside)}
    users: dict[Step, list[Step]] = {step: [] for step in needs}
    for step, needed in needs.items():
        for other in needed:
            users[other].append(step)
    for step in list(needs):
        stack = [step]
        while stack:
            ready = stack.pop()
            if ready not in needs or needs[ready]:
                continue
            del needs[ready]
            if isinstance(ready, SharedStatistic):
                yield Run(ready.with_parameters(sorted(parameters[ready])))
            else:
                yield Run(ready, reads[ready])
            for user in users[ready]:
                needs[user].discard(ready)
            stack += reversed(users[ready])
