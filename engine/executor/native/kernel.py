"""Kernels: the loops of operators and statistics, compiled when first used."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from numba.core.errors import NumbaError

from factorloom.engine.bars.order import places_of
from factorloom.engine.executor.native import transfer
from factorloom.engine.executor.native.call import Driver, call_all
from factorloom.engine.executor.native.crew import Crew
from factorloom.engine.executor.native.shape import READY, Read, Shape, arguments_of, has_kernel, shape_of
from factorloom.engine.plan.plan import Plan, Run
from factorloom.engine.runtime.jit import Loop
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.progress import COMPILING
from factorloom.expressions.errors import IndicatorError

__all__ = ["Launch", "compile_shape", "launch", "prepare"]


@dataclass(frozen=True)
class Launch:
    """How a step runs: its driver takes these values, then those that it writes, and these numbers."""

    driver: Driver
    reads: tuple[Read, ...]
    numbers: tuple[float | int, ...]


_LOCK = threading.RLock()


def prepare(plans: Iterable[Plan], shapes: Collection[Shape], crew: Crew, observer: Observer) -> None:
    """Compile shapes, of which the crew takes a part, and the engine's own loops that the plans need."""
    loops = list(dict.fromkeys(loop for plan in plans for loop in _loops(plan)))
    with _LOCK, observer.task(COMPILING if crew.count else "loading kernels", len(loops) + len(shapes)):
        for loop in loops:
            loop.prepare()
            observer.advance()
        for shape in crew.share(observer):
            _compiled(shape)
            observer.advance()


def _loops(plan: Plan) -> Iterator[Loop[..., Any] | Driver]:
    """The engine's own loops that a plan needs."""
    yield from (call_all, transfer.seal)
    if plan.dtype == "float32":
        yield from (transfer.seal_float32, transfer.bound, transfer.narrow)
    else:
        yield transfer.seal_float64
    if plan.turns:
        yield from (places_of, transfer.load_by_date, transfer.store_by_date)
    if any(stage.keys for stage in plan.stages):
        yield from (transfer.collect, transfer.spread)


def launch(run: Run) -> Launch | None:
    """The compiled driver of a step with what it reads, or None for an operator that has no kernel."""
    if not has_kernel(run.step):
        return None
    values = [value for _, given in arguments_of(run) for value in given]
    return Launch(
        _compiled(shape_of(run)),
        tuple(value for value in values if not isinstance(value, float | int)),
        tuple(value for value in values if isinstance(value, float | int)),
    )


def compile_shape(shape: Shape) -> Driver:
    """The driver of a shape, compiled or loaded from disk.

    Raises
    ------
    IndicatorError
        Where the function is not in the part of Python that Numba compiles.
    """
    try:
        driver = Driver.of(shape.title, shape.source, shape.function)
        _ = driver.address
        return driver
    except NumbaError as error:
        reasons = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Failed in")]
        raise IndicatorError(
            f"{shape.name} cannot be compiled: {reasons[0] if reasons else error}",
            hint="write it in the part of Python and NumPy that Numba compiles: numbers, arrays and plain loops",
        ) from error


def _compiled(shape: Shape) -> Driver:
    if shape not in READY:
        with _LOCK:
            if shape not in READY:
                READY[shape] = compile_shape(shape)
    driver: Driver = READY[shape]
    return driver
