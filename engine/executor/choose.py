"""Executors by name."""

from __future__ import annotations

import functools
import logging
import os
from typing import Literal, TypeAlias

from factorloom.engine.executor.column import ColumnExecutor, is_plain
from factorloom.engine.executor.protocol import Executor
from factorloom.engine.plan.plan import Plan
from factorloom.expressions.errors import ArgumentError

__all__ = ["Engine", "choose", "numba_is_off"]

log = logging.getLogger(__name__)

Engine: TypeAlias = Literal["numba", "polars"]
"""`"numba"`: compiled kernels on tiles; `"polars"`: lazy Polars stages."""


def choose(engine: str, plan: Plan) -> Executor:
    """The executor of that name, or the one for plain columns; each is imported when it is first needed."""
    if engine == "numba" and is_plain(plan):
        return ColumnExecutor()
    if engine == "numba" and not numba_is_off():
        from factorloom.engine.executor.native.machine import NativeExecutor

        return NativeExecutor()
    if engine in ("numba", "polars"):
        from factorloom.engine.executor.polars import PolarsExecutor

        return PolarsExecutor()
    raise ArgumentError(f"engine must be 'numba' or 'polars', got {engine!r}")


@functools.cache
def numba_is_off() -> bool:
    """Whether Numba is switched off, of which a warning informs."""
    is_off = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
    if is_off:
        log.warning("NUMBA_DISABLE_JIT is set: factors run as Polars stages, and indicators in plain Python")
    return is_off
