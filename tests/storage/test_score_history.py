"""Scores of many dates in a store, the models and the weights that gave them, and what newer scores replace."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.bars.market import simulate
from factorloom.expressions.errors import ArgumentError, DatasetError, ParameterError

BARS = simulate(symbols=15, years=1)
DATES = BARS["date"].unique().sort().to_list()
FACTORS = {
    "reversal": fl.ScoreFactor("ts_pct_change(close, 5)", direction=-1),
    "volume": fl.ScoreFactor("cs_rank(volume)", weight=2),
}
FIXED = fl.ScoreModel("fixed", FACTORS, neutralize="sector", transform="zscore")
PLAIN = {name: fl.ScoreFactor(part.expression, direction=part.direction) for name, part in FACTORS.items()}
FITTED = fl.ScoreModel("fitted", PLAIN, transform="rank", weighting=fl.Fit("ic", horizon=5, window=60))
RIDGE = fl.ScoreModel(
    "ridge", PLAIN, weighting=fl.Fit("ridge", horizon=3, window=40, every="week", alpha=[0.01, 1], folds=2)
)


@pytest.fixture
def loaded() -> Any:
    with fl.open_store(":memory:") as store:
        store.load("demo", BARS)
        yield store


def stored(store: Any, model: fl.ScoreModel) -> pl.DataFrame:
    """The stored scores in the form of `fl.score`."""
    parts = ", ".join(f"contributions['{name}'] AS contribution_{name}" for name in model.factors)
    columns = "symbol, date, score, rank, percentile, quantile, coverage, reason"
    return store.sql(f"SELECT {columns}, {parts} FROM scores.demo WHERE model = '{model.name}'").sort(
        "date", "score", "symbol", descending=[False, True, False], nulls_last=True
    )


@pytest.mark.parametrize("model", [FIXED, FITTED, RIDGE], ids=lambda model: model.name)
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"dates": "all"},
        {"dates": "month_end"},
        {"start": "2025-03-03", "end": "2025-05-06"},
        {"dates": DATES[90:95]},
    ],
    ids=["last", "all", "month_end", "span", "dates"],
)
def test_a_store_scores_as_a_panel_does(loaded: Any, model: fl.ScoreModel, asked: Any) -> None:
    scores = loaded.score("demo", model, **asked)
    panel = loaded.panel("demo")
    assert scores.equals(fl.score(panel, model, **asked))
    assert stored(loaded, model).equals(scores)
    months = scores["date"].dt.truncate("1mo").n_unique()
    assert loaded.sql("SELECT count(*) FROM catalog.scores").item() == months
    if model.fit is None:
        assert loaded.sql("FROM weights.demo").is_empty()
        return
    weights = loaded.sql("SELECT date, alpha, factor, weight FROM weights.demo ORDER BY date, factor")
    expected = fl.fit_weights(panel, model)
    assert loaded.fit_weights("demo", model).equals(expected)
    wanted = expected.unpivot(
        ["weight_reversal", "weight_volume"], index=["date", "alpha"], variable_name="factor", value_name="weight"
    ).with_columns(pl.col("factor").str.strip_prefix("weight_"))
    assert weights.equals(wanted.filter(pl.col("date").is_in(weights["date"].implode())).sort("date", "factor"))
    assert weights["date"].max() == expected.filter(pl.col("date") <= scores["date"].max())["date"].max()


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(st.sets(st.integers(0, 63), min_size=1, max_size=12), min_size=1, max_size=5))
def test_newer_scores_replace_those_of_their_dates_alone(asked: list[set[int]]) -> None:
    models = [fl.ScoreModel("m", {"a": fl.ScoreFactor("close", weight)}, transform="rank") for weight in (1, 2)]
    models = [fl.ScoreModel("m", each.factors, min_factors=1, quantiles=3 + n) for n, each in enumerate(models)]
    with fl.open_store(":memory:") as store:
        store.load("demo", BARS.filter(pl.col("date") <= DATES[70]))
        expected: dict[dt.date, str] = {}
        for number, places in enumerate(asked):
            model = models[number % 2]
            chosen = [DATES[place] for place in places]
            store.score("demo", model, dates=chosen)
            expected |= dict.fromkeys(chosen, model.digest)
            found = store.sql("SELECT date, model_digest, count(*) AS n FROM scores.demo GROUP BY ALL ORDER BY date")
            assert dict(zip(found["date"], found["model_digest"], strict=True)) == expected
            assert (
                found.height == len(expected)
                and found["n"].sum() == BARS.filter(pl.col("date").is_in(list(expected))).height
            )
            files = store.sql("SELECT first, last, dates FROM catalog.scores ORDER BY first")
            assert (files["last"].shift(1) < files["first"]).all()
            assert files["dates"].sum() == len(expected)
        assert store.drop("demo", scores=True) is None
        assert store.sql("FROM scores.demo").is_empty() and store.models("demo").is_empty()


def test_models_are_kept_in_all_their_versions(loaded: Any, tmp_path: Path) -> None:
    other = fl.ScoreModel("fixed", FACTORS, transform="rank", description='some "text"')
    for model in (FIXED, other, FIXED, FITTED):
        loaded.score("demo", model)
    table = loaded.models("demo")
    assert table.columns == ["model", "model_digest", "document", "first_at", "last_at"]
    assert table["model"].to_list() == ["fitted", "fixed", "fixed"]
    assert loaded.model("demo", "fixed") == FIXED
    assert loaded.model("demo", "fixed", other.digest) == other
    assert loaded.model("demo", "fitted") == FITTED
    with pytest.raises(ParameterError, match="did you mean 'fixed'"):
        loaded.model("demo", "fixd")
    with pytest.raises(ParameterError, match="with the digest 'x'"):
        loaded.model("demo", "fixed", "x")
    with pytest.raises(DatasetError):
        loaded.models("dmeo")
    scored = loaded.sql("SELECT DISTINCT model FROM scores.demo JOIN models.demo USING (model, model_digest)")
    assert sorted(scored["model"]) == ["fitted", "fixed"]
    loaded.drop("demo", scores="fixed")
    assert loaded.models("demo")["model"].to_list() == ["fitted"]
    loaded.export(tmp_path / "all.duckdb")
    with duckdb.connect(str(tmp_path / "all.duckdb"), read_only=True) as reader:
        assert reader.execute("SELECT DISTINCT model FROM weights.demo").fetchall() == [("fitted",)]


def test_views_of_models_and_weights_are_published(tmp_path: Path) -> None:
    with fl.open_store(tmp_path / "store") as store:
        store.load("demo", BARS)
        store.score("demo", FITTED, dates="month_end")
        own = {name: store.sql(f"FROM {name}.demo").height for name in ("scores", "models", "weights")}
    published = sorted((tmp_path / "store").rglob("*.duckdb"))[-1]
    with duckdb.connect(":memory:") as reader:
        reader.execute(f"ATTACH '{published}' AS market (READ_ONLY)")
        theirs = {name: reader.execute(f"FROM market.{name}.demo").fetchall() for name in own}
    assert {name: len(rows) for name, rows in theirs.items()} == own and min(own.values()) > 0


def test_a_universe_is_scored_and_trained_on_alone(loaded: Any) -> None:
    symbols = loaded.panel("demo").symbols.to_list()
    loaded.load_universe("demo", "some", pl.DataFrame({"symbol": symbols[:8]}))
    loaded.load_universe("demo", "none", pl.DataFrame({"symbol": symbols[:1], "valid_to": [dt.date(1990, 1, 1)]}))
    panel = fl.Panel.from_frame(BARS.filter(pl.col("symbol").is_in(symbols[:8])))
    for model in (FIXED, FITTED, RIDGE):
        mine = loaded.score("demo", model, dates="month_end", universe="some")
        theirs = fl.score(panel, model, dates="month_end")
        assert mine.select("symbol", "date", "rank").equals(theirs.select("symbol", "date", "rank"))
        assert loaded.score("demo", model, universe="none").is_empty()


def test_versions_and_datetimes(loaded: Any) -> None:
    loaded.score("demo", FIXED, dates=DATES[-3:])
    later = BARS.filter(pl.col("date") == DATES[-2]).with_columns(pl.col("close", "high", "low", "open") * 1.01)
    loaded.load("demo", later)
    loaded.score("demo", FIXED, dates=DATES[-2:])
    found = loaded.sql("SELECT date, any_value(version) AS version FROM scores.demo GROUP BY date ORDER BY date")
    assert found["version"].to_list() == [1, 2, 2]
    assert loaded.sql("SELECT DISTINCT version FROM scores.demo", as_of=1)["version"].to_list() == [1]
    hours = [BARS.with_columns(pl.col("date").cast(pl.Datetime("us")) + pl.duration(hours=each)) for each in (16, 17)]
    loaded.load("intraday", pl.concat(hours).filter(pl.col("date") > dt.datetime(2025, 11, 1)))
    panel = loaded.panel("intraday")
    for model in (FIXED, RIDGE):
        for asked in ({}, {"dates": "all"}, {"start": "2025-12-30"}, {"dates": ["2025-12-30"]}):
            assert loaded.score("intraday", model, **asked).equals(fl.score(panel, model, **asked))
    assert loaded.sql("FROM weights.intraday").schema["date"] == pl.Datetime("us")


def test_a_fitted_score_is_explained(loaded: Any) -> None:
    symbol = loaded.score("demo", RIDGE)["symbol"][0]
    mine = loaded.explain_score("demo", RIDGE, symbol)
    theirs = fl.explain_score(loaded.panel("demo"), RIDGE, symbol)
    assert mine.factors.equals(theirs.factors) and mine.changes.equals(theirs.changes)


def test_what_cannot_be_scored_is_refused(loaded: Any) -> None:
    with pytest.raises(ParameterError, match="cannot stand beside"):
        loaded.score("demo", FIXED, date=DATES[3], start=DATES[3])
    with pytest.raises(ParameterError, match="'all', 'month_end' or dates"):
        loaded.score("demo", FIXED, dates="weekly")
    with pytest.raises(ParameterError, match="no bars from"):
        loaded.score("demo", FIXED, start="2031-01-01")
    with pytest.raises(ArgumentError, match="are fixed"):
        loaded.fit_weights("demo", FIXED)
    assert loaded.sql("FROM scores.demo").is_empty()
