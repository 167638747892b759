"""Operators that have no kernel, as NumPy or Polars compute them on some rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Array, Index
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor

__all__ = ["clean", "compute"]


def clean(x: Array) -> None:
    """Make what is not finite missing."""
    np.copyto(x, np.nan, where=~np.isfinite(x))


def compute(node: Factor, runs: Index, takes: Sequence[Array], gives: Array) -> None:
    """Compute an operator within each of the runs that start at these rows, where it does not work cell by cell."""
    if "meaning" in node.operator.forms:
        _compute_meaning(node, takes, gives)
    else:
        _compute_by_polars(node, runs, takes, gives)
    clean(gives)


def _compute_meaning(node: Factor, takes: Sequence[Array], gives: Array) -> None:
    """The meaning of a cell-wise operator, in place where it is a ufunc."""
    function = node.operator.forms["meaning"].function
    if isinstance(function, np.ufunc):
        function(*takes, out=gives)
    else:
        gives[:] = node.operator.call("meaning", takes, node.parameters)


def _compute_by_polars(node: Factor, runs: Index, takes: Sequence[Array], gives: Array) -> None:
    """The Polars form of an operator."""
    inputs = {str(place): array for place, array in enumerate(takes)}
    frame = pl.DataFrame(inputs, nan_to_null=True)
    expression = node.operator.call("polars", list(map(pl.col, inputs)), node.parameters)
    if node.operator.axis is not Axis.CELL:
        frame = frame.with_columns(run=np.repeat(np.arange(runs.size - 1), np.diff(runs)))
        expression = expression.over("run")
    value = frame.with_columns(value=expression.cast(pl.Float64))["value"]
    gives[:] = value.fill_null(np.nan).to_numpy()
