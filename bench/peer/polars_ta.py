"""polars-ta: functions that make Polars expressions, here for the same formulas as ours.

A function along time counts within its symbol, one across symbols within its date, and Polars cannot do both in one
step. So the formulas are cut as its companion expr_codegen cuts them: every function becomes a column of its own, and
those whose inputs are ready are computed together.
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
ACROSS = ("cs_rank", "cs_scale")


class Engine:
    """Stage after stage of `with_columns`, in memory."""

    def __init__(self, bars: pl.DataFrame, threads: int) -> None:
        self.parts: dict[str, float] = {}
        self.note = ""
        self.bars = bars.with_columns(pl.col("symbol").set_sorted())

    def has(self, name: str, factor: Factor) -> bool:
        return all(_knows(node) for node in factor.walk())

    def ready(self, factors: Mapping[str, Factor]) -> Callable[[], pl.DataFrame]:
        cut = Cut()
        wanted = [cut.expression(factor).alias(name) for name, factor in factors.items()]

        def run() -> pl.DataFrame:
            frame = self.bars
            for stage in cut.stages.values():
                frame = frame.with_columns(stage)
            return frame.select("symbol", "date", *wanted)

        return run

    def frame(self, result: pl.DataFrame) -> pl.DataFrame:
        return result


class Cut:
    """Formulas as stages of columns: those of one stage read only columns of earlier stages."""

    def __init__(self) -> None:
        self.stages: dict[int, list[pl.Expr]] = defaultdict(list)
        self.known: dict[Factor, tuple[pl.Expr, int]] = {}

    def expression(self, factor: Factor) -> pl.Expr:
        """The factor in terms of columns that the stages make."""
        for node in factor.walk():
            if node not in self.known:
                self.known[node] = self._add(node)
        return self.known[factor][0]

    def _add(self, node: Factor) -> tuple[pl.Expr, int]:
        """A node, and the stage from which on it is there."""
        if node.operator is COL:
            return pl.col(str(node.parameters[0])), 0
        if node.operator is LIT:
            return pl.lit(node.parameters[0]), 0
        inputs = [self.known[child][0] for child in node.inputs]
        stage = max(self.known[child][1] for child in node.inputs)
        if node.operator.axis is Axis.CELL:
            return CELL[node.operator.name](*inputs), stage
        name = f"column {len(self.known)}"
        self.stages[stage].append(_moving(node, inputs).alias(name))
        return pl.col(name), stage + 1


def _knows(node: Factor) -> bool:
    name = node.operator.name
    return node.operator in (COL, LIT) or name in CELL or name in _functions()


def _moving(node: Factor, inputs: list[pl.Expr]) -> pl.Expr:
    name, parameters = node.operator.name, node.operator.named(node.parameters)
    bars = [parameters[key] for key in ("window", "periods") if key in parameters]
    return _functions()[name](*inputs, *bars).over("date" if name in ACROSS else "symbol")


@functools.cache
def _functions() -> dict[str, Callable[..., pl.Expr]]:
    from polars_ta import wq

    same = ("ts_corr", "ts_decay_linear", "ts_delay", "ts_delta", "ts_max", "ts_mean", "ts_min", "ts_rank", "ts_sum")
    return {
        **{name: getattr(wq, name) for name in (*same, *ACROSS)},
        "ts_argmax": lambda x, d: wq.ts_arg_max(x, d).cast(pl.Float64),
        "ts_cov": wq.ts_covariance,
        "ts_std": lambda x, d: wq.ts_std_dev(x, d, ddof=1),
    }
