"""Which weights hold on a date: those of the model, or the last ones that were fitted by then."""

from __future__ import annotations

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Array
from factorloom.engine.research.model import ScoreModel
from factorloom.expressions.errors import ArgumentError, UnknownColumnError, suggest

__all__ = ["WEIGHT", "dated_shares"]

WEIGHT = "weight_"
"""What stands before the name of a factor in the columns of fitted weights."""


def dated_shares(model: ScoreModel, weights: pl.DataFrame | None, dates: pl.Series) -> Array:
    """The share of each factor, whose sizes sum to 1: (factors,) where they are fixed, else (rows, factors).

    Fitted shares are NaN before the first fit, and where a fit had too few dates to train on; a negative one turns the
    direction of its factor around.

    Raises
    ------
    ArgumentError
        Weights are given for a model with fixed ones, or are not given for one that is fitted.
    UnknownColumnError
        The weights lack a date or a factor.
    """
    if model.fit is None:
        if weights is not None:
            raise ArgumentError(f"the weights of {model.name} are fixed", hint="leave out weights=")
        return np.array(list(model.shares.values()))
    if not isinstance(weights, pl.DataFrame):
        raise ArgumentError(
            f"{model.name} needs its fitted weights, got {type(weights).__name__}", hint="fl.fit_weights gives them"
        )
    names = [f"{WEIGHT}{name}" for name in model.factors]
    for name in ("date", *names):
        if name not in weights.columns:
            raise UnknownColumnError(f"no column {name!r} of fitted weights", hint=suggest(name, weights.columns))
    sorted_weights = weights.sort("date")
    known = np.vstack([np.full(len(names), np.nan), sorted_weights.select(names).cast(pl.Float64).to_numpy()])
    result: Array = known[sorted_weights["date"].cast(dates.dtype).search_sorted(dates, side="right").to_numpy()]
    return result
