"""Our operators on expressions of Polars: `pl.col("close").fl.ts_rank(10).fl.cs_rank()`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import polars as pl

from factorloom.expressions.operator import find
from factorloom.expressions.polars.marker import marked
from factorloom.expressions.registry import OPERATORS

__all__ = ["ExprOperators"]


class ExprOperators:
    """The operators, with the expression as their first input.

    The result is an expression that `panel.compute`, `with_factors` and all else that takes factors can read; Polars
    alone says that it does not find a column `factorloom: ...`.

    >>> import polars as pl, factorloom as fl, factorloom.polars
    >>> print(fl.from_polars(pl.col("close").fl.ts_rank(10).fl.cs_rank()))
    cs_rank(ts_rank(close, 10))
    """

    def __init__(self, expression: pl.Expr) -> None:
        self._expression = expression

    def __getattr__(self, name: str) -> Callable[..., pl.Expr]:
        if name.startswith("_"):
            raise AttributeError(name)
        operator = find(name)

        @functools.wraps(operator)
        def call(*args: Any, **kwargs: Any) -> pl.Expr:
            return marked(operator, (self._expression, *args), kwargs)

        _, *rest = operator.signature.parameters.values()
        call.__signature__ = inspect.Signature(rest)  # type: ignore[attr-defined]
        return call

    def __dir__(self) -> list[str]:
        return sorted(name for name in OPERATORS if name not in ("col", "lit"))
