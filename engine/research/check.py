"""The checks of a score model's tables; the message of each error starts with the path to its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from factorloom.engine.bars.layout import KEYS
from factorloom.engine.research.document import (
    build,
    check_choice,
    check_name,
    check_positive,
    child_path,
    shortened,
)
from factorloom.engine.research.fit.rule import Fit
from factorloom.engine.research.part import ScoreFactor, Winsorize, check_expression
from factorloom.expressions.errors import ModelError, suggest
from factorloom.expressions.factor import Factor

__all__ = ["check_column", "check_exposures", "check_factors", "check_groups", "check_weighting", "check_winsorize"]

WEIGHTINGS = ("fixed", "equal")
MAX_RATIO = 1e100
"""The largest ratio of two weights: in a larger one the smaller weight would be lost in Float64."""


def check_factors(parts: object) -> dict[str, ScoreFactor]:
    if not isinstance(parts, Mapping) or not parts:
        raise ModelError(f"$.factors: must name at least one factor, got {shortened(parts)}")
    factors = {name: _factor(child_path("$.factors", name), name, part) for name, part in parts.items()}
    weights = [part.weight for part in factors.values()]
    if max(weights) / MAX_RATIO > min(weights):
        raise ModelError(f"$.factors: the ratio of two weights must be at most {MAX_RATIO:g}")
    return factors


def _factor(path: str, name: object, part: object) -> ScoreFactor:
    check_name(path, name)
    if name in KEYS:
        raise ModelError(f"{path}: {name} is a key column and cannot be the name of a factor")
    if isinstance(part, ScoreFactor):
        return part
    if isinstance(part, Factor | str | pl.Expr):
        part = {"expression": part}
    return build(ScoreFactor, part, path)


def check_winsorize(value: object) -> Winsorize | None:
    if value is None or value is False:
        return None
    return value if isinstance(value, Winsorize) else build(Winsorize, value, "$.winsorize")


def check_weighting(given: object, factors: Mapping[str, ScoreFactor]) -> str | Fit:
    """The rule of the weights; unless they are fixed, factors have none of their own."""
    if isinstance(given, Mapping):
        given = build(Fit, given, "$.weighting")
    if not isinstance(given, Fit):
        check_choice("$.weighting", given, WEIGHTINGS)
    for name, part in factors.items():
        if given != "fixed" and part.weight != 1:
            path = f"{child_path('$.factors', name)}.weight"
            raise ModelError(f"{path}: has no meaning where weights are not fixed", hint="leave it out")
    return given  # type: ignore[return-value]


def check_column(name: object, factors: Mapping[str, ScoreFactor]) -> None:
    if name is not None and (not isinstance(name, str) or not name):
        raise ModelError(f"$.neutralize: must be the name of a column, got {shortened(name)}")
    if name in factors:
        raise ModelError(f"$.neutralize: {name!r} is a factor of the model, not a categorical column")


def check_exposures(given: object, taken: Sequence[str | None]) -> dict[str, Factor]:
    """The exposures by name; a list names columns."""
    if isinstance(given, Sequence) and not isinstance(given, str):
        for name in given:
            check_name("$.exposures", name)
        given = {name: name for name in given}
    if not isinstance(given, Mapping):
        raise ModelError(f"$.exposures: must be a table of factors by name, got {shortened(given)}")
    for name in given:
        path = child_path("$.exposures", name)
        check_name(path, name)
        if name in taken or name in KEYS:
            raise ModelError(f"{path}: {name} is already a factor, a category or a key of the model")
    return {name: check_expression(child_path("$.exposures", name), each) for name, each in given.items()}


def check_groups(given: object, factors: Mapping[str, ScoreFactor]) -> dict[str, float]:
    """The weights of groups; every factor is in one, and no group is empty."""
    if not isinstance(given, Mapping):
        raise ModelError(f"$.groups: must be a table of weights by name, got {shortened(given)}")
    groups = {name: check_positive(child_path("$.groups", name), weight) for name, weight in given.items()}
    for name, part in factors.items():
        if part.group not in groups and (groups or part.group is not None):
            hint = suggest(str(part.group), list(groups)) or "name each factor's group and give it a weight in groups"
            raise ModelError(f"{child_path('$.factors', name)}.group: no weight of group {part.group!r}", hint=hint)
    empty = [name for name in groups if name not in {part.group for part in factors.values()}]
    if empty:
        raise ModelError(f"{child_path('$.groups', empty[0])}: no factor is in this group")
    if groups and max(groups.values()) / MAX_RATIO > min(groups.values()):
        raise ModelError(f"$.groups: the ratio of two weights must be at most {MAX_RATIO:g}")
    return groups
