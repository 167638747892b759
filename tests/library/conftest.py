"""Bars with every column that the libraries read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from factorloom.bench.workload import Workload, make_bars
from factorloom.engine.bars.market import simulate
from factorloom.expressions.library import styles

PRICES = ("open", "high", "low", "close")
DAILY = ("benchmark_open", "benchmark_close", "mkt", "smb", "hml")
CLASSES = ("sector", "industry", "subindustry")


def complete(bars: pl.DataFrame) -> pl.DataFrame:
    """The bars with columns made up that are not there: the same for the same bars."""
    rng = np.random.default_rng(5)
    bars = bars.sort("symbol", "date").with_columns(pl.col("volume").cast(pl.Float64))
    if "vwap" not in bars.columns:
        bars = bars.with_columns(vwap=(pl.col("high") + pl.col("low") + pl.col("close")) / 3)
    bars = bars.with_columns(amount=pl.col("vwap") * pl.col("volume"))
    code = bars["symbol"].rank("dense").to_numpy()
    shares = np.round(np.exp(16 + rng.standard_normal(code.max() + 1)))[code]
    given = [name for name in styles().columns if name not in (*bars.columns, "market_cap")]
    return bars.with_columns(
        *(pl.Series(name, rng.normal(0.5, 0.2, bars.height)) for name in given),
        *(pl.Series(name, [f"{name} {c % k}" for c in code]) for name, k in zip(CLASSES, (2, 3, 5), strict=True)),
        cap=pl.col("close") * shares,
        market_cap=pl.col("close") * shares,
    ).join(daily(bars["date"].unique().sort()), on="date", maintain_order="left")


def daily(dates: pl.Series) -> pl.DataFrame:
    """An index, and the returns of three portfolios."""
    rng = np.random.default_rng(6)
    returned = 0.01 * rng.standard_normal((4, dates.len()))
    index = 1000 * np.exp(np.cumsum(returned[0]))
    columns = (index * np.exp(returned[3]), index, *returned[:3])
    return pl.DataFrame({"date": dates, **dict(zip(DAILY, columns, strict=True))})


@pytest.fixture(scope="session")
def sp500(data_folder: Path) -> pl.DataFrame:
    """Five years of the S&P 500 as they are, dirt included, with the sectors of today."""
    bars = pl.read_parquet(data_folder / "prices" / "sp500_2013_2018.parquet").drop("file_symbol")
    classes = pl.read_csv(data_folder / "reference" / "sp500_gics_sectors.csv")
    names = classes.select(symbol="Symbol", gics="GICS Sector", sub="GICS Sub-Industry")
    joined = complete(bars).join(names, on="symbol", how="left", maintain_order="left")
    return joined.with_columns(sector="gics", subindustry="sub").drop("gics", "sub")


@pytest.fixture(scope="session")
def nifty(data_folder: Path) -> pl.DataFrame:
    """Fifty Indian stocks, 1,700 days."""
    bars = pl.read_parquet(data_folder / "prices" / "nifty50_2015_2021.parquet")
    return bars.select("symbol", "date", pl.col(*PRICES, "volume").cast(pl.Float64))


@pytest.fixture(scope="session")
def spx(data_folder: Path) -> pl.DataFrame:
    """The S&P 500 index since 1990."""
    bars = pl.read_csv(data_folder / "indicators" / "bars" / "spx.csv")
    dates = pl.col("date").str.to_date("%m/%d/%Y")
    return bars.select(pl.lit("SPX").alias("symbol"), dates, pl.col(*PRICES, "volume").cast(pl.Float64))


@pytest.fixture(scope="session")
def talib() -> Any:
    return pytest.importorskip("talib.abstract", reason="no TA-Lib to compare with: pip install TA-Lib")


@pytest.fixture(scope="session")
def plain_bars() -> pl.DataFrame:
    """A ragged simulated market: symbols list late, end early, miss dates and are halted."""
    return complete(make_bars(Workload(symbols=20, bars=800)).drop(*CLASSES, *DAILY, "cap"))


@pytest.fixture(scope="session")
def dirty_bars() -> pl.DataFrame:
    """What feeds deliver on bad days: gaps, zeros, negative and huge prices, a price that never moves, lone symbols."""
    rng = np.random.default_rng(7)
    bars = complete(simulate(symbols=12, years=3)).sample(fraction=0.97, seed=3)
    rows = bars.height

    def spoilt(name: str) -> pl.Expr:
        lot = pl.Series(rng.random(rows))
        wild = pl.Series(rng.choice([0.0, -1.0, 1e12, 1e-12, np.nan, np.inf], rows))
        return pl.when(lot < 0.01).then(None).when(lot < 0.02).then(wild).otherwise(name).alias(name)

    still = pl.col("symbol") == bars["symbol"].min()
    bars = bars.with_columns(pl.when(still).then(10.0).otherwise(name).alias(name) for name in (*PRICES, "vwap"))
    lone = bars.filter(still).with_columns(symbol=pl.lit("ALONE"), date=pl.col("date") - pl.duration(days=4000))
    return pl.concat([bars.with_columns(map(spoilt, (*PRICES, "volume", "vwap", "amount", "cap"))), lone])
