"""One row for each factor and horizon: what is known of it, and how far that can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.research.evaluation.long import long
from factorloom.engine.research.evaluation.loop.place import AUTOCORRELATION, IC, MEAN, PORTFOLIO, RANK_IC, UNIVERSE
from factorloom.engine.research.evaluation.measured import Measured
from factorloom.engine.research.evaluation.portfolio import LongShort, turnover
from factorloom.engine.research.inference import Regression, benjamini_hochberg, block_bootstrap, newey_west, regression
from factorloom.engine.research.performance import deflated_sharpe, half_life, hit_rate, monotonicity, sharpe
from factorloom.engine.research.series import finite
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import for_each

__all__ = ["Summary", "mean_of", "spread_of"]


@dataclass(frozen=True)
class Summary:
    """Statistics of all factors and horizons at once.

    Attributes
    ----------
    found, book
        What the pass over dates left, and the portfolios made of it.
    eligible : array of int64
        Names in the universe on each date.
    horizons : array of int64
    per_year : float
        Dates per year; NaN where there is only one date.
    trials : int
        How many factors were tried, for the deflated Sharpe ratio.
    market : array of float64, (horizons, dates)
        What portfolios of labels in excess of something are regressed on; without rows: the mean of the names used.
    """

    found: Measured
    book: LongShort
    eligible: Index
    horizons: Index
    per_year: float
    trials: int
    market: Array

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Factors and horizons."""
        factors, horizons = self.found.used.shape[:2]
        return factors, horizons

    @cached_property
    def spans(self) -> Index:
        """The horizon of every series."""
        return np.tile(self.horizons, self.shape[0])

    def columns(self, by_date: Array) -> Array:
        """(factors, horizons, dates) as (dates, series)."""
        return np.ascontiguousarray(by_date.reshape(-1, by_date.shape[-1]).T)

    def number(self, place: int) -> Array:
        """One number of the pass, as (dates, series)."""
        return self.columns(self.found.numbers[:, :, place])

    @cached_property
    def line(self) -> Regression:
        """The factor-weighted portfolio against the mean return of the names used, or of all names."""
        market = np.tile(self.market.T, self.shape[0]) if len(self.market) else self.number(UNIVERSE)
        return regression(self.number(PORTFOLIO), market, horizon=self.spans)

    @cached_property
    def alpha(self) -> Array:
        """Alpha per year: `(1 + alpha) ** (dates per year / horizon) - 1`."""
        with np.errstate(all="ignore"):
            return finite((1 + self.line.alpha) ** (self.per_year / self.spans) - 1)

    def frame(self, factors: pl.Series, horizons: pl.Series) -> pl.DataFrame:
        """The table."""
        columns: dict[str, Array] = {}
        parts = (self._correlations, self._intervals, self._returns, self._character)
        for_each(lambda part: columns.update(part()), parts, Observer())
        ordered = {name: columns[name].reshape(self.shape) for name in ORDER}
        return long({"factor": factors, "horizon": horizons}, ordered)

    def _correlations(self) -> dict[str, Array]:
        ic, rank_ic = self.number(IC), self.number(RANK_IC)
        plain, ranked = newey_west(ic, horizon=self.spans), newey_west(rank_ic, horizon=self.spans)
        q = benjamini_hochberg(ranked.p.reshape(self.shape)).reshape(-1)
        return {
            "dates": (~np.isnan(rank_ic)).sum(axis=0),
            "ic_mean": plain.mean,
            "ic_std": deviation(ic),
            "icir": ratio(plain.mean, deviation(ic)),
            "ic_t": plain.t,
            "ic_p": plain.p,
            "rank_ic_mean": ranked.mean,
            "rank_ic_std": deviation(rank_ic),
            "rank_icir": ratio(ranked.mean, deviation(rank_ic)),
            "rank_ic_t": ranked.t,
            "rank_ic_p": ranked.p,
            "rank_ic_q": q,
            "hit_rate": hit_rate(rank_ic),
            "lags": ranked.lags,
        }

    def _intervals(self) -> dict[str, Array]:
        """Bootstrap intervals, for one horizon at a time."""
        low, high = np.empty((2, *self.shape))
        by_horizon = self.number(RANK_IC).reshape(-1, *self.shape)
        for place, horizon in enumerate(self.horizons.tolist()):
            low[:, place], high[:, place] = block_bootstrap(by_horizon[:, :, place], horizon=horizon)
        return {"rank_ic_low": low.reshape(-1), "rank_ic_high": high.reshape(-1)}

    def _returns(self) -> dict[str, Array]:
        means = mean_of(self.found.by_quantile[:, :, MEAN], 2)
        spread = newey_west(self.columns(spread_of(self.found)), horizon=self.spans)
        net, lags = self.columns(self.book.net), self.spans - 1
        known = np.isfinite(self.per_year)
        missing = np.full(self.spans.size, np.nan)
        with np.errstate(over="ignore"):
            yearly = [finite(mean_of(each, 0) * self.per_year) for each in (self.columns(self.book.gross), net)]
        return {
            "monotonicity": monotonicity(means.reshape(-1, means.shape[-1]).T),
            "spread": spread.mean,
            "spread_t": spread.t,
            "long_short_return": yearly[0],
            "long_short_net": yearly[1],
            "long_short_sharpe": sharpe(net, self.per_year, lags=lags) if known else missing,
            "long_short_drawdown": _lowest(self.columns(self.book.drawdown), net),
            "deflated_sharpe": deflated_sharpe(net, self.trials, lags=lags),
        }

    def _character(self) -> dict[str, Array]:
        ends = turnover(self.found.sizes[..., [0, -1]], self.found.kept[..., [0, -1]], self.horizons)
        autocorrelation = mean_of(self.number(AUTOCORRELATION), 0)
        present, eligible = self.found.present[:, 0].sum(axis=1), max(int(self.eligible.sum()), 1)
        return {
            "coverage": np.repeat(
                present / eligible if self.eligible.sum() else np.full(len(present), np.nan), self.shape[1]
            ),
            "turnover": mean_of(mean_of(ends, 2), 2).reshape(-1),
            "autocorrelation": autocorrelation,
            "half_life": half_life(autocorrelation, self.spans),
            "alpha": self.alpha,
            "beta": self.line.beta,
        }


ORDER = (
    *("dates", "coverage", "ic_mean", "ic_std", "icir", "ic_t", "ic_p"),
    *("rank_ic_mean", "rank_ic_std", "rank_icir", "rank_ic_t", "rank_ic_p", "rank_ic_q", "rank_ic_low", "rank_ic_high"),
    *("hit_rate", "monotonicity", "spread", "spread_t"),
    *("long_short_return", "long_short_net", "long_short_sharpe", "long_short_drawdown", "deflated_sharpe"),
    *("turnover", "autocorrelation", "half_life", "alpha", "beta", "lags"),
)


def spread_of(found: Measured) -> Array:
    """Mean return of the highest quantile less that of the lowest, by (factor, horizon, date)."""
    means = found.by_quantile[:, :, MEAN]
    with np.errstate(over="ignore"):
        return finite(means[..., -1] - means[..., 0])


def mean_of(values: Array, axis: int) -> Array:
    """Mean of the present values, missing where there are none or where their sum is beyond all numbers."""
    present = ~np.isnan(values)
    count = present.sum(axis=axis)
    with np.errstate(all="ignore"):
        total = np.where(present, values, 0.0).sum(axis=axis)
        return np.where((count > 0) & np.isfinite(total), total / np.maximum(count, 1), np.nan)


def deviation(values: Array) -> Array:
    """Standard deviation (n - 1) down each column, missing for fewer than two values."""
    present = ~np.isnan(values)
    count = present.sum(axis=0)
    with np.errstate(all="ignore"):
        away = np.where(present, values - mean_of(values, 0), 0.0)
        return finite(np.where(count > 1, np.sqrt((away**2).sum(axis=0) / np.maximum(count - 1, 1)), np.nan))


def ratio(mean: Array, spread: Array) -> Array:
    """Mean by standard deviation, missing where the latter is only rounding."""
    with np.errstate(all="ignore"):
        return np.where(spread > 1e-14, mean / spread, np.nan)


def _lowest(falls: Array, returns: Array) -> Array:
    """The deepest drawdown; missing without any return."""
    return np.where((~np.isnan(returns)).any(axis=0), np.fmin.reduce(falls, axis=0, initial=0.0), np.nan)
