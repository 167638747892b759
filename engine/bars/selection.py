"""Which bars are selected, by dates and symbols, and the one reader of the dates that a caller gives."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.expressions.errors import ArgumentError, ParameterError, suggest

__all__ = [
    "Dates",
    "Mask",
    "Selection",
    "Symbols",
    "When",
    "chosen_rows",
    "date_span",
    "next_day",
    "read_date",
    "refuse_absent_dates",
    "refuse_unknown_symbols",
    "select",
    "selected_rows",
]

Mask: TypeAlias = npt.NDArray[np.bool_]
When: TypeAlias = dt.date | str | int
"""A date, a datetime, ISO text, or 20240131 as text or number."""

Dates: TypeAlias = When | Collection[When]
Symbols: TypeAlias = Collection[str] | str

TEXT = re.compile(r"(?:(\d{4})-(\d{1,2})-(\d{1,2})|(\d{4})(\d\d)(\d\d))(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?))?")
HINT = "for example 2024-12-31"


class Selection(NamedTuple):
    """A range of dates with both ends, some dates, and symbols; None means no limit. A plain day is a whole day."""

    start: dt.date | None = None
    end: dt.date | None = None
    symbols: tuple[str, ...] | None = None
    dates: tuple[dt.date, ...] | None = None

    @property
    def unrestricted(self) -> bool:
        """Whether all bars are selected."""
        return self == Selection()

    def __str__(self) -> str:
        dates = f"{self.start or 'the beginning'} to {self.end or 'the end'}"
        if self.dates is not None:
            dates = ", ".join(map(str, self.dates[:5]))
        symbols = f", symbols {', '.join(self.symbols[:5])}" if self.symbols is not None else ""
        return f"{dates}{symbols}"


def select(start: object = None, end: object = None, symbols: object = None, dates: object = None) -> Selection:
    """Check a caller's selection.

    >>> select("2024-01-31", "2024-02-29", "AAPL").symbols
    ('AAPL',)
    """
    first, last = (None if day is None else read_date(name, day) for name, day in (("start", start), ("end", end)))
    if dates is not None and not (first is None and last is None):
        raise ParameterError("give dates=, or start= and end=, not both")
    if first is not None and last is not None and _is_after(first, last):
        raise ParameterError(f"start {first} is after end {last}")
    return Selection(first, last, _symbols(symbols), _dates(dates))


def read_date(name: str, given: object) -> dt.date:
    """A date or datetime from one, from ISO text, or from 20240131 as text or number.

    >>> read_date("start", "2024-01-31")
    datetime.date(2024, 1, 31)
    """
    value = given
    if isinstance(value, np.datetime64) or (isinstance(value, dt.datetime) and type(value) is not dt.datetime):
        value = _plain(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        value = _parse(value.strip())
    if not isinstance(value, dt.date):
        raise ParameterError(f"{name} must be a date or ISO text, got {given!r}", hint=HINT)
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        raise ParameterError(
            f"{name} has a time zone: {value}", hint="give the local time without a time zone, as in the bars"
        )
    return value


def chosen_rows(bars: Bars, selection: Selection) -> Mask | None:
    """The rows of the selected bars; None for all."""
    return None if selection.unrestricted else selected_rows(bars, selection)


def selected_rows(bars: Bars, selection: Selection) -> Mask:
    """The rows of the selected bars.

    Raises
    ------
    ParameterError
        A symbol, or one of `dates`, has no bars.
    """
    chosen = pl.lit(True)
    key = pl.col(bars.date)
    if selection.start is not None:
        chosen = chosen & (key >= selection.start)
    if selection.end is not None:
        after = next_day(selection.end)
        chosen = chosen & (key <= selection.end if after is None else key < after)
    if selection.dates is not None:
        chosen = chosen & _on(bars, selection.dates)
    if selection.symbols is not None:
        refuse_unknown_symbols(selection.symbols, bars.symbols)
        chosen = chosen & pl.col(bars.symbol).is_in(list(selection.symbols))
    return np.broadcast_to(bars.table.select(chosen).to_series().to_numpy(), bars.rows)


def date_span(bars: Bars, start: When | None, end: When | None) -> tuple[int, int]:
    """The numbers, among the dates of the bars, of the first and the last one from `start` to `end`, both included.

    Raises
    ------
    ParameterError
        There are no bars between them.
    """
    dated = Bars(pl.DataFrame({bars.symbol: bars.dates, bars.date: bars.dates}))
    chosen = np.flatnonzero(selected_rows(dated, select(start, end)))
    if not chosen.size:
        raise ParameterError(
            f"no bars from {start or 'the start'} to {end or 'the end'}",
            hint=f"bars are from {bars.dates[0]} to {bars.dates[-1]}",
        )
    return int(chosen[0]), int(chosen[-1])


def refuse_unknown_symbols(wanted: Collection[str], known: Iterable[str]) -> None:
    """Refuse symbols that have no bars."""
    names = set(known)
    unknown = [symbol for symbol in wanted if symbol not in names]
    if unknown:
        shown = ", ".join(map(repr, unknown[:3]))
        message = f"no symbol {shown}" + (f" ({len(unknown)} of {len(wanted)})" if len(wanted) > 1 else "")
        raise ParameterError(message, hint=suggest(unknown[0], names))


def refuse_absent_dates(wanted: Collection[dt.date], known: pl.Series, every: pl.Series | None = None) -> None:
    """Refuse dates that have no bars; `known` are the distinct dates, sorted: of the days wanted, where `every` has all
    days."""
    asked = {
        pl.Date(): [day for day in wanted if _is_day(day)],
        pl.Datetime("us"): [each for each in wanted if not _is_day(each)],
    }
    missing = {day for kind, some in asked.items() if some for day in _missing(pl.Series(some, dtype=kind), known)}
    absent = [day for day in wanted if day in missing]
    if absent:
        days = (known if every is None else every).cast(pl.Date).to_list()
        before = max((day for day in days if day <= _day(absent[0])), default=None)
        first = f"the first date is {days[0]}" if days else "there are no bars at all"
        hint = f"the nearest earlier date is {before}" if before else first
        message = f"no bars on {absent[0]}" + (f" ({len(absent)} of {len(wanted)} dates)" if len(wanted) > 1 else "")
        raise ParameterError(message, hint=hint)


def _missing(wanted: pl.Series, known: pl.Series) -> list[dt.date]:
    return wanted.filter(~wanted.is_in(known.cast(wanted.dtype).implode())).to_list()


def next_day(value: dt.date) -> dt.date | None:
    """The day after a date, which bounds all of its bars; None for a datetime or the last possible date."""
    if not _is_day(value) or value == dt.date.max:
        return None
    return value + dt.timedelta(days=1)


def _on(bars: Bars, dates: Collection[dt.date]) -> pl.Expr:
    """The bars of these days and moments."""
    refuse_absent_dates(dates, bars.dates)
    key = pl.col(bars.date)
    days = [day for day in dates if _is_day(day)]
    moments = [day for day in dates if not _is_day(day)]
    chosen = key.cast(pl.Date).is_in(days)
    return chosen | key.cast(pl.Datetime("us")).is_in(moments) if moments else chosen


def _plain(value: Any) -> object:
    """A date of NumPy or pandas as one of Python; one that is missing as None."""
    if not isinstance(value, np.datetime64):
        return dt.datetime.combine(value.date(), value.timetz()) if value == value else None
    if np.isnat(value):
        return None
    is_day = np.datetime_data(value.dtype)[0] == "D"
    return value.item() if is_day else value.astype("datetime64[us]").item()


def _parse(text: str) -> dt.date | None:
    """A date from text, or None."""
    found = TEXT.fullmatch(text)
    if found is None:
        return None
    *parts, clock = found.groups()
    year, month, day = (part for part in parts if part is not None)
    try:
        date = dt.date(int(year), int(month), int(day))
        return date if clock is None else dt.datetime.combine(date, dt.time.fromisoformat(clock))
    except ValueError:
        return None


def _dates(dates: object) -> tuple[dt.date, ...] | None:
    if dates is None:
        return None
    if isinstance(dates, str | int | dt.date) or not isinstance(dates, Iterable):
        return (read_date("dates", dates),)
    return tuple(dict.fromkeys(read_date("dates", day) for day in dates))


def _symbols(symbols: object) -> tuple[str, ...] | None:
    if symbols is None:
        return None
    if isinstance(symbols, str):
        return (symbols,)
    if not isinstance(symbols, Iterable):
        raise ArgumentError(f"symbols must be names, got {symbols!r}", hint="for example ['AAPL', 'MSFT']")
    return tuple(dict.fromkeys(str(symbol) for symbol in symbols))


def _is_after(first: dt.date, last: dt.date) -> bool:
    after = next_day(last)
    return _moment(first) > _moment(last) if after is None else _moment(first) >= _moment(after)


def _is_day(value: dt.date) -> bool:
    return not isinstance(value, dt.datetime)


def _day(value: dt.date) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value


def _moment(value: dt.date) -> dt.datetime:
    """A datetime as it is, a date as its midnight."""
    return value if isinstance(value, dt.datetime) else dt.datetime.combine(value, dt.time())
