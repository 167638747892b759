"""Every operator means one thing: its NumPy meaning, its Polars form and its kernel agree on any panel."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.testing.strategies import SOURCES, calls, columns, panels, plain_call
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import Operator
from tests.oracle import assert_same, mean_of, to_array

OPERATORS = [op for op in fl.operators() if op.name not in SOURCES]
CANCELLING = {
    "add",
    "cs_demean",
    "cs_residual",
    "cs_sum",
    "group_demean",
    "group_residual",
    "group_sum",
    "mean_of",
    "modulo",
    "subtract",
    "sum_of",
    "ts_cumsum",
    "ts_delta",
    "ts_sum",
}
UNITLESS = {"ts_kurt", "ts_skew"}
every_operator = pytest.mark.parametrize("operator", OPERATORS, ids=lambda op: op.name)


def values_of(panel: fl.Panel, factor: Factor, engine: str = "numba") -> np.ndarray:
    return to_array(panel.compute(value=factor, engine=engine)["value"])  # type: ignore[arg-type]


def rounding(factor: Factor, panel: fl.Panel) -> float:
    """Where inputs cancel, agreement is relative to what was cancelled: the scale of the inputs of a difference."""
    if factor.operator.name in UNITLESS:
        return 1.0
    of_a_line = factor.operator.named(factor.parameters).get("value") in ("intercept", "fitted", "residual")
    if factor.operator.name not in CANCELLING and not of_a_line:
        return 0.0
    sizes = [np.abs(panel.array(name)) for name in panel.columns if panel.frame.schema[name] == pl.Float64]
    return max([float(np.nanmax(size)) for size in sizes if not np.isnan(size).all()], default=0.0)


@every_operator
@given(data=st.data())
def test_meaning_kernel_and_polars_agree(operator: Operator[...], data: st.DataObject) -> None:
    panel = data.draw(panels())
    factor = data.draw(calls(operator, columns))
    expected, scale = mean_of(factor, panel), rounding(factor, panel)
    assert_same(values_of(panel, factor, "numba"), expected, f"kernel of {factor}", scale)
    assert_same(values_of(panel, factor, "polars"), expected, f"Polars form of {factor}", scale)


@every_operator
@settings(max_examples=15)
@given(data=st.data())
def test_later_bars_earlier_bars_and_names_change_nothing(operator: Operator[...], data: st.DataObject) -> None:
    panel = data.draw(panels())
    factor = data.draw(calls(operator, columns))
    whole, scale = panel.compute(value=factor), rounding(factor, panel)
    check_later_bars(panel, factor, whole, data.draw(st.sampled_from(panel.dates.to_list())), scale)
    if operator.axis is Axis.TIME and not factor.unbounded:
        check_earlier_bars(panel, factor, whole, data.draw(st.integers(0, 10)), scale)
    check_names(panel, factor, whole, scale)


def check_later_bars(panel: fl.Panel, factor: Factor, whole: pl.DataFrame, cut: date, scale: float) -> None:
    """Prefix invariance, up to the declared look-ahead."""
    early = fl.Panel.from_frame(panel.frame.filter(pl.col("date") <= cut))
    expected, part = whole.filter(pl.col("date") <= cut)["value"], early.compute(value=factor)["value"]
    if factor.lookahead:
        last = pl.int_range(pl.len()).over("symbol") + factor.lookahead < pl.len().over("symbol")
        safe = early.frame.select(last).to_series()
        expected, part = expected.filter(safe), part.filter(safe)
    assert_same(to_array(part), to_array(expected), f"{factor} up to {cut}", scale)


def check_earlier_bars(panel: fl.Panel, factor: Factor, whole: pl.DataFrame, skip: int, scale: float) -> None:
    """The lookback is enough wherever a slice starts."""
    number = pl.int_range(pl.len()).over("symbol")
    later = fl.Panel.from_frame(panel.frame.filter(number >= skip))
    if factor.operator.counts_dates and not (  # then the dates from the first on must be those of the whole
        later.rows and (panel.dates >= later.dates[0]).sum() == later.dates.len()
    ):
        return
    full = whole.filter(number >= skip)
    warm = full.select(number >= factor.lookback).to_series()
    part = later.compute(value=factor)["value"]
    assert_same(to_array(part.filter(warm)), to_array(full["value"].filter(warm)), f"{factor} from bar {skip}", scale)


def check_names(panel: fl.Panel, factor: Factor, whole: pl.DataFrame, scale: float) -> None:
    """The names of symbols do not matter, nor their order."""
    names = panel.symbols.to_list()
    others = [f"T{99 - place}" for place in range(len(names))]
    renamed = panel.frame.with_columns(pl.col("symbol").cast(pl.String).replace_strict(names, others))
    values = fl.Panel.from_frame(renamed).compute(value=factor).partition_by("symbol", maintain_order=True)
    assert_same(to_array(pl.concat(values[::-1])["value"]), to_array(whole["value"]), str(factor), scale)


@every_operator
def test_an_empty_panel_gives_an_empty_column(operator: Operator[...]) -> None:
    empty = fl.Panel.from_frame(fl.example().frame.clear())
    factor = plain_call(operator)
    for engine in ("numba", "polars"):
        assert empty.compute(value=factor, engine=engine)["value"].to_list() == []  # type: ignore[arg-type]


@every_operator
def test_every_form_is_there(operator: Operator[...]) -> None:
    """Shorthand needs none: it is made of other operators, and looks no further than it says."""
    if not operator.forms:
        widest = Axis.CROSS if operator.axis is Axis.GROUP else operator.axis  # who takes a category is declared there
        assert plain_call(operator).axis in {operator.axis, widest}
    else:
        needed = {"meaning", "polars"} if operator.axis is Axis.CELL else {"meaning", "polars", "kernel"}
        assert needed <= operator.forms.keys() <= {"meaning", "polars", "kernel"}
    assert ">>>" in (operator.__doc__ or "")


def test_time_over_cross_section_is_staged() -> None:
    """Nested `.over()` in Polars gives another, wrong number here."""
    panel = fl.example()
    staged = fl.ts_mean(fl.cs_rank(fl.close), 2)
    expected = [None, (1 / 2 + 2 / 3) / 2, 2 / 3, None, 1.0, 1.0, None, 1 / 3]
    for engine in ("numba", "polars"):
        values = panel.compute(value=staged, engine=engine)["value"].to_list()  # type: ignore[arg-type]
        assert values == pytest.approx(expected, abs=1e-15)
    naive = panel.frame.select(
        (pl.col("close").rank() / pl.len()).over("date").rolling_mean(2).over("symbol", order_by="date")
    ).to_series()
    assert naive.to_list() != pytest.approx(expected, abs=1e-15)


@given(panels())
def test_shares_of_true_bars_tie_exactly(panel: fl.Panel) -> None:
    """Means of whole numbers are exact, so no rounding noise decides a rank."""
    up = fl.ts_mean(fl.close > fl.open_, 3, min_samples=1)
    for factor in (up, fl.cs_rank(up), fl.group_rank(up, "sector"), fl.cs_rank(fl.ts_zscore(fl.close > fl.open_, 4))):
        assert_same(values_of(panel, factor, "numba"), values_of(panel, factor, "polars"), str(factor))
    assert_same(values_of(panel, fl.cs_rank(up)), mean_of(fl.cs_rank(up), panel))
