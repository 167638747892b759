"""What became of every bar: used, or dropped for one reason, for every factor and horizon."""

from __future__ import annotations

import numpy as np
import polars as pl

from factorloom.engine.research.evaluation.cells import Cells
from factorloom.engine.research.evaluation.long import long
from factorloom.engine.research.evaluation.measured import Measured
from factorloom.expressions.errors import FactorloomError

__all__ = ["REASONS", "ledger"]

REASONS = (
    "input",
    "outside dates",
    "outside universe",
    "no group",
    "no factor value",
    "no exit yet",
    "no entry price",
    "no exit price",
    "used",
)
"""In the order in which they are looked for: a bar counts for the first that holds."""


def ledger(factors: pl.Series, horizons: pl.Series, cells: Cells, found: Measured, bars: int) -> pl.DataFrame:
    """Rows by factor, horizon and reason; `input` is the sum of all others, or it is an error."""
    shape = (factors.len(), horizons.len())
    present, entered = found.present[:, 0, None, :].astype(np.int64), found.present[:, 1, None, :].astype(np.int64)
    used = found.used.astype(np.int64)
    complete = cells.complete[None]
    rows = {
        "input": np.full(shape, bars),
        **{reason: np.full(shape, count) for reason, count in cells.left_out.items()},
        "no factor value": np.broadcast_to(cells.count - present.sum(axis=2), shape),
        "no exit yet": (present * ~complete).sum(axis=2),
        "no entry price": ((present - entered) * complete).sum(axis=2),
        "no exit price": ((entered - used) * complete).sum(axis=2),
        "used": used.sum(axis=2),
    }
    counts = np.stack([rows[reason] for reason in REASONS], axis=2)
    if (counts < 0).any() or (counts[..., 0] != counts[..., 1:].sum(axis=2)).any():
        raise FactorloomError("the rows used and dropped do not add up to the input: this is a fault of the program")
    return long(
        {"factor": factors, "horizon": horizons, "reason": pl.Series(REASONS)},
        {"rows": counts},
    )
