"""Operators as a table, or the description of one."""

from __future__ import annotations

import inspect

import polars as pl

from factorloom.expressions.operator import find
from factorloom.expressions.parse import operators
from factorloom.expressions.reference import usage

__all__ = ["describe", "operator_table"]


def operator_table() -> pl.DataFrame:
    """One row per operator: its axis, its usage and its first sentence."""
    rows = [(op.axis.value, usage(op), op.summary) for op in operators()]
    return pl.DataFrame(rows, schema=["axis", "operator", "summary"], orient="row")


def describe(name: str) -> str:
    """The usage, axis and docstring of one operator."""
    op = find(name)
    return f"{usage(op)}    looks at: {op.axis.value}\n\n{inspect.cleandoc(op.__doc__ or '')}"
