"""Kernels as they are written, in plain Python: first results on small panels, before anything is compiled.

A kernel is a plain loop. Run step by step it gives the same values, to the last bit, about a thousand times slower;
to compile it takes a second, and to load it from disk a tenth. So each process interprets for a second in all, and
compiles from then on. Only loops of ours are interpreted, and only what NumPy and compiled code round alike.
"""

from __future__ import annotations

import dis
import functools
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from types import FunctionType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Array, Index, as_series
from factorloom.engine.executor.column import typed
from factorloom.engine.executor.native.formula import clean, compute
from factorloom.engine.executor.native.shape import (
    Shape,
    arguments_of,
    called_by,
    has_kernel,
    key_of,
    shape_of,
    shapes_of,
)
from factorloom.engine.executor.protocol import Block
from factorloom.engine.plan.plan import Emit, Fetch, Keep, Load, Orientation, Plan, Run, SharedStatistic, Stage, Write
from factorloom.engine.runtime import cache
from factorloom.engine.runtime.observer import Observer
from factorloom.expressions import registry
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["BUDGET", "Budget", "can_interpret", "interpret"]

log = logging.getLogger(__name__)

SECONDS, LOADING = 1.0, 0.25
"""How long a process interprets in all; and how long a plan whose kernels are all on disk: they take longer to load."""

CELLS, LONGEST = 1 << 19, 1 << 12
"""Plans of more cells, rows times steps, are not tried, nor symbols or dates of more rows: time is looked at between
two of them."""

OURS = os.path.dirname(registry.__file__) + os.sep
"""The folder of our loops."""

EXACT = {np.add, np.subtract, np.multiply, np.divide, np.negative, np.absolute, np.sqrt, np.square, np.floor, np.ceil}
"""What compiled code does to every number as NumPy does; of `sign`, `minimum` and `maximum` the sign of 0 differs."""

KNOWN = {
    *("abs", "ceil", "empty", "float64", "floor", "full", "inf", "int32", "int64", "isfinite", "isnan", "max", "min"),
    *("nan", "ones", "shape", "size", "sqrt", "uint32", "uint64", "view", "zeros"),
}
"""What of NumPy and of Python our loops may use; logarithms, powers and sums are rounded differently."""

Value: TypeAlias = Factor | tuple[SharedStatistic, str]
"""A node, or one output of a statistic."""


class Budget:
    """The seconds that a process may still interpret; one thread at a time does."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self._lock = threading.Lock()

    def spend(self, plan: Plan, bars: Bars, missing: Collection[Shape], observer: Observer) -> Block | None:
        """The outputs of a plan that lacks these kernels; None where they should rather be compiled."""
        if not missing or self.left <= 0 or not can_interpret(plan, bars):
            return None
        seconds = LOADING if {shape.title for shape in missing} <= cache.titles() else SECONDS
        with self._lock:
            begin = time.perf_counter()
            try:
                return interpret(plan, bars, observer, min(seconds, self.left))
            finally:
                self.left -= time.perf_counter() - begin


def can_interpret(plan: Plan, bars: Bars) -> bool:
    """Whether a plan is small, and gives the same bits."""
    cells = bars.rows * sum(len(stage.steps) for stage in plan.stages)
    longest = max(int(np.diff(offsets).max(initial=0)) for offsets in (bars.by_symbol, bars.by_date))
    return cells <= CELLS and longest <= LONGEST and all(_is_exact(shape.function) for shape in shapes_of([plan]))


def interpret(plan: Plan, bars: Bars, observer: Observer, seconds: float) -> Block | None:
    """The outputs of a plan on all rows; None where it takes longer, or Python refuses what compiled code does."""
    kept: dict[Factor, Array] = {}
    outputs: dict[Factor, Array] = {}
    end = time.perf_counter() + seconds

    def check() -> None:
        observer.check()
        if time.perf_counter() > end:
            raise TimeoutError

    try:
        with np.errstate(all="ignore"):
            for stage in plan.stages:
                _Stage(stage, bars, kept, outputs, check).run()
            values = [typed(as_series(name, outputs[node]), plan.dtype) for name, node in plan.outputs.items()]
    except (TimeoutError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        log.info("kernels are compiled after all: %r", error)
        return None
    observer.ran(sum(len(stage.steps) for stage in plan.stages))
    observer.hold(sum(int(each.estimated_size()) for each in values))
    return Block(slice(0, bars.rows), values)


class _Runs(NamedTuple):
    """The runs that a step goes through: where they start, and for groups the rows of the stage that are in them."""

    offsets: Index
    places: Index | None

    @property
    def rows(self) -> int:
        """How many rows there are in all."""
        return int(self.offsets[-1])


class _Stage:
    """One stage on all rows; values are in its order.

    Parameters
    ----------
    kept, outputs
        What stages leave for later ones, each in its layout, and the outputs in the order of the panel.
    check
        Raises where the run should end.
    """

    def __init__(
        self,
        stage: Stage,
        bars: Bars,
        kept: dict[Factor, Array],
        outputs: dict[Factor, Array],
        check: Callable[[], None],
    ) -> None:
        self._stage, self._bars, self._kept, self._outputs, self._check = stage, bars, kept, outputs, check
        self._values: dict[Value, Array] = {}

    def run(self) -> None:
        """Run all instructions."""
        for item in self._stage.instructions:
            self._check()
            match item:
                case Load(node, layout):
                    is_panel = node.operator is COL and layout is Orientation.SYMBOL
                    source = self._bars.array(str(node.parameters[0])) if is_panel else self._kept[node]
                    self._values[node] = np.asarray(self._turned(source, layout, self._stage.orientation), np.float64)
                case Run(step):
                    self._run(item, step)
                case Keep(node, layout):
                    self._kept[node] = self._turned(self._read(node), self._stage.orientation, layout)
                case Write(node) | Emit(node):
                    self._outputs[node] = self._turned(self._read(node), self._stage.orientation, Orientation.SYMBOL)
                case Fetch(node):
                    self._values[node] = self._outputs[node]

    def _turned(self, values: Any, layout: Orientation, wanted: Orientation) -> Any:
        """Values of all rows in another order."""
        if layout is wanted:
            return values
        if wanted is Orientation.SYMBOL:
            return values[self._bars.places]
        by_date = np.empty_like(values)
        by_date[self._bars.places] = values
        return by_date

    def _run(self, run: Run, step: Factor | SharedStatistic) -> None:
        """Run an operator or a statistic on each of its runs."""
        runs = self._runs(key_of(step))
        if isinstance(step, SharedStatistic):
            outputs = _called(run, self._given(run, runs), runs, self._check)
            self._values |= {(step, name): values for name, values in zip(step.outputs, outputs, strict=True)}
            return
        if has_kernel(step):
            (values,) = _called(run, self._given(run, runs), runs, self._check)
            clean(values)
        else:
            values = np.empty(runs.rows)
            compute(step, runs.offsets, [self._read(each, runs) for each in step.operands], values)
        if runs.places is not None:
            grouped, values = values, np.full(self._bars.rows, np.nan)
            values[runs.places] = grouped
        self._values[step] = values

    def _runs(self, key: Factor | None) -> _Runs:
        """Symbols, dates, or the groups of a category on each date."""
        if key is not None:
            groups = self._bars.by_group(str(key.parameters[0]))
            return _Runs(groups.offsets, groups.places)
        is_date = self._stage.orientation is Orientation.DATE
        return _Runs(self._bars.by_date if is_date else self._bars.by_symbol, None)

    def _given(self, run: Run, runs: _Runs) -> list[tuple[str, list[Any]]]:
        """The arguments of a loop by name: numbers, arrays of all rows, or one number for each run."""
        return [
            (name, [each if isinstance(each, float | int) else self._read(each, runs) for each in given])
            for name, given in arguments_of(run)
        ]

    def _read(self, value: Any, runs: _Runs | None = None) -> Any:
        if isinstance(value, str):  # BAR
            return self._bars.first_bars.tolist()
        if isinstance(value, Factor) and value.operator is LIT:
            values = np.full(self._bars.rows, float(value.parameters[0]))
        else:
            values = self._values[value]
        is_grouped = runs is not None and runs.places is not None and isinstance(value, Factor)
        return values[runs.places] if is_grouped else values  # type: ignore[union-attr]


def _called(run: Run, given: Sequence[tuple[str, list[Any]]], runs: _Runs, check: Callable[[], None]) -> list[Array]:
    """What the loop of a step writes: as a compiled driver calls it (see `shape.py`), run after run."""
    shape = shape_of(run)
    outputs = [np.empty(runs.rows) for _ in shape.outputs]
    if isinstance(shape.function, np.ufunc):
        shape.function(*(values[0] for _, values in given), out=outputs[0])
        return outputs
    offsets = runs.offsets.tolist()
    for number in range(len(offsets) - 1):
        check()
        rows_of_run = slice(offsets[number], offsets[number + 1])
        pieces: list[Any] = []
        for name, values in given:
            parts = [_part(each, number, rows_of_run) for each in values]
            pieces += [tuple(parts)] if name == shape.variadic else parts[:1]
        written = [each[rows_of_run] for each in outputs]
        pieces += [tuple(written)] if shape.is_statistic and shape.variadic else written
        shape.function(*pieces)
    return outputs


def _part(value: Any, number: int, rows: slice) -> Any:
    """What of an argument belongs to a run."""
    return value[rows] if isinstance(value, np.ndarray) else value[number] if isinstance(value, list) else value


@functools.cache
def _is_exact(function: FunctionType | np.ufunc) -> bool:
    """Whether a loop gives the same bits in plain Python."""
    return function in EXACT if isinstance(function, np.ufunc) else all(map(_is_plain, called_by(function)))


def _is_plain(function: FunctionType) -> bool:
    code = function.__code__
    powers = any(step.opname == "BINARY_OP" and "**" in step.argrepr for step in dis.get_instructions(code))
    others = {name for name in code.co_names if hasattr(np, name) and name not in KNOWN}
    foreign = {name for name in others if not isinstance(function.__globals__.get(name), FunctionType)}
    return code.co_filename.startswith(OURS) and not powers and not foreign


BUDGET = Budget(SECONDS)
"""The budget of this process."""
