"""A waterfall as SVG: how parts, one after another, add up to a total.

The picture carries its few rules of style. Text takes the colour of the page around it; alone, the picture follows the
light or dark scheme of the viewer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from factorloom.engine.research.report.number import MINUS
from factorloom.expressions.markup import Markup, shortened, tag

__all__ = ["Part", "signed", "waterfall"]

STYLE = Markup(
    ".waterfall{font:13px/1.2 system-ui,sans-serif;max-width:100%;height:auto}"
    "svg.waterfall:root{color-scheme:light dark;color:#1f2328;color:light-dark(#1f2328,#e6edf3)}"
    ".waterfall text{fill:currentColor}.waterfall .b{font-weight:600}.waterfall .e{text-anchor:end}"
    ".waterfall .m{opacity:.7}.waterfall path{stroke:currentColor;stroke-opacity:.45;fill:none}"
    ".waterfall .p{fill:#0072b2;fill:light-dark(#0072b2,#56b4e9)}"
    ".waterfall .n{fill:#c85200;fill:light-dark(#c85200,#f2924a)}"
    ".waterfall .t{fill:currentColor;fill-opacity:.6}"
)
WIDTH, LEFT, RIGHT = 700, 205, 90
"""Of the picture, and of the names and the numbers beside the bars."""

TOP, ROW, HALF = 40, 24, 8
LETTERS = 23
"""Characters of a name."""

MOST = 30
"""Parts that are drawn; the smaller ones are one bar."""


class Part(NamedTuple):
    """A part of the total; without a value, `note` says why."""

    name: str
    value: float | None
    note: str = ""


def signed(value: float) -> str:
    """Four digits with a sign; 0 has none.

    >>> signed(0.25), signed(-1e-9), signed(-0.0)
    ('+0.25', '−1e-09', '0')
    """  # noqa: RUF002
    text = f"{value:+.4g}" if value else "0"
    return MINUS + text[1:] if text.startswith("-") else text


def waterfall(title: str, parts: Sequence[Part], total: Part) -> Markup:
    """Bars from 0 through each part, the largest first, to the total; parts without a value come last, with their note.

    >>> parts = [Part("up", 2.0), Part("down", -0.5), Part("gone", None, "no bar")]
    >>> picture = waterfall("A", parts, Part("score", 1.5))
    >>> picture.count("<rect"), picture.count("no bar")
    (3, 1)
    """
    drawn = _drawn(parts)
    sums = [0.0, *accumulate(part.value or 0.0 for part in drawn)]
    rows = [*drawn, *(part for part in parts if part.value is None), total]
    ends = [*pairwise(sums)] + [(0.0, part.value or 0.0) for part in rows[len(drawn) :]]
    across = _places(ends)
    bottom = TOP + ROW * len(rows)
    zero = across[0][0]
    lines = [f"M{zero:.1f} {TOP}V{bottom}"]
    lines += [f"M{end:.1f} {TOP + ROW * place + 4}v{ROW}" for place, (_, end) in enumerate(across[: len(drawn)])]
    return tag(
        "svg",
        tag("title", f"{title}: {total.name} {signed(total.value) if total.value is not None else total.note}"),
        tag("style", STYLE),
        tag("text", shortened(title, 80), x=8, y=22, class_="b"),
        tag("path", d="".join(lines)),
        *(_row(place, part, span) for place, (part, span) in enumerate(zip(rows[:-1], across, strict=False))),
        _row(len(rows) - 1, total, across[-1], last=True),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {bottom + 12}",
        width=WIDTH,
        height=bottom + 12,
        role="img",
        class_="waterfall",
    )


def _drawn(parts: Iterable[Part]) -> list[Part]:
    """The parts with a value, the largest first; of many the smaller ones as one."""
    known = sorted((part for part in parts if part.value is not None), key=lambda part: -abs(part.value or 0.0))
    if len(known) <= MOST:
        return known
    rest = known[MOST - 1 :]
    return [*known[: MOST - 1], Part(f"{len(rest)} others", sum(part.value or 0.0 for part in rest))]


def _places(ends: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Values as horizontal coordinates, with 0 among them."""
    size = max((abs(value) for pair in ends for value in pair), default=0.0) or 1.0
    scaled = [(start / size, end / size) for start, end in ends]  # the difference of huge numbers is not finite
    low, high = (choose(0.0, *(value for pair in scaled for value in pair)) for choose in (min, max))
    step = (WIDTH - LEFT - RIGHT) / ((high - low) or 1.0)
    return [(LEFT + (start - low) * step, LEFT + (end - low) * step) for start, end in scaled]


def _row(place: int, part: Part, span: tuple[float, float], *, last: bool = False) -> Markup:
    middle = TOP + ROW * (place + 0.5)
    weight = " b" if last else ""
    name = tag("text", shortened(part.name, LETTERS), x=LEFT - 12, y=middle + 4, class_=f"e{weight}")
    if part.value is None:
        return tag("g", name, tag("text", shortened(part.note, 60), x=LEFT + 6, y=middle + 4, class_="m"))
    left, right = sorted(span)
    kind = "t" if last or not part.value else "p" if part.value > 0 else "n"
    width = f"{max(right - left, 1.0):.1f}"
    bar = tag("rect", x=f"{left:.1f}", y=middle - HALF, width=width, height=2 * HALF, class_=kind)
    number = tag("text", signed(part.value), x=WIDTH - 8, y=middle + 4, class_=f"e{weight}")
    return tag("g", tag("title", f"{part.name}: {part.value + 0.0!r}"), name, bar, number)
