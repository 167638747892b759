"""Which dates are scored."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

import numpy as np
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Index
from factorloom.engine.bars.selection import (
    Selection,
    When,
    date_span,
    read_date,
    refuse_absent_dates,
    select,
    selected_rows,
)
from factorloom.engine.research.schedule import rebalancing
from factorloom.expressions.errors import BarsError, ParameterError

__all__ = ["chosen_dates", "chosen_places", "find_date"]


def chosen_dates(
    market: pl.Series, date: When | None, start: When | None, end: When | None, dates: str | Iterable[When] | None
) -> Selection:
    """The dates to score: by default the last one."""
    many = not (start is None and end is None and dates is None)
    if date is not None or not many:
        if many:
            raise ParameterError("date is one date: it cannot stand beside start, end or dates", hint="leave one out")
        day = find_date(market, date)
        return select(day, day)
    if not market.len():
        raise BarsError("the panel has no bars to score")
    first, last = date_span(_calendar(market), start, end)
    if dates is None or (isinstance(dates, str) and dates == "all"):
        return select(start, end)
    if isinstance(dates, str) and dates == "month_end":
        places = rebalancing(market, "month_end")
        wanted = market.gather(places[(places >= first) & (places <= last)]).to_list()
        if not wanted:
            hint = f"bars are from {market[0]} to {market[-1]}"
            raise ParameterError("no month ends on these dates", hint=hint)
        return select(dates=wanted)
    if isinstance(dates, str):
        raise ParameterError(f"dates must be 'all', 'month_end' or dates, got {dates!r}", hint="one date goes to date=")
    chosen = select(start, end, dates=list(dates))
    refuse_absent_dates(chosen.dates or (), market)
    return chosen


def find_date(dates: pl.Series, date: When | None) -> datetime.date:
    """The last date with bars, or the last one on a given day."""
    if not dates.len():
        raise BarsError("the panel has no bars to score")
    if date is None:
        last: datetime.date = dates[-1]
        return last
    day = read_date("date", date)
    refuse_absent_dates([day], dates)
    chosen = dates if isinstance(day, datetime.datetime) else dates.cast(pl.Date)
    found: datetime.date = dates.filter(chosen == day)[-1]
    return found


def chosen_places(dates: pl.Series, chosen: Selection) -> Index:
    """The places of the chosen ones among the distinct dates."""
    return np.flatnonzero(selected_rows(_calendar(dates), chosen))


def _calendar(dates: pl.Series) -> Bars:
    """Distinct dates as bars, one each."""
    return Bars(pl.DataFrame({Bars.symbol: dates, Bars.date: dates}))
