"""Nodes: interning, digests, and what is derived from the operators."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given

import factorloom as fl
from factorloom.engine.testing.strategies import factors
from factorloom.expressions.errors import ArgumentError, FactorloomError, ParameterError, WindowError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.registry import OPERATORS


@given(factors())
def test_equal_content_is_one_object(factor: Factor) -> None:
    assert pickle.loads(pickle.dumps(factor)) is factor
    assert copy.deepcopy(factor) is factor
    assert copy.copy(factor) is factor


@given(factors(), factors())
def test_digests_tell_factors_apart(left: Factor, right: Factor) -> None:
    assert (left.digest == right.digest) == (left is right) == (str(left) == str(right))


@given(factors())
def test_derived_properties_are_those_of_the_inputs(factor: Factor) -> None:
    nodes = list(factor.walk())
    assert nodes[-1] is factor
    assert len({id(node) for node in nodes}) == len(nodes)
    for place, node in enumerate(nodes):
        assert all(any(child is earlier for earlier in nodes[:place]) for child in node.inputs)
        assert all(child.lookback <= node.lookback for child in node.inputs)
    assert set(factor.columns) == {str(n.parameters[0]) for n in nodes if n.operator.name == "col"}
    assert factor.unbounded == any(n.operator.unbounded for n in nodes)
    assert factor.axis is max(n.operator.axis for n in nodes)


def test_digests_are_the_same_in_every_process() -> None:
    """A changed digest throws away everything that users have cached: raise `version` instead."""
    code = "import factorloom as fl; print(fl.parse('cs_rank(ts_mean(close, 5) / close - 1)').digest)"
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert runs == {"e3254fc498deb84779a81881d1e38192\n"}


def test_lookback_adds_up_along_the_longest_path() -> None:
    factor = fl.ts_mean(fl.ts_delay(fl.close, 5), 20) + fl.ts_pct_change(fl.open_, 3)
    assert (factor.lookback, factor.lookahead, factor.unbounded) == (24, 0, False)
    assert factor.axis is fl.Axis.TIME
    assert fl.cs_rank(factor).axis is fl.Axis.CROSS
    assert fl.group_rank(factor, "sector").columns == ("close", "open", "sector")


def test_lookahead_is_found_and_can_be_delayed_away() -> None:
    label = fl.ts_lead(fl.close, 5) / fl.close - 1
    assert label.lookahead == 5
    assert label.looking_ahead() == ("ts_lead",)
    assert fl.ts_delay(label, 3).lookahead == 2
    past = fl.ts_delay(label, 5)
    assert past.lookahead == 0
    assert past.looking_ahead() == ()
    assert fl.ts_ema(fl.close, 5).unbounded
    assert fl.cs_rank(fl.ts_cumsum(fl.close)).unbounded


def test_factors_are_immutable_and_have_no_truth_value() -> None:
    with pytest.raises(AttributeError):
        fl.close.lookback = 3
    with pytest.raises(ArgumentError, match="no truth value"):
        bool(fl.close > 1)
    with pytest.raises(ArgumentError, match="not created directly"):
        Factor()
    assert len({fl.close, fl.col("close"), fl.open_}) == 2


def test_numbers_of_any_kind_are_constants() -> None:
    assert fl.close + np.float32(0.5) is fl.close + 0.5
    assert fl.close * np.int64(2) is fl.close * 2
    assert fl.lit(-0.0) is fl.lit(0.0)
    assert fl.lit(float("nan")) is fl.missing
    assert fl.ts_mean(fl.close, np.int32(5)) is fl.ts_mean(fl.close, 5)


BAD = [
    (lambda: fl.ts_mean(fl.close, 0), WindowError, ValueError),
    (lambda: fl.ts_mean(fl.close, -5), WindowError, ValueError),
    (lambda: fl.ts_mean(fl.close, True), ArgumentError, TypeError),
    (lambda: fl.ts_mean(fl.close, 5.0), ArgumentError, TypeError),
    (lambda: fl.ts_mean("close", 5), ArgumentError, TypeError),
    (lambda: fl.ts_mean(None, 5), ArgumentError, TypeError),
    (lambda: fl.ts_mean(fl.close), ArgumentError, TypeError),
    (lambda: fl.ts_mean(fl.close, 5, min_samples=0), WindowError, ValueError),
    (lambda: fl.ts_delay(fl.close, 0), WindowError, ValueError),
    (lambda: fl.group_rank(fl.close, fl.close + 1), ArgumentError, TypeError),
    (lambda: fl.group_rank(fl.close, 3), ArgumentError, TypeError),
    (lambda: fl.close + "open", ArgumentError, TypeError),
    (lambda: fl.close + float("inf"), ParameterError, ValueError),
    (lambda: fl.close + 10**400, ParameterError, ValueError),
    (lambda: fl.clip(fl.close, 0, float("nan")), ParameterError, ValueError),
    (lambda: fl.clip(fl.close, 2, 1), ParameterError, ValueError),
    (lambda: fl.cs_scale(fl.close, total=0), ParameterError, ValueError),
    (lambda: fl.col(""), ArgumentError, TypeError),
    (lambda: fl.col(3), ArgumentError, TypeError),
]


@pytest.mark.parametrize(("make", "kind", "builtin"), BAD)
def test_bad_arguments_are_refused_when_the_node_is_built(make, kind, builtin) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(kind) as caught:
        make()
    assert isinstance(caught.value, builtin)
    assert isinstance(caught.value, FactorloomError)


def test_hints() -> None:
    with pytest.raises(ArgumentError, match=r"fl\.col\('close'\)"):
        fl.ts_mean("close", 5)  # type: ignore[arg-type]
    assert suggest("ts_maen", OPERATORS) == "did you mean 'ts_mean'?"
    assert suggest("x", []) is None


def test_the_front_door_offers_every_operator() -> None:
    for name in OPERATORS:
        assert getattr(fl, name) is OPERATORS[name]
