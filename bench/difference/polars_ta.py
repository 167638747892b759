"""What polars-ta takes operators for; the formulas are ours."""

from __future__ import annotations

from factorloom.bench.difference import Meaning, Reading

__all__ = ["READINGS"]

READINGS = (
    Reading(
        "polars-ta",
        "alpha101",
        operators={
            "cs_rank": Meaning("goes from 0 to 1, with one rank for tied values; what is not a number ranks above all"),
            "ts_max": Meaning("skips what is not a number; a correlation of a constant may be infinite there"),
        },
    ),
)
