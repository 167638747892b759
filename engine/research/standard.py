"""The factors of a score model, standardised: expressions of the raw factors, so that they are planned like any other.

For every factor, with `raw` its value:

    x = cs_winsorize(raw)                      within the category, if the model neutralises by one
    z = cs_robust_zscore(x)                    or another transform, within the category; see below
    z = cs_zscore(cs_neutralize(z, exposures)) if the model has exposures: then the category is one of them

Clipping at 2 MAD from the median or more changes neither the median nor the MAD. The robust z-score of values that are
clipped so is then that of the values as they are, clipped, and one sort of the date is enough for both:

    z = clip(cs_robust_zscore(raw), -limit, limit)     method "mad" and limit * 1.4826 >= 2

A value that is so far away that its z is beyond all numbers, above 1e308, is missing then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from factorloom.engine.research.model import ScoreModel
from factorloom.engine.research.part import Winsorize
from factorloom.expressions.factor import Factor
from factorloom.expressions.operators import (
    clip,
    cs_demean,
    cs_neutralize,
    cs_normal_score,
    cs_rank,
    cs_residual,
    cs_robust_zscore,
    cs_winsorize,
    cs_zscore,
    group_demean,
    group_normal_score,
    group_rank,
    group_robust_zscore,
    group_winsorize,
    group_zscore,
)
from factorloom.expressions.operators.cross.robust import NORMAL_MAD

__all__ = ["Steps", "residual", "standardized", "steps"]

ON_THE_DATE: Mapping[str, Callable[[Factor], Factor]] = {
    "robust_zscore": cs_robust_zscore,
    "zscore": cs_zscore,
    "rank": lambda x: cs_demean(cs_rank(x)),
    "normal_score": cs_normal_score,
}
WITHIN: Mapping[str, Callable[[Factor, str], Factor]] = {
    "robust_zscore": group_robust_zscore,
    "zscore": group_zscore,
    "rank": lambda x, by: group_demean(group_rank(x, by), by),
    "normal_score": group_normal_score,
}


def standardized(model: ScoreModel, inputs: Mapping[str, Factor] | None = None) -> dict[str, Factor]:
    """The standardised value of every factor of a model, by name.

    Parameters
    ----------
    model
    inputs
        The raw factors and the exposures by name; default: those of the model.

    Examples
    --------
    >>> import factorloom as fl
    >>> from factorloom.engine.research.standard import standardized
    >>> model = fl.ScoreModel("cheap", {"low_price": fl.ScoreFactor(fl.close, direction=-1)}, transform="rank")
    >>> print(standardized(model)["low_price"])
    cs_demean(cs_rank(cs_winsorize(close)))
    """
    return {name: each.z for name, each in steps(model, inputs).items()}


class Steps(NamedTuple):
    """What a model makes of a factor, step by step; `neutral` only where it has exposures."""

    winsorized: Factor
    standardized: Factor
    neutral: Factor | None

    @property
    def z(self) -> Factor:
        """The last step."""
        return self.standardized if self.neutral is None else self.neutral


def steps(model: ScoreModel, inputs: Mapping[str, Factor] | None = None) -> dict[str, Steps]:
    """The steps to the standardised value of every factor of a model, by name; `inputs` as in `standardized`."""
    given = model.inputs if inputs is None else inputs
    return {name: _steps(model, given[name], given) for name in model.factors}


def residual(model: ScoreModel, x: Factor, inputs: Mapping[str, Factor]) -> Factor:
    """What the model's exposures, and the means of its categories, do not explain of `x`."""
    exposures = [inputs[name] for name in model.exposures]
    return cs_neutralize(x, *exposures, by=model.neutralize) if model.neutralize else cs_residual(x, *exposures)


def _steps(model: ScoreModel, raw: Factor, inputs: Mapping[str, Factor]) -> Steps:
    rule, group = model.winsorize, model.neutralize
    within = group if not model.exposures else None
    clipped = raw
    if rule:
        limit, method = rule.limit, rule.method
        clipped = (
            group_winsorize(raw, within, limit=limit, method=method)
            if within
            else cs_winsorize(raw, limit=limit, method=method)
        )
    late = rule is not None and model.transform == "robust_zscore" and _keeps_median_and_mad(rule)
    x = raw if late else clipped
    z = WITHIN[model.transform](x, within) if within else ON_THE_DATE[model.transform](x)
    if rule is not None and late:
        z = clip(z, -rule.limit, rule.limit)
    return Steps(clipped, z, cs_zscore(residual(model, z, inputs)) if model.exposures else None)


def _keeps_median_and_mad(rule: Winsorize) -> bool:
    """Whether limits are so wide that what they clip is not among the middle two distances, at most 2 MAD each."""
    return rule.method == "mad" and rule.limit * NORMAL_MAD >= 2
