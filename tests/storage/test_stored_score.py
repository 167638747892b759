"""The scores of a store equal those of the engine, also in SQL."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import factorloom as fl
from factorloom.engine.research.model import ScoreFactor, ScoreModel
from factorloom.expressions.errors import ArgumentError, DatasetError, ParameterError, UnknownColumnError
from factorloom.expressions.parse import parse
from factorloom.storage.store import Store, open_store

MODEL = ScoreModel(
    "calm",
    {
        "momentum": ScoreFactor(parse("ts_pct_change(close, 20)"), weight=2),
        "volatility": ScoreFactor(parse("ts_std(returns, 20)"), direction=-1),
        "value": ScoreFactor(parse("book_to_price")),
    },
    neutralize="sector",
)
UNNEUTRALISED = ScoreModel(MODEL.name, MODEL.factors)
FRIDAY = dt.date(2025, 6, 6)


def stored(store: Store) -> pl.DataFrame:
    """The stored scores in the form that `score` returns."""
    contributions = ", ".join(f"contributions['{name}'] AS contribution_{name}" for name in MODEL.factors)
    columns = "symbol, date, score, rank, percentile, quantile, coverage, reason"
    return store.sql(f"SELECT {columns}, {contributions} FROM scores.demo")


@pytest.mark.parametrize("model", [MODEL, UNNEUTRALISED])
@pytest.mark.parametrize("date", [None, FRIDAY, "2025-06-06"])
def test_scores_equal_those_of_the_engine_and_are_stored(loaded: Store, model: ScoreModel, date: Any) -> None:
    scores = loaded.score("demo", model, date=date)
    assert scores.equals(fl.score(loaded.panel("demo"), model, date=date))
    assert scores["date"].unique().to_list() == [FRIDAY if date else dt.date(2025, 12, 31)]
    assert stored(loaded).equals(scores)
    labels = loaded.sql("SELECT DISTINCT model, model_digest, version FROM scores.demo")
    assert labels.row(0) == ("calm", model.digest, 1)


def test_the_table_exists_before_the_first_score(loaded: Store) -> None:
    assert loaded.sql("SELECT * FROM scores.demo").columns == [
        *("model", "model_digest", "version", "date", "symbol", "score", "rank", "percentile"),
        *("quantile", "coverage", "reason"),
        "contributions",
    ]


def test_scoring_again_replaces_only_itself(loaded: Store, bars: pl.DataFrame) -> None:
    size = loaded.score("demo", MODEL).height
    loaded.score("demo", MODEL)
    assert loaded.sql("SELECT * FROM scores.demo").height == size
    loaded.score("demo", MODEL, date=FRIDAY)
    loaded.score("demo", UNNEUTRALISED)
    loaded.score("demo", ScoreModel("other", MODEL.factors, neutralize="sector"))
    loaded.load("demo", bars.with_columns(pl.col("close") * 1.5))
    loaded.score("demo", MODEL)
    runs = loaded.sql("SELECT model, model_digest, version, date FROM scores.demo GROUP BY ALL")
    assert runs.height == 3  # one for each model and date
    assert sorted(runs["version"]) == [1, 1, 2]


def test_raw_factors_are_cached(loaded: Store) -> None:
    loaded.score("demo", MODEL)
    assert (loaded.counters.hits, loaded.counters.misses) == (0, 3)
    loaded.score("demo", MODEL, date=FRIDAY)
    assert (loaded.counters.hits, loaded.counters.misses) == (3, 3)
    runs = loaded.sql("SELECT verb, hits, misses, rows FROM catalog.runs ORDER BY started")
    assert runs["verb"].to_list() == ["load", "score", "score"]
    assert runs["misses"].to_list() == [0, 3, 0]


def test_a_group_of_the_attributes(store: Store, bars: pl.DataFrame) -> None:
    sectors = bars.select("symbol", "sector").unique()
    store.load("demo", bars.drop("sector"), attributes=sectors.head(25))
    scores = store.score("demo", MODEL, date=FRIDAY)
    assert scores.equals(fl.score(store.panel("demo"), MODEL, date=FRIDAY))
    assert scores["reason"].drop_nulls().str.contains("sector").any()


def test_a_reader_scores_without_writing(path: Path, bars: pl.DataFrame) -> None:
    with open_store(path) as store:
        store.load("demo", bars)
        expected = fl.score(store.panel("demo"), MODEL)
    with open_store(path, read_only=True) as store:
        assert store.score("demo", MODEL).equals(expected)
        assert store.sql("SELECT * FROM scores.demo").is_empty()


def test_datetimes_are_scored_separately(store: Store, bars: pl.DataFrame) -> None:
    datetimes = bars.with_columns(pl.col("date").cast(pl.Datetime("us")) + pl.duration(hours=16))
    store.load("demo", pl.concat([datetimes, datetimes.with_columns(pl.col("date") + pl.duration(hours=1))]))
    scores = store.score("demo", MODEL)
    assert scores["date"].unique().to_list() == [dt.datetime(2025, 12, 31, 17)]
    assert store.score("demo", MODEL, date="2025-12-31").equals(scores)
    assert store.score("demo", MODEL, date="2025-12-30T16:00")["date"][0] == dt.datetime(2025, 12, 30, 16)
    with pytest.raises(ParameterError, match="no bars on 2025-12-30 12:00"):
        store.score("demo", MODEL, date="2025-12-30T12:00")


@pytest.mark.parametrize(
    ("date", "message"),
    [
        ("2025-06-07", "nearest earlier date is 2025-06-06"),
        ("2030-01-01", "nearest earlier date is 2025-12-31"),
        ("1990-01-01", "the first date is 2025-01-01"),
        ("soon", "date must be a date"),
        (7, "date must be a date"),
    ],
)
def test_dates_without_bars(loaded: Store, date: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        loaded.score("demo", MODEL, date=date)
    assert loaded.sql("SELECT * FROM scores.demo").is_empty()


def test_bad_models(loaded: Store) -> None:
    with pytest.raises(UnknownColumnError, match="did you mean 'sector'"):
        loaded.score("demo", ScoreModel("x", MODEL.factors, neutralize="sektor"))
    with pytest.raises(UnknownColumnError, match="did you mean 'close'"):
        loaded.score("demo", ScoreModel("x", {"x": ScoreFactor(parse("clsoe"))}))
    with pytest.raises(ArgumentError, match="a model must be a ScoreModel"):
        loaded.score("demo", {"momentum": parse("close")})  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="did you mean 'demo'"):
        loaded.score("dmeo", MODEL)
    assert loaded.sql("SELECT * FROM scores.demo").is_empty()
    assert loaded.sql("SELECT * FROM catalog.cache").is_empty()
