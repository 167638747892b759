"""What comes before the sheets: all factors in one table, health, the account of rows, settings and definitions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from factorloom.engine.research.report.history import sparkline
from factorloom.engine.research.report.marks import bars, dots, drawing, legend, rule
from factorloom.engine.research.report.number import Unit, exact, percent, plain, shown
from factorloom.engine.research.report.scale import Scale
from factorloom.engine.research.report.shape import correlation_map
from factorloom.engine.research.report.source import Source, column, value_of
from factorloom.expressions.markup import Markup, join, tag

__all__ = ["COLUMNS", "Column", "account", "correlations", "definitions", "health", "overview", "settings"]


MOST_ROWS = 160
"""Of the account of rows, to be shown unasked: about 20 factors and horizons."""


class Column(NamedTuple):
    """A column of the overview: field, heading, unit, decimals and what it means."""

    field: str
    title: str
    unit: Unit
    decimals: int
    meaning: str


COLUMNS = (
    Column("rank_ic_mean", "rank IC", "number", 4, "mean over dates of the correlation of ranks of factor and return"),
    Column("rank_ic_t", "t", "number", 2, "mean rank IC over its Newey-West standard error"),
    Column("rank_ic_q", "q", "number", 3, "false discovery rate over all factors at this horizon (Benjamini-Hochberg)"),
    Column("rank_icir", "ICIR", "number", 2, "mean rank IC over its standard deviation"),
    Column("hit_rate", "hit", "percent", 1, "share of dates on which the rank IC has the sign of its mean"),
    Column("monotonicity", "mono", "number", 2, "rank correlation of quantile and mean return"),
    Column("spread", "spread", "percent", 2, "mean return of the top minus the bottom quantile, per horizon"),
    Column("spread_t", "spread t", "number", 2, "spread over its Newey-West standard error"),
    Column("long_short_return", "L/S gross", "percent", 1, "long-short return a year before costs"),
    Column("long_short_net", "L/S net", "percent", 1, "long-short return a year after costs"),
    Column("long_short_sharpe", "Sharpe", "number", 2, "Sharpe ratio of the long-short returns, a year"),
    Column("deflated_sharpe", "DSR", "percent", 0, "probability that the Sharpe ratio is above what trials alone give"),
    Column("long_short_drawdown", "drawdown", "percent", 1, "deepest fall of the long-short returns from a peak"),
    Column("turnover", "turnover", "percent", 1, "mean share of new names in the top and bottom quantiles"),
    Column("autocorrelation", "autocorr", "number", 2, "rank correlation of the factor with itself a horizon before"),
    Column(
        "half_life", "half-life", "number", 1, "dates after which the autocorrelation has halved, at a constant rate"
    ),
    Column("alpha", "alpha", "percent", 1, "a year, of factor-weighted returns against the universe"),
    Column("beta", "beta", "number", 2, "of factor-weighted returns against the universe"),
    Column("ic_mean", "IC", "number", 4, "mean over dates of the correlation of factor and return"),
    Column("ic_t", "IC t", "number", 2, "mean IC over its Newey-West standard error"),
    Column("coverage", "coverage", "percent", 1, "mean share of eligible names with a value"),
    Column("dates", "dates", "count", 0, "dates with a rank IC"),
)


def overview(source: Source) -> Markup:
    """A row per factor and horizon."""
    rows = source.tables["summary"]
    interval = _interval_scale(rows)
    numbers = {name: number for number, name in enumerate(source.factors)}
    body = []
    for row in rows.iter_rows(named=True):
        factor, horizon = row["factor"], row["horizon"]
        mean, low, high = (value_of(row, f"rank_ic_{end}") for end in ("mean", "low", "high"))
        rank_ic = source.series("ic", "rank_ic", factor, horizon)
        link = tag("a", factor, href=f"#f{numbers[factor]}") if factor in numbers else factor
        cells = [
            tag("th", link, scope="row", data_v=factor),
            tag("td", plain(horizon, 0), data_v=str(horizon)),
            tag("td", sparkline(rank_ic)),
            tag("td", _forest(mean, low, high, interval)),
            *(_cell(row, each) for each in COLUMNS),
        ]
        body.append(tag("tr", *cells))
    heads = [
        tag("th", "factor", scope="col", data_s="text"),
        tag("th", "horizon", scope="col", data_s="number"),
        tag("th", "running rank IC", scope="col"),
        tag("th", "95% interval", scope="col"),
        *(tag("th", each.title, scope="col", data_s="number", title=each.meaning) for each in COLUMNS),
    ]
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body), id="summary")
    note = (
        "Bold: false discovery rate below 5%. Horizons are in market dates. A heading sorts, a name leads to its sheet."
    )
    tools = tag("div", id="tools", class_="tools")
    return join([tools, tag("div", table, class_="scroll", tabindex="0"), tag("p", note, class_="note")])


def _interval_scale(rows: pl.DataFrame) -> Scale:
    """One scale for the intervals of all rows, as wide as they need."""
    ends = np.concatenate([column(rows, f"rank_ic_{end}") for end in ("low", "mean", "high")])
    ends = ends[np.isfinite(ends)]
    low, high = min(0.0, *ends.tolist(), 0.0), max(0.0, *ends.tolist(), 0.0)
    return Scale(low, high, 5, 91) if high > low else Scale(-1.0, 1.0, 5, 91)


def _forest(mean: float, low: float, high: float, scale: Scale) -> Markup:
    """A mean with its interval beside zero, small."""
    parts = [rule(scale(0), 0, scale(0), 22, "z")]
    if math.isfinite(low) and math.isfinite(high):
        parts.append(rule(scale(low), 11, scale(high), 11, "e"))
    if math.isfinite(mean):
        parts.append(dots([(scale(mean), 11)], "s1" if mean >= 0 else "s3"))
    return drawing(96, 22, *parts, class_="spark")


def _cell(row: Mapping[str, Any], each: Column) -> Markup:
    value = row.get(each.field)
    strong = each.field == "rank_ic_mean" and value_of(row, "rank_ic_q") < 0.05
    text = shown(value, each.unit, each.decimals)
    return tag("td", tag("b", text) if strong else text, data_v=exact(value))


def health(source: Source) -> Markup:
    """What to distrust, gravest first."""
    found = source.evaluation.health
    if found.is_empty():
        return tag("p", "No finding.", class_="note")
    lines = [
        tag("li", tag("b", level, class_=f"level {level}"), " ", tag("b", name.replace("_", " ")), " ", text)
        for level, name, text in found.select("level", "name", "text").iter_rows()
    ]
    return tag("ul", *lines, class_="health")


def account(source: Source) -> Markup:
    """What became of every row: used, or dropped and why."""
    rows = source.tables.get("dropped", pl.DataFrame())
    if not rows.height:
        return tag("p", "No account of rows.", class_="note")
    totals = rows.group_by("reason", maintain_order=True).agg(pl.col("rows").sum()).iter_rows()
    reasons = ["used", *(reason for reason, total in totals if total and reason not in ("input", "used"))]
    heads = [tag("th", text, scope="col") for text in ("factor", "horizon", "share", "input", *reasons)]
    body = [
        _account_row(
            factor, horizon, {row["reason"]: row["rows"] for row in source.rows("dropped", factor, horizon)}, reasons
        )
        for factor, horizon in rows.select("factor", "horizon").unique(maintain_order=True).iter_rows()
    ]
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body))
    key = legend((f"r{min(place, 7)}", reason) for place, reason in enumerate(reasons))
    shown = {"open": ""} if rows.height <= MOST_ROWS else {}
    head = tag("summary", "By factor and horizon")
    return join([_used(rows), tag("details", head, key, tag("div", table, class_="scroll", tabindex="0"), **shown)])


def _used(rows: pl.DataFrame) -> Markup:
    """The smallest and the largest share of rows that were used."""
    wide = rows.filter(pl.col("reason").is_in(["input", "used"])).pivot(
        "reason", index=["factor", "horizon"], values="rows", aggregate_function="sum"
    )
    if not {"input", "used"} <= set(wide.columns):
        return tag("p", "No account of rows.", class_="note")
    shares = column(wide, "used") / np.maximum(column(wide, "input"), 1)
    least, most = percent(float(shares.min()), 1), percent(float(shares.max()), 1)
    share = least if least == most else f"{least} to {most}"
    return tag("p", f"Of all rows {share} were used; every other row is counted by its reason.")


def _account_row(factor: object, horizon: object, rows: dict[str, int], reasons: Sequence[str]) -> Markup:
    total = rows.get("input") or sum(rows.get(reason) or 0 for reason in reasons) or 1
    left, spans = 0.0, []
    for place, reason in enumerate(reasons):
        count = rows.get(reason) or 0
        width = 160 * count / total
        if count:
            hint = f"{reason}: {plain(count, 0)} ({percent(count / total, 1)})"
            spans.append((left, left + width, 4.0, 18.0, f"r{min(place, 7)}", hint))
        left += width
    share = drawing(160, 22, bars(spans), class_="share")
    counts = (tag("td", plain(rows.get(reason) or 0, 0)) for reason in reasons)
    return tag(
        "tr",
        tag("th", factor, scope="row"),
        tag("td", horizon),
        tag("td", share),
        tag("td", plain(rows.get("input"), 0)),
        *counts,
    )


def correlations(source: Source) -> Markup:
    """Heatmaps of factors by factors."""
    rows = source.tables.get("correlation", pl.DataFrame())
    if not rows.height or len(source.factors) < 2:
        return tag("p", "One factor has no other to be compared with.", class_="note")
    note = "mean over dates of the rank correlation across names"
    values = correlation_map(source.factors, rows, "values", "Correlation of values", note)
    horizon = source.horizons[0] if source.horizons else ""
    ics = correlation_map(source.factors, rows, "ics", "Correlation of rank ICs", f"along dates, horizon {horizon}")
    return tag("div", values, ics, class_="charts maps")


def settings(source: Source) -> Markup:
    """All arguments of the evaluation."""
    pairs = {**source.evaluation.settings, "dates found": f"{len(source.dates):,}, {source.span}"}
    return tag(
        "dl", *(tag("div", tag("dt", key), tag("dd", _text(value))) for key, value in pairs.items()), class_="pairs"
    )


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_text(each)}" for key, each in value.items())
    if isinstance(value, Sequence | np.ndarray):
        return ", ".join(map(_text, value))
    return str(value)


def definitions() -> Markup:
    """What the columns of the overview and the charts mean."""
    more = (
        (
            "quantiles",
            "per date, from the values of the factor alone; quantile 1 holds the lowest values, ties stay together",
        ),
        (
            "forward return",
            "from an entry after the date to an exit so many market dates later; gaps do not shorten it",
        ),
        ("Newey-West", "standard errors for series whose returns overlap; the lags are in the table summary"),
        ("95% interval", "of the mean rank IC, by a block bootstrap over dates"),
        ("cumulative", "each date's portfolio is one of as many overlapping ones as the horizon has dates"),
    )
    pairs = [*((each.title, each.meaning) for each in COLUMNS), *more]
    return tag("dl", *(tag("div", tag("dt", key), tag("dd", text)) for key, text in pairs), class_="pairs")
