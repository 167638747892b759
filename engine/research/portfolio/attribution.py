"""Where a return came from: the contributions of groups, and of the factors behind the scores."""

from __future__ import annotations

import numpy as np
import polars as pl

from factorloom.engine.research.model import CONTRIBUTION
from factorloom.engine.research.portfolio.grid import Codes, Grid, keyed
from factorloom.engine.research.portfolio.hold import Held
from factorloom.engine.research.series import Array
from factorloom.expressions.errors import UnknownColumnError

__all__ = ["by_category", "by_factor"]


def by_category(grid: Grid, held: Held, codes: Codes, names: list[str | None]) -> pl.DataFrame:
    """The contributions summed over each category: date, group, contribution, for groups that are held."""
    before = held.before
    shape = (len(before), len(names))
    places = np.arange(shape[0])[:, None] * shape[1] + codes
    size = shape[0] * shape[1]
    sums = np.bincount(places.ravel(), held.contributions.ravel(), minlength=size).reshape(shape)
    some = np.bincount(places.ravel(), (before != 0).ravel(), minlength=size).reshape(shape) > 0
    day, group = np.nonzero(some)
    return pl.DataFrame(
        {
            "date": grid.dates.gather(pl.Series(day)),
            "group": pl.Series([names[each] for each in group], dtype=pl.String),
            "contribution": sums[day, group],
        }
    )


def by_factor(grid: Grid, held: Held, decided: pl.Series, contributions: object) -> pl.DataFrame:
    """The gross return split over the parts of the scores, and a rest: `Backtest.attribution_by_factor`."""
    table = keyed("contributions", contributions)
    columns = [name for name in table.columns if name.startswith(CONTRIBUTION)]
    if not columns:
        hint = f"as fl.score gives them: {CONTRIBUTION}<factor>"
        raise UnknownColumnError(f"contributions has no column that begins with {CONTRIBUTION!r}", hint=hint)
    table = keyed("contributions", table, *columns)
    dates = table["date"].unique().sort()
    parts = Grid(dates, grid.symbols)
    own = parts.inside(table)
    pick = _latest(dates, decided)
    before = held.before
    returns = np.divide(held.contributions, before, out=np.zeros_like(before), where=before != 0)
    held_parts = {name: _picked(parts.matrix(own, name), pick, before) for name in columns}
    score = np.sum(list(held_parts.values()), axis=0)
    square = (score**2).sum(axis=1)
    share = np.divide((before * score).sum(axis=1), square, out=np.zeros(len(square)), where=square > 0)
    found = {name.removeprefix(CONTRIBUTION): share * (part * returns).sum(axis=1) for name, part in held_parts.items()}
    rest = held.gross - np.sum(list(found.values()), axis=0)
    return pl.DataFrame({"date": grid.dates, **found, "rest": rest, "gross": held.gross})


def _latest(dates: pl.Series, decided: pl.Series) -> Codes:
    """For each date, the place of the last table of contributions at or before what was held at the start; -1: none."""
    at_end = np.searchsorted(_numbers(dates), _numbers(decided), side="right") - 1
    return np.concatenate([[-1], at_end[:-1]]).astype(np.int64)


def _numbers(dates: pl.Series) -> Codes:
    return dates.to_physical().cast(pl.Int64).to_numpy()


def _picked(part: Array, pick: Codes, before: Array) -> Array:
    """The part of the score behind what was held on each date; 0 where it is missing or nothing is held."""
    if not len(part):
        return np.zeros_like(before)
    usable = (pick >= 0)[:, None] & (before != 0)
    return np.where(usable, np.nan_to_num(part[np.maximum(pick, 0)]), 0.0)
