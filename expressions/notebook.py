"""Short tables and trees in HTML for notebooks: what `_repr_html_` of our objects gives.

Each piece carries its few rules of style, takes the colours of the notebook around it, and escapes all text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from factorloom.expressions.markup import Markup, join, shortened, tag
from factorloom.expressions.registry import Node

__all__ = ["Text", "pairs_html", "piece", "table_html", "text_html", "tree_html"]

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
WIDTH = 120
"""Characters of a cell."""

DEPTH, NODES = 8, 120
"""A tree shows so many levels, and so many nodes."""


class Text(str):
    """Text that a notebook shows as it stands, for example an explained plan."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return text_html(self)


def piece(*content: object) -> str:
    """A piece of HTML with its style."""
    return str(tag("div", STYLE, *content, class_="factorloom"))


def text_html(text: str) -> str:
    """Text as it stands."""
    return piece(tag("pre", str(text)))


def pairs_html(title: str, pairs: Mapping[str, object]) -> str:
    """Names and values, for example of a panel.

    >>> "<td class=\\"t\\">1 &lt; 2" in pairs_html("Truth", {"claim": "1 < 2"})
    True
    """
    rows = (tag("tr", tag("th", name, class_="t"), _cell("td", value)) for name, value in pairs.items())
    return piece(tag("b", title), tag("table", *rows))


def table_html(title: str, facts: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of texts, for example the factors of a score model."""
    head = tag("tr", *(_cell("th", name) for name in columns))
    body = (tag("tr", *(_cell("td", value) for value in row)) for row in rows)
    return piece(tag("b", title), " ", tag("small", facts), tag("table", head, *body))


def tree_html(title: str, facts: str, root: Node) -> str:
    """A node and all below it as a tree; of a large one the upper part."""
    return piece(tag("b", title), " ", tag("small", facts), tag("ul", _branch(root, DEPTH, [NODES])))


def _branch(node: Node, depth: int, left: list[int]) -> Markup:
    """A node and those below it; `left` counts down the nodes that may still be shown."""
    left[0] -= 1
    if not node.inputs:
        return tag("li", shortened(str(node), WIDTH))
    numbers = ", ".join(map(str, node.parameters))
    head = join([tag("b", node.operator.name), *([" ", tag("small", shortened(numbers, WIDTH))] if numbers else [])])
    if depth == 0 or left[0] <= 0:
        return tag("li", head, " …")
    return tag("li", head, tag("ul", *(_branch(child, depth - 1, left) for child in node.inputs)))


def _cell(element: str, value: object) -> Markup:
    return tag(element, shortened(str(value), WIDTH), class_="t")
