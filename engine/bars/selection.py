"""Which rows of a panel are selected, by dates and symbols."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.expressions.errors import ArgumentError, suggest

__all__ = ["Dates", "Mask", "Symbols", "selected_rows"]

Mask: TypeAlias = npt.NDArray[np.bool_]
Day: TypeAlias = date | datetime | str
Dates: TypeAlias = Day | tuple[Day | None, Day | None]
"""One date, or the first and the last of a stretch of dates, None for an open end; text is ISO."""

Symbols: TypeAlias = Collection[str] | str
"""Some symbols, or a single one."""


def selected_rows(bars: Bars, dates: Dates | None, symbols: Symbols | None) -> Mask:
    """The rows of some dates and symbols."""
    chosen = pl.lit(True)
    if dates is not None:
        chosen = _between(bars, dates)
    if symbols is not None:
        wanted = [symbols] if isinstance(symbols, str) else list(symbols)
        known = set(bars.symbols)
        unknown = [symbol for symbol in wanted if symbol not in known]
        if unknown:
            shown = ", ".join(map(repr, unknown[:3]))
            raise ArgumentError(
                f"{len(unknown)} of {len(wanted)} symbols are not in the panel: {shown}",
                hint=suggest(str(unknown[0]), bars.symbols.to_list()),
            )
        chosen = chosen & pl.col(bars.symbol).is_in(wanted)
    return np.broadcast_to(bars.table.select(chosen).to_series().to_numpy(), bars.rows)


def _between(bars: Bars, dates: Dates) -> pl.Expr:
    if isinstance(dates, list | tuple) and len(dates) != 2:
        raise ArgumentError(f"dates must be one date, or a first and a last one, got {dates!r}")
    first, last = dates if isinstance(dates, list | tuple) else (dates, dates)
    low, high = (None if day is None else _day(bars, day) for day in (first, last))
    if low is not None and high is not None and low > high:
        raise ArgumentError(f"the first date, {low}, is after the last one, {high}")
    key, chosen = pl.col(bars.date), pl.lit(True)
    if _zone(bars) is not None:
        key = key.dt.convert_time_zone("UTC")
    if low is not None:
        chosen = chosen & (key >= low)
    return chosen if high is None else chosen & (key <= high)


def _zone(bars: Bars) -> str | None:
    """The time zone of the panel's dates."""
    kind = bars.table.schema[bars.date]
    return kind.time_zone if isinstance(kind, pl.Datetime) else None


def _day(bars: Bars, day: Day) -> date | datetime:
    kind = bars.table.schema[bars.date]
    try:
        value = datetime.fromisoformat(day) if isinstance(day, str) else day
    except ValueError:
        raise ArgumentError(f"{day!r} is not a date", hint="write dates as 2024-01-31") from None
    if not isinstance(value, date):
        raise ArgumentError(f"{day!r} is not a date", hint="give a date, a datetime or ISO text")
    if kind == pl.Date:
        return value.date() if isinstance(value, datetime) else value
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    zone = _zone(bars)
    if zone is not None:
        return _in_utc(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone)))
    if moment.tzinfo is not None:
        raise ArgumentError(f"{day!r} has a time zone, and the panel's dates have none")
    return moment


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the first or the last day of all
        return (datetime.min if moment.year == 1 else datetime.max).replace(tzinfo=UTC)
