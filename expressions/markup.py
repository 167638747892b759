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
    return Markup(_safe(value))


def _safe(value: object) -> str:
    if type(value) is Markup:
        return value
    text = str(value)
    return html.escape(UNSAFE.sub("\ufffd", text)) if SPECIAL.search(text) else text


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Parts one after another, each escaped unless it is `Markup`."""
    return Markup(_safe(between).join(map(_safe, parts)))


def tag(element: str, /, *content: object, **attributes: object) -> Markup:
    """An element. A last `_` of an attribute's name is dropped, other `_` are `-`; None leaves the attribute out.

    >>> tag("text", "a < b", class_="e", x=3)
    '<text class="e" x="3">a &lt; b</text>'
    >>> tag("rect", width=1)
    '<rect width="1"/>'
    """
    words = ""
    for key, value in attributes.items():
        if value is not None:
            words += f' {_spelled(key)}="{_safe(value)}"'
    if element in VOID:
        return Markup(f"<{element}{words}>")
    if not content and element in ("path", "rect", "use"):
        return Markup(f"<{element}{words}/>")
    inside = "".join(map(_safe, content))
    return Markup(f"<{element}{words}>{inside}" if element in OPEN else f"<{element}{words}>{inside}</{element}>")


@cache
def _spelled(attribute: str) -> str:
    return attribute.rstrip("_").replace("_", "-")


def shortened(text: str, width: int) -> str:
    """Text cut to a number of characters, with an ellipsis."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"
