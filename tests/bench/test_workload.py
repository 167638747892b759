"""Simulated bars: the same on every run, sorted, ragged or dense, and valid for a panel."""

from __future__ import annotations

import polars as pl
import pytest

from factorloom.bench.workload import Workload, make_bars
from factorloom.engine.panel import Panel

RAGGED, DENSE = Workload(symbols=60, bars=80), Workload(symbols=60, bars=80, ragged=False)


@pytest.mark.parametrize("workload", [RAGGED, DENSE], ids=str)
def test_bars_are_sorted_and_the_same_on_every_run(workload: Workload) -> None:
    bars = make_bars(workload)
    assert bars.equals(make_bars(workload))
    assert not bars.equals(make_bars(workload, seed=8))
    assert Panel.from_frame(bars).frame.cast(dict(bars.schema)).equals(bars)


def test_a_dense_workload_has_every_symbol_on_every_date() -> None:
    bars = make_bars(DENSE)
    assert bars.height == 60 * 80
    assert bars.null_count().sum_horizontal().item() == 0
    assert bars.group_by("symbol").agg(pl.col("date").n_unique())["date"].unique().to_list() == [80]


def test_a_ragged_workload_has_late_listings_delistings_gaps_and_halts() -> None:
    bars = make_bars(Workload(symbols=400, bars=80))
    first, last = pl.col("date").min(), pl.col("date").max()
    life = bars.group_by("symbol").agg(first=first, last=last, bars=pl.len())
    days = bars["date"].unique().sort()
    assert 0 < life.filter(pl.col("first") > days[5]).height < 60
    assert 0 < life.filter(pl.col("last") < days[-5]).height < 60
    whole = life.filter((pl.col("first") == days[0]) & (pl.col("last") == days[-1]))
    assert 0 < whole.filter(pl.col("bars") < 80).height < whole.height
    halted = bars.filter(pl.col("close").is_null())
    assert halted.height > 0
    assert halted.select("open", "high", "low", "vwap").null_count().row(0) == (halted.height,) * 4
    assert (halted["volume"] == 0).all() and (halted["amount"] == 0).all()


def test_prices_are_consistent() -> None:
    bars = make_bars(RAGGED).drop_nulls()
    assert bars.select((pl.col("low") <= pl.min_horizontal("open", "close")).all()).item()
    assert bars.select((pl.col("high") >= pl.max_horizontal("open", "close")).all()).item()
    assert bars.select((pl.col("low") > 0).all()).item()
    assert bars.select(pl.col("vwap").is_between(pl.col("low") - 0.01, pl.col("high") + 0.01).all()).item()
