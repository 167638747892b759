"""A stage as a program: which loop runs on which arrays, put together once and run on every tile.

Every value has a slot. A slot is bound to a stretch of a whole array (a column, a value between stages, a result), or
it is a register: scratch memory of a thread that many values use one after another. The environment of a tile holds
the address of every slot. Loops that follow one another are called by compiled code, without the interpreter.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.executor.native import transfer
from factorloom.engine.executor.native.call import FIRST_SLOT, Driver, call_all
from factorloom.engine.executor.native.formula import compute
from factorloom.engine.executor.native.kernel import launch
from factorloom.engine.executor.native.rank import load_ranks, load_ranks_by_date, pack_ranks
from factorloom.engine.executor.native.result import Column, Kept, Values
from factorloom.engine.executor.native.shape import Read, key_of
from factorloom.engine.executor.native.tile import Tiles
from factorloom.engine.plan.plan import Emit, Fetch, Keep, Load, Orientation, Run, SharedStatistic, Stage, Write
from factorloom.engine.runtime.memory import borrow
from factorloom.engine.runtime.observer import Observer
from factorloom.expressions.factor import Factor
from factorloom.expressions.form import BAR
from factorloom.expressions.operator import COL, LIT

__all__ = ["Program", "Scratch"]


@dataclass(frozen=True)
class _Call:
    """A driver with the slots and numbers that it takes; it walks over the groups of a category, if one is given."""

    driver: Driver
    slots: tuple[int, ...]
    numbers: tuple[float, ...] = ()
    column: str | None = None


@dataclass(frozen=True, eq=False)
class _Formula:
    """An operator that has no kernel, as NumPy or Polars compute it; the last slot is written."""

    node: Factor
    slots: tuple[int, ...]
    key: str | None = None


@dataclass(frozen=True)
class _Calls:
    """Calls that follow one another, in the form that compiled code takes."""

    calls: tuple[Index, Index, Index, Array, Index]
    column: str | None


@dataclass(frozen=True)
class Scratch:
    """What a thread runs tiles with: registers and constants by slot, and the address of every slot.

    For a slot that moves on with the tiles, that is the address that row 0 would have.
    """

    arrays: Mapping[int, Array]
    addresses: Index


Value: TypeAlias = Read | tuple[Factor, Factor] | str
"""What a slot holds: a node, an output of a statistic, a node in the order of a category column, or another array."""


FLOAT32_LIMIT = float(np.finfo(np.float32).max) + 2.0**103
"""From here on a Float64 becomes infinite in Float32."""


class Program:
    """What a stage does, as calls on slots; slots share registers.

    Parameters
    ----------
    stage, bars, tiles
    values
        The arrays of what the stage loads, keeps and emits, columns of the panel excepted.
    """

    def __init__(self, stage: Stage, bars: Bars, tiles: Tiles, values: Values) -> None:
        self._stage, self._bars, self._tiles = stage, bars, tiles
        kept, columns = values.kept, values.columns
        self._slots: dict[Value, int] = {}
        self._bound: dict[int, tuple[npt.NDArray[Any], int | None]] = {}
        self._constants: dict[int, float] = {}
        self._calls: list[_Call | _Formula] = []
        self._bind_outputs(kept, columns)
        for item in stage.instructions:
            match item:
                case Load(node, layout):
                    self._load(node, layout, kept)
                case Run():
                    self._run(item)
                case Keep(node, layout):
                    self._keep(node, layout, kept[node])
                case Write(node):
                    self._call(transfer.move, (self._read(node, None), self._stretch(values.stretches[node])))
                case Fetch(node):
                    self._bound[self._slot(node)] = values.stretches[node]
                case Emit(node):
                    self._emit(node, columns[node])
        self._registers = self._registers_of_slots()
        self._parts = list(self._joined_parts())
        self._steps = np.zeros(FIRST_SLOT + len(self._slots), np.int64)
        for slot, (array, start) in self._bound.items():
            self._steps[slot] = 0 if start is None else array.itemsize

    def _bind_outputs(self, kept: Mapping[Factor, Kept], columns: Mapping[Factor, Column]) -> None:
        """Let what is made here be written straight into the kept value or the output that it becomes."""
        nodes = set(self._stage.nodes)
        for node in self._stage.emits:
            if node in nodes and columns[node].values.dtype == np.float64:
                self._bound[self._slot(node)] = columns[node].values, columns[node].start
        for item in self._stage.keeps:
            is_here = item.node in nodes and item.layout is self._stage.orientation
            if is_here and kept[item.node].doubled is None:
                self._bound[self._slot(item.node)] = kept[item.node].values, 0

    def _load(self, node: Factor, layout: Orientation, kept: Mapping[Factor, Kept]) -> None:
        """Bind a node to a column or a kept value; Float32, codes and date-major order go to a register."""
        is_panel = node.operator is COL and layout is Orientation.SYMBOL
        array, doubled = (self._bars.array(str(node.parameters[0])), None) if is_panel else kept[node]
        is_here = layout is self._stage.orientation
        if doubled is not None:
            kind, codes = array.dtype.name, self._aligned(array) if is_here else self._whole(array)
            rows = () if is_here else (self._places(), self._aligned(self._bars.date_codes))
            driver = load_ranks_by_date(kind) if is_here else load_ranks(kind)
            self._call(driver, (codes, *rows, self._whole(doubled), self._slot(node)))
        elif not is_here:
            self._call(transfer.load_by_date, (self._whole(array), self._places(), self._slot(node)))
        elif array.dtype == np.float32:
            self._call(transfer.widen, (self._aligned(array), self._slot(node)))
        else:
            self._bound[self._slot(node)] = array, 0

    def _run(self, run: Run) -> None:
        """Run an operator or a statistic."""
        step, call = run.step, launch(run)
        key = key_of(step)
        takes = self._reads(step.operands if call is None else call.reads, key)
        if isinstance(step, SharedStatistic):
            gives = [self._slot((step, name)) for name in step.outputs]
        else:
            gives = [self._slot(_grouped(step, key))]
        if call is None:
            assert isinstance(step, Factor)
            self._calls.append(_Formula(step, (*takes, *gives), None if key is None else _column(key)))
        else:
            self._call(call.driver, (*takes, *gives), call.numbers, key)
        if isinstance(step, Factor) and key is not None:
            self._call(transfer.spread, (gives[0], self._grouping(key), self._slot(step)), (), key)

    def _keep(self, node: Factor, layout: Orientation, target: Kept) -> None:
        """Leave a value for later stages; one kept in the order of the stage was written there."""
        array, doubled = target
        if doubled is not None:
            codes = self._aligned(array)
            self._call(pack_ranks(array.dtype.name), (self._read(node, None), codes, self._whole(doubled)))
        elif layout is not self._stage.orientation:
            self._call(transfer.store_by_date, (self._read(node, None), self._places(), self._whole(array)))

    def _emit(self, node: Factor, column: Column) -> None:
        """Write a value into an output column, and set the validity bits."""
        slot = self._read(node, None)
        if column.values.dtype == np.float32:
            bounded = self._slot(f"bounded {id(column)}")
            self._call(transfer.bound, (slot, bounded), (FLOAT32_LIMIT,))
            slot = bounded
        if self._bound.get(slot, (None,))[0] is not column.values:
            target = self._slot(f"column {id(column)}")
            self._bound[target] = column.values, column.start
            self._call(transfer.move if column.values.dtype == np.float64 else transfer.narrow, (slot, target))
        self._call(transfer.seal, (slot, self._whole(column.bits), self._whole(column.missing)), (column.start,))

    def _registers_of_slots(self) -> dict[int, int]:
        """A register for every slot that needs one, used again after the slot's last use."""
        lasting = self._bound.keys() | self._constants.keys()
        return _shared([[slot for slot in step.slots if slot not in lasting] for step in self._calls])

    def _joined_parts(self) -> Iterator[_Calls | _Formula]:
        """Calls that follow one another joined into one."""
        for _, steps in itertools.groupby(self._calls, lambda step: getattr(step, "column", step)):
            part = list(steps)
            calls = [step for step in part if isinstance(step, _Call)]
            yield from [_joined(calls)] if calls else [step for step in part if isinstance(step, _Formula)]

    @property
    def width(self) -> int:
        """How many registers a tile needs."""
        return max(self._registers.values(), default=-1) + 1

    def scratch(self) -> Scratch:
        """Memory in which a thread can run any of the tiles."""
        rows = self._tiles.size
        registers = [borrow(rows, "float64") for _ in range(self.width)]
        arrays = {slot: registers[register] for slot, register in self._registers.items()}
        arrays |= {slot: np.full(rows, value) for slot, value in self._constants.items()}
        addresses = np.zeros(FIRST_SLOT + len(self._slots), np.int64)
        for slot, (array, start) in self._bound.items():
            addresses[slot] = array.ctypes.data - (start or 0) * array.itemsize
        for slot, array in arrays.items():
            addresses[slot] = array.ctypes.data
        return Scratch(arrays, addresses)

    def run(self, first: int, last: int, scratch: Scratch, observer: Observer) -> None:
        """Run all instructions on some of the tiles: at once if all are calls, else on one tile after another."""
        step = 1 if len(self._parts) > 1 else last - first
        for tile in range(first, last, step):
            for part in self._parts:
                observer.check()
                if isinstance(part, _Formula):
                    rows = slice(int(self._tiles.bounds[tile]), int(self._tiles.bounds[tile + 1]))
                    offsets, cuts = self._tiles.runs(part.key)
                    runs = offsets[cuts[tile] : cuts[tile + 1] + 1] - offsets[cuts[tile]]
                    *takes, gives = (self._array(slot, rows, scratch)[: runs[-1]] for slot in part.slots)
                    compute(part.node, runs, takes, gives)
                else:
                    where = (scratch.addresses, self._steps, self._tiles.bounds, *self._tiles.runs(part.column))
                    call_all(*part.calls, *where, tile, tile + step, observer.stop)

    def _array(self, slot: int, rows: slice, scratch: Scratch) -> Array:
        if slot in scratch.arrays:
            return scratch.arrays[slot][: rows.stop - rows.start]
        array, start = self._bound[slot]
        return array[rows.start - (start or 0) : rows.stop - (start or 0)]

    def _slot(self, value: Value) -> int:
        return self._slots.setdefault(value, FIRST_SLOT + len(self._slots))

    def _whole(self, array: npt.NDArray[Any]) -> int:
        """The slot of an array that is the same for all tiles."""
        slot = self._slot(f"array {id(array)}")
        self._bound[slot] = array, None
        return slot

    def _aligned(self, array: npt.NDArray[Any]) -> int:
        """The slot of an array with a value for each row, in the order of the stage."""
        return self._stretch((array, 0))

    def _stretch(self, stretch: tuple[npt.NDArray[Any], int]) -> int:
        """The slot of an array with a value for each row from the given one on."""
        slot = self._slot(f"rows of {id(stretch[0])}")
        self._bound[slot] = stretch
        return slot

    def _places(self) -> int:
        """The slot of the position of each row in date-major order."""
        return self._aligned(self._bars.places)

    def _reads(self, values: Iterable[Read], key: Factor | None) -> list[int]:
        return [self._read(value, key) for value in values]

    def _read(self, value: Read, key: Factor | None) -> int:
        """The slot of a value, in the order of a category column where one is given."""
        if isinstance(value, str):
            assert value == BAR
            return self._whole(self._bars.first_bars)
        if isinstance(value, Factor) and value.operator is LIT:
            slot = self._slot(value)
            self._constants[slot] = float(value.parameters[0])
            return slot
        if key is None or not isinstance(value, Factor):
            return self._slot(value)
        if (value, key) not in self._slots:
            self._call(transfer.collect, (self._slot(value), self._grouping(key), self._slot((value, key))), (), key)
        return self._slot((value, key))

    def _grouping(self, key: Factor) -> int:
        """The slot of the rows of all groups."""
        return self._whole(self._tiles.groups[_column(key)].runs.places)

    def _call(
        self, driver: Driver, slots: tuple[int, ...], numbers: tuple[float, ...] = (), key: Factor | None = None
    ) -> None:
        self._calls.append(_Call(driver, slots, numbers, None if key is None else _column(key)))


def _shared(touched: Sequence[Sequence[int]]) -> dict[int, int]:
    """A register for every slot, from the slots that each instruction touches: free again after the last one."""
    last = {slot: place for place, slots in enumerate(touched) for slot in slots}
    registers: dict[int, int] = {}
    free: list[int] = []
    used = itertools.count()
    for place, slots in enumerate(touched):
        for slot in dict.fromkeys(slots):
            if slot not in registers:
                registers[slot] = free.pop() if free else next(used)
        free += [registers[slot] for slot in dict.fromkeys(slots) if last[slot] == place]
    return registers


def _joined(calls: Sequence[_Call]) -> _Calls:
    codes = np.array([call.driver.address for call in calls], np.int64)
    slots = np.array([slot for call in calls for slot in call.slots], np.int64)
    slot_ends = np.cumsum([len(call.slots) for call in calls], dtype=np.int64)
    numbers = np.array([number for call in calls for number in call.numbers], np.float64)
    number_ends = np.cumsum([len(call.numbers) for call in calls], dtype=np.int64)
    return _Calls((codes, slots, slot_ends, numbers, number_ends), calls[0].column)


def _column(key: Factor) -> str:
    return str(key.parameters[0])


def _grouped(node: Factor, key: Factor | None) -> Value:
    return node if key is None else (node, key)
