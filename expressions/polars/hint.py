"""What to write instead of what is not known."""

from __future__ import annotations

import difflib

from factorloom.expressions.registry import OPERATORS

__all__ = ["AHEAD", "HINTS", "nearest"]

AHEAD = {"interpolate", "reverse", "sort", "shuffle", "arg_sort", "mode"}
"""Functions that read later bars of a symbol."""

HINTS = {
    "Filter": "filter inside a reduction: x.filter(...).mean().over('date')",
    "Selector": "an expression has one column: write one for each",
    "Rolling": "windows are counted in bars: rolling_mean(20) and its kin",
    "Element": "write the expression for the column itself",
    "Sort": "order is what ranks are for: .rank().over('date')",
    "SortBy": "order is what ranks are for: .rank().over('date')",
    "Slice": "a selection of dates or symbols belongs to compute(start=, end=, symbols=)",
    "Gather": "a value of an older bar is shift(n)",
    "Explode": "a factor has one value on each bar",
}
"""What to write instead of a kind that is no factor."""


def nearest(name: str) -> str | None:
    """A hint to the operators that are called alike."""
    bare: dict[str, list[str]] = {}
    for known in OPERATORS:
        bare.setdefault(known.removeprefix("ts_").removeprefix("cs_").removeprefix("group_"), []).append(known)
    near = difflib.get_close_matches(name.rpartition(".")[2].removeprefix("rolling_"), bare, n=1, cutoff=0.7)
    return f"the nearest operators here: {', '.join(bare[near[0]])}" if near else None
