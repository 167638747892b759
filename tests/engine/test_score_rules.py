"""The rules of a score model against plain NumPy on each date: transforms, exposures, rotations, missing, groups."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import factorloom as fl
from factorloom.engine.research.combine import orthogonal
from factorloom.engine.research.model import ScoreFactor, ScoreModel, Winsorize
from factorloom.engine.research.standard import steps
from factorloom.expressions.errors import LookaheadError, ModelError, ParameterError
from tests.engine.plain_score import market

Numbers = np.ndarray[Any, np.dtype[np.float64]]
NAMES = ("a", "b", "c")


def frame_of(seed: int, symbols: int, dates: int, missing: float) -> pl.DataFrame:
    """Correlated factors, two exposures and sectors, some missing."""
    rng = np.random.default_rng(seed)
    rows = symbols * dates
    common = rng.normal(size=rows)
    size, beta = rng.normal(size=rows), rng.normal(size=rows)
    factors = {name: rng.normal(size=rows) + common + place * size for place, name in enumerate(NAMES)}
    for each in factors.values():
        each[rng.random(rows) < missing] = np.nan
    size[rng.random(rows) < missing / 3] = np.nan
    keys = [
        (f"S{n:02}", datetime.date(2024, 1, 1) + datetime.timedelta(day))
        for n in range(symbols)
        for day in range(dates)
    ]
    sectors = np.array(["x", "y", "z"])[rng.integers(0, 3, symbols)].repeat(dates)
    return pl.DataFrame(
        {
            "symbol": [symbol for symbol, _ in keys],
            "date": [day for _, day in keys],
            **factors,
            "size": size,
            "beta": beta,
            "sector": sectors,
        }
    ).with_columns(pl.col(pl.Float64).fill_nan(None))


def model_of(**options: Any) -> ScoreModel:
    return ScoreModel(
        "m", {"a": ScoreFactor("a", 2), "b": ScoreFactor("b", 1, -1), "c": ScoreFactor("c", 0.5)}, **options
    )


# --- plain NumPy --------------------------------------------------------------------------------------------


def plain_transform(x: Numbers, how: str) -> Numbers:
    if how == "robust_zscore":
        return (x - np.median(x)) / (1.482602218505602 * np.median(np.abs(x - np.median(x))))
    if how == "zscore":
        return (x - x.mean()) / x.std(ddof=1)
    ranks = stats.rankdata(x)
    return ranks / len(x) - (ranks / len(x)).mean() if how == "rank" else stats.norm.ppf((ranks - 0.5) / len(x))


def plain_residual(x: Numbers, exposures: Numbers, sectors: np.ndarray[Any, Any] | None) -> Numbers:
    """The residual on exposures and category means, over the rows where all is present."""
    known = ~np.isnan(x) & ~np.isnan(exposures).any(axis=1)
    dummies = np.ones((len(x), 1)) if sectors is None else (sectors[:, None] == np.unique(sectors)).astype(float)
    design = np.column_stack([dummies, exposures])[known]
    out = np.full(len(x), np.nan)
    out[known] = x[known] - design @ np.linalg.lstsq(design, x[known], rcond=None)[0]
    return out


def plain_rotation(z: Numbers, how: str) -> Numbers:
    unit = (z - z.mean(axis=0)) / z.std(axis=0)
    if how == "symmetric":
        values, vectors = np.linalg.eigh(np.corrcoef(unit.T))
        return unit @ vectors @ np.diag(values**-0.5) @ vectors.T
    out = np.empty_like(unit)
    for place in range(unit.shape[1]):
        earlier = unit[:, :place]
        rest = (
            unit[:, place] - earlier @ np.linalg.lstsq(earlier, unit[:, place], rcond=None)[0] if place else unit[:, 0]
        )
        out[:, place] = rest / rest.std()
    return out


def plain_day(day: pl.DataFrame, model: ScoreModel) -> tuple[Numbers, Numbers]:
    """Scores and contributions of one date, rows as they are."""
    exposures = day.select(*model.exposures).to_numpy().astype(float)
    sectors = day["sector"].to_numpy() if model.neutralize else None
    z = np.full((day.height, len(model.factors)), np.nan)
    for place, name in enumerate(model.factors):
        x = day[name].to_numpy().astype(float)
        known = ~np.isnan(x)
        z[known, place] = plain_transform(x[known], model.transform)
        if model.exposures:
            rest = plain_residual(z[:, place], exposures, sectors)
            z[:, place] = (rest - np.nanmean(rest)) / np.nanstd(rest, ddof=1)
    present = ~np.isnan(z)
    enough = present.sum(axis=1) >= model.needed
    if model.orthogonalize:
        z[enough] = plain_rotation(np.nan_to_num(z[enough]), model.orthogonalize)
        present = np.ones_like(present)
    shares = np.array(list(model.shares.values()))
    weight = present @ shares if model.missing == "reweight" else np.ones(len(z))
    parts = z * shares * [part.direction for part in model.factors.values()] / weight[:, None]
    parts[~enough] = np.nan
    if model.exposures:
        filled = np.where(enough[:, None], np.nan_to_num(parts), np.nan)
        parts = np.column_stack([plain_residual(each, exposures, sectors) for each in filled.T])
    score = np.where(np.isnan(parts).all(axis=1), np.nan, np.nansum(parts, axis=1))
    return score, parts


options = st.fixed_dictionaries(
    {
        "transform": st.sampled_from(["robust_zscore", "zscore", "rank", "normal_score"]),
        "exposures": st.sampled_from([(), ("size",), ("size", "beta")]),
        "rotation": st.sampled_from(
            [(None, "reweight"), (None, "neutral"), ("order", "neutral"), ("symmetric", "neutral")]
        ),
        "neutralize": st.sampled_from([None, "sector"]),
        "min_factors": st.sampled_from([1, 2, 3]),
    }
)


@given(options, st.integers(0, 1000), st.integers(30, 60), st.sampled_from([0.0, 0.15]))
def test_scores_are_those_of_plain_numpy(drawn: dict[str, Any], seed: int, symbols: int, missing: float) -> None:
    rotation, rule = drawn.pop("rotation")
    if not drawn["exposures"]:
        drawn["neutralize"] = None  # within the category: test_score.py
    model = model_of(winsorize=None, orthogonalize=rotation, missing=rule, **drawn)
    frame = frame_of(seed, symbols, 2, missing)
    found = fl.score(fl.Panel.from_frame(frame), model, dates="all").sort("date", "symbol")
    for (_,), day in frame.sort("date", "symbol").group_by("date", maintain_order=True):
        score, parts = plain_day(day, model)
        ours = found.filter(pl.col("date") == day["date"][0])
        np.testing.assert_allclose(ours["score"].to_numpy(), score, rtol=0, atol=1e-9)
        np.testing.assert_allclose(ours.select(pl.col("^contribution_.*$")).to_numpy(), parts, rtol=0, atol=1e-9)
    _contributions_sum(found)


def _contributions_sum(found: pl.DataFrame) -> None:
    total = found.select(pl.sum_horizontal("^contribution_.*$")).to_series()
    gap = (found["score"] - total).abs().max()
    assert gap is None or gap <= 1e-12


# --- promises on bars ---------------------------------------------------------------------------------------

EXPOSED = {
    "factors": {
        "momentum": ScoreFactor("ts_delay(close, 5) / ts_delay(close, 60) - 1", 2, 1, "trend"),
        "reversal": ScoreFactor("ts_pct_change(close, 5)", 1, -1, "trend"),
        "volatility": ScoreFactor("ts_std(returns, 20)", 1, -1, "risk"),
    },
    "exposures": {"size": "log(ts_mean(close * volume, 20))", "price": "log(close)"},
    "groups": {"trend": 3, "risk": 1},
}


def exposed(**options: Any) -> ScoreModel:
    return ScoreModel("exposed", **(EXPOSED | {"neutralize": "sector"} | options))  # type: ignore[arg-type]


@pytest.mark.parametrize("rotation", [None, "order", "symmetric"])
def test_a_neutral_score_is_uncorrelated_with_every_exposure(rotation: str | None) -> None:
    panel = fl.Panel.from_frame(market())
    model = exposed(orthogonalize=rotation, missing="neutral" if rotation else "reweight", min_factors=1)
    found = fl.score(panel, model, dates="all")
    joined = found.join(panel.compute(model.exposures), on=["symbol", "date"]).join(
        panel.frame.select("symbol", "date", "sector"), on=["symbol", "date"]
    )
    joined = joined.drop_nulls("score").to_dummies("sector")
    compared = 0
    for _, day in joined.group_by("date"):
        score = day["score"].to_numpy()
        if np.abs(score).max() < 1e-6:
            continue
        for name in (*model.exposures, *(each for each in day.columns if each.startswith("sector_"))):
            exposure = day[name].to_numpy().astype(float)
            if exposure.std() > 0:
                assert abs(np.corrcoef(score, exposure)[0, 1]) < 1e-9
                compared += 1
    assert compared > 1000
    _contributions_sum(found)
    groups = found.select(pl.sum_horizontal("^group_.*$")).to_series()
    assert (found["score"] - groups).abs().max() <= 1e-12  # type: ignore[operator]


@pytest.mark.parametrize("options", [{}, {"orthogonalize": "symmetric", "missing": "neutral"}, {"transform": "rank"}])
def test_later_bars_change_no_score(options: Mapping[str, Any]) -> None:
    frame = market()
    model = exposed(**options)
    whole = fl.score(fl.Panel.from_frame(frame), model, dates="all")
    days = sorted(frame["date"].unique())
    for last in np.random.default_rng(0).choice(days[70:], 12, replace=False):
        known = fl.score(fl.Panel.from_frame(frame.filter(pl.col("date") <= last)), model, dates="all")
        assert known.equals(whole.filter(pl.col("date") <= last))


def test_month_ends_are_those_of_months_that_are_over() -> None:
    panel = fl.Panel.from_frame(market(4, 120))  # every day from 2023-01-02 to 2023-05-01
    model = ScoreModel("m", {"a": "close"})
    days = fl.score(panel, model, dates="month_end")["date"].unique().sort().to_list()
    assert [str(day) for day in days] == ["2023-01-31", "2023-02-28", "2023-03-31", "2023-04-30"]
    between = fl.score(panel, model, dates="month_end", start="2023-02-01", end="2023-03-30")
    assert [str(day) for day in between["date"].unique()] == ["2023-02-28"]
    assert fl.score(panel, model, start="2023-02-01", end="2023-02-03")["date"].n_unique() == 3
    listed = fl.score(panel, model, dates=["2023-02-01", "2023-03-01"])
    assert [str(day) for day in listed["date"].unique().sort()] == ["2023-02-01", "2023-03-01"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"date": "2023-02-01", "dates": "all"}, ParameterError, "cannot stand beside"),
        ({"dates": "weekly"}, ParameterError, "'all', 'month_end' or dates"),
        ({"dates": "month_end", "start": "2023-02-01", "end": "2023-02-02"}, ParameterError, "no month ends"),
        ({"dates": ["2030-01-01"]}, ParameterError, "no bars on 2030-01-01"),
        ({"start": "2023-03-01", "end": "2023-02-01"}, ParameterError, "is after end"),
        ({"start": "2030-01-01"}, ParameterError, "no bars from 2030-01-01"),
    ],
)
def test_dates_that_cannot_be_scored(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fl.score(fl.Panel.from_frame(market(4, 120)), ScoreModel("m", {"a": "close"}), **options)


# --- degenerate input ---------------------------------------------------------------------------------------


def test_duplicated_factors_share_one_direction() -> None:
    z = np.random.default_rng(1).normal(size=(40, 1)).repeat(3, axis=1)
    both = orthogonal(z, in_order=False)
    assert np.isfinite(both).all()
    np.testing.assert_allclose(both, both[:, :1].repeat(3, axis=1), atol=1e-9)
    first = orthogonal(z, in_order=True)
    assert np.isfinite(first[:, 0]).all() and np.isnan(first[:, 1:]).all()


@pytest.mark.parametrize(
    "options", [{}, {"orthogonalize": "order"}, {"orthogonalize": "symmetric"}, {"exposures": ["size"]}]
)
@pytest.mark.parametrize("symbols", [1, 2, 3])
def test_a_few_symbols_give_finite_scores_or_reasons(symbols: int, options: dict[str, Any]) -> None:
    model = model_of(missing="neutral", **options)
    for frame in (frame_of(0, symbols, 2, 0.0), frame_of(0, symbols, 2, 0.9).with_columns(b=1.0)):
        found = fl.score(fl.Panel.from_frame(frame), model, dates="all")
        assert found["score"].is_null().eq(found["reason"].is_not_null()).all()
        numbers = found.select(pl.col(pl.Float64)).drop_nulls().to_numpy()
        assert np.isfinite(numbers).all()


def test_a_symbol_without_an_exposure_says_so() -> None:
    frame = frame_of(0, 30, 1, 0.0).with_columns(pl.when(pl.col("symbol") != "S03").then("size").alias("size"))
    found = fl.score(fl.Panel.from_frame(frame), model_of(exposures=["size"], neutralize="sector"))
    assert found.filter(found["symbol"] == "S03")["reason"][0] == "no size"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"transform": "zcore"}, ModelError, r"\$.transform: must be one of"),
        ({"missing": "drop"}, ModelError, r"\$.missing: must be one of"),
        ({"orthogonalize": "order"}, ModelError, r"\$.missing: orthogonalize needs"),
        ({"orthogonalize": "pca", "missing": "neutral"}, ModelError, r"\$.orthogonalize: must be one of order"),
        ({"exposures": {"a": "close"}}, ModelError, r"\$.exposures.a: a is already"),
        ({"exposures": {"size": "ts_lead(close, 1)"}}, LookaheadError, r"\$.exposures.size: ts_lead looks ahead"),
        ({"exposures": [["size"]]}, ModelError, r"\$.exposures: invalid name"),
        ({"exposures": 3}, ModelError, r"\$.exposures: must be a table"),
        ({"groups": {"value": 1}}, ModelError, r"\$.factors.a.group: no weight of group None"),
        ({"groups": {"value": -1}}, ModelError, r"\$.groups.value: must be a finite number"),
    ],
)
def test_rules_that_no_model_has(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        model_of(**options)


def test_group_weights() -> None:
    model = exposed()
    assert model.shares == pytest.approx({"momentum": 0.5, "reversal": 0.25, "volatility": 0.25})
    with pytest.raises(ModelError, match=r"\$.groups.quality: no factor is in this group"):
        exposed(groups={"trend": 1, "risk": 1, "quality": 1})
    for back in (ScoreModel.from_toml(model.to_toml()), ScoreModel.from_dict(model.to_dict())):
        assert back == model and back.digest == model.digest
    assert exposed(transform="rank").digest != model.digest != exposed(groups={"trend": 1, "risk": 1}).digest


@pytest.mark.parametrize("market_name", ["sp500", "nifty"])
def test_scores_on_real_bars_are_those_of_plain_numpy(market_name: str, data_folder: Path) -> None:
    if market_name == "sp500":
        names = pl.read_csv(data_folder / "reference" / "sp500_gics_sectors.csv")
        bars = pl.read_parquet(data_folder / "prices" / "sp500_2013_2018.parquet").drop("file_symbol")
        bars = bars.join(names.select(symbol="Symbol", sector="GICS Sector"), on="symbol", how="left")
    else:
        bars = pl.read_parquet(data_folder / "prices" / "nifty50_2015_2021.parquet")
        bars = bars.select("symbol", "date", "open", "high", "low", "close", "volume", sector=pl.lit("all"))
    panel = fl.Panel.from_frame(bars)
    model = exposed(winsorize=None)
    chosen = fl.score(panel, model, dates="month_end")["date"].unique().sort().to_list()[4::6]
    found = fl.score(panel, model, dates=chosen).sort("date", "symbol")
    values = panel.compute(model.inputs, dates=chosen)
    keys = ["symbol", "date"]
    known = values.join(panel.frame.select(*keys, pl.col("sector").cast(pl.String)), on=keys).sort("date", "symbol")
    for (day,), rows in known.group_by("date", maintain_order=True):
        ours = found.filter(pl.col("date") == day)
        inside = rows["sector"].is_not_null() & rows["size"].is_not_null() & rows["price"].is_not_null()
        score, parts = plain_day(rows.filter(inside), model)
        np.testing.assert_allclose(ours.filter(inside)["score"].to_numpy(), score, rtol=0, atol=1e-9)
        np.testing.assert_allclose(
            ours.filter(inside).select(pl.col("^contribution_.*$")).to_numpy(), parts, rtol=0, atol=1e-9
        )
        assert ours.filter(~inside)["score"].is_null().all()
    assert found["score"].is_not_null().mean() > 0.6  # type: ignore[operator]
    _contributions_sum(found)


@given(
    st.lists(st.one_of(st.none(), st.integers(-3, 3).map(float), st.floats(-1e3, 1e3)), min_size=1, max_size=12),
    st.floats(1.0, 4.0) | st.sampled_from([1.348, 1.349, 1.35]),
    st.booleans(),
)
def test_values_clipped_before_or_after_have_the_same_z(column: list[float | None], limit: float, within: bool) -> None:
    rows = len(column)
    frame = pl.DataFrame(
        {
            "symbol": [f"S{place:02}" for place in range(rows)],
            "date": [datetime.date(2024, 1, 2)] * rows,
            "a": column,
            "sector": ["x", "y"] * (rows // 2) + ["x"] * (rows % 2),
        },
        schema_overrides={"a": pl.Float64},
    )
    model = ScoreModel(
        "m", {"a": ScoreFactor("a")}, winsorize=Winsorize(limit=limit), neutralize="sector" if within else None
    )
    made = steps(model)["a"]
    panel = fl.Panel.from_frame(frame)
    last = fl.group_robust_zscore(made.winsorized, "sector") if within else fl.cs_robust_zscore(made.winsorized)
    found = panel.compute(late=made.z, early=last)
    late, early = found["late"], found["early"]
    assert (late.is_null() == early.is_null()).all()
    np.testing.assert_allclose(late.drop_nulls(), early.drop_nulls(), rtol=1e-11, atol=1e-11)
