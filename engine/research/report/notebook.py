"""The overview of an evaluation for notebooks."""

from __future__ import annotations

from factorloom.engine.research.report.number import Unit, shown
from factorloom.engine.research.report.overview import COLUMNS
from factorloom.engine.research.report.source import Evaluated
from factorloom.expressions.errors import plural
from factorloom.expressions.markup import Markup, shortened, tag
from factorloom.expressions.notebook import piece

__all__ = ["evaluation_html"]

ROWS = 60
SIGNED: tuple[Unit, ...] = ("number", "percent")
SHORT = (
    "rank_ic_mean",
    "rank_ic_t",
    "rank_ic_q",
    "hit_rate",
    "spread",
    "long_short_net",
    "long_short_sharpe",
    "turnover",
)


def evaluation_html(evaluation: Evaluated) -> str:
    """The overview of an evaluation, its most telling columns only."""
    columns = [each for each in COLUMNS if each.field in SHORT]
    rows = evaluation.summary
    head = tag("tr", tag("th", "factor", class_="t"), tag("th", "horizon"), *(tag("th", c.title) for c in columns))
    body = [
        tag(
            "tr",
            tag("td", shortened(str(row["factor"]), 40), class_="t"),
            tag("td", row["horizon"]),
            *(_cell(row.get(c.field), c.unit, c.decimals) for c in columns),
        )
        for row in rows.head(ROWS).iter_rows(named=True)
    ]
    counts = f"{plural(len(evaluation.factors), 'factor')}, {plural(len(evaluation.horizons), 'horizon')}"
    return piece(tag("b", "Evaluation"), f" {counts}", tag("table", head, *body), _more(rows.height))


def _cell(value: object, unit: Unit, decimals: int) -> Markup:
    sign = None
    if unit in SIGNED and isinstance(value, int | float) and not isinstance(value, bool) and value:
        sign = "p" if value > 0 else "n"
    return tag("td", shown(value, unit, decimals), class_=sign)


def _more(rows: int) -> Markup:
    return tag("small", f"the first {ROWS} of {rows:,} rows") if rows > ROWS else Markup()
