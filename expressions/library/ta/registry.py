"""The declaration of technical indicators, and the set of all of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ParamSpec, TypedDict, TypeVar

from factorloom.expressions.column import close
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.library import Entry

__all__ = ["REFUSED", "entries", "technical"]

P = ParamSpec("P")
R = TypeVar("R", Factor, tuple[Factor, ...])

_DECLARED: dict[tuple[str, ...], Callable[..., Factor | tuple[Factor, ...]]] = {}

REFUSED = {
    "ICHIMOKU_CHIKOU": "looks ahead: the close of 26 bars later",
    "MACDFIX": "MACD with smoothings of 0.15 and 0.075, which no whole number of bars has",
    "ZIGZAG": "repaints: its last leg changes with later bars",
}
"""Indicators that are left out on purpose, and why."""


def technical(*names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare a function that gives the indicator of this name, or one for each of these names."""

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        _DECLARED[names] = function
        return function

    return declare


class _Paragraphs(TypedDict, total=False):
    meaning: str
    source: str
    note: str


def entries() -> dict[str, Entry]:
    """Every declared indicator with its default parameters."""
    listed: dict[str, Entry] = {}
    for names, function in _DECLARED.items():
        made: Any = function()
        about = Entry(close, family=function.__module__.rpartition(".")[2], **_paragraphs(function))
        listed |= {name: replace(about, factor=factor) for name, factor in zip(names, _many(made), strict=True)}
    return listed


def _many(made: Factor | tuple[Factor, ...]) -> tuple[Factor, ...]:
    return (made,) if isinstance(made, Factor) else made


def _paragraphs(function: Callable[..., object]) -> _Paragraphs:
    """Meaning, source and note from the docstring."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(function.__doc__ or ""))
    first, *rest = (" ".join(paragraph.split()).rstrip(".") for paragraph in paragraphs)
    paragraph_of: _Paragraphs = {"meaning": first}
    for paragraph in rest:
        label, _, text = paragraph.partition(": ")
        if label == "Source":
            paragraph_of["source"] = text
        if label == "Note":
            paragraph_of["note"] = text
    return paragraph_of
