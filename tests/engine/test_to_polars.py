"""Factors as plain expressions of Polars: any rows in any order have the values of a panel, without Factorloom."""

from __future__ import annotations

import datetime as dt
import io
import json
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.testing.strategies import SOURCES, calls, columns, factors, panels, plain_call
from factorloom.expressions.errors import ArgumentError, ExpressionError, UnknownColumnError
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import Operator
from factorloom.expressions.polars.stages import PolarsStages
from factorloom.expressions.polars.write import is_plain
from tests.oracle import Array, assert_same, to_array

OPERATORS = [op for op in fl.operators() if op.name not in SOURCES]
STEP_BY_STEP = {
    "cs_neutralize", "cs_normal_score", "cs_residual", "group_normal_score", "group_residual", "ts_fisher", "ts_hump",
    "ts_kama", "ts_mcginley", "ts_residual", "ts_sar", "ts_streak", "ts_trailing_stop", "ts_volatility_stop",
    "ts_volume_force",
}  # fmt: skip
"""Operators whose form calls Python; all others are plain."""

PLAIN = [op for op in OPERATORS if op.name not in STEP_BY_STEP]
SEEDS = st.integers(0, 10**6)


def stages_of(factor: Factor) -> PolarsStages | None:
    """Its stages; None where an operator has no plain form."""
    try:
        return factor.to_polars()
    except ExpressionError as error:
        assert any(name in error.message for name in STEP_BY_STEP)
        return None


def shuffled(panel: fl.Panel, seed: int) -> pl.DataFrame:
    return panel.frame.sample(fraction=1.0, shuffle=True, seed=seed)


def from_text(stages: PolarsStages, rows: pl.DataFrame) -> pl.DataFrame:
    """What the expressions give, read from JSON, on plain sorted rows."""
    result = rows.lazy().sort("symbol", "date")
    for stage in stages:
        texts = [each.meta.serialize(format="json") for each in stage]
        result = result.with_columns(pl.Expr.deserialize(io.StringIO(text), format="json") for text in texts)
    return result.collect(engine="in-memory")


@pytest.mark.parametrize("operator", PLAIN, ids=lambda op: op.name)
@settings(max_examples=10)
@given(data=st.data(), seed=SEEDS)
def test_rows_in_any_order_have_the_values_of_the_panel(
    operator: Operator[...], data: st.DataObject, seed: int
) -> None:
    panel, factor = data.draw(panels()), data.draw(calls(operator, columns))
    stages, rows = factor.to_polars(), shuffled(panel, seed)
    got = stages.apply(rows)
    assert got.drop("value").equals(rows)
    expected = to_array(panel.compute(value=factor, engine="polars")["value"])
    assert_same(to_array(got.sort("symbol", "date")["value"]), expected, str(factor))
    assert_same(to_array(from_text(stages, rows)["value"]), expected, str(factor))


@given(panel=panels(intraday=True), factor=factors(), seed=SEEDS)
def test_nested_factors_have_the_values_of_the_panel(panel: fl.Panel, factor: Factor, seed: int) -> None:
    """The factor as the plan leaves it, so that both round alike."""
    planned = panel.plan(value=factor).outputs["value"]
    stages = stages_of(planned)
    if stages is not None:
        got = stages.apply(shuffled(panel, seed)).sort("symbol", "date")["value"]
        assert got.equals(panel.compute(value=factor, engine="polars")["value"])


@pytest.mark.parametrize("operator", [op for op in OPERATORS if op not in PLAIN], ids=lambda op: op.name)
def test_operators_whose_form_calls_python_are_named(operator: Operator[...]) -> None:
    factor = plain_call(operator)
    with pytest.raises(ExpressionError) as caught:
        (factor + 1).to_polars()
    first, place, caret, hint = str(caught.value).splitlines()
    name = first.removeprefix("no form in plain expressions of Polars: ")
    assert place[caret.index("^") :].startswith(f"{name}(")
    assert "panel.compute" in hint


x = pl.col("close")
CALLS_PYTHON = [
    x.map_batches(abs),
    x.map_elements(abs, return_dtype=pl.Float64),
    x.rolling_map(pl.Series.sum, 3),
    x.map_batches(pl.Series.sum, returns_scalar=True).over("date"),
    pl.map_groups([x], lambda values: values[0], return_dtype=pl.Float64, returns_scalar=True),
    pl.reduce(lambda left, right: left + right, [x, x]),
    pl.fold(pl.lit(0), lambda left, right: left + right, [x, x]),
    pl.when(x > 0).then(x.rolling_map(pl.Series.sum, 3)).over("symbol"),
]


@pytest.mark.parametrize("expression", CALLS_PYTHON, ids=str)
def test_python_is_found_wherever_it_stands(expression: pl.Expr) -> None:
    assert not is_plain(expression)


@pytest.mark.parametrize("expression", [x, pl.col("AnonymousFunction"), pl.lit(pl.Series([128, 5, 149])), pl.lit("f")])
def test_what_only_looks_like_python_is_plain(expression: pl.Expr) -> None:
    assert is_plain(expression)


def test_what_polars_runs_is_plain_without_python() -> None:
    entropy = fl.from_polars(x.entropy().over("date"), axis="cross")
    assert entropy.to_polars().apply(fl.example().frame)["value"].null_count() < fl.example().rows
    with pytest.raises(ExpressionError, match="polars_cell"):
        fl.from_polars(x.map_batches(abs), axis="cell").to_polars()


def test_an_indicator_of_a_user_is_named(forget_operators: None) -> None:
    @fl.indicator(lookback=lambda **_: 1)
    def steps_up(x: Array, out: Array) -> None:
        for i in range(out.size):
            out[i] = x[i] - x[i - 1] if i else np.nan

    with pytest.raises(ExpressionError, match="steps_up"):
        steps_up(fl.close).to_polars()


ALONE = """
import io, json, sys
import polars as pl
for name in ("factorloom", "pickle", "cloudpickle", "numba"):
    sys.modules[name] = None
rows = pl.scan_parquet("rows.parquet")
for stage in json.load(open("stages.json")):
    rows = rows.with_columns(pl.Expr.deserialize(io.StringIO(text), format="json") for text in stage)
rows.collect(engine="in-memory").write_parquet("values.parquet")
"""


def test_expressions_run_where_there_is_no_factorloom(tmp_path: Path) -> None:
    """All operators at once, in a process that can import neither Factorloom nor what reads Python functions."""
    wanted = {op.name: plain_call(op) for op in PLAIN if not op.name.startswith("polars_")}
    stages, panel = fl.to_polars(wanted), fl.example()
    texts = [[each.meta.serialize(format="json") for each in stage] for stage in stages]
    (tmp_path / "stages.json").write_text(json.dumps(texts))
    panel.frame.write_parquet(tmp_path / "rows.parquet")
    subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, check=True)
    values = pl.read_parquet(tmp_path / "values.parquet")
    expected = panel.compute(wanted, engine="polars")
    for name in wanted:
        assert_same(to_array(values[name]), to_array(expected[name]), name)


MANY = {
    "staged": fl.ts_mean(fl.cs_rank(fl.ts_delta(fl.close, 2)), 5) / 3,
    "deviation": fl.ts_std(fl.close, 10, min_samples=3),
    "pair": fl.ts_corr(fl.close, fl.ts_delay(fl.close, 1), 10),
    "grouped": fl.group_zscore(fl.ts_ema(fl.close, 5), "sector"),
    "constant": fl.lit(3) / fl.close,
}


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_many_rows(engine: str) -> None:
    """More than Polars takes in one piece."""
    rng, count = np.random.default_rng(0), 400
    days = pl.date_range(dt.date(2020, 1, 1), dt.date(2020, 1, 1) + dt.timedelta(days=count - 1), eager=True)
    frame = pl.DataFrame(
        {
            "symbol": np.repeat([f"S{k:03}" for k in range(150)], count),
            "date": pl.concat([days] * 150),
            "close": np.where(rng.random(150 * count) < 0.01, np.nan, rng.normal(10, 1, 150 * count)),
            "sector": [word for word in ("tech", "bank", None) for _ in range(50 * count)],
        }
    )
    rows = frame.sample(fraction=1.0, shuffle=True, seed=1)
    got = fl.to_polars(MANY).apply(rows.lazy()).collect(engine=engine)  # type: ignore[call-overload]
    assert got.drop(MANY).equals(rows)
    expected = fl.Panel.from_frame(frame).compute(MANY, engine="polars")
    for name in MANY:
        assert_same(to_array(got.sort("symbol", "date")[name]), to_array(expected[name]), name)


def test_numbers_of_all_kinds_and_what_is_not_finite() -> None:
    frame = pl.DataFrame(
        {
            "symbol": ["A"] * 4,
            "date": [dt.date(2024, 1, day) for day in (4, 1, 3, 2)],
            "whole": [4, 1, None, 2],
            "truth": [True, False, None, True],
            "single": pl.Series([1.5, float("inf"), float("nan"), -float("inf")], dtype=pl.Float32),
        }
    )
    wanted = {name: fl.ts_sum(fl.col(name), 2, min_samples=1) for name in ("whole", "truth", "single")}
    got = fl.to_polars(wanted).apply(frame)
    assert got.columns == ["symbol", "date", "whole", "truth", "single"]
    assert got["whole"].to_list() == [4.0, 1.0, 2.0, 3.0]
    assert got["truth"].to_list() == [1.0, 0.0, 1.0, 1.0]
    assert got["single"].to_list() == [1.5, None, None, None]


def test_rows_without_a_category_are_missing() -> None:
    frame = fl.example().frame.with_columns(pl.when(pl.col("symbol") != "A").then("sector").alias("sector"))
    got = fl.group_count(fl.close, "sector").to_polars().apply(frame)
    assert got.filter(pl.col("sector").is_null())["value"].null_count() == (frame["sector"].null_count())
    assert got.filter(pl.col("sector").is_not_null())["value"].null_count() == 0


def test_names_of_steps_do_not_meet_those_of_the_frame() -> None:
    frame = fl.example().frame
    taken = frame.rename({"close": "_1", "sector": "_2"}).with_columns(_3=pl.lit("kept"), row=1, value=0)
    factor = fl.group_rank(fl.ts_delta(fl.col("_1"), 1), "_2") + fl.open_
    expected = fl.group_rank(fl.ts_delta(fl.close, 1), "sector") + fl.open_
    got = factor.to_polars(name="_4").apply(taken)
    assert got.columns == [*taken.columns, "_4"]
    assert got.drop("_4").equals(taken)
    assert got["_4"].equals(expected.to_polars(name="_4").apply(frame)["_4"])
    replaced = factor.to_polars(name="value").apply(taken)
    assert replaced.columns == taken.columns
    assert replaced["value"].equals(got["_4"].alias("value"))


@pytest.mark.parametrize("lazy", [False, True])
def test_the_kind_of_the_frame_is_kept(lazy: bool) -> None:
    frame = fl.example().frame.rename({"symbol": "asset", "date": "day"})
    stages = fl.cs_rank(fl.close).to_polars(symbol="asset", date="day")
    got = stages.apply(frame.lazy()) if lazy else stages.apply(frame)
    assert isinstance(got, pl.LazyFrame if lazy else pl.DataFrame)
    assert got.lazy().collect().columns == [*frame.columns, "value"]
    empty = stages.apply(frame.clear())
    assert (empty.height, empty.schema["value"]) == (0, pl.Float64)


def test_factors_share_steps() -> None:
    mean = fl.ts_mean(fl.close, 2)
    both = fl.to_polars({"up": mean + 1, "down": mean - 1})
    assert sum(map(len, both)) == 7  # close, 1, the mean, the two, and their names
    assert len(both) == len(list(both)) == 4
    assert all(isinstance(each, pl.Expr) for stage in both for each in stage)
    with pytest.raises(FrozenInstanceError):
        both.names = ()  # type: ignore[misc]


def test_it_is_printed_step_by_step() -> None:
    text = fl.example().explain(wide=fl.ts_std(fl.close, 20), form="polars")
    assert text == str(fl.ts_std(fl.close, 20).to_polars(name="wide"))
    first, *_, last, _ = text.splitlines()
    assert first.startswith("bars.sort('symbol', 'date')")
    assert '    _1 = col("close"),' in text
    assert "…,  # ts_std(_1, 20)" in text
    assert last == '    wide = col("_2"),'
    assert repr(fl.close.to_polars()) == "<PolarsStages: 2 stages that give value>"


def test_what_cannot_be_applied_is_refused() -> None:
    stages = fl.ts_delay(fl.close, 1).to_polars()
    with pytest.raises(UnknownColumnError, match="did you mean 'Close'"):
        stages.apply(fl.example().frame.rename({"close": "Close"}))
    with pytest.raises(UnknownColumnError, match="'symbol'"):
        stages.apply(fl.example().frame.rename({"symbol": "asset"}))
    with pytest.raises(ArgumentError, match="frame of Polars, got dict"):
        stages.apply({})  # type: ignore[type-var]


def test_what_is_no_factor_is_refused() -> None:
    with pytest.raises(ArgumentError, match="'x' is not a factor"):
        fl.to_polars({"x": "close"})  # type: ignore[dict-item]
    with pytest.raises(ArgumentError, match="no factor"):
        fl.to_polars({})
    with pytest.raises(ArgumentError, match="key column"):
        fl.close.to_polars(name="date")
