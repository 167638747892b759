"""Ready-made factors: the usual columns of bars, the returns, and the missing value.

`returns` is not a column but the one-bar relative change of `close`; a column of that name is `col("returns")`.
"""

from __future__ import annotations

from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col, lit
from factorloom.expressions.operators.time.shift import ts_pct_change
from factorloom.expressions.render import READY

__all__ = ["READY_FACTORS", "amount", "close", "high", "low", "missing", "open_", "returns", "volume", "vwap"]

open_ = col("open")
high = col("high")
low = col("low")
close = col("close")
volume = col("volume")
vwap = col("vwap")
amount = col("amount")
returns = ts_pct_change(close, 1)
missing = lit(float("nan"))

READY_FACTORS: dict[str, Factor] = {"missing": missing, "returns": returns}
"""Names that text reads as these factors instead of as columns."""

assert tuple(READY_FACTORS) == READY
