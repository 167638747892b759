"""Returns of quantiles and of the portfolio that is long the highest and short the lowest quantile.

A label of horizon h is the return of a portfolio that is held for h dates. Whoever trades it every date holds h of
them at a time, each with 1/h of the capital: the return that a date's portfolio adds is its label divided by h, and
1/h of what separates it from the portfolio of h dates before is traded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.research.evaluation.loop.place import MEAN, TRADED
from factorloom.engine.research.evaluation.loop.section import Ints
from factorloom.engine.research.evaluation.measured import Measured
from factorloom.engine.research.performance import drawdown
from factorloom.engine.research.series import finite

__all__ = ["LongShort", "compounded", "long_short", "turnover"]


@dataclass(frozen=True)
class LongShort:
    """By (factor, horizon, date); missing before the first portfolio, and where labels are not complete."""

    gross: Array
    cost: Array
    net: Array
    turnover: Array
    cumulative_gross: Array
    cumulative_net: Array
    drawdown: Array


def long_short(
    found: Measured, horizons: Index, complete: npt.NDArray[np.bool_], costs_bps: float, *, weighted: bool
) -> LongShort:
    """The portfolio of every factor and horizon.

    On a later date without names in the highest or the lowest quantile its part is in cash: it returns 0, and what was
    held before is sold. `complete` says whether the labels of a date are, by (horizon, date).

    `gross = (mean of the highest quantile - mean of the lowest) / horizon`; `turnover` is the sum of the absolute
    changes of weights of both legs since the portfolio of `horizon` dates before, divided by `horizon`: 2 / horizon for
    the first portfolios, which are bought from cash, and 4 / horizon where all names of both legs are exchanged.
    `cost = costs_bps / 10000 * turnover`, and `net = gross - cost`.
    """
    means = found.by_quantile[:, :, MEAN]
    by_horizon = horizons[None, :, None]
    with np.errstate(over="ignore"):
        gross = finite((means[..., -1] - means[..., 0]) / by_horizon)
    held = ~np.isnan(gross)
    gross = np.where(np.maximum.accumulate(held, axis=-1) & ~held & complete, 0.0, gross)
    if weighted:
        legs = found.by_quantile[:, :, TRADED]
        traded = (legs[..., 0] + legs[..., -1]) / by_horizon
    else:
        traded = (_changes(found, horizons, 0) + _changes(found, horizons, -1)) / by_horizon
    traded = np.where(np.isnan(gross), np.nan, traded)
    with np.errstate(over="ignore"):
        cost = finite(costs_bps / 1e4 * traded)
        net = finite(gross - cost)
    cumulative = compounded(net)
    dates = net.shape[-1]
    falls = drawdown(cumulative.reshape(-1, dates).T).T.reshape(net.shape)
    return LongShort(gross, cost, net, traded, compounded(gross), cumulative, falls)


def compounded(returns: Array) -> Array:
    """`prod(max(1 + return, 0)) - 1` up to each date along the last axis; a missing return changes nothing.

    A return of -1 or less loses everything: what is lost stays lost, and nobody owes more.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        grown = np.cumprod(np.maximum(1 + np.where(np.isnan(returns), 0.0, returns), 0.0), axis=-1) - 1
    return np.where(np.isfinite(grown), grown, np.nan)


def turnover(sizes: Ints, kept: Ints, horizons: Index) -> Array:
    """Share of the names in each quantile that were not in it `horizon` market dates before, by (…, date, quantile).

    Missing on the first `horizon` dates, and for a quantile without names. `sizes` and `kept` are those of `Measured`,
    or of some quantiles.
    """
    names = sizes[:, None].astype(np.float64)
    with np.errstate(all="ignore"):
        share = np.where(names > 0, 1 - kept / names, np.nan)
    for place, horizon in enumerate(horizons.tolist()):
        share[:, place, :horizon] = np.nan
    return share


def _changes(found: Measured, horizons: Index, leg: int) -> Array:
    """Sum of the absolute changes of equal weights in one leg since `horizon` dates before, or since nothing."""
    now = found.sizes[:, None, :, leg].astype(np.float64)
    then = _before(found.sizes[..., leg], horizons)
    kept = found.kept[..., leg]
    with np.errstate(all="ignore"):
        staying = np.where(kept > 0, kept * np.abs(1 / now - 1 / then), 0.0)
        bought = np.where(now > 0, (now - kept) / now, 0.0)
        sold = np.where(then > 0, (then - kept) / then, 0.0)
    return staying + bought + sold


def _before(sizes: Ints, horizons: Index) -> Array:
    """The sizes of `horizon` dates before, 0 on the first dates, by (factor, horizon, date)."""
    factors, dates = sizes.shape
    earlier = np.zeros((factors, horizons.size, dates))
    for place, horizon in enumerate(horizons.tolist()):
        earlier[:, place, horizon:] = sizes[:, : max(dates - horizon, 0)]
    return earlier
