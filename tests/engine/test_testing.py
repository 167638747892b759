"""`factorloom.testing` finds planted faults, shows the smallest bars as code, and passes what keeps its promises."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given

import factorloom as fl
from factorloom.engine.testing.bars import columns_of, draw_bars
from factorloom.engine.testing.promise import PROMISES, Case, Finding
from factorloom.engine.testing.reduce import written
from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ArgumentError, ParameterError, PromiseError
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.testing import check_factor, check_factors, check_indicator, panels

Array = npt.NDArray[np.float64]


pytestmark = pytest.mark.usefixtures("forget_operators")


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
            "ties": -1 * fl.cs_rank(fl.ts_cov(fl.cs_rank(fl.high), fl.cs_rank(fl.volume), 5)),
        },
        examples=20,
    )


@pytest.mark.parametrize("name", ["alpha101", "alpha158", "alpha360", "gtja191", "technical", "styles"])
def test_libraries_keep_their_promises(name: str) -> None:
    """On a few sets of bars; the profile `fuzz` takes many."""
    from hypothesis import settings

    examples = 100 if settings.get_current_profile_name() == "fuzz" else 2
    check_factors(getattr(fl.library, name)(), examples=examples)


def found(check: Any, *args: Any, **options: Any) -> PromiseError:
    with pytest.raises(PromiseError) as caught:
        check(*args, **options)
    return caught.value


def shown(error: PromiseError) -> tuple[pl.DataFrame, list[float | None], list[float | None]]:
    """What the pasted code makes here, where the planted operators are known: bars, and the values of both ways."""
    assert error.hint is not None
    made: dict[str, Any] = {}
    printed: list[Any] = []
    exec(error.hint.partition("\n\n")[2], made | {"print": printed.append}, made)
    first, second = (list(p[0]) if isinstance(p, tuple) else p["x"].to_list() for p in printed)
    return made["bars"], first, second


def assert_shown(error: PromiseError, most: int) -> None:
    """The two ways give other values, in whichever order symbols come, on so many bars at most."""
    bars, first, second = shown(error)
    assert sorted(map(str, first)) != sorted(map(str, second))
    assert bars.height <= most


def test_a_planted_look_ahead_is_found() -> None:
    @fl.indicator(lookback=lambda: 0)
    def peek(x, y, out):  # type: ignore[no-untyped-def]
        for i in range(len(x)):
            out[i] = x[i]
            if y[i] == 0 and i + 1 < len(x):
                out[i] = x[i + 1]

    error = found(check_factor, fl.cs_rank(peek(fl.close, fl.volume)), promises=["no look-ahead"])
    assert "'no look-ahead'" in error.message
    assert_shown(error, 4)


def test_a_planted_last_bar_is_found() -> None:
    """Where it is always read, the trial at the declaration finds it; here it is read on few bars."""

    @fl.indicator(unbounded=True)
    def final(x, y, out):  # type: ignore[no-untyped-def]
        for i in range(len(x)):
            out[i] = x[len(x) - 1] if y[i] == 0 else x[i]

    for seed in (0, 100, 200):
        error = found(check_factor, final(fl.close, fl.volume), seed=seed)
        assert "'no look-ahead'" in error.message
        assert_shown(error, 3)


def test_a_lookback_that_is_too_short_is_found() -> None:
    @fl.indicator(lookback=lambda window, **_: window - 1)
    def forgetful(x, window: fl.Window, out):  # type: ignore[no-untyped-def]
        for i in range(len(x)):
            out[i] = x[max(i - window, 0)] if x[i] < 0 else x[i]

    for promise in ("part = whole", "missing stays local"):
        error = found(check_factor, forgetful(fl.col("signal"), 3), promises=[promise])
        assert f"'{promise}'" in error.message
        assert_shown(error, 6)


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

    error = found(check_factor, fl.ts_mean(cs_place(fl.close), 2))
    assert "breaks the promise 'symbols have no order'" in error.message
    assert_shown(error, 4)


def test_a_planted_infinity_is_found() -> None:
    @fl.indicator(lookback=lambda: 0)
    def reciprocal(x, out):  # type: ignore[no-untyped-def]
        for i in range(len(x)):
            out[i] = 1 / x[i]

    for error in (found(check_indicator, reciprocal), found(check_factor, fl.ts_mean(reciprocal(fl.volume), 2))):
        assert "'finite'" in error.message
        bars, _, second = shown(error)
        assert bars.to_series(2).to_list() == [0.0]
        assert np.isinf(second).all()


@pytest.mark.parametrize("around", [lambda x: x, lambda x: fl.ts_mean(x / fl.close, 3)], ids=["last", "inside"])
def test_executors_that_differ_are_found(monkeypatch: pytest.MonkeyPatch, around: Callable[[Factor], Factor]) -> None:
    form = fl.ts_delta.forms["polars"]
    wrong = type(form)(lambda x, periods: (x - x.shift(periods)) * 1.000001, form.statistics)
    monkeypatch.setitem(fl.ts_delta.forms, "polars", wrong)
    error = found(check_factor, around(fl.ts_delta(fl.close, 1)))
    assert "'executor = executor'" in error.message
    assert_shown(error, 4)


def test_code_of_bars_in_a_time_zone_runs() -> None:
    moments = pl.datetime_range(datetime(2024, 1, 2), datetime(2024, 1, 3), "12h", time_zone="Asia/Kolkata", eager=True)
    bars = pl.DataFrame(
        {"symbol": ["A"] * 3, "date": moments, "close": [1.0, None, 3.0], "pe": pl.Series([None] * 3, dtype=pl.Float64)}
    )
    finding = Finding("x", "A", datetime(2024, 1, 2), 1.0, 2.0, "panel.compute(x=fl.close * 2)")
    code = written(Case(bars, {"x": fl.close}, 0), finding, "finite")
    again, first, second = shown(PromiseError("", hint="this shows it:\n\n" + code))
    assert again.equals(bars)
    assert (first, second) == ([1.0, None, 3.0], [2.0, None, 6.0])


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
    assert {pl.Date(), pl.Datetime("us"), pl.Datetime("us", "America/New_York")} <= kinds


@given(panels(["close", "pe"], ["sector"], intraday=True))
def test_panels_of_times_of_day(panel: fl.Panel) -> None:
    assert panel.frame.schema["date"] == pl.Datetime("us")
    assert set(panel.frame.columns) == {"symbol", "date", "close", "pe", "sector"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"promises": ["fast"]}, "'fast' is not a promise"),
        ({"examples": 0}, "examples must be a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
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
NOTHING = {}

def needs(window):
    return fl.ts_mean(fl.close, window)

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
    (tmp_path / "pasted.py").write_text(broken.stderr.partition("this shows it:\n\n")[2])
    assert "inf" in run("pasted").stdout
    for reference, message in {
        "mine": "is not a module and a name",
        "mine:FACTOR": "did you mean 'FACTORS'",
        "mine:NOTHING": "mine:NOTHING is empty",
        "mine:needs": "mine:needs cannot be called: TypeError",
    }.items():
        wrong = run("factorloom", "check-factors", reference)
        assert wrong.returncode == 2
        assert message in wrong.stderr
    marked = run("pytest", "-q", "-p", "no:cacheprovider", "test_mine.py")
    assert marked.returncode == 0, marked.stdout
    assert "2 passed" in marked.stdout


def test_without_hypothesis_checks_work_and_strategies_say_what_to_install() -> None:
    code = """
import sys
import factorloom as fl
assert not {"hypothesis", "factorloom.testing", "factorloom.engine.testing"} & set(sys.modules)
sys.modules["hypothesis"] = None
import factorloom.testing
factorloom.testing.check_factor(fl.close, examples=1)
try:
    factorloom.testing.panels
except fl.errors.MissingLibraryError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "the strategies need Hypothesis" in result.stdout
    assert "pip install 'factorloom[testing]'" in result.stdout
