"""`weights`: scores as the weights of a portfolio, within bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl

from factorloom.engine.research.portfolio.grid import Codes, Grid, category_matrix, check_one_of, check_share, keyed
from factorloom.engine.research.portfolio.limit import Bools
from factorloom.engine.research.portfolio.target import METHODS, wishes
from factorloom.engine.research.portfolio.walk import Limits, Note, walk
from factorloom.engine.research.series import Array, check_whole
from factorloom.expressions.errors import ArgumentError, UnknownColumnError, plural, suggest
from factorloom.expressions.notebook import table_html

__all__ = ["Method", "Weights", "weights"]

Method: TypeAlias = Literal["top", "score", "long_short", "inverse_volatility"]

NOTES = {"date": pl.Date, "limit": pl.String, "wanted": pl.Float64, "got": pl.Float64, "reason": pl.String}


@dataclass(frozen=True, repr=False)
class Weights:
    """The weights of a portfolio on each date.

    Attributes
    ----------
    frame : polars.DataFrame
        `symbol, date, weight` (Float64, a fraction of the capital, below 0 for short positions), by date and symbol;
        one row for each name whose weight is not 0.
    notes : polars.DataFrame
        What could not be met, by date: `date, limit, wanted, got, reason`. `limit` is `"invested"` (a side holds less
        than its capital, the rest is cash), `"max_turnover"`, `"min_holding"`, `"volatility"` (names without one are
        left out) or `"score"` (no score on the date).
    dates : polars.Series
        All dates that were decided on, also those on which everything is in cash.
    """

    frame: pl.DataFrame
    notes: pl.DataFrame
    dates: pl.Series

    def __repr__(self) -> str:
        names = plural(self.frame["symbol"].n_unique(), "symbol")
        return f"<Weights: {plural(self.dates.len(), 'date')}, {names}, {plural(self.notes.height, 'note')}>"

    def _repr_html_(self) -> str:
        last = self.dates[-1] if self.dates.len() else None
        held = self.frame.filter(self.frame["date"].is_in([last])).sort("weight", descending=True).head(20)
        rows = [(symbol, f"{weight:.4f}") for symbol, _, weight in held.rows()]
        return table_html("Weights", repr(self)[10:-1], ("symbol", f"weight on {last or 'no date'}"), rows)


def weights(
    scores: pl.DataFrame | pl.LazyFrame,
    *,
    method: Method = "top",
    score: str = "score",
    quantiles: int = 5,
    top: int | None = None,
    volatility: pl.DataFrame | pl.LazyFrame | str | None = None,
    max_weight: float | None = None,
    groups: str | None = None,
    max_group: float | None = None,
    max_turnover: float | None = None,
    min_holding: int = 0,
    band: float = 0.0,
) -> Weights:
    """The weights that scores ask for, within bounds, date by date.

    Each side, long or short, has a capital of 1. With `s` the score, before any bound:

        top                 1 / k          for the k best names
        score               max(s, 0) / sum of max(s, 0)
        long_short          1 / k          for the k best, -1 / k for the k worst
        inverse_volatility  (1 / v) / sum of (1 / v)    for the k best, v their volatility

    Names at a cap stay there and the others share what is left in proportion, as far as they have room. What finds no
    room stays in cash. Then what stays is kept, and turnover is cut: docs/portfolio.md has the order. Weights of a date
    depend on scores of that date and of dates before. The date before is the one before it in `scores`, and its weights
    are taken as they were decided, without the drift of prices.

    Parameters
    ----------
    scores
        `symbol, date, score`, one row per key, as `fl.score` gives them; dates as Date or Datetime. A score that is
        null or not finite is missing, and its name is not chosen.
    method
        See above.
    score
        The column of scores.
    quantiles, top
        `k` is `top`, or `names // quantiles` and at least 1; for two sides at most half of the names. Equal scores
        are taken in the order of their symbols.
    volatility
        For `"inverse_volatility"`: a column of `scores`, or a table `symbol, date, value`. Names without a volatility
        above 0 are left out.
    max_weight
        The largest absolute weight of a name.
    groups, max_group
        A text column of `scores`, such as `"sector"`, and the largest sum of absolute weights of a group, on each
        side. Names without a group are a group of their own.
    max_turnover
        The largest turnover of a date: half the sum of the absolute changes of weights. Buying a whole portfolio from
        cash is a turnover of 0.5, exchanging all of it one of 1. Where more is wanted, the same fraction of each change
        is made.
    min_holding
        How many dates a name that was bought stays at least: until then it keeps its weight when it would leave.
    band
        A name that is held on both dates keeps its weight where it would change by at most this.

    Returns
    -------
    Weights
        `frame` with the weights, `notes` with what could not be met, `dates`.

    Raises
    ------
    UnknownColumnError
        A key, or a column that is named, is not there.
    BarsError
        Keys are missing or repeated, or columns are not of a usable type.
    ParameterError, ArgumentError
        An argument is out of range, of a wrong type, or missing; or no score of a date is above 0 with `"score"`.

    Examples
    --------
    >>> import datetime as dt, factorloom as fl, polars as pl
    >>> names = list("ABCD")
    >>> scores = pl.DataFrame({"symbol": names, "date": [dt.date(2024, 1, 2)] * 4, "score": [4.0, 3.0, 2.0, 1.0]})
    >>> fl.weights(scores, method="score", max_weight=0.35).frame["weight"].round(4).to_list()
    [0.35, 0.325, 0.2167, 0.1083]
    >>> fl.weights(scores, top=2, max_weight=0.35).notes.select("limit", "wanted", "got").rows()
    [('invested', 1.0, 0.7)]
    """
    way = check_one_of("method", method, METHODS)
    limits = _limits(max_weight, max_group, max_turnover, min_holding, band)
    parts = check_whole("quantiles", quantiles, 1)
    count = None if top is None else check_whole("top", top, 1)
    if max_group is not None and groups is None:
        raise ArgumentError("max_group needs groups", hint="name a column of scores: groups='sector'")
    if (volatility is None) == (way == "inverse_volatility"):
        wrong = (
            "method 'inverse_volatility' needs volatility"
            if volatility is None
            else f"method {way!r} has no use for volatility"
        )
        raise ArgumentError(
            wrong,
            hint="volatility, with method='inverse_volatility', is a column of scores or a table symbol, date, value",
        )
    frame = keyed("scores", scores, score)
    grid = Grid.of(frame)
    values = grid.matrix(frame, score)
    spreads = None if volatility is None else _volatility(grid, frame, volatility)

    def ask(day: int) -> Array:
        risk = None if spreads is None else spreads[day]
        return wishes(way, values[day], risk, parts, count, grid.dates[day])

    found, notes = walk(values, ask, _groups(grid, frame, groups), limits, way == "long_short")
    if spreads is not None:
        notes += _without_volatility(values, spreads)
    return Weights(grid.long(found != 0, weight=found), _notes_frame(grid, notes), grid.dates)


def _limits(
    max_weight: float | None, max_group: float | None, max_turnover: float | None, min_holding: int, band: float
) -> Limits:
    bounds = {"max_weight": max_weight, "max_group": max_group, "max_turnover": max_turnover}
    caps = {name: math.inf if value is None else check_share(name, value) for name, value in bounds.items()}
    return Limits(
        **caps,
        min_holding=check_whole("min_holding", min_holding, 0),
        band=check_share("band", band, above_zero=False),
    )


def _groups(grid: Grid, frame: pl.DataFrame, groups: str | None) -> Codes | None:
    """The group of every name on every date; where it has no row, the last one it had, and else none."""
    if groups is None:
        return None
    if not isinstance(groups, str):
        raise ArgumentError(f"groups must be the name of a column of scores, got {groups!r}")
    if groups not in frame.columns:
        raise UnknownColumnError(f"scores has no column {groups!r}", hint=suggest(groups, frame.columns))
    return category_matrix(grid, frame, groups)[0]


def _volatility(grid: Grid, frame: pl.DataFrame, given: object) -> Array:
    if isinstance(given, str):
        return grid.matrix(keyed("scores", frame, given), given)
    table = keyed("volatility", given, "value")
    return grid.matrix(grid.inside(table), "value")


def _without_volatility(values: Array, spreads: Array) -> list[Note]:
    """The names of each date that have a score and no volatility."""
    lacking: Bools = ~np.isnan(values) & ~(spreads > 0)
    why = "names with a score and no volatility above 0, which are not held"
    return [(int(day), "volatility", 0.0, float(lacking[day].sum()), why) for day in np.flatnonzero(lacking.any(1))]


def _notes_frame(grid: Grid, notes: list[Note]) -> pl.DataFrame:
    rows = sorted(notes, key=lambda note: note[0])
    columns = list(zip(*rows, strict=True)) or [()] * len(NOTES)
    found = pl.DataFrame(dict(zip(NOTES, columns, strict=True)), schema=NOTES | {"date": pl.Int64})
    return found.with_columns(grid.dates.gather(found["date"]).alias("date"))
