"""Kernels: the loops of operators and statistics, compiled when first used.

A kernel sees one run of rows at a time. `launch` wraps it into a driver that walks over the runs of a tile, and makes
every result of an operator that is not finite missing.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, TypeAlias

import numpy as np
from numba.core.errors import NumbaError

from factorloom.engine.executor.native.call import Driver
from factorloom.engine.plan.plan import Plan, Run, SharedStatistic, Step
from factorloom.engine.runtime.observer import Observer
from factorloom.expressions.errors import IndicatorError
from factorloom.expressions.factor import Factor
from factorloom.expressions.frozen import fingerprint

__all__ = ["Launch", "Read", "has_kernel", "launch", "prepare"]

log = logging.getLogger(__name__)

Read: TypeAlias = Factor | tuple[SharedStatistic, str]
"""What a kernel reads: the value of a node, or one output of a statistic."""

DRIVER = """
def {name}(env, slots, numbers, offsets, first, last):
    origin = offsets[first]
    size = offsets[last] - origin
    {views}
    for run in range(first, last):
        a, b = offsets[run] - origin, offsets[run + 1] - origin
        kernel({pieces})
"""
CLEANING = """        piece = out[a:b]
        for i in range(piece.size):
            piece[i] = piece[i] if np.isfinite(piece[i]) else np.nan
"""
"""In a slice of its own, which begins at 0: compiled code cannot tell that `a` does not count from the end."""
ELEMENTWISE = """
def {name}(env, slots, numbers, offsets, first, last):
    size = offsets[last] - offsets[first]
    {views}
    for i in range(size):
        value = kernel({pieces})
        out[i] = value if np.isfinite(value) else np.nan
"""
ARITHMETIC = {
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.absolute, np.sign, np.sqrt, np.square, np.floor,
    np.ceil, np.minimum, np.maximum
}  # fmt: skip
"""What compiled loops do as fast as NumPy, and clean in the same pass; NumPy's logarithms and powers are faster."""


@dataclass(frozen=True)
class Launch:
    """How a step runs: its driver takes these values, then those that it writes, and these numbers."""

    driver: Driver
    reads: tuple[Read, ...]
    numbers: tuple[float | int, ...]


@dataclass(frozen=True)
class _Shape:
    """What a driver depends on.

    Attributes
    ----------
    arguments
        For each its name, and how many arrays stand for it, or which and how many numbers.
    variadic
        The argument that is a tuple; those of a statistic fill a tuple too.
    """

    function: FunctionType | np.ufunc
    name: str
    arguments: tuple[tuple[str, int | tuple[str, int]], ...]
    outputs: tuple[str, ...]
    variadic: str | None

    @property
    def is_statistic(self) -> bool:
        """Whether it is a statistic, whose outputs are used as they are."""
        return self.outputs != ("out",)


_READY: dict[_Shape, Driver] = {}
_LOCK = threading.RLock()


def prepare(plan: Plan, observer: Observer) -> None:
    """Compile what is not compiled yet, or load it from disk: the first run takes a while."""
    runs = (run for stage in plan.stages for run in stage.steps)
    shapes = {_shape(run.step, _arguments(run)) for run in runs if has_kernel(run.step)}
    missing = sorted(shapes - _READY.keys(), key=lambda shape: shape.name)
    if not missing:
        return
    log.info("preparing %d kernels: compiled when first used, then kept on disk", len(missing))
    with _LOCK, observer.task("preparing kernels", len(missing)):
        for shape in missing:
            _compiled(shape)
            observer.advance()


def launch(run: Run) -> Launch | None:
    """The compiled driver of a step with what it reads, or None for an operator that has no kernel."""
    if not has_kernel(run.step):
        return None
    arguments = _arguments(run)
    values = [value for _, given in arguments for value in given]
    return Launch(
        _compiled(_shape(run.step, arguments)),
        tuple(value for value in values if not isinstance(value, float | int)),
        tuple(value for value in values if isinstance(value, float | int)),
    )


def has_kernel(step: Step) -> bool:
    """Whether a step runs as compiled code."""
    return _function(step) is not None


def _function(step: Step) -> Callable[..., Any] | None:
    if isinstance(step, SharedStatistic):
        return step.statistic.loop
    forms = step.operator.forms
    if "kernel" in forms:
        return forms["kernel"].function
    return forms["meaning"].function if forms["meaning"].function in ARITHMETIC else None


def _arguments(run: Run) -> list[tuple[str, list[Any]]]:
    """Every argument of the loop but its outputs, with what stands for it: one value, or those of a variadic."""
    step = run.step
    if isinstance(step, SharedStatistic):
        given = zip(step.statistic.arguments, step.arguments, strict=True)
        return [(name, list(value) if isinstance(value, tuple) else [value]) for name, value in given]
    op = step.operator
    if "kernel" not in op.forms:
        return [(f"x{place}", [child]) for place, child in enumerate(step.inputs)]
    known: dict[str, list[Any]] = {}
    for name, value in op.named(step.parameters).items():
        known[name] = [op.kinds[name].encode(value)]
    for name, child in zip(op.input_names(len(step.inputs)), step.inputs, strict=True):
        known.setdefault(name, []).append(child)
    for shared in run.statistics:
        known.update(
            {name: [(shared, out)] for name, out in zip(shared.statistic.outputs, shared.outputs, strict=True)}
        )
    return [(name, known.get(name, [])) for name in op.forms["kernel"].names[:-1]]


def _shape(step: Step, arguments: Sequence[tuple[str, list[Any]]]) -> _Shape:
    kinds = tuple(
        (name, (type(given[0]).__name__, len(given)) if given and isinstance(given[0], float | int) else len(given))
        for name, given in arguments
    )
    function = _function(step)
    assert isinstance(function, FunctionType | np.ufunc)
    if isinstance(step, SharedStatistic):
        outputs = tuple(f"out{place}" for place in range(len(step.outputs)))
        return _Shape(function, step.statistic.name, kinds, outputs, step.statistic.every)
    return _Shape(function, step.operator.name, kinds, ("out",), step.operator.variadic)


def _compiled(shape: _Shape) -> Driver:
    if shape not in _READY:
        with _LOCK:
            _READY[shape] = _compile(shape)
    return _READY[shape]


def _compile(shape: _Shape) -> Driver:
    arrays = [
        x for place, (_, kind) in enumerate(shape.arguments) if isinstance(kind, int) for x in _arrays(place, kind)
    ]
    views = [f'{x} = view(env[slots[{slot}]], size, "read")' for slot, x in enumerate(arrays)]
    views += [f'{x} = view(env[slots[{slot}]], size, "write")' for slot, x in enumerate(shape.outputs, len(arrays))]
    if isinstance(shape.function, np.ufunc):
        pieces, source = [f"{x}[i]" for x in arrays], ELEMENTWISE
    else:
        pieces, source = list(_pieces(shape)), DRIVER + ("" if shape.is_statistic else CLEANING)
    name = "_".join([shape.name, *map(_worded, shape.arguments), fingerprint(shape.function)])
    source = source.format(name=name, views="\n    ".join(views), pieces=", ".join(pieces))
    try:
        driver = Driver.of(name, source, shape.function)
        _ = driver.address
        return driver
    except NumbaError as error:
        reasons = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Failed in")]
        raise IndicatorError(
            f"{shape.name} cannot be compiled: {reasons[0] if reasons else error}",
            hint="write it in the part of Python and NumPy that Numba compiles: numbers, arrays and plain loops",
        ) from error


def _pieces(shape: _Shape) -> Iterator[str]:
    """The arguments of the kernel for one run: each an array, a number, or a tuple of either."""
    numbers = itertools.count()
    for place, (name, kind) in enumerate(shape.arguments):
        if isinstance(kind, int):
            parts = [f"{array}[a:b]" for array in _arrays(place, kind)]
        else:
            parts = [f"{kind[0]}(numbers[{next(numbers)}])" for _ in range(kind[1])]
        yield _tuple(parts) if name == shape.variadic else parts[0]
    outputs = [f"{output}[a:b]" for output in shape.outputs]
    yield from [_tuple(outputs)] if shape.is_statistic and shape.variadic else outputs


def _tuple(parts: Sequence[str]) -> str:
    return f"({''.join(f'{part}, ' for part in parts)})"


def _worded(argument: tuple[str, int | tuple[str, int]]) -> str:
    kind = argument[1]
    return str(kind) if isinstance(kind, int) else f"{kind[0]}{kind[1]}"


def _arrays(place: int, size: int) -> list[str]:
    """What the arrays of an argument are called: never as its user calls it, so that no name is met twice."""
    return [f"x{place}_{number}" for number in range(size)]
