"""`evaluate`: the way in for a panel."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.selection import When
from factorloom.engine.panel import Panel
from factorloom.engine.plan.request import Factors, OneFactor
from factorloom.engine.research.evaluation.evaluation import Evaluation, evaluated
from factorloom.engine.research.evaluation.labels import Halted
from factorloom.engine.research.evaluation.setting import checked_factors, checked_settings
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.progress import default_observer
from factorloom.expressions.errors import ArgumentError, BarsError
from factorloom.expressions.factor import Factor

__all__ = ["PanelSource", "evaluate"]


class PanelSource:
    """Values of factors computed on a panel."""

    def __init__(self, panel: Panel, observer: Observer) -> None:
        self._panel, self._observer = panel, observer

    @property
    def bars(self) -> Bars:
        """The panel."""
        return self._panel

    def values(self, factors: dict[str, Factor]) -> pl.DataFrame:
        """A column for each factor, one row for each bar."""
        return self._panel.compute(factors, observer=self._observer)


def evaluate(
    panel: Panel,
    factors: Factors,
    *,
    horizons: Sequence[int] = (1, 5, 21),
    quantiles: int = 5,
    group: str | None = None,
    universe: OneFactor | None = None,
    price: str = "close",
    entry_lag: int = 1,
    costs_bps: float = 0,
    start: When | None = None,
    end: When | None = None,
    halted: Halted = "last",
    weights: OneFactor | None = None,
    neutral: bool = False,
    observer: Observer | None = None,
) -> Evaluation:
    """What factors say about the returns that follow.

    On every date, the factor's values are compared with the labels: the return of each name from the price of
    `entry_lag` market dates later to that of `horizon` market dates after the entry. Market dates are the distinct
    dates of the panel. docs/statistics.md has the formula of every column.

    Parameters
    ----------
    panel
        Bars, with all the history that the factors need, and all the future that the labels need.
    factors
        As for `Panel.compute`: a mapping of name to factor, or one or several factors.
    horizons
        In market dates.
    quantiles
        Into how many parts the names of a date are cut, by the factor's values alone: names without a label count too.
    group
        A column of categories, such as sectors, for correlations in each group. Bars without one are left out.
    universe
        A column, or a factor: bars where it is missing or 0 are left out.
    price
        The column that labels are made from. A price that is not positive is missing.
    entry_lag
        Market dates from a date to the entry. 0 trades at the very price that the factor may have seen.
    costs_bps
        Of a trade, in hundredths of a percent of what is traded.
    start, end
        The first and the last date evaluated, both included. Labels may reach beyond `end`.
    halted
        The label of a name that has no price on the exit date: `"last"` takes its last price since the entry,
        `"missing"` leaves it out, a number such as -0.3 is its return.
    weights
        A column, or a factor: weights of the names in a quantile; missing or not positive weighs nothing. Default:
        equal weights.
    neutral
        Whether quantiles are formed in each group, and returns taken less the mean return of the group.
    observer
        As for `Panel.compute`.

    Returns
    -------
    Evaluation
        Its tables are Polars frames: `summary`, `ic`, `ic_by_group`, `ic_by_year`, `ic_decay`, `quantile_returns`,
        `quantile_returns_by_date`, `long_short`, `turnover`, `autocorrelation`, `coverage`, `correlation`,
        `alpha_beta`, `tails`, `dropped`.

    Raises
    ------
    LookaheadError
        A factor, the universe or the weights look ahead.
    UnknownColumnError
        The panel lacks a column that is named.
    ParameterError, ArgumentError
        An argument is out of range or of a wrong kind, or there are no bars between `start` and `end`.
    BarsError
        The panel is empty.

    Examples
    --------
    >>> import factorloom as fl
    >>> from factorloom.engine.bars.market import simulate
    >>> panel = fl.Panel.from_frame(simulate(symbols=40, years=1))
    >>> found = fl.evaluate(panel, {"reversal": -fl.ts_pct_change(fl.close, 5)}, horizons=(1, 5))
    >>> found.summary.select("factor", "horizon", "dates").rows()
    [('reversal', 1, 254), ('reversal', 5, 250)]
    """
    if not isinstance(panel, Panel):
        raise ArgumentError(f"panel must be a Panel, got {type(panel).__name__}", hint="fl.Panel.from_frame(bars)")
    if not panel.rows:
        raise BarsError("the panel has no bars to evaluate on")
    wanted = checked_factors(factors, panel)
    settings = checked_settings(
        panel,
        horizons=horizons,
        quantiles=quantiles,
        group=group,
        universe=universe,
        price=price,
        entry_lag=entry_lag,
        costs_bps=costs_bps,
        start=start,
        end=end,
        halted=halted,
        weights=weights,
        neutral=neutral,
    )
    watched = observer or default_observer()
    return evaluated(PanelSource(panel, watched), wanted, settings, watched)
