"""From standardised factors to the table of scores.

Weighing looks at one row after the other, so it takes the rows of a panel as they come, some at a time. Only the scores
are then brought into the order by date, to find where they stand, and all columns go from the one order to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Array, Index, as_array, as_series
from factorloom.engine.bars.selection import Mask
from factorloom.engine.research.combine import present_share, rotated, scored, weighed
from factorloom.engine.research.fit.dated import dated_shares
from factorloom.engine.research.model import CONTRIBUTION, ScoreModel
from factorloom.engine.research.reason import RawOn, reasons
from factorloom.engine.research.standing import standings
from factorloom.engine.runtime.memory import borrow
from factorloom.engine.runtime.thread import for_each_of

__all__ = ["Z", "table_of_scores"]

Z = "z_"
"""What stands before the name of a factor in the columns of standardised values."""

BLOCK_ROWS = 1 << 14
"""Rows are worked on together until they are so many."""

Neutral = Callable[[Sequence[Array]], list[Array]]
"""Contributions, a column per factor, free of what the exposures of the model explain."""


class _Dates(NamedTuple):
    """Some dates that follow one another: their rows in the order by date, and where in them each date starts."""

    rows: slice
    offsets: Index


def table_of_scores(
    model: ScoreModel,
    z: pl.DataFrame,
    weights: pl.DataFrame | None,
    raw_on: RawOn,
    neutral: Neutral | None = None,
) -> pl.DataFrame:
    """The table that `score_frame` describes.

    Parameters
    ----------
    model
    z
        Keys in the order of a panel, symbols as text, and the standardised factors as `z_<name>`.
    weights
        Of a model whose weights are fitted.
    raw_on
        What reasons are made of.
    neutral
        Of a model with exposures.
    """
    bars = Bars(z)
    order = np.empty(bars.rows, np.int64)
    order[bars.places] = np.arange(bars.rows)
    contributions, coverage = _weighed(model, bars, order, dated_shares(model, weights, bars.dates))
    if neutral is not None:
        contributions = neutral(contributions)
    columns = _standing(model, bars, order, contributions) | {"coverage": as_series("coverage", coverage[order])}
    unclear = _arrange(model, contributions, order, bars.by_date, columns)
    rows = pl.Series(order)
    table = pl.DataFrame([z["symbol"].gather(rows), z["date"].gather(rows), *columns.values()])
    unscored = table["score"].is_null().arg_true()
    reason = pl.Series([None], dtype=pl.String).new_from_index(0, table.height)
    if unscored.len():
        at = order[unscored.to_numpy()]
        why = reasons(model, z[at], coverage[at], unclear[bars.date_codes[at]], raw_on)
        reason = reason.scatter(unscored, why)
    first = ("symbol", "date", "score", "rank", "percentile", "quantile", "coverage", "reason")
    table = table.with_columns(reason.alias("reason"), *_groups(model))
    return table.select(*first, *(name for name in table.columns if name not in first))


def _weighed(model: ScoreModel, bars: Bars, order: Index, shares: Array) -> tuple[list[Array], Array]:
    """The contribution of each factor, and how much of the weights each row has, in the order of the panel."""
    columns: list[Array] = [borrow(bars.rows, "float64") for _ in model.factors]
    coverage = np.empty(bars.rows)

    def copy(place: int) -> None:
        columns[place][:] = as_array(bars.table[f"{Z}{list(model.factors)[place]}"])

    def weigh(rows: slice | Index) -> None:
        part, dates = np.stack([x[rows] for x in columns]).T, bars.date_codes[rows]
        own = shares if shares.ndim == 1 else shares[dates]
        coverage[rows] = _coverage(model, part, own)
        part = weighed(model, rotated(model, part, dates), own)
        for x, contribution in zip(columns, part.T, strict=True):
            x[rows] = contribution

    for_each_of(copy, range(len(columns)), bars.rows)
    parts: list[slice | Index]
    if model.orthogonalize:  # dates as a whole
        parts = [order[some.rows] for some in _dates(bars.by_date)]
    else:
        parts = [slice(start, start + BLOCK_ROWS) for start in range(0, bars.rows, BLOCK_ROWS)]
    for_each_of(weigh, parts, BLOCK_ROWS * len(columns))
    return columns, coverage


def _standing(model: ScoreModel, bars: Bars, order: Index, contributions: Sequence[Array]) -> dict[str, pl.Series]:
    """Scores and where they stand; `order`, that of rows by date, goes from the best to the worst of each date."""
    score, percentile = np.empty(order.size), np.empty(order.size)
    rank, quantile = np.empty(order.size, np.int64), np.empty(order.size, np.int64)
    total = np.empty(order.size)

    def add(start: int) -> None:
        rows = slice(start, start + BLOCK_ROWS)
        total[rows] = scored(model, [x[rows] for x in contributions]) + 0.0  # -0.0 is 0

    def stand(some: _Dates) -> None:
        rows = some.rows
        scores = total[order[rows]]
        found = standings(scores, some.offsets, model.quantiles)
        order[rows], score[rows] = order[rows][found.order], scores[found.order]
        rank[rows], percentile[rows], quantile[rows] = found.rank, found.percentile, found.quantile

    for_each_of(add, range(0, order.size, BLOCK_ROWS), BLOCK_ROWS * len(contributions))
    for_each_of(stand, _dates(bars.by_date), BLOCK_ROWS * len(contributions))
    known = ~np.isnan(score)
    named = {"score": score, "rank": rank, "percentile": percentile, "quantile": quantile}
    return {name: as_series(name, x, known) for name, x in named.items()}


def _arrange(
    model: ScoreModel, contributions: list[Array], order: Index, offsets: Index, columns: dict[str, pl.Series]
) -> Mask:
    """Add the contributions in this order, and find the dates on which a factor has none; they are let go of here."""
    names = list(model.factors)
    unclear = np.zeros(offsets.size - 1, bool)
    made: dict[int, pl.Series] = {}

    def arrange(place: int) -> None:
        x: Array = borrow(order.size, "float64")
        np.take(contributions[place], order, out=x, mode="clip")
        contributions[place] = np.empty(0)
        x += 0.0  # -0.0 is 0
        present = ~np.isnan(x)
        if order.size:
            unclear[~np.logical_or.reduceat(present, offsets[:-1])] = True
        made[place] = as_series(f"{CONTRIBUTION}{names[place]}", x, present)

    for_each_of(arrange, range(len(names)), order.size)
    columns |= {made[place].name: made[place] for place in range(len(names))}
    return unclear


def _dates(offsets: Index) -> list[_Dates]:
    """All dates, some at a time."""
    found = []
    first, count = 0, offsets.size - 1
    while first < count:
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + BLOCK_ROWS, side="right")) - 1)
        start, stop = int(offsets[first]), int(offsets[last])
        found.append(_Dates(slice(start, stop), offsets[first : last + 1] - start))
        first = last
    return found


def _coverage(model: ScoreModel, z: Array, shares: Array) -> Array:
    """How much of the weights each row has; NaN where there are no weights."""
    share = present_share(model, z, shares)
    share[~np.isnan(z).any(axis=1) & (share > 0)] = 1.0  # not a little less
    result: Array = np.minimum(share, 1.0)
    return result


def _groups(model: ScoreModel) -> list[pl.Expr]:
    """The sum of the contributions of each group; missing where all of them are."""
    found = []
    for group in model.groups:
        inside = [pl.col(f"{CONTRIBUTION}{name}") for name, part in model.factors.items() if part.group == group]
        present = pl.any_horizontal(each.is_not_null() for each in inside)
        found.append(pl.when(present).then(pl.sum_horizontal(inside)).alias(f"group_{group}"))
    return found
