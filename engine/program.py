"""A stage as a program: which loop runs on which buffers, worked out once and run on every tile.

The environment of a tile is a list of arrays, one per slot, each as long as the tile. A slot is bound to a stretch of
a whole array (a column, a value between stages, a result), or it is a register: scratch memory of a thread that many
values use one after another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from factorloom.engine.kernel import Read, launch
from factorloom.engine.layout import Array, Index
from factorloom.engine.loop import clean, gather, scatter
from factorloom.engine.plan import Finding, Step
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import LIT

__all__ = ["Instruction", "Program", "Tile"]


@dataclass(frozen=True)
class Tile:
    """A stretch of runs, and the rows that they cover.

    Attributes
    ----------
    rows
        The rows, in the order of the stage.
    runs
        The offsets of all runs, the first run of the tile, and the one after its last.
    places
        For a tile of symbols: where its rows lie in the order of dates.
    groups
        For a tile of dates: by category column, the rows of the tile group by group, and their runs.
    """

    rows: slice
    runs: tuple[Index, int, int]
    places: Index
    groups: Mapping[str, tuple[Index, tuple[Index, int, int]]]


Environment: TypeAlias = Sequence[Array]
Instruction: TypeAlias = Callable[[Environment, Tile], None]
Value: TypeAlias = Read | tuple[Factor, Factor]
"""What a slot holds: a node, one output of a summary, or a node in the order of a category column."""


class Program:
    """The instructions of a stage, built by adding steps; `finish` then lets slots share registers.

    Attributes
    ----------
    instructions
        What runs on each tile, in order.
    bound : dict of slot to array and row
        Slots that are stretches of larger arrays, and the row at which those begin.
    constants : dict of slot to number
        Slots that hold one number throughout.
    registers : list of int
        The register of every other slot, by slot; -1 for slots that have none.
    """

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self.bound: dict[int, tuple[Array, int]] = {}
        self.constants: dict[int, float] = {}
        self.registers: list[int] = []
        self._slots: dict[Value, int] = {}
        self._touched: list[tuple[int, ...]] = []

    def bind(self, node: Factor, array: Array, start: int = 0) -> None:
        """Let the value of a node be a stretch of a larger array, which begins at row `start`."""
        self.bound[self._slot(node)] = array, start

    def add(self, step: Step) -> None:
        """Run an operator or a summary."""
        key = step.key if isinstance(step, Finding) else _key(step)
        call = launch(step)
        if call is None:
            assert isinstance(step, Factor)
            self._add_whole(step)
            return
        takes = [self._read(value, key) for value in call.reads]
        names = step.summary.outputs if isinstance(step, Finding) else ()
        outputs: list[Value] = [(step, name) for name in names] if isinstance(step, Finding) else [_grouped(step, key)]
        gives = [self._slot(value) for value in outputs]
        column = None if key is None else str(key.parameters[0])
        self._append(_driven(call.driver, (*takes, *gives), call.numbers, column), *takes, *gives)
        if isinstance(step, Factor) and key is not None:
            self._spread(step, key)

    def turn_in(self, node: Factor, source: Array) -> None:
        """Read a value that lies in the order of dates."""
        slot = self._slot(node)
        self._append(lambda env, tile: gather(source, tile.places, env[slot]), slot)

    def turn_out(self, node: Factor, target: Array) -> None:
        """Leave a value behind in the order of dates."""
        slot = self._read(node, None)
        self._append(lambda env, tile: scatter(env[slot], tile.places, target), slot)

    def give(self, node: Factor, store: Callable[[Array, int], None]) -> None:
        """Hand the value of a node over, with the first row of each tile."""
        slot = self._read(node, None)
        self._append(lambda env, tile: store(env[slot], tile.rows.start), slot)

    def finish(self) -> None:
        """Give every slot that needs one a register, used again after its last use."""
        last = {slot: place for place, slots in enumerate(self._touched) for slot in slots}
        free: list[int] = []
        self.registers = [-1] * len(self._slots)
        used = Counter[str]()
        for place, slots in enumerate(self._touched):
            fresh = [s for s in slots if self.registers[s] < 0 and s not in self.bound and s not in self.constants]
            for slot in dict.fromkeys(fresh):
                if not free:
                    free.append(used.total())
                    used["registers"] += 1
                self.registers[slot] = free.pop()
            free += [self.registers[s] for s in dict.fromkeys(slots) if last[s] == place and self.registers[s] >= 0]

    @property
    def width(self) -> int:
        """How many registers a tile needs."""
        return max(self.registers, default=-1) + 1

    def environment(self, rows: slice, scratch: Array, constants: dict[int, Array]) -> list[Array]:
        """The arrays of all slots on some rows."""
        size = rows.stop - rows.start
        env = [scratch[register, :size] if register >= 0 else scratch[0, :0] for register in self.registers]
        for slot, (array, start) in self.bound.items():
            env[slot] = array[rows.start - start : rows.stop - start]
        for slot in self.constants:
            env[slot] = constants[slot][:size]
        return env

    def _slot(self, value: Value) -> int:
        return self._slots.setdefault(value, len(self._slots))

    def _read(self, value: Value, key: Factor | None) -> int:
        """The slot of a value, in the order of a category column where one is given."""
        if isinstance(value, Factor) and value.operator is LIT:
            slot = self._slot(value)
            self.constants[slot] = float(value.parameters[0])
            return slot
        if key is None or not isinstance(value, Factor) or (value, key) in self._slots:
            return self._slot(_grouped(value, key) if isinstance(value, Factor) else value)
        source, slot, column = self._slot(value), self._slot((value, key)), str(key.parameters[0])

        def collect(env: Environment, tile: Tile) -> None:
            gather(env[source], tile.groups[column][0], env[slot])

        self._append(collect, source, slot)
        return slot

    def _spread(self, node: Factor, key: Factor) -> None:
        """Bring a value back from the order of a category column; rows without a category are missing."""
        source, slot, column = self._slot((node, key)), self._slot(node), str(key.parameters[0])

        def spread(env: Environment, tile: Tile) -> None:
            env[slot].fill(np.nan)
            scatter(env[source], tile.groups[column][0], env[slot])

        self._append(spread, source, slot)

    def _add_whole(self, node: Factor) -> None:
        """Run a cell-wise operator without a kernel: its NumPy meaning, in place where that is a ufunc."""
        form, takes, slot = (
            node.operator.meaning_form,
            [self._read(child, None) for child in node.inputs],
            self._slot(node),
        )
        assert form is not None
        if isinstance(form, np.ufunc):
            ufunc: np.ufunc = form

            def compute(env: Environment, tile: Tile) -> None:
                ufunc(*[env[take] for take in takes], out=env[slot])
                clean(env[slot])

        else:

            def compute(env: Environment, tile: Tile) -> None:
                env[slot][:] = node.operator.call(form, [env[take] for take in takes], node.parameters)
                clean(env[slot])

        self._append(compute, *takes, slot)

    def _append(self, instruction: Instruction, *slots: int) -> None:
        self.instructions.append(instruction)
        self._touched.append(slots)


def _driven(
    driver: Callable[..., None], slots: tuple[int, ...], numbers: Iterable[float | int], column: str | None
) -> Instruction:
    if column is None:
        return lambda env, tile: driver(*tile.runs, *[env[slot] for slot in slots], *numbers)
    return lambda env, tile: driver(*tile.groups[column][1], *[env[slot] for slot in slots], *numbers)


def _key(node: Factor) -> Factor | None:
    return node.inputs[-1] if node.operator.axis is Axis.GROUP else None


def _grouped(node: Factor, key: Factor | None) -> Value:
    return node if key is None else (node, key)
