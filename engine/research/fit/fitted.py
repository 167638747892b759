"""The dated weights of a model whose weights are fitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Array
from factorloom.engine.panel import Engine, Panel
from factorloom.engine.research.fit.dated import WEIGHT
from factorloom.engine.research.fit.moment import moments, rank_ics
from factorloom.engine.research.fit.rule import Fit
from factorloom.engine.research.fit.solve import best_alpha, by_ic, regression
from factorloom.engine.research.fit.window import Window
from factorloom.engine.research.model import ScoreModel

__all__ = ["LABEL", "fitted", "least_dates", "scaled"]

LABEL = "forward return"
"""The column of the labels; no factor can have this name."""

Weigh: TypeAlias = Callable[[slice], tuple[Array, int, int, float | None]]
"""From training dates to weights, how many dates and rows they are from, and the penalty."""


def fitted(
    model: ScoreModel,
    dates: pl.Series,
    fits: Sequence[Window],
    panel: Panel,
    x: Array,
    label: pl.Series,
    engine: Engine,
) -> pl.DataFrame:
    """The weights of each fit.

    Parameters
    ----------
    dates
        The market dates, among which the fits have their places.
    fits
    panel, x, label
        The rows that are trained on: their keys, the values of the factors as they are weighed, and forward returns.

    Returns
    -------
    polars.DataFrame
        A row per fit: `date`, from which on the weights hold; `first` and `last`, the dates trained on; `dates` and
        `rows`, how many there were with values and labels; `alpha`, of a regression; and `weight_<factor>`, whose sizes
        sum to 1, or all of them null where there were too few dates.
    """
    rule = model.fit
    assert rule is not None
    weigh = (_by_regression if rule.regresses else _by_ics)(model, rule, panel, x, label, engine)
    start = int(np.searchsorted(dates.to_numpy(), panel.dates.to_numpy()[0])) if panel.rows else 0
    rows = []
    for at, first, last in fits:
        found, days, count, alpha = weigh(slice(first - start, max(last + 1, first) - start))
        enough = days >= least_dates(rule)
        span = (dates[first], dates[last]) if days else (None, None)
        weights = scaled(model, found).tolist() if enough else [None] * len(found)
        rows.append((dates[at], *span, days, count, alpha if enough else None, *weights))
    kinds: dict[str, Any] = {
        "date": dates.dtype,
        "first": dates.dtype,
        "last": dates.dtype,
        "dates": pl.Int64,
        "rows": pl.Int64,
    }
    schema = kinds | {"alpha": pl.Float64} | {f"{WEIGHT}{name}": pl.Float64 for name in model.factors}
    return pl.DataFrame(rows, schema=schema, orient="row")


def least_dates(rule: Fit) -> int:
    """So many dates with values and labels a fit needs."""
    return -(-rule.window // 2)


def scaled(model: ScoreModel, weights: Array) -> Array:
    """Weights whose sizes sum to 1: first within groups, then by the weights of the groups that have some."""
    if not model.groups:
        return _unit(weights)
    named = [part.group for part in model.factors.values()]
    out = np.zeros_like(weights)
    for group, share in model.groups.items():
        inside = np.array([each == group for each in named])
        out[inside] = share * _unit(weights[inside])
    return _unit(out)


def _unit(weights: Array) -> Array:
    largest = np.abs(weights).max(initial=0.0)
    if not largest > 0:
        return np.zeros_like(weights)
    small = weights / largest
    result: Array = small / np.abs(small).sum() + 0.0  # -0.0 is 0
    return result


def _by_ics(model: ScoreModel, rule: Fit, panel: Panel, x: Array, label: pl.Series, engine: Engine) -> Weigh:
    ics = rank_ics(panel, x, label, engine)
    known = ~np.isnan(x).all(axis=1) & label.is_not_null().to_numpy()
    rows = np.bincount(panel.date_codes[known].astype(np.int64), minlength=len(ics))

    def weigh(part: slice) -> tuple[Array, int, int, float | None]:
        return by_ic(ics[part], rule), int((~np.isnan(ics[part])).any(axis=1).sum()), int(rows[part].sum()), None

    return weigh


def _by_regression(model: ScoreModel, rule: Fit, panel: Panel, x: Array, label: pl.Series, engine: Engine) -> Weigh:
    all_dates = moments(panel, x, label, rule.target, engine)
    embargo = model.lookback if rule.embargo is None else rule.embargo

    def weigh(part: slice) -> tuple[Array, int, int, float | None]:
        window = all_dates.of([part])
        days = int((window.rows > 0).sum())
        if days < least_dates(rule):
            return np.zeros(x.shape[1]), days, int(window.rows.sum()), None
        alpha = best_alpha(window, rule, embargo)
        return regression(window, rule, alpha), days, int(window.rows.sum()), alpha

    return weigh
