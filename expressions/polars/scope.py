"""Which bars a part of an expression sees: what the `.over()` around it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from factorloom.expressions.polars.section import Section
from factorloom.expressions.polars.tree import Tree, Unread

__all__ = ["BARE", "Scope", "scope_of"]


@dataclass(eq=False)
class Scope:
    """The `.over()` around a part of an expression.

    Attributes
    ----------
    section
        Which symbols functions across symbols see; None along time, and where there is no `.over()`.
    over
        What stands in the `.over()`, for errors.
    used
        Whether a function across symbols was found.
    """

    section: Section | None = None
    over: str | None = None
    used: bool = field(default=False)


BARE = Scope()


def scope_of(by: Sequence[str], symbol: str, date: str, tree: Tree) -> Scope:
    """What a `.over()` of these columns says."""
    names, words = set(by), ", ".join(map(repr, by))
    if names == {symbol}:
        return Scope(None, words)
    if names == {date}:
        return Scope(Section(None), words)
    rest = [name for name in by if name != date]
    if date in names and symbol not in names and len(rest) == 1:
        return Scope(Section(rest[0]), words)
    if symbol in names:
        raise Unread(
            f".over({words}) leaves one bar in each group",
            tree,
            f"write .over({symbol!r}) or .over({date!r})",
        )
    if date in names:
        raise Unread(f".over({words}) groups by several categories", tree, "join them to one column of the panel first")
    raise Unread(
        f".over({words}) takes all dates together, and so looks ahead",
        tree,
        f"write .over([{date!r}, {words}]) for the symbols of a date" if len(by) == 1 else None,
    )
