"""`backtest`: what a portfolio of given weights would have earned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from factorloom.engine.panel import Panel
from factorloom.engine.research.performance import annual, drawdown, hit_rate, sharpe
from factorloom.engine.research.portfolio.attribution import by_category, by_factor
from factorloom.engine.research.portfolio.bridge import wide
from factorloom.engine.research.portfolio.grid import Codes, Grid, category_codes, category_matrix, keyed, table_of
from factorloom.engine.research.portfolio.hold import Held, carried, hold
from factorloom.engine.research.portfolio.trade import (
    Missing,
    Notes,
    benchmark_returns,
    check_missing,
    decided_weights,
    priced,
    sources_by_date,
    tradable,
    trade_plan,
)
from factorloom.engine.research.portfolio.weights import Weights
from factorloom.engine.research.schedule import Rebalance, rebalancing
from factorloom.engine.research.series import Array, check_costs, check_whole, total
from factorloom.expressions.errors import ArgumentError, BarsError, UnknownColumnError, plural, suggest
from factorloom.expressions.notebook import table_html

__all__ = ["Backtest", "backtest"]

SECONDS_PER_YEAR = 365.25 * 86_400


@dataclass(frozen=True, repr=False)
class Backtest:
    """What a portfolio held and earned; its tables are Polars frames, computed when first asked for.

    Attributes
    ----------
    notes : polars.DataFrame
        What was not as asked: `kind, date, symbol, count, text`.
    """

    notes: pl.DataFrame
    _grid: Grid
    _held: Held
    _prices: Array
    _categories: tuple[Codes, list[str | None]] | None
    _decided: pl.Series
    _benchmark: Array | None

    @cached_property
    def returns(self) -> pl.DataFrame:
        """By date, from that of the first trade: what the portfolio earned.

        Columns: date; gross, cost, net (fractions of the capital); turnover (half of what was traded, a fraction);
        exposure_gross, exposure_net (sums of weights at the end of the date, absolute and signed); names (held then);
        and benchmark, where one is given.
        """
        held, weights = self._held, self._held.weights
        columns: dict[str, Any] = {
            "date": self._grid.dates,
            "gross": held.gross,
            "cost": held.cost,
            "net": held.gross - held.cost,
            "turnover": held.traded / 2,
            "exposure_gross": np.fromiter(map(total, np.abs(weights)), np.float64),
            "exposure_net": np.fromiter(map(total, weights), np.float64),
            "names": (weights != 0).sum(axis=1).astype(np.int64),
        }
        if self._benchmark is not None:
            columns["benchmark"] = pl.Series(self._benchmark, nan_to_null=True)
        return pl.DataFrame(columns)

    @cached_property
    def summary(self) -> pl.DataFrame:
        """One row of what the returns amount to, after costs.

        Columns: start, end, dates, dates_per_year (counted); annual_return (compound), annual_mean, volatility, sharpe
        (without a risk-free rate), max_drawdown (at most 0), hit_rate (share of the dates with a return of the sign of
        the mean), turnover and cost (sums per year), and with a benchmark benchmark_return (compound per year),
        active_return (mean difference per year), tracking_error and information_ratio. Null where there are too few
        dates, or no spread.
        """
        table = self.returns
        net, years = table["net"].to_numpy(), self._dates_per_year
        scale = years if math.isfinite(years) else 252.0
        earned = annual(net, scale)
        found: dict[str, Any] = {
            "annual_return": earned.compound,
            "annual_mean": earned.mean,
            "volatility": earned.volatility,
            "sharpe": sharpe(net, scale),
            "max_drawdown": self.drawdown["drawdown"].min() if table.height else None,
            "hit_rate": hit_rate(net),
            "turnover": float(table["turnover"].to_numpy().mean()) * scale if table.height else None,
            "cost": float(table["cost"].to_numpy().mean()) * scale if table.height else None,
        }
        if self._benchmark is not None:
            active = net - self._benchmark
            found |= {
                "benchmark_return": annual(self._benchmark, scale).compound,
                "active_return": annual(active, scale).mean,
                "tracking_error": annual(active, scale).volatility,
                "information_ratio": sharpe(active, scale),
            }
        numbers = {name: _known(value) for name, value in found.items()}
        dates = self._grid.dates
        head = pl.DataFrame(
            {"start": [dates.min()], "end": [dates.max()]}, schema={"start": dates.dtype, "end": dates.dtype}
        ).with_columns(dates=pl.lit(dates.len(), pl.Int64), dates_per_year=pl.lit(_known(years), pl.Float64))
        return head.with_columns(pl.lit(value, pl.Float64).alias(name) for name, value in numbers.items())

    @cached_property
    def drawdown(self) -> pl.DataFrame:
        """By date: cumulative (compounded net return), and drawdown (from its highest point, at most 0)."""
        net = self._held.gross - self._held.cost
        cumulative = np.cumprod(np.maximum(1 + net, 0.0)) - 1
        return pl.DataFrame({"date": self._grid.dates, "cumulative": cumulative, "drawdown": drawdown(cumulative)})

    @cached_property
    def positions(self) -> pl.DataFrame:
        """What was held at the end of each date: symbol, date, weight."""
        weights = self._held.weights
        return self._grid.long(weights != 0, weight=weights)

    @cached_property
    def attribution(self) -> pl.DataFrame:
        """What each held name added to the gross return of a date: symbol, date, weight, contribution.

        `weight` is that at the end of the date before, and `contribution` the weight times the return of the name.
        """
        before = self._held.before
        return self._grid.long(before != 0, weight=before, contribution=self._held.contributions)

    @property
    def attribution_by_group(self) -> pl.DataFrame:
        """The contributions summed over each group: date, group (null: none), contribution.

        Raises
        ------
        ArgumentError
            The backtest was made without `groups`.
        """
        if self._categories is None:
            raise ArgumentError("the backtest has no groups", hint="fl.backtest(..., groups='sector')")
        return by_category(self._grid, self._held, *self._categories)

    def attribution_by_factor(self, contributions: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
        """The gross return of each date split over the parts of the score, by least squares.

        The weights at the end of the date before, `h`, are taken as a multiple of the scores `S` of the last decision
        and a rest: `a = sum of h * S / sum of S ** 2` over the names held. With `S` the sum of the contributions `c` of
        factors, factor `f` adds `a * sum of c[f] * r`, and `rest` is what is left of the gross return.

        Parameters
        ----------
        contributions
            `symbol, date, contribution_<factor>, ...` as `fl.score` gives them; missing ones count as 0. Of each
            decision the last date at or before it is taken.

        Returns
        -------
        polars.DataFrame
            date, a column for each factor, rest, gross; all of a row but gross sum to gross.
        """
        return by_factor(self._grid, self._held, self._decided, contributions)

    def to_skfolio(self) -> Any:
        """Returns of the names by date as a wide frame of pandas, the `X` that estimators of skfolio take.

        A date by symbol table of simple returns, NaN where a name has no price on the date or the one before.

        Raises
        ------
        MissingLibraryError
            pandas is not installed.
        """
        with np.errstate(all="ignore"):
            changes = self._prices[1:] / self._prices[:-1] - 1
        return wide(self._grid.dates[1:], self._grid.symbols, changes)

    @cached_property
    def _dates_per_year(self) -> float:
        dates = self._grid.dates
        if dates.len() < 2:
            return math.nan
        seconds = dates.cast(pl.Datetime("us")).dt.timestamp("us")
        return (dates.len() - 1) * 1e6 * SECONDS_PER_YEAR / (int(seconds[-1]) - int(seconds[0]))

    def __repr__(self) -> str:
        dates = self._grid.dates
        ends = f" from {dates[0]} to {dates[-1]}" if dates.len() else ""
        trades = plural(int((self._held.traded > 0).sum()), "trade")
        notes = f"; {plural(self.notes.height, 'note')}" if self.notes.height else ""
        return f"<Backtest: {plural(dates.len(), 'date')}{ends}, {trades}{notes}>"

    def _repr_html_(self) -> str:
        row = self.summary.row(0, named=True)
        rows = [(name, f"{value:.4f}" if isinstance(value, float) else value) for name, value in row.items()]
        return table_html("Backtest", repr(self)[11:-1], ("measure", "value"), rows)


def backtest(
    weights: Weights | pl.DataFrame | pl.LazyFrame,
    prices: Panel | pl.DataFrame | pl.LazyFrame,
    *,
    rebalance: Rebalance = "month_end",
    costs_bps: float = 0,
    price: str = "close",
    groups: str | pl.DataFrame | None = None,
    missing: Missing = "error",
    benchmark: str | pl.DataFrame | None = None,
    entry_lag: int = 1,
) -> Backtest:
    """Hold weights over prices, and say what that earned.

    On each rebalancing date the last weights decided since the one before are taken, and bought at the prices of
    `entry_lag` market dates later: they earn from the date after that on, as the labels of `fl.forward_return` do.
    Where none were decided since, nothing is traded. Between trades weights drift with prices. Cash earns nothing, and
    costs are taken from the return of the date of the trade. docs/portfolio.md has the formulas. It is no simulator of
    orders.

    Parameters
    ----------
    weights
        `Weights`, or a table `symbol, date, weight`. In a table a date with all in cash has a row with a weight of 0.
    prices
        A panel, or a table `symbol, date` and prices. Its dates are the market dates. A price that is not above 0 is
        missing.
    rebalance
        `"month_end"`, `"W-FRI"` (or another weekday: the last market date of a week that ends with it), `"every"`, or
        dates of the market.
    costs_bps
        What a trade costs, in hundredths of a percent of what is traded: the sum of the absolute changes of weights.
    price
        The column of prices.
    groups
        For `attribution_by_group`: a text column of `prices`, or a table `symbol, group`.
    missing
        What to do about a name without a price on the date of a trade: `"error"`; `"last"` trades it at its last
        price; `"missing"` leaves it out, its weight stays in cash. What is held over a gap keeps its last price. A
        number, such as -0.3, leaves it out too, and is the return of a held name on the date after its last price in
        `prices` (of all policies only this one asks whether a price comes back later). `notes` counts all of it.
    benchmark
        A symbol of `prices`, or a table `date, return`. On the first date, at whose end the portfolio starts, it is 0.
    entry_lag
        Market dates from the decision to the trade; 0 trades at prices that the weights may have seen.

    Returns
    -------
    Backtest

    Raises
    ------
    BarsError
        Keys are missing or repeated; or a name with a weight has no price on the date of its trade.
    UnknownColumnError, ParameterError, ArgumentError
        A column is not there, or an argument is out of range or of a wrong type.

    Examples
    --------
    >>> import datetime as dt, factorloom as fl, polars as pl
    >>> day = [dt.date(2024, 1, 2)] * 2
    >>> weights = pl.DataFrame({"symbol": ["A", "B"], "date": day, "weight": [0.5, 0.5]})
    >>> found = fl.backtest(weights, fl.example(), rebalance="every", costs_bps=10)
    >>> found.returns.select("date", "gross", "cost", "turnover").rows()[0]
    (datetime.date(2024, 1, 3), 0.0, 0.001, 0.5)
    >>> round(found.returns["gross"][1], 4)  # (12 / 11 - 1 + 22 / 19 - 1) / 2
    0.1244
    """
    lag, rate, policy = check_whole("entry_lag", entry_lag, 0), check_costs(costs_bps), check_missing(missing)
    decided, dates = decided_weights(weights)
    bars = keyed("prices", prices, price)
    if bars.schema["date"] != dates.dtype:
        raise BarsError(f"dates of weights and prices must be of one type, got {dates.dtype} and {bars.schema['date']}")
    market = bars["date"].unique().sort()
    grid = Grid(market, decided["symbol"].unique().sort())
    known = priced(grid, bars, price)
    filled = carried(known, policy if isinstance(policy, float) else None)
    notes = Notes(grid)
    plan = trade_plan(dates, market, rebalancing(market, rebalance), lag, notes)
    wanted = np.nan_to_num(Grid(dates, grid.symbols).matrix(decided, "weight"))
    trades = {trade: tradable(wanted[source], trade, known, filled, policy, notes) for trade, source in plan.items()}
    start = min(plan, default=market.len())
    held = hold(filled[start:], {trade - start: target for trade, target in trades.items()}, rate)
    notes.add_held(held, start, known)
    cut = Grid(market[start:], grid.symbols)
    return Backtest(
        notes.frame,
        cut,
        held,
        known[start:],
        None if groups is None else _categories(grid, bars, groups, start),
        dates.gather(sources_by_date(plan, start, market.len())),
        None if benchmark is None else benchmark_returns(benchmark, bars, price, market, start),
    )


def _categories(grid: Grid, bars: pl.DataFrame, groups: object, start: int) -> tuple[Codes, list[str | None]]:
    """The group of every symbol on every date from the start on."""
    if isinstance(groups, str):
        if groups not in bars.columns:
            raise UnknownColumnError(f"prices has no column {groups!r}", hint=suggest(groups, bars.columns))
        codes, names = category_matrix(grid, grid.inside(bars), groups)
        return codes[start:], names
    table = table_of("groups", groups)
    for column in ("symbol", "group"):
        if column not in table.columns:
            raise UnknownColumnError(f"groups has no column {column!r}", hint=suggest(column, table.columns))
    if table["symbol"].is_duplicated().any():
        raise BarsError("groups repeats a symbol", hint="one row per symbol; or the name of a column of prices")
    table = table.select(pl.col("symbol").cast(pl.String), "group")
    matched = pl.DataFrame({"symbol": grid.symbols}).join(table, on="symbol", how="left", maintain_order="left")
    codes, names = category_codes(matched["group"])
    return np.broadcast_to(codes, (grid.shape[0] - start, codes.size)), names


def _known(value: Any) -> float | None:
    """A number, or None where it is missing."""
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else None
