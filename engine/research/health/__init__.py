"""Health checks of an evaluation: what to distrust, in words.

A check is a short function that reads an evaluation's tables, or facts of its panel, and yields findings. A new one is
written beside its thresholds in `table_check.py` or `panel_check.py` and listed in `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import polars as pl

from factorloom.engine.research.health import panel_check, table_check
from factorloom.engine.research.health.facts import PanelFacts, panel_facts
from factorloom.engine.research.health.finding import LEVELS, Finding, HealthInputs, Level

__all__ = ["CHECKS", "Finding", "HealthInputs", "Level", "PanelFacts", "findings_frame", "health", "panel_facts"]

Check = Callable[[HealthInputs], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    table_check.too_good,
    panel_check.knows_a_return,
    panel_check.one_step,
    panel_check.entry,
    panel_check.survivorship,
    panel_check.stale_prices,
    panel_check.price_jumps,
    panel_check.halted_exits,
    panel_check.low_prices,
    table_check.one_date,
    table_check.one_group,
    table_check.one_year,
    table_check.overlap,
    table_check.short_history,
    table_check.few_names,
    table_check.constant_dates,
    table_check.uneven_quantiles,
    table_check.thin_coverage,
    table_check.rows_dropped,
    table_check.same_factor,
)

COLUMNS = {
    "level": pl.String,
    "name": pl.String,
    "factor": pl.String,
    "horizon": pl.Int64,
    "text": pl.String,
    "figure": pl.Float64,
}


def health(inputs: HealthInputs) -> list[Finding]:
    """The findings of all checks.

    Examples
    --------
    >>> [finding.name for finding in health(HealthInputs(settings={"entry_lag": 0}))]
    ['entry']
    """
    return [finding for check in CHECKS for finding in check(inputs)]


def findings_frame(findings: Iterable[Finding]) -> pl.DataFrame:
    """Findings as a frame, the worst first: level, name, factor, horizon, text, figure."""
    found = sorted(findings, key=lambda finding: LEVELS.index(finding.level))
    rows = [tuple(getattr(finding, name) for name in COLUMNS) for finding in found]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")
