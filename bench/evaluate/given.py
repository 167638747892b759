"""The bars and the factors that are evaluated."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from factorloom.bench.evaluate.options import Options
from factorloom.bench.sets import SETS, sample
from factorloom.bench.workload import Workload, make_bars
from factorloom.expressions.factor import Factor

__all__ = ["bars_of", "factors_of", "file_of"]

FILE = Path("prices", "sp500_2013_2018.parquet")
COLUMNS = ("open", "high", "low", "close", "volume")
VWAP = (pl.col("high") + pl.col("low") + pl.col("close")) / 3
"""In place of the price that the file does not have."""


def file_of(options: Options) -> Path | None:
    """The file of bars, where there is one."""
    path = None if options.data is None else Path(options.data) / FILE
    return path if path is not None and path.is_file() else None


def bars_of(options: Options) -> pl.DataFrame:
    """Bars by (symbol, date) with `open high low close volume vwap`."""
    file = file_of(options)
    if file is None:
        bars = make_bars(Workload(options.symbols, options.bars, ragged=False))
        return bars.select("symbol", "date", *COLUMNS, "vwap")
    prices = pl.read_parquet(file, columns=["symbol", "date", *COLUMNS])
    return prices.with_columns(pl.col(COLUMNS).cast(pl.Float64), vwap=VWAP).sort("symbol", "date")


def factors_of(count: int) -> dict[str, Factor]:
    """Some factors of Alpha158."""
    return sample(SETS["alpha158"](), count)
