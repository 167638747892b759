"""How qweave's Alpha101 and GTJA191 differ from ours."""

from __future__ import annotations

from collections.abc import Iterable

from factorloom.bench.difference import CONSTANT, TIES, Differences, FormulaDifference, OperatorDifference
from factorloom.expressions.operators import fill, power, where

__all__ = ["DIFFERENCES"]

INFINITE = "x / 0 is infinite, and running sums lose precision after it"
PRINTED = "the formula as printed, without adding the missing parentheses"

RETURNS = "ts_pct_change(close, 1)"
GROWTH = "(close / ts_delay(close, 19)) ** (1 / 20) - 1"
SECOND = "2 * ts_ema(ts_ema((close - ts_min(low, 9)) / (ts_max(high, 9) - "

RANKED = (
    *(7, 10, 13, 15, 16, 17, 20, 29, 31, 34, 35, 36, 37, 39, 40),
    *(43, 45, 47, 55, 65, 67, 76, 82, 85, 90, 94, 97, 98),
)
GTJA_RANKED = (
    *(25, 32, 35, 39, 42, 45, 56, 83, 85, 91, 99, 107, 108, 113),
    *(115, 117, 119, 121, 138, 141, 142, 148, 157, 170, 176, 184, 185),
)
REAL_TIES = (5, 11, 42, 63, 69, 70, 73, 95)
REAL_CONSTANT = (3, 15, 27, 50, 68, 71, 74, 75, 78, 79, 81, 92, 98, 100)
GTJA_REAL_TIES = (7, 8, 12, 41, 61, 120, 131, 156)
GTJA_REAL_CONSTANT = (16, 32, 36, 74, 90, 101, 105, 119, 130, 141, 179)


def named(template: str, numbers: Iterable[int], cause: str) -> dict[str, str]:
    return dict.fromkeys(map(template.format, numbers), cause)


def rescaled(window: int) -> FormulaDifference:
    """A range of sums, of which only the minimum is divided by the standard deviation."""
    sums, deviation = f"ts_sum(close - ts_mean(close, {window}), {window})", f"ts_std(close, {window})"
    theirs = f"ts_max({sums}, {window}) - ts_min({sums}, {window}) / {deviation}"
    return FormulaDifference(PRINTED, {f"ts_range_of_sums(close, {window}) / {deviation}": theirs})


OPERATORS = {
    "power": OperatorDifference(
        "1 to the power of a missing value is 1", lambda x, y: fill(power(x, y), where(x == 1, 1))
    ),
}

ALPHA101 = Differences(
    "qweave",
    "alpha101",
    operators=OPERATORS,
    formulas={"alpha066": FormulaDifference(INFINITE)},
    rounding={**named("alpha{:03}", RANKED, TIES), "alpha088": CONSTANT},
    real={**named("alpha{:03}", REAL_TIES, TIES), **named("alpha{:03}", REAL_CONSTANT, CONSTANT)},
)
GTJA191 = Differences(
    "qweave",
    "gtja191",
    operators=OPERATORS,
    formulas={
        "gtja028": FormulaDifference(
            "the second range runs from the highest low to the highest high",
            {f"{SECOND}ts_min(low, 9))": f"{SECOND}ts_max(low, 9))"},
        ),
        "gtja087": FormulaDifference(INFINITE),
        "gtja146": FormulaDifference(
            "an SMA has values from the first bar on, not only after n bars", {"min_samples=61": "min_samples=1"}
        ),
        "gtja165": rescaled(48),
        "gtja166": FormulaDifference(
            PRINTED,
            {
                f"-1 * ts_skew({RETURNS}, 20)": f"-20 * 19 ** 1.5 * ts_sum({RETURNS} - ts_mean({RETURNS}, 20), 20)"
                f" / (19 * 18 * ts_sum({RETURNS} + 1, 20) ** 2) ** 1.5"
            },
        ),
        "gtja183": rescaled(24),
        "gtja190": FormulaDifference(
            "the first square as printed: of RET-(1+g)-1",
            {f"< {GROWTH}, ({RETURNS} - ({GROWTH}))": f"< {GROWTH}, ({RETURNS} - {GROWTH})"},
        ),
    },
    rounding={**named("gtja{:03}", GTJA_RANKED, TIES), "gtja140": CONSTANT},
    real={**named("gtja{:03}", GTJA_REAL_TIES, TIES), **named("gtja{:03}", GTJA_REAL_CONSTANT, CONSTANT)},
)

DIFFERENCES = (ALPHA101, GTJA191)
