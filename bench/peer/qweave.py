"""qweave: expressions in Rust, with its own Alpha158 and Alpha101."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from factorloom.expressions.factor import Factor

__all__ = ["Engine"]


class Engine:
    """`compute_alphas` on the sorted frame, in Float64."""

    def __init__(self, bars: pl.DataFrame, threads: int) -> None:
        self.parts: dict[str, float] = {}
        self.note = ""
        self.bars = bars.select("symbol", "date", "open", "high", "low", "close", "volume", "vwap")

    def has(self, name: str) -> bool:
        return True

    def ready(self, factors: Mapping[str, Factor]) -> Callable[[], pl.DataFrame]:
        import qweave

        if all(name.startswith("alpha") for name in factors):
            alphas = qweave.worldquant_alpha101({}, alphas=[_number(name) for name in factors])
        else:
            alphas = qweave.qlib_alpha158({}, alphas=list(factors))
        return lambda: qweave.compute_alphas(self.bars, "symbol", "date", alphas)

    def frame(self, result: pl.DataFrame) -> pl.DataFrame:
        names = {f"alpha{n}": f"alpha{n:03}" for n in range(1, 102)}
        return result.rename(names, strict=False)


def _number(name: str) -> str:
    """The name without its leading zeros.

    >>> _number("alpha002")
    'alpha2'
    """
    return f"alpha{int(name.removeprefix('alpha'))}"
