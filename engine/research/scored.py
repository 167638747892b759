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
from factorloom.engine.bars.category import text_of
from factorloom.engine.bars.layout import KEYS, Array, Index, as_series, read_into
from factorloom.engine.bars.selection import Mask
from factorloom.engine.research.combine import present_share, rotated, scored, total_share, weighed
from factorloom.engine.research.fit.dated import dated_shares
from factorloom.engine.research.model import CONTRIBUTION, ScoreModel
from factorloom.engine.research.reason import RawOn, Z, reasons
from factorloom.engine.research.standing import standings
from factorloom.engine.runtime.memory import borrow
from factorloom.engine.runtime.thread import for_each_of

__all__ = ["table_of_scores"]

BLOCK_ROWS = 1 << 16
"""Rows are worked on together until they are so many."""

Neutral = Callable[[Sequence[Array]], list[Array]]
"""Contributions, a column per factor, free of what the exposures of the model explain."""


class _Dates(NamedTuple):
    """Some dates that follow one another: their rows in the order by date, and where in them each date starts."""

    rows: slice
    offsets: Index


def table_of_scores(
    model: ScoreModel,
    bars: Bars,
    z: pl.DataFrame,
    weights: pl.DataFrame | None,
    raw_on: RawOn,
    neutral: Neutral | None = None,
) -> pl.DataFrame:
    """The table that `score_frame` describes.

    Parameters
    ----------
    model
    bars
        What is scored: keys, and maybe columns.
    z
        The standardised factors of the bars, a column for each factor of the model. All are dropped from the frame as
        they are read, so that their memory is used again.
    weights
        Of a model whose weights are fitted.
    raw_on
        What reasons are made of.
    neutral
        Of a model with exposures.
    """
    order: Index = borrow(bars.rows, "int64")
    order[bars.places] = np.arange(bars.rows, dtype=np.uint32)
    missing = z.select(pl.all().is_null().name.prefix(Z))  # is_not_null would hold on to the memory of the values
    contributions, coverage = _weighed(model, bars, order, z, dated_shares(model, weights, bars.dates))
    if neutral is not None:
        contributions = neutral(contributions)
    standing = _standing(model, bars, order, contributions)
    columns, unclear = _arranged(model, contributions, order, bars.by_date)
    rows = pl.Series(order)
    symbols, dates = (bars.table[key].gather(rows) for key in KEYS)
    keys = [text_of(symbols) if symbols.dtype == pl.Enum else symbols, dates]
    unscored = standing[0].is_null().arg_true()
    reason = pl.Series("reason", [None], pl.String).new_from_index(0, bars.rows)
    if unscored.len():
        at = order[unscored.to_numpy()]
        known = pl.DataFrame([key.gather(unscored) for key in keys]).hstack(missing[at])
        reason = reason.scatter(unscored, reasons(model, known, coverage[at], unclear[bars.date_codes[at]], raw_on))
    shares = as_series("coverage", np.take(coverage, order, out=borrow(bars.rows, "float64"), mode="clip"))
    return pl.DataFrame([*keys, *standing, shares, reason, *columns]).with_columns(_groups(model))


def _weighed(model: ScoreModel, bars: Bars, order: Index, z: pl.DataFrame, shares: Array) -> tuple[list[Array], Array]:
    """The contribution of each factor, and how much of the weights each row has, in the order of the bars."""
    columns = [np.empty(0)] * z.width
    coverage: Array = borrow(bars.rows, "float64")

    def copy(item: tuple[int, str]) -> None:
        place, name = item
        columns[place] = borrow(bars.rows, "float64")
        read_into(columns[place], z.drop_in_place(name))

    def weigh(rows: slice | Index) -> None:
        part, dates = np.stack([x[rows] for x in columns]).T, bars.date_codes[rows]
        own = shares if shares.ndim == 1 else shares[dates]
        present = ~np.isnan(part)
        share = present_share(model, present, own)
        is_whole = present.all(axis=1) & (share > 0)
        coverage[rows] = np.where(is_whole, 1.0, np.minimum(share, 1.0))  # not a little less, nor more
        part = rotated(model, part, dates)
        if model.orthogonalize:  # then no factor is missing any more
            share = present_share(model, ~np.isnan(part), own)
        part = weighed(model, part, own, total_share(model, share))
        for x, contribution in zip(columns, part.T, strict=True):
            x[rows] = contribution

    for_each_of(copy, list(enumerate(z.columns)), bars.rows)
    parts: list[slice | Index]
    if model.orthogonalize:  # dates as a whole
        parts = [order[some.rows] for some in _dates(bars.by_date)]
    else:
        parts = [slice(start, start + BLOCK_ROWS) for start in range(0, bars.rows, BLOCK_ROWS)]
    for_each_of(weigh, parts, min(bars.rows, BLOCK_ROWS) * len(columns))
    return columns, coverage


def _standing(model: ScoreModel, bars: Bars, order: Index, contributions: Sequence[Array]) -> list[pl.Series]:
    """Scores, ranks, percentiles and quantiles, from the best to the worst of each date.

    The order of rows by date becomes that order.
    """
    total, score, percentile = (borrow(order.size, "float64") for _ in range(3))
    rank, quantile = (borrow(order.size, "int64") for _ in range(2))

    def add(start: int) -> None:
        rows = slice(start, start + BLOCK_ROWS)
        total[rows] = scored(model, [x[rows] for x in contributions]) + 0.0  # -0.0 is 0

    def stand(some: _Dates) -> None:
        rows = some.rows
        scores = total[order[rows]]
        found = standings(scores, some.offsets, model.quantiles)
        order[rows], score[rows] = order[rows][found.order], scores[found.order]
        rank[rows], percentile[rows], quantile[rows] = found.rank, found.percentile, found.quantile

    size = min(order.size, BLOCK_ROWS) * len(contributions)
    for_each_of(add, range(0, order.size, BLOCK_ROWS), size)
    for_each_of(stand, _dates(bars.by_date), size)
    known = ~np.isnan(score)
    named = {"score": score, "rank": rank, "percentile": percentile, "quantile": quantile}
    return [as_series(name, x, known) for name, x in named.items()]


def _arranged(
    model: ScoreModel, contributions: list[Array], order: Index, offsets: Index
) -> tuple[list[pl.Series], Mask]:
    """The contributions in this order, and the dates on which a factor has none; those given are let go of.

    On the other dates every factor has a z.
    """
    names = list(model.factors)
    unclear = np.zeros(offsets.size - 1, bool)
    made: dict[int, pl.Series] = {}

    def arrange(place: int) -> None:
        x: Array = borrow(order.size, "float64")
        np.take(contributions[place], order, out=x, mode="clip")  # other modes copy once more
        contributions[place] = np.empty(0)
        x += 0.0  # -0.0 is 0
        present = ~np.isnan(x)
        if order.size:
            unclear[~np.logical_or.reduceat(present, offsets[:-1])] = True
        made[place] = as_series(f"{CONTRIBUTION}{names[place]}", x, present)

    for_each_of(arrange, range(len(names)), order.size)
    return [made[place] for place in range(len(names))], unclear


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


def _groups(model: ScoreModel) -> list[pl.Expr]:
    """The sum of the contributions of each group; missing where all of them are."""
    found = []
    for group in model.groups:
        inside = [pl.col(f"{CONTRIBUTION}{name}") for name, part in model.factors.items() if part.group == group]
        present = pl.any_horizontal(each.is_not_null() for each in inside)
        found.append(pl.when(present).then(pl.sum_horizontal(inside)).alias(f"group_{group}"))
    return found
