"""Factorloom: from a panel to the summary, to all tables, and to the report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from factorloom.bench.evaluate.options import Options
from factorloom.engine.panel import Panel
from factorloom.engine.research.evaluation.evaluate import evaluate
from factorloom.engine.research.evaluation.evaluation import Evaluation
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col

__all__ = ["TABLES", "steps"]

TABLES = (
    *("summary", "ic", "ic_by_group", "ic_by_year", "ic_decay", "quantile_returns", "quantile_returns_by_date"),
    *("long_short", "turnover", "autocorrelation", "coverage", "correlation", "alpha_beta", "tails", "dropped"),
    "health",
)
"""All that an evaluation computes without further arguments."""


def steps(bars: pl.DataFrame, factors: Mapping[str, Factor], options: Options) -> dict[str, Callable[[], Any]]:
    """What is timed; values of factors are columns of `bars`, but for `from bars`."""
    panel = Panel.from_frame(bars)
    columns = {name: col(name) for name in factors}
    folder = tempfile.TemporaryDirectory(prefix="factorloom-bench-")
    page = Path(folder.name) / "report.html"

    def evaluation(wanted: Mapping[str, Factor]) -> Evaluation:
        return evaluate(panel, wanted, horizons=options.horizons, quantiles=options.quantiles)

    def report() -> int:
        assert folder
        return evaluation(columns).to_html(page).stat().st_size

    def tables() -> list[Any]:
        found = evaluation(columns)
        return [getattr(found, name) for name in TABLES]

    return {
        "summary": lambda: evaluation(columns).summary,
        "from bars": lambda: evaluation(factors).summary,
        "all tables": tables,
        **({"report": report} if len(factors) <= 20 else {}),
    }
