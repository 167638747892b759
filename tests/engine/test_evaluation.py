"""Evaluations against definitions written with pandas and scipy; what is dropped; what must not change; bad input."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import factorloom as fl
from factorloom.engine.bars.market import simulate
from factorloom.engine.research.evaluation.ledger import REASONS
from factorloom.engine.research.evaluation.pairs import correlation_of_ics
from factorloom.expressions.errors import (
    ArgumentError,
    BarsError,
    LookaheadError,
    ParameterError,
    UnknownColumnError,
)
from tests.engine.plain_statistics import Plain, bars, plain_labels

TABLES = (
    *("summary", "ic", "ic_by_group", "ic_by_year", "ic_decay", "quantile_returns", "quantile_returns_by_date"),
    *("long_short", "turnover", "autocorrelation", "coverage", "correlation", "alpha_beta", "tails", "dropped"),
)

FACTORS = {"x": fl.col("x"), "y": fl.col("y")}

cases = st.fixed_dictionaries(
    {
        "horizons": st.sampled_from([(1,), (2, 1), (1, 3), (20, 1)]),
        "quantiles": st.sampled_from([2, 3, 5, 9]),
        "entry_lag": st.sampled_from([0, 1, 2]),
        "halted": st.sampled_from(["last", "missing", -0.3]),
        "group": st.sampled_from([None, "sector"]),
        "universe": st.sampled_from([None, "inside"]),
        "weights": st.sampled_from([None, "weight"]),
    }
)


def rows_of(frame: pl.DataFrame, *keys: Any) -> dict[Any, dict[str, Any]]:
    return {tuple(row[key] for key in keys): row for row in frame.iter_rows(named=True)}


def same(found: float | None, expected: float, *, tolerance: float = 1e-11) -> None:
    if math.isnan(expected):
        assert found is None
    else:
        assert found == pytest.approx(expected, rel=tolerance, abs=tolerance)


def plain_of(frame: pl.DataFrame, factor: str, horizon: int, case: dict[str, Any]) -> Plain:
    return Plain(frame, factor, horizon, **{name: value for name, value in case.items() if name != "horizons"})


# --- agreement ----------------------------------------------------------------------------------------------------


@given(bars(), cases, st.booleans())
def test_every_date_is_as_defined(frame: pl.DataFrame, case: dict[str, Any], neutral: bool) -> None:
    case = case | {"neutral": neutral and case["group"] is not None}
    found = fl.evaluate(fl.Panel.from_frame(frame), FACTORS, costs_bps=10, **case)
    ic = rows_of(found.ic, "factor", "horizon", "date")
    returns = rows_of(found.quantile_returns_by_date, "factor", "horizon", "quantile", "date")
    moved = rows_of(found.turnover, "factor", "horizon", "quantile", "date")
    again = rows_of(found.autocorrelation, "factor", "horizon", "date")
    book = rows_of(found.long_short, "factor", "horizon", "date")
    coverage = rows_of(found.coverage, "factor", "date")
    for factor in FACTORS:
        for horizon in case["horizons"]:
            plain = plain_of(frame, factor, horizon, case)
            assert found.dates.to_list() == plain.dates
            started = False
            for number, day in enumerate(plain.dates):
                pearson, spearman, names = plain.ic(day)
                row = ic[factor, horizon, day]
                same(row["ic"], pearson, tolerance=1e-9)
                same(row["rank_ic"], spearman)
                assert row["names"] == names
                same(again[factor, horizon, day]["autocorrelation"], plain.autocorrelation(day))
                assert coverage[factor, day]["eligible"] == len(plain.by_day[day])
                assert coverage[factor, day]["present"] == len(plain.present[day])
                for quantile in range(1, case["quantiles"] + 1):
                    mean, count = plain.quantile_mean(day, quantile)
                    row = returns[factor, horizon, quantile, day]
                    same(row["mean"], mean)
                    assert row["names"] == count
                    if case["weights"] is None:
                        same(row["std_error"], plain.quantile_error(day, quantile))
                    same(moved[factor, horizon, quantile, day]["turnover"], plain.turnover(day, quantile))
                top, bottom = (plain.quantile_mean(day, q)[0] for q in (case["quantiles"], 1))
                row = book[factor, horizon, day]
                gross = (top - bottom) / horizon
                if started and np.isnan(gross) and number + case["entry_lag"] + horizon < len(plain.dates):
                    gross = 0.0
                started = started or not np.isnan(gross)
                same(row["gross"], gross)
                if row["gross"] is not None:
                    same(row["turnover"], plain.traded(day) / horizon)
                    same(row["net"], gross - 0.001 * plain.traded(day) / horizon)


@given(bars(), cases)
def test_every_row_is_accounted_for(frame: pl.DataFrame, case: dict[str, Any]) -> None:
    days = sorted(set(frame["date"]))
    case = case | {"start": days[len(days) // 3], "end": days[-1 - len(days) // 4]}
    found = fl.evaluate(fl.Panel.from_frame(frame), FACTORS, **case)
    dropped = rows_of(found.dropped, "factor", "horizon", "reason")
    for factor in FACTORS:
        for horizon in case["horizons"]:
            plain = plain_of(frame, factor, horizon, case)
            counted = {reason: dropped[factor, horizon, reason]["rows"] for reason in REASONS}
            assert {reason: counted[reason] for reason in plain.rows} == plain.rows
            assert counted["used"] == sum(len(rows) for rows in plain.both.values())
            assert counted["no factor value"] == sum(int(rows["factor"].isna().sum()) for rows in plain.by_day.values())
            late = {
                day: plain.market.index(day) + case["entry_lag"] + horizon >= len(plain.market) for day in plain.dates
            }
            assert counted["no exit yet"] == sum(len(plain.present[day]) for day in plain.dates if late[day])
            if case["halted"] != "missing":
                assert counted["no exit price"] == 0
            assert counted["input"] == sum(counted[reason] for reason in REASONS[1:]) == frame.height


@given(bars(symbols=9, dates=4), st.sampled_from([1, 2]))
def test_groups_have_correlations_of_their_own(frame: pl.DataFrame, horizon: int) -> None:
    found = fl.evaluate(fl.Panel.from_frame(frame), FACTORS, horizons=(horizon,), group="sector")
    table = rows_of(found.ic_by_group, "factor", "group")
    for factor in FACTORS:
        plain = Plain(frame, factor, horizon, quantiles=5, group="sector")
        for (name, group), row in table.items():
            if name == factor:
                found_ic = [plain.group_ic(day, group) for day in plain.dates]
                known = [each for each in found_ic if not math.isnan(each[1])]
                assert row["dates"] == len(known)
                assert row["names"] == sum(count for _, _, count in found_ic)
                same(row["ic_mean"], float(np.mean([each[0] for each in known])) if known else math.nan, tolerance=1e-9)
                same(row["rank_ic_mean"], float(np.mean([each[1] for each in known])) if known else math.nan)
                same(
                    row["rank_ic_std"],
                    float(np.std([each[1] for each in known], ddof=1)) if len(known) > 1 else math.nan,
                )


@given(bars(), st.booleans())
def test_quantiles_as_a_whole_and_the_factor_weighted_portfolio(frame: pl.DataFrame, neutral: bool) -> None:
    case: dict[str, Any] = {"quantiles": 3, "group": "sector" if neutral else None, "neutral": neutral}
    found = fl.evaluate(fl.Panel.from_frame(frame), FACTORS, horizons=(1, 2), **case)
    table = rows_of(found.quantile_returns, "factor", "horizon", "quantile")
    for factor in FACTORS:
        for horizon in (1, 2):
            plain = plain_of(frame, factor, horizon, case)
            for quantile in (1, 2, 3):
                means = {day: plain.quantile_mean(day, quantile)[0] for day in plain.dates}
                known = {day: mean for day, mean in means.items() if not math.isnan(mean)}
                row = table[factor, horizon, quantile]
                assert row["dates"] == len(known)
                assert row["names"] == sum(plain.quantile_mean(day, quantile)[1] for day in plain.dates)
                same(row["mean"], float(np.mean(list(known.values()))) if known else math.nan)
                excess = [mean - plain.universe(day) for day, mean in known.items()]
                same(row["excess"], float(np.mean(excess)) if excess else math.nan)
                error = (
                    float(np.std(list(known.values()), ddof=1) / np.sqrt(len(known))) if len(known) > 1 else math.nan
                )
                same(row["std_error"], error)
            number = found._found.numbers[list(FACTORS).index(factor), (1, 2).index(horizon)]
            for place, day in enumerate(plain.dates):
                value = number[2, place]
                same(None if math.isnan(value) else value, plain.portfolio(day), tolerance=1e-9)


@given(bars(), st.sampled_from([0, 1]), st.sampled_from(["last", "missing", -0.3]))
def test_labels_are_as_defined(frame: pl.DataFrame, entry_lag: int, halted: Any) -> None:
    from factorloom.engine.research.evaluation.labels import label_values

    panel = fl.Panel.from_frame(frame)
    made = label_values(panel, panel.compute, (1, 2), entry_lag=entry_lag, price="close", halted=halted)
    for place, horizon in enumerate((1, 2)):
        expected = plain_labels(frame, horizon, entry_lag, halted)
        for value, key in zip(
            made.values[place].tolist(), panel.frame.select("symbol", "date").iter_rows(), strict=True
        ):
            same(None if math.isnan(value) else value, expected.get(key, math.nan))


@given(bars(symbols=9, dates=5))
def test_tails_pairs_and_events_are_as_defined(frame: pl.DataFrame) -> None:
    found = fl.evaluate(fl.Panel.from_frame(frame), FACTORS, horizons=(1,), quantiles=2)
    plain = {factor: Plain(frame, factor, 1, quantiles=2) for factor in FACTORS}
    for row in found.tails.iter_rows(named=True):
        of = plain[row["factor"]]
        returns = np.array(
            [
                of.both[day].loc[name, "label"]
                for day in of.dates
                for name in of.members(day, row["quantile"])
                if name in of.both[day].index
            ]
        )
        assert row["names"] == returns.size
        if returns.size:
            for name, share in (("p01", 0.01), ("p05", 0.05), ("p95", 0.95), ("p99", 0.99)):
                same(row[name], float(np.quantile(returns, share)))
            assert row["worst"] == returns.min() and row["best"] == returns.max()
            same(row["crash_rate"], float(np.mean(returns <= -0.2)))
    values = rows_of(found.correlation, "factor_a", "factor_b")
    daily = []
    for day in plain["x"].dates:
        ranks = [plain[factor].present[day]["factor"].rank() for factor in ("x", "y")]
        names = ranks[0].index.intersection(ranks[1].index)
        a, b = ranks[0][names], ranks[1][names]
        if len(names) >= 3 and a.nunique() > 1 and b.nunique() > 1:
            daily.append(float(np.corrcoef(a, b)[0, 1]))
    same(values["x", "y"]["values"], float(np.mean(daily)) if daily else math.nan)


@given(bars(symbols=4, dates=6))
def test_events_follow_prices_around_a_date(frame: pl.DataFrame) -> None:
    found = fl.evaluate(fl.Panel.from_frame(frame), FACTORS, horizons=(1,), quantiles=2)
    plain = Plain(frame, "x", 1, quantiles=2)
    prices = (
        frame.with_columns(pl.when(pl.col("close") > 0).then("close"))
        .pivot("symbol", index="date", values="close")
        .sort("date")
        .fill_null(strategy="forward")
        .to_pandas()
        .set_index("date")
    )
    prices.index = list(plain.market)
    for row in found.events(before=2, after=1).filter(pl.col("factor") == "x").iter_rows(named=True):
        means = []
        for place, day in enumerate(plain.market):
            then = place + row["offset"]
            if 0 <= then < len(plain.market):
                names = plain.members(day, row["quantile"])
                changes = [prices.iloc[then][name] / prices.iloc[place][name] - 1 for name in names]
                changes = [change for change in changes if not math.isnan(change)]
                means += [float(np.mean(changes))] if changes else []
        assert row["dates"] == len(means)
        same(row["mean"], float(np.mean(means)) if means else math.nan)


# --- what must not change -----------------------------------------------------------------------------------------


@given(bars(symbols=6, dates=9), st.integers(2, 8), st.sampled_from([0, 1]))
def test_later_bars_change_nothing_of_dates_with_complete_labels(frame: pl.DataFrame, size: int, lag: int) -> None:
    days = sorted(set(frame["date"]))[:size]
    part = frame.filter(pl.col("date") <= days[-1])
    factors = {"mean": fl.ts_mean(fl.col("x"), 2, min_samples=1), "rank": fl.cs_rank(fl.col("y"))}
    options: dict[str, Any] = {"horizons": (1, 2), "group": "sector", "entry_lag": lag, "quantiles": 3}
    whole, cut = (fl.evaluate(fl.Panel.from_frame(each), factors, **options) for each in (frame, part))
    for horizon in (1, 2):
        for name in ("ic", "quantile_returns_by_date", "long_short", "turnover", "autocorrelation"):
            last = days[max(len(days) - 1 - horizon - lag, 0)] if len(days) > horizon + lag else None
            chosen = (pl.col("horizon") == horizon) & (pl.col("date") <= last if last else pl.lit(False))
            assert_frame_equal(getattr(whole, name).filter(chosen), getattr(cut, name).filter(chosen))


def test_what_the_order_and_scale_of_values_do_not_change() -> None:
    frame = simulate(symbols=30, years=1)
    factor = fl.ts_pct_change(fl.close, 5)
    plain = fl.evaluate(fl.Panel.from_frame(frame), {"f": factor}, horizons=(1, 5))
    shuffled = fl.evaluate(
        fl.Panel.from_frame(frame.sample(fraction=1, shuffle=True, seed=3)), {"f": 4 * factor}, horizons=(1, 5)
    )
    for name in ("ic", "quantile_returns_by_date", "turnover", "summary"):
        assert_frame_equal(getattr(plain, name), getattr(shuffled, name), abs_tol=1e-9)
    turned = fl.evaluate(fl.Panel.from_frame(frame), {"f": -factor}, horizons=(1, 5))
    assert np.allclose(turned.ic["rank_ic"].to_numpy(), -plain.ic["rank_ic"].to_numpy(), atol=1e-12, equal_nan=True)


def test_many_threads_and_batches_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from factorloom.engine.research.evaluation import cells, measured

    panel = fl.Panel.from_frame(simulate(symbols=25, years=1))
    factors = {f"f{window}": fl.ts_mean(fl.returns, window) for window in (2, 3, 5, 8, 13)}
    once = fl.evaluate(panel, factors, group="sector")
    monkeypatch.setattr(measured, "BATCH_BYTES", 1)
    monkeypatch.setattr(cells, "processors", lambda: 3)
    again = fl.evaluate(panel, factors, group="sector")
    for name in TABLES:
        assert_frame_equal(getattr(once, name), getattr(again, name))


# --- degenerate input ---------------------------------------------------------------------------------------------


def all_finite(found: fl.Evaluation) -> None:
    frames = [getattr(found, name) for name in TABLES] + [found.events(before=1, after=1)]
    for frame in frames:
        for column in frame.select(pl.selectors.float()):
            assert column.drop_nulls().is_finite().all(), column.name


DAYS = [datetime.date(2024, 1, day) for day in range(1, 9)]


def square(symbols: int, dates: int, **columns: Any) -> pl.DataFrame:
    """Bars of every symbol on every date, with prices that move."""
    rows = [(chr(65 + s), DAYS[d], 10.0 + s + (3 * s + 2 * d) % 5) for s in range(symbols) for d in range(dates)]
    frame = pl.DataFrame(rows, schema=["symbol", "date", "close"], orient="row")
    made = {name: [value(s, d) for s in range(symbols) for d in range(dates)] for name, value in columns.items()}
    return frame.with_columns(pl.Series(name, values, strict=False) for name, values in made.items())


DEGENERATE = {
    "one stock": square(1, 8, x=lambda s, d: float(d), sector=lambda s, d: "tech"),
    "one date": square(6, 1, x=lambda s, d: float(s), sector=lambda s, d: "tech"),
    "constant": square(6, 8, x=lambda s, d: 2.0, sector=lambda s, d: "tech"),
    "missing": square(6, 8, x=lambda s, d: None if s >= 0 else 1.0, sector=lambda s, d: "tech"),
    "groups of one": square(6, 8, x=lambda s, d: float(s * d % 5), sector=lambda s, d: chr(97 + s)),
    "no group": square(6, 8, x=lambda s, d: float(s * d % 5), sector=lambda s, d: None if s >= 0 else "tech"),
    "huge": square(6, 8, x=lambda s, d: (s * d % 5 - 2) * 1e300, sector=lambda s, d: "tech"),
    "tiny": square(6, 8, x=lambda s, d: (s * d % 5) * 1e-300, sector=lambda s, d: "tech"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("neutral", [False, True])
def test_degenerate_input_gives_finite_or_missing_results(name: str, neutral: bool) -> None:
    frame = DEGENERATE[name].with_columns(
        pl.col("x").cast(pl.Float64), pl.col("sector").cast(pl.String), weight=pl.lit(0.0)
    )
    panel = fl.Panel.from_frame(frame)
    for weights in (None, "weight"):
        found = fl.evaluate(
            panel,
            {"x": fl.col("x"), "again": fl.col("x") + 0},
            group="sector",
            quantiles=50,
            horizons=(1, 3, 100),
            neutral=neutral,
            weights=weights,
            costs_bps=5,
        )
        all_finite(found)
        assert found.summary.height == 6
        if name in ("one stock", "constant", "missing", "one date"):
            assert found.ic["rank_ic"].null_count() == found.ic.height


def test_huge_and_tiny_values_have_the_correlation_of_their_scale() -> None:
    plain = square(6, 8, x=lambda s, d: float(s * d % 5))
    for scale in (1e300, 1e-300):
        made = [
            fl.evaluate(fl.Panel.from_frame(each), {"x": fl.col("x")}).ic["ic"].to_numpy()
            for each in (plain, plain.with_columns(pl.col("x") * scale))
        ]
        assert np.allclose(*made, rtol=1e-12, equal_nan=True)


def test_a_portfolio_without_names_is_in_cash() -> None:
    """Sold where there is nothing to hold, and counted by the year as it is in the cumulative return."""
    frame = square(6, 8, x=lambda s, d: float(s) if d % 3 == 1 else None)
    found = fl.evaluate(fl.Panel.from_frame(frame), {"x": fl.col("x")}, horizons=(1,), quantiles=2, costs_bps=10)
    book = found.long_short
    assert book["gross"].to_list()[0] is None
    known = book.filter(pl.col("gross").is_not_null())
    assert known["turnover"].to_list() == [2.0, 2.0, 0.0, 2.0, 2.0]
    assert known["gross"].to_list()[1:3] == [0.0, 0.0]
    yearly = known["gross"].mean() * found.settings["dates_per_year"]  # type: ignore[operator]
    assert found.summary["long_short_return"].item() == pytest.approx(yearly)


def test_duplicated_factors_correlate_fully() -> None:
    panel = fl.Panel.from_frame(simulate(symbols=20, years=1))
    found = fl.evaluate(panel, {"a": fl.returns, "b": 2 * fl.returns})
    assert found.correlation.select("values", "ics").to_numpy() == pytest.approx(1.0)


def test_a_price_that_is_not_positive_is_counted() -> None:
    frame = square(4, 8, x=lambda s, d: float(s)).with_columns(
        pl.when(pl.col("symbol") == "A").then(0.0).otherwise("close").alias("close")
    )
    found = fl.evaluate(fl.Panel.from_frame(frame), {"x": fl.col("x")}, horizons=(1,))
    (note,) = found.health.filter(name="prices").select("level", "text").iter_rows()
    assert "8 prices" in note[1] and note[0] == "warning"
    dropped = found.dropped.filter(reason="no entry price")["rows"].item()
    assert dropped == 6


# --- bad input ----------------------------------------------------------------------------------------------------

PANEL = fl.Panel.from_frame(square(4, 8, x=lambda s, d: float(s), sector=lambda s, d: "tech"))

BAD = [
    ({"factors": {"x": fl.parse("ts_lead(close, 1)")}}, LookaheadError, "factor 'x': ts_lead"),
    ({"factors": {}}, ArgumentError, "no factor"),
    ({"factors": {"x": fl.col("nothing")}}, UnknownColumnError, "nothing"),
    ({"horizons": (0,)}, ParameterError, "a horizon must be at least 1"),
    ({"horizons": (1, 1)}, ParameterError, "differ"),
    ({"horizons": ()}, ParameterError, "at least one"),
    ({"horizons": (1.5,)}, ArgumentError, "whole number"),
    ({"horizons": "1"}, ArgumentError, "whole numbers"),
    ({"quantiles": 1}, ParameterError, "quantiles must be from 2"),
    ({"quantiles": 1000}, ParameterError, "quantiles must be from 2"),
    ({"group": "sectr"}, UnknownColumnError, "sectr"),
    ({"group": "x"}, ArgumentError, "holds numbers"),
    ({"price": "clos"}, UnknownColumnError, "clos"),
    ({"price": "sector"}, ArgumentError, "categories"),
    ({"price": None, "weights": "x"}, ParameterError, "weights need a price"),
    ({"price": 3}, ArgumentError, "name of a column"),
    ({"weights": "nothing"}, UnknownColumnError, "nothing"),
    ({"universe": fl.parse("ts_lead(close, 1)")}, LookaheadError, "universe"),
    ({"entry_lag": -1}, ParameterError, "entry_lag"),
    ({"costs_bps": -1}, ParameterError, "costs_bps"),
    ({"costs_bps": math.inf}, ParameterError, "costs_bps"),
    ({"halted": "gone"}, ParameterError, "halted"),
    ({"halted": -2}, ParameterError, "halted"),
    ({"neutral": True}, ParameterError, "needs a group"),
    ({"start": "2025-01-01"}, ParameterError, "no bars from 2025-01-01"),
    ({"start": "2024-01-05", "end": "2024-01-02"}, ParameterError, "after end"),
]


@pytest.mark.parametrize(("arguments", "error", "text"), BAD, ids=[str(each[0]) for each in BAD])
def test_bad_arguments_are_named(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        fl.evaluate(PANEL, **({"factors": {"x": fl.col("x")}} | arguments))


def test_no_bars_and_no_panel_are_refused() -> None:
    empty = fl.Panel.from_frame(PANEL.frame.clear())
    with pytest.raises(BarsError, match="no bars"):
        fl.evaluate(empty, {"x": fl.col("x")})
    for wrong in (PANEL.frame, fl.Store, None):
        with pytest.raises(ArgumentError, match="on a Panel or a Store, got"):
            fl.evaluate(wrong, {"x": fl.col("x")}, dataset="us")  # type: ignore[arg-type]
    for name in ("dataset", "as_of"):
        with pytest.raises(ArgumentError, match=f"{name} is for a store"):
            fl.evaluate(PANEL, {"x": fl.col("x")}, **{name: "us"})  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="no factor"):
        fl.evaluate(PANEL)
    with pytest.raises(ParameterError, match="before"):
        fl.evaluate(PANEL, {"x": fl.col("x")}).events(before=-1)


def test_ics_that_are_only_rounding_apart_have_no_correlation() -> None:
    almost = 1 - 2.0**-53
    ics = np.array([[1, 1, almost, 1, almost, 1.0], [0.3, 0.1, 0.2, 0.5, 0.4, 0.2]])
    gaps = ics.copy()
    gaps[0, 5] = np.nan
    for each in (ics, gaps):
        found = correlation_of_ics(each)
        assert np.isnan(found[0]).all()
        assert found[1, 1] == pytest.approx(1.0)
