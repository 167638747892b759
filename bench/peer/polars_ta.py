"""polars-ta: functions that return Polars expressions, applied to our formulas.

Polars cannot compute functions along time (within a symbol) and across symbols (within a date) in one step. So formulas
are cut into stages, as its companion expr_codegen does: every function becomes a column, and functions whose inputs are
available are computed together.
"""

from __future__ import annotations

import functools
import operator
from collections import defaultdict
from collections.abc import Callable, Mapping

import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["Engine"]

CELL: dict[str, Callable[..., pl.Expr]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negate": operator.neg,
    "abs": pl.Expr.abs,
    "log": pl.Expr.log,
    "sign": pl.Expr.sign,
}
CROSS = ("cs_rank", "cs_scale")


class Engine:
    """One `with_columns` per stage, in memory."""

    def __init__(self, bars: pl.DataFrame, threads: int) -> None:
        self.phases: dict[str, float] = {}
        self.note = ""
        self.bars = bars.with_columns(pl.col("symbol").set_sorted())

    def supports(self, name: str, factor: Factor) -> bool:
        return all(_supports(node) for node in factor.walk())

    def prepare(self, factors: Mapping[str, Factor]) -> Callable[[], pl.DataFrame]:
        stages = Stages()
        columns = [stages.expression(factor).alias(name) for name, factor in factors.items()]

        def run() -> pl.DataFrame:
            frame = self.bars
            for stage in stages.columns.values():
                frame = frame.with_columns(stage)
            return frame.select("symbol", "date", *columns)

        return run

    def to_frame(self, result: pl.DataFrame) -> pl.DataFrame:
        return result


class Stages:
    """Formulas cut into stages: the columns of a stage read only columns of earlier stages."""

    def __init__(self) -> None:
        self.columns: dict[int, list[pl.Expr]] = defaultdict(list)
        self.known: dict[Factor, tuple[pl.Expr, int]] = {}

    def expression(self, factor: Factor) -> pl.Expr:
        """A factor as an expression over the columns of the stages."""
        for node in factor.walk():
            if node not in self.known:
                self.known[node] = self._add(node)
        return self.known[factor][0]

    def _add(self, node: Factor) -> tuple[pl.Expr, int]:
        """The expression of a node, and the first stage that can read it."""
        if node.operator is COL:
            return pl.col(str(node.parameters[0])), 0
        if node.operator is LIT:
            return pl.lit(node.parameters[0]), 0
        inputs = [self.known[child][0] for child in node.inputs]
        stage = max(self.known[child][1] for child in node.inputs)
        if node.operator.axis is Axis.CELL:
            return CELL[node.operator.name](*inputs), stage
        name = f"column {len(self.known)}"
        self.columns[stage].append(_windowed(node, inputs).alias(name))
        return pl.col(name), stage + 1


def _supports(node: Factor) -> bool:
    name = node.operator.name
    return node.operator in (COL, LIT) or name in CELL or name in _functions()


def _windowed(node: Factor, inputs: list[pl.Expr]) -> pl.Expr:
    name, parameters = node.operator.name, node.operator.named(node.parameters)
    windows = [parameters[key] for key in ("window", "periods") if key in parameters]
    return _functions()[name](*inputs, *windows).over("date" if name in CROSS else "symbol")


@functools.cache
def _functions() -> dict[str, Callable[..., pl.Expr]]:
    from polars_ta import wq

    same = ("ts_corr", "ts_decay_linear", "ts_delay", "ts_delta", "ts_max", "ts_mean", "ts_min", "ts_rank", "ts_sum")
    return {
        **{name: getattr(wq, name) for name in (*same, *CROSS)},
        "ts_argmax": lambda x, d: wq.ts_arg_max(x, d).cast(pl.Float64),
        "ts_cov": wq.ts_covariance,
        "ts_std": lambda x, d: wq.ts_std_dev(x, d, ddof=1),
    }
