"""The sheet of one factor: a row of figures and all charts, a panel for each horizon."""

from __future__ import annotations

from typing import Any

from factorloom.engine.research.report.history import all_horizons, sheet_histories
from factorloom.engine.research.report.number import Unit, shown
from factorloom.engine.research.report.shape import decay, sheet_shapes
from factorloom.engine.research.report.source import Source
from factorloom.expressions.markup import Markup, tag

__all__ = ["ORDER", "sheet"]

ORDER = (
    "quantiles",
    "cumulative",
    "spread",
    "long_short",
    "drawdown",
    "ic",
    "histogram",
    "qq",
    "months",
    "years",
    "groups",
    "tails",
)
"""The charts of a horizon, in the order of the page."""

FIGURES: tuple[tuple[str, str, Unit, int], ...] = (
    ("rank_ic_mean", "rank IC", "number", 4),
    ("rank_ic_t", "t (Newey-West)", "number", 2),
    ("rank_ic_q", "q (false discovery)", "number", 3),
    ("spread", "spread", "percent", 2),
    ("long_short_return", "long-short a year, gross", "percent", 1),
    ("long_short_net", "net of costs", "percent", 1),
    ("long_short_sharpe", "Sharpe", "number", 2),
    ("deflated_sharpe", "deflated Sharpe", "percent", 0),
    ("long_short_drawdown", "drawdown", "percent", 1),
    ("turnover", "turnover", "percent", 1),
    ("autocorrelation", "autocorrelation", "number", 2),
    ("half_life", "half-life, dates", "number", 1),
)


def sheet(source: Source, number: int, factor: str) -> Markup:
    """The section of a factor; radio buttons choose a horizon without a script."""
    name = f"h{number}"
    choices: list[Markup] = []
    for place, horizon in enumerate(source.horizons):
        key = f"{name}-{place}"
        checked = {"checked": ""} if place == 0 else {}
        choices.append(tag("input", type="radio", name=name, id=key, value=str(horizon), **checked))
        choices.append(tag("label", f"{horizon}", for_=key))
    panels = [
        tag("div", *_panel(source, factor, horizon), class_=f"panel p{place}")
        for place, horizon in enumerate(source.horizons)
    ]
    whole = tag("div", decay(source, factor), *all_horizons(source, factor), class_="charts")
    return tag(
        "section",
        tag("h2", factor, " ", tag("a", "overview", href="#overview")),
        tag("div", tag("span", "horizon in dates", class_="ask"), *choices, *panels, class_="sheet"),
        tag("h3", "All horizons"),
        whole,
        id=f"f{number}",
        class_="factor",
    )


def _panel(source: Source, factor: str, horizon: int) -> list[Markup]:
    charts = sheet_histories(source, factor, horizon) | sheet_shapes(source, factor, horizon)
    return [
        tag("h3", f"Horizon {horizon}"),
        _figures(source.summary_of(factor, horizon)),
        tag("div", *(charts[name] for name in ORDER), class_="charts"),
    ]


def _figures(row: dict[str, Any]) -> Markup:
    pairs = (tag("div", tag("dt", text), tag("dd", shown(row.get(key), unit, n))) for key, text, unit, n in FIGURES)
    return tag("dl", *pairs, class_="figures")
