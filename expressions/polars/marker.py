"""Operators of ours inside expressions of Polars: written into the expression, to be read again from it.

Polars cannot run them. So a call stands as a struct of a column that no frame has, and of the inputs: Polars then says
that it does not find a column of the name `factorloom: ts_rank(_0, 10)`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import polars as pl

from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import Operator, col
from factorloom.expressions.parse import parse

__all__ = ["MARK", "marked", "restored"]

MARK = "factorloom: "


def marked(operator: Operator[...], args: Sequence[Any], kwargs: dict[str, Any]) -> pl.Expr:
    """A call of an operator as an expression; inputs that are expressions stay as they are."""
    inputs: list[pl.Expr] = []

    def placed(value: Any) -> Any:
        if not isinstance(value, pl.Expr):
            return value
        inputs.append(value)
        return col(f"_{len(inputs) - 1}")

    template = operator(*map(placed, args), **{name: placed(value) for name, value in kwargs.items()})
    return pl.struct(pl.col(f"{MARK}{template}"), *inputs)


def restored(mark: str, inputs: Sequence[Factor]) -> Factor:
    """The factor of a call that was written into an expression."""
    template, places = _template(mark.removeprefix(MARK)), {col(f"_{k}"): x for k, x in enumerate(inputs)}
    return template.rebuild(places.get)


@functools.lru_cache(1024)
def _template(text: str) -> Factor:
    return parse(text, max_length=10**6, max_depth=1000, max_nodes=10**5, max_window=10**9)
