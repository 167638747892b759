"""How operators are declared: any number of inputs, options by keyword, flags, and shorthand for other operators."""

from __future__ import annotations

import copy
import pickle
from typing import Annotated, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.testing.strategies import calls, columns, panels
from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ArgumentError, FactorloomError, ParameterError, ParseError, WindowError
from factorloom.expressions.factor import Factor, Input, Key
from factorloom.expressions.operator import Operator, operator
from factorloom.expressions.parameter import Choice, Flag, Periods, Real, Value, Whole, Window
from factorloom.expressions.reference import usage
from tests.oracle import Array, assert_same, mean_of, to_array


def residual(
    x: Input,
    *exposures: Input,
    weight: Input = 1,
    share: Annotated[float, Real(above=0, below=1)] = 0.5,
    intercept: Annotated[bool, Flag()] = True,
) -> Factor:
    """What a share of the weighted exposures leaves of `x`."""


def residual_meaning(x: Array, *exposures: Array, weight: Array, share: float, intercept: bool) -> Array:
    rest = x - share * weight * np.sum(exposures, axis=0)
    return rest - np.nanmean(rest) if intercept and not np.isnan(rest).all() else rest


def residual_polars(x: pl.Expr, *exposures: pl.Expr, weight: pl.Expr, share: float, intercept: bool) -> pl.Expr:
    rest = x - share * weight * pl.sum_horizontal(exposures, ignore_nulls=False)
    return rest - rest.mean() if intercept else rest


def residual_kernel(
    x: Array, exposures: tuple[Array, ...], weight: Array, share: float, intercept: int, out: Array
) -> None:
    total, count = 0.0, 0
    for i in range(out.size):
        explained = 0.0
        for k in range(len(exposures)):
            explained += exposures[k][i]
        out[i] = x[i] - share * weight[i] * explained
        if not np.isnan(out[i]):
            total += out[i]
            count += 1
    for i in range(out.size):
        out[i] -= total / count if intercept and count else 0.0


def neutral(x: Input, *exposures: Input, by: Key) -> Factor:
    """What the exposures leave of `x` within a category."""


def neutral_meaning(x: Array, *exposures: Array) -> Array:
    return x - np.sum(exposures, axis=0)


def neutral_polars(x: pl.Expr, *exposures: pl.Expr) -> pl.Expr:
    return x - pl.sum_horizontal(exposures, ignore_nulls=False)


def neutral_kernel(x: Array, exposures: tuple[Array, ...], out: Array) -> None:
    out[:] = x
    for exposure in exposures:
        for i in range(out.size):
            out[i] -= exposure[i]


def drift(
    x: Input, window: Window, y: Input = 0, *, value: Annotated[str, Choice(("rise", "ratio"))] = "rise"
) -> Factor:
    """How far `x` has come since `window` bars ago: shorthand."""
    before = fl.ts_delay(x, window)
    return (x - before if value == "rise" else x / before) + y


def at_power(*inputs: Input, exponent: Annotated[int, Whole(-2, 2)], scale: Input) -> Factor:
    """The sum of the inputs to a power, times `scale`: shorthand."""
    return scale * fl.sum_of(*inputs) ** exponent


@pytest.fixture
def declared() -> dict[str, Operator[...]]:
    """Operators that the language knows during a test."""
    crossing, within = operator(Axis.CROSS)(residual), operator(Axis.GROUP)(neutral)
    crossing.meaning(residual_meaning), crossing.polars(residual_polars), crossing.kernel(residual_kernel)
    within.meaning(neutral_meaning), within.polars(neutral_polars), within.kernel(neutral_kernel)
    made = crossing, within, operator(Axis.TIME)(drift), operator(Axis.CELL)(at_power)
    return {op.name: op for op in made}


during_a_test = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
names = st.sampled_from(["residual", "neutral", "drift", "at_power"])


@during_a_test
@given(name=names, data=st.data())
def test_text_pickles_and_copies_are_the_same_node(
    declared: dict[str, Operator[...]], name: str, data: st.DataObject
) -> None:
    factor = data.draw(calls(declared[name], columns | st.floats(-9, 9).map(fl.lit)))
    assert fl.parse(str(factor)) is factor
    assert fl.parse(str(fl.abs(factor) + 1)) is fl.abs(factor) + 1
    assert pickle.loads(pickle.dumps(factor)) is factor
    assert copy.deepcopy(factor) is factor


@during_a_test
@given(name=names, panel=panels(), data=st.data())
def test_every_form_gets_what_it_names(
    declared: dict[str, Operator[...]], name: str, panel: fl.Panel, data: st.DataObject
) -> None:
    factor = data.draw(calls(declared[name], columns))
    expected = mean_of(factor, panel)
    scale = 3 * max(float(np.nanmax(np.abs(panel.array(c)), initial=0)) for c in ("close", "open", "volume"))
    for engine in ("numba", "polars"):
        values = to_array(panel.compute(value=factor, engine=engine)["value"])  # type: ignore[arg-type]
        assert_same(values, expected, f"{engine}: {factor}", scale)


def test_only_what_is_not_a_default_is_written(declared: dict[str, Operator[...]]) -> None:
    call = declared["residual"]
    assert str(call(fl.close, fl.volume, 2)) == "residual(close, volume, 2)"
    assert call(fl.close, 3, weight=1, share=0.5, intercept=True) is call(fl.close, 3)
    assert str(call(fl.close, 3, weight=2, intercept=False)) == "residual(close, 3, weight=2, intercept=False)"
    assert str(declared["neutral"](fl.close, fl.open_, by="GICS 1")) == "neutral(close, open, by=col('GICS 1'))"
    assert usage(call) == "residual(x, *exposures, weight=1, share=0.5, intercept=True)"
    assert call(fl.close, 3, intercept=np.True_) is call(fl.close, 3)  # type: ignore[arg-type]


def test_shorthand_is_its_longhand(declared: dict[str, Operator[...]]) -> None:
    assert declared["drift"](fl.close, 3) is fl.close - fl.ts_delay(fl.close, 3) + 0
    assert fl.parse("drift(close, 2, open, value='ratio')") is fl.close / fl.ts_delay(fl.close, 2) + fl.open_
    assert str(fl.signed_power(fl.close, 2)) == "sign(close) * abs(close) ** 2"
    assert fl.parse("at_power(close, open, exponent=2, scale=3)") is 3 * fl.sum_of(fl.close, fl.open_) ** 2


def test_the_order_and_the_number_of_inputs_count(declared: dict[str, Operator[...]]) -> None:
    call = declared["residual"]
    made = [
        call(fl.close, fl.open_, fl.volume),
        call(fl.close, fl.volume, fl.open_),
        call(fl.close, fl.open_),
        call(fl.close, fl.open_, weight=fl.volume),
        call(fl.close, fl.open_, fl.volume, intercept=False),
        call(fl.close, fl.open_, fl.volume, weight=0),
    ]
    assert len({factor.digest for factor in made}) == len(made)
    assert call(fl.close, fl.open_, weight=fl.volume).columns == ("close", "open", "volume")


def test_a_digest_never_changes(declared: dict[str, Operator[...]]) -> None:
    factor = declared["residual"](fl.close, fl.open_, 1, weight=fl.volume, intercept=False)
    assert factor.parameters == (0.5, False)
    assert factor.digest == "8dde8131e7e5c59d7cfae1289888e9d0"


FAULTS = [
    ("residual(close)", ArgumentError, 0, "exposures must be at least 1 factor, got none"),
    ("mean_of()", ArgumentError, 0, "inputs must be at least 1 factor, got none"),
    ("residual(close, open, 'volume', 3)", ArgumentError, 22, r"exposures\[1\] must be a factor or a number"),
    ("residual(close, open, foo(3), 3)", FactorloomError, 22, "unknown operator 'foo'"),
    ("residual(close, 1e999)", ParameterError, 16, "finite"),
    ("residual('close', open)", ArgumentError, 9, "x must be a factor"),
    ("residual(close, open, weight='volume')", ArgumentError, 29, "weight must be a factor"),
    ("residual(close, open, intercept=1)", ArgumentError, 32, "intercept must be True or False, got 1"),
    ("residual(close, open, intercept='no')", ArgumentError, 32, "intercept must be True or False, got 'no'"),
    ("residual(close, open, intercept=open)", ParseError, 32, "written out as True or False"),
    ("residual(close, open, share=1)", ParameterError, 28, "share must be less than 1, got 1"),
    ("residual(close, True)", ParseError, 16, "True is not a number"),
    ("residual(close, exposures=open)", ArgumentError, 0, "exposures"),
    ("neutral(close, open)", ArgumentError, 0, "'by'"),
    ("neutral(close, open, by=open + 1)", ArgumentError, 24, "by must be a column"),
    ("neutral(close, by=sector)", ArgumentError, 0, "at least 1"),
    ("drift(close, 0)", WindowError, 13, "window must be at least 1"),
    ("drift(close, 99999)", WindowError, 13, "at most 5,000"),
    ("at_power(close, exponent=3, scale=1)", ParameterError, 25, "between -2 and 2, got 3"),
    ("at_power(close, exponent=1.5, scale=1)", ArgumentError, 25, "whole number"),
]


@pytest.mark.parametrize(("text", "kind", "position", "message"), FAULTS)
def test_faults_carry_their_place(
    declared: dict[str, Operator[...]], text: str, kind: type[FactorloomError], position: int, message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        fl.parse(text)
    assert caught.value.position == position


CALLS: list[tuple[Any, int]] = [
    (lambda op: op(fl.close, fl.open_, "volume"), 22),
    (lambda op: op(fl.close, fl.open_, weight="volume"), 22),
    (lambda op: op(fl.close, None, fl.open_), 16),
    (lambda op: op(fl.close, fl.open_, intercept=0), 22),
    (lambda op: op(fl.close), 0),
]


@pytest.mark.parametrize(("make", "position"), CALLS)
def test_python_calls_show_the_argument_at_fault(declared: dict[str, Operator[...]], make: Any, position: int) -> None:
    with pytest.raises(ArgumentError) as caught:
        make(declared["residual"])
    assert caught.value.position == position
    assert caught.value.text.startswith("residual(close")  # type: ignore[union-attr]


def test_a_name_is_defined_once(declared: dict[str, Operator[...]]) -> None:
    with pytest.raises(AssertionError, match="defined twice"):
        operator(Axis.CELL)(residual)


def test_parameters_may_stand_before_inputs_of_any_number() -> None:
    def staged(x: Input, periods: Periods, *others: Input, scale: Annotated[Value, Real()] = 1.0) -> Factor: ...

    op = Operator(staged, Axis.TIME)
    factor = op.build((fl.close, 3, fl.open_, fl.volume), {"scale": 2})
    assert str(factor) == "staged(close, 3, open, volume, scale=2)"
    op.meaning(lambda x, *others, scale: (x, others, scale))
    assert op.call("meaning", factor.inputs, factor.parameters) == (fl.close, (fl.open_, fl.volume), 2.0)
