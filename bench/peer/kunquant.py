"""KunQuant: factors compiled to C++, with its own Alpha158 and Alpha101.

It reads one matrix of dates by symbols per column, in blocks of symbols, with NaN for missing bars. Converting the bars
to matrices and compiling are not part of its time. It runs in Float64 unless the results would not fit into memory.
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
MEMORY_LIMIT = 19e9
"""Bytes for the results and the engine's own buffers, which take about half as much again."""


class Engine:
    """`runGraph` on blocked matrices."""

    def __init__(self, bars: pl.DataFrame, threads: int) -> None:
        if shutil.which("g++") is None:
            raise NotRunnableError("no C++ compiler (g++)")
        from KunQuant.runner import KunRunner

        self.phases: dict[str, float] = {}
        self.note = ""
        self.bars = bars
        self.run_graph, self.executor = KunRunner.runGraph, KunRunner.createMultiThreadExecutor(threads)
        self.symbol = bars["symbol"].rle_id().to_numpy()
        self.date = bars["date"].rank("dense").to_numpy() - 1

    def supports(self, name: str, factor: Factor) -> bool:
        from KunQuant.predefined import Alpha101

        return not name.startswith("alpha") or hasattr(Alpha101, name)

    def prepare(self, factors: Mapping[str, Factor]) -> Callable[[], Mapping[str, Matrix]]:
        days, symbols = int(self.date.max()) + 1, int(self.symbol.max()) + 1
        kind = "double" if 1.45 * 8 * days * symbols * len(factors) < MEMORY_LIMIT else "float"
        self.note = f"{'Float64' if kind == 'double' else 'Float32'}, compiled beforehand"
        start = time.perf_counter()
        self.library, module = _compiled(tuple(factors), kind)
        self.phases["compile"] = time.perf_counter() - start
        self.block = BLOCK[kind]
        columns = {name: self._matrix(name, kind, days, symbols) for name in COLUMNS}
        return lambda: self.run_graph(self.executor, module, columns, 0, days)

    def to_frame(self, result: Mapping[str, Matrix]) -> pl.DataFrame:
        values = [pl.Series(name, matrix[self._positions()]).cast(pl.Float64) for name, matrix in result.items()]
        return self.bars.select("symbol", "date").hstack(values)

    def _matrix(self, name: str, kind: str, days: int, symbols: int) -> Matrix:
        blocks = -(-symbols // self.block)
        matrix = np.full((blocks, days, self.block), np.nan, np.float64 if kind == "double" else np.float32)
        matrix[self._positions()] = self.bars[name].to_numpy()
        return matrix

    def _positions(self) -> tuple[Matrix, Matrix, Matrix]:
        return self.symbol // self.block, self.date, self.symbol % self.block


@functools.cache
def _compiled(names: tuple[str, ...], kind: str) -> tuple[Any, Any]:
    """A compiled library and its module; the library must stay alive while the module is used."""
    from KunQuant.Driver import KunCompilerConfig
    from KunQuant.jit import cfake
    from KunQuant.Op import Builder, Output
    from KunQuant.Stage import Function

    builder = Builder()
    with builder:
        for name, formula in _formulas(names).items():
            Output(formula, name)
    fast = {"no_fast_stat": "no_warn"} if kind == "double" else {}  # the default, without its warning
    config = KunCompilerConfig(dtype=kind, blocking_len=BLOCK[kind], options=fast)
    library = cfake.compileit([("bench", Function(builder.ops), config)], "bench", cfake.CppCompilerConfig())
    return library, library.getModule("bench")


def _formulas(names: tuple[str, ...]) -> dict[str, Any]:
    """KunQuant's own formulas, by their names in our sets."""
    from KunQuant.Op import Input
    from KunQuant.predefined import Alpha101, Alpha158

    columns = {name: Input(name) for name in COLUMNS}
    if all(name.startswith("alpha") for name in names):
        data = Alpha101.AllData(**columns)
        return {name: getattr(Alpha101, name)(data) for name in names}
    vwap = columns.pop("vwap")
    prices = [(name.upper(), columns[name]) for name in ("open", "high", "low")]
    shapes = {"kbar": {}, "price": {"windows": [0], "feature": [*prices, ("VWAP", vwap)]}, "rolling": {}}
    formulas, labels = Alpha158.AllData(**columns).build(shapes)
    by_name = dict(zip(labels, formulas, strict=True))
    return {name: by_name[name] for name in names}
