"""Scores are compared with a plain pandas computation, and must not depend on row order, names or units."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import factorloom as fl
from factorloom.engine.panel import Engine
from factorloom.engine.research.model import ScoreFactor, ScoreModel
from factorloom.engine.research.score import score, score_frame
from factorloom.expressions.errors import (
    ArgumentError,
    BarsError,
    ParameterError,
    UnknownColumnError,
)
from factorloom.expressions.operators.loop.tie import tied
from tests.engine.plain_score import DAY, agree, frames, market, models, plain_scores

MODELS = sorted((Path(__file__).parents[2] / "examples" / "models").glob("*.toml"))
ENGINES: tuple[Engine, ...] = ("numba", "polars")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return cast(Engine, request.param)


def model_of(*names: str, **options: Any) -> ScoreModel:
    return ScoreModel("model", {name: ScoreFactor(name) for name in names}, **options)


def day_of(**columns: list[Any]) -> pl.DataFrame:
    """One date, with symbols A, B, C, …"""
    size = len(next(iter(columns.values())))
    return pl.DataFrame({"symbol": list("ABCDEFGH"[:size]), "date": [DAY] * size, **columns}, strict=False)


def by_symbol(frame: pl.DataFrame, column: str) -> dict[str, Any]:
    return dict(zip(frame["symbol"], frame[column], strict=True))


# --- agreement and properties -------------------------------------------------------------------------------


@given(frames(), models())
def test_scores_agree_with_a_plain_computation(frame: pl.DataFrame, model: ScoreModel) -> None:
    expected = plain_scores(frame, model)
    for engine in ENGINES:
        agree(score_frame(frame, model, engine=engine), expected)


@given(frames(), models())
def test_rank_percentile_and_order_follow_the_score(frame: pl.DataFrame, model: ScoreModel) -> None:
    result = score_frame(frame, model)
    table = result.to_pandas()
    score = table.groupby("date")["score"].transform(lambda scores: tied(scores.to_numpy(dtype=float)))
    by_date = table.assign(score=score).groupby("date")["score"]
    ranks, shares = by_date.rank("min", ascending=False), by_date.rank("average", pct=True)
    np.testing.assert_array_equal(table["rank"].to_numpy(dtype=float), ranks)
    np.testing.assert_allclose(table["percentile"].to_numpy(dtype=float), shares, rtol=1e-12)
    bins = fl.Panel.from_frame(result.select("symbol", "date", "score")).compute(
        bin=fl.cs_quantile_bin(fl.col("score"), bins=model.quantiles)
    )
    assert result.join(bins, on=["symbol", "date"]).select(pl.col("quantile").eq_missing(pl.col("bin")).all()).item()
    rows = result.select("date", "score", "symbol").rows()
    keys = [(day, -math.inf if score is None else score, symbol) for day, score, symbol in rows]
    assert keys == sorted(keys, key=lambda key: (key[0], -key[1], key[2]))
    assert (result["score"].is_null() == result["reason"].is_not_null()).all()


@given(frames(), models())
def test_contributions_add_up_to_the_score(frame: pl.DataFrame, model: ScoreModel) -> None:
    result = score_frame(frame, model)
    parts = result.select(pl.col("^contribution_.*$"))
    assert parts.columns == [f"contribution_{name}" for name in model.factors]
    scored = result["score"].is_not_null()
    total = parts.sum_horizontal().filter(scored).to_numpy()
    np.testing.assert_allclose(total, result["score"].filter(scored).to_numpy(), rtol=1e-12, atol=1e-9)
    assert parts.filter(~scored).null_count().sum_horizontal().item() == (~scored).sum() * parts.width


@given(frames(), models(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_does_not_matter(frame: pl.DataFrame, model: ScoreModel, random: Any) -> None:
    columns = list(frame.columns)
    random.shuffle(columns)
    shuffled = frame.select(columns).sample(fraction=1, shuffle=True, seed=random.randrange(1000))
    assert_frame_equal(score_frame(frame, model), score_frame(shuffled, model))


@given(frames(), models())
def test_the_names_of_symbols_do_not_matter(frame: pl.DataFrame, model: ScoreModel) -> None:
    number = 99 - pl.col("symbol").str.slice(1).cast(pl.Int64)
    back = pl.format("S{}", number.cast(pl.String).str.zfill(2)).alias("symbol")
    renamed = frame.with_columns(pl.format("Z{}", number).alias("symbol"))
    other = score_frame(renamed, model).with_columns(back)
    assert_frame_equal(score_frame(frame, model), other, check_row_order=False, rel_tol=1e-9)


@given(frames(), models(), st.sampled_from([1e-6, 0.3, 4.0, 1e9]))
def test_only_the_ratios_of_weights_matter(frame: pl.DataFrame, model: ScoreModel, factor: float) -> None:
    scaled = {
        name: ScoreFactor(part.expression, part.weight * factor, part.direction) for name, part in model.factors.items()
    }
    other = ScoreModel("scaled", scaled, model.winsorize, model.neutralize, model.min_factors)
    ours, theirs = score_frame(frame, model), score_frame(frame, other)
    for name in ours.select(pl.selectors.float()).columns:
        if name != "percentile":
            a, b = by_key(ours, name), by_key(theirs, name)
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@given(frames(), models())
def test_reversing_a_direction_negates_its_contribution(frame: pl.DataFrame, model: ScoreModel) -> None:
    name, part = next(iter(model.factors.items()))
    opposite: Literal[-1, 1] = 1 if part.direction < 0 else -1
    reversed_ = {**model.factors, name: ScoreFactor(part.expression, part.weight, opposite)}
    other = ScoreModel("reversed", reversed_, model.winsorize, model.neutralize, model.min_factors)
    ours, theirs = score_frame(frame, model), score_frame(frame, other)
    for each in model.factors:
        sign = -1 if each == name else 1
        column = f"contribution_{each}"
        np.testing.assert_array_equal(by_key(ours, column), sign * by_key(theirs, column))


def by_key(frame: pl.DataFrame, column: str) -> np.ndarray:
    return frame.sort("date", "symbol")[column].to_numpy()


@given(frames(), models())
def test_a_score_is_the_same_alone_and_in_a_longer_panel(frame: pl.DataFrame, model: ScoreModel) -> None:
    panel = fl.Panel.from_frame(frame)
    history = score(panel, model, dates="all")
    for day in panel.dates:
        assert_frame_equal(score(panel, model, date=day), history.filter(history["date"] == day), abs_tol=0, rel_tol=0)


# --- calculated by hand -------------------------------------------------------------------------------------


def test_a_score_by_hand(engine: Engine) -> None:
    frame = day_of(growth=[1.0, 2.0, 3.0, 4.0, 5.0], risk=[5.0, None, 3.0, 4.0, 1.0])
    model = ScoreModel("hand", {"growth": ScoreFactor("growth", 3), "risk": ScoreFactor("risk", 1, -1)})
    result = score_frame(frame, model, engine=engine)
    unit = 1 / 1.482602218505602
    assert by_symbol(result, "score") == pytest.approx(
        {
            "A": (3 * -2 * unit - (5 - 3.5) / 1.0 * unit) / 4,
            "B": -1 * unit,
            "C": (0 - (3 - 3.5) * unit) / 4,
            "D": (3 * 1 * unit - (4 - 3.5) * unit) / 4,
            "E": (3 * 2 * unit - (1 - 3.5) * unit) / 4,
        }
    )
    assert by_symbol(result, "contribution_risk")["B"] is None
    assert by_symbol(result, "contribution_growth")["B"] == pytest.approx(-unit)
    assert result["symbol"].to_list() == ["E", "D", "C", "B", "A"]
    assert result["rank"].to_list() == [1, 2, 3, 4, 5]
    assert result["percentile"].to_list() == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_columns_and_types() -> None:
    result = score_frame(day_of(a=[1.0, 2.0]), model_of("a"))
    assert dict(result.schema) == {
        "symbol": pl.String,
        "date": pl.Date,
        "score": pl.Float64,
        "rank": pl.Int64,
        "percentile": pl.Float64,
        "quantile": pl.Int64,
        "coverage": pl.Float64,
        "reason": pl.String,
        "contribution_a": pl.Float64,
    }


def test_ties_share_the_smaller_rank_and_the_mean_percentile() -> None:
    result = score_frame(day_of(a=[1.0, 3.0, 3.0, 9.0, 3.5]), model_of("a", winsorize=None))
    assert by_symbol(result, "rank") == {"D": 1, "E": 2, "B": 3, "C": 3, "A": 5}
    assert by_symbol(result, "percentile") == {"D": 1.0, "E": 0.8, "B": 0.5, "C": 0.5, "A": 0.2}


def test_an_outlier_is_clipped(engine: Engine) -> None:
    frame = day_of(a=[1.0, 2.0, 3.0, 4.0, 1e9])
    assert score_frame(frame, model_of("a"), engine=engine)["score"].max() == pytest.approx(3.0)
    unclipped = score_frame(frame, model_of("a", winsorize=None), engine=engine)["score"].max()
    assert isinstance(unclipped, float)
    assert unclipped > 1e8


def test_zero_is_never_negative() -> None:
    model = ScoreModel("low", {"a": ScoreFactor("a", direction=-1)})
    middle = score_frame(day_of(a=[1.0, 2.0, 3.0]), model).row(1, named=True)
    assert math.copysign(1, middle["score"]) == math.copysign(1, middle["contribution_a"]) == 1


# --- reasons for a missing score ----------------------------------------------------------------------------


def test_too_few_factors_give_a_reason_instead_of_a_score(engine: Engine) -> None:
    frame = day_of(a=[1.0, 2.0, 3.0, 4.0], b=[None, 2.0, 1.0, 3.0], c=[None, 1.0, None, 4.0], d=[7.0, 7.0, 7.0, 7.0])
    result = score_frame(frame, model_of("a", "b", "c", "d", min_factors=2), engine=engine)
    assert by_symbol(result, "reason") == {
        "A": "1 of 4 factors present, 2 needed; missing: b, c; no spread on the date: d",
        "B": None,
        "C": None,
        "D": None,
    }
    row = result.filter(pl.col("symbol") == "A").row(0, named=True)
    assert all(value is None for key, value in row.items() if key not in ("symbol", "date", "coverage", "reason"))
    assert row["coverage"] == 0.25
    assert result["symbol"][-1] == "A"


def test_a_symbol_without_a_category_has_no_score(engine: Engine) -> None:
    frame = day_of(a=[1.0, 2.0, 3.0, 4.0], sector=["x", "x", None, "y"])
    result = score_frame(frame, model_of("a", neutralize="sector"), engine=engine)
    assert by_symbol(result, "reason") == {
        "A": None,
        "B": None,
        "C": "no sector",
        "D": "0 of 1 factor present, 1 needed; no spread in its sector: a",
    }


@pytest.mark.parametrize("column", [[None, None, None], [1.0, 1.0, 1.0], [math.nan, math.inf, None]])
def test_a_date_on_which_nothing_can_be_scored(column: list[float | None], engine: Engine) -> None:
    result = score_frame(day_of(a=column), model_of("a"), engine=engine)
    assert result["symbol"].to_list() == ["A", "B", "C"]
    assert result.select("score", "rank", "percentile", "contribution_a").null_count().row(0) == (3, 3, 3, 3)
    assert result["reason"].null_count() == 0


def test_no_rows_give_no_rows() -> None:
    result = score_frame(day_of(a=[1.0]).clear(), model_of("a"))
    assert result.height == 0
    assert result.columns == [
        "symbol",
        "date",
        "score",
        "rank",
        "percentile",
        "quantile",
        "coverage",
        "reason",
        "contribution_a",
    ]


# --- one date of a panel ------------------------------------------------------------------------------------


def test_the_last_date_is_the_default() -> None:
    panel, model = fl.example(), ScoreModel("cheap", {"price": ScoreFactor("close", direction=-1)})
    assert score(panel, model)["date"].unique().to_list() == [datetime.date(2024, 1, 4)]
    for date in ("2024-01-02", datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2)):
        result = score(panel, model, date=date)
        assert result["symbol"].to_list() == ["A", "B"]
        assert_frame_equal(result, fl.score(panel, model, date=date))


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_dates_with_a_time(zone: str | None) -> None:
    frame = fl.example().frame.with_columns(
        pl.col("date").cast(pl.Datetime("ns")).dt.offset_by("16h").dt.replace_time_zone(zone)
    )
    panel, model = fl.Panel.from_frame(frame), ScoreModel("m", {"price": ScoreFactor("close")})
    assert score(panel, model, date="2024-01-03T16:00").height == 3
    assert score(panel, model).height == 3
    assert score(panel, model, date="2024-01-03").equals(score(panel, model, date="2024-01-03T16:00"))
    assert score(panel, model, date=panel.dates[1])["date"][0] == datetime.datetime(2024, 1, 3, 16)


@pytest.mark.parametrize(
    ("date", "message"),
    [
        ("2024-01-06", "no bars on 2024-01-06\n  hint: the nearest earlier date is 2024-01-04"),
        ("2024-01-03T12:00", "no bars on 2024-01-03 12:00"),
        ("2024-01-03T00:00+02:00", "must be a date or ISO text"),
        ("yesterday", "date must be a date or ISO text, got 'yesterday'\n  hint: for example 2024-12-31"),
    ],
)
def test_a_date_without_bars(date: str, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        score(fl.example(), model_of("close"), date=date)
    assert message in str(caught.value)


def test_unknown_columns_and_unusable_bars_are_errors() -> None:
    panel = fl.example()
    with pytest.raises(UnknownColumnError, match="did you mean 'sector'"):
        score(panel, model_of("close", neutralize="secto"))
    with pytest.raises(UnknownColumnError, match="did you mean 'close'"):
        score(panel, model_of("clsoe"))
    with pytest.raises(UnknownColumnError, match="no column 'momentum' to score with"):
        score_frame(panel.frame, model_of("momentum"))
    with pytest.raises(ArgumentError, match="holds categories, not numbers"):
        score_frame(day_of(a=["x", "y"]), model_of("a"))
    with pytest.raises(BarsError, match="is repeated"):
        score_frame(pl.concat([day_of(a=[1.0])] * 2), model_of("a"))
    with pytest.raises(BarsError, match="no bars to score"):
        score(fl.Panel.from_frame(panel.frame.clear()), model_of("close"))


# --- the examples -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_the_example_models_score_a_market(path: Path) -> None:
    model, bars = ScoreModel.from_toml(path), market()
    result = score(fl.Panel.from_frame(bars), model)
    assert model.name == path.stem
    assert result.height == 24
    late = result.filter(pl.col("symbol") == "S23").row(0, named=True)
    assert (late["score"] is None) == ("needed; missing: " in (late["reason"] or ""))
    assert result.filter(pl.col("symbol") != "S23")["score"].null_count() == 0


def test_there_are_example_models() -> None:
    assert [path.stem for path in MODELS] == ["balanced", "defensive", "momentum"]


def test_real_bars_agree_with_pandas_end_to_end(data_folder: Path) -> None:
    members = pl.read_csv(data_folder / "reference" / "sp500_gics_sectors.csv")
    sectors = members.select(symbol="Symbol", sector="GICS Sector")
    prices = pl.read_parquet(data_folder / "prices" / "sp500_2013_2018.parquet")
    bars = prices.join(sectors, on="symbol", how="left", maintain_order="left")
    model = ScoreModel(
        "real",
        {
            "momentum": ScoreFactor("ts_delay(close, 21) / ts_delay(close, 252) - 1", 2),
            "volatility": ScoreFactor("ts_std(returns, 20)", 1, -1),
            "reversal": ScoreFactor("ts_pct_change(close, 5)", 0.5, -1),
        },
        neutralize="sector",
        min_factors=3,
    )
    result = score(fl.Panel.from_frame(bars.drop("file_symbol")), model)

    table = bars.select("symbol", "date", "close").sort("symbol", "date").to_pandas()
    close = table.groupby("symbol")["close"]
    table["momentum"] = close.shift(21) / close.shift(252) - 1
    table["reversal"] = table["close"] / close.shift(5) - 1
    table["returns"] = table["close"] / close.shift(1) - 1
    table["volatility"] = table.groupby("symbol")["returns"].transform(lambda x: x.rolling(20).std())
    last = pl.from_pandas(table[table["date"] == table["date"].max()]).join(sectors, on="symbol", how="left")
    last = last.with_columns(pl.col("date").cast(pl.Date), pl.col(pl.Float64).fill_nan(None))
    expected = plain_scores(last.drop("close", "returns"), model)

    assert result.height == 505
    assert result["score"].count() > 300
    assert set(result["reason"].drop_nulls()) >= {"no sector"}
    agree(result.with_columns(pl.col("date").cast(pl.Datetime("ms"))), expected)


def test_nanoseconds_do_not_change_the_reasons() -> None:
    moment = pl.Series([1_700_000_000_000_000_001] * 3).cast(pl.Datetime("ns"))
    frame = pl.DataFrame({"symbol": ["A", "B", "C"], "date": moment, "a": [1.0, 1.0, None]})
    reasons = score_frame(frame, model_of("a"))["reason"].to_list()
    assert ["no spread on the date: a" in each for each in reasons] == [True, True, False]


@pytest.mark.parametrize("weighting", ["fixed", fl.Fit("ic", horizon=5, window=60)])
def test_errors_quote_the_factor_as_the_model_has_it(weighting: Any) -> None:
    panel = fl.example()
    model = ScoreModel("m", {"a": "ts_mean(clos, 2)"}, weighting=weighting)
    with pytest.raises(UnknownColumnError) as caught:
        fl.score(panel, model)
    assert caught.value.text == "ts_mean(clos, 2)"
