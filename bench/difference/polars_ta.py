"""How operators of polars-ta differ from ours; the formulas are the same."""

from __future__ import annotations

from factorloom.bench.difference import TIES, Differences, OperatorDifference

__all__ = ["DIFFERENCES"]

DIFFERENCES = (
    Differences(
        "polars-ta",
        "alpha101",
        operators={
            "cs_rank": OperatorDifference("gives ranks from 0 to 1; tied values share one rank, and NaN ranks highest"),
            "ts_max": OperatorDifference("ignores NaN; its correlation with a constant may be infinite"),
        },
        rounding={"alpha043": TIES},
    ),
)
