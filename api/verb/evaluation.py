"""An evaluation as text to read, and its tables by name."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from factorloom.engine.research.evaluation.evaluation import Evaluation
from factorloom.engine.research.report.number import MINUS, shown
from factorloom.engine.research.report.overview import COLUMNS
from factorloom.expressions.errors import plural
from factorloom.expressions.markup import shortened

__all__ = ["summary_text", "table"]

SHOWN = (
    *("coverage", "rank_ic_mean", "rank_ic_t", "rank_ic_q", "rank_icir", "hit_rate", "monotonicity", "spread"),
    *("long_short_net", "long_short_sharpe", "deflated_sharpe", "turnover"),
)
"""The columns of the summary that are read first."""

MOST_ROWS, MOST_FINDINGS, WIDTH = 40, 10, 40


def table(evaluation: Evaluation, name: str) -> pl.DataFrame:
    """A table by its name: an attribute of `Evaluation`, or its events."""
    if name == "events":
        return evaluation.events()
    found: pl.DataFrame = getattr(evaluation, name)
    return found


def summary_text(evaluation: Evaluation) -> str:
    """What was evaluated, the most telling columns of the summary, and what to distrust.

    >>> import factorloom as fl
    >>> from factorloom.engine.bars.market import simulate
    >>> panel = fl.Panel.from_frame(simulate(symbols=40, years=1))
    >>> text = summary_text(fl.evaluate(panel, {"reversal": -fl.ts_pct_change(fl.close, 5)}, horizons=(1, 5)))
    >>> print("\\n".join(line[:43].rstrip() for line in text.splitlines()[2:5]))
    factor    horizon  dates  coverage  rank IC
    reversal        1    254     98.0%  -0.0137
    reversal        5    250     98.0%  -0.0322
    """
    settings = evaluation.settings
    ends = f"{evaluation.dates[0]} to {evaluation.dates[-1]}"
    head = (
        f"{plural(len(evaluation.factors), 'factor')}, {plural(evaluation.dates.len(), 'date')}, {ends}; "
        f"{evaluation.quantiles} quantiles, entry after {plural(settings['entry_lag'], 'date')}, "
        f"costs {settings['costs_bps']:g} bps; {settings['trials']:,} tried so far"
    )
    return "\n".join([head, "", *_summary(evaluation.summary), "", *_health(evaluation.health)]) + "\n"


def _summary(summary: pl.DataFrame) -> list[str]:
    """The rows, or of many those with the largest t."""
    order = summary.with_row_index("place").sort(pl.col("rank_ic_t").abs(), descending=True, nulls_last=True)
    rows = summary if summary.height <= MOST_ROWS else summary[order.head(MOST_ROWS)["place"]]
    chosen = sorted((each for each in COLUMNS if each.field in SHOWN), key=lambda each: SHOWN.index(each.field))
    lines = [["factor", "horizon", "dates", *(each.title for each in chosen)]]
    for row in rows.iter_rows(named=True):
        cells = (shown(row[each.field], each.unit, each.decimals).replace(MINUS, "-") for each in chosen)
        lines.append([shortened(row["factor"], WIDTH), str(row["horizon"]), str(row["dates"]), *cells])
    text = _aligned(lines)
    if rows.height < summary.height:
        text.append(f"the {MOST_ROWS} of {summary.height:,} rows with the largest t")
    return text


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Cells in columns, the first one to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]


def _health(found: pl.DataFrame) -> list[str]:
    if found.is_empty():
        return ["nothing to distrust was found"]
    lines = [f"{level:<8} {text}" for level, text in found.head(MOST_FINDINGS).select("level", "text").iter_rows()]
    more = found.height - MOST_FINDINGS
    return lines + ([f"and {plural(more, 'more finding')}: --table health"] if more > 0 else [])
