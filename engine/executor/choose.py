"""Executors by name."""

from __future__ import annotations

from typing import Literal, TypeAlias

from factorloom.engine.executor.protocol import Executor
from factorloom.expressions.errors import ArgumentError

__all__ = ["Engine", "choose"]

Engine: TypeAlias = Literal["numba", "polars"]
"""`"numba"`: compiled kernels on tiles; `"polars"`: lazy Polars stages."""


def choose(engine: str) -> Executor:
    """The executor of that name; each is imported when it is first needed."""
    if engine == "numba":
        from factorloom.engine.executor.native.machine import NativeExecutor

        return NativeExecutor()
    if engine == "polars":
        from factorloom.engine.executor.polars import PolarsExecutor

        return PolarsExecutor()
    raise ArgumentError(f"engine must be 'numba' or 'polars', got {engine!r}")
