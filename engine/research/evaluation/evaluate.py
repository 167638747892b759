"""`evaluate`: the way in for a panel, and for whatever keeps datasets, such as a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Unpack, runtime_checkable

import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.selection import When
from factorloom.engine.panel import Panel
from factorloom.engine.plan.request import Factors, OneFactor
from factorloom.engine.research.evaluation.evaluation import Evaluation, evaluated
from factorloom.engine.research.evaluation.labels import Halted
from factorloom.engine.research.evaluation.setting import EvaluationOptions, checked_factors, checked_settings
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.progress import default_observer
from factorloom.expressions.errors import ArgumentError, BarsError
from factorloom.expressions.factor import Factor

__all__ = ["Keeper", "PanelSource", "evaluate"]


@runtime_checkable
class Keeper(Protocol):
    """Whatever keeps datasets and evaluates factors on them: a store."""

    def evaluate(
        self,
        dataset: str,
        factors: Factors = None,
        *,
        universe: str | None = None,
        as_of: When | None = None,
        observer: Observer | None = None,
        **options: Unpack[EvaluationOptions],
    ) -> Evaluation:
        """What `evaluate` gives for one of its datasets."""
        ...


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
    source: Panel | Keeper,
    factors: Factors = None,
    *,
    dataset: str | None = None,
    as_of: When | None = None,
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
    log: bool = False,
    excess: OneFactor | None = None,
    observer: Observer | None = None,
) -> Evaluation:
    """What factors say about the returns that follow.

    On every date, the values of a factor are compared with labels, the returns that follow. The label of a name (a
    symbol on a date) runs from its price `entry_lag` market dates later to that of `horizon` market dates after the
    entry:

        price[date + entry_lag + horizon] / price[date + entry_lag] - 1

    Market dates are the distinct dates of the panel. docs/evaluation.md shows how to use the result,
    docs/statistics.md has the formula of every column.

    Parameters
    ----------
    source
        A panel with all the history that the factors need, and all the future that the labels need; or a store, which
        keeps values and counts what is tried, see `Store.evaluate`.
    factors
        As for `Panel.compute`: a mapping of name to factor, or one or several factors. High values should mean high
        returns: the long-short portfolio is long the highest quantile. Of a store by default those saved with the
        dataset.
    dataset, as_of
        Of a store: the dataset, and a version, or a time in UTC: what was known then.
    horizons
        How long a position is held, in market dates: one whole number or several different ones, each at least 1.
    quantiles
        Into how many parts, from 2 to 100, the names of a date are cut, by the values of the factor alone: names
        without a label count too.
    group
        A text column of categories, such as sectors, for `ic_by_group` and `neutral`. Bars without one are left out of
        all tables.
    universe
        A column, or a factor: bars where it is missing or 0 are left out. Cross-sections inside the factors still see
        all bars. Of a store the name of one of its universes, whose members alone cross-sections see.
    price
        The column that labels are made from. A price that is not positive is missing.
    entry_lag
        Market dates from the date of the factor to the entry. 0 trades at the very price that the factor may have seen.
    costs_bps
        What a trade costs, in basis points (hundredths of a percent) of the amount traded.
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
    log
        Whether correlations are with the logarithm of `1 + return`. Portfolios, and with them quantiles, earn simple
        returns all the same.
    excess
        What is taken off the labels, as in `forward_return`: `"market"`, the mean of the labels of the date over the
        whole panel; the name of a column of categories, the mean of its category (bars without one are left out); or
        another column, an expression or a factor, the level of a benchmark, its return from entry to exit.
    observer
        Counts, reports and cancels, as for `Panel.compute`.

    Returns
    -------
    Evaluation
        Its tables are Polars frames: `summary`, `ic`, `ic_by_group`, `ic_by_year`, `ic_decay`, `quantile_returns`,
        `quantile_returns_by_date`, `long_short`, `turnover`, `autocorrelation`, `coverage`, `correlation`,
        `alpha_beta`, `tails`, `dropped`. `health` says what to distrust, `to_html` writes the report.

    Raises
    ------
    LookaheadError
        A factor, the universe or the weights look ahead.
    UnknownColumnError
        The panel lacks a column that is named.
    ParameterError, ArgumentError
        An argument is out of range or of a wrong kind, or there are no bars between `start` and `end`; a panel is given
        with a dataset, or a store without one.
    DatasetError
        The store has no such dataset.
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
    options: EvaluationOptions = {
        "horizons": horizons,
        "quantiles": quantiles,
        "group": group,
        "price": price,
        "entry_lag": entry_lag,
        "costs_bps": costs_bps,
        "start": start,
        "end": end,
        "halted": halted,
        "weights": weights,
        "neutral": neutral,
        "log": log,
        "excess": excess,
    }
    if isinstance(source, Panel):
        for name, given in (("dataset", dataset), ("as_of", as_of)):
            if given is not None:
                raise ArgumentError(f"{name} is for a store, and here is a panel", hint=f"leave {name} out")
        return _on_panel(source, factors, universe, observer or default_observer(), options)
    if isinstance(source, type) or not isinstance(source, Keeper):
        raise ArgumentError(
            f"factors are evaluated on a Panel or a Store, got {type(source).__name__}",
            hint="fl.Panel.from_frame(bars), or fl.open_store(path)",
        )
    if not isinstance(dataset, str):
        found = "" if dataset is None else f", got {dataset!r}"
        raise ArgumentError(f"name the dataset of the store{found}", hint="for example dataset='us'")
    if universe is not None and not isinstance(universe, str):
        hint = "load one with store.load_universe, or evaluate on a panel: store.panel(dataset)"
        raise ArgumentError(f"of a store, universe must be the name of a universe, got {universe!r}", hint=hint)
    return source.evaluate(dataset, factors, universe=universe, as_of=as_of, observer=observer, **options)


def _on_panel(
    panel: Panel, factors: Factors, universe: OneFactor | None, observer: Observer, options: EvaluationOptions
) -> Evaluation:
    if not panel.rows:
        raise BarsError("the panel has no bars to evaluate on")
    wanted = checked_factors(factors, panel)
    settings = checked_settings(panel, universe=universe, **options)
    return evaluated(PanelSource(panel, observer), wanted, settings, observer)
