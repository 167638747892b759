"""How qweave reads the formulas of Alpha101 and GTJA191."""

from __future__ import annotations

from factorloom.bench.difference import CONSTANT, TIES, Change, Meaning, Reading
from factorloom.expressions.operators import fill, power, where

__all__ = ["READINGS"]

INFINITE = "a ratio to 0 is infinite, and running sums lose digits after it"
PRINTED = "as printed, without the missing brackets"

RETURNS = "ts_pct_change(close, 1)"
GROWTH = "(close / ts_delay(close, 19)) ** (1 / 20) - 1"
SECOND = "2 * ts_ema(ts_ema((close - ts_min(low, 9)) / (ts_max(high, 9) - "

RANKED = (13, 15, 16, 31, 45, 63, 76, 82, 85, 92, 94, 97, 98)
GTJA_RANKED = (32, 35, 39, 83, 99, 113, 115, 119, 121, 138, 141)


def rescaled(window: int) -> Change:
    """The range of sums, one of them divided by the deviation."""
    sums, deviation = f"ts_sum(close - ts_mean(close, {window}), {window})", f"ts_std(close, {window})"
    theirs = f"ts_max({sums}, {window}) - ts_min({sums}, {window}) / {deviation}"
    return Change(PRINTED, {f"ts_range_of_sums(close, {window}) / {deviation}": theirs})


MEANINGS = {
    "power": Meaning("1 to a missing power is 1", lambda x, y: fill(power(x, y), where(x == 1, 1))),
}

ALPHA101 = Reading(
    "qweave",
    "alpha101",
    operators=MEANINGS,
    formulas={"alpha066": Change(INFINITE)},
    rounding={**dict.fromkeys((f"alpha{number:03}" for number in RANKED), TIES), "alpha088": CONSTANT},
)
GTJA191 = Reading(
    "qweave",
    "gtja191",
    operators=MEANINGS,
    formulas={
        "gtja028": Change(
            "the second range is from the highest low to the highest high",
            {f"{SECOND}ts_min(low, 9))": f"{SECOND}ts_max(low, 9))"},
        ),
        "gtja087": Change(INFINITE),
        "gtja146": Change("an SMA shows from its first value, not after n", {"min_samples=61": "min_samples=1"}),
        "gtja165": rescaled(48),
        "gtja166": Change(
            PRINTED,
            {
                f"-1 * ts_skew({RETURNS}, 20)": f"-20 * 19 ** 1.5 * ts_sum({RETURNS} - ts_mean({RETURNS}, 20), 20)"
                f" / (19 * 18 * ts_sum({RETURNS} + 1, 20) ** 2) ** 1.5"
            },
        ),
        "gtja183": rescaled(24),
        "gtja190": Change(
            "the first square as printed, of RET-(1+g)-1",
            {f"< {GROWTH}, ({RETURNS} - ({GROWTH}))": f"< {GROWTH}, ({RETURNS} - {GROWTH})"},
        ),
    },
    rounding={**dict.fromkeys((f"gtja{number:03}" for number in GTJA_RANKED), TIES), "gtja140": CONSTANT},
)

READINGS = (ALPHA101, GTJA191)
