"""KunQuant: factors compiled to C++, with its own Alpha158 and Alpha101.

It wants a matrix of dates by symbols for every column, in blocks of symbols; a bar that is not there is NaN. The
layout and the compilation are not part of its time. Float64, unless the results would not fit into memory.
"""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.bench.peer import NotRunnableError
from factorloom.expressions.factor import Factor

__all__ = ["Engine"]

Matrix = npt.NDArray[Any]

COLUMNS = ("open", "high", "low", "close", "volume", "amount", "vwap")
BLOCK = {"double": 4, "float": 8}
ROOM = 19e9
"""Bytes that the results may take with what the engine needs beside them, about half as much again."""


class Engine:
    """`runGraph` on blocked matrices."""

    def __init__(self, bars: pl.DataFrame, threads: int) -> None:
        if shutil.which("g++") is None:
            raise NotRunnableError("no C++ compiler (g++)")
        from KunQuant.runner import KunRunner

        self.parts: dict[str, float] = {}
        self.note = ""
        self.bars = bars
        self.run_graph, self.executor = KunRunner.runGraph, KunRunner.createMultiThreadExecutor(threads)
        self.symbol = bars["symbol"].rle_id().to_numpy()
        self.date = bars["date"].rank("dense").to_numpy() - 1

    def has(self, name: str, factor: Factor) -> bool:
        from KunQuant.predefined import Alpha101

        return not name.startswith("alpha") or hasattr(Alpha101, name)

    def ready(self, factors: Mapping[str, Factor]) -> Callable[[], Mapping[str, Matrix]]:
        days, symbols = int(self.date.max()) + 1, int(self.symbol.max()) + 1
        kind = "double" if 1.45 * 8 * days * symbols * len(factors) < ROOM else "float"
        self.note = f"{'Float64' if kind == 'double' else 'Float32'}, compiled before"
        start = time.perf_counter()
        self.library, module = _compiled(tuple(factors), kind)
        self.parts["compile"] = time.perf_counter() - start
        self.block = BLOCK[kind]
        columns = {name: self._matrix(name, kind, days, symbols) for name in COLUMNS}
        return lambda: self.run_graph(self.executor, module, columns, 0, days)

    def frame(self, result: Mapping[str, Matrix]) -> pl.DataFrame:
        values = [pl.Series(name, matrix[self._places()]).cast(pl.Float64) for name, matrix in result.items()]
        return self.bars.select("symbol", "date").hstack(values)

    def _matrix(self, name: str, kind: str, days: int, symbols: int) -> Matrix:
        blocks = -(-symbols // self.block)
        matrix = np.full((blocks, days, self.block), np.nan, np.float64 if kind == "double" else np.float32)
        matrix[self._places()] = self.bars[name].to_numpy()
        return matrix

    def _places(self) -> tuple[Matrix, Matrix, Matrix]:
        return self.symbol // self.block, self.date, self.symbol % self.block


@functools.cache
def _compiled(names: tuple[str, ...], kind: str) -> tuple[Any, Any]:
    """A library, which must be kept as long as its module is used, and the module."""
    from KunQuant.Driver import KunCompilerConfig
    from KunQuant.jit import cfake
    from KunQuant.Op import Builder, Output
    from KunQuant.Stage import Function

    builder = Builder()
    with builder:
        for name, formula in _formulas(names).items():
            Output(formula, name)
    fast = {"no_fast_stat": "no_warn"} if kind == "double" else {}  # its default, without the warning
    config = KunCompilerConfig(dtype=kind, blocking_len=BLOCK[kind], options=fast)
    library = cfake.compileit([("bench", Function(builder.ops), config)], "bench", cfake.CppCompilerConfig())
    return library, library.getModule("bench")


def _formulas(names: tuple[str, ...]) -> dict[str, Any]:
    """Its own formulas, under the names of the sets."""
    from KunQuant.Op import Input
    from KunQuant.predefined import Alpha101, Alpha158

    columns = {name: Input(name) for name in COLUMNS}
    if all(name.startswith("alpha") for name in names):
        data = Alpha101.AllData(**columns)
        return {name: getattr(Alpha101, name)(data) for name in names}
    vwap = columns.pop("vwap")
    prices = [(name.upper(), columns[name]) for name in ("open", "high", "low")]
    shapes = {"kbar": {}, "price": {"windows": [0], "feature": [*prices, ("VWAP", vwap)]}, "rolling": {}}
    formulas, found = Alpha158.AllData(**columns).build(shapes)
    by_name = dict(zip(found, formulas, strict=True))
    return {name: by_name[name] for name in names}
