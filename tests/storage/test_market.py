"""The simulated market is reproducible, consistent, and has realistic defects."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from factorloom.engine.bars.market import SECTORS, simulate
from factorloom.expressions.errors import ParameterError
from factorloom.storage.store import Store

END = dt.date(2025, 12, 31)


@pytest.fixture(scope="module")
def market() -> pl.DataFrame:
    return simulate()


def test_it_is_reproducible(market: pl.DataFrame) -> None:
    assert simulate().equals(market)
    assert not simulate(seed=8).equals(market)


def test_size(market: pl.DataFrame) -> None:
    days = market["date"].unique().sort()
    assert market["symbol"].n_unique() == 500
    assert days[-1] == END
    assert set(days.dt.weekday()) == {1, 2, 3, 4, 5}
    assert 1300 <= len(days) <= 1310
    assert set(market["sector"]) == set(SECTORS)
    assert market["symbol"].str.contains("^[A-Z]{4}$").all()


def test_the_report_finds_the_simulated_defects(store: Store, market: pl.DataFrame) -> None:
    report = store.load("demo", market)
    assert report.late_listings == 40
    assert report.early_endings == 15
    assert 200 < report.missing_bars < 400
    assert set(report.missing) == {"open", "high", "low"}
    assert report.high_low_violations == report.nonpositive_prices == report.zero_volume == report.dropped == 0
    assert report.notes == ()


def test_columns_are_consistent(market: pl.DataFrame) -> None:
    assert market.filter(~pl.col("vwap").is_between("low", "high")).is_empty()
    assert market.filter((pl.col("market_cap") - pl.col("close") * pl.col("shares_outstanding")).abs() > 1).is_empty()
    assert market.group_by("symbol").agg(pl.col("sector").n_unique())["sector"].max() == 1
    assert market.filter(pl.col("book_to_price") <= 0).is_empty()
    implied = pl.col("earnings_yield") / pl.col("book_to_price") - pl.col("return_on_equity")
    assert market.select(implied.abs().max()).item() < 1e-3


def test_returns_have_stylised_facts(market: pl.DataFrame) -> None:
    change = market.select("date", change=pl.col("close").pct_change().over("symbol")).drop_nulls()
    day = change.group_by("date").agg(pl.col("change").mean()).sort("date")["change"]
    yearly = pl.col("change").std() * 252**0.5
    clustering = pl.corr(pl.col("change").abs(), pl.col("change").abs().shift(1))
    assert 0.1 < day.to_frame().select(yearly).item() < 0.3
    assert change.select(pl.col("change").kurtosis()).item() > 3
    assert day.to_frame().select(clustering).item() > 0.05


@pytest.mark.parametrize(("symbols", "years"), [(1, 1), (2, 1), (3, 2), (1_200, 1)])
def test_other_sizes(symbols: int, years: int) -> None:
    assert simulate(symbols, years)["symbol"].n_unique() == symbols


@pytest.mark.parametrize(
    "options",
    [{"symbols": 0}, {"symbols": 10**6}, {"symbols": 1.5}, {"symbols": True}, {"years": 0}, {"years": 101}],
)
def test_sizes_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="must be an integer"):
        simulate(**options)
