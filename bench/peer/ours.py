"""Factorloom itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import polars as pl

from factorloom.engine.panel import Panel
from factorloom.engine.runtime.setting import configure
from factorloom.expressions.factor import Factor

__all__ = ["Engine"]


class Engine:
    """`Panel.compute` with its default executor."""

    def __init__(self, bars: pl.DataFrame, threads: int) -> None:
        self.phases: dict[str, float] = {}
        self.note = ""
        configure(threads=threads)
        self.panel = Panel.from_frame(bars)

    def supports(self, name: str, factor: Factor) -> bool:
        return True

    def prepare(self, factors: Mapping[str, Factor]) -> Callable[[], pl.DataFrame]:
        start = time.perf_counter()
        self.panel.plan(factors)
        self.phases["plan"] = time.perf_counter() - start
        return lambda: self.panel.compute(factors)

    def to_frame(self, result: pl.DataFrame) -> pl.DataFrame:
        return result
