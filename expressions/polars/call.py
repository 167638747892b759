"""A call of a function of Polars, as the tables of functions see it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factorloom.expressions.factor import Factor
from factorloom.expressions.operators.polars import TRUSTED
from factorloom.expressions.polars.tree import Tree, Unread

__all__ = ["Call", "whole"]

INTEGERS = {f"{kind}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)}


@dataclass(frozen=True)
class Call:
    """A function with what it is given.

    Attributes
    ----------
    name
        What a user calls it.
    tree
        The node itself.
    options
        What stands beside the name: window sizes and the like.
    inputs, trees
        Its inputs as factors, and as structures.
    """

    name: str
    tree: Tree
    options: Any
    inputs: Sequence[Factor]
    trees: Sequence[Tree]

    @property
    def x(self) -> Factor:
        """The first input."""
        return self.inputs[0]

    def whole(self, place: int, what: str) -> int:
        """A whole number that is given as an input."""
        value = whole(self.trees[place])
        if value is None:
            raise Unread(f"{what} of {self.name} must be a whole number that is written out", self.tree)
        return value

    @property
    def given(self) -> list[Factor]:
        """The inputs that are not constants."""
        return [factor for factor, tree in zip(self.inputs, self.trees, strict=True) if not _is_constant(tree)]

    def as_text(self) -> str:
        """The function itself over columns `"0"`, `"1"` and so on in place of these, for Polars to run."""
        places = {id(tree): place for place, tree in enumerate(tree for tree in self.trees if not _is_constant(tree))}
        text = json.dumps(_numbered(self.tree, places), separators=(",", ":"))
        TRUSTED.add(text)
        return text


def _numbered(tree: Any, places: Mapping[int, int]) -> Any:
    if id(tree) in places:
        return {"Column": str(places[id(tree)])}
    if isinstance(tree, dict):
        return {key: _numbered(value, places) for key, value in tree.items()}
    return [_numbered(value, places) for value in tree] if isinstance(tree, list) else tree


def _is_constant(tree: Tree) -> bool:
    return isinstance(tree, dict) and "Literal" in tree


def whole(tree: Tree) -> int | None:
    """The value of a literal that is a whole number."""
    value = tree.get("Literal") if isinstance(tree, dict) else None
    while isinstance(value, dict) and len(value) == 1:
        ((kind, value),) = value.items()
        if kind not in {"Dyn", "Scalar", "Int"} | INTEGERS:
            return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
