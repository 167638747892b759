"""Fitted weights against scikit-learn, SciPy and plain NumPy on the same rows, and that none sees what comes after."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import ElasticNet, Ridge

import factorloom as fl
from factorloom.engine.research.fit.rule import Fit
from factorloom.engine.research.fit.window import folds
from factorloom.expressions.errors import ArgumentError, ModelError, UnknownColumnError
from tests.engine.plain_score import market

FACTORS = {
    "reversal": fl.ScoreFactor("ts_pct_change(close, 5)", direction=-1),
    "volume": fl.ScoreFactor("volume"),
    "calm": fl.ScoreFactor("ts_std(returns, 10)", direction=-1),
}
BARS = market(symbols=24, bars=220)
PANEL = fl.Panel.from_frame(BARS)
DATES = PANEL.dates.to_list()
EXAMPLES = 12 if settings().max_examples < 1_000 else 200


def model_of(method: str = "ridge", factors: Any = FACTORS, window: int = 60, **options: Any) -> fl.ScoreModel:
    rules = {each: options.pop(each) for each in ("missing", "groups", "orthogonalize") if each in options}
    return fl.ScoreModel(
        "fitted", factors, weighting=Fit(method, horizon=5, window=window, **options), transform="zscore", **rules
    )  # type: ignore[arg-type]


def training_rows(model: fl.ScoreModel, first: dt.date, last: dt.date) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each date that is trained on the directed z of symbols with enough factors, and their forward returns."""
    close = BARS.pivot("symbol", index="date", values="close").sort("date")
    symbols = [name for name in close.columns if name != "date"]
    prices = close.select(symbols).to_numpy()
    raw = PANEL.compute(model.raw)
    signs = np.array([part.direction for part in model.factors.values()])
    found = []
    for place, day in enumerate(DATES):
        if not first <= day <= last:
            continue
        table = raw.filter(pl.col("date") == day)
        x = table.select(*model.factors).to_numpy().astype(float)
        clipped = np.column_stack([plain_clip(each) for each in x.T])
        z = (clipped - np.nanmean(clipped, axis=0)) / np.nanstd(clipped, axis=0, ddof=1) * signs
        places = [symbols.index(each) for each in table["symbol"]]
        returns = prices[place + 6, places] / prices[place + 1, places] - 1
        kept = ((~np.isnan(z)).sum(axis=1) >= model.needed) & ~np.isnan(returns)
        found.append((z[kept], returns[kept]))
    return found


def plain_clip(x: np.ndarray) -> np.ndarray:
    middle = np.nanmedian(x)
    spread = 3 * 1.482602218505602 * np.nanmedian(np.abs(x - middle))
    return np.clip(x, middle - spread, middle + spread)


def unit(weights: np.ndarray) -> np.ndarray:
    assert (weights != 0).any()
    return weights / np.abs(weights).sum()


def weights_at(table: pl.DataFrame, place: int = -1) -> tuple[np.ndarray, dt.date, dt.date]:
    row = table.row(place, named=True)
    return np.array([row[f"weight_{name}"] for name in FACTORS]), row["first"], row["last"]


# --- equal to others ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["rank", "zscore", "return"])
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("ridge", {}),
        ("ridge", {"positive": True}),
        ("elastic_net", {"l1_ratio": 0.3}),
        ("elastic_net", {"positive": True}),
    ],
)
def test_regressions_are_those_of_scikit_learn(method: str, options: dict[str, Any], target: str) -> None:
    alpha = 1e-4 if target == "return" else 1e-3
    # these returns reverse nothing: turned around, the factor has a positive weight to find
    turned = FACTORS | {"reversal": fl.ScoreFactor("ts_pct_change(close, 5)")}
    model = model_of(method, turned, alpha=alpha, target=target, **options)
    mine, first, last = weights_at(fl.fit_weights(PANEL, model))
    xs, ys = [], []
    for z, returns in training_rows(model, first, last):
        y = stats.rankdata(returns) / len(returns) if target == "rank" else returns
        y = (y - y.mean()) / (y.std(ddof=1) if target == "zscore" else 1)
        xs.append(np.nan_to_num(z - np.nanmean(z, axis=0)))
        ys.append(y)
    x, y = np.vstack(xs), np.concatenate(ys)
    positive = options.get("positive", False)
    if method == "ridge":
        rules: dict[str, Any] = {"solver": "lbfgs", "tol": 1e-13, "max_iter": 10**5} if positive else {}
        theirs = Ridge(alpha=alpha * len(x), fit_intercept=False, positive=positive, **rules).fit(x, y).coef_
    else:
        net = ElasticNet(
            alpha=alpha,
            l1_ratio=options.get("l1_ratio", 0.5),
            fit_intercept=False,
            tol=1e-13,
            max_iter=10**6,
            positive=positive,
        )
        theirs = net.fit(x, y).coef_
    np.testing.assert_allclose(mine, unit(theirs), rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", ["ic", "icir"])
def test_weights_by_ic_are_their_definition(method: str) -> None:
    model = model_of(method)
    table = fl.fit_weights(PANEL, model)
    for place in (-1, -3):
        mine, first, last = weights_at(table, place)
        ics = []
        for z, returns in training_rows(model, first, last):
            ics.append([stats.spearmanr(each, returns, nan_policy="omit").statistic for each in z.T])
        mean = np.mean(ics, axis=0)
        theirs = mean if method == "ic" else mean / np.std(ics, axis=0, ddof=1)
        np.testing.assert_allclose(mine, unit(theirs), rtol=0, atol=1e-12)
        assert table.row(place, named=True)["dates"] == len(ics) == 60


def test_ics_are_those_of_an_evaluation() -> None:
    model = fl.ScoreModel(
        "one", {"reversal": "-ts_pct_change(close, 5)"}, winsorize=None, transform="rank", weighting=Fit("ic", 5, 60)
    )
    row = fl.fit_weights(PANEL, model).row(-1, named=True)
    found = fl.evaluate(PANEL, {"reversal": "-ts_pct_change(close, 5)"}, horizons=5)
    ics = found.ic.filter(pl.col("date").is_between(row["first"], row["last"]))["rank_ic"].drop_nulls()
    assert ics.len() == row["dates"]
    assert row["weight_reversal"] == np.sign(ics.mean())


def test_a_penalty_is_chosen_by_folds_that_are_kept_apart() -> None:
    rule = Fit("ridge", horizon=5, window=100, folds=4, alpha=[0.1, 1.0])
    seen = list(folds(100, rule, embargo=10))
    assert [(tested.start, tested.stop) for tested, _ in seen] == [(0, 25), (25, 50), (50, 75), (75, 100)]
    for tested, trained in seen:
        for day in np.concatenate([np.arange(100)[part] for part in trained]):
            before = day + rule.gap <= tested.start  # its return is known when the tests begin
            after = day - 10 >= tested.stop - 1 + rule.gap  # it looks back on no return of a tested date
            assert before or after
    assert all(part.stop <= tested.start for tested, parts in folds(100, rule, None) for part in parts)


# --- nothing of the future ----------------------------------------------------------------------------------


@settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES == 12)
@given(
    st.integers(60, 219),
    st.sampled_from(["ic", "icir", "ridge", "elastic_net"]),
    st.sampled_from(["date", "week", "month"]),
)
def test_a_panel_that_ends_earlier_has_the_same_weights_and_scores(place: int, method: str, every: str) -> None:
    model = model_of(method, every=every, alpha=0.01, window=40)
    day = DATES[place]
    short = fl.Panel.from_frame(BARS.filter(pl.col("date") <= day))
    whole = fl.fit_weights(PANEL, model).filter(pl.col("date") <= day)
    assert fl.fit_weights(short, model).equals(whole)
    assert fl.score(short, model).equals(fl.score(PANEL, model, date=day))


def test_a_date_has_the_same_scores_alone_among_others_and_from_given_weights() -> None:
    model = model_of("ridge", alpha=[0.001, 0.01, 0.1], every="week")
    history = fl.score(PANEL, model, dates="all")
    weights = fl.fit_weights(PANEL, model)
    for place in (50, 100, 219):
        alone = fl.score(PANEL, model, date=DATES[place])
        assert alone.equals(history.filter(pl.col("date") == DATES[place]))
        assert alone.equals(fl.score(PANEL, model, date=DATES[place], weights=weights))


@pytest.mark.parametrize(("purge", "needed"), [(5, 6), (0, 6)])
def test_a_purge_that_is_too_short_is_refused(purge: int, needed: int) -> None:
    with pytest.raises(ModelError, match=rf"purge: must be at least {needed}, got {purge}"):
        Fit("ic", horizon=5, purge=purge)
    with pytest.raises(ModelError, match=r"\$\.weighting\.purge"):
        fl.ScoreModel.from_dict(
            {"name": "m", "factors": {"a": "close"}, "weighting": {"method": "ic", "horizon": 5, "purge": purge}}
        )


def test_an_embargo_shorter_than_the_lookback_is_refused() -> None:
    with pytest.raises(ModelError, match=r"\$\.weighting\.embargo: must be at least 10, got 9"):
        model_of("ridge", alpha=[0.1, 1.0], embargo=9)
    model_of("ridge", alpha=[0.1, 1.0], embargo=10)


# --- what holds of every model ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rules",
    [{}, {"missing": "neutral"}, {"missing": "neutral", "orthogonalize": "symmetric"}],
    ids=["reweight", "neutral", "rotated"],
)
def test_contributions_sum_to_scores_whose_weights_sum_to_one(rules: dict[str, Any]) -> None:
    model = model_of("ridge", **rules)
    weights = fl.fit_weights(PANEL, model).drop_nulls("weight_calm")
    sizes = weights.select(pl.sum_horizontal(pl.col(f"weight_{name}").abs() for name in FACTORS)).to_series()
    np.testing.assert_allclose(sizes.to_numpy(), 1, rtol=0, atol=1e-12)
    scores = fl.score(PANEL, model, dates="month_end").drop_nulls("score")
    total = scores.select(pl.sum_horizontal(f"contribution_{name}" for name in FACTORS)).to_series()
    np.testing.assert_allclose(total.to_numpy(), scores["score"].to_numpy(), rtol=0, atol=1e-12)
    assert scores["coverage"].is_between(0, 1).all()


def test_groups_keep_their_weights() -> None:
    grouped = {
        "reversal": fl.ScoreFactor("ts_pct_change(close, 5)", direction=-1, group="price"),
        "calm": fl.ScoreFactor("ts_std(returns, 10)", direction=-1, group="price"),
        "volume": fl.ScoreFactor("volume", group="trade"),
    }
    weights = fl.fit_weights(PANEL, model_of("ic", grouped, groups={"price": 3, "trade": 1})).row(-1, named=True)
    assert abs(weights["weight_reversal"]) + abs(weights["weight_calm"]) == pytest.approx(0.75, abs=1e-12)


def test_scores_before_the_first_fit_say_why_there_are_none() -> None:
    early = fl.score(PANEL, model_of("ic"), date=DATES[20])
    assert early["score"].null_count() == early.height
    assert "no fitted weights: too few dates to train on" in early["reason"].to_list()


def test_weights_that_are_all_zero_give_no_scores() -> None:
    model = model_of("elastic_net", alpha=1e6)
    assert weights_at(fl.fit_weights(PANEL, model))[0].tolist() == [0, 0, 0]
    last = fl.score(PANEL, model)
    assert last["score"].null_count() == last.height
    assert "its factors have no weight" in last["reason"].to_list()


def test_duplicated_and_constant_factors_have_finite_weights() -> None:
    odd = {"a": fl.ScoreFactor("volume"), "b": fl.ScoreFactor("volume"), "c": fl.ScoreFactor("close * 0")}
    for method in ("ic", "icir", "ridge", "elastic_net"):
        row = fl.fit_weights(PANEL, model_of(method, odd, alpha=1e-4)).row(-1, named=True)
        assert row["weight_c"] == 0 and abs(row["weight_a"]) + abs(row["weight_b"]) == pytest.approx(1)


def test_a_fitted_model_is_explained_by_its_weights() -> None:
    model = model_of("ridge", every="date")
    symbol = fl.score(PANEL, model)["symbol"][0]
    found = fl.explain_score(PANEL, model, symbol)
    changes = found.changes
    np.testing.assert_allclose(
        (changes["after"] - changes["before"]).to_numpy(),
        (changes["value"] + changes["universe"] + changes["weight"]).to_numpy(),
        rtol=0,
        atol=1e-12,
    )
    assert (changes["weight"] != 0).any()
    assert found.factors["contribution"].sum() == pytest.approx(found.score, abs=1e-12)


def test_equal_weights_are_weights_of_one() -> None:
    plain = {name: fl.ScoreFactor(part.expression, direction=part.direction) for name, part in FACTORS.items()}
    equal = fl.ScoreModel("m", plain, weighting="equal")
    assert fl.score(PANEL, equal).equals(fl.score(PANEL, fl.ScoreModel("m", plain)))


@pytest.mark.parametrize(
    "rule",
    [
        Fit("ic"),
        Fit("elastic_net", alpha=[0.1, 1], l1_ratio=0, folds=3, positive=True, target="return", every="quarter"),
        Fit("ridge", window=600, purge=30, embargo=20, alpha=[1, 2]),
        "equal",
    ],
)
def test_documents_give_the_same_model(rule: Any) -> None:
    model = fl.ScoreModel("m", FACTORS, weighting=rule, quantiles=10)
    for other in (fl.ScoreModel.from_toml(model.to_toml()), fl.ScoreModel.from_dict(model.to_dict())):
        assert other == model and other.digest == model.digest
    assert model.digest != fl.ScoreModel("m", FACTORS, quantiles=10).digest


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"method": "ols"}, r"\$\.weighting\.method: must be one of"),
        ({"method": "ic", "horizn": 5}, r"\$\.weighting\.horizn: unknown key"),
        ({"method": "ic", "horizon": 0}, r"\$\.weighting\.horizon"),
        ({"method": "ic", "window": 1}, r"\$\.weighting\.window"),
        ({"method": "ridge", "alpha": 0}, r"\$\.weighting\.alpha"),
        ({"method": "ridge", "alpha": []}, r"\$\.weighting\.alpha"),
        ({"method": "elastic_net", "l1_ratio": 1.5}, r"\$\.weighting\.l1_ratio"),
        ({"method": "ridge", "alpha": [1, 2], "window": 50}, r"\$\.weighting\.folds"),
        ({"method": "ic", "positive": 1}, r"\$\.weighting\.positive"),
        ({"method": "ic", "price": ""}, r"\$\.weighting\.price"),
        ("equl", r"\$\.weighting: must be one of"),
    ],
)
def test_a_wrong_rule_is_named_by_its_path(rule: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        fl.ScoreModel.from_dict({"name": "m", "factors": {"a": "close"}, "weighting": rule})


def test_weights_and_models_that_do_not_fit_are_refused() -> None:
    fixed = fl.ScoreModel("fixed", FACTORS)
    with pytest.raises(ArgumentError, match="are fixed"):
        fl.fit_weights(PANEL, fixed)
    with pytest.raises(ArgumentError, match="are fixed"):
        fl.score(PANEL, fixed, weights=pl.DataFrame())
    with pytest.raises(UnknownColumnError, match="weight_reversal"):
        fl.score(PANEL, model_of("ic"), weights=pl.DataFrame({"date": [DATES[0]]}))
    with pytest.raises(ModelError, match=r"a\.weight: has no meaning"):
        fl.ScoreModel("m", {"a": fl.ScoreFactor("close", 2)}, weighting="equal")


@pytest.mark.parametrize("method", ["icir", "elastic_net"])
def test_no_dates_have_no_scores(method: str) -> None:
    assert fl.score(PANEL, model_of(method), dates=[]).is_empty()


def test_many_dates_are_scored_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("ridge", every="week")
    whole = fl.score(PANEL, model, dates="all")
    for rows in (1, 30, 500):
        monkeypatch.setattr("factorloom.engine.research.scored.BLOCK_ROWS", rows)
        assert fl.score(PANEL, model, dates="all").equals(whole)
