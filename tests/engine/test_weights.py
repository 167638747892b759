"""Weights: no bound is broken, what cannot be met is said, and only the past counts."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import factorloom as fl
from factorloom.engine.research.portfolio.limit import fill_up, spread
from factorloom.expressions.errors import ArgumentError, BarsError, FactorloomError, ParameterError, UnknownColumnError

DAY = dt.date(2024, 1, 1)
NEAR = 1e-9


def table(values: dict[str, list[float | None]], **more: list[Any]) -> pl.DataFrame:
    """A row for every symbol and date, scores by symbol."""
    rows = [(name, DAY + dt.timedelta(place), x) for name, of in values.items() for place, x in enumerate(of)]
    schema = {"symbol": pl.String, "date": pl.Date, "score": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(**{k: pl.Series(v) for k, v in more.items()})


@st.composite
def scores(draw: st.DrawFn) -> pl.DataFrame:
    """Random scores with ties, missing ones, absent rows and dates without any; sectors, some of them missing."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dates, symbols = draw(st.integers(1, 12)), draw(st.integers(1, 15))
    values = np.round(rng.normal(size=(dates, symbols)), draw(st.sampled_from([0, 1, 8])))
    values[:, 0] = np.abs(values[:, 0]) + 0.1
    gone = rng.random((dates, symbols)) < draw(st.sampled_from([0.0, 0.2]))
    gone[:, 0] = False
    values[gone] = np.nan
    if draw(st.booleans()):
        values[rng.integers(dates)] = np.nan
    frame = pl.DataFrame(
        {
            "symbol": [f"S{i:02d}" for _ in range(dates) for i in range(symbols)],
            "date": [DAY + dt.timedelta(d) for d in range(dates) for _ in range(symbols)],
            "score": pl.Series(values.ravel(), nan_to_null=True),
            "sector": [None if i % 5 == 4 else f"g{i % 3}" for _ in range(dates) for i in range(symbols)],
            "risk": rng.uniform(0.01, 0.1, dates * symbols),
        }
    )
    return frame.filter(
        pl.Series(rng.random(frame.height) > draw(st.sampled_from([0.0, 0.1]))) | (pl.col("symbol") == "S00")
    )


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    method = draw(st.sampled_from(["top", "score", "long_short", "inverse_volatility"]))
    found: dict[str, Any] = {"method": method, "quantiles": draw(st.integers(1, 6))}
    if method == "inverse_volatility":
        found["volatility"] = "risk"
    for name, values in (
        ("top", [1, 3, 7]),
        ("max_weight", [0.05, 0.3, 1.0]),
        ("max_turnover", [0.01, 0.2, 0.6]),
        ("min_holding", [1, 3]),
        ("band", [0.01, 0.1]),
    ):
        if draw(st.booleans()):
            found[name] = draw(st.sampled_from(values))
    if draw(st.booleans()):
        found |= {"groups": "sector", "max_group": draw(st.sampled_from([0.1, 0.4]))}
    return found


def by_date(found: fl.Weights) -> list[dict[str, float]]:
    """The weights of each date by symbol."""
    filled: dict[Any, dict[str, float]] = {date: {} for date in found.dates}
    for symbol, date, weight in found.frame.rows():
        filled[date][symbol] = weight
    return list(filled.values())


def turnover(before: dict[str, float], after: dict[str, float]) -> float:
    return sum(abs(after.get(s, 0) - before.get(s, 0)) for s in before.keys() | after.keys()) / 2


@given(scores(), options())
def test_no_bound_is_broken_and_cash_is_noted(frame: pl.DataFrame, chosen: dict[str, Any]) -> None:
    found = fl.weights(frame, **chosen)
    assert found.frame.schema == {"symbol": pl.String, "date": pl.Date, "weight": pl.Float64}
    assert found.frame["weight"].is_finite().all() and (found.frame["weight"] != 0).all()
    sector = dict(frame.select("symbol", "sector").unique().rows())
    noted = {(date, limit) for date, limit, *_ in found.notes.rows()}
    before: dict[str, float] = {}
    for date, held in zip(found.dates, by_date(found), strict=True):
        assert max(map(abs, held.values()), default=0) <= chosen.get("max_weight", 1) + NEAR
        for sign in (1, -1) if chosen["method"] == "long_short" else (1,):
            side = {s: sign * w for s, w in held.items() if sign * w > 0}
            assert sum(side.values()) <= 1 + NEAR
            for group in set(map(sector.get, side)):
                inside = sum(w for s, w in side.items() if sector[s] == group)
                assert inside <= chosen.get("max_group", 1) + NEAR
            if sum(side.values()) < 1 - NEAR:
                assert {(date, "invested"), (date, "max_turnover"), (date, "score")} & noted
        if chosen["method"] != "long_short":
            assert min(held.values(), default=0) >= 0
        turned = turnover(before, held)
        assert turned <= chosen.get("max_turnover", 2) + NEAR
        before = held


@given(scores(), options(), st.integers(0, 2**32))
def test_neither_the_order_of_rows_nor_later_dates_matter(
    frame: pl.DataFrame, chosen: dict[str, Any], seed: int
) -> None:
    found = fl.weights(frame, **chosen)
    again = fl.weights(frame.sample(fraction=1, shuffle=True, seed=seed), **chosen)
    assert_frame_equal(found.frame, again.frame, check_exact=True)
    assert_frame_equal(found.notes, again.notes, check_exact=True)
    middle = found.dates[found.dates.len() // 2]
    early = fl.weights(frame.filter(pl.col("date") <= middle), **chosen)
    was = found.frame.filter(pl.col("date") <= middle)
    assert early.frame.select("date", "symbol").equals(was.select("date", "symbol"))
    np.testing.assert_allclose(early.frame["weight"], was["weight"], rtol=1e-12)


@given(scores(), st.sampled_from([1, 2, 4]), st.sampled_from([0.02, 0.15]))
def test_names_stay_and_small_changes_are_not_made(frame: pl.DataFrame, least: int, band: float) -> None:
    held = by_date(fl.weights(frame, method="score", min_holding=least))
    for symbol in {s for each in held for s in each}:
        there = [symbol in each for each in held]
        runs = "".join("x" if x else " " for x in there).rstrip("x").split()
        assert all(len(run) >= least for run in runs)
    held = by_date(fl.weights(frame, method="score", band=band))
    for before, after in itertools.pairwise(held):
        for symbol in before.keys() & after.keys():
            change = abs(after[symbol] - before[symbol])
            assert change == 0 or change > band


@example([2.2e-313], 1.0, 0.5, 1)
@given(st.lists(st.floats(0, 10), min_size=1, max_size=12), st.floats(0.05, 1), st.floats(0.1, 1), st.integers(1, 4))
def test_filling_up_leaves_no_room_unused(wish: list[float], cap: float, group_cap: float, count: int) -> None:
    wishes = np.array(wish)
    groups = np.arange(wishes.size) % count
    found = spread(wishes, groups, 1.0, cap, group_cap)
    sums = np.bincount(groups, found, minlength=count)
    assert found.sum() <= 1 + NEAR and (found <= cap).all() and (sums <= group_cap + NEAR).all()
    free = (wishes > 1e-6) & (found < cap - NEAR) & (sums[groups] < group_cap - NEAR)
    if found.sum() < 1 - NEAR:
        assert not free.any()
    ratio = found[free] / wishes[free]
    np.testing.assert_allclose(ratio, ratio[:1].repeat(ratio.size), rtol=1e-6)


def test_the_methods() -> None:
    frame = table({"A": [4.0], "B": [3.0], "C": [2.0], "D": [-1.0], "E": [None]}, risk=[0.1, 0.3, 0.1, 0.1, 0.1])
    assert by_date(fl.weights(frame, top=2)) == [{"A": 0.5, "B": 0.5}]
    assert by_date(fl.weights(frame, quantiles=2)) == [{"A": 0.5, "B": 0.5}]
    assert by_date(fl.weights(frame)) == [{"A": 1.0}]
    assert by_date(fl.weights(frame, method="score")) == [pytest.approx({"A": 4 / 9, "B": 3 / 9, "C": 2 / 9})]
    assert by_date(fl.weights(frame, method="long_short", top=9)) == [{"A": 0.5, "B": 0.5, "C": -0.5, "D": -0.5}]
    risky = fl.weights(frame, method="inverse_volatility", top=2, volatility="risk")
    assert by_date(risky) == [pytest.approx({"A": 0.75, "B": 0.25})]
    other = frame.select("symbol", "date", value="risk")
    assert_frame_equal(fl.weights(frame, method="inverse_volatility", top=2, volatility=other).frame, risky.frame)
    assert fill_up(np.array([0.0, 0.0]), 1.0, 0.5).tolist() == [0, 0]


def test_what_cannot_be_met_is_said() -> None:
    frame = table({"A": [4.0, None, 1.0], "B": [3.0, None, 2.0]})
    found = fl.weights(frame, top=1, max_weight=0.4, max_turnover=0.1, min_holding=2)
    assert found.notes.select("date", "limit", "wanted", "got").rows() == [
        (DAY, "invested", 1.0, 0.4),
        (DAY, "max_turnover", 0.2, 0.1),
        (DAY + dt.timedelta(1), "score", 0.0, 0.0),
        (DAY + dt.timedelta(2), "invested", 1.0, 0.4),
        (DAY + dt.timedelta(2), "max_turnover", pytest.approx(0.3), 0.1),
    ]
    no_risk = fl.weights(table({"A": [1.0]}, risk=[0.0]), method="inverse_volatility", volatility="risk")
    assert no_risk.frame.is_empty()
    assert no_risk.notes["limit"].to_list() == ["invested", "volatility"]
    assert "Weights" in found._repr_html_() and repr(found) == "<Weights: 3 dates, 2 symbols, 5 notes>"


def test_degenerate_scores() -> None:
    one = table({"A": [1.0, 2.0]})
    assert by_date(fl.weights(one)) == [{"A": 1.0}, {"A": 1.0}]
    assert by_date(fl.weights(one, method="long_short")) == [{}, {}]
    empty = fl.weights(one.head(0))
    assert empty.frame.is_empty() and empty.notes.is_empty() and not empty.dates.len()
    assert "no date" in empty._repr_html_()
    assert fl.weights(table({"A": [None]})).notes["limit"].to_list() == ["score"]
    small = table({"A": [3.0], "B": [2.0], "C": [1.0]}, sector=["x", "y", "y"])
    held = by_date(fl.weights(small, top=3, groups="sector", max_group=0.5))
    assert held == [pytest.approx({"A": 0.5, "B": 0.25, "C": 0.25})]
    moved = table({"A": [1.0, 1.0], "B": [1.0, 1.0]}, sector=["x", "y", "y", "y"])
    found = fl.weights(moved, top=2, groups="sector", max_group=0.5, max_turnover=0.5, min_holding=9)
    assert by_date(found)[1] == pytest.approx({"A": 0.25, "B": 0.25})


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"method": "best"}, ParameterError, "method must be one of"),
        ({"method": "tpo"}, ParameterError, "did you mean 'top'"),
        ({"score": "scor"}, UnknownColumnError, "did you mean 'score'"),
        ({"quantiles": 0}, ParameterError, "quantiles"),
        ({"top": 1.5}, ParameterError, "top"),
        ({"max_weight": 0}, ParameterError, "above 0"),
        ({"max_weight": "a"}, ArgumentError, "must be a number"),
        ({"max_turnover": float("nan")}, ParameterError, "finite"),
        ({"band": -0.1}, ParameterError, "at least 0"),
        ({"min_holding": -1}, ParameterError, "min_holding"),
        ({"max_group": 0.1}, ArgumentError, "groups='sector'"),
        ({"groups": "industry", "max_group": 0.1}, UnknownColumnError, "no column 'industry'"),
        ({"method": "inverse_volatility"}, ArgumentError, "needs volatility"),
        ({"volatility": "score"}, ArgumentError, "no use for volatility"),
    ],
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any], error: type[FactorloomError], says: str) -> None:
    with pytest.raises(error, match=says):
        fl.weights(table({"A": [1.0], "B": [2.0]}), **wrong)


def test_wrong_tables_are_refused() -> None:
    frame = table({"A": [1.0], "B": [-2.0]})
    with pytest.raises(ParameterError, match="no score is above 0 on 2024-01-01"):
        fl.weights(frame.with_columns(score=-pl.col("score").abs()), method="score")
    with pytest.raises(BarsError, match="scores repeats A on 2024-01-01"):
        fl.weights(pl.concat([frame, frame]))
    with pytest.raises(BarsError, match="without a symbol"):
        fl.weights(frame.with_columns(symbol=pl.lit(None, pl.String)))
    with pytest.raises(BarsError, match="must be text"):
        fl.weights(frame.with_columns(symbol=pl.lit(1)))
    with pytest.raises(BarsError, match="Date or Datetime"):
        fl.weights(frame.with_columns(pl.col("date").cast(pl.String)))
    with pytest.raises(BarsError, match="must hold numbers"):
        fl.weights(frame.with_columns(score=pl.lit("x")))
    with pytest.raises(UnknownColumnError, match="no column 'date'"):
        fl.weights(frame.drop("date"))
    with pytest.raises(ArgumentError, match="a frame of Polars"):
        fl.weights([1, 2])  # type: ignore[arg-type]


def test_on_real_bars_caps_hold(data_folder: Path) -> None:
    bars = pl.read_parquet(data_folder / "prices" / "sp500_2013_2018.parquet").select("symbol", "date", "close")
    days = bars["date"].unique().sort().gather_every(63)
    panel = fl.Panel.from_frame(bars)
    values = panel.compute(score=fl.ts_delay(fl.close, 21) / fl.ts_delay(fl.close, 126) - 1, dates=days.to_list())
    found = fl.weights(values, top=50, max_weight=0.03, max_turnover=0.3)
    sums = found.frame.group_by("date").agg(pl.col("weight").sum())["weight"]
    assert found.frame["weight"].max() <= 0.03 + NEAR  # type: ignore[operator]
    assert sums.max() <= 1 + NEAR and sums.len() > 15  # type: ignore[operator]


def test_names_that_are_listed_later_change_nothing_before() -> None:
    """Not even the rounding of sums, whose order NumPy chooses by their length."""
    rng = np.random.default_rng(5)
    days = [dt.date(2024, 1, 1) + dt.timedelta(each) for each in range(60)]
    rows = [(f"S{n:02}", day, rng.normal()) for n in range(70) for day in days[n // 2 :]]
    frame = pl.DataFrame(rows, schema=["symbol", "date", "score"], orient="row")
    prices = frame.with_columns(close=pl.lit(100.0) + pl.col("score"))
    for method in ("top", "score", "long_short"):
        rules: dict[str, Any] = {"method": method, "max_weight": 0.12, "max_turnover": 0.2, "band": 0.01}
        whole = fl.weights(frame, **rules, min_holding=3)
        held = fl.backtest(whole, prices, rebalance="every", costs_bps=5)
        for day in days[5::9]:
            short = fl.weights(frame.filter(pl.col("date") <= day), **rules, min_holding=3)
            assert short.frame.equals(whole.frame.filter(pl.col("date") <= day))
            mine = fl.backtest(short, prices.filter(pl.col("date") <= day), rebalance="every", costs_bps=5)
            assert mine.returns.equals(held.returns.filter(pl.col("date") <= day))
