"""The key columns of bars, `symbol` and `date`, from every type that holds them."""

from __future__ import annotations

import datetime as dt
import enum
import re
from typing import NamedTuple
from zoneinfo import available_timezones

import polars as pl
import polars.selectors as cs

from factorloom.engine.bars.category import TEXT, encode
from factorloom.engine.bars.shown import cells, first_rows
from factorloom.engine.bars.source import RAISED
from factorloom.expressions.errors import BarsError, ParameterError, plural

__all__ = ["Clock", "DateColumn", "read_dates", "read_symbols", "with_time"]

YEARS = (dt.date(1000, 1, 1), dt.date.max)
DAY = ("%Y-%m-%d", "%Y%m%d")
MOMENT = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
ZONE = r"(T\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?) ?(Z|[+-]\d{2}:?\d{2})$"
OF_TIME = re.compile(r"%[-_0]?[HIklMSTRXrpPf.369s+c]")
"""Directives that stand for a time of day."""


class Clock(enum.Enum):
    """What dates say of the time of day."""

    DAYS = "days"
    MIDNIGHTS = "midnights"
    """Moments that are all midnight: days, unless the bars that they join have a time of day."""
    MOMENTS = "moments"


class DateColumn(NamedTuple):
    """Dates as Date, or as Datetime in microseconds where one has a time of day; `zoned` if a zone was removed."""

    dates: pl.Series
    clock: Clock
    zoned: bool
    notes: tuple[str, ...]


def read_symbols(column: pl.Series, frame: pl.DataFrame) -> tuple[pl.Series, list[str]]:
    """Symbols as an Enum of trimmed text, and notes; whole numbers become their digits.

    Raises
    ------
    BarsError
        A symbol is missing or blank, or the column is neither text nor whole numbers.
    """
    if column.dtype.is_float() and (column.is_null() | ((column == column.round()) & (column.abs() < 2.0**53))).all():
        column = column.cast(pl.Int64, strict=False)
    if not (column.dtype.is_integer() or column.dtype in (*TEXT, pl.Null)):
        raise BarsError(
            f"symbols must be text or whole numbers, got {column.dtype}", hint="name the symbol column with symbol="
        )
    symbols = encode(column.cast(pl.String) if column.dtype not in TEXT else column)
    categories = symbols.dtype.categories  # type: ignore[attr-defined]
    trimmed = categories.str.strip_chars()
    missing = symbols.is_null()
    if (trimmed == "").any():
        missing |= trimmed.gather(symbols.to_physical()) == ""
    _refuse_missing("symbol", missing, frame)
    changed = int((trimmed != categories).sum())
    if not changed:
        return symbols.alias("symbol"), []
    text = trimmed.gather(symbols.to_physical())
    return encode(text).alias("symbol"), [f"blanks around {plural(changed, 'symbol')} removed"]


def read_dates(
    column: pl.Series, frame: pl.DataFrame, *, date_format: str | None = None, time_zone: str | None = None
) -> DateColumn:
    """Dates from dates, datetimes, ISO text, and 20240131 as text or number.

    A time zone is removed and the local time kept, because a bar belongs to the local day of its exchange.

    Parameters
    ----------
    date_format
        How text is written, with the directives of `strftime`.
    time_zone
        The clock to keep, such as `"UTC"`, where dates have a zone.

    Raises
    ------
    BarsError
        A date is missing or cannot be read, days and moments are mixed, or the column holds something else.
    ParameterError
        An option has a wrong value, or does not apply.
    """
    if time_zone is not None and time_zone not in available_timezones():
        raise ParameterError(f"unknown time zone {time_zone!r}", hint="for example 'UTC' or 'America/New_York'")
    if column.dtype in TEXT or date_format is not None:
        read = _read_text(column, date_format, time_zone)
    elif isinstance(column.dtype, pl.Datetime):
        read = _read_moments(column, time_zone)
    elif column.dtype.is_numeric():
        read = _read_numbers(column)
    elif column.dtype in (pl.Date, pl.Null):
        read = DateColumn(column.cast(pl.Date), Clock.DAYS, False, ())
    else:
        raise BarsError(
            f"dates must be dates, datetimes or ISO text, got {column.dtype}",
            hint="name the date column with date=, or convert it first",
        )
    if time_zone is not None and not read.zoned:
        raise ParameterError(f"time_zone={time_zone!r} does not apply: the dates have no time zone")
    _refuse_missing("date", read.dates.is_null(), frame)
    days = read.dates.cast(pl.Date)
    _refuse(column, ~days.is_between(*YEARS), "without a year of four digits")
    if read.dates.dtype != pl.Date and not with_time(read.dates).any():
        read = read._replace(dates=days, clock=Clock.MIDNIGHTS if read.clock is Clock.MOMENTS else read.clock)
    return read._replace(dates=read.dates.alias("date"))


def with_time(moments: pl.Series) -> pl.Series:
    """Which datetimes are not midnight."""
    return moments.cast(pl.Date).cast(moments.dtype) != moments


def _read_moments(column: pl.Series, time_zone: str | None) -> DateColumn:
    notes = []
    zone = getattr(column.dtype, "time_zone", None)
    if zone is not None:
        column = column.dt.convert_time_zone(time_zone) if time_zone else column
        kept = f"the clock of {time_zone}" if time_zone else "the local time"
        notes.append(f"time zone {zone} removed from the dates; {kept} is kept")
        column = column.dt.replace_time_zone(None)
    moments = column.cast(pl.Datetime("us"))
    if (moments.cast(column.dtype) != column).any():
        notes.append("dates truncated to microseconds")
    return DateColumn(moments, Clock.MOMENTS, zone is not None, tuple(notes))


def _read_numbers(column: pl.Series) -> DateColumn:
    """Whole numbers such as 20240131."""
    whole = column.cast(pl.Int64, strict=False)
    is_whole = column.is_null() | whole.is_between(10_000_000, 99_999_999)
    if column.dtype.is_float():
        is_whole &= column.is_null() | (column == column.round())
    days = whole.cast(pl.String).str.to_date("%Y%m%d", strict=False)
    _refuse(
        column,
        ~is_whole | (days.is_null() & column.is_not_null()),
        "cannot be read",
        "write whole numbers as 20241231; for seconds since 1970 convert them first, with pl.from_epoch",
    )
    return DateColumn(days, Clock.DAYS, False, ())


def _read_text(column: pl.Series, date_format: str | None, time_zone: str | None) -> DateColumn:
    text = column.cast(pl.String)
    if date_format is not None:
        return _read_format(text, date_format)
    if not text.null_count():
        days = text.str.to_date("%Y-%m-%d", strict=False)
        if not days.null_count():  # the usual form, and the fastest
            return DateColumn(days, Clock.DAYS, False, ())
    text = text.str.strip_chars()
    text = text.set((text == "").fill_null(False), None)
    plain = text.str.replace(r"^(\d{4}-\d{1,2}-\d{1,2}) ", "${1}T")
    zoned = plain.str.contains(ZONE).fill_null(False)
    days, moments = _parse_days(plain), _parse_moments(plain.str.replace(ZONE, "${1}"))
    _refuse(
        column,
        days.is_null() & moments.is_null() & text.is_not_null(),
        "cannot be read",
        "write dates as 2024-12-31 or 2024-12-31T16:00:00, or name their form: date_format='%d/%m/%Y'",
    )
    notes: tuple[str, ...] = ()
    if zoned.any():
        notes = ("UTC offsets removed from the dates; the local time is kept",)
        if time_zone is not None:
            moments = _on_clock(column, moments, plain, zoned, time_zone)
            notes = (f"UTC offsets removed from the dates; the clock of {time_zone} is kept",)
    if moments.null_count() == moments.len():
        return DateColumn(days, Clock.DAYS, False, ())
    has_time = with_time(moments).fill_null(False)
    if days.null_count() < days.len() and has_time.any():
        _refuse(
            column,
            has_time,
            "with a time of day, among others without one",
            "write all of them in one way; the last bar of a day often carries the time of its quote",
        )
    both = pl.select(pl.coalesce(moments, days.cast(moments.dtype))).to_series()
    return DateColumn(
        both, Clock.MOMENTS if moments.null_count() == text.null_count() else Clock.DAYS, zoned.any(), notes
    )


def _parse_days(text: pl.Series) -> pl.Series:
    iso = text.str.to_date(DAY[0], strict=False)
    if not iso.null_count():
        return iso
    digits = text.set(~text.str.contains(r"^\d{8}$").fill_null(False), None).str.to_date(DAY[1], strict=False)
    return pl.select(pl.coalesce(iso, digits)).to_series()


def _parse_moments(text: pl.Series) -> pl.Series:
    with_seconds, without = (text.str.to_datetime(form, strict=False, time_unit="us") for form in MOMENT)
    return pl.select(pl.coalesce(with_seconds, without)).to_series()


def _on_clock(column: pl.Series, moments: pl.Series, plain: pl.Series, zoned: pl.Series, time_zone: str) -> pl.Series:
    """The moments on the clock of a time zone."""
    _refuse(column, ~zoned & moments.is_not_null(), "without a UTC offset, among others with one")
    offset = plain.str.extract(ZONE, 2).str.replace("Z", "+00:00", literal=True).str.replace(":", "", literal=True)
    hours, minutes = offset.str.slice(1, 2).cast(pl.Int64), offset.str.slice(3, 2).cast(pl.Int64)
    sign = pl.select(pl.when(offset.str.starts_with("-")).then(-1).otherwise(1)).to_series()
    ahead = (sign * (hours * 60 + minutes) * 60_000_000).cast(pl.Duration("us"))
    return (moments - ahead).dt.replace_time_zone("UTC").dt.convert_time_zone(time_zone).dt.replace_time_zone(None)


def _read_format(text: pl.Series, date_format: str) -> DateColumn:
    if re.search("%:*#?[zZ+]", date_format):
        raise ParameterError(
            f"date_format {date_format!r} has a time zone, which cannot be read in this form",
            hint="write such dates in ISO form, as 2024-12-31T16:00:00+01:00, or convert them first",
        )
    has_time = OF_TIME.search(date_format) is not None
    kind = pl.Datetime("us") if has_time else pl.Date()
    try:
        dates = text.str.strip_chars().str.strptime(kind, date_format, strict=False)
    except RAISED as error:
        raise ParameterError(f"date_format {date_format!r} cannot be used: {error}") from error
    _refuse(text, dates.is_null() & text.is_not_null(), f"not written as {date_format}")
    return DateColumn(dates, Clock.MOMENTS if has_time else Clock.DAYS, False, ())


def _refuse(column: pl.Series, wrong: pl.Series, what: str, hint: str | None = None) -> None:
    """Refuse the values at which `wrong` is true, with their rows, counted from 1."""
    wrong = wrong.fill_null(False)
    if not wrong.any():
        return
    raise BarsError(f"{plural(int(wrong.sum()), 'date')} {what}: {cells(column, wrong)}", hint=hint)


def _refuse_missing(key: str, missing: pl.Series, frame: pl.DataFrame) -> None:
    missing = missing.fill_null(False)
    if not missing.any():
        return
    shown = "; ".join(f"row {row + 1}: {_brief(frame[row])}" for row in first_rows(missing))
    message = f"{plural(int(missing.sum()), 'bar')} without a {key} ({shown})"
    raise BarsError(message, hint=f"drop them, or fill in the {key}")


def _brief(row: pl.DataFrame) -> str:
    """The first values of a row."""
    plain = row[:, :6].select(~cs.nested() & ~cs.object()).cast(pl.String, strict=False)
    return ", ".join(f"{name} {value[:40]}" for name, value in plain.row(0, named=True).items() if value is not None)
