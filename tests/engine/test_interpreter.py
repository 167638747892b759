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
from factorloom.engine.executor.native.machine import NativeExecutor
from factorloom.engine.executor.native.shape import READY, missing_in, shapes_of
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
    "power",
    "round",
    "signed_power",
    "ts_entropy",
    "ts_fisher",
    "ts_kama",
    "ts_mcginley",
    "ts_residual",
}
"""Operators with logarithms or powers in their kernels."""


def interpreted(plan: Plan, panel: fl.Panel) -> pl.DataFrame:
    block = interpreter.interpret(plan, panel, Observer())
    assert block is not None
    return pl.DataFrame(block.values)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda op: op.name)
@given(data=st.data())
def test_every_operator_gives_the_same_bits(operator: Operator[...], data: st.DataObject) -> None:
    panel = data.draw(panels())
    factors = {name: data.draw(calls(operator, columns)) for name in ("x", "y")}
    dtype = data.draw(st.sampled_from(["float64", "float32"]))
    plan = make_request(panel, factors, (), {}, dtype)
    shapes = shapes_of([plan])
    if operator.name in COMPILED:
        assert not Budget(10**9).takes(plan, panel.rows, shapes)
    else:
        assert Budget(10**9).takes(plan, panel.rows, shapes) or not shapes
        assert_same_bits(interpreted(plan, panel), panel.compute(factors, dtype=dtype))  # type: ignore[call-overload]


def test_results_that_wait_in_a_file_are_the_same() -> None:
    some = dict(list(ALPHAS.items())[::12])
    plan = plan_within(some, 1, True)
    assert plan.on_disk
    assert_same_bits(interpreted(plan, PANEL), PANEL.compute(some))


def test_a_process_has_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = fl.example()
    plan = make_request(panel, {"mean": parse("ts_mean(close, 2)")}, (), {})
    steps = sum(len(stage.steps) for stage in plan.stages)
    expected = panel.compute(mean="ts_mean(close, 2)")["mean"].to_list()
    budget = Budget(2 * panel.rows * steps)
    monkeypatch.setattr(interpreter, "BUDGET", budget)
    ran = []
    monkeypatch.setattr(interpreter, "interpret", lambda *args: ran.append(args))  # None: as if Python refused
    for _ in range(3):
        READY.clear()
        (block,) = NativeExecutor().run(plan, panel, Observer())
        assert block.values[0].to_list() == expected
    assert len(ran) == 2
    assert budget.left == 0
    assert not Budget(10**9).takes(plan, panel.rows, ())
    many = interpreter.LOADED + 1
    assert not Budget(10**9).takes(plan, many, missing_in([plan]) or shapes_of([plan]))  # they are on disk


def test_indicators_of_the_caller_are_compiled(forget_operators: None) -> None:
    @fl.indicator(lookback=lambda periods: periods)
    def before(x: Array, periods: fl.Periods, out: Array) -> None:
        for i in range(x.size):
            out[i] = x[i - periods] if i >= periods else np.nan

    plan = make_request(fl.example(), {"before": before(fl.close, 2)}, (), {})
    assert not Budget(10**9).takes(plan, 1, missing_in([plan]))


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
