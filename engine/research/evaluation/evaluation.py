"""`Evaluation`: what factors showed, as tables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Array
from factorloom.engine.research.evaluation.cells import Cells, Source, cells_of
from factorloom.engine.research.evaluation.decay import DECAY, decayed
from factorloom.engine.research.evaluation.events import events
from factorloom.engine.research.evaluation.facts import facts_of, notes_of
from factorloom.engine.research.evaluation.groups import EMPTY, group_frame
from factorloom.engine.research.evaluation.ledger import ledger
from factorloom.engine.research.evaluation.long import long
from factorloom.engine.research.evaluation.loop.place import AUTOCORRELATION, COUNT, ERROR, IC, MEAN, RANK_IC
from factorloom.engine.research.evaluation.measured import GroupSeries, Measured, measured
from factorloom.engine.research.evaluation.pairs import correlation_of_ics, correlation_of_values, pair_frame
from factorloom.engine.research.evaluation.portfolio import LongShort, compounded, long_short, turnover
from factorloom.engine.research.evaluation.setting import Settings, whole_number
from factorloom.engine.research.evaluation.summary import Summary, deviation, mean_of
from factorloom.engine.research.evaluation.tails import Tails, with_buckets
from factorloom.engine.research.health import HealthInputs, findings_frame, health
from factorloom.engine.research.inference import newey_west
from factorloom.engine.research.report import write_report
from factorloom.engine.research.report.notebook import evaluation_html
from factorloom.engine.research.report.plot import Plots
from factorloom.engine.runtime.observer import Observer
from factorloom.expressions.errors import plural
from factorloom.expressions.factor import Factor

__all__ = ["Evaluation", "evaluated"]

MOST_OFFSETS = 10_000
"""Market dates before or after an event."""

SECONDS_PER_YEAR = 365.25 * 86400


@dataclass(frozen=True)
class _Basis:
    """What the tables are made from."""

    source: Source
    factors: Mapping[str, Factor]
    settings: Settings
    cells: Cells
    found: Measured
    by_group: pl.DataFrame
    trials: int


class Evaluation:
    """What factors showed, as Polars frames in long form; docs/statistics.md has the formula of every column.

    Columns that many tables share are `factor`, `horizon` (in market dates) and `quantile` (1: the lowest values of the
    factor). A return is a fraction per label, thus per `horizon`, unless it says otherwise. What is not defined is
    null, never infinite. `correlation`, `ic_decay`, `tails`, `health` and `events` are computed when asked for.

    Attributes
    ----------
    factors : tuple of str
        Names of the factors, in the order given.
    horizons : tuple of int
        In market dates.
    quantiles : int
        How many there are.
    dates : Series
        The evaluated dates.
    dropped : DataFrame
        What became of the bars: factor, horizon, reason, rows. A bar counts for one reason only, or as "used"; "input"
        is the sum of all others.

    Examples
    --------
    >>> import factorloom as fl
    >>> from factorloom.engine.bars.market import simulate
    >>> panel = fl.Panel.from_frame(simulate(symbols=40, years=1))
    >>> found = fl.evaluate(panel, {"quality": fl.col("return_on_equity")}, horizons=(5, 21))
    >>> found
    <Evaluation: 1 factor, horizons 5, 21, 5 quantiles, 261 dates from 2025-01-01 to 2025-12-31>
    >>> found.dropped.filter(horizon=21).select("reason", "rows").rows()[-4:]
    [('no exit yet', 867), ('no entry price', 5), ('no exit price', 0), ('used', 9181)]
    """

    def __init__(self, basis: _Basis) -> None:
        self._basis = basis
        self.factors = tuple(basis.factors)
        self.horizons = basis.settings.horizons
        self.quantiles = basis.settings.quantiles
        self.dates = basis.cells.dates
        self._found = basis.found
        self.dropped = ledger(self._names, self._spans, basis.cells, basis.found, basis.source.bars.rows)

    def __repr__(self) -> str:
        ends = f"{self.dates[0]} to {self.dates[-1]}"
        horizons = ", ".join(map(str, self.horizons))
        return (
            f"<Evaluation: {plural(len(self.factors), 'factor')}, horizons {horizons}, {self.quantiles} quantiles, "
            f"{plural(self.dates.len(), 'date')} from {ends}>"
        )

    # --- what it is made of ------------------------------------------------------------------------------------------

    @property
    def _names(self) -> pl.Series:
        return pl.Series(self.factors, dtype=pl.String)

    @property
    def _spans(self) -> pl.Series:
        return pl.Series(self.horizons, dtype=pl.Int64)

    @property
    def _buckets(self) -> pl.Series:
        return pl.Series(range(1, self.quantiles + 1), dtype=pl.Int64)

    def _long(self, *keys: str, **values: np.ndarray[Any, Any]) -> pl.DataFrame:
        known = {"factor": self._names, "horizon": self._spans, "quantile": self._buckets, "date": self.dates}
        return long({key: known[key] for key in keys}, values)

    @property
    def _values(self) -> tuple[Source, Mapping[str, Factor], Cells, int, bool]:
        basis = self._basis
        return basis.source, basis.factors, basis.cells, self.quantiles, basis.settings.neutral

    def _number(self, place: int) -> Array:
        return self._found.numbers[:, :, place]

    @cached_property
    def _eligible(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.diff(self._basis.cells.offsets)

    @cached_property
    def dates_per_year(self) -> float:
        """Evaluated dates per year of 365.25 days, counted; NaN where there is only one."""
        seconds = self.dates.cast(pl.Datetime("us")).dt.timestamp("us")
        years = (int(seconds[-1]) - int(seconds[0])) / 1e6 / SECONDS_PER_YEAR
        return (self.dates.len() - 1) / years if years > 0 else float("nan")

    @cached_property
    def _book(self) -> LongShort:
        settings, cells = self._basis.settings, self._basis.cells
        weighted = settings.weights is not None
        return long_short(self._found, cells.horizons, cells.complete, settings.costs_bps, weighted=weighted)

    @cached_property
    def _summary(self) -> Summary:
        cells, trials = self._basis.cells, self._basis.trials
        return Summary(
            self._found, self._book, self._eligible, cells.horizons, self.dates_per_year, trials, cells.market
        )

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All arguments as plain values, `dates_per_year` as counted, and `trials`: how many factors were tried."""
        counted = {"dates_per_year": self.dates_per_year, "trials": self._basis.trials}
        return self._basis.settings.as_dict() | counted

    @cached_property
    def health(self) -> pl.DataFrame:
        """What to distrust, the worst first; docs/inference.md has the checks.

        Columns: level ("fault", "warning", "info"), name, factor and horizon (null: all), text, figure.
        """
        basis = self._basis
        facts = facts_of(basis.source, basis.factors, basis.cells, basis.settings, self.dates_per_year)
        return findings_frame([*health(HealthInputs.of(self, facts)), *notes_of(basis.cells, basis.settings)])

    # --- how it is shown ---------------------------------------------------------------------------------------------

    @property
    def plot(self) -> Plots:
        """Charts of Altair, by `pip install 'factorloom[report]'`: `evaluation.plot.ic("momentum")`."""
        return Plots(self)

    def to_html(self, path: str | os.PathLike[str], *, title: str | None = None) -> Path:
        """Write the report: one HTML file that needs no network, with an overview and a sheet for each factor.

        Raises
        ------
        FactorloomError
            The file cannot be written.
        """
        return write_report(self, path, title)

    def _repr_html_(self) -> str:
        return evaluation_html(self)

    # --- tables ------------------------------------------------------------------------------------------------------

    @cached_property
    def summary(self) -> pl.DataFrame:
        """What is known of each factor at each horizon, and how far that can be trusted.

        Columns: factor, horizon, dates (with a rank IC), coverage; ic_mean, ic_std, icir, ic_t, ic_p and the same of
        rank_ic, with rank_ic_q (among these factors), rank_ic_low, rank_ic_high (95% interval); hit_rate, monotonicity;
        spread, spread_t; long_short_return (per year, before costs), long_short_net (after), long_short_sharpe,
        long_short_drawdown and deflated_sharpe (after costs); turnover (of the two outer quantiles), autocorrelation,
        half_life (market dates); alpha (per year), beta; lags (of Newey and West).
        """
        return self._summary.frame(self._names, self._spans)

    @cached_property
    def ic(self) -> pl.DataFrame:
        """Correlation of factor and label on each date: factor, horizon, date, ic, rank_ic, names (how many)."""
        return self._long(
            *("factor", "horizon", "date"), ic=self._number(IC), rank_ic=self._number(RANK_IC), names=self._found.used
        )

    @property
    def ic_by_group(self) -> pl.DataFrame:
        """Correlations among the names of each group; no rows without `group`.

        Columns: factor, horizon, group, dates, names (pairs on all dates), ic_mean, ic_std, rank_ic_mean, rank_ic_std,
        rank_ic_t.
        """
        return self._basis.by_group

    @cached_property
    def ic_by_year(self) -> pl.DataFrame:
        """By calendar year: factor, horizon, year, dates, ic_mean, rank_ic_mean, rank_ic_std, rank_icir, hit_rate."""
        rank_ic = pl.col("rank_ic")
        mean, std = rank_ic.mean(), rank_ic.std()
        hits = (rank_ic.sign() == mean.sign()).sum() / rank_ic.count()
        return (
            self.ic.with_columns(pl.col("date").dt.year().cast(pl.Int64).alias("year"))
            .group_by("factor", "horizon", "year", maintain_order=True)
            .agg(
                rank_ic.count().cast(pl.Int64).alias("dates"),
                pl.col("ic").mean().alias("ic_mean"),
                mean.alias("rank_ic_mean"),
                std.alias("rank_ic_std"),
                pl.when(std > 1e-14).then(mean / std).alias("rank_icir"),
                pl.when((rank_ic.count() > 2) & (mean != 0)).then(hits).alias("hit_rate"),
            )
        )

    @cached_property
    def ic_decay(self) -> pl.DataFrame:
        """Mean correlations at horizons of 1 to 63: factor, horizon, dates, ic_mean, rank_ic_mean, rank_ic_t."""
        basis, shape = self._basis, (len(self.factors), len(DECAY))
        ic, rank_ic = (
            each.reshape(-1, self.dates.len()).T
            for each in decayed(basis.source, basis.factors, basis.settings, basis.found)
        )
        tested = newey_west(rank_ic, horizon=np.tile(DECAY, len(self.factors)))
        values = {
            "dates": (~np.isnan(rank_ic)).sum(axis=0),
            "ic_mean": mean_of(ic, 0),
            "rank_ic_mean": tested.mean,
            "rank_ic_t": tested.t,
        }
        keys = {"factor": self._names, "horizon": pl.Series(DECAY, dtype=pl.Int64)}
        return long(keys, {name: array.reshape(shape) for name, array in values.items()})

    @cached_property
    def quantile_returns(self) -> pl.DataFrame:
        """Returns of each quantile: means over dates of the means of a date.

        Columns: factor, horizon, quantile, dates, names (labels on all dates), mean, std_error (over dates), excess
        (over the mean of all names used), hit_rate (share of dates with an excess above 0).
        """
        means = self._found.by_quantile[:, :, MEAN]
        weighted = bool(self._basis.cells.weights.size)
        # returns of a neutral evaluation are less the mean of their group: that of all names is 0
        excess = means if self._basis.settings.neutral else self._found.excess(weighted=weighted)
        known = ~np.isnan(means)
        count = known.sum(axis=2)
        by_date = np.moveaxis(means, 2, 0)
        spread = deviation(by_date.reshape(len(by_date), -1)).reshape(by_date.shape[1:])
        with np.errstate(all="ignore"):
            return self._long(
                *("factor", "horizon", "quantile"),
                dates=count,
                names=np.nansum(self._found.by_quantile[:, :, COUNT], axis=2).astype(np.int64),
                mean=mean_of(means, 2),
                std_error=spread / np.sqrt(count),
                excess=mean_of(excess, 2),
                hit_rate=np.where(count > 0, (excess > 0).sum(axis=2) / count, np.nan),
            )

    @cached_property
    def quantile_returns_by_date(self) -> pl.DataFrame:
        """Returns of each quantile on each date.

        Columns: factor, horizon, quantile, date, mean, std_error (over names), names, cumulative (`mean / horizon`
        compounded up to the date).
        """
        means, errors, counts = (self._found.by_quantile[:, :, place] for place in (MEAN, ERROR, COUNT))
        order = ("factor", "horizon", "quantile", "date")
        by_quantile = [np.swapaxes(each, 2, 3) for each in (means, errors, counts)]
        spans = self._basis.cells.horizons[None, :, None, None]
        return self._long(
            *order,
            mean=by_quantile[0],
            std_error=by_quantile[1],
            names=np.nan_to_num(by_quantile[2]).astype(np.int64),
            cumulative=compounded(by_quantile[0] / spans),
        )

    @cached_property
    def long_short(self) -> pl.DataFrame:
        """The portfolio that is long the highest quantile and short the lowest, by date.

        Columns: factor, horizon, date; gross, cost and net, per date: 1 / `horizon` of a label, since `horizon`
        portfolios overlap; turnover, the sum of changed weights; cumulative_gross, cumulative_net; drawdown (of net).
        """
        book = self._book
        return self._long(
            *("factor", "horizon", "date"),
            gross=book.gross,
            cost=book.cost,
            net=book.net,
            turnover=book.turnover,
            cumulative_gross=book.cumulative_gross,
            cumulative_net=book.cumulative_net,
            drawdown=book.drawdown,
        )

    @cached_property
    def turnover(self) -> pl.DataFrame:
        """Share of names new in a quantile since `horizon` dates before: factor, horizon, quantile, date, turnover."""
        share = turnover(self._found.sizes, self._found.kept, self._basis.cells.horizons)
        return self._long("factor", "horizon", "quantile", "date", turnover=np.swapaxes(share, 2, 3))

    @cached_property
    def autocorrelation(self) -> pl.DataFrame:
        """Rank correlation with `horizon` market dates before: factor, horizon, date, autocorrelation."""
        return self._long("factor", "horizon", "date", autocorrelation=self._number(AUTOCORRELATION))

    @cached_property
    def coverage(self) -> pl.DataFrame:
        """Names that could have a value on each date, and those that have.

        Columns: factor, date, eligible (in the universe, with a group where `group` is given), present, coverage (their
        ratio).
        """
        present, eligible = self._found.present[:, 0], self._eligible[None]
        share = np.where(eligible > 0, present / np.maximum(eligible, 1), np.nan)
        return self._long("factor", "date", eligible=eligible, present=present, coverage=share)

    @cached_property
    def correlation(self) -> pl.DataFrame:
        """How much each two factors say the same: factor_a, factor_b, values, ics.

        `values` is the mean over dates of their rank correlation, `ics` the correlation of their rank ICs over dates,
        at the first horizon.
        """
        tails = Tails(self.factors, self._basis.cells, self.quantiles)
        values = correlation_of_values(*self._values, tails.use)
        self.__dict__.setdefault("tails", tails.frame())
        return pair_frame(list(self.factors), values, correlation_of_ics(self._number(RANK_IC)[:, 0]))

    @cached_property
    def alpha_beta(self) -> pl.DataFrame:
        """The factor-weighted portfolio against the mean return of the names used (with `excess`: plain, of all names).

        By least squares over dates. Columns: factor, horizon, alpha (per year), alpha_t, beta, beta_t, r_squared.
        """
        line, shape = self._summary.line, self._summary.shape
        columns = {
            "alpha": self._summary.alpha,
            "alpha_t": line.alpha_t,
            "beta": line.beta,
            "beta_t": line.beta_t,
            "r_squared": line.r_squared,
        }
        return self._long("factor", "horizon", **{name: column.reshape(shape) for name, column in columns.items()})

    @cached_property
    def tails(self) -> pl.DataFrame:
        """Returns of each quantile far from the mean, over all names and dates.

        Columns: factor, horizon, quantile, names (labels), p01, p05, p95, p99 (percentiles), worst, best, skew,
        crash_rate (share of returns at or below -20%).
        """
        tails = Tails(self.factors, self._basis.cells, self.quantiles)
        with_buckets(*self._values, tails.use)
        return tails.frame()

    def events(self, *, before: int = 10, after: int = 15) -> pl.DataFrame:
        """Returns around the dates on which names stand in a quantile, from the price of the date itself.

        Parameters
        ----------
        before, after
            How many market dates before and after the date, at least 0.

        Returns
        -------
        polars.DataFrame
            Columns: factor, quantile, offset (in market dates), dates, mean (over dates, of the mean over names of
            `price[date + offset] / price[date] - 1`), std_error, excess (over all names that have the factor). A name
            without a price has its last one.

        Raises
        ------
        ParameterError, ArgumentError
            A number of dates is negative or above 10,000, or not whole.
        """
        hint = "in market dates, for example before=10, after=15"
        before = whole_number("before", before, 0, MOST_OFFSETS, hint=hint)
        after = whole_number("after", after, 0, MOST_OFFSETS, hint=hint)
        basis, settings = self._basis, self._basis.settings
        return events(
            basis.source, basis.factors, basis.cells, self.quantiles, settings.neutral, settings.price, before, after
        )


def evaluated(
    source: Source,
    factors: Mapping[str, Factor],
    settings: Settings,
    observer: Observer,
    *,
    trials: int | None = None,
) -> Evaluation:
    """Evaluate factors on bars and values from any source, as checked settings say.

    Parameters
    ----------
    source
        Bars, and the values of factors on all of them.
    factors, settings
        As `setting.py` has checked them.
    observer
    trials
        How many factors were ever tried, for the deflated Sharpe ratio. Default: those of this evaluation.
    """
    cells = cells_of(source, settings, settings.horizons, observer)
    by_group: list[pl.DataFrame] = [EMPTY]

    def on_groups(names: list[str], series: GroupSeries) -> None:
        by_group.append(group_frame(names, cells.horizons, cells.names, series))

    quantiles, neutral = settings.quantiles, settings.neutral
    found = measured(source, factors, cells, quantiles, neutral, observer, None if settings.log else on_groups)
    if settings.log:  # correlations are with logarithms; all else is of portfolios, which earn simple returns
        logs = cells_of(source, settings, settings.horizons, observer, log=True)
        correlated = measured(source, factors, logs, quantiles, neutral, observer, on_groups)
        found.numbers[:, :, [IC, RANK_IC]] = correlated.numbers[:, :, [IC, RANK_IC]]
    count = max(len(factors), trials or 0)
    return Evaluation(_Basis(source, factors, settings, cells, found, pl.concat(by_group), count))
