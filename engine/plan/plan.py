"""From factors to a plan that an executor can run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeAlias

from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import plural
from factorloom.expressions.factor import Factor
from factorloom.expressions.form import Statistic
from factorloom.expressions.notebook import pairs_html
from factorloom.expressions.operator import COL, LIT

__all__ = [
    "Emit",
    "Fetch",
    "Instruction",
    "Keep",
    "Load",
    "Orientation",
    "Plan",
    "Room",
    "Run",
    "SharedStatistic",
    "Stage",
    "Step",
    "Write",
    "shared_statistics",
]


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
    def operands(self) -> tuple[Factor, ...]:
        """The nodes that it reads."""
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
"""What is computed at a time: an operator, or a statistic that operators read."""


class Orientation(Enum):
    """The order of rows: symbol-major (by symbol, then date), or date-major (by date, then symbol)."""

    SYMBOL = "symbol by symbol"
    DATE = "date by date"


@dataclass(frozen=True)
class Load:
    """Read a column, or a value that an earlier stage kept, in this layout.

    Where the layout is not the orientation of the stage, rows are reordered on the way.
    """

    node: Factor
    layout: Orientation


@dataclass(frozen=True)
class Run:
    """Compute an operator, which reads these statistics besides its inputs, or a statistic."""

    step: Step
    statistics: tuple[SharedStatistic, ...] = ()


@dataclass(frozen=True)
class Keep:
    """Leave a value for later stages, in this layout."""

    node: Factor
    layout: Orientation


@dataclass(frozen=True)
class Emit:
    """Let a value leave the plan as an output, in the order of the panel."""

    node: Factor


@dataclass(frozen=True)
class Write:
    """Leave an output in a file, in the order of the panel."""

    node: Factor


@dataclass(frozen=True)
class Fetch:
    """Read an output back from the file, to emit it."""

    node: Factor


Instruction: TypeAlias = Load | Run | Keep | Emit | Write | Fetch


@dataclass(frozen=True, eq=False)
class Stage:
    """Operators that run together because all of them look in the same direction.

    Attributes
    ----------
    orientation
        Whether it goes symbol by symbol, or date by date (with or without groups).
    nodes
        What is computed here, inputs before the nodes that use them. Filled by the pass `cut`; `split` makes several
        stages of one.
    steps
        The nodes in the order in which they run, each statistic before the first node that reads it. Filled by
        `schedule`.
    instructions
        All that the stage does, in order. Filled by `place`, like what follows.
    waiting
        The values that are kept in memory while the stage runs: what it keeps, and what it or a later stage loads.
    """

    orientation: Orientation
    nodes: tuple[Factor, ...]
    steps: tuple[Run, ...] = ()
    instructions: tuple[Instruction, ...] = ()
    waiting: tuple[Factor, ...] = ()

    @property
    def loads(self) -> tuple[Load, ...]:
        """What the stage takes in."""
        return tuple(item for item in self.instructions if isinstance(item, Load))

    @property
    def keeps(self) -> tuple[Keep, ...]:
        """What it leaves for later stages."""
        return tuple(item for item in self.instructions if isinstance(item, Keep))

    @property
    def emits(self) -> tuple[Factor, ...]:
        """What leaves the plan here."""
        return tuple(item.node for item in self.instructions if isinstance(item, Emit))

    @property
    def writes(self) -> tuple[Factor, ...]:
        """What it leaves in a file."""
        return tuple(item.node for item in self.instructions if isinstance(item, Write))

    @property
    def fetches(self) -> tuple[Factor, ...]:
        """What it reads back from the file."""
        return tuple(item.node for item in self.instructions if isinstance(item, Fetch))

    @property
    def layouts(self) -> set[Orientation]:
        """The layouts of what the stage loads or keeps."""
        return {load.layout for load in self.loads} | {keep.layout for keep in self.keeps}

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that the stage groups by."""
        groups = (node.inputs[-1] for node in self.nodes if node.operator.axis is Axis.GROUP)
        return tuple(dict.fromkeys(str(column.parameters[0]) for column in groups))

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
        """The largest number of values that are computed here and still needed at the same time."""
        last = {read: place for place, run in enumerate(self.steps) for read in (*run.step.operands, *run.statistics)}
        alive = most = 0
        ends: Counter[int] = Counter()
        for place, run in enumerate(self.steps):
            step = run.step
            made = len(step.outputs) if isinstance(step, SharedStatistic) else 1
            alive += made
            ends[max(place, last.get(step, place))] += made
            most = max(most, alive)
            alive -= ends[place]
        return most


@dataclass(frozen=True)
class Room:
    """How many bytes per bar may wait between stages, and how many a value takes.

    Attributes
    ----------
    limit
        Bytes per bar.
    rank_bytes
        The bytes of a rank, which can be kept as a whole number; of all else 8.
    may_be_slow
        Whether to keep the limit at any cost: outputs of a streamed plan wait in a file, and batches share nothing.
    """

    limit: float = math.inf
    rank_bytes: int = 8
    may_be_slow: bool = True

    def bytes_of(self, node: Factor) -> int:
        """The bytes of a value on one bar while it waits."""
        return self.rank_bytes if node.operator.is_rank(node.parameters) else 8


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be computed, and in which order.

    Attributes
    ----------
    wanted
        The factors that the caller wants, by name.
    outputs
        What is computed for them, by name. Filled by the pass `simplify`.
    nodes
        Every distinct node once, inputs first. Filled by the pass `share`.
    stages
        Filled by the pass `cut`, and completed by those after it. What is cheap may be computed in several stages.
    dtype
        `"float64"` or `"float32"`: of the outputs; the computation is in Float64 either way.
    streamed
        Whether all outputs leave in the last stage, so that they can leave block by block.
    room
        What may wait between stages, and what it takes. Respected by the pass `split` as far as it can.
    on_disk
        Outputs that wait for the last stage in a file, not in memory. Chosen by `split`, of streamed plans only.
    anew
        Whether nothing waits from one batch to the next: each computes all that it needs, and moves its own columns
        into the order of dates. Chosen by `split`.
    """

    wanted: Mapping[str, Factor]
    outputs: Mapping[str, Factor]
    nodes: tuple[Factor, ...] = ()
    stages: tuple[Stage, ...] = ()
    dtype: str = "float64"
    streamed: bool = False
    room: Room = field(default_factory=Room)
    on_disk: frozenset[Factor] = frozenset()
    anew: bool = False

    def _repr_html_(self) -> str:
        stages = {
            f"stage {place}": f"{stage.orientation.value}: {', '.join(node.operator.name for node in stage.nodes)}"
            for place, stage in enumerate(self.stages, start=1)
        }
        factors, work = plural(len(self.wanted), "factor"), plural(len(self.computed), "operation")
        return pairs_html("Plan", {"computes": f"{factors}: {', '.join(self.wanted)}", "by": work, **stages})

    @property
    def computed(self) -> tuple[Factor, ...]:
        """The nodes that cost work: neither columns nor constants."""
        return tuple(node for node in self.nodes if node.operator not in (COL, LIT))

    @property
    def turns(self) -> bool:
        """Whether any value changes between the order of symbols and that of dates."""
        return any(layout is not stage.orientation for stage in self.stages for layout in stage.layouts)

    @property
    def item_bytes(self) -> int:
        """The bytes of one value of an output."""
        return 4 if self.dtype == "float32" else 8

    @property
    def output_bytes(self) -> int:
        """The bytes of all outputs on one bar."""
        return len(set(self.outputs.values())) * self.item_bytes

    @property
    def waiting_bytes(self) -> int:
        """The most bytes per bar that wait between stages at once; see `bytes_between`."""
        return self.bytes_between([(stage.waiting, stage.emits) for stage in self.stages])

    def bytes_between(self, stages: Iterable[tuple[Iterable[Factor], Collection[Factor]]]) -> int:
        """The most bytes per bar that wait at once, given what waits during each stage and what it emits.

        Outputs that are not there yet leave room for what waits, unless they leave block by block.
        """
        missing, most = 0 if self.streamed else self.output_bytes, 0
        for waiting, emits in stages:
            missing -= 0 if self.streamed else len(emits) * self.item_bytes
            most = max(most, sum(map(self.room.bytes_of, waiting)) - missing)
        return most


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
