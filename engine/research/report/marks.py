"""Marks of charts as plain SVG: lines, areas, bars with errors, cells, dots, axes and legends.

Nothing here knows of factors. Colours are classes of `page.css`; nothing carries a style of its own, which a content
security policy forbids. Coordinates go right and down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from factorloom.engine.research.report.number import Unit, coordinate, tick
from factorloom.engine.research.report.scale import Scale, sampled, thinned, ticks
from factorloom.expressions.markup import Markup, join, tag

__all__ = [
    "area",
    "bars",
    "cells",
    "column_labels",
    "dots",
    "drawing",
    "error_bars",
    "label",
    "legend",
    "line",
    "path",
    "row_labels",
    "rule",
    "shared",
    "slope",
    "steps",
    "stretched",
    "value_axis",
]

HEIGHT = 1000
"""Of the coordinates in which series are drawn before they are stretched to the plot: 0.1 % of it is one step."""


def drawing(width: float, height: float, *parts: Markup, **attributes: object) -> Markup:
    """A whole chart; the caption of its figure names it."""
    return tag("svg", *parts, viewBox=f"0 0 {coordinate(width)} {coordinate(height)}", **attributes)


def path(d: str, kind: str, *content: Markup, **attributes: object) -> Markup:
    return tag("path", *content, class_=kind, **attributes, d=d)


def label(x: float, y: float, text: object, kind: str | None = None) -> Markup:
    return tag("text", text, class_=kind, x=coordinate(x), y=coordinate(y))


def rule(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line."""
    return path(f"M{coordinate(x1)} {coordinate(y1)}L{coordinate(x2)} {coordinate(y2)}", kind)


def value_axis(scale: Scale, left: float, right: float, unit: Unit, count: int = 4) -> Markup:
    """Horizontal grid lines with labels at their left, and a stronger line at zero."""
    values, step = ticks(scale, count)
    grid = "".join(f"M{coordinate(left)} {coordinate(scale(v))}H{coordinate(right)}" for v in values)
    zero = scale.low < 0 < scale.high
    return join(
        [
            path(grid, "g"),
            path(f"M{coordinate(left)} {coordinate(scale(0))}H{coordinate(right)}", "z") if zero else Markup(),
            row_labels(left - 6, ((scale(v), tick(v, step, unit)) for v in values)),
        ]
    )


def row_labels(x: float, rows: Iterable[tuple[float, object]]) -> Markup:
    """Labels that end at `x`, at the middles of rows."""
    words = (tag("text", text, y=coordinate(y)) for y, text in rows)
    return tag("g", *words, class_="y", transform=f"translate({coordinate(x)} 4)")


def column_labels(y: float, columns: Iterable[tuple[float, object]], kind: str = "x") -> Markup:
    """Labels on a line, at the middles of columns."""
    words = (tag("text", text, x=coordinate(x)) for x, text in columns)
    return tag("g", *words, class_=kind, transform=f"translate(0 {coordinate(y)})")


def shared(key: str) -> Markup:
    """Marks that stand once in the page, under a key."""
    return tag("use", href=f"#{key}")


def stretched(x: float, y: float, width: float, height: float, last: int, *parts: Markup) -> Markup:
    """Marks that are drawn in places 0 to `last` along, and 0 to 1000 down."""
    across, down = (f"{share:.4g}".removeprefix("0") for share in (width / max(last, 1), height / HEIGHT))
    return tag("g", *parts, transform=f"translate({coordinate(x)} {coordinate(y)})scale({across} {down})")


def line(
    values: NDArray[np.float64], scale: Scale, points: int, kind: str, name: str | None = None, *, smooth: bool = False
) -> Markup:
    """A series over places 0, 1, 2, ...; the name is what the tooltip calls it."""
    kept, starts = (sampled if smooth else thinned)(values, points)
    if not kept.size:
        return Markup()
    weight = "l d" if kept.size == 1 else "l"
    return path(_strokes(kept, _heights(values[kept], scale), starts), f"{weight} {kind}", data_n=name)


def slope(values: NDArray[np.float64], scale: Scale, points: int, kind: str, name: str | None = None) -> Markup:
    """A series, and the area between it and zero."""
    kept, starts = thinned(values, points)
    if not kept.size:
        return Markup()
    zero = _heights(np.zeros(1), scale)[0]
    d = _strokes(kept, _heights(values[kept], scale), starts, f"V{zero}H")
    return path(d, f"l {'d' if kept.size == 1 else 'a'} {kind}", data_n=name)


def area(low: NDArray[np.float64], high: NDArray[np.float64], scale: Scale, points: int, kind: str) -> Markup:
    """The band between two smooth series; places where either is missing are bridged."""
    both = np.where(np.isfinite(low) & np.isfinite(high), 1.0, np.nan)
    kept = sampled(low * both, points)[0]
    if not kept.size:
        return Markup()
    upper = _strokes(kept, _heights(high[kept], scale), [0])
    back = kept[::-1]
    return path(f"{upper}L{_pairs(back, _heights(low[back], scale))}z", f"a {kind}")


def _pairs(xs: NDArray[np.int64], ys: NDArray[np.int64]) -> str:
    return " ".join(map(str, np.column_stack((xs, ys)).reshape(-1).tolist()))


def _heights(values: NDArray[np.float64], scale: Scale) -> NDArray[np.int64]:
    share = (scale.high - values) / (scale.high - scale.low)
    return np.rint(np.clip(share, -1, 2) * HEIGHT).astype(np.int64)


def _strokes(xs: NDArray[np.int64], ys: NDArray[np.int64], starts: Sequence[int], back: str = "") -> str:
    """Strokes in whole numbers, each point as the distance from the one before; `back` closes each at its first x."""
    parts = []
    for start, stop in zip(starts, [*starts[1:], len(xs)], strict=True):
        moves = _pairs(np.diff(xs[start:stop]), np.diff(ys[start:stop])).replace(" -", "-")
        parts.append(f"M{xs[start]} {ys[start]}l{moves or '0 0'}" + (f"{back}{xs[start]}z" if back else ""))
    return "".join(parts)


def steps(spans: Iterable[tuple[float, float, float]], base: float, kind: str) -> Markup:
    """Bars from a base line as one mark: left, right, top."""
    parts = (
        f"M{coordinate(left)} {coordinate(base)}V{coordinate(top)}H{coordinate(right)}V{coordinate(base)}z"
        for left, right, top in spans
    )
    return path("".join(parts), f"b {kind}")


def bars(spans: Iterable[tuple[float, float, float, float, str, str]]) -> Markup:
    """Bars: left, right, top, bottom, kind, and the text that a pointer shows."""
    return join(
        path(_box(left, right, top, bottom), f"b {kind}", *([tag("title", hint)] if hint else []))
        for left, right, top, bottom, kind, hint in spans
    )


def _box(left: float, right: float, top: float, bottom: float) -> str:
    """A rectangle at least one unit high."""
    x, y, width, height = round(left), round(min(top, bottom)), round(right) - round(left), round(abs(bottom - top))
    return f"M{x} {y}h{width}v{max(height, 1)}H{x}z"


def error_bars(marks: Iterable[tuple[float, float, float]], cap: float = 3, *, across: bool = False) -> Markup:
    """Whiskers at a place from one value to another, upright or lying (`across`)."""
    d = []
    for place, first, last in marks:
        p, a, b, c, w = (coordinate(each) for each in (place, first, last, place - cap, 2 * cap))
        d.append(f"M{a} {p}H{b}M{a} {c}v{w}M{b} {c}v{w}" if across else f"M{p} {a}V{b}M{c} {a}h{w}M{c} {b}h{w}")
    return path("".join(d), "e") if d else Markup()


def dots(points: Iterable[tuple[float, float]], kind: str) -> Markup:
    """Round dots, as wide as the class says."""
    return path("".join(f"M{coordinate(x)} {coordinate(y)}h0" for x, y in points), f"d {kind}")


def cells(boxes: Iterable[tuple[float, float, int]], width: float, height: float) -> Markup:
    """A heatmap: left, top and level from -5 to 5 of every cell. Cells of one level are one path."""
    by_level: dict[int, list[str]] = {}
    size = f"h{coordinate(width)}v{coordinate(height)}H"
    for x, y, level in boxes:
        by_level.setdefault(level, []).append(f"M{coordinate(x)} {coordinate(y)}{size}{coordinate(x)}z")
    return join(path("".join(by_level[level]), f"k{level + 5}") for level in sorted(by_level))


def legend(entries: Iterable[tuple[str, str]]) -> Markup:
    """Colours and what they mean, as a line of HTML that wraps."""
    return tag("p", *(tag("span", tag("i", class_=kind), name) for kind, name in entries), class_="legend")
