"""Indicators: a plain loop is meaning, Polars form and kernel at once, and what it gets wrong is found early."""

from __future__ import annotations

import math
import os
import pickle
import re
import runpy
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, TypeAlias

import numba
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.plan.passes import make_plan
from factorloom.engine.plan.plan import SharedStatistic
from factorloom.engine.testing.strategies import calls, columns, panels
from factorloom.expressions.errors import FactorloomError, IndicatorError, UnknownOperatorError
from factorloom.expressions.frozen import fingerprint
from factorloom.expressions.indicator import Indicator, Indicators
from factorloom.expressions.parameter import Choice
from factorloom.expressions.registry import OPERATORS
from tests.oracle import Array, assert_same, mean_of, to_array

PAGE = Path(__file__).parents[2] / "docs" / "indicators.md"
LIMIT = 0.0
Way: TypeAlias = Annotated[str, Choice(("up", "down"))]


def window_bars(window: int, **_: object) -> int:
    return window - 1


def above(x: float) -> float:
    return LIMIT if x < LIMIT else x


def declare_gain() -> Indicator:
    @fl.indicator(lookback=lambda periods: periods)
    def gain(x: Array, periods: fl.Periods, out: Array) -> None:
        """The change over some bars, 0 where it is a loss."""
        for i in range(x.size):
            out[i] = above(x[i] - x[i - periods]) if i >= periods else np.nan

    return gain


def declare_run() -> Indicators:
    """Parameters and outputs with the names that a careless driver would use itself."""

    @fl.indicator(unbounded=True, outputs=("first", "i"))
    def streak(x, y, a: float = 0.5, last: bool = True, kind: Way = "up", first=None, i=None):  # type: ignore[no-untyped-def]
        """How many bars in a row `x` was above `y`, or below, and the sum of those bars."""
        count, total = 0.0, 0.0
        for bar in range(x.size):
            holds = x[bar] - y[bar] > a if kind == 0 else y[bar] - x[bar] > a
            count, total = (count + 1, total + x[bar]) if holds else (0.0, 0.0)
            first[bar] = count if last or holds else np.nan
            i[bar] = total

    return streak


@pytest.fixture
def indicators() -> list[Indicator]:
    return [declare_gain(), *declare_run().operators]


during_a_test = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@during_a_test
@given(panel=panels(), data=st.data())
def test_meaning_kernel_and_polars_agree(indicators: list[Indicator], panel: fl.Panel, data: st.DataObject) -> None:
    factor = data.draw(calls(data.draw(st.sampled_from(indicators)), columns))
    expected = mean_of(factor, panel)
    for engine in ("numba", "polars"):
        values = to_array(panel.compute(value=factor, engine=engine)["value"])  # type: ignore[arg-type]
        assert_same(values, expected, f"{engine}: {factor}", 1.0)
    assert fl.parse(str(factor)) is factor
    assert pickle.loads(pickle.dumps(factor)) is factor


def test_an_indicator_is_an_operator() -> None:
    gain = declare_gain()
    factor = fl.cs_rank(gain(fl.close, 3) / 2)
    assert str(factor) == "cs_rank(gain(close, 3) / 2)"
    assert (factor.lookback, factor.unbounded, gain.axis) == (3, False, fl.Axis.TIME)
    assert gain in fl.operators()
    assert gain.summary == "The change over some bars, 0 where it is a loss."
    rising = fl.max(fl.ts_delta(fl.close, 1), 0)
    values = fl.example().compute(gain=gain(fl.close, 1), same=rising)
    assert values["gain"].to_list() == values["same"].to_list()


def test_several_outputs_come_from_one_run() -> None:
    streak = declare_run()
    both = streak(fl.close, fl.open_, last=False)
    assert both._fields == ("first", "i")
    assert [str(factor) for factor in both] == [
        "streak_first(close, open, last=False)",
        "streak_i(close, open, last=False)",
    ]
    assert both.first.unbounded and both.first.lookback == 0
    plan = make_plan({"count": both.first, "total": both.i})
    steps = [run.step for stage in plan.stages for run in stage.steps]
    assert sum(isinstance(step, SharedStatistic) for step in steps) == 1
    assert len(steps) == 3
    fl.check_indicator(streak, range(50), range(50), a=2)
    assert streak.operators[0].summary == "The output `first` of `streak`."


def scaled(factor: float, lookback: int = 0) -> Indicator:
    @fl.indicator(lookback=lambda **_: lookback)
    def times(x: Array, out: Array) -> None:
        for i in range(x.size):
            out[i] = x[i] * factor

    return times


def test_changed_code_is_another_operator() -> None:
    panel = fl.example()
    double, same, triple, later = scaled(2.0), scaled(2.0), scaled(3.0), scaled(2.0, lookback=1)
    assert double(fl.close) is same(fl.close)
    assert len({op(fl.close).digest for op in (double, triple, later)}) == 3
    assert OPERATORS["times"] is later
    close = panel.frame["close"]
    for op, factor in ((double, 2), (triple, 3), (double, 2)):
        for engine in ("numba", "polars"):
            values = panel.compute(value=op(fl.close), engine=engine)["value"]  # type: ignore[arg-type]
            assert values.to_list() == (close * factor).to_list()


def test_constants_and_functions_are_taken_when_an_indicator_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    panel, early = fl.example(), declare_gain()
    monkeypatch.setattr(f"{__name__}.LIMIT", 2.0)
    late = declare_gain()
    monkeypatch.setattr(f"{__name__}.above", lambda x: -1.0)
    latest = declare_gain()
    assert len({op.version for op in (early, late, latest)}) == 3
    values = panel.compute(early=early(fl.close, 1), late=late(fl.close, 1), latest=latest(fl.close, 1))
    assert values["early"].to_list() == [None, 1.0, 1.0, None, 0.0, 3.0, None, 2.0]
    assert values["late"].to_list() == [None, 2.0, 2.0, None, 2.0, 3.0, None, 2.0]
    assert values["latest"].to_list() == [None, -1.0, -1.0, None, -1.0, -1.0, None, -1.0]


def test_compiled_code_is_found_again_without_its_module(tmp_path: Path) -> None:
    """The same loop in two scripts, of which the second finds what the first has compiled."""
    (tmp_path / "library.py").write_text(LIBRARY)
    runs = []
    for script in ("import library", LIBRARY):
        command = [sys.executable, "-W", "error", "-c", script]
        kept = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
        runs.append(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, env=kept).stdout)
        (tmp_path / "library.py").unlink(missing_ok=True)
    assert runs == ["[30.0, 33.0, 36.0, 60.0, 57.0, 66.0, 15.0, 21.0]\n"] * 2


LIBRARY = """
import factorloom as fl

def triple(x):
    return 3 * x

@fl.indicator(lookback=lambda **_: 0)
def tripled(x, out):
    for i in range(x.size):
        out[i] = triple(x[i])

print(fl.example().compute(value=tripled(fl.close))["value"].to_list())
"""


def test_a_fingerprint_is_of_what_the_code_does() -> None:
    def of(make: Callable[..., Any], *args: Any) -> str:
        return fingerprint(make(*args))

    def constant(value: Any) -> Any:
        return lambda x: x + value

    def documented() -> Any:
        def plain(x: float) -> float:
            """With a sentence."""
            return x + 1  # and a comment

        return plain

    def bare() -> Any:
        def other(x: float) -> float:
            return x + 1

        return other

    def nested(value: float) -> Any:
        return lambda x: [y + value for y in x]

    assert of(documented) == of(bare)
    kinds = [1, 1.0, True, -0.0, 0.0, "1", (1, 2), (2, 1), np.array([1, 2]), np.array([1.0, 2.0]), documented(), np]
    assert len({of(constant, value) for value in kinds}) == len(kinds)
    assert of(nested, 1.0) != of(nested, 2.0)

    def calling(share: float) -> Any:
        def part(x: float, share: float = share) -> float:
            return x * share

        return lambda x: part(x)

    assert of(calling, 0.5) != of(calling, 0.6)

    def again(x: float) -> float:
        return again(x - 1) if x > 0 else x

    assert len(fingerprint(again)) == 16


SETTINGS = ModuleType("settings")
SETTINGS.FACTOR = 2.0  # type: ignore[attr-defined]
WEIGHTS = np.array([1.0, 2.0])
Bounds = namedtuple("Bounds", ["low", "high"])
BOUNDS = Bounds(0.0, math.inf)


class Limits:
    TOP = 5.0


def by_a_module(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = x[i] * SETTINGS.FACTOR  # type: ignore[attr-defined]


def by_a_class(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = min(x[i], Limits.TOP)


def by_another_name(x, out):  # type: ignore[no-untyped-def]
    settings = SETTINGS
    for i in range(x.size):
        out[i] = x[i] * settings.FACTOR  # type: ignore[attr-defined]


def by_a_table(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = x[i] * TABLE["a"]


def by_a_function(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = scaled_by_a_module(x[i])


def scaled_by_a_module(value):  # type: ignore[no-untyped-def]
    return value * SETTINGS.FACTOR  # type: ignore[attr-defined]


def enclosing() -> Any:
    settings = SETTINGS

    def by_a_closure(x, out):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            out[i] = x[i] * settings.FACTOR  # type: ignore[attr-defined]

    return by_a_closure


def by_a_nested_module(x, out):  # type: ignore[no-untyped-def]
    out[:] = x * PACKAGE.inner.deep.FACTOR  # type: ignore[attr-defined]


def by_an_object(x, out):  # type: ignore[no-untyped-def]
    out[:] = np.minimum(x, LIMITS.TOP)


def by_a_new_object(x, out):  # type: ignore[no-untyped-def]
    out[:] = np.minimum(x, Limits().TOP)


def by_a_class_under_another_name(x, out):  # type: ignore[no-untyped-def]
    limits = Limits
    out[:] = np.minimum(x, limits.TOP)


def by_a_method(x, out):  # type: ignore[no-untyped-def]
    out[:] = x * LOOK_UP("a")


def by_a_call(x, out):  # type: ignore[no-untyped-def]
    out[:] = x * TIMES(1.0)


def by_an_attribute_of_a_function(x, out):  # type: ignore[no-untyped-def]
    out[:] = x * above.factor  # type: ignore[attr-defined]


def by_an_import(x, out):  # type: ignore[no-untyped-def]
    from tests.expressions.test_indicator import LIMIT

    out[:] = x + LIMIT


def by_a_tuple_of_modules(x, out):  # type: ignore[no-untyped-def]
    out[:] = x * MODULES[0].FACTOR  # type: ignore[attr-defined]


def by_a_tuple_with_more(x, out):  # type: ignore[no-untyped-def]
    out[:] = np.minimum(x, WIDE.TOP)


def by_objects_in_an_array(x, out):  # type: ignore[no-untyped-def]
    out[:] = x * OBJECTS[0]["a"]


def by_a_masked_array(x, out):  # type: ignore[no-untyped-def]
    out[:] = x * MASKED.sum()


def by_a_universal_function(x, out):  # type: ignore[no-untyped-def]
    out[:] = VECTORIZED(x)


def by_a_compiled_function(x, out):  # type: ignore[no-untyped-def]
    out[:] = COMPILED(x[0])


def by_a_global_that_it_changes(x, out):  # type: ignore[no-untyped-def]
    global LIMIT
    LIMIT = 0.0
    out[:] = x


def counting() -> Any:
    runs = 0

    def by_a_count_of_runs(x, out):  # type: ignore[no-untyped-def]
        nonlocal runs
        runs += 1
        out[:] = x

    return by_a_count_of_runs


def with_a_helper() -> Any:
    settings = SETTINGS

    def helper(value):  # type: ignore[no-untyped-def]
        return value * settings.FACTOR  # type: ignore[attr-defined]

    def by_a_helper_of_a_closure(x, out):  # type: ignore[no-untyped-def]
        out[:] = helper(x)

    return by_a_helper_of_a_closure


def by_a_default(x, out):  # type: ignore[no-untyped-def]
    out[:] = scaled_by_a_default(x)


def scaled_by_a_default(x, settings=SETTINGS):  # type: ignore[no-untyped-def]
    return x * settings.FACTOR


class Wide(Bounds):
    TOP = 5.0


TABLE = {"a": 1.0}
LOOK_UP = TABLE.get
TIMES = partial(above)
LIMITS, MODULES, WIDE = Limits(), (SETTINGS,), Wide(0.0, 1.0)
PACKAGE = ModuleType("package")
PACKAGE.inner = ModuleType("package.inner")  # type: ignore[attr-defined]
PACKAGE.inner.deep = SETTINGS  # type: ignore[attr-defined]
OBJECTS, MASKED = np.array([TABLE]), np.ma.masked_array([1.0, 2.0], [True, False])
VECTORIZED, COMPILED = numba.vectorize(above), numba.cfunc("float64(float64)")(above)
OPEN = [
    (
        by_a_nested_module,
        r"reads PACKAGE\.inner\.deep\.FACTOR, .*\n  hint: write FACTOR = PACKAGE\.inner\.deep\.FACTOR",
    ),
    (by_an_object, r"reads LIMITS\.TOP"),
    (by_a_new_object, "reads Limits, which may change unnoticed"),
    (by_a_class_under_another_name, "reads Limits, which"),
    (by_a_method, "reads LOOK_UP"),
    (by_a_call, "reads TIMES"),
    (by_an_attribute_of_a_function, r"reads above\.factor"),
    (by_an_import, r"imports tests.*\n  hint: import it before the function"),
    (by_a_tuple_of_modules, "reads MODULES"),
    (by_a_tuple_with_more, "reads WIDE"),
    (by_objects_in_an_array, "reads OBJECTS"),
    (by_a_masked_array, "reads MASKED"),
    (by_a_universal_function, "reads VECTORIZED"),
    (by_a_compiled_function, "reads COMPILED"),
    (by_a_global_that_it_changes, "changes LIMIT, which is not its own"),
    (counting(), "changes runs, which is not its own"),
    (with_a_helper(), r"helper reads settings\.FACTOR"),
    (by_a_default, "scaled_by_a_default reads settings, its default, which"),
    (
        by_a_module,
        "reads SETTINGS.FACTOR, which may change unnoticed\n  hint: write FACTOR = SETTINGS.FACTOR",
    ),
    (by_a_class, r"by_a_class reads Limits\.TOP"),
    (by_another_name, "by_another_name reads SETTINGS, which"),
    (by_a_table, "by_a_table reads TABLE, which may change unnoticed\n  hint: let it read numbers"),
    (by_a_function, r"scaled_by_a_module reads SETTINGS\.FACTOR"),
    (enclosing(), r"by_a_closure reads settings\.FACTOR"),
]


@pytest.mark.parametrize(("loop", "message"), OPEN, ids=lambda value: getattr(value, "__name__", ""))
def test_what_may_change_unnoticed_is_refused(loop: Any, message: str) -> None:
    with pytest.raises(IndicatorError, match=message):
        fl.indicator(unbounded=True)(loop)
    assert loop.__name__ not in OPERATORS


def test_a_lookback_may_not_change_unnoticed_either() -> None:
    def same(x, out):  # type: ignore[no-untyped-def]
        out[:] = x

    with pytest.raises(IndicatorError, match=r"<lambda> reads SETTINGS\.FACTOR"):
        fl.indicator(lookback=lambda **_: int(SETTINGS.FACTOR))(same)  # type: ignore[attr-defined]


@pytest.mark.parametrize("lookback", [partial(window_bars, 3), Limits.__init__, numba.njit(window_bars)])
def test_a_lookback_is_a_plain_function(lookback: Any) -> None:
    def same(x, out):  # type: ignore[no-untyped-def]
        out[:] = x

    with pytest.raises(IndicatorError, match=r"lookback of indicator same is a .*, not a plain function"):
        fl.indicator(lookback=lookback)(same)


BARS = 1


def test_a_lookback_is_taken_when_an_indicator_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    def declare() -> Indicator:
        @fl.indicator(lookback=lambda **_: BARS)
        def same(x, out):  # type: ignore[no-untyped-def]
            out[:] = x

        return same

    first = declare()
    early = first(fl.close)
    monkeypatch.setattr(f"{__name__}.BARS", 3)
    assert early.lookback == first(fl.close).lookback == 1
    late = declare()(fl.close)
    assert late.lookback == 3 and late.digest != early.digest


# What a loop may read: one number, changed between two declarations and after them.

NUMBER, NUMBERS, LISTED, PAIR = 2.0, np.array([2.0]), [2.0], Bounds(2.0, 9.0)


def times_a_number(x: float) -> float:
    return x * NUMBER


@numba.njit
def times_when_compiled(x: float) -> float:
    return x * NUMBER  # type: ignore[no-any-return]


def times_a_default(x: float, number: float = NUMBER) -> float:
    return x * number


def times_deeply(x: float) -> float:
    return times_a_number(x) + 0.0


def read_number(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = x[i] * NUMBER


def read_array(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = x[i] * NUMBERS[0]


def read_list(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = x[i] * LISTED[0]


def read_field(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = x[i] * PAIR.low


def read_by_a_helper(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = times_deeply(x[i])


def read_by_compiled_code(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = times_when_compiled(x[i])


def read_by_a_default(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = times_a_default(x[i])


def set_number(value: float) -> None:
    globals().update(NUMBER=value, PAIR=Bounds(value, 9.0))
    NUMBERS[0] = LISTED[0] = value
    times_a_default.__defaults__ = (value,)


@pytest.fixture
def number() -> Iterator[None]:
    yield
    set_number(2.0)


READERS = [read_number, read_array, read_list, read_field, read_by_a_helper, read_by_compiled_code, read_by_a_default]


@pytest.mark.parametrize("loop", READERS, ids=lambda loop: loop.__name__)
@pytest.mark.usefixtures("number")
def test_an_indicator_is_what_it_reads(loop: Any) -> None:
    """Under one digest there is one value, that of the declaration, whatever changes later and in both engines."""

    @settings(max_examples=4)
    @given(
        st.lists(st.sampled_from([0.5, 2.0, 3.0, -1.0]), min_size=2, max_size=3), st.sampled_from(["numba", "polars"])
    )
    def check(values: list[float], engine: Any) -> None:
        factors = []
        for value in values:
            set_number(value)
            factors.append(fl.indicator(lookback=lambda **_: 0)(loop)(fl.close))
        set_number(77.0)
        for factor, value in zip(factors, values, strict=True):
            found = fl.example().compute(value=factor, engine=engine)["value"]
            assert found.to_list() == (fl.example().frame["close"] * value).to_list()
        digests = [factor.digest for factor in factors]
        assert [a == b for a in digests for b in digests] == [a == b for a in values for b in values]

    check()


@pytest.mark.parametrize("value", [NUMBERS, LISTED], ids=["array", "list"])
def test_an_indicator_cannot_change_what_it_reads(value: Any) -> None:
    def counts(x, out):  # type: ignore[no-untyped-def]
        out[:] = x
        value[0] += 1

    with pytest.raises(IndicatorError, match=r"counts fails on .* (read-only|does not support item assignment)"):
        fl.indicator(unbounded=True)(counts)


def test_fields_count_by_name() -> None:
    def low_of(bounds: Any) -> Any:
        return lambda x: x * bounds.low

    swapped = namedtuple("Bounds", ["high", "low"])  # type: ignore[name-match]
    assert fingerprint(low_of(Bounds(1.0, 2.0))) != fingerprint(low_of(swapped(1.0, 2.0)))


def test_libraries_tuples_and_arrays_may_be_read() -> None:
    @fl.indicator(lookback=lambda **_: 0)
    def bounded(x, out):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            out[i] = min(max(x[i] * WEIGHTS[1] / WEIGHTS.size, BOUNDS.low), BOUNDS.high) * math.exp(0.0) + np.pi

    expected = (fl.example().frame["close"] + math.pi).to_list()
    WEIGHTS[1] = 3.0
    for engine in ("numba", "polars"):
        values = fl.example().compute(value=bounded(fl.close), engine=engine)["value"]  # type: ignore[arg-type]
        assert values.to_list() == pytest.approx(expected, rel=1e-15)
    WEIGHTS[1] = 2.0


def test_names_of_others_are_not_taken() -> None:
    with pytest.raises(IndicatorError, match="operator ts_mean is defined by Factorloom"):

        @fl.indicator(lookback=window_bars)
        def ts_mean(x, window: fl.Window, out):  # type: ignore[no-untyped-def]
            out[:] = np.nan

    mine = declare_gain()
    mine.module = "elsewhere"
    with pytest.raises(IndicatorError, match="operator gain is defined in elsewhere"):
        declare_gain()
    assert OPERATORS["gain"] is mine


def test_an_indicator_that_is_declared_again_leaves_no_old_output_behind() -> None:
    def declare(outputs: tuple[str, ...]) -> None:
        def two(x, high=None, low=None):  # type: ignore[no-untyped-def]
            high[:], low[:] = x, x

        def one(x, high):  # type: ignore[no-untyped-def]
            high[:] = x

        loop = two if len(outputs) == 2 else one
        loop.__name__ = "band"
        fl.indicator(unbounded=True, outputs=outputs)(loop)

    declare(("high", "low"))
    assert {"band_high", "band_low"} <= OPERATORS.keys()
    declare(("high",))
    assert "band_low" not in OPERATORS


def nameless(x, window: str, out):  # type: ignore[no-untyped-def]
    pass


def unknown(x, window: Nothing, out):  # type: ignore[no-untyped-def, name-defined] # noqa: F821
    pass


def starred(x, *more, out):  # type: ignore[no-untyped-def]
    pass


def misplaced(out, x):  # type: ignore[no-untyped-def]
    pass


def reserved(x: Array, first_bar: int, out: Array) -> None: ...


def inputless(window: fl.Window, out):  # type: ignore[no-untyped-def]
    pass


def zero(x, window: fl.Window = 0, out=None):  # type: ignore[no-untyped-def]
    pass


DECLARATIONS = [
    (nameless, "window is annotated as <class 'str'>"),
    (unknown, "an annotation cannot be read: name 'Nothing'"),
    (starred, r"\*more is not a plain argument"),
    (misplaced, r"must take out last\n  hint: write def misplaced\(x, out\)"),
    (inputless, "has no input"),
    (reserved, "first_bar is a name of the engine's own"),
    (zero, "window must be at least 1, got 0"),
    (lambda x, out: None, "needs a name"),
]


@pytest.mark.parametrize(("loop", "message"), DECLARATIONS)
def test_bad_declarations_are_refused(loop: Any, message: str) -> None:
    with pytest.raises(FactorloomError, match=message):
        fl.indicator(unbounded=True)(loop)


def test_the_memory_of_an_indicator_must_be_known() -> None:
    def same(x, window: fl.Window, out):  # type: ignore[no-untyped-def]
        out[:] = x

    with pytest.raises(IndicatorError, match=r"does not say how many bars it needs\n  hint: write lookback="):
        fl.indicator()(same)
    with pytest.raises(IndicatorError, match=r"lookback of indicator same: .* unexpected keyword"):
        fl.indicator(lookback=lambda: 3)(same)
    with pytest.raises(IndicatorError, match="'float' object cannot be interpreted"):
        fl.indicator(lookback=lambda **_: 2.5)(same)  # type: ignore[arg-type, return-value]


def test_outputs_have_names() -> None:
    def hidden(x, _x):  # type: ignore[no-untyped-def]
        _x[:] = x

    with pytest.raises(IndicatorError, match="rename this output"):
        fl.indicator(unbounded=True, outputs=("_x",))(hidden)


def test_what_numba_cannot_compile_is_named() -> None:
    @fl.indicator(unbounded=True)
    def exact(x, out):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            out[i] = float(Fraction(1, 3)) * x[i]

    with pytest.raises(IndicatorError, match="exact cannot be compiled: Untyped global name 'Fraction'"):
        fl.example().compute(value=exact(fl.close))
    assert fl.example().compute(value=exact(fl.close), engine="polars").height == 8


def calls_itself(value):  # type: ignore[no-untyped-def]
    return calls_itself(value / 2) if value > 1 else value


def test_a_loop_that_calls_itself_is_refused() -> None:
    @fl.indicator(unbounded=True)
    def folded(x, out):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            out[i] = calls_itself(x[i])

    with pytest.raises(IndicatorError, match="calls_itself calls itself"):
        fl.example().compute(value=folded(fl.close))


def test_a_pickled_factor_of_an_indicator_that_is_gone_is_named() -> None:
    data = pickle.dumps(declare_gain()(fl.close, 3))
    del OPERATORS["gain"]
    with pytest.raises(UnknownOperatorError, match="unknown operator 'gain'"):
        pickle.loads(data)


def test_what_a_loop_raises_reaches_the_caller() -> None:
    @fl.indicator(unbounded=True)
    def strict(x, out):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            if x[i] == 22.0:
                raise ValueError("no 22")
            out[i] = x[i]

    with pytest.raises(ValueError, match="no 22"):
        fl.example().compute(value=strict(fl.close))


@pytest.fixture
def documented(tmp_path: Path) -> dict[str, Any]:
    """What the page about indicators defines."""
    script = tmp_path / "page.py"
    script.write_text("\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)))
    return runpy.run_path(str(script))


@pytest.fixture
def bars() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    close = pd.Series(100 * np.exp(np.cumsum(rng.normal(0, 0.02, 400))))
    reach = close * np.abs(rng.normal(0, 0.01, 400))
    dates = pd.date_range("2023-01-01", periods=400)
    return pd.DataFrame({"symbol": "A", "date": dates, "close": close, "high": close + reach, "low": close - reach / 2})


def values_of(bars: pd.DataFrame, **factors: fl.Factor) -> list[Array]:
    panel = fl.Panel.from_frame(bars)
    for name, factor in factors.items():
        assert_same(to_array(panel.compute(value=factor)["value"]), mean_of(factor, panel), name)
    table = panel.compute(factors)
    return [to_array(table[name]) for name in factors]


def test_kama_of_the_page(documented: dict[str, Any], bars: pd.DataFrame) -> None:
    """As Kaufman writes it, with pandas."""
    close = bars["close"]
    ratio = close.diff(8).abs() / close.diff().abs().rolling(8).sum()
    smoothing = (ratio * (2 / 3 - 2 / 21) + 2 / 21) ** 2
    expected = np.full(400, np.nan)
    expected[7] = close[7]
    for i in range(8, 400):
        expected[i] = expected[i - 1] + smoothing[i] * (close[i] - expected[i - 1])
    expected[7] = np.nan
    (found,) = values_of(bars, kama=documented["kama"](fl.close, 8, slow=20))
    assert_same(found, expected, "kama")


def test_supertrend_of_the_page(documented: dict[str, Any], bars: pd.DataFrame) -> None:
    """As charts draw it: final bands, and the line that changes sides where the close crosses it."""
    high, low, close = (bars[name] for name in ("high", "low", "close"))
    last = close.shift()
    true_range = pd.concat([high - low, (high - last).abs(), (low - last).abs()], axis=1).max(axis=1)
    atr = [np.nan] * 6 + [true_range[:7].mean()]
    for value in true_range[7:]:
        atr.append((atr[-1] * 6 + value) / 7)
    upper, lower = (high + low) / 2 + 2 * pd.Series(atr), (high + low) / 2 - 2 * pd.Series(atr)
    direction = [np.nan] * 6 + [1.0]
    for i in range(7, 400):
        upper[i] = upper[i] if upper[i] < upper[i - 1] or close[i - 1] > upper[i - 1] else upper[i - 1]
        lower[i] = lower[i] if lower[i] > lower[i - 1] or close[i - 1] < lower[i - 1] else lower[i - 1]
        crossed = close[i] > upper[i] if direction[-1] < 0 else close[i] < lower[i]
        direction.append(-direction[-1] if crossed else direction[-1])
    trend = documented["supertrend"](fl.high, fl.low, fl.close, window=7, multiplier=2.0)
    line, found = values_of(bars, line=trend.line, direction=trend.direction)
    assert 3 < np.count_nonzero(np.diff(direction[6:])) < 100
    assert_same(found, np.array(direction), "direction")
    assert_same(line, np.where(np.isnan(direction), np.nan, np.where(np.array(direction) > 0, lower, upper)), "line")


def test_other_decorators_and_missing_brackets_are_named() -> None:
    def loop(x: Array, out: Array) -> None: ...

    with pytest.raises(IndicatorError, match=r"loop is a CPUDispatcher, not a plain function\n  hint: leave out other"):
        fl.indicator(unbounded=True)(numba.njit(loop))
    with pytest.raises(IndicatorError, match=r"takes no function\n  hint: write it in brackets"):
        fl.indicator(loop)  # type: ignore[call-overload]
