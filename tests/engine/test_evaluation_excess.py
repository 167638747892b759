"""Evaluations of logarithms and of excess returns, against plain NumPy."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

import factorloom as fl
from factorloom.engine.bars.layout import Array
from factorloom.expressions.errors import ArgumentError, LookaheadError, ParameterError, UnknownColumnError

SYMBOLS, DATES, HORIZON, QUANTILES = 12, 30, 2, 3
BENCHMARK = "level"
FACTOR = {"x": fl.col("x")}
rng = np.random.default_rng(5)
CLOSE = np.exp(np.cumsum(rng.normal(0, 0.05, (DATES, SYMBOLS)), axis=0))
X = rng.normal(size=(DATES, SYMBOLS))
LEVEL = np.exp(np.cumsum(rng.normal(0, 0.02, DATES)))
SECTOR = np.array(["bank", "tech", "food"])[np.arange(SYMBOLS) % 3]
DAYS = [dt.date(2025, 1, 1) + dt.timedelta(each) for each in range(DATES)]


def bars() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": np.tile([f"S{each:02}" for each in range(SYMBOLS)], DATES),
            "date": pl.Series([day for day in DAYS for _ in range(SYMBOLS)]),
            "close": CLOSE.ravel(),
            "x": X.ravel(),
            BENCHMARK: np.repeat(LEVEL, SYMBOLS),
            "sector": np.tile(SECTOR, DATES),
        }
    )


def plain_labels(log: bool, excess: str | None) -> Array:
    """(dates, symbols), NaN where the bars end before the exit."""
    labels = np.full((DATES, SYMBOLS), np.nan)
    for d in range(DATES - 1 - HORIZON):
        ratio, level = CLOSE[d + 1 + HORIZON] / CLOSE[d + 1], LEVEL[d + 1 + HORIZON] / LEVEL[d + 1]
        labels[d] = np.log(ratio) if log else ratio - 1
        if excess == "market":
            labels[d] -= labels[d].mean()
        elif excess == "sector":
            labels[d] -= [labels[d, each == SECTOR].mean() for each in SECTOR]
        elif excess == BENCHMARK:
            labels[d] -= np.log(level) if log else level - 1
    return labels


def evaluated(**options: Any) -> fl.Evaluation:
    panel = fl.Panel.from_frame(bars())
    return fl.evaluate(panel, FACTOR, horizons=(HORIZON,), quantiles=QUANTILES, costs_bps=10, **options)


def dense(found: pl.DataFrame, column: str) -> Array:
    return found[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def close_to(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("excess", [None, "market", "sector", BENCHMARK])
@pytest.mark.parametrize("log", [False, True])
def test_correlations_are_with_the_labels_asked_for_and_portfolios_earn_simple_returns(
    log: bool, excess: str | None
) -> None:
    found = evaluated(log=log, excess=excess)
    known = range(DATES - 1 - HORIZON)
    of_ic, simple = plain_labels(log, excess), plain_labels(False, excess)
    close_to(dense(found.ic, "ic")[known], np.array([stats.pearsonr(X[d], of_ic[d])[0] for d in known]))
    close_to(dense(found.ic, "rank_ic")[known], np.array([stats.spearmanr(X[d], of_ic[d])[0] for d in known]))
    decay = found.ic_decay.filter(horizon=HORIZON)
    close_to(dense(decay, "ic_mean"), np.array([dense(found.ic, "ic")[known].mean()]))
    edges = SYMBOLS // QUANTILES
    ordered = np.take_along_axis(simple, np.argsort(X, axis=1), axis=1)
    means = ordered.reshape(DATES, QUANTILES, edges).mean(axis=2)
    by_date = found.quantile_returns_by_date
    close_to(dense(by_date, "mean").reshape(QUANTILES, DATES).T, means)
    grown = np.cumprod(1 + np.nan_to_num(means) / HORIZON, axis=0) - 1
    close_to(dense(by_date, "cumulative").reshape(QUANTILES, DATES).T, grown)
    close_to(dense(found.long_short, "gross"), (means[:, -1] - means[:, 0]) / HORIZON)
    away = X - X.mean(axis=1, keepdims=True)
    portfolio = (away / np.abs(away).sum(axis=1, keepdims=True) * simple).sum(axis=1)[known]
    market = plain_labels(False, None).mean(axis=1)[known]
    close_to(dense(found.alpha_beta, "beta"), np.array([np.polyfit(market, portfolio, 1)[0]]))
    assert found.settings["log"] is log
    assert found.settings["excess"] == excess


def test_decay_takes_logarithms_at_horizons_of_its_own_too() -> None:
    plain, logs = evaluated(excess="sector"), evaluated(excess="sector", log=True)
    pair = (each.ic_decay.filter(horizon=5)["ic_mean"].item() for each in (plain, logs))
    assert len(set(pair)) == 2


def test_groups_are_correlated_with_logarithms() -> None:
    found, labels = evaluated(log=True, group="sector"), plain_labels(True, None)
    known = range(DATES - 1 - HORIZON)
    for name in ("bank", "food", "tech"):
        inside = name == SECTOR
        expected = np.mean([stats.pearsonr(X[d, inside], labels[d, inside])[0] for d in known])
        close_to(dense(found.ic_by_group.filter(group=name), "ic_mean"), np.array([expected]))


def test_a_benchmark_may_be_a_column_an_expression_or_a_factor() -> None:
    same = [evaluated(excess=each).summary for each in (BENCHMARK, f"{BENCHMARK} * 2", fl.col(BENCHMARK) * 3)]
    numbers = [each.select(pl.col(pl.Float64)).to_numpy() for each in same]
    np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-9)
    np.testing.assert_allclose(numbers[0], numbers[2], rtol=1e-9)


def test_names_without_a_category_are_left_out() -> None:
    lacking = bars().with_columns(sector=pl.when(pl.col("symbol") != "S00").then("sector"))
    found = fl.evaluate(fl.Panel.from_frame(lacking), FACTOR, horizons=HORIZON, excess="sector")  # type: ignore[arg-type]
    assert found.dropped.filter(reason="no group")["rows"].item() == DATES


def test_dates_without_a_benchmark_have_no_return() -> None:
    lacking = bars().with_columns(pl.when(pl.col("date") != DAYS[10]).then(BENCHMARK).alias(BENCHMARK))
    found = fl.evaluate(fl.Panel.from_frame(lacking), FACTOR, horizons=(HORIZON,), quantiles=3, excess=BENCHMARK)
    absent = found.long_short.filter(pl.col("gross").is_null())["date"].to_list()
    assert absent == [DAYS[each] for each in (10 - 1 - HORIZON, 9, *range(DATES - 1 - HORIZON, DATES))]


def test_a_store_passes_both_on() -> None:
    with fl.open_store(":memory:") as store:
        store.load("us", bars())
        options: Any = {
            "horizons": (HORIZON,),
            "quantiles": QUANTILES,
            "costs_bps": 10,
            "log": True,
            "excess": "sector",
        }
        found = fl.evaluate(store, FACTOR, dataset="us", **options)
    assert found.summary.equals(evaluated(log=True, excess="sector").summary)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"log": 1}, ArgumentError, "log must be True or False, got 1"),
        ({"log": True, "halted": -1}, ParameterError, "greater than -1"),
        ({"excess": "markt"}, UnknownColumnError, "excess: the panel has no column 'markt'"),
        ({"excess": 3}, ArgumentError, "excess must be 'market', the name of a column or a factor, got 3"),
        ({"excess": True}, ArgumentError, "excess must be"),
        ({"excess": fl.ts_lead(fl.col(BENCHMARK), 1)}, LookaheadError, "excess: ts_lead looks ahead"),
    ],
)
def test_bad_input_says_what_is_wrong(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words.replace("(", r"\(")):
        evaluated(**options)
