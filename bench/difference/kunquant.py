"""How KunQuant reads the formulas of Alpha101: those of a well-known transcription into pandas, for the most part."""

from __future__ import annotations

from factorloom.bench.difference import CONSTANT, TIES, Change, Meaning, Reading
from factorloom.expressions.operators import fill, less, power, ts_rank, where

__all__ = ["READINGS"]

SPOILT = "running sums are lost for good after a correlation of a constant"
MEAN = "divides a mean by the length of the window once more"
NEAREST = "rounds windows to the nearest day"


def near(*changes: tuple[str, str]) -> Change:
    """Windows of the paper are fractions of days; we take the whole days in them."""
    return Change(NEAREST, dict(changes))


def defined(*texts: str, value: int = 0) -> Change:
    """With a value for a correlation that has none."""
    return Change(f"a correlation that is not defined is {value}", {text: f"fill({text}, {value})" for text in texts})


def both(first: Change, then: Change) -> Change:
    return Change(f"{first.cause}; {then.cause}", {**(first.text or {}), **(then.text or {})})


ALPHA101 = Reading(
    "kunquant",
    "alpha101",
    operators={
        "ts_rank": Meaning("counts from 1 and does not divide", lambda x, window, *_: ts_rank(x, window) * window),
        "less": Meaning("a comparison with a missing side is false", lambda x, y: fill(less(x, y), 0)),
        "power": Meaning("is computed in single precision", lambda x, y: where(power(x, y) < 3.4e38, power(x, y))),
    },
    formulas={
        "alpha001": Change("does not take off 0.5", {" - 0.5": ""}),
        "alpha003": defined("ts_corr(cs_rank(open), cs_rank(volume), 10)"),
        "alpha010": Change("takes no rank", {"cs_rank": ""}),
        "alpha015": defined("ts_corr(cs_rank(high), cs_rank(volume), 3)"),
        "alpha026": defined("ts_corr(ts_rank(volume, 5), ts_rank(high, 5), 5)"),
        "alpha027": Change(SPOILT),
        "alpha029": Change(
            "has a sum where the minimum of two days is meant", {"ts_min(cs_rank(cs_rank(-": "ts_sum(cs_rank(cs_rank(-"}
        ),
        "alpha032": Change(MEAN, {"ts_mean(close, 7)": "ts_mean(close, 7) / 7"}),
        "alpha036": Change(MEAN, {"ts_mean(close, 200)": "ts_mean(close, 200) / 200"}),
        "alpha038": Change("ranks the open", {"ts_rank(close, 10)": "ts_rank(open, 10)"}),
        "alpha045": defined("ts_corr(ts_sum(close, 5), ts_sum(close, 20), 2)", value=1),
        "alpha047": Change(MEAN, {"ts_mean(high, 5)": "(ts_mean(high, 5) / 5)"}),
        "alpha050": defined("ts_corr(cs_rank(volume), cs_rank(vwap), 5)"),
        "alpha053": Change("a range of 0 is 0.0001", {"/ (close - low)": "/ where(close == low, 0.0001, close - low)"}),
        "alpha061": near((", 17)", ", 18)")),
        "alpha062": near(("22), 9)", "22), 10)")),
        "alpha064": near((", 12)", ", 13)"), (", 16)", ", 17)"), (", 3)", ", 4)")),
        "alpha065": near((", 8)", ", 9)"), (", 13)", ", 14)")),
        "alpha066": Change(
            f"{NEAREST}; a ratio to 0 is 0",
            {
                ", 3)": ", 4)",
                ", 6)": ", 7)",
                "(low * 0.96633 ": "fill((low * 0.96633 ",
                "(high + low) / 2)": "(high + low) / 2), 0)",
            },
        ),
        "alpha068": near((", 13)", ", 14)"), (", 8)", ", 9)")),
        "alpha071": near((", 15)", ", 16)")),
        "alpha072": Change(
            f"{NEAREST}, and adds 0.0001 to both ranks",
            {"cs_rank(ts_decay_linear(ts_corr((": "(0.0001 + cs_rank(ts_decay_linear(ts_corr((", ", 3)": ", 4)"}
            | {", 8), 10)) / cs_rank(": ", 9), 10))) / (0.0001 + cs_rank(", ", 18), 6), 2)": ", 19), 7), 3))"},
        ),
        "alpha073": near((", 4), 2)", ", 5), 3)"), (", 16)", ", 17)")),
        "alpha077": both(
            near(("3), 5)", "3), 6)")), defined("ts_corr((high + low) / 2, ts_mean(volume, 40), 3)", value=1)
        ),
        "alpha078": both(
            near((", 6)", ", 7)"), (", 19)", ", 20)"), (", 5)", ", 6)")),
            defined("ts_corr(cs_rank(vwap), cs_rank(volume), 6)"),
        ),
        "alpha081": near((", 49)", ", 50)"), (", 14)", ", 15)")),
        "alpha084": near((", 20)", ", 21)"), (", 4)", ", 5)")),
        "alpha085": both(
            near((", 9)", ", 10)"), (", 3)", ", 4)")),
            defined("ts_corr(ts_rank((high + low) / 2, 4), ts_rank(volume, 10), 7)", value=1),
        ),
        "alpha086": near((", 14)", ", 15)")),
        "alpha088": both(
            near((", 20)", ", 21)"), (", 6)", ", 7)"), (", 2)", ", 3)")),
            defined("ts_corr(ts_rank(close, 8), ts_rank(ts_mean(volume, 60), 21), 8)"),
        ),
        "alpha092": both(
            near((", 6)", ", 7)"), (", 30)), 7)", ", 30)), 8)"), (", 14), 18)", ", 15), 19)")),
            defined("ts_corr(cs_rank(low), cs_rank(ts_mean(volume, 30)), 8)"),
        ),
        "alpha094": near((", 11)", ", 12)"), (", 19)", ", 20)"), (", 2)", ", 3)")),
        "alpha095": near(("40), 19), 12)", "40), 19), 13)"), (", 11)", ", 12)")),
        "alpha096": both(
            near((", 3)", ", 4)"), ("12)", "13)")),
            defined(
                "ts_corr(cs_rank(vwap), cs_rank(volume), 4)",
                "ts_corr(ts_rank(close, 7), ts_rank(ts_mean(volume, 60), 4), 4)",
            ),
        ),
        "alpha098": Change(f"{NEAREST}; {SPOILT}"),
        "alpha099": near((", 8)", ", 9)"), (", 19)", ", 20)")),
    },
    rounding={
        **dict.fromkeys(("alpha013", "alpha016", "alpha031", "alpha094"), TIES),
        **dict.fromkeys(("alpha003", "alpha015", "alpha045", "alpha050", "alpha072", "alpha075"), CONSTANT),
        **dict.fromkeys(("alpha078", "alpha081", "alpha085", "alpha088", "alpha092", "alpha096"), CONSTANT),
    },
)

READINGS = (ALPHA101,)
