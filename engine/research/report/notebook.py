"""Short tables and trees in HTML for notebooks: what `_repr_html_` of our objects gives.

Each piece carries its few rules of style, takes the colours of the notebook around it, and escapes all text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from factorloom.engine.research.report.markup import Markup, join, shortened, tag
from factorloom.engine.research.report.number import Unit, shown
from factorloom.engine.research.report.overview import COLUMNS
from factorloom.engine.research.report.source import Evaluated
from factorloom.expressions.errors import plural
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["evaluation_html", "factor_html", "frame_html", "pairs_html", "panel_html", "text_html"]

STYLE = Markup(
    "<style>"
    ".factorloom{font:13px/1.45 system-ui,sans-serif;overflow-x:auto;max-width:100%}"
    ".factorloom table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    ".factorloom th,.factorloom td{padding:3px 10px;text-align:right;white-space:nowrap;border:0;"
    "border-bottom:1px solid rgb(128 128 128/.25);background:none}"
    ".factorloom th{font-weight:600}.factorloom .t{text-align:left}.factorloom small{opacity:.7}"
    ".factorloom ul{list-style:none;margin:0 0 0 8px;padding:0 0 0 12px;border-left:1px solid rgb(128 128 128/.35)}"
    ".factorloom>ul{border:0;margin:0;padding:0}.factorloom li{margin:0}.factorloom b{font-weight:600}"
    ".factorloom .p{color:light-dark(#0072b2,#56b4e9)}.factorloom .n{color:light-dark(#c85200,#f2924a)}"
    ".factorloom pre{margin:4px 0;font-size:12px}"
    "</style>"
)
ROWS = 60
DEPTH = 8
NODES = 120
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


def _piece(*content: object) -> str:
    return str(tag("div", STYLE, *content, class_="factorloom"))


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
    return _piece(tag("b", "Evaluation"), f" {counts}", tag("table", head, *body), _more(rows.height))


def frame_html(title: str, frame: pl.DataFrame) -> str:
    """A frame as a table, for example scores: numbers with three decimals, at most sixty rows."""
    head = tag("tr", *(tag("th", name, class_=_side(frame[name])) for name in frame.columns))
    body = [
        tag("tr", *(_plain_cell(value) for value in row))
        for row in frame.head(ROWS).iter_rows()
    ]  # fmt: skip
    return _piece(tag("b", title), tag("table", head, *body), _more(frame.height))


def pairs_html(title: str, pairs: Mapping[str, object]) -> str:
    """Names and values, for example of a score model."""
    rows = (tag("tr", tag("th", name, class_="t"), tag("td", value, class_="t")) for name, value in pairs.items())
    return _piece(tag("b", title), tag("table", *rows))


def text_html(title: str, text: str) -> str:
    """Text as it stands, for example an explained plan."""
    return _piece(tag("b", title), tag("pre", text))


def panel_html(bars: int, symbols: int, dates: Sequence[object], columns: Iterable[str], notes: Iterable[str]) -> str:
    """What a panel holds."""
    pairs: dict[str, object] = {
        "bars": f"{bars:,}",
        "symbols": f"{symbols:,}",
        "dates": f"{len(dates):,}, {dates[0]} to {dates[-1]}" if len(dates) else "0",
        "columns": ", ".join(columns),
    }
    pairs |= {f"note {number}": note for number, note in enumerate(notes, start=1)}
    return pairs_html("Panel", pairs)


def factor_html(factor: Factor) -> str:
    """A factor as a tree of its operators, with what it looks back and ahead.

    >>> import factorloom as fl
    >>> html = factor_html(fl.ts_mean(fl.col("close"), 5))
    >>> "ts_mean" in html, "close" in html, "lookback 4 bars" in html
    (True, True, True)
    """
    ahead = f", look-ahead {plural(factor.lookahead, 'bar')}" if factor.lookahead else ""
    memory = ", unbounded memory" if factor.unbounded else ""
    facts = f" lookback {plural(factor.lookback, 'bar')}{ahead}{memory}"
    return _piece(tag("b", "Factor"), tag("small", facts), tag("ul", _branch(factor, DEPTH, [NODES])))


def _branch(factor: Factor, depth: int, left: list[int]) -> Markup:
    """A node and those below it; `left` counts down the nodes that may still be shown."""
    left[0] -= 1
    if factor.operator in (COL, LIT):
        return tag("li", str(factor))
    numbers = ", ".join(map(str, factor.parameters))
    head = join([tag("b", factor.operator.name), *([" ", tag("small", shortened(numbers, 60))] if numbers else [])])
    if depth == 0 or left[0] <= 0:
        return tag("li", head, " …")
    return tag("li", head, tag("ul", *(_branch(child, depth - 1, left) for child in factor.inputs)))


def _cell(value: object, unit: Unit, decimals: int) -> Markup:
    sign = None
    if unit in SIGNED and isinstance(value, int | float) and not isinstance(value, bool) and value:
        sign = "p" if value > 0 else "n"
    return tag("td", shown(value, unit, decimals), class_=sign)


def _plain_cell(value: object) -> Markup:
    if isinstance(value, float):
        return tag("td", shown(value, "number", 3))
    text = shown(value, "count", 0) if isinstance(value, int) else shortened(shown(value, "text", 0), 60)
    return tag("td", text, class_=None if isinstance(value, int) else "t")


def _side(values: pl.Series) -> str | None:
    return None if values.dtype.is_numeric() else "t"


def _more(rows: int) -> Markup:
    return tag("small", f"the first {ROWS} of {rows:,} rows") if rows > ROWS else Markup()
