"""The structure of an expression of Polars, as plain dictionaries and lists."""

from __future__ import annotations

import io
import json
import re
from typing import Any, TypeAlias

import msgspec
import polars as pl

from factorloom.expressions.errors import ExpressionError, FactorloomError

__all__ = ["SPACES", "Tree", "Unread", "holds_python", "locate", "name_of", "tree_of", "values_of"]

Tree: TypeAlias = Any
"""A node: text for one without content, or a dictionary with the kind as its only key."""

DEEP = "name its inner parts and put them together as factors: fl.from_polars(part), and operators of Factorloom"


class Unread(FactorloomError):
    """A part of an expression that cannot be read; it becomes an error with the place in the whole expression."""

    def __init__(self, message: str, tree: Tree, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.tree = tree


def tree_of(expression: pl.Expr) -> Tree:
    """The structure of an expression."""
    try:
        return msgspec.json.decode(expression.meta.serialize(format="json"))
    except (RecursionError, msgspec.DecodeError):
        raise ExpressionError("the expression is nested too deep to be read", hint=DEEP) from None
    except pl.exceptions.ComputeError as error:
        raise ExpressionError(
            f"Polars cannot write down the expression: {error}",
            hint="a Python function is written down with cloudpickle: pip install cloudpickle",
        ) from None


def locate(fault: Unread, expression: pl.Expr) -> FactorloomError:
    """The error for a fault, with the expression and the place of the part in it."""
    error = ExpressionError(fault.message, hint=fault.hint)
    try:
        whole, part = str(expression), str(expression_of(fault.tree))
    except Exception:  # what Polars cannot print has no place
        return error
    error.at(whole, max(whole.find(part), 0))
    return error


def expression_of(tree: Tree) -> pl.Expr:
    """The expression of a structure."""
    return pl.Expr.deserialize(io.StringIO(json.dumps(tree)), format="json")


PICKLED = bytes([128, 5, 149])
"""How a Python function begins where Polars writes it down."""


def holds_python(tree: Tree) -> bool:
    """Whether a Python function is written down somewhere in a structure."""
    if isinstance(tree, dict):
        return any(key != "Literal" and holds_python(value) for key, value in tree.items())
    if not isinstance(tree, list):
        return False
    is_bytes = all(isinstance(value, int) and 0 <= value < 256 for value in tree)
    return PICKLED in bytes(tree) if is_bytes else any(map(holds_python, tree))


def values_of(tree: Tree) -> pl.Series:
    """The values of a literal that is a list or a series."""
    series = pl.select(expression_of(tree)).to_series()
    return series.explode() if series.dtype.is_nested() else series


def name_of(kind: Any) -> str:
    """What a user calls the function of this kind: `{"RollingExpr": {"function": "Mean"}}` is `rolling_mean`."""
    if isinstance(kind, str):
        return SPELLED.get(kind) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()
    ((outer, inner),) = kind.items()
    if outer == "RollingExpr":
        function = inner["function"]
        if isinstance(function, dict) and "CorrCov" not in function:
            return "rolling_map"
        if isinstance(function, dict):
            return "rolling_corr" if function["CorrCov"]["is_corr"] else "rolling_cov"
        return f"rolling_{name_of(function)}"
    if outer == "RollingExprBy":
        return f"rolling_{name_of(inner['function_by'])}"
    if outer in SPACES:
        return f"{SPACES[outer]}{name_of(inner)}"
    return name_of(outer)


SPACES = {"Boolean": "", "Trigonometry": "", "ListExpr": "list.", "StringExpr": "str.", "TemporalExpr": "dt."}
SPELLED = {"RLEID": "rle_id", "RLE": "rle", "NUnique": "n_unique", "FillNullWithStrategy": "fill_null_with_strategy"}
