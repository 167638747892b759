"""How KunQuant's Alpha101 differs from ours. Most of its formulas come from a well-known transcription into pandas."""

from __future__ import annotations

from collections.abc import Iterable

from factorloom.bench.difference import CONSTANT, TIES, Differences, FormulaDifference, OperatorDifference
from factorloom.expressions.operators import fill, less, power, ts_rank, where

__all__ = ["DIFFERENCES"]

WRONG_SUMS = "running sums stay wrong after a correlation with a constant"
MEAN = "divides a mean by the window a second time"
NEAREST = "rounds fractional windows to the nearest day, instead of down"
TIED = (7, 13, 16, 17, 20, 29, 31, 34, 35, 36, 37, 39, 40, 43, 47, 55, 65, 94)
CONSTANTS = (3, 15, 45, 50, 72, 75, 78, 81, 85, 88, 92, 96)
REAL_TIED = (5, 11, 42)
REAL_CONSTANTS = (44, 55, 71, 74, 94)


def named(numbers: Iterable[int], cause: str) -> dict[str, str]:
    return dict.fromkeys(map("alpha{:03}".format, numbers), cause)


def nearest(*replacements: tuple[str, str]) -> FormulaDifference:
    """Windows that are rounded to the nearest day; ours are rounded down."""
    return FormulaDifference(NEAREST, dict(replacements))


def filled(*texts: str, value: int = 0) -> FormulaDifference:
    """Correlations that get a value where they are undefined."""
    replacements = {text: f"fill({text}, {value})" for text in texts}
    return FormulaDifference(f"an undefined correlation is {value}", replacements)


def both(first: FormulaDifference, then: FormulaDifference) -> FormulaDifference:
    replacements = {**(first.replacements or {}), **(then.replacements or {})}
    return FormulaDifference(f"{first.cause}; {then.cause}", replacements)


ALPHA101 = Differences(
    "kunquant",
    "alpha101",
    operators={
        "ts_rank": OperatorDifference(
            "gives ranks from 1 to the number of values, without dividing",
            lambda x, window, *_: ts_rank(x, window) * window,
        ),
        "less": OperatorDifference("a comparison with a missing value is false", lambda x, y: fill(less(x, y), 0)),
        "power": OperatorDifference(
            "is computed in single precision", lambda x, y: where(power(x, y) < 3.4e38, power(x, y))
        ),
    },
    formulas={
        "alpha001": FormulaDifference("does not subtract 0.5", {" - 0.5": ""}),
        "alpha003": filled("ts_corr(cs_rank(open), cs_rank(volume), 10)"),
        "alpha010": FormulaDifference("does not rank", {"cs_rank": ""}),
        "alpha015": filled("ts_corr(cs_rank(high), cs_rank(volume), 3)"),
        "alpha026": filled("ts_corr(ts_rank(volume, 5), ts_rank(high, 5), 5)"),
        "alpha027": FormulaDifference(WRONG_SUMS),
        "alpha029": FormulaDifference(
            "takes the sum over two days instead of the minimum",
            {"ts_min(cs_rank(cs_rank(-": "ts_sum(cs_rank(cs_rank(-"},
        ),
        "alpha032": FormulaDifference(MEAN, {"ts_mean(close, 7)": "ts_mean(close, 7) / 7"}),
        "alpha036": FormulaDifference(MEAN, {"ts_mean(close, 200)": "ts_mean(close, 200) / 200"}),
        "alpha038": FormulaDifference(
            "ranks the open instead of the close", {"ts_rank(close, 10)": "ts_rank(open, 10)"}
        ),
        "alpha045": filled("ts_corr(ts_sum(close, 5), ts_sum(close, 20), 2)", value=1),
        "alpha047": FormulaDifference(MEAN, {"ts_mean(high, 5)": "(ts_mean(high, 5) / 5)"}),
        "alpha050": filled("ts_corr(cs_rank(volume), cs_rank(vwap), 5)"),
        "alpha053": FormulaDifference(
            "replaces a range of 0 by 0.0001", {"/ (close - low)": "/ where(close == low, 0.0001, close - low)"}
        ),
        "alpha061": nearest((", 17)", ", 18)")),
        "alpha062": nearest(("22), 9)", "22), 10)")),
        "alpha064": nearest((", 12)", ", 13)"), (", 16)", ", 17)"), (", 3)", ", 4)")),
        "alpha065": nearest((", 8)", ", 9)"), (", 13)", ", 14)")),
        "alpha066": FormulaDifference(
            f"{NEAREST}; x / 0 is 0",
            {
                ", 3)": ", 4)",
                ", 6)": ", 7)",
                "(low * 0.96633 ": "fill((low * 0.96633 ",
                "(high + low) / 2)": "(high + low) / 2), 0)",
            },
        ),
        "alpha068": nearest((", 13)", ", 14)"), (", 8)", ", 9)")),
        "alpha071": nearest((", 15)", ", 16)")),
        "alpha072": FormulaDifference(
            f"{NEAREST}, and adds 0.0001 to both ranks",
            {"cs_rank(ts_decay_linear(ts_corr((": "(0.0001 + cs_rank(ts_decay_linear(ts_corr((", ", 3)": ", 4)"}
            | {", 8), 10)) / cs_rank(": ", 9), 10))) / (0.0001 + cs_rank(", ", 18), 6), 2)": ", 19), 7), 3))"},
        ),
        "alpha073": nearest((", 4), 2)", ", 5), 3)"), (", 16)", ", 17)")),
        "alpha077": both(
            nearest(("3), 5)", "3), 6)")), filled("ts_corr((high + low) / 2, ts_mean(volume, 40), 3)", value=1)
        ),
        "alpha078": both(
            nearest((", 6)", ", 7)"), (", 19)", ", 20)"), (", 5)", ", 6)")),
            filled("ts_corr(cs_rank(vwap), cs_rank(volume), 6)"),
        ),
        "alpha081": nearest((", 49)", ", 50)"), (", 14)", ", 15)")),
        "alpha084": nearest((", 20)", ", 21)"), (", 4)", ", 5)")),
        "alpha085": both(
            nearest((", 9)", ", 10)"), (", 3)", ", 4)")),
            filled("ts_corr(ts_rank((high + low) / 2, 4), ts_rank(volume, 10), 7)", value=1),
        ),
        "alpha086": nearest((", 14)", ", 15)")),
        "alpha088": both(
            nearest((", 20)", ", 21)"), (", 6)", ", 7)"), (", 2)", ", 3)")),
            filled("ts_corr(ts_rank(close, 8), ts_rank(ts_mean(volume, 60), 21), 8)"),
        ),
        "alpha092": both(
            nearest((", 6)", ", 7)"), (", 30)), 7)", ", 30)), 8)"), (", 14), 18)", ", 15), 19)")),
            filled("ts_corr(cs_rank(low), cs_rank(ts_mean(volume, 30)), 8)"),
        ),
        "alpha094": nearest((", 11)", ", 12)"), (", 19)", ", 20)"), (", 2)", ", 3)")),
        "alpha095": nearest(("40), 19), 12)", "40), 19), 13)"), (", 11)", ", 12)")),
        "alpha096": both(
            nearest((", 3)", ", 4)"), ("12)", "13)")),
            filled(
                "ts_corr(cs_rank(vwap), cs_rank(volume), 4)",
                "ts_corr(ts_rank(close, 7), ts_rank(ts_mean(volume, 60), 4), 4)",
            ),
        ),
        "alpha098": FormulaDifference(f"{NEAREST}; {WRONG_SUMS}"),
        "alpha099": nearest((", 8)", ", 9)"), (", 19)", ", 20)")),
    },
    rounding={**named(TIED, TIES), **named(CONSTANTS, CONSTANT)},
    real={**named(REAL_TIED, TIES), **named(REAL_CONSTANTS, CONSTANT)},
    limits=(
        "A symbol that misses a date has wrong running sums from then on.",
        "Symbols are filled up to a multiple of 4, and ranks may count what fills them up.",
    ),
)

DIFFERENCES = (ALPHA101,)
