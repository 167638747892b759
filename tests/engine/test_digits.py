"""The accuracy of operators at any level, after any outlier and from any first bar, against exact arithmetic.

The measured errors are published: `python -m tests.engine.test_digits > docs/precision.md`.
"""

from __future__ import annotations

import functools
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

import factorloom as fl
from factorloom.engine.panel import Engine
from factorloom.expressions import operators
from factorloom.expressions.axis import Axis
from factorloom.expressions.indicator import Indicator
from tests.engine.exact import (
    EXPOSURE,
    ORDER_ONLY,
    RULES,
    SCALES,
    WEIGHT,
    WINDOW,
    Array,
    Rule,
    Sample,
    samples,
)
from tests.oracle import mean_of

BARS = 120
PAGE = Path(__file__).parents[2] / "docs" / "precision.md"
TIME_RULES = tuple(rule for rule in RULES if not rule.is_cross)
CROSS_RULES = tuple(rule for rule in RULES if rule.is_cross)


@functools.cache
def series() -> dict[str, tuple[Array, Array]]:
    """Pairs of series, with NaN for missing: a difficult one and plain noise, in either order."""
    rng, bar = np.random.default_rng(11), np.arange(BARS)
    noise, other = rng.normal(0, 1, BARS), rng.normal(0, 1, BARS)
    gaps, other_gaps = rng.random(BARS) < 0.3, rng.random(BARS) < 0.1
    stretch = (bar >= 30) & (bar < 75)
    hard = {
        "level 1e8": 1e8 + noise,
        "an outlier of 1e12": np.where(bar == 40, 1e12, noise),
        "first bar an outlier": np.where(bar == 0, 1e12, noise),
        "1e-8 and 1e8 in turn": np.where(bar % 2, 1e8, 1e-8),
        "small steps at 1e8": 1e8 + np.cumsum(noise) * 1e-3,
        "a level that jumps": np.where(bar < 60, 1e8, 1e-3) + noise,
        "a line at 1e8": 1e8 + 0.1 * bar,
        "constant 0.1 within noise": np.where(stretch, 0.1, noise),
        "constant 1e8 + 0.1 within noise": np.where(stretch, 1e8 + 0.1, 1e8 + noise),
        "level 1e8 with gaps": np.where(gaps, np.nan, 1e8 + noise),
        "an outlier among gaps": np.where(bar == 47, 1e12, np.where(gaps, np.nan, noise)),
        "a window longer than the series": 1e8 + noise[: WINDOW - 5],
    }
    others = {name: np.where(other_gaps & ("gaps" in name), np.nan, other)[: x.size] for name, x in hard.items()}
    as_x = {name: (x, others[name]) for name, x in hard.items()}
    return as_x | {f"{name}, as y": (others[name], x) for name, x in hard.items()}


class ExactResults(NamedTuple):
    """Exact results of rules on bars or members, each the sum of two doubles, NaN for missing, and their scales."""

    high: Array
    low: Array
    scale: Array

    def errors(self, values: Array) -> Array:
        """The relative errors: infinite if a cell is wrongly missing or present, or if a 0 is not exact."""
        difference = np.abs((values - self.high) - self.low)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(difference == 0, 0.0, difference / self.scale)
        missing = np.isnan(self.high)
        return np.where(missing & np.isnan(values), 0.0, np.where(missing | np.isnan(values), np.inf, relative))


def exact_results(rules: Sequence[Rule], cells: Sequence[tuple[Sample, int]]) -> ExactResults:
    out = np.full((3, len(rules), len(cells)), np.nan)
    for row, rule in enumerate(rules):
        for column, (s, k) in enumerate(cells):
            exact = rule.exact(s, k)
            if exact is not None:
                high = float(exact)
                scale = SCALES[rule.scale][0](s, k, rule, exact)
                out[:, row, column] = high, float(exact - Fraction(high)), float(scale)
    return ExactResults(*out)


@functools.cache
def windows() -> dict[str, list[Sample]]:
    return {name: list(samples(*pair)) for name, pair in series().items()}


@functools.cache
def sections() -> dict[str, Sample]:
    """Every tenth window of every series, taken as a cross-section."""
    return {f"{name}, bar {i}": s for name, each in windows().items() for i, s in enumerate(each) if i % 10 == 9}


@functools.cache
def time_results() -> dict[str, ExactResults]:
    return {name: exact_results(TIME_RULES, [(s, -1) for s in each]) for name, each in windows().items()}


@functools.cache
def cross_results() -> dict[str, ExactResults]:
    return {name: exact_results(CROSS_RULES, [(s, k) for k in range(WINDOW)]) for name, s in sections().items()}


def day(number: int) -> date:
    return date(2020, 1, 1) + timedelta(days=number)


def panel_of(pairs: Mapping[str, tuple[Array, Array]]) -> fl.Panel:
    """Every pair of series as one symbol."""
    columns = [
        pl.DataFrame({"symbol": [name] * x.size, "date": [day(k) for k in range(x.size)], "x": x, "y": y})
        for name, (x, y) in pairs.items()
    ]
    return fl.Panel.from_frame(pl.concat(columns))


def panel_of_sections() -> fl.Panel:
    """Every section as one date."""
    columns = {"z": EXPOSURE, "w": WEIGHT, "symbol": [f"M{k:02}" for k in range(WINDOW)]}
    rows = [
        pl.DataFrame({"date": [day(number)] * WINDOW, "x": floats(s.x), "y": floats(s.y), **columns})
        for number, s in enumerate(sections().values())
    ]
    return fl.Panel.from_frame(pl.concat(rows))


def floats(cells: Iterable[Fraction | None]) -> list[float]:
    return [math.nan if cell is None else float(cell) for cell in cells]


def computed(rules: Sequence[Rule], panel: fl.Panel, by: str, engine: Engine = "numba") -> dict[object, Array]:
    """The values of an engine for every symbol or date, one row per rule."""
    factors = {rule.call: rule.factor for rule in rules}
    parts = panel.compute(factors, engine=engine).partition_by(by, as_dict=True)
    return {key: part.select(list(factors)).fill_null(np.nan).to_numpy().T for (key,), part in parts.items()}


class Worst(NamedTuple):
    """The largest error of a rule, and a description of its cell."""

    error: float = 0.0
    cell: str = ""


@functools.cache
def measured() -> dict[str, Worst]:
    """The worst error of every rule over all series and both engines."""
    worst = {rule.call: Worst() for rule in RULES}
    dates = {day(number): name for number, name in enumerate(sections())}
    engines: tuple[Engine, ...] = ("numba", "polars")
    for engine in engines:
        for name, values in computed(TIME_RULES, panel_of(series()), "symbol", engine).items():
            _update(worst, TIME_RULES, time_results()[str(name)], values, f"{name} by {engine}")
        for key, values in computed(CROSS_RULES, panel_of_sections(), "date", engine).items():
            name = dates[key]  # type: ignore[index]
            _update(worst, CROSS_RULES, cross_results()[name], values, f"{name} by {engine}")
    return worst


def _update(worst: dict[str, Worst], rules: Sequence[Rule], results: ExactResults, values: Array, name: str) -> None:
    for row, (rule, errors) in enumerate(zip(rules, results.errors(values), strict=True)):
        k = int(np.argmax(errors))
        if errors[k] > worst[rule.call].error:
            value, exact, scale = values[row, k], results.high[row, k], results.scale[row, k]
            cell = f"{rule.call} on {name}, position {k}: {value} instead of {exact}, relative to {scale:.3g}"
            worst[rule.call] = Worst(float(errors[k]), cell)


# --- the page ------------------------------------------------------------------------------------------------------

HEAD = f"""# Precision

Rolling moments, covariances and regressions keep 1e-9 relative accuracy at a price level of 1e8 with unit variance,
after an outlier of 1e12 has left the window, and whatever bar a series starts from. This page gives the worst measured
error of every operator that rounds, with the Numba kernels and with the Polars backend, against exact fractions (square
roots and logarithms have 50 digits).

The series have {BARS} bars and the windows {WINDOW}. They are: noise at a level of 1e8; noise with an outlier of 1e12,
later or on the first bar; 1e-8 and 1e8 in turn; small steps at 1e8; a level that jumps; a straight line; noise with a
constant stretch, of 0.1 or of 1e8 + 0.1; series with gaps; and a series shorter than the window. Operators on two
inputs get plain noise as the other input, in either order. Operators on cross-sections get windows of the same series,
one value per symbol.

A cell is missing exactly where it should be. Where the only possible result is 0, as for the standard deviation of a
constant, it is exactly 0. A series that starts later has the same values once the window is full.

The second column says what an error is relative to; the reasons are in the next table. Errors are rounded up to one
digit. The page is generated by `python -m tests.engine.test_digits > docs/precision.md` in the root of the repository.
The tests measure again, and fail if an error is above 1e-9 or above ten times the figure here.

| operator | relative to | worst error |
|---|---|---|
"""
REASONS = """
## What errors are relative to

`x` and `y` are the values in the window, and `std` is their standard deviation.

| relative to | reason |
|---|---|
"""
OTHERS = """
## Operators that do not round

They return an input value, a position or a count. Both engines agree exactly with the definition: {names}.

## Recursive loops

Averages and stops whose next value depends on the last one are loops, which both engines run. The tests compare them
with TA-Lib or another library, to 1e-9: {loops}.

## Limits of floating-point arithmetic

- `ts_entropy` counts values in bins. A value within rounding of the edge of a bin may fall on either side of it.
- `ts_wma` takes weights of any sign, and loses digits if their sum cancels. It is measured with positive weights.
- `ts_ema`, `ts_ewm_std`, `ts_cumsum` and `ts_cumprod` have an unbounded lookback. An outlier of 1e12 stays in a sum
  forever, and in an average for as long as its weight matters.
"""


def page(figures: Mapping[str, str]) -> str:
    rows = [f"| `{rule.call}` | {cell(rule.scale)} | {figures[rule.call]} |\n" for rule in RULES]
    reasons = [f"| {cell(name)} | {cell(reason)} |\n" for name, (_, reason) in SCALES.items()]
    loops = (name for name in operators.__all__ if isinstance(getattr(operators, name), Indicator))
    others = OTHERS.format(names=join(ORDER_ONLY), loops=join(loops))
    return HEAD + "".join(rows) + REASONS + "".join(reasons) + others


def join(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def rounded_up(error: float) -> str:
    """An error with one digit, `0` for an exact operator."""
    if not error:
        return "0"
    power = math.floor(math.log10(error))
    digit = math.ceil(error / 10.0**power)
    return f"1e{power + 1:03}" if digit == 10 else f"{digit}e{power:03}"


def stated() -> dict[str, str]:
    return dict(re.findall(r"^\| `(\w+\(.*\))` \| .* \| (\S+) \|$", PAGE.read_text(), re.MULTILINE))


# --- tests ---------------------------------------------------------------------------------------------------------

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.call)


@every_rule
def test_an_operator_is_accurate_to_nine_digits(rule: Rule) -> None:
    worst = measured()[rule.call]
    assert worst.error <= 1e-9, f"{worst.error:.1e}: {worst.cell}"


@every_rule
def test_an_operator_is_as_accurate_as_the_page_says(rule: Rule) -> None:
    worst = measured()[rule.call]
    assert worst.error <= max(10 * float(stated()[rule.call]), 1e-15), f"{worst.error:.1e}: {worst.cell}"


def test_the_page_is_generated() -> None:
    assert PAGE.read_text() == page(stated())


def test_every_operator_along_time_is_listed() -> None:
    along_time = {op.name for op in fl.operators() if op.axis is Axis.TIME and not isinstance(op, Indicator)}
    measured_here = {rule.operator for rule in TIME_RULES}
    assert measured_here.isdisjoint(ORDER_ONLY)
    assert along_time == measured_here | set(ORDER_ONLY)
    assert {text.partition("(")[0] for text in ORDER_ONLY.values()} == set(ORDER_ONLY)


def test_every_scale_is_used() -> None:
    assert {rule.scale for rule in RULES} == set(SCALES)


@pytest.mark.parametrize("name", series())
def test_a_series_may_start_at_any_bar(name: str) -> None:
    """Full windows have the same values whichever bar the series starts from."""
    x, y = series()[name]
    rules = [rule for rule in TIME_RULES if not rule.is_unbounded]
    rows = [row for row, rule in enumerate(TIME_RULES) if not rule.is_unbounded]
    scale = time_results()[name].scale[rows]
    cut = {f"{first}": (x[first:], y[first:]) for first in range(x.size)}
    values = computed(rules, panel_of(cut), "symbol")
    whole = values["0"]
    for first in range(1, x.size):
        full = first + WINDOW  # one bar more, which the autocorrelation reads
        left, right, size = values[f"{first}"][:, full - first :], whole[:, full:], scale[:, full:]
        assert (np.isnan(left) == np.isnan(right)).all(), f"missing cells differ from bar {first} on"
        present = ~np.isnan(left)
        assert (np.abs(left - right)[present] <= 1e-9 * size[present]).all(), f"values differ from bar {first} on"


@pytest.mark.parametrize("engine", ["numba", "polars"])
@pytest.mark.parametrize("operator", ORDER_ONLY)
def test_operators_that_do_not_round_are_exact(operator: str, engine: Engine) -> None:
    factor, panel = fl.parse(ORDER_ONLY[operator]), panel_of(series())
    values = panel.compute(value=factor, engine=engine)["value"].fill_null(np.nan).to_numpy()
    np.testing.assert_array_equal(values, mean_of(factor, panel))


CONSTANTS = {
    **dict.fromkeys(("ts_mean(x, 20)", "ts_quantile(x, 20, q=0.3)", "ts_decay_linear(x, 20)", "ts_ema(x, 20)"), "x"),
    **dict.fromkeys(("ts_trend(x, 20, value='fitted')", "ts_regression(x, y, 20, value='intercept')"), "x"),
    **dict.fromkeys(("ts_std(x, 20)", "ts_var(x, 20)", "ts_mad(x, 20)", "ts_ewm_std(x, 20)", "ts_entropy(x, 20)"), "0"),
    **dict.fromkeys(("ts_cov(x, y, 20)", "ts_beta(x, y, 20)", "ts_trend(x, 20)", "ts_delta(x, 1)"), "0"),
    **dict.fromkeys(("ts_zscore(x, 20)", "ts_skew(x, 20)", "ts_kurt(x, 20)", "ts_scale(x, 20)"), "missing"),
    **dict.fromkeys(("ts_corr(x, y, 20)", "ts_autocorr(x, 20)", "ts_beta(y, x, 20)"), "missing"),
    **dict.fromkeys(("ts_regression(y, x, 20)", "ts_trend(x, 20, value='rsquared')"), "missing"),
}


@pytest.mark.parametrize("engine", ["numba", "polars"])
@pytest.mark.parametrize("level", [0.1, 1e8 / 3, 1e8 + 0.1, 1e-12])
def test_results_on_a_constant_are_exact(level: float, engine: Engine) -> None:
    x, y = np.full(50, level), np.random.default_rng(3).normal(0, 1, 50)
    factors = {text: fl.parse(text) for text in CONSTANTS}
    values = panel_of({"A": (x, y)}).compute(factors, engine=engine)[WINDOW:]
    for text, expected in CONSTANTS.items():
        constant = {"x": level, "0": 0.0, "missing": None}[expected]
        assert values[text].unique().to_list() == [constant], text


if __name__ == "__main__":
    sys.stdout.write(page({call: rounded_up(worst.error) for call, worst in measured().items()}))
