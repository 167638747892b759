"""Universes: factors whose cross-sections see the members of a date alone."""

from __future__ import annotations

from collections.abc import Mapping

from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ParameterError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col
from factorloom.expressions.operators import where
from factorloom.storage.view import View

__all__ = ["MEMBER", "within"]

MEMBER = "in_"
"""The column of a universe has this before its name; it is 1 for members and 0 for others."""


def within(view: View, universe: str | None, factors: Mapping[str, Factor]) -> dict[str, Factor]:
    """Factors in a universe: missing outside, also in the inputs of cross-sections; windows see all of a symbol.

    Raises
    ------
    ParameterError
        There is no such universe.
    """
    if universe is None:
        return dict(factors)
    known = [table.name for table in view.tables if table.kind == "universe"]
    if universe not in known:
        raise ParameterError(
            f"dataset {view.dataset!r} has no universe {universe!r}",
            hint=suggest(str(universe), known) or "load one with store.load_universe",
        )
    member = col(MEMBER + universe)

    def masked(node: Factor) -> Factor | None:
        if node.operator.axis not in (Axis.CROSS, Axis.GROUP):
            return None
        numbers = tuple(where(member, child) for child in node.operands)
        return node.on((*numbers, *node.inputs[len(numbers) :]))

    return {name: where(member, factor.rebuild(masked)) for name, factor in factors.items()}
