"""`factorloom.testing` finds planted faults, shows the smallest bars as code, and passes what keeps its promises."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import factorloom as fl
from factorloom.engine.testing.bars import columns_of, draw_bars
from factorloom.engine.testing.promise import PROMISES
from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ArgumentError, ParameterError, PromiseError
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.registry import OPERATORS
from factorloom.testing import check_factor, check_factors, check_indicator

Array = npt.NDArray[np.float64]


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    before = dict(OPERATORS)
    yield
    OPERATORS.clear()
    OPERATORS.update(before)


def test_what_keeps_its_promises_passes() -> None:
    check_factors(
        {
            "time": fl.ts_mean(fl.close, 3) / fl.ts_std(fl.close, 4),
            "cross": fl.cs_rank(fl.ts_delta(fl.close, 1)),
            "group": fl.group_zscore(fl.cs_rank(fl.volume), "sector"),
            "nested": fl.ts_corr(fl.cs_rank(fl.close), fl.cs_rank(fl.volume), 5),
            "memory": fl.ts_ema(fl.close, 5),
            "label": fl.ts_lead(fl.close, 2) / fl.close - 1,
            "constant": fl.lit(3),
        },
        examples=20,
    )


@pytest.mark.parametrize("name", ["alpha101", "alpha158", "alpha360", "gtja191", "technical", "styles"])
def test_libraries_keep_their_promises(name: str) -> None:
    """A few bars each; the profile `fuzz` takes many."""
    from hypothesis import settings

    examples = 100 if settings.get_current_profile_name() == "fuzz" else 2
    check_factors(getattr(fl.library, name)(), examples=examples)


def found(check: Any, *args: Any, **options: Any) -> PromiseError:
    with pytest.raises(PromiseError) as caught:
        check(*args, **options)
    return caught.value


def test_a_planted_look_ahead_is_found() -> None:
    @fl.indicator(lookback=lambda: 0)
    def peek(x, y, out):  # type: ignore[no-untyped-def]
        for i in range(len(x)):
            out[i] = x[i]
            if y[i] == 0 and i + 1 < len(x):
                out[i] = x[i + 1]

    factor = fl.cs_rank(peek(fl.close, fl.volume))
    for promise in ("no look-ahead", "part = whole"):
        error = found(check_factor, factor, promises=[promise])
        assert repr(promise) in error.message
        assert_shown(error)


def test_a_lookback_that_is_too_short_is_found() -> None:

    @fl.indicator(lookback=lambda window, **_: window - 1)
    def forgetful(x, window: fl.Window, out):  # type: ignore[no-untyped-def]
        for i in range(len(x)):
            out[i] = x[max(i - window, 0)] if x[i] < 0 else x[i]

    for promise in ("part = whole", "missing stays local"):
        error = found(check_factor, forgetful(fl.col("signal"), 3), promises=[promise])
        assert repr(promise) in error.message
        assert_shown(error)


def test_a_planted_order_of_symbols_is_found() -> None:
    @operator(Axis.CROSS)
    def cs_place(x: Input) -> Factor:
        """Return the place in the cross-section."""

    @cs_place.polars
    def _(x: pl.Expr) -> pl.Expr:
        return pl.when(x.is_not_null()).then(pl.int_range(pl.len())).cast(pl.Float64)

    @cs_place.kernel
    def _(x: Array, out: Array) -> None:
        for i in range(x.size):
            out[i] = np.nan if np.isnan(x[i]) else i

    error = found(check_factor, cs_place(fl.close))
    assert "breaks the promise 'symbols have no order'" in error.message
    assert_shown(error)


def test_a_planted_infinity_is_found() -> None:
    @fl.indicator(lookback=lambda: 0)
    def reciprocal(x, out):  # type: ignore[no-untyped-def]
        for i in range(len(x)):
            out[i] = 1 / x[i]

    for error in (found(check_indicator, reciprocal), found(check_factor, fl.ts_mean(reciprocal(fl.volume), 2))):
        assert "'finite'" in error.message
        assert "[0.0]" in str(error)  # the smallest bars: one bar, whose number is 0


def test_executors_that_differ_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    form = fl.ts_delta.forms["polars"]
    wrong = type(form)(lambda x, periods: x - x.shift(periods) * 1.000001, form.statistics)
    monkeypatch.setitem(fl.ts_delta.forms, "polars", wrong)
    error = found(check_factor, fl.ts_delta(fl.close, 1))
    assert "'executor = executor'" in error.message
    assert "engine='polars'" in output_code(error)
    assert_shown(error)


def output_code(error: PromiseError) -> str:
    assert error.hint is not None
    return error.hint.partition("\n\n")[2]


def assert_shown(error: PromiseError) -> None:
    """The code runs, in this process, where the planted operator is known, and both results have other values."""
    frames: list[pl.DataFrame] = []
    exec(output_code(error), {"print": frames.append})
    first, second = frames
    both = first.join(second, on=["symbol", "date"], suffix="_second")
    assert both.select((pl.col("x").ne_missing(pl.col("x_second"))).any()).item()


def test_checks_are_the_same_each_time() -> None:
    @fl.indicator(lookback=lambda: 0)
    def reciprocal(x, out):  # type: ignore[no-untyped-def]
        for i in range(len(x)):
            out[i] = 1 / x[i]

    assert str(found(check_indicator, reciprocal, seed=3)) == str(found(check_indicator, reciprocal, seed=3))


def test_bars_have_what_a_factor_reads() -> None:
    wanted = [fl.group_rank(fl.ts_mean(fl.close, 30), "sector"), fl.col("pe")]
    assert columns_of(wanted) == (["close", "pe"], ["sector"])
    kinds = set()
    for seed in range(40):
        bars = draw_bars(np.random.default_rng(seed), wanted)
        assert set(bars.columns) == {"symbol", "date", "close", "pe", "sector"}
        assert not bars.select(pl.any_horizontal(pl.col("close", "pe").is_nan().any())).item()
        kinds.add(bars.schema["date"])
    assert len(kinds) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"promises": ["fast"]}, "'fast' is not a promise"),
        ({"promises": "fast"}, "'fast' is not a promise"),
        ({"promises": iter([])}, "promises is empty"),
        ({"examples": 0}, "examples must be a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": "x"}, "seed must be"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        check_factor(fl.close, **options)
    with pytest.raises(ArgumentError, match="no factor"):
        check_factors({})


def test_every_promise_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
    for name, promise in PROMISES.items():
        assert f"| `{name}` |" in page
        assert promise.__doc__


MODULE = """
import factorloom as fl

FACTORS = {"gap": fl.open_ / fl.ts_delay(fl.close, 1) - 1, "rank": "cs_rank(close)"}

@fl.indicator(lookback=lambda: 0)
def reciprocal(x, out):
    for i in range(len(x)):
        out[i] = 1 / x[i]
"""
TESTS = """
from factorloom.testing import check_factor, each_factor
from mine import FACTORS

@each_factor(FACTORS)
def test_promises(factor):
    check_factor(factor, examples=2)
"""


def test_the_command_and_the_mark(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(textwrap.dedent(MODULE))
    (tmp_path / "test_mine.py").write_text(textwrap.dedent(TESTS))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    passed = run("factorloom", "check-factors", "mine:FACTORS", "--examples", "2")
    assert (passed.returncode, passed.stdout) == (0, "2 factors checked on 2 sets of bars: all promises kept\n")
    broken = run("factorloom", "check-factors", "mine:reciprocal")
    assert broken.returncode == 1
    assert "breaks the promise 'finite'" in broken.stderr
    for reference, message in {"mine": "is not a module and a name", "mine:FACTOR": "did you mean 'FACTORS'"}.items():
        wrong = run("factorloom", "check-factors", reference)
        assert wrong.returncode == 2
        assert message in wrong.stderr
    marked = run("pytest", "-q", "-p", "no:cacheprovider", "test_mine.py")
    assert marked.returncode == 0, marked.stdout
    assert "2 passed" in marked.stdout
