"""qweave: expressions in Rust, with its own Alpha158, Alpha101 and GTJA191."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from factorloom.expressions.factor import Factor

__all__ = ["Engine"]

COLUMNS = {"benchmark_open": "index_open", "benchmark_close": "index_close"}


class Engine:
    """`compute_alphas` on the sorted frame, in Float64."""

    def __init__(self, bars: pl.DataFrame, threads: int) -> None:
        self.phases: dict[str, float] = {}
        self.note = ""
        self.bars = bars.with_columns(pl.col(pl.Categorical).cast(pl.String)).rename(COLUMNS, strict=False)

    def supports(self, name: str, factor: Factor) -> bool:
        return True

    def prepare(self, factors: Mapping[str, Factor]) -> Callable[[], pl.DataFrame]:
        import qweave

        makers = {"alpha": qweave.worldquant_alpha101, "gtja": qweave.gtja_alpha191, "": qweave.qlib_alpha158}
        self.names = {_qweave_name(name): name for name in factors}
        prefix = next(prefix for prefix in makers if all(name.startswith(prefix) for name in factors))
        alphas = makers[prefix]({}, alphas=list(self.names))
        needed = sorted({COLUMNS.get(column, column) for factor in factors.values() for column in factor.columns})
        bars = self.bars.select("symbol", "date", *needed)
        return lambda: qweave.compute_alphas(bars, "symbol", "date", alphas)

    def to_frame(self, result: pl.DataFrame) -> pl.DataFrame:
        return result.rename(self.names)


def _qweave_name(name: str) -> str:
    """qweave's name of one of our factors.

    >>> [_qweave_name(name) for name in ("alpha002", "gtja002", "KMID2")]
    ['alpha2', 'gtja_alpha002', 'KMID2']
    """
    if name.startswith("alpha"):
        return f"alpha{int(name.removeprefix('alpha'))}"
    return name.replace("gtja", "gtja_alpha")
