"""The one place where text becomes HTML: all text is escaped unless it is `Markup` already."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from functools import cache

__all__ = ["Markup", "escape", "join", "shortened", "tag"]

UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]|[\ud800-\udfff]")
"""Controls, lone surrogates, and marks that turn the direction of the text after them."""

SPECIAL = re.compile(f"[&<>\"']|{UNSAFE.pattern}")
"""What cannot stand as it is; a report has a hundred thousand texts without any of it."""

VOID = ("br", "hr", "input", "link", "meta")
OPEN = ("dd", "dt", "li", "tbody", "td", "th", "thead", "tr")
"""Elements that end where the next one begins, as HTML allows: tables are a large part of a report."""


class Markup(str):
    """Text that is HTML already; only this module and constants of the package make it."""

    __slots__ = ()


def escape(value: object) -> Markup:
    """Any value as text of HTML or SVG, also inside a quoted attribute.

    >>> escape('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    >>> escape(Markup("<b>"))
    '<b>'
    """
    if isinstance(value, Markup):
        return value
    text = str(value)
    return Markup(html.escape(UNSAFE.sub("\ufffd", text)) if SPECIAL.search(text) else text)


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Parts one after another, each escaped unless it is `Markup`."""
    return Markup(escape(between).join(map(escape, parts)))


def tag(element: str, /, *content: object, **attributes: object) -> Markup:
    """An element. A last `_` of an attribute's name is dropped, other `_` are `-`; None leaves the attribute out.

    >>> tag("text", "a < b", class_="e", x=3)
    '<text class="e" x="3">a &lt; b</text>'
    >>> tag("rect", width=1)
    '<rect width="1"/>'
    """
    words = "".join(f' {_spelled(key)}="{escape(value)}"' for key, value in attributes.items() if value is not None)
    if element in VOID:
        return Markup(f"<{element}{words}>")
    if not content and element in ("path", "rect", "use"):
        return Markup(f"<{element}{words}/>")
    return Markup(f"<{element}{words}>{join(content)}" + ("" if element in OPEN else f"</{element}>"))


@cache
def _spelled(attribute: str) -> str:
    return attribute.rstrip("_").replace("_", "-")


def shortened(text: str, width: int) -> str:
    """Text cut to a number of characters, with an ellipsis."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"
