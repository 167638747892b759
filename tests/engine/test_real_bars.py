"""Five years of the S&P 500, dirt included, against plain pandas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import factorloom as fl
from factorloom.engine.panel import Engine
from tests.oracle import assert_same, to_array


@pytest.fixture(scope="module")
def panel(data_folder: Path) -> fl.Panel:
    bars = pl.read_parquet(data_folder / "prices" / "sp500_2013_2018.parquet").drop("file_symbol")
    sectors = pl.read_csv(data_folder / "reference" / "sp500_gics_sectors.csv")
    names = sectors.select(symbol="Symbol", sector="GICS Sector")
    return fl.Panel.from_frame(bars.join(names, on="symbol", how="left", maintain_order="left"))


@pytest.fixture(scope="module")
def bars(panel: fl.Panel) -> pd.DataFrame:
    return panel.frame.to_pandas().sort_values(["symbol", "date"], ignore_index=True)


def check(panel: fl.Panel, factor: fl.Factor, expected: pd.Series) -> None:
    for engine in ("numba", "polars"):
        values = to_array(panel.compute(value=factor, engine=engine)["value"])  # type: ignore[arg-type]
        assert_same(values, expected.to_numpy(dtype=float), f"{factor} by {engine}")


def test_momentum_12_1(panel: fl.Panel, bars: pd.DataFrame) -> None:
    close = bars.groupby("symbol")["close"]
    check(panel, fl.ts_delay(fl.close, 21) / fl.ts_delay(fl.close, 252) - 1, close.shift(21) / close.shift(252) - 1)


def test_volatility_20(panel: fl.Panel, bars: pd.DataFrame) -> None:
    returns = bars.groupby("symbol")["close"].pct_change(fill_method=None)
    expected = returns.groupby(bars["symbol"]).rolling(20).std().reset_index(level=0, drop=True)
    check(panel, fl.ts_std(fl.returns, 20), expected)


def test_reversal_5(panel: fl.Panel, bars: pd.DataFrame) -> None:
    close = bars.groupby("symbol")["close"]
    check(panel, -fl.ts_pct_change(fl.close, 5), -(bars["close"] / close.shift(5) - 1))


def test_sector_neutral_robust_zscore(panel: fl.Panel, bars: pd.DataFrame) -> None:
    close = bars.groupby("symbol")["close"]
    momentum = close.shift(21) / close.shift(252) - 1
    keys = [bars["date"], bars["sector"]]
    middle = momentum.groupby(keys).transform("median")
    distance = (momentum - middle).abs()
    spread = distance.groupby(keys).transform("median") * 1.482602218505602
    expected = ((momentum - middle) / spread).replace([np.inf, -np.inf], np.nan)
    factor = fl.group_robust_zscore(fl.ts_delay(fl.close, 21) / fl.ts_delay(fl.close, 252) - 1, "sector")
    check(panel, factor, expected)


def test_mean_of_ranks_is_staged(panel: fl.Panel, bars: pd.DataFrame) -> None:
    rank = bars.groupby("date")["close"].rank(pct=True)
    expected = rank.groupby(bars["symbol"]).rolling(2).mean().reset_index(level=0, drop=True)
    check(panel, fl.ts_mean(fl.cs_rank(fl.close), 2), expected)


def test_a_bad_print_never_poisons_the_rest(panel: fl.Panel) -> None:
    """One wild value in one symbol changes that symbol's windows and that date, and nothing else."""
    wild = panel.frame.with_columns(
        close=pl.when((pl.col("symbol") == "AAPL") & (pl.col("date") == pl.date(2015, 6, 1)))
        .then(1e12)
        .otherwise(pl.col("close"))
    )
    factors = {"std": fl.ts_std(fl.close, 20), "mean": fl.ts_mean(fl.close, 20), "rank": fl.cs_rank(fl.close)}
    calm = panel.compute(factors)
    hit = fl.Panel.from_frame(wild).compute(factors)
    away = (
        (pl.col("symbol") != "AAPL") | (pl.col("date") < pl.date(2015, 6, 1)) | (pl.col("date") > pl.date(2015, 7, 1))
    )
    for name in ("std", "mean"):
        assert_same(to_array(hit.filter(away)[name]), to_array(calm.filter(away)[name]), name)
    same_day = pl.col("date") != pl.date(2015, 6, 1)
    assert hit.filter(same_day)["rank"].equals(calm.filter(same_day)["rank"])


@pytest.mark.parametrize("month", ["2013-09", "2015-02", "2017-06"])
def test_a_month_has_the_values_of_the_whole_history_to_the_last_bit(panel: fl.Panel, month: str) -> None:
    alphas = fl.library.alpha101().available(panel.columns)
    factors = {name: alphas[name] for name in ("alpha013", "alpha016", "alpha030", "alpha045")}
    factors |= {
        "corr": fl.ts_corr(fl.close, fl.volume, 60),
        "trend": fl.ts_trend(fl.close, 30),
        "mean": fl.ts_mean(fl.volume, 7),
    }
    days = panel.dates.filter(panel.dates.dt.to_string("%Y-%m") == month)
    whole = panel.compute(factors).filter(pl.col("date").is_in(days))
    part = panel.compute(factors, start=days[0], end=days[-1])
    assert part.equals(whole)
    blocks = pl.concat(panel.blocks(factors, start=days[0], end=days[-1], symbols=panel.symbols.to_list()[::10]))
    assert blocks.equals(whole.filter(pl.col("symbol").is_in(panel.symbols.to_list()[::10])))


DECIDED_BY_ROUNDING = {"gtja191": frozenset({"gtja038"})}
"""Factors whose executors may differ, by library: see `docs/decisions/0013-what-counts-as-noise.md`."""


@pytest.mark.parametrize("name", ["alpha101", "alpha158", "alpha360", "gtja191", "technical", "styles"])
def test_executors_agree_on_libraries(panel: fl.Panel, name: str) -> None:
    """Every tenth symbol over 20 months: among so few members values tie often."""
    price = (pl.col("high") + pl.col("low") + pl.col("close")) / 3
    sample = panel.frame.filter(
        pl.col("symbol").is_in(panel.symbols.to_list()[::10]), pl.col("date") < pl.date(2014, 10, 1)
    ).with_columns(
        vwap=price, amount=price * pl.col("volume"), industry="sector", subindustry="sector", cap=price * 1e8
    )
    part = fl.Panel.from_frame(sample)
    library = getattr(fl.library, name)().available(part.columns)
    numba, polars = part.compute(library), part.compute(library, engine="polars")
    for factor in library:
        if factor not in DECIDED_BY_ROUNDING.get(name, frozenset()):
            assert_same(to_array(polars[factor]), to_array(numba[factor]), factor)


@pytest.mark.parametrize("engine", ["numba", "polars"])
def test_correlations_of_two_bars_are_exact(panel: fl.Panel, engine: Engine) -> None:
    """Sums that stand still but for rounding do not move, so they have no correlation."""
    sums = fl.ts_corr(fl.ts_sum(fl.close, 5), fl.ts_sum(fl.close, 20), 2)
    values = panel.compute(value=sums, engine=engine)
    assert set(values["value"].drop_nulls()) == {1.0, -1.0}
    cents = (pl.col("close") * 1e4).round()
    moves = panel.frame.with_columns(a=cents - cents.shift(5).over("symbol"), b=cents - cents.shift(20).over("symbol"))
    still = moves.select((pl.col("a") == 0) | (pl.col("b") == 0)).to_series()
    assert still.sum() > 100
    assert values.filter(still)["value"].is_null().all()
