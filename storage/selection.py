"""Which bars of a dataset are wanted: a range of dates, some symbols."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, NamedTuple

from factorloom.expressions.errors import ArgumentError, ParameterError, suggest
from factorloom.storage.catalog import Dataset
from factorloom.storage.sql import Cursor, table, value

__all__ = ["Selection", "instant", "moment", "refuse_unknown", "select"]


class Selection(NamedTuple):
    """Both ends belong to the range; None leaves a side open."""

    start: dt.date | None = None
    end: dt.date | None = None
    symbols: tuple[str, ...] | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()

    def where(self, alias: str) -> tuple[str, dict[str, Any]]:
        """The condition in SQL on a table called `alias`, and its parameters."""
        terms: dict[str, Any] = {}
        conditions = ["true"]
        if self.start is not None:
            conditions.append(f"{alias}.date >= $start")
            terms["start"] = self.start
        if self.end is not None:
            after = _day_after(self.end)
            conditions.append(f"{alias}.date {'<' if after else '<='} $end")
            terms["end"] = after or self.end
        if self.symbols is not None:
            conditions.append(f"{alias}.symbol IN (SELECT unnest($symbols::VARCHAR[]))")
            terms["symbols"] = list(self.symbols)
        return " AND ".join(conditions), terms

    def __str__(self) -> str:
        start, end = self.start or "the beginning", self.end or "the end"
        few = f", symbols {', '.join(self.symbols[:5])}" if self.symbols is not None else ""
        return f"{start} to {end}{few}"


def select(start: object = None, end: object = None, symbols: object = None) -> Selection:
    """Check what a user asks for.

    >>> select("2024-01-31", "2024-02-29", "AAPL").symbols
    ('AAPL',)
    """
    first, last = moment("start", start), moment("end", end)
    if first is not None and last is not None and _is_after(first, last):
        raise ParameterError(f"start {first} is after end {last}")
    return Selection(first, last, _symbols(symbols))


def moment(name: str, given: object) -> dt.date | None:
    """A date or a datetime, given as one or as ISO text.

    >>> moment("start", "2024-01-31")
    datetime.date(2024, 1, 31)
    """
    if given is None:
        return None
    if isinstance(given, str):
        given = _parse(name, given)
    if not isinstance(given, dt.date) or given != given:
        raise ParameterError(f"{name} must be a date or ISO text, got {given!r}", hint="for example 2024-12-31")
    if isinstance(given, dt.datetime) and given.tzinfo is not None:
        raise ParameterError(f"{name} has a time zone: {given}", hint="bars keep the local clock: give it without one")
    return given


def refuse_unknown(cursor: Cursor, entry: Dataset, symbols: tuple[str, ...] | None) -> None:
    """Refuse symbols that the dataset does not have."""
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
    after = _day_after(last)
    return instant(first) > instant(last) if after is None else instant(first) >= instant(after)


def _day_after(value: dt.date) -> dt.date | None:
    """The bound of a whole last day; None for a moment, or the last day of the calendar."""
    if isinstance(value, dt.datetime) or value == dt.date.max:
        return None
    return value + dt.timedelta(days=1)


def instant(value: dt.date) -> dt.datetime:
    """A date as its first moment."""
    return value if isinstance(value, dt.datetime) else dt.datetime.combine(value, dt.time())
