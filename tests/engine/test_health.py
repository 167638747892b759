"""Health checks: every planted fault is found, and a clean market has none."""

from __future__ import annotations

import dataclasses
import datetime as dt
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from factorloom.engine.bars.market import simulate
from factorloom.engine.research.health import CHECKS, Finding, HealthInputs, findings_frame, health, panel_facts
from factorloom.engine.research.health.facts import _centred, _ranks
from tests.engine.plain_evaluation import inputs_of, labelled

FACTORS = ("momentum", "reversal", "value", "size", "random")


@cache
def market(symbols: int = 100, years: int = 2) -> pl.DataFrame:
    bars = simulate(symbols=symbols, years=years).sort("symbol", "date")
    close = pl.col("close")
    return bars.with_columns(
        momentum=(close / close.shift(60)).over("symbol"),
        reversal=(-close / close.shift(5)).over("symbol"),
        value=pl.col("book_to_price"),
        size=-pl.col("market_cap").cast(pl.Float64),
        random=noise(bars.height),
        one=pl.lit(1.0),
    )


def noise(rows: int, seed: int = 3) -> pl.Series:
    return pl.Series(np.random.default_rng(seed).normal(size=rows))


@cache
def clean() -> HealthInputs:
    return inputs_of(market(), FACTORS)


def names_of(findings: list[Finding], level: str | None = None) -> set[str]:
    return {finding.name for finding in findings if level in (None, finding.level)}


def found(inputs: HealthInputs, name: str) -> list[Finding]:
    return [finding for finding in health(inputs) if finding.name == name]


def with_factor(values: pl.Expr | pl.Series, bars: pl.DataFrame | None = None) -> pl.DataFrame:
    return (market() if bars is None else bars).with_columns(values.alias("planted"))


# --- a clean market --------------------------------------------------------------------------------------------


def test_a_clean_market_has_no_fault() -> None:
    findings = health(clean())
    assert names_of(findings, "fault") == set()
    assert len(findings) <= 4, findings


def test_without_tables_nothing_is_found() -> None:
    assert health(HealthInputs()) == []
    assert findings_frame([]).height == 0


# --- planted faults --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("entry_lag", "horizon"), [(1, 1), (1, 5), (0, 1)])
def test_a_leak_of_the_label_is_found(entry_lag: int, horizon: int) -> None:
    """The forward return, mixed with noise; the evaluation does not see it where its own entry is a date later."""
    label = labelled(market(), [horizon], entry_lag)[f"label_{horizon}"]
    inputs = inputs_of(with_factor(label / label.std() + 2.5 * noise(len(label))), ["planted"])
    finding = next(each for each in health(inputs) if each.level == "fault")
    assert finding.factor == "planted"
    assert finding.name in ("too_good", "knows_a_return")
    assert finding.figure > 0.2
    assert ("knows_a_return" in names_of(health(inputs))) or horizon > 1


def test_a_weak_leak_breaks_off() -> None:
    label = labelled(market(), [1], 0)["label_1"]
    inputs = inputs_of(with_factor(label / label.std() + 11 * noise(len(label))), ["planted"])
    assert "fault" not in {finding.level for finding in health(inputs)}
    assert [finding.factor for finding in found(inputs, "one_step")] == ["planted"]


def test_entry_at_the_price_of_the_factor() -> None:
    assert found(HealthInputs(settings={"entry_lag": 0}), "entry")
    assert not found(HealthInputs(settings={"entry_lag": 1}), "entry")


def test_a_universe_of_today() -> None:
    bars = market(200)
    last = bars["date"].max()
    here = bars.filter(pl.col("date") == last)["symbol"]
    survivors = inputs_of(bars.filter(pl.col("symbol").is_in(here.implode())), ["random"])
    (finding,) = found(survivors, "survivorship")
    assert (finding.level, finding.figure) == ("fault", 0)
    assert not found(inputs_of(bars, ["random"]), "survivorship")


@pytest.mark.parametrize(("share", "level"), [(0.1, "warning"), (0.4, "fault")])
def test_prices_filled_forward(share: float, level: str) -> None:
    traded = pl.Series("traded", np.random.default_rng(1).random(market().height) >= share)
    filled = pl.when("traded").then("close").forward_fill().over("symbol").alias("close")
    bars = market().with_columns(traded).with_columns(filled).drop_nulls("close")
    (finding,) = found(inputs_of(bars, ["random"]), "stale_prices")
    assert finding.level == level
    assert abs(finding.figure - share) < 0.03


def test_a_split_that_is_not_adjusted() -> None:
    symbol = market()["symbol"][0]
    split = (pl.col("symbol") == symbol) & (pl.col("date") > dt.date(2024, 9, 2))
    close = pl.when(split).then(pl.col("close") / 5).otherwise("close").alias("close")
    (finding,) = found(inputs_of(market().with_columns(close), ["random"]), "price_jumps")
    assert finding.figure == 1
    assert not found(clean(), "price_jumps")


def test_one_date_makes_the_result() -> None:
    day = market()["date"].unique().sort()[200]
    jump = pl.when(pl.col("date") >= day).then(
        pl.when(pl.col("random").mean().over("symbol") > 0).then(3.0).otherwise(1.0)
    )
    bars = market().with_columns(close=pl.col("close") * jump.fill_null(1.0))
    bars = bars.with_columns(planted=pl.col("random").mean().over("symbol"))
    assert {finding.horizon for finding in found(inputs_of(bars, ["planted"]), "one_date")} == {1, 5}


def test_one_sector_and_one_year_make_the_result() -> None:
    label = labelled(market(), [1])["label_1"]
    leaking = with_factor(label / label.std() + noise(len(label)))
    sector = leaking["sector"].mode()[0]
    in_sector = leaking.with_columns(planted=pl.when(pl.col("sector") == sector).then("planted").otherwise("random"))
    (finding,) = found(inputs_of(in_sector, ["planted"], [1]), "one_group")
    assert sector in finding.text
    bars = leaking.with_columns(
        planted=pl.when(pl.col("date") < dt.date(2024, 5, 1)).then("planted").otherwise("random")
    )
    inputs = inputs_of(bars, ["planted"], [1])
    quarter = (pl.col("date").dt.year() * 10 + pl.col("date").dt.quarter()).alias("year")
    by_quarter = inputs.ic.group_by("factor", "horizon", quarter).agg(
        dates=pl.len(), rank_ic_mean=pl.col("rank_ic").mean()
    )
    (finding,) = found(dataclasses.replace(inputs, ic_by_year=by_quarter), "one_year")
    assert "20241" in finding.text


def test_ties_and_constants() -> None:
    (finding, _) = found(inputs_of(market(), ["one"]), "constant_dates")
    assert (finding.level, finding.figure) == ("fault", 1)
    half = with_factor(pl.when(pl.col("date") < dt.date(2024, 5, 1)).then("one").otherwise("random"))
    assert {finding.level for finding in found(inputs_of(half, ["planted"]), "constant_dates")} == {"warning"}
    three = with_factor(pl.col("random").sign())
    assert len(found(inputs_of(three, ["planted"]), "uneven_quantiles")) == 2


def test_thin_coverage_and_few_names() -> None:
    thin = with_factor(pl.when(pl.col("symbol").hash(1) % 10 == 0).then("random"))
    inputs = inputs_of(thin, ["planted"])
    assert found(inputs, "thin_coverage")[0].figure < 0.2
    assert len(found(inputs, "few_names")) == 2
    warm_up = with_factor(pl.when(pl.col("date") > dt.date(2025, 10, 1)).then("random"))
    assert not found(inputs_of(warm_up, ["planted"]), "thin_coverage")


def test_returns_of_penny_prices() -> None:
    """Symbols below 5 bounce between bid and ask; a reversal factor earns it."""
    cheap = pl.col("symbol").hash(5) % 7 == 0
    bounce = 1 + 0.2 * noise(market().height, 9).sign()
    bars = market().with_columns(close=pl.when(cheap).then(pl.lit(bounce)).otherwise("close"))
    bars = with_factor(pl.when(cheap).then(-pl.lit(bounce)).otherwise(pl.col("random") / 10 - 1), bars)
    inputs = inputs_of(bars, ["planted"], entry_lag=0)
    assert {finding.factor for finding in found(inputs, "low_prices")} == {"planted"}


def test_halted_exits() -> None:
    cut = market().filter(pl.col("random") < 1)
    findings = found(inputs_of(cut, ["random"]), "halted_exits")
    assert {(finding.level, finding.horizon) for finding in findings} == {("fault", 1), ("fault", 5)}


def test_overlap_and_short_history() -> None:
    bars = simulate(symbols=80, years=1).with_columns(planted=pl.col("symbol").hash(11).cast(pl.Float64))
    rng = np.random.default_rng(2)
    smooth = np.convolve(rng.normal(0.015, 0.2, 400), np.ones(21) / 21, "valid")
    ic = pl.DataFrame(
        {"factor": "planted", "horizon": 21, "date": np.arange(len(smooth)), "rank_ic": smooth, "names": 80}
    )
    finding = found(HealthInputs(ic=ic), "overlap")
    assert len(finding) == 1 and abs(finding[0].figure) < 1.96
    assert len(found(HealthInputs(ic=ic), "short_history")) == 1
    assert not found(inputs_of(bars, ["planted"]), "short_history")


def test_rows_dropped_and_factors_twice() -> None:
    rows = {"input": 100, "used": 50, "no exit yet": 20, "no entry price": 30}
    dropped = pl.DataFrame({"factor": "a", "horizon": 1, "reason": list(rows), "rows": list(rows.values())})
    (finding,) = found(HealthInputs(dropped=dropped), "rows_dropped")
    assert finding.figure == 30 / 80 and "no entry price" in finding.text
    pairs = pl.DataFrame({"factor_a": ["a", "a", "b"], "factor_b": ["a", "b", "a"], "values": [1.0, -0.999, -0.999]})
    (finding,) = found(HealthInputs(correlation=pairs), "same_factor")
    assert finding.level == "info"


# --- facts -----------------------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.integers(-3, 3).map(float), st.just(float("nan"))), min_size=1, max_size=12))
def test_ranks_of_a_row(values: list[float]) -> None:
    expected = scipy.stats.rankdata(values, nan_policy="omit")
    np.testing.assert_array_equal(_ranks(np.array([values, values[::-1]])), [expected, expected[::-1]])
    assert abs(np.nansum(_centred(_ranks(np.array([values]))))) < 1e-9


def test_steps_are_rank_correlations_with_single_returns() -> None:
    table = labelled(market(), [1], 0).with_columns(
        past=(pl.col("close") / pl.col("close").shift(1) - 1).over("symbol")
    )
    facts = clean().facts
    assert facts is not None
    steps = facts.steps.filter(pl.col("factor") == "reversal")
    chosen = np.unique(np.linspace(0, table["code"].max() - 2, 60).astype(int))
    sample = table.filter(pl.col("code").is_in(chosen.tolist())).drop_nulls("reversal")
    for step, column in ((0, "past"), (1, "label_1")):
        ics = (
            sample.drop_nulls(column)
            .group_by("code")
            .agg(pl.corr(pl.col("reversal").rank(), pl.col(column).rank()).alias("ic"))
        )
        assert abs(steps["rank_ic_mean"][step] - ics["ic"].mean()) < 0.01


def test_facts_of_degenerate_panels() -> None:
    nothing, one = np.empty(0), np.ones(1)
    assert panel_facts(nothing, [0], nothing, {"a": nothing}, {1: nothing}).symbols == 0
    for labels in ({}, {1: one}, {1: one, 5: one * np.nan}):
        for factors in ({}, {"a": one}, {"a": one * np.nan, "b": one * np.inf}):
            facts = panel_facts([0], [0, 1], one, factors, labels)
            assert (facts.symbols, facts.left, facts.unchanged) == (1, 0, 0)
            for table in (facts.steps, facts.low_prices, facts.halted):
                numbers = table.select(pl.col(pl.Float64)).to_numpy()
                assert not np.isinf(numbers).any()
            assert names_of(health(HealthInputs(facts=facts))) == set()
    for height in (1, 2, 300):
        assert names_of(health(inputs_of(market().head(height), ["random"])), "fault") == set()


def test_bars_outside_the_universe_are_not_counted() -> None:
    table = labelled(market(40, 1), [1])
    codes, starts = (
        table["code"].to_numpy(),
        np.append(0, table.group_by("symbol", maintain_order=True).len()["len"].cum_sum()),
    )
    prices = table["close"].cast(pl.Float64).to_numpy()
    early = codes < 100
    facts = panel_facts(codes, starts, prices, {}, {1: prices}, eligible=early)
    listed = table.filter(early).group_by("symbol").agg(pl.col("code").max())
    assert (facts.symbols, facts.left) == (listed.height, (listed["code"] < 94).sum())
    assert facts.symbol_years == early.sum() / 252


# --- findings ---------------------------------------------------------------------------------------------------


def test_findings_as_a_frame_the_worst_first() -> None:
    findings = health(inputs_of(market(), ["one", "random"], entry_lag=0))
    frame = findings_frame(findings)
    assert frame.columns == ["level", "name", "factor", "horizon", "text", "figure"]
    assert frame["level"][0] == "fault"
    assert frame.height == len(findings) and frame["text"].str.len_chars().min() > 20
    assert frame.schema["horizon"] == pl.Int64


def test_every_check_has_a_sentence_and_a_planted_fault() -> None:
    tested = Path(__file__).read_text()
    for check in CHECKS:
        assert check.__doc__ and f'"{check.__name__}"' in tested
