"""The market dates on which a portfolio is decided anew."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import TypeAlias

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Index
from factorloom.expressions.errors import ArgumentError, ParameterError, suggest

__all__ = ["Rebalance", "rebalancing"]

Rebalance: TypeAlias = str | Collection[dt.date]

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
WORDS = ("every", "month_end", *(f"W-{day}" for day in WEEKDAYS))


def rebalancing(dates: pl.Series, rebalance: object) -> Index:
    """The places, among the market dates, of those to decide on.

    The end of a month or week is its last market date, and is known as such once a date of the next one is there.

    >>> import datetime as dt, polars as pl
    >>> days = pl.Series([dt.date(2024, 1, 30), dt.date(2024, 1, 31), dt.date(2024, 2, 1), dt.date(2024, 2, 29)])
    >>> rebalancing(days, "month_end").tolist()
    [1]
    """
    if isinstance(rebalance, str):
        if rebalance not in WORDS:
            listed = "'month_end', 'W-FRI' (or another day), 'every' or a list of dates"
            raise ParameterError(f"rebalance must be {listed}, got {rebalance!r}", hint=suggest(rebalance, WORDS))
        if rebalance == "every":
            return np.arange(dates.len())
        periods = _months(dates) if rebalance == "month_end" else _weeks(dates, WEEKDAYS.index(rebalance[2:]))
        return np.flatnonzero(np.diff(periods))
    if isinstance(rebalance, pl.Series):
        rebalance = rebalance.to_list()
    if not isinstance(rebalance, Collection) or not all(isinstance(day, dt.date) for day in rebalance):
        raise ArgumentError(
            f"rebalance must be a word or a list of dates, got {rebalance!r}", hint="'month_end', 'W-FRI', 'every'"
        )
    if not rebalance:
        raise ParameterError("rebalance has no dates", hint="'every' decides on each date with weights")
    timed = dates.dtype != pl.Date
    wanted = sorted({_like(day, timed) for day in rebalance})
    known = {day: place for place, day in enumerate(dates.to_list())}
    for day in wanted:
        if day not in known:
            raise ParameterError(
                f"rebalance has {day}, which is no date of prices", hint="take dates on which there are prices"
            )
    return np.array([known[day] for day in wanted], dtype=np.int64)


def _like(day: dt.date, timed: bool) -> dt.date:
    if timed:
        return day if isinstance(day, dt.datetime) else dt.datetime(day.year, day.month, day.day)
    return day.date() if isinstance(day, dt.datetime) else day


def _months(dates: pl.Series) -> Index:
    return (dates.dt.year().cast(pl.Int64) * 12 + dates.dt.month().cast(pl.Int64)).to_numpy()


def _weeks(dates: pl.Series, last: int) -> Index:
    """Weeks that end with a weekday (0 is Monday); the epoch was a Thursday."""
    days = dates.cast(pl.Date).to_physical().cast(pl.Int64).to_numpy()
    return (days + 2 - last) // 7
