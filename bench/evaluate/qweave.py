"""qweave: `with_labels`, and `evaluate` with its default outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from factorloom.bench.evaluate.options import Options
from factorloom.expressions.factor import Factor

__all__ = ["steps"]

FEWEST = 3
"""Names below which a date has no correlation, as ours."""


def steps(bars: pl.DataFrame, factors: Mapping[str, Factor], options: Options) -> dict[str, Callable[[], Any]]:
    """What is timed; values of factors are columns of `bars`."""
    import qweave

    def summary() -> Any:
        labelled = qweave.with_labels(bars, "symbol", "date", list(options.horizons))
        return qweave.evaluate(
            labelled, "symbol", "date", list(factors), quantiles=options.quantiles, min_cs_count=FEWEST
        )

    return {"summary": summary}
