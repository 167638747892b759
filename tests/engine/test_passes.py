"""Each pass by itself: what it makes of small plans."""

from __future__ import annotations

import math
from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.plan.cut import cut
from factorloom.engine.plan.passes import PASSES, make_plan
from factorloom.engine.plan.plan import Emit, Keep, Load, Orientation, Run, SharedStatistic
from factorloom.engine.plan.share import share
from factorloom.engine.plan.simplify import simplify
from factorloom.engine.testing.strategies import factors

SIMPLER = {
    "close * 1": "close",
    "1 * close": "close",
    "close / 1": "close",
    "close - 0": "close",
    "close ** 1": "close",
    "-(-close)": "close",
    "abs(abs(close))": "abs(close)",
    "abs(-close)": "abs(close)",
    "ts_delay(ts_delay(close, 2), 3)": "ts_delay(close, 5)",
    "close + (1 + 2) * 3": "close + 9",
    "close * (1 / 0)": "close * missing",
    "ts_mean(close * 1, 5) - ts_mean(close, 5)": "ts_mean(close, 5) - ts_mean(close, 5)",
    "log(1)": "0",
    "cs_rank(cs_rank(close))": "cs_rank(close)",
    "cs_rank(cs_rank(close), method='ordinal')": "cs_rank(close, method='ordinal')",
    "group_rank(group_rank(close, sector), sector)": "group_rank(close, sector)",
}
AS_THEY_ARE = ["close + 0", "0 - close", "close * 0", "close - close", "ts_lead(ts_delay(close, 1), 1)", "close / 2"]
AS_THEY_ARE += ["cs_rank(-cs_rank(close))", "group_rank(group_rank(close, sector), industry)"]


@pytest.mark.parametrize(("text", "simpler"), SIMPLER.items())
def test_simplify_rewrites_what_has_the_same_value(text: str, simpler: str) -> None:
    assert make_plan({"x": fl.parse(text)}, until=simplify).outputs["x"] is fl.parse(simpler)


@pytest.mark.parametrize("text", AS_THEY_ARE)
def test_simplify_leaves_alone_what_may_differ(text: str) -> None:
    """`-0.0 + 0` is `0.0`, `missing * 0` is missing, and a delay that is led again has lost its last bars."""
    assert make_plan({"x": fl.parse(text)}, until=simplify).outputs["x"] is fl.parse(text)


def test_share_lists_every_node_once_inputs_first() -> None:
    plan = make_plan({"a": fl.parse("ts_mean(close, 5) / close"), "b": fl.parse("ts_mean(close, 5)")}, until=share)
    assert [str(node) for node in plan.nodes] == ["close", "ts_mean(close, 5)", "ts_mean(close, 5) / close"]


STAGES = {
    "ts_mean(close, 5)": [["ts_mean(close, 5)"]],
    "cs_rank(close)": [[], ["cs_rank(close)"], []],
    "-cs_rank(close)": [[], ["cs_rank(close)"], ["-cs_rank(close)"]],
    "ts_mean(cs_rank(close), 5)": [[], ["cs_rank(close)"], ["ts_mean(cs_rank(close), 5)"]],
    "cs_rank(ts_mean(close, 5)) * close": [
        ["ts_mean(close, 5)"],
        ["cs_rank(ts_mean(close, 5))"],
        ["cs_rank(ts_mean(close, 5)) * close"],
    ],
    "cs_rank(close) * cs_rank(open)": [
        [],
        ["cs_rank(close)", "cs_rank(open)", "cs_rank(close) * cs_rank(open)"],
        [],
    ],
}


@pytest.mark.parametrize(("text", "stages"), STAGES.items())
def test_cut_gives_stages_of_one_axis_and_few_turns(text: str, stages: list[list[str]]) -> None:
    plan = make_plan({"x": fl.parse(text)}, until=cut)
    assert [[str(node) for node in stage.nodes] for stage in plan.stages] == stages
    assert [stage.orientation for stage in plan.stages] == list(islice(cycle(Orientation), len(stages)))


@given(st.lists(factors(), min_size=1, max_size=4), st.booleans())
def test_every_plan_runs_in_order(wanted: list[fl.Factor], streamed: bool) -> None:
    """Every instruction finds what it reads, every output leaves once, and nothing is kept that nobody reads."""
    plan = make_plan({str(number): factor for number, factor in enumerate(wanted)}, streamed=streamed)
    constants = {node for node in plan.nodes if node.operator.name == "lit"}
    emitted: list[fl.Factor] = []
    kept: dict[fl.Factor, Orientation] = {}
    for number, stage in enumerate(plan.stages):
        known: set[object] = {*constants}
        columns = {node for node in plan.nodes if node.operator.name == "col"}
        for item in stage.instructions:
            match item:
                case Load(node, layout):
                    is_column = node.operator.name == "col" and layout is Orientation.SYMBOL
                    assert is_column or kept[node] is layout
                    assert stage.orientation is Orientation.SYMBOL or layout is Orientation.DATE
                    known.add(node)
                case Run(step, statistics):
                    needed = {*step.operands, *statistics}
                    assert needed <= known
                    known.add(step)
                case Keep(node, layout):
                    assert node in known
                    assert stage.orientation is Orientation.SYMBOL or layout is Orientation.DATE
                    assert any(node in {load.node for load in rest.loads} for rest in plan.stages[number + 1 :])
                    kept[node] = layout
                case Emit(node):
                    assert node in known
                    assert stage.orientation is Orientation.SYMBOL
                    assert not streamed or number == len(plan.stages) - 1
                    emitted.append(node)
        assert set(stage.nodes) == {run.step for run in stage.steps if not isinstance(run.step, SharedStatistic)}
        assert stage.steps == tuple(item for item in stage.instructions if isinstance(item, Run))
        assert {load.node for load in stage.loads} - columns <= set(stage.waiting)
    assert sorted(map(id, emitted)) == sorted(map(id, dict.fromkeys(plan.outputs.values())))


def test_a_statistic_runs_once_for_all_that_read_it() -> None:
    plan = make_plan({"a": fl.ts_mean(fl.close, 5), "b": fl.ts_std(fl.close, 5), "c": fl.ts_zscore(fl.close, 5)})
    steps = [run.step for run in plan.stages[0].steps]
    assert [type(step) for step in steps].count(SharedStatistic) == 1
    assert isinstance(steps[0], SharedStatistic)


def test_a_plan_can_be_stopped_after_any_pass() -> None:
    plans = [make_plan({"x": fl.parse("cs_rank(ts_mean(close * 1, 5))")}, until=step) for step in PASSES]
    assert [bool(plan.nodes) for plan in plans] == [False, True, True, True, True, True]
    assert [bool(plan.stages) for plan in plans] == [False, False, True, True, True, True]
    assert [any(stage.steps for stage in plan.stages) for plan in plans] == [False, False, False, False, True, True]
    assert [any(stage.instructions for stage in plan.stages) for plan in plans] == [
        False,
        False,
        False,
        False,
        False,
        True,
    ]


def test_reach_adds_up_within_a_stage() -> None:
    plan = make_plan(
        {"x": fl.parse("cs_rank(ts_mean(ts_delay(close, 3), 5)) + ts_lead(close, 2)"), "y": fl.ts_ema(fl.close, 3)}
    )
    assert [stage.span() for stage in plan.stages] == [(math.inf, 2), (0, 0), (0, 0)]
    plan = make_plan({"x": fl.parse("cs_rank(ts_mean(ts_delay(close, 3), 5))")})
    assert [stage.span() for stage in plan.stages] == [(7, 0), (0, 0), (0, 0)]
