"""What functions of Polars on the values of one bar mean in our operators.

Booleans are 1 and 0. Polars has a missing condition count as false, skips a missing bound of `clip`, and skips missing
inputs in `sum_horizontal` and its kin: the operators are put together such that they do as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce

from factorloom.expressions.column import missing
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import lit
from factorloom.expressions.operators import (
    arctan,
    ceil,
    clip,
    exp,
    fill,
    floor,
    is_missing,
    log,
    log1p,
    logical_not,
    max_of,
    mean_of,
    min_of,
    modulo,
    power,
    round,
    sign,
    sqrt,
    sum_of,
    tanh,
    where,
)

__all__ = [
    "BINARY",
    "LOGICAL",
    "PLAIN",
    "cast",
    "choose",
    "clipped",
    "is_boolean",
    "power_of",
    "rounded",
    "same",
    "total_of",
    "truncated",
]

BINARY: dict[str, Callable[[Factor, Factor], Factor]] = {
    "Plus": lambda x, y: x + y,
    "Minus": lambda x, y: x - y,
    "Multiply": lambda x, y: x * y,
    "TrueDivide": lambda x, y: x / y,
    "FloorDivide": lambda x, y: floor(x / y),
    "Modulus": modulo,
    "Eq": lambda x, y: x == y,
    "NotEq": lambda x, y: x != y,
    "Lt": lambda x, y: x < y,
    "LtEq": lambda x, y: x <= y,
    "Gt": lambda x, y: x > y,
    "GtEq": lambda x, y: x >= y,
    "EqValidity": lambda x, y: same(x, y),
    "NotEqValidity": lambda x, y: logical_not(same(x, y)),
}
"""Operators between two values."""

LOGICAL: dict[str, Callable[[Factor, Factor], Factor]] = {
    "And": lambda x, y: x & y,
    "LogicalAnd": lambda x, y: x & y,
    "Or": lambda x, y: x | y,
    "LogicalOr": lambda x, y: x | y,
    "Xor": lambda x, y: x != y,
}
"""Operators between two booleans; between whole numbers Polars takes them bit by bit."""

PLAIN: dict[str, Callable[..., Factor]] = {
    "abs": abs,
    "negate": lambda x: -x,
    "sign": sign,
    "exp": exp,
    "log1p": log1p,
    "floor": floor,
    "ceil": ceil,
    "tanh": tanh,
    "arc_tan": arctan,
    "is_null": is_missing,
    "is_not_null": lambda x: logical_not(is_missing(x)),
    "is_nan": lambda x: x != x,
    "is_not_nan": lambda x: x == x,
    "is_finite": lambda x: x == x,
    "is_infinite": lambda x: x != x,
    "fill_null": fill,
    "coalesce": lambda *x: reduce(fill, x),
    "min_horizontal": min_of,
    "max_horizontal": max_of,
    "mean_horizontal": lambda *x: mean_of(*x),
    "log": lambda x, base: log(x) if base is lit(math.e) else log(x) / log(base),
}
"""Functions of one bar's values without options."""

BOOLEAN = {
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or",
    "logical_not", "is_missing",
}  # fmt: skip
CARRIED = {"where": 1, "fill": 0, "ts_delay": 0, "ts_lead": 0, "ts_fill_forward": 0, "min_of": 0, "max_of": 0}
"""Operators whose values are those of their inputs, and the first such input."""

ZERO = lit(0)


def is_boolean(factor: Factor) -> bool:
    """Whether the values are only 1, 0 and missing, as far as the operators tell."""
    stack = [factor]
    while stack:
        node = stack.pop()
        name = node.operator.name
        if name in CARRIED:
            stack += node.inputs[CARRIED[name] :]
        elif name not in BOOLEAN and number_of(node) not in (0, 1) and node is not missing:
            return False
    return True


def same(x: Factor, y: Factor) -> Factor:
    """Whether two values are equal, or both missing."""
    return where(is_missing(x) | is_missing(y), is_missing(x) & is_missing(y), x == y)


def choose(condition: Factor, x: Factor, y: Factor) -> Factor:
    """`x` where the condition is true, else `y`; a missing condition is false."""
    is_never_missing = condition.operator.name in ("is_missing", "lit") or (
        condition.operator.name == "logical_not" and condition.inputs[0].operator.name == "is_missing"
    )
    return where(condition if is_never_missing else fill(condition, ZERO), x, y)


def clipped(x: Factor, lower: Factor | None, upper: Factor | None) -> Factor:
    """`x` between two bounds, the lower one first; a missing bound is none."""
    ends = [None if bound is None else number_of(bound) for bound in (lower, upper)]
    if ends[0] is not None and ends[1] is not None and ends[0] <= ends[1]:
        return clip(x, ends[0], ends[1])
    inside = x if upper is None else choose(x > upper, upper, x)
    return inside if lower is None else choose(x < lower, lower, inside)


def rounded(x: Factor, decimals: int, mode: str) -> Factor:
    """`x` rounded to so many decimals; halves to the even neighbour, or away from 0."""
    if mode == "HalfToEven":
        return round(x, digits=decimals)
    scale = 10.0**decimals
    return sign(x) * floor(abs(x) * scale + 0.5) / scale


def truncated(x: Factor, decimals: int) -> Factor:
    """`x` rounded towards 0."""
    scale = 10.0**decimals
    return sign(x) * floor(abs(x) * scale) / scale


SIZES = {f"{kind}{bits}": bits for kind in ("Int", "UInt") for bits in (8, 16, 32, 64, 128)}


def cast(x: Factor, dtype: str) -> Factor | None:
    """`x` as another type of numbers, or as a boolean; None for a type that is neither."""
    if dtype == "Float64":
        return x
    if dtype == "Boolean":
        return x if is_boolean(x) else x != 0
    if dtype not in SIZES:
        return None
    if is_boolean(x):
        return x
    whole = where(x < 0, ceil(x), floor(x))
    if SIZES[dtype] >= 64:
        return where(x < 0, missing, whole) if dtype[0] == "U" else whole
    lowest = 0 if dtype[0] == "U" else -(2 ** (SIZES[dtype] - 1))
    highest = lowest + 2 ** SIZES[dtype] - 1
    return where((whole < lowest) | (whole > highest), missing, whole)


def number_of(factor: Factor) -> float | None:
    """The value of a constant; None for what is not one, or missing."""
    if factor.operator.name != "lit" or factor is missing:
        return None
    return float(factor.parameters[0])


def total_of(inputs: Sequence[Factor], ignore_nulls: bool) -> Factor:
    """The sum of the inputs, the missing ones taken as 0, or missing where any is."""
    return fill(sum_of(*inputs), 0) if ignore_nulls else reduce(lambda x, y: x + y, inputs)


def power_of(x: Factor, exponent: Factor) -> Factor:
    """A power; a square root where the exponent says so."""
    return sqrt(x) if number_of(exponent) == 0.5 else power(x, exponent)
