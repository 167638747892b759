"""From standardised factors to contributions and scores, date by date."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from factorloom.engine.bars.layout import Array, Index, Rows
from factorloom.engine.research.model import ScoreModel

__all__ = ["counted", "orthogonal", "present_share", "rotated", "rows_by_date", "scored", "total_share", "weighed"]

DEPENDENT = 1e-8
"""A factor whose part that others do not explain is below this share of it, counts as explained by them."""


def rotated(model: ScoreModel, z: Array, dates: Index | Rows) -> Array:
    """The values that are weighed, on each date made orthogonal where the model asks; NaN in rows with too few.

    Parameters
    ----------
    model
    z
        Standardised factors, NaN where missing: rows of symbols and dates, a column per factor of the model.
    dates
        The number of each row's date.
    """
    present = ~np.isnan(z)
    enough = present.sum(axis=1) >= model.needed
    if not model.orthogonalize:
        return z if enough.all() else np.where(enough[:, None], z, np.nan)
    z = np.where(enough[:, None], np.where(present, z, 0.0), np.nan)
    for rows in rows_by_date(dates, enough):
        z[rows] = orthogonal(z[rows], in_order=model.orthogonalize == "order")
    return z


def weighed(model: ScoreModel, z: Array, shares: Array, total: Array) -> Array:
    """The contribution of every factor, as an array like the values that are weighed.

    `direction * share * z / W`, with `W` the total; NaN where a factor is missing. Where factors are made orthogonal,
    `z` is their rotation, and a missing factor went into it as 0. Shares, whose sizes sum to 1, are (factors,) or
    (rows, factors).
    """
    out = np.empty_like(z)
    for place, part in enumerate(model.factors.values()):
        np.multiply(z[:, place], part.direction * (shares[..., place] / total), out=out[:, place])
    return out


def counted(model: ScoreModel, z: Array, shares: Array) -> Array:
    """The shares as they count in each row of the values that are weighed, `share / W`; NaN in rows without weights."""
    result: Array = shares / total_share(model, present_share(model, ~np.isnan(z), shares))[:, None]
    return result


def total_share(model: ScoreModel, present: Array) -> Array:
    """`W` of each row: the present share, or 1 where missing factors are neutral; NaN in rows without weights."""
    neutral = model.missing == "neutral" and not model.orthogonalize
    return np.where(present > 0, 1.0 if neutral else present, np.nan)


def present_share(model: ScoreModel, present: NDArray[np.bool_], shares: Array) -> Array:
    """The sum of the sizes of the shares of the factors that each row has, from (rows, factors)."""
    total = np.zeros(len(present))
    for place in _by_name(model):  # one after the other: a sum of NumPy depends on how many rows there are
        total += np.where(present[:, place], np.abs(shares[..., place]), 0.0)
    return total


def scored(model: ScoreModel, contributions: Sequence[Array]) -> Array:
    """The sum of the contributions of each row, one array per factor; NaN where there are none."""
    total, found = np.zeros(contributions[0].size), np.zeros(contributions[0].size, bool)
    for place in _by_name(model):
        present = ~np.isnan(contributions[place])
        total += np.where(present, contributions[place], 0.0)
        found |= present
    total[~found] = np.nan
    return total


def _by_name(model: ScoreModel) -> list[int]:
    """The places of the factors in the order of their names, so that sums do not depend on how a model lists them."""
    return [place for place, _ in sorted(enumerate(model.factors), key=lambda item: item[1])]


def orthogonal(z: Array, *, in_order: bool) -> Array:
    """The factors of one date, uncorrelated and of deviation 1; rows are symbols, without missing values.

    In order, each factor is its residual on those before it, and those that are explained by them are missing (NaN).
    Symmetric is `S C^(-1/2)`, with S the factors of mean 0 and deviation 1, and C their correlations: no uncorrelated
    factors of deviation 1 are nearer to S. Directions in which factors depend on each other are left out of the root.
    A factor without spread is missing.
    """
    centred = z - z.mean(axis=0)
    deviation = np.sqrt((centred**2).mean(axis=0))
    size = np.abs(z).max(axis=0, initial=0.0)
    varied = deviation > DEPENDENT * size
    out = np.full_like(z, np.nan)
    if not varied.any():
        return out
    unit = centred[:, varied] / deviation[varied]
    out[:, varied] = _gram_schmidt(unit) if in_order else _symmetric(unit)
    return out


def _symmetric(unit: Array) -> Array:
    values, vectors = np.linalg.eigh(unit.T @ unit / len(unit))
    kept = values > DEPENDENT * values[-1]
    root = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
    result: Array = unit @ root
    return result


def _gram_schmidt(unit: Array) -> Array:
    out = np.full_like(unit, np.nan)
    basis = np.empty((len(unit), 0))
    for place in range(unit.shape[1]):
        rest = unit[:, place]
        for _ in range(2):  # the second removes what rounding left
            rest = rest - basis @ (basis.T @ rest) / len(unit)
        deviation = np.sqrt((rest**2).mean())
        if deviation > DEPENDENT:
            out[:, place] = rest / deviation
            basis = np.column_stack([basis, out[:, place]])
    return out


def rows_by_date(dates: Index | Rows, wanted: NDArray[np.bool_]) -> list[Index]:
    """The places of the wanted rows, date by date."""
    rows = np.flatnonzero(wanted)
    order = rows[np.argsort(dates[rows], kind="stable")]
    if not order.size:
        return []
    return np.split(order, np.flatnonzero(np.diff(dates[order])) + 1)
