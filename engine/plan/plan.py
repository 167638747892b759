"""From factors to a plan that an executor can run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.form import Statistic
from factorloom.expressions.operator import COL, LIT

__all__ = ["Plan", "SharedStatistic", "Stage", "Step", "shared_statistics"]


Argument: TypeAlias = Factor | float | int | tuple[float | int, ...]


@dataclass(frozen=True)
class SharedStatistic:
    """A statistic of certain inputs: computed once, read by every operator that needs the same.

    Attributes
    ----------
    statistic
        The loop, and the names of its outputs.
    arguments
        What it is given: nodes and numbers; in place of `statistic.every` a tuple of all values that are needed.
    key
        The category within which it is computed, for operators on `Axis.GROUP`.
    digest
        What arguments and category are, in text: factors themselves cannot be compared.
    """

    statistic: Statistic
    arguments: tuple[Argument, ...] = field(compare=False)
    key: Factor | None = field(compare=False)
    digest: str

    @property
    def inputs(self) -> tuple[Factor, ...]:
        return tuple(argument for argument in self.arguments if isinstance(argument, Factor))

    @property
    def parameters(self) -> tuple[float | int, ...]:
        """The values of the parameter `statistic.every`."""
        return next((argument for argument in self.arguments if isinstance(argument, tuple)), ())

    @property
    def outputs(self) -> tuple[str, ...]:
        """What it fills, once for each of these parameters."""
        names = self.statistic.outputs
        return tuple(f"{name} at {value}" for value in self.parameters for name in names) or names

    def with_parameters(self, parameters: Iterable[float | int]) -> SharedStatistic:
        """The same for other values of the parameter `statistic.every`."""
        values = tuple(parameters)
        return replace(self, arguments=tuple(values if isinstance(a, tuple) else a for a in self.arguments))


Step: TypeAlias = Factor | SharedStatistic
"""What an executor does at a time: an operator, or a statistic that operators read."""


@dataclass(frozen=True, eq=False)
class Stage:
    """Operators that run together because all of them look in the same direction.

    Attributes
    ----------
    axis
        `Axis.TIME`: symbol by symbol; `Axis.CROSS`: date by date (with or without groups).
    nodes
        What is computed here, inputs before the nodes that use them.
    steps
        The nodes in the order in which they run, each statistic before the first node that reads it.
    reads
        Columns and kept values that are taken in.
    keeps
        Values that later stages need.
    results
        Values that leave the plan here, in the order of the panel.
    """

    axis: Axis
    nodes: tuple[Factor, ...]
    steps: tuple[Step, ...] = ()
    reads: tuple[Factor, ...] = ()
    keeps: tuple[Factor, ...] = ()
    results: tuple[Factor, ...] = ()

    def span(self) -> tuple[float, float]:
        """Bars before and after the current one that the stage reads; infinite for unbounded memory."""
        before: dict[Factor, float] = {}
        after: dict[Factor, float] = {}
        for node in self.nodes:
            own = node.operator.span(node.operator.named(node.parameters))
            past = math.inf if node.operator.unbounded else own[0]
            before[node] = past + max((before.get(child, 0) for child in node.operands), default=0)
            after[node] = max(0, own[1]) + max((after.get(child, 0) for child in node.operands), default=0)
        return max(before.values(), default=0), max(after.values(), default=0)

    def width(self) -> int:
        """The largest number of values that a tile holds at once on its way through the stage."""
        last = {read: place for place, step in enumerate(self.steps) for read in _read(step)}
        held = most = 0
        ends: Counter[int] = Counter()
        for place, step in enumerate(self.steps):
            made = len(step.outputs) if isinstance(step, SharedStatistic) else 1
            held += made
            ends[max(place, last.get(step, place))] += made
            most = max(most, held)
            held -= ends[place]
        return most


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be computed, and in which order.

    Attributes
    ----------
    wanted
        The factors asked for, by name.
    aims
        What is computed for them, by name. Filled by the pass `simplify`.
    nodes
        Every distinct node once, inputs first. Filled by the pass `share`.
    stages
        Filled by the pass `cut`, and completed by those after it.
    turned
        Values that lie in the order of dates between stages, because a stage that goes date by date makes or reads
        them; all others lie in the order of the panel. Filled by the pass `allot`.
    streamed
        Whether all results leave in the last stage, so that they can leave block by block.
    """

    wanted: Mapping[str, Factor]
    aims: Mapping[str, Factor]
    nodes: tuple[Factor, ...] = ()
    stages: tuple[Stage, ...] = ()
    turned: frozenset[Factor] = frozenset()
    streamed: bool = False

    @property
    def computed(self) -> tuple[Factor, ...]:
        """The nodes that cost work: neither columns nor constants."""
        return tuple(node for node in self.nodes if node.operator not in (COL, LIT))

    def live(self, number: int) -> set[Factor]:
        """The values that lie between stages while this stage runs."""
        made = {node for stage in self.stages[: number + 1] for node in stage.keeps}
        return made & {node for stage in self.stages[number:] for node in (*stage.reads, *stage.keeps)}


def _read(step: Step) -> tuple[Step, ...]:
    return step.inputs if isinstance(step, SharedStatistic) else (*step.operands, *shared_statistics(step))


def shared_statistics(node: Factor) -> Iterator[SharedStatistic]:
    """What the kernel of a node reads besides the node's own inputs."""
    op = node.operator
    given: dict[str, Factor | float | int] = dict(zip(op.input_names(len(node.inputs)), node.inputs, strict=True))
    given |= {name: op.kinds[name].encode(value) for name, value in op.named(node.parameters).items()}
    key = node.inputs[-1] if op.axis is Axis.GROUP else None
    for statistic in op.statistics:
        every = statistic.every
        arguments = tuple((given[name],) if name == every else given[name] for name in statistic.arguments)
        parts = [given[name] for name in statistic.arguments if name != every] + ([] if key is None else [key])
        digest = " ".join(part.digest if isinstance(part, Factor) else repr(part) for part in parts)
        yield SharedStatistic(statistic, arguments, key, digest)  # type: ignore[arg-type]
