"""When weights are fitted, and on which dates: always dates whose forward returns are known by then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Index
from factorloom.engine.research.fit.rule import Every, Fit

__all__ = ["Window", "fitting_dates", "folds", "windows"]


class Window(NamedTuple):
    """A fit, as places among the market dates.

    Attributes
    ----------
    at
        The fitting date: the weights hold from there to the next one.
    first, last
        The first and the last date that it trains on; `last` is below `first` where there is none.
    """

    at: int
    first: int
    last: int


def windows(dates: pl.Series, scored: Index, rule: Fit) -> list[Window]:
    """The fits whose weights hold on the scored dates, given as places in order.

    >>> import datetime as dt, polars as pl
    >>> days = pl.date_range(dt.date(2024, 1, 1), dt.date(2024, 3, 31), eager=True)
    >>> windows(days, np.array([75]), Fit("ic", horizon=5, window=30))
    [Window(at=60, first=25, last=54)]
    """
    starts = fitting_dates(dates, rule.every)
    used = np.unique(np.searchsorted(starts, scored, side="right") - 1)
    fits = [int(starts[place]) for place in used]
    return [Window(at, max(0, at - rule.gap - rule.window + 1), at - rule.gap) for at in fits]


def fitting_dates(dates: pl.Series, every: Every) -> Index:
    """The places of the first date of every period: known as such on the date itself."""
    if every == "date" or not dates.len():
        return np.arange(dates.len())
    unit = {"week": "1w", "month": "1mo", "quarter": "1q"}[every]
    periods = dates.cast(pl.Date).dt.truncate(unit).to_physical().to_numpy()
    return np.flatnonzero(np.concatenate([[True], periods[1:] != periods[:-1]]))


def folds(count: int, rule: Fit, embargo: int | None) -> Iterator[tuple[slice, list[slice]]]:
    """The tested dates of each fold of a window of so many dates, and those that it trains on.

    Before the tested dates, what is less than the purge away is left out, for its labels reach into them; after them,
    what is less than purge and embargo away, for it looks back on their labels. Without a bound on the lookback (None)
    nothing after them is trained on. Folds with nothing to train on are left out.
    """
    edges = np.linspace(0, count, rule.folds + 1).astype(int)
    for first, after in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        before = slice(0, max(0, first - rule.gap + 1))
        later = slice(count, count) if embargo is None else slice(min(count, after - 1 + rule.gap + embargo), count)
        trained = [each for each in (before, later) if each.stop > each.start]
        if trained and after > first:
            yield slice(first, after), trained
