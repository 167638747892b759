"""Charts that are not along dates: bars, histogram, Q-Q, heatmaps, decay and tails."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import polars as pl

from factorloom.engine.research.report.history import card, nothing, quantile_kind
from factorloom.engine.research.report.marks import (
    bars,
    cells,
    column_labels,
    dots,
    drawing,
    error_bars,
    label,
    path,
    row_labels,
    rule,
    shared,
    steps,
    value_axis,
)
from factorloom.engine.research.report.number import Unit, coordinate, percent, plain, tick
from factorloom.engine.research.report.scale import Scale, fitted, ticks
from factorloom.engine.research.report.source import Array, Row, Source, numbers, value_of
from factorloom.expressions.markup import Markup, shortened, tag

__all__ = ["Bar", "columns", "correlation_map", "decay", "group_names", "sheet_shapes"]

WIDTH, HEIGHT = 400, 210
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 8, 24
MOST_GROUPS = 24
ROW, GROUP_LEFT = 16, 140
MONTHS = "JFMAMJJASOND"


class Bar(NamedTuple):
    """A value with its standard error, its label, its colour and the text that a pointer shows."""

    name: str
    value: float
    error: float
    kind: str
    hint: str


def columns(title: str, note: str, unit: Unit, values: Sequence[Bar]) -> Markup:
    """Upright bars with whiskers of one standard error."""
    drawn = [bar for bar in values if math.isfinite(bar.value)]
    if not drawn:
        return nothing(title)
    error = [bar.error if math.isfinite(bar.error) else 0.0 for bar in drawn]
    ends = np.array([[bar.value - e, bar.value + e] for bar, e in zip(drawn, error, strict=True)])
    scale = fitted([ends], HEIGHT - BOTTOM, TOP, zero=True)
    step = (WIDTH - LEFT - RIGHT) / len(drawn)
    half = min(step * 0.36, 24)
    middles = [LEFT + step * (place + 0.5) for place in range(len(drawn))]
    every = math.ceil(len(drawn) * max(len(bar.name) * 7 + 8 for bar in drawn) / (WIDTH - LEFT - RIGHT))
    chart = drawing(
        WIDTH,
        HEIGHT,
        value_axis(scale, LEFT, WIDTH - RIGHT, unit),
        bars(
            (m - half, m + half, scale(b.value), scale(0), b.kind, b.hint) for m, b in zip(middles, drawn, strict=True)
        ),
        error_bars(
            (m, scale(b.value - e), scale(b.value + e)) for m, b, e in zip(middles, drawn, error, strict=True) if e > 0
        ),
        column_labels(HEIGHT - 6, [(m, b.name) for m, b in zip(middles, drawn, strict=True)][::every]),
    )
    return card(title, note, chart)


def group_names(source: Source) -> Markup:
    """The names of groups, which the charts by group of all sheets share."""
    drawn = source.groups[:MOST_GROUPS]
    names = [(TOP + ROW * (place + 0.5), shortened(name, 20)) for place, name in enumerate(drawn)]
    return tag("g", row_labels(GROUP_LEFT - 6, names), id="groups")


def _groups(source: Source, factor: str, horizon: int) -> Markup:
    """Lying bars: names are long. A group has the same place on every sheet."""
    title, names = "Rank IC by group", source.groups[:MOST_GROUPS]
    found = {str(row["group"]): row for row in source.rows("ic_by_group", factor, horizon)}
    rows = [found.get(name, {}) for name in names]
    means, errors = numbers(rows, "rank_ic_mean"), np.array(list(map(_error, rows)))
    if not np.isfinite(means).any():
        return nothing(title, "no groups")
    errors = np.where(np.isfinite(errors), errors, 0.0)
    scale = fitted([means - errors, means + errors], GROUP_LEFT, WIDTH - RIGHT, zero=True)
    zero, bottom = scale(0), TOP + ROW * len(names)
    drawn = [
        (TOP + ROW * (place + 0.5), mean, error)
        for place, (mean, error) in enumerate(zip(means.tolist(), errors.tolist(), strict=True))
        if math.isfinite(mean)
    ]
    places, distance = ticks(scale)
    grid = "".join(f"M{coordinate(scale(v))} {TOP}V{coordinate(bottom)}" for v in places)
    chart = drawing(
        WIDTH,
        bottom + BOTTOM,
        path(grid, "g"),
        rule(zero, TOP, zero, bottom, "z"),
        column_labels(bottom + 18, ((scale(v), tick(v, distance, "number")) for v in places)),
        shared("groups"),
        bars(
            (
                min(zero, scale(mean)),
                max(zero, scale(mean)),
                m - 5,
                m + 5,
                _sign(mean),
                f"{plain(mean)} ± {plain(error)}",
            )
            for m, mean, error in drawn
        ),
        error_bars(((m, scale(mean - e), scale(mean + e)) for m, mean, e in drawn if e > 0), across=True),
    )
    total = len(source.groups)
    few = f"the first {MOST_GROUPS} of {total}; " if total > len(names) else ""
    return card(title, few + "± 1 s.e. of dates as if independent", chart)


def sheet_shapes(source: Source, factor: str, horizon: int) -> dict[str, Markup]:
    """All other charts of one factor at one horizon, by name."""
    rank_ic = source.series("ic", "rank_ic", factor, horizon)
    present = rank_ic[np.isfinite(rank_ic)]
    return {
        "quantiles": _quantiles(source.rows("quantile_returns", factor, horizon), horizon),
        "histogram": _histogram(present),
        "qq": _qq(present),
        "months": _months(source, rank_ic),
        "years": _years(source.rows("ic_by_year", factor, horizon)),
        "groups": _groups(source, factor, horizon),
        "tails": _tails(source.rows("tails", factor, horizon)),
    }


def _quantiles(rows: Sequence[Row], horizon: int) -> Markup:
    title = "Mean return by quantile"
    if not rows:
        return nothing(title)
    quantiles, values = [row["quantile"] for row in rows], []
    for row, q in zip(rows, quantiles, strict=True):
        mean, error = value_of(row, "mean"), value_of(row, "std_error")
        hint = f"{percent(mean, 3)} ± {percent(error, 3)}"
        values.append(Bar(f"Q{q}", mean, error, quantile_kind(q, quantiles), hint))
    return columns(title, f"per {horizon} date{'s' * (horizon != 1)}, ± 1 s.e.", "percent", values)


def _histogram(values: Array) -> Markup:
    title = "Distribution of rank IC"
    if values.size < 2:
        return nothing(title, "fewer than two dates")
    if np.ptp(values) <= 1e-9 * np.abs(values).max():
        return nothing(title, "all values are the same")
    counts, edges = np.histogram(values, bins=int(min(30, max(8, math.sqrt(values.size)))))
    across = Scale(float(edges[0]), float(edges[-1]), LEFT, WIDTH - RIGHT)
    up = fitted([counts.astype(float)], HEIGHT - BOTTOM, TOP, zero=True)
    places, step = ticks(across, 5)
    mean = float(values.mean())
    spans = ((across(edges[i]) + 0.5, across(edges[i + 1]) - 0.5, up(count)) for i, count in enumerate(counts) if count)
    chart = drawing(
        WIDTH,
        HEIGHT,
        value_axis(up, LEFT, WIDTH - RIGHT, "count"),
        steps(spans, up(0), "s2"),
        rule(across(mean), TOP, across(mean), HEIGHT - BOTTOM, "m"),
        column_labels(HEIGHT - 6, ((across(v), tick(v, step, "number")) for v in places)),
    )
    return card(title, f"{values.size:,} dates; line: mean {plain(mean)}", chart)


def _qq(values: Array) -> Markup:
    title = "Rank IC against the normal distribution"
    spread = float(values.std(ddof=1)) if values.size > 2 else 0.0
    if not spread > 1e-12:
        return nothing(title, "fewer than three different values")
    count = min(values.size, 40)
    ranks = np.unique(np.rint(np.linspace(0, values.size - 1, count)).astype(int))
    normal = NormalDist()
    expected = np.array([normal.inv_cdf((rank + 0.5) / values.size) for rank in ranks.tolist()])
    found = (np.sort(values)[ranks] - values.mean()) / spread
    across = fitted([expected], LEFT, WIDTH - RIGHT)
    up = fitted([found], HEIGHT - BOTTOM, TOP)
    low, high = max(across.low, up.low), min(across.high, up.high)
    places, step = ticks(across)
    chart = drawing(
        WIDTH,
        HEIGHT,
        value_axis(up, LEFT, WIDTH - RIGHT, "number"),
        rule(across(low), up(low), across(high), up(high), "m"),
        dots(((across(x), up(y)) for x, y in zip(expected, found, strict=True)), "s1"),
        column_labels(HEIGHT - 6, ((across(v), tick(v, step, "number")) for v in places)),
    )
    return card(title, "Q-Q, in standard deviations", chart)


def _months(source: Source, rank_ic: Array) -> Markup:
    title = "Mean rank IC by month"
    known = np.isfinite(rank_ic)
    if not known.any():
        return nothing(title)
    months, place = np.unique(source.months[known], return_inverse=True)
    means = np.bincount(place, rank_ic[known]) / np.bincount(place)
    largest = max(float(np.abs(means).max()), 1e-12)
    by_year: dict[int, dict[int, float]] = {year: {} for year in range(months[0] // 12, months[-1] // 12 + 1)}
    for month, ic in zip(months.tolist(), means.tolist(), strict=True):
        by_year[month // 12][month % 12 + 1] = ic
    head = tag("tr", tag("th", ""), *(tag("th", month) for month in MONTHS))
    rows = (
        tag("tr", tag("th", year), *(_month(found.get(m), largest) for m in range(1, 13)))
        for year, found in by_year.items()
    )
    return card(title, "blue above zero, orange below", tag("table", head, *rows, class_="months"))


def _month(ic: float | None, largest: float) -> Markup:
    if ic is None:
        return tag("td")
    return tag("td", plain(ic, 2).replace("0.", ".", 1), class_=f"k{round(5 * ic / largest) + 5}")


def _years(rows: Sequence[Row]) -> Markup:
    title = "Rank IC by year"
    if not rows:
        return nothing(title)
    values = []
    for row in sorted(rows, key=lambda each: each["year"]):
        error = _error(row)
        mean = value_of(row, "rank_ic_mean")
        hint = f"{plain(mean)} ± {plain(error)}, {row['dates']} dates"
        values.append(Bar(str(row["year"]), mean, error, _sign(mean), hint))
    return columns(title, "± 1 s.e. of dates as if independent", "number", values)


def decay(source: Source, factor: str) -> Markup:
    """Mean rank IC by horizon, with the standard error that its t gives."""
    title, values = "Decay of rank IC", []
    for row in sorted(source.rows("ic_decay", factor), key=lambda each: each["horizon"]):
        mean, t = value_of(row, "rank_ic_mean"), value_of(row, "rank_ic_t")
        error = abs(mean / t) if math.isfinite(t) and t else math.nan
        hint = f"horizon {row['horizon']}: {plain(mean)}, t {plain(t, 2)}, {row['dates']} dates"
        values.append(Bar(str(row["horizon"]), mean, error, _sign(mean), hint))
    return columns(title, "mean by horizon in dates, ± 1 s.e. (Newey-West)", "number", values)


def _tails(rows: Sequence[Row]) -> Markup:
    title = "Tails by quantile"
    ends = np.column_stack([numbers(rows, name) for name in ("p01", "p05", "p95", "p99")])
    drawn = np.logical_and.reduce(np.isfinite(ends), axis=1)
    if not drawn.any():
        return nothing(title)
    scale = fitted([ends[drawn]], HEIGHT - BOTTOM - 14, TOP, zero=True)
    quantiles = [row["quantile"] for row in rows]
    step = (WIDTH - LEFT - RIGHT) / len(rows)
    half = min(step * 0.25, 18)
    spans, whiskers, names, rates = [], [], [], []
    for place, (row, q) in enumerate(zip(rows, quantiles, strict=True)):
        x = LEFT + step * (place + 0.5)
        if place % math.ceil(len(rows) / 8) == 0:
            names.append((x, f"Q{q}"))
            rates.append((x, percent(value_of(row, "crash_rate"), 1)))
        if drawn[place]:
            p01, p05, p95, p99 = ends[place].tolist()
            hint = ", ".join(percent(p, 1) for p in (p01, p05, p95, p99))
            spans.append((x - half, x + half, scale(p95), scale(p05), quantile_kind(q, quantiles), hint))
            whiskers.append((x, scale(p01), scale(p99)))
    chart = drawing(
        WIDTH,
        HEIGHT,
        value_axis(scale, LEFT, WIDTH - RIGHT, "percent"),
        error_bars(whiskers, half / 2),
        bars(spans),
        column_labels(HEIGHT - 20, names),
        column_labels(HEIGHT - 6, rates),
    )
    return card(title, "bar 5–95%, whisker 1–99%; below: share of returns ≤ −20%", chart)


def correlation_map(factors: Sequence[str], rows: pl.DataFrame, field: str, title: str, note: str) -> Markup:
    """A heatmap of factors by factors; numbers stand in the cells of up to 25 factors."""
    found = {(row["factor_a"], row["factor_b"]): value_of(row, field) for row in rows.iter_rows(named=True)}
    if not any(map(math.isfinite, found.values())):
        return nothing(title)
    size = 30 if len(factors) <= 25 else max(6, 750 // len(factors))
    left, top = 142, 8
    boxes, written = [], []
    for i, a in enumerate(factors):
        for j, b in enumerate(factors[: i + 1]):
            value = found.get((a, b), found.get((b, a), math.nan))
            if math.isfinite(value):
                level = max(-5, min(5, round(5 * value)))
                boxes.append((left + j * size, top + i * size, level))
                text = plain(value, 2).replace("0.", ".", 1).replace("1.00", "1")
                kind = "o" if abs(level) >= 4 else None
                written.append(label(left + (j + 0.5) * size, top + (i + 0.5) * size + 4, text, kind))
    middles = [(i + 0.5) * size for i in range(len(factors))]
    names = [(top + m, f"{shortened(a, 16)} {i + 1}") for i, (m, a) in enumerate(zip(middles, factors, strict=True))]
    bottom = top + size * len(factors)
    texts = [
        tag("g", *written, class_="c"),
        row_labels(left - 6, names),
        column_labels(bottom + 16, ((left + m, i + 1) for i, m in enumerate(middles))),
    ]
    chart = drawing(
        max(left + size * len(factors) + 12, 400),
        bottom + BOTTOM,
        cells(boxes, size - 1, size - 1),
        *(texts if len(factors) <= 25 else []),
        class_="map" if len(factors) <= 8 else "map many",
    )
    return card(title, note, tag("div", chart, class_="scroll", tabindex="0"))


def _error(row: Row) -> float:
    deviation, dates = value_of(row, "rank_ic_std"), value_of(row, "dates")
    return deviation / math.sqrt(dates) if dates > 0 else math.nan


def _sign(value: float) -> str:
    return "s1" if value >= 0 else "s3"
