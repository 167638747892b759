"""Functions of Polars on the values of one bar whose meaning depends on options."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable

from factorloom.expressions.factor import Factor
from factorloom.expressions.operators import signed_power, sqrt
from factorloom.expressions.polars import cell
from factorloom.expressions.polars.call import Call

__all__ = ["CALLS"]


def _clip(call: Call) -> Factor:
    bounds = list(call.inputs[1:])
    lower = bounds.pop(0) if call.options["has_min"] else None
    return cell.clipped(call.x, lower, bounds.pop(0) if call.options["has_max"] else None)


def _power(call: Call) -> Factor:
    if call.options == "Sqrt":
        return sqrt(call.x)
    if call.options == "Cbrt":
        return signed_power(call.x, 1 / 3)
    return cell.power_of(call.x, call.inputs[1])


def _between(call: Call) -> Factor:
    (x, lower, upper), closed = call.inputs, call.options["closed"]
    above = x >= lower if closed in ("Both", "Left") else x > lower
    return above & (x <= upper if closed in ("Both", "Right") else x < upper)


def _horizontal(join: Callable[[Factor, Factor], Factor]) -> Callable[[Call], Factor]:
    return lambda call: functools.reduce(join, call.inputs)


CALLS: dict[str, Callable[[Call], Factor]] = {
    "clip": _clip,
    "round": lambda call: cell.rounded(call.x, call.options["decimals"], call.options["mode"]),
    "pow": _power,
    "is_between": _between,
    "sum_horizontal": lambda call: cell.total_of(call.inputs, call.options["ignore_nulls"]),
    "any_horizontal": _horizontal(operator.or_),
    "all_horizontal": _horizontal(operator.and_),
    "truncate": lambda call: cell.truncated(call.x, call.options["decimals"]),
}
"""Functions of one bar's values with options."""
