"""Kernels in plain Python: the same bits, within a budget, without Numba."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.bars.layout import Array
from factorloom.engine.executor.native import interpreter
from factorloom.engine.executor.native.interpreter import Budget
from factorloom.engine.executor.native.shape import READY, shapes_of
from factorloom.engine.plan.plan import Plan
from factorloom.engine.plan.request import make_request
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.testing.strategies import SOURCES, calls, columns, panels
from factorloom.expressions.operator import Operator
from factorloom.expressions.parse import parse
from tests.engine.test_split import ALPHAS, PANEL, plan_within
from tests.oracle import assert_same_bits

OPERATORS = [op for op in fl.operators() if op.name not in SOURCES]
COMPILED = {
    "cs_normal_score",
    "group_normal_score",
    "max",
    "min",
    "power",
    "round",
    "sign",
    "signed_power",
    "ts_entropy",
    "ts_fisher",
    "ts_kama",
    "ts_mcginley",
    "ts_residual",
}
"""Operators with logarithms, powers, or signs of 0 that depend on who computes them."""


def interpreted(plan: Plan, panel: fl.Panel) -> pl.DataFrame:
    block = interpreter.interpret(plan, panel, Observer(), 600.0)
    assert block is not None
    return pl.DataFrame(block.values)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda op: op.name)
@given(data=st.data())
def test_every_operator_gives_the_same_bits(operator: Operator[...], data: st.DataObject) -> None:
    panel = data.draw(panels())
    factors = {name: data.draw(calls(operator, columns)) for name in ("x", "y")}
    dtype = data.draw(st.sampled_from(["float64", "float32"]))
    plan = make_request(panel, factors, (), {}, dtype)
    assert interpreter.can_interpret(plan, panel) == (operator.name not in COMPILED)
    if operator.name not in COMPILED:
        assert_same_bits(interpreted(plan, panel), panel.compute(factors, dtype=dtype))  # type: ignore[call-overload]


def test_results_that_wait_in_a_file_are_the_same() -> None:
    some = dict(list(ALPHAS.items())[::12])
    plan = plan_within(some, 1, True)
    assert plan.on_disk
    assert_same_bits(interpreted(plan, PANEL), PANEL.compute(some))


def test_a_process_has_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = fl.example()
    plan = make_request(panel, {"mean": parse("ts_mean(close, 2)")}, (), {})
    expected = panel.compute(mean="ts_mean(close, 2)")["mean"].to_list()
    missing = shapes_of([plan])
    observer, budget = Observer(), Budget(600.0)
    block = budget.spend(plan, panel, missing, observer)
    assert block is not None
    assert block.values[0].to_list() == expected
    assert observer.kernels > 0
    assert observer.peak_bytes > 0
    assert 0 < budget.left < 600
    assert budget.spend(plan, panel, (), Observer()) is None
    assert Budget(0.0).spend(plan, panel, missing, Observer()) is None
    assert Budget(1e-9).spend(plan, panel, missing, Observer()) is None  # it takes longer
    monkeypatch.setattr(interpreter, "LONGEST", 1)
    assert budget.spend(plan, panel, missing, Observer()) is None


@pytest.mark.parametrize("left", [0.0, 600.0])
def test_who_computes_makes_no_difference(left: float, monkeypatch: pytest.MonkeyPatch) -> None:
    READY.clear()
    monkeypatch.setattr(interpreter, "BUDGET", Budget(left))
    with np.errstate(all="raise"):
        values = fl.example().compute(rank="cs_rank(ts_mean(close, 2)) * 1e-40", dtype="float32")["rank"]
    assert values.null_count() == 3
    assert bool(READY) == (left == 0)


def test_indicators_of_the_caller_are_compiled(forget_operators: None) -> None:
    @fl.indicator(lookback=lambda periods: periods)
    def before(x: Array, periods: fl.Periods, out: Array) -> None:
        for i in range(x.size):
            out[i] = x[i - periods] if i >= periods else np.nan

    plan = make_request(fl.example(), {"before": before(fl.close, 2)}, (), {})
    assert not interpreter.can_interpret(plan, fl.example())


FIRST = """
import sys
import factorloom as fl

values = fl.example().compute(rank=fl.cs_rank(fl.ts_mean(fl.close, 2)))
assert "numba" not in sys.modules
print(values["rank"].to_list())
"""


def test_a_first_result_needs_no_numba(tmp_path: Path) -> None:
    found = subprocess.run([sys.executable, "-c", FIRST], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert found.stdout.strip() == str(fl.example().compute(rank="cs_rank(ts_mean(close, 2))")["rank"].to_list())
