"""What functions of Polars across the symbols of a date, or of a category of it, mean in our operators.

A reduction has a value on every bar of the date, those that lack the value included, as in Polars. Our operators are
missing there, so their value is filled in, unless what is computed from it is missing there anyway (`strict`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from factorloom.expressions.axis import Axis
from factorloom.expressions.column import missing
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import find, lit
from factorloom.expressions.operators import (
    fill,
    is_missing,
    logical_not,
    polars_cross,
    polars_group,
    sqrt,
    where,
)
from factorloom.expressions.polars.call import Call
from factorloom.expressions.polars.cell import choose
from factorloom.expressions.polars.tree import Unread

__all__ = ["SECTION", "Section", "filtered", "without_fill"]


@dataclass(frozen=True)
class Section:
    """Which symbols stand together: all of a date, or those of a category of it."""

    by: str | None

    def apply(self, name: str, x: Factor, **parameters: object) -> Factor:
        """The operator `cs_<name>`, or `group_<name>`."""
        if self.by is None:
            return find(f"cs_{name}")(x, **parameters)
        return find(f"group_{name}")(x, self.by, **parameters)

    def everywhere(self, name: str, x: Factor) -> Factor:
        """A reduction with its value on every bar."""
        return self.apply("fill", self.apply(name, x))

    def count(self, x: Factor) -> Factor:
        """How many values there are, on every bar."""
        return self.apply("sum", logical_not(is_missing(x)))

    def run(self, inputs: Sequence[Factor], expression: str) -> Factor:
        """The expression over these inputs as Polars computes it."""
        if self.by is None:
            return polars_cross(*inputs, expression=expression)
        return polars_group(*inputs, by=self.by, expression=expression)


def _rank(call: Call, section: Section) -> Factor:
    options = call.options["options"]
    method, x = options["method"], -call.x if options["descending"] else call.x
    if method not in METHODS:
        raise Unread(
            f"rank(method={method.lower()!r}) depends on the order of rows, or on chance",
            call.tree,
            "with 'average', 'min', 'max' or 'dense' ties share a rank",
        )
    return section.apply("rank", x, method=METHODS[method])


METHODS = {"Average": "ordinal", "Min": "min", "Max": "max", "Dense": "dense"}


def _spread(call: Call, section: Section) -> Factor:
    ddof, deviation = call.options, section.apply("std", call.x)
    if ddof != 1:
        count = section.count(call.x)
        deviation = where(count > ddof, deviation * sqrt((count - 1) / (count - ddof)), missing)
        deviation = fill(deviation, where(count == 1, 0, missing)) if ddof == 0 else deviation
    value = section.apply("fill", deviation)
    return value * value if call.name == "var" else value


def _reduced(name: str) -> Callable[[Call, Section], Factor]:
    return lambda call, section: section.everywhere(name, call.x)


def _quantile(call: Call, section: Section) -> Factor:
    ((_, options),) = call.tree["Function"]["function"].items()
    share = call.inputs[1].parameters[0] if call.inputs[1].operator.name == "lit" else -1.0
    if not 0 <= float(share) <= 1:
        raise Unread("quantile must be a number between 0 and 1 that is written out", call.tree)
    return section.everywhere("median", call.x) if _is_median(call, options) else _left_to_polars(call, section)


def _is_median(call: Call, options: Any) -> bool:
    return options["method"] == "Linear" and call.inputs[1] is lit(0.5)


def _ignoring(decided_by: float) -> Callable[[Call, Section], Factor]:
    """Whether any (1) or all (0) of the conditions hold, missing ones left out."""

    def read(call: Call, section: Section) -> Factor:
        if not call.options["ignore_nulls"]:
            raise Unread(f"{call.name}(ignore_nulls=False) is not known", call.tree)
        return section.apply("max" if decided_by else "min", fill(call.x, 1 - decided_by)) != 0

    return read


def _left_to_polars(call: Call, section: Section) -> Factor:
    return section.run(call.given, call.as_text())


SECTION: dict[str, Callable[[Call, Section], Factor]] = {
    "rank": _rank,
    "mean": _reduced("mean"),
    "median": _reduced("median"),
    "min": _reduced("min"),
    "max": _reduced("max"),
    "sum": lambda call, section: section.apply("sum", fill(call.x, 0)),
    "std": _spread,
    "var": _spread,
    "count": lambda call, section: section.count(call.x),
    "len": lambda call, section: section.apply("sum", lit(1)),
    "null_count": lambda call, section: section.apply("sum", is_missing(call.x)),
    "any": _ignoring(1),
    "all": _ignoring(0),
    "quantile": _quantile,
    **dict.fromkeys(("skew", "kurtosis", "n_unique", "correlation"), _left_to_polars),
}
"""Functions that go across symbols, by name."""


def filtered(x: Factor, condition: Factor) -> Factor:
    """The values where a condition holds, the others missing."""
    return choose(condition, x, missing)


STRICT = {
    "add", "subtract", "multiply", "divide", "power", "modulo", "negate", "abs", "sign", "sqrt", "log", "exp",
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
}  # fmt: skip
"""Operators that are missing where any input is."""


def without_fill(factor: Factor) -> Factor:
    """A factor without the fills of reductions where its other inputs are missing anyway.

    `x - cs_fill(cs_mean(x))` is `x - cs_mean(x)`, and `cs_rank(x, method="ordinal") / cs_sum(...)` is `cs_rank(x)`.
    """
    return factor if factor.operator.name not in STRICT else _idiom(_lean(factor))


@functools.lru_cache(1024)
def _lean(factor: Factor) -> Factor:
    """The factor without such fills among what its strict operators read."""
    needed = _needed(factor)

    def lean(node: Factor) -> Factor:
        if node.operator.name in STRICT:
            return node.on(tuple(map(lean, node.inputs)))
        return node.inputs[0] if _filled(node) in needed else node

    return lean(factor)


def _idiom(factor: Factor) -> Factor:
    """The operator that is equal to two others: a rank in percent, a deviation from the mean, a z-score."""
    if factor.operator.name not in ("divide", "subtract"):
        return factor
    left, right = factor.inputs
    axis, _, name = left.operator.name.partition("_")
    key, x = left.inputs[1:], left.inputs[0] if left.inputs else left
    if factor.operator.name == "divide" and name == "rank" and left.parameters == ("ordinal",):
        count = find(f"{axis}_sum")(logical_not(is_missing(x)), *key)
        return find(f"{axis}_rank")(x, *key) if right is count else factor
    if factor.operator.name == "divide" and name == "demean":
        return find(f"{axis}_zscore")(x, *key) if right is find(f"{axis}_std")(x, *key) else factor
    if factor.operator.name == "subtract" and right.operator.name in ("cs_mean", "group_mean"):
        axis = right.operator.name.partition("_")[0]
        return find(f"{axis}_demean")(*right.inputs) if right.inputs[0] is left else factor
    return factor


def _needed(factor: Factor) -> set[Factor]:
    """The factors that are missing nowhere that this one is not: it is missing where they are."""
    if factor.operator.name not in STRICT:
        own = {factor}
        if factor.operator.axis in (Axis.CROSS, Axis.GROUP) and factor.operator.name in KEPT:
            own.add(factor.inputs[0])
        return own
    return {factor}.union(*map(_needed, factor.inputs))


REDUCTIONS = "mean", "std", "min", "max", "median"
KEPT = {f"{axis}_{name}" for axis in ("cs", "group") for name in (*REDUCTIONS, "rank", "demean")}


def _filled(node: Factor) -> Factor | None:
    """What is reduced, where a node is a reduction with its value on every bar."""
    if node.operator.name not in ("cs_fill", "group_fill"):
        return None
    inner = node.inputs[0]
    return inner.inputs[0] if inner.operator.name in KEPT and _keys(inner) == _keys(node) else None


def _keys(node: Factor) -> list[str]:
    """The category within which an operator computes."""
    return [key.digest for key in node.inputs[1:]]
