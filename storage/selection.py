"""Select bars of a dataset by dates and symbols."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, NamedTuple

from factorloom.expressions.errors import ArgumentError, ParameterError, suggest
from factorloom.storage.catalog import Dataset
from factorloom.storage.sql import Cursor, table, value

__all__ = ["Selection", "parse_date", "refuse_unknown_symbols", "select", "to_datetime"]


class Selection(NamedTuple):
    """A range of dates, both ends included, and symbols; None means no limit."""

    start: dt.date | None = None
    end: dt.date | None = None
    symbols: tuple[str, ...] | None = None

    @property
    def unrestricted(self) -> bool:
        """Whether all bars are selected."""
        return self == Selection()

    def where(self, alias: str) -> tuple[str, dict[str, Any]]:
        """The SQL condition on the table `alias`, and its parameters."""
        terms: dict[str, Any] = {}
        conditions = ["true"]
        if self.start is not None:
            conditions.append(f"{alias}.date >= $start")
            terms["start"] = self.start
        if self.end is not None:
            next_day = _next_day(self.end)
            conditions.append(f"{alias}.date {'<' if next_day else '<='} $end")
            terms["end"] = next_day or self.end
        if self.symbols is not None:
            conditions.append(f"{alias}.symbol IN (SELECT unnest($symbols::VARCHAR[]))")
            terms["symbols"] = list(self.symbols)
        return " AND ".join(conditions), terms

    def __str__(self) -> str:
        start, end = self.start or "the beginning", self.end or "the end"
        symbols = f", symbols {', '.join(self.symbols[:5])}" if self.symbols is not None else ""
        return f"{start} to {end}{symbols}"


def select(start: object = None, end: object = None, symbols: object = None) -> Selection:
    """Check a user's selection.

    >>> select("2024-01-31", "2024-02-29", "AAPL").symbols
    ('AAPL',)
    """
    first, last = parse_date("start", start), parse_date("end", end)
    if first is not None and last is not None and _is_after(first, last):
        raise ParameterError(f"start {first} is after end {last}")
    return Selection(first, last, _symbols(symbols))


def parse_date(name: str, given: object) -> dt.date | None:
    """Check a date or datetime, or parse one from ISO text.

    >>> parse_date("start", "2024-01-31")
    datetime.date(2024, 1, 31)
    """
    if given is None:
        return None
    if isinstance(given, str):
        given = _parse(name, given)
    if not isinstance(given, dt.date) or given != given:
        raise ParameterError(f"{name} must be a date or ISO text, got {given!r}", hint="for example 2024-12-31")
    if isinstance(given, dt.datetime) and given.tzinfo is not None:
        raise ParameterError(
            f"{name} has a time zone: {given}", hint="give the local time without a time zone, as in the bars"
        )
    return given


def refuse_unknown_symbols(cursor: Cursor, entry: Dataset, symbols: tuple[str, ...] | None) -> None:
    """Refuse symbols that are not in the dataset."""
    if symbols is None:
        return
    known = f"SELECT DISTINCT symbol FROM {table('bars', entry.name)}"
    query = f"SELECT unnest($symbols::VARCHAR[]) AS symbol EXCEPT {known} ORDER BY symbol LIMIT 1"
    unknown = value(cursor, query, {"symbols": list(symbols)})
    if unknown is not None:
        raise ParameterError(
            f"dataset {entry.name!r} has no symbol {unknown!r}",
            hint=suggest(unknown, (row[0] for row in cursor.execute(known).fetchall())),
        )


def _parse(name: str, text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise ParameterError(
            f"{name} must be a date or ISO text, got {text!r}", hint="for example 2024-12-31"
        ) from None


def _symbols(symbols: object) -> tuple[str, ...] | None:
    if symbols is None:
        return None
    if isinstance(symbols, str):
        return (symbols,)
    if not isinstance(symbols, Iterable):
        raise ArgumentError(f"symbols must be names, got {symbols!r}", hint="for example ['AAPL', 'MSFT']")
    return tuple(dict.fromkeys(str(symbol) for symbol in symbols))


def _is_after(first: dt.date, last: dt.date) -> bool:
    next_day = _next_day(last)
    if next_day is None:
        return to_datetime(first) > to_datetime(last)
    return to_datetime(first) >= to_datetime(next_day)


def _next_day(value: dt.date) -> dt.date | None:
    """The day after a date, which bounds all of its bars; None for a datetime or the last possible date."""
    if isinstance(value, dt.datetime) or value == dt.date.max:
        return None
    return value + dt.timedelta(days=1)


def to_datetime(value: dt.date) -> dt.datetime:
    """A datetime as it is, a date as its midnight."""
    return value if isinstance(value, dt.datetime) else dt.datetime.combine(value, dt.time())
