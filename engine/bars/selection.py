"""Which rows of a panel are selected, by dates and symbols."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import TypeAlias

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
    if low is not None:
        chosen = chosen & (key >= low)
    return chosen if high is None else chosen & (key <= high)


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
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
