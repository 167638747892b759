"""Backtests: a plain loop says the same, parts sum to the whole, and what is missing is said."""

from __future__ import annotations

import datetime as dt
import itertools
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import factorloom as fl
from factorloom.expressions.errors import ArgumentError, BarsError, FactorloomError, ParameterError, UnknownColumnError

DAY = dt.date(2024, 1, 1)
EXACT = 1e-12

Table = Mapping[dt.date, Mapping[str, float]]


def day(place: int) -> dt.date:
    return DAY + dt.timedelta(place)


def nested(frame: pl.DataFrame, column: str) -> dict[dt.date, dict[str, float]]:
    found: dict[dt.date, dict[str, float]] = {}
    for symbol, date, value in frame.sort("date").select("symbol", "date", column).rows():
        found.setdefault(date, {})[symbol] = value
    return found


def plain(weights: Table, prices: Table, decide: set[dt.date], bps: float, lag: int) -> list[tuple[Any, ...]]:
    """Date, gross, cost and half of what was traded, one date after the other, from the first trade on."""
    market = sorted(prices)
    last: dict[str, float] = {}
    held: dict[str, float] = {}
    orders: dict[int, Mapping[str, float]] = {}
    used: dt.date | None = None
    rows = []
    for place, today in enumerate(market):
        if today in decide:
            known = [date for date in weights if date <= today]
            if known and max(known) != used:
                used = max(known)
                orders[place + lag] = weights[used]
        returns = {s: prices[today].get(s, last[s]) / last[s] - 1 for s in last}
        last |= prices[today]
        gross = sum(w * returns[s] for s, w in held.items())
        held = {s: w * (1 + returns[s]) / (1 + gross) for s, w in held.items()}
        traded = 0.0
        if place in orders:
            new = orders[place]
            traded = sum(abs(new.get(s, 0.0) - held.get(s, 0.0)) for s in {*new, *held})
            held = dict(new)
        if rows or place in orders:
            rows.append((today, gross, bps / 1e4 * traded, traded / 2))
    return rows


@st.composite
def markets(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Weights of both signs on some dates, and prices with gaps."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dates, symbols = draw(st.integers(2, 60)), draw(st.integers(1, 6))
    level = 50 * np.exp(rng.normal(0, 0.02, (dates, symbols)).cumsum(axis=0))
    level[rng.random((dates, symbols)) < draw(st.sampled_from([0.0, 0.1]))] = np.nan
    level[0] = 50.0
    keys = {
        "symbol": [f"S{i}" for _ in range(dates) for i in range(symbols)],
        "date": [day(d) for d in range(dates) for _ in range(symbols)],
    }
    prices = pl.DataFrame(keys | {"close": pl.Series(level.ravel(), nan_to_null=True)})
    prices = prices.with_columns(sector=pl.when(pl.col("symbol") != "S1").then(pl.lit("g")))
    weight = rng.uniform(-0.4, 1, (dates, symbols)) / symbols
    weights = pl.DataFrame(keys | {"weight": weight.ravel()})
    kept = rng.random(dates) < draw(st.sampled_from([0.2, 1.0]))
    kept[0] = True
    return weights.filter(pl.Series(np.repeat(kept, symbols))), prices


@given(
    markets(), st.sampled_from(["every", "list", "month_end", "W-WED"]), st.sampled_from([0, 12.5]), st.integers(0, 3)
)
def test_a_plain_loop_says_the_same(
    market: tuple[pl.DataFrame, pl.DataFrame], rebalance: str, bps: float, lag: int
) -> None:
    weights, prices = market
    days = prices["date"].unique().sort().to_list()
    decide = {
        "every": set(days),
        "list": set(days[::3]),
        "month_end": {a for a, b in itertools.pairwise(days) if a.month != b.month},
        "W-WED": {a for a in days[:-1] if a.weekday() == 2},
    }[rebalance]
    given_dates: Any = days[::3] if rebalance == "list" else rebalance
    found = fl.backtest(
        weights, prices, rebalance=given_dates, costs_bps=bps, entry_lag=lag, missing="last", groups="sector"
    )
    known = {date: {s: p for s, p in of.items() if p is not None} for date, of in nested(prices, "close").items()}
    expected = plain(nested(weights, "weight"), known, decide, bps, lag)
    table = found.returns
    assert table["date"].to_list() == [row[0] for row in expected]
    for place, name in enumerate(("gross", "cost", "turnover"), start=1):
        np.testing.assert_allclose(table[name], [row[place] for row in expected], rtol=0, atol=EXACT)
    np.testing.assert_allclose(table["net"], table["gross"] - table["cost"], rtol=0, atol=EXACT)
    sums_to(found.attribution, table)
    sums_to(found.attribution_by_group, table)


def sums_to(parts: pl.DataFrame, table: pl.DataFrame) -> None:
    """The contributions of a date sum to its gross return."""
    sums = parts.group_by("date").agg(pl.col("contribution").sum())
    joined = table.join(sums, on="date", how="left", maintain_order="left")
    np.testing.assert_allclose(joined["contribution"].fill_null(0.0), table["gross"], rtol=0, atol=EXACT)


@given(markets(), st.integers(0, 2**32), st.sampled_from(["every", "month_end", "W-FRI"]))
def test_neither_the_order_of_rows_nor_later_dates_matter(
    market: tuple[pl.DataFrame, pl.DataFrame], seed: int, rebalance: str
) -> None:
    weights, prices = market
    found = fl.backtest(weights, prices, rebalance=rebalance, missing="missing")
    mixed = [frame.sample(fraction=1, shuffle=True, seed=seed) for frame in market]
    again = fl.backtest(*mixed, rebalance=rebalance, missing="missing")
    assert_frame_equal(found.returns, again.returns, check_exact=True)
    assert_frame_equal(found.positions, again.positions, check_exact=True)
    end = prices["date"].unique().sort()[prices["date"].n_unique() // 2]
    early = fl.backtest(
        *(frame.filter(pl.col("date") <= end) for frame in market), rebalance=rebalance, missing="missing"
    )
    assert_frame_equal(early.returns, found.returns.filter(pl.col("date") <= end), check_exact=True)


@pytest.mark.parametrize("method", ["top", "long_short"])
def test_five_years_of_the_index(data_folder: Path, method: Any) -> None:
    bars = pl.read_parquet(data_folder / "prices" / "sp500_2013_2018.parquet").select("symbol", "date", "close")
    panel = fl.Panel.from_frame(bars)
    values = panel.compute(score=fl.ts_delay(fl.close, 21) / fl.ts_delay(fl.close, 126) - 1)
    ends = panel.frame.group_by(pl.col("date").dt.truncate("1mo")).agg(end=pl.col("date").max())["end"].sort()
    weights = fl.weights(values.filter(pl.col("date").is_in(ends.implode())), method=method, top=40, max_weight=0.02)
    found = fl.backtest(weights, panel, costs_bps=7, missing="last")
    held = {date: dict[str, float]() for date in weights.dates} | nested(weights.frame, "weight")
    prices = nested(panel.frame.filter(pl.col("close") > 0), "close")
    expected = plain(held, prices, set(ends[:-1]), 7, 1)
    for place, name in enumerate(("date", "gross", "cost", "turnover")):
        if name == "date":
            assert found.returns[name].to_list() == [row[place] for row in expected]
        else:
            np.testing.assert_allclose(found.returns[name], [row[place] for row in expected], rtol=0, atol=EXACT)
    row = found.summary.row(0, named=True)
    net = found.returns["net"].to_numpy()
    assert row["volatility"] == pytest.approx(net.std(ddof=1) * row["dates_per_year"] ** 0.5)
    assert row["annual_return"] == pytest.approx(np.prod(1 + net) ** (row["dates_per_year"] / net.size) - 1)
    wealth = np.cumprod(1 + net)
    assert row["max_drawdown"] == pytest.approx((wealth / np.maximum.accumulate(np.fmax(wealth, 1)) - 1).min())


def prices_of(**by_symbol: list[float | None]) -> pl.DataFrame:
    rows = [(s, day(place), p) for s, of in by_symbol.items() for place, p in enumerate(of)]
    return pl.DataFrame(rows, schema={"symbol": pl.String, "date": pl.Date, "close": pl.Float64}, orient="row")


def weights_of(*rows: tuple[str, int, float]) -> pl.DataFrame:
    table = [(symbol, day(place), weight) for symbol, place, weight in rows]
    return pl.DataFrame(table, schema={"symbol": pl.String, "date": pl.Date, "weight": pl.Float64}, orient="row")


def test_entry_is_that_of_the_labels() -> None:
    prices = prices_of(A=[10.0, 11.0, 13.0, 12.0, 15.0])
    found = fl.backtest(weights_of(("A", 0, 1.0)), prices, rebalance="every")
    labels = fl.Panel.from_frame(prices).compute(label=fl.forward_return(3))["label"]
    assert np.prod(1 + found.returns["gross"].to_numpy()) - 1 == pytest.approx(labels[0])
    assert found.returns["date"][0] == day(1)


@pytest.mark.parametrize(
    ("missing", "grown", "kinds"), [("last", 1.05, ["ended"]), ("missing", 1.05, ["ended"]), (-0.5, 0.775, ["ended"])]
)
def test_a_name_that_ends_while_held(missing: Any, grown: float, kinds: list[str]) -> None:
    prices = prices_of(A=[10.0, 10.0, 11.0, None, None], B=[5.0] * 5)
    weights = weights_of(("A", 0, 0.5), ("B", 0, 0.5))
    found = fl.backtest(weights, prices, rebalance="every", missing=missing)
    assert found.drawdown["cumulative"][-1] == pytest.approx(grown - 1)
    assert found.notes["kind"].to_list() == kinds
    assert found.notes.select("date", "symbol", "count").rows() == [(day(2), "A", 2)]


def test_a_name_without_a_price_on_its_trade() -> None:
    prices = prices_of(A=[10.0, None, 12.0], B=[5.0] * 3)
    weights = weights_of(("A", 0, 0.5), ("B", 0, 0.5))
    with pytest.raises(BarsError, match="A has a weight and no price on 2024-01-02") as caught:
        fl.backtest(weights, prices, rebalance="every")
    assert "missing='last'" in str(caught.value)
    last = fl.backtest(weights, prices, rebalance="every", missing="last")
    assert last.returns["gross"].to_list() == pytest.approx([0, 0.1])
    left = fl.backtest(weights, prices, rebalance="every", missing="missing")
    assert left.returns["exposure_net"].to_list() == [0.5, 0.5]
    assert left.notes["kind"].to_list() == ["no price"]
    with pytest.raises(BarsError, match="C has a weight and no price on 2024-01-02 or before"):
        fl.backtest(weights_of(("C", 0, 1.0)), prices, rebalance="every", missing="last")


def test_degenerate_portfolios() -> None:
    prices = prices_of(A=[10.0, 11.0, 12.0])
    for weights in (weights_of(), weights_of(("A", 2, 1.0))):
        nothing = fl.backtest(weights, prices, rebalance="every", groups="close")
        assert nothing.returns.is_empty() and nothing.positions.is_empty() and nothing.attribution.is_empty()
        assert nothing.summary["sharpe"].to_list() == [None] and nothing.attribution_by_group.is_empty()
        assert "Backtest" in nothing._repr_html_()
    cash = fl.backtest(weights_of(("A", 0, 0.0)), prices, rebalance="every", costs_bps=10)
    assert cash.returns["net"].to_list() == [0, 0] and cash.returns["names"].to_list() == [0, 0]
    short = fl.backtest(weights_of(("A", 0, -1.0)), prices_of(A=[10.0, 10.0, 25.0, 5.0]), rebalance="every")
    assert short.returns["gross"].to_list() == [0, -1.5, 0] and short.notes["kind"].to_list() == ["ruined"]
    assert short.drawdown["drawdown"].to_list() == [0, -1, -1]


def test_groups_benchmark_and_factors() -> None:
    prices = prices_of(A=[10.0, 10.0, 11.0, 12.0], B=[5.0, 5.0, 5.0, 4.0], M=[1.0, 2.0, 3.0, 3.0])
    weights = weights_of(("A", 0, 0.5), ("B", 0, 0.5))
    groups = pl.DataFrame({"symbol": ["A", "B"], "group": ["x", None]})
    found = fl.backtest(weights, prices, rebalance="every", groups=groups, benchmark="M")
    assert found.returns["benchmark"].to_list() == [0, 0.5, 0]
    assert found.attribution_by_group["group"].to_list() == ["x", None] * 2
    sums_to(found.attribution_by_group, found.returns)
    returns = prices.filter(symbol="M").select("date", pl.lit(0.01).alias("return"))
    other = fl.backtest(weights, prices, rebalance="every", benchmark=returns)
    assert other.returns["benchmark"].to_list() == [0, 0.01, 0.01]
    assert other.summary["active_return"][0] == pytest.approx(
        (other.returns["net"] - other.returns["benchmark"]).mean() * other.summary["dates_per_year"][0]
    )
    parts = weights.select("symbol", "date", contribution_cheap="weight", contribution_good=pl.col("weight") * 3)
    split = found.attribution_by_factor(parts)
    assert split.columns == ["date", "cheap", "good", "rest", "gross"]
    np.testing.assert_allclose(split["good"], split["cheap"] * 3, atol=EXACT)
    np.testing.assert_allclose(split["cheap"] + split["good"] + split["rest"], found.returns["gross"], atol=EXACT)
    assert split["rest"][1] == pytest.approx(0)  # weights in proportion to scores leave no rest
    with pytest.raises(UnknownColumnError, match="contribution_"):
        found.attribution_by_factor(weights)
    with pytest.raises(ArgumentError, match="no groups"):
        _ = other.attribution_by_group


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"costs_bps": -1}, ParameterError, "from 0 to"),
        ({"costs_bps": "5"}, ArgumentError, "must be a number"),
        ({"rebalance": "monthly"}, ParameterError, "month_end"),
        ({"rebalance": 5}, ArgumentError, "list of dates"),
        ({"rebalance": []}, ParameterError, "no dates"),
        ({"rebalance": [dt.date(1999, 1, 1)]}, ParameterError, "no date of prices"),
        ({"price": "clsoe"}, UnknownColumnError, "did you mean 'close'"),
        ({"missing": "drop"}, ParameterError, "missing must be"),
        ({"missing": -2}, ParameterError, "at least -1"),
        ({"missing": None}, ArgumentError, "missing must be"),
        ({"entry_lag": -1}, ParameterError, "entry_lag"),
        ({"groups": "sector"}, UnknownColumnError, "no column 'sector'"),
        ({"benchmark": "SPY"}, UnknownColumnError, "no symbol 'SPY'"),
        ({"benchmark": pl.DataFrame({"date": [DAY]})}, UnknownColumnError, "no column 'return'"),
    ],
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any], error: type[FactorloomError], says: str) -> None:
    with pytest.raises(error, match=says):
        fl.backtest(weights_of(("A", 0, 1.0)), prices_of(A=[1.0, 2.0, 3.0]), **wrong)


def test_wrong_tables_are_refused() -> None:
    weights, prices = weights_of(("A", 0, 1.0)), prices_of(A=[1.0, 2.0])
    with pytest.raises(BarsError, match="weights repeats A"):
        fl.backtest(pl.concat([weights, weights]), prices)
    with pytest.raises(BarsError, match="of one type"):
        fl.backtest(weights, prices.with_columns(pl.col("date").cast(pl.Datetime("ms"))))
    with pytest.raises(BarsError, match="is not a number"):
        fl.backtest(weights.with_columns(weight=pl.lit(None, pl.Float64)), prices)
    with pytest.raises(ArgumentError, match="a Panel or a frame"):
        fl.backtest(weights, "prices")  # type: ignore[arg-type]


def test_pandas_and_back() -> None:
    prices = prices_of(A=[10.0, 10.0, 11.0, 12.0], B=[5.0, None, 5.0, 4.0])
    found = fl.backtest(weights_of(("A", 0, 0.5), ("B", 0, 0.5)), prices, rebalance="every", missing="last")
    wide = found.to_skfolio()
    assert isinstance(wide, pd.DataFrame) and list(wide.columns) == ["A", "B"]
    assert wide["A"].tolist() == pytest.approx([0.1, 12 / 11 - 1]) and wide["B"].isna().tolist() == [True, False]
    scores = prices.rename({"close": "score"})
    factor, table = fl.to_alphalens(scores, prices)
    assert factor.index.names == ["date", "asset"] and factor.name == "factor"
    assert table.loc["2024-01-03", "A"] == 11 and len(factor) == 7
    back = fl.from_alphalens(factor)
    assert_frame_equal(back, scores.drop_nulls().sort("date", "symbol"), check_exact=True)
    more = factor.to_frame().assign(group="x", factor_quantile=1).tz_localize("UTC", level="date")
    assert fl.from_alphalens(more).columns == ["symbol", "date", "score", "group", "factor_quantile"]
    with pytest.raises(ArgumentError, match="of pandas"):
        fl.from_alphalens(scores)
    with pytest.raises(BarsError, match="two levels"):
        fl.from_alphalens(pd.Series([1.0]))
    with pytest.raises(BarsError, match="no column 'factor'"):
        fl.from_alphalens(factor.to_frame("other"))


def test_without_pandas_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['pandas'] = None\nimport factorloom as fl\n"
        "try: fl.from_alphalens(1)\nexcept fl.errors.MissingLibraryError as error: print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'factorloom[pandas]'" in result.stdout
