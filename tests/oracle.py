"""The meaning of a factor, computed the slow and obvious way: one window, one cross-section at a time.

Nothing of the engine is used here but the panel's columns, so whatever agrees with this is right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.panel import Panel
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, dates_left

Array = npt.NDArray[np.float64]


def mean_of(factor: Factor, panel: Panel) -> Array:
    """The value of a factor on every bar, missing as NaN."""
    values: dict[str, Array] = {dates_left().digest: _dates_left(panel)}
    keys = {node.inputs[-1].digest for node in factor.walk() if node.operator.axis is Axis.GROUP}
    for node in factor.walk():
        if node.digest in keys and node is not factor:
            continue
        with np.errstate(all="ignore"):
            values[node.digest] = _finite(_value(node, panel, values))
    return values[factor.digest]


def _dates_left(panel: Panel) -> Array:
    dates = sorted(set(panel.frame["date"]))
    return np.array([len(dates) - 1 - dates.index(day) for day in panel.frame["date"]], dtype=np.float64)


def _value(node: Factor, panel: Panel, values: dict[str, Array]) -> Array:
    name = node.operator.name
    if name == "col":
        return panel.frame[str(node.parameters[0])].fill_null(float("nan")).to_numpy()
    if name == "lit":
        return np.full(panel.rows, float(node.parameters[0]))
    inputs = [values[child.digest] for child in node.operands]
    if node.operator.axis is Axis.CELL:
        return _meaning(node)(*inputs)
    if node.operator.axis is Axis.TIME:
        return _by_run(panel, [panel.symbol], lambda rows: _moving(node, [x[rows] for x in inputs]))
    keys = [panel.date] + [str(node.inputs[-1].parameters[0])] * (node.operator.axis is Axis.GROUP)

    def cross(rows: npt.NDArray[np.int64]) -> Array:
        return np.asarray(_meaning(node)(*[x[rows] for x in inputs]), dtype=float)

    return _by_run(panel, keys, cross)


def _by_run(panel: Panel, keys: list[str], compute: Callable[[Any], Array]) -> Array:
    """Apply to the rows of every key; rows without a key stay missing."""
    out = np.full(panel.rows, np.nan)
    rows = panel.frame.select(keys).with_row_index("row").drop_nulls()
    for part in rows.partition_by(keys, maintain_order=True):
        index = part["row"].to_numpy().astype(np.int64)
        out[index] = compute(index)
    return out


def _moving(node: Factor, inputs: list[Array]) -> Array:
    parameters = node.operator.named(node.parameters)
    before, after = node.operator.span(parameters)
    ahead = max(after, 0)
    size = inputs[0].size
    padded = [np.concatenate([np.full(before, np.nan), x, np.full(ahead, np.nan)]) for x in inputs]
    out = np.full(size, np.nan)
    for i in range(size):
        first = before if node.operator.unbounded else i
        windows = [x[first : i + before + ahead + 1] for x in padded]
        there = ~np.isnan(windows).any(axis=0)
        if there.sum() >= int(parameters.get("min_samples", 0)):
            out[i] = _meaning(node)(*windows)
    return out


def _meaning(node: Factor) -> Callable[..., Any]:
    return lambda *inputs: node.operator.call("meaning", inputs, node.parameters)


def _finite(values: Array) -> Array:
    return np.where(np.isfinite(values), values, np.nan)


def to_array(values: pl.Series) -> Array:
    assert not values.is_nan().any(), "NaN reached a user"
    assert not values.is_infinite().any(), "an infinity reached a user"
    return values.fill_null(float("nan")).to_numpy()


def assert_same(left: Array, right: Array, note: str = "", scale: float = 0.0) -> None:
    """Identical missing cells, and values within 1e-9 of the column's scale."""
    missing = np.isnan(left) != np.isnan(right)
    assert not missing.any(), f"{note}: missing cells differ in rows {np.flatnonzero(missing)[:5]}"
    there = ~np.isnan(left)
    if not there.any():
        return
    scale = max(scale, np.abs(right[there]).max())
    with np.errstate(over="ignore"):
        worst = np.abs(left[there] - right[there]).max()
    assert worst <= 1e-9 * scale, f"{note}: differ by {worst:g} on a scale of {scale:g}"


def assert_same_bits(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    """The columns of one frame have in another the same types, missing values, and bits."""
    for name in found.columns:
        one, other = found[name], expected[name]
        assert one.dtype == other.dtype, name
        np.testing.assert_array_equal(one.is_null(), other.is_null(), name)
        kind = "i8" if one.dtype == pl.Float64 else "i4"
        bits = [each.fill_null(0.0).to_numpy().view(kind) for each in (one, other)]
        np.testing.assert_array_equal(*bits, name)
