"""Charts along dates: IC, cumulative returns, drawdown, spread, turnover, autocorrelation, coverage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from factorloom.engine.research.report.marks import (
    area,
    column_labels,
    drawing,
    legend,
    line,
    path,
    rule,
    shared,
    slope,
    stretched,
    value_axis,
)
from factorloom.engine.research.report.number import Unit, coordinate, percent
from factorloom.engine.research.report.scale import Scale, date_ticks, fitted
from factorloom.engine.research.report.source import Array, Source, trailing_mean
from factorloom.expressions.markup import Markup, tag

__all__ = [
    "Band",
    "Line",
    "all_horizons",
    "card",
    "date_axis",
    "history",
    "nothing",
    "quantile_kind",
    "sheet_histories",
    "sparkline",
]

WIDTH, HEIGHT = 400, 210
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 8, 24


class Line(NamedTuple):
    """A series with its colour and name; one that is smooth needs fewer points, one that is filled stands on zero."""

    values: Array
    kind: str
    name: str | None = None
    smooth: bool = False
    filled: bool = False


class Band(NamedTuple):
    """What lies between two series, with its colour."""

    low: Array
    high: Array
    kind: str


def card(title: str, note: str, chart: Markup, key: Markup | None = None) -> Markup:
    """A chart with its title, what is to be known about it, and its legend."""
    head = tag("figcaption", tag("b", title), *([" ", tag("small", note)] if note else []))
    return tag("figure", head, *([key] if key else []), chart)


def nothing(title: str, why: str = "no value to draw") -> Markup:
    """A card that says why it is empty."""
    return tag("figure", tag("figcaption", tag("b", title)), tag("p", why, class_="none"))


def history(
    source: Source, title: str, note: str, unit: Unit, lines: Sequence[Line], bands: Sequence[Band] = (), *, zero: bool
) -> Markup:
    """A chart of series along all dates; `zero` belongs to the values."""
    drawn = [each for each in lines if np.isfinite(each.values).any()]
    if not drawn:
        return nothing(title)
    every = [each.values for each in drawn] + [edge for band in bands for edge in (band.low, band.high)]
    scale = fitted(every, HEIGHT - BOTTOM, TOP, zero=zero)
    most = max(source.points // 2, min(source.points, 4 * source.points // len(drawn)))
    inside = [area(band.low, band.high, scale, source.smooth, band.kind) for band in bands]
    inside += [_drawn(each, scale, source.smooth if each.smooth else most) for each in drawn]
    chart = drawing(
        WIDTH,
        HEIGHT,
        value_axis(scale, LEFT, WIDTH - RIGHT, unit),
        shared("dates"),
        stretched(LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM, len(source.dates) - 1, *inside),
        class_="t",
        data_y=f"{scale.low:.6g} {scale.high:.6g}",
        data_f=unit,
    )
    named = [(each.kind, each.name) for each in drawn if each.name]
    return card(title, note, chart, legend(named) if len(named) > 1 else None)


def _drawn(each: Line, scale: Scale, points: int) -> Markup:
    if each.filled:
        return slope(each.values, scale, points, each.kind, each.name)
    return line(each.values, scale, points, each.kind, each.name, smooth=each.smooth)


def date_axis(source: Source) -> Markup:
    """The axis that all charts along dates share."""
    last = max(len(source.dates) - 1, 1)
    found = [(LEFT + place / last * (WIDTH - LEFT - RIGHT), text) for place, text in date_ticks(source.date_labels)]
    fitting = [(x, text) for x, text in found if x <= WIDTH - RIGHT - 3 * len(text) or len(found) == 1]
    d = "".join(f"M{coordinate(x)} {HEIGHT - BOTTOM}v4" for x, _ in fitting)
    return tag("g", path(d, "z"), column_labels(HEIGHT - 6, fitting), id="dates")


def quantile_kind(quantile: int, quantiles: Sequence[int]) -> str:
    """The colour of a quantile, one of nine from low to high."""
    low, high = min(quantiles), max(quantiles)
    return f"q{1 + round(8 * (quantile - low) / max(high - low, 1))}"


def sheet_histories(source: Source, factor: str, horizon: int) -> dict[str, Markup]:
    """The charts along dates of one factor at one horizon, by name."""
    return {
        "cumulative": _cumulative(source, factor, horizon),
        "long_short": _long_short(source, factor, horizon),
        "drawdown": _drawdown(source, factor, horizon),
        "spread": _spread(source, factor, horizon),
        "ic": _ic(source, factor, horizon),
    }


def all_horizons(source: Source, factor: str) -> list[Markup]:
    """The charts along dates that show all horizons of a factor."""
    draw = (_trailing_ics, _turnover, _autocorrelation, _coverage)
    return [each(source, factor) for each in draw]


def _cumulative(source: Source, factor: str, horizon: int) -> Markup:
    quantiles = source.quantiles(factor, horizon)
    lines = [
        Line(
            source.series("quantile_returns_by_date", "cumulative", factor, horizon, quantile),
            quantile_kind(quantile, quantiles),
            f"Q{quantile}",
        )
        for quantile in quantiles
    ]
    return history(source, "Cumulative return by quantile", "Q1: lowest values", "percent", lines, zero=True)


def _long_short(source: Source, factor: str, horizon: int) -> Markup:
    gross, net = (source.series("long_short", f"cumulative_{kind}", factor, horizon) for kind in ("gross", "net"))
    lines = [Line(gross, "s2", "gross"), Line(net, "s1", "net of costs")]
    return history(source, "Long-short, cumulative", "top minus bottom quantile", "percent", lines, zero=True)


def _drawdown(source: Source, factor: str, horizon: int) -> Markup:
    drawdown = -np.abs(source.series("long_short", "drawdown", factor, horizon))
    worst = float(np.nanmin(drawdown)) if np.isfinite(drawdown).any() else math.nan
    note = f"deepest {percent(worst, 1)}"
    lines = [Line(drawdown, "s3", "drawdown", filled=True)]
    return history(source, "Long-short, drawdown", note, "percent", lines, zero=True)


def _spread(source: Source, factor: str, horizon: int) -> Markup:
    """Overlapping returns count once: the standard error is that of window / horizon values."""
    title = "Spread, top minus bottom quantile"
    if (factor, horizon) not in source.spreads:
        return nothing(title, "fewer than two quantiles")
    mean, deviation = source.spreads[factor, horizon]
    error = deviation / math.sqrt(max(source.window / horizon, 1.0))
    note = f"trailing mean of {source.window} dates ± 1 s.e., overlap counted once"
    band = Band(mean - error, mean + error, "s1")
    return history(source, title, note, "percent", [Line(mean, "s1", "spread", smooth=True)], [band], zero=True)


def _ic(source: Source, factor: str, horizon: int) -> Markup:
    daily = source.series("ic", "rank_ic", factor, horizon)
    mean = source.trailing("ic", "rank_ic", factor, horizon)
    lines = [Line(daily, "f", "rank IC"), Line(mean, "s1", f"trailing mean, {source.window} dates", smooth=True)]
    return history(source, "Rank IC by date", "", "number", lines, zero=True)


def _turnover(source: Source, factor: str) -> Markup:
    lines = []
    for place, horizon in enumerate(source.horizons):
        quantiles = source.quantiles(factor, horizon)
        ends = sorted({quantiles[0], quantiles[-1]}) if quantiles else []
        parts = [source.series("turnover", "turnover", factor, horizon, quantile) for quantile in ends]
        mean = trailing_mean(np.mean(parts, axis=0, keepdims=True), source.window)[0] if parts else np.empty(0)
        lines.append(Line(mean, horizon_kind(place), f"horizon {horizon}", smooth=True))
    note = f"share of names new in the top and bottom quantiles after a horizon, trailing mean of {source.window} dates"
    return history(source, "Turnover", note, "percent", lines, zero=True)


def _autocorrelation(source: Source, factor: str) -> Markup:
    lines = []
    for place, horizon in enumerate(source.horizons):
        mean = source.trailing("autocorrelation", "autocorrelation", factor, horizon)
        lines.append(Line(mean, horizon_kind(place), f"horizon {horizon}", smooth=True))
    note = f"rank correlation with a horizon before, trailing mean of {source.window} dates"
    return history(source, "Autocorrelation", note, "number", lines, zero=False)


def _trailing_ics(source: Source, factor: str) -> Markup:
    lines = []
    for place, horizon in enumerate(source.horizons):
        mean = source.trailing("ic", "rank_ic", factor, horizon)
        lines.append(Line(mean, horizon_kind(place), f"horizon {horizon}", smooth=True))
    return history(source, "Rank IC", f"trailing mean of {source.window} dates", "number", lines, zero=True)


def _coverage(source: Source, factor: str) -> Markup:
    values = source.series("coverage", "coverage", factor)
    note = f", mean {percent(float(np.nanmean(values)), 1)}" if np.isfinite(values).any() else ""
    lines = [Line(values, "s4", "coverage", filled=True)]
    return history(source, "Coverage", f"share of eligible names with a value{note}", "percent", lines, zero=True)


def horizon_kind(place: int) -> str:
    """The colour of a horizon; of more than six the last ones share theirs."""
    return f"h{min(place, 5)}"


def sparkline(values: Array) -> Markup:
    """The running sum of a series, small, with a line at zero."""
    running = np.where(np.isfinite(values), np.nancumsum(values), np.nan)
    if not np.isfinite(running).any():
        return Markup('<svg viewBox="0 0 96 22" class="spark"></svg>')
    scale = fitted([running], 20, 2, zero=True)
    inside = line(running, scale, 40, "s1")
    return drawing(
        96, 22, rule(0, scale(0), 96, scale(0), "g"), stretched(2, 2, 92, 18, len(values) - 1, inside), class_="spark"
    )
