"""The two key columns of bars, `symbol` and `date`, from whatever they were written in."""

from __future__ import annotations

import polars as pl

from factorloom.expressions.errors import BarsError

__all__ = ["read_dates", "read_symbols"]

ISO = (
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y%m%d",
)
ZONE = r"(T\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?) ?(?:Z|[+-]\d{2}:?\d{2})$"
SHOWN = 5


def read_symbols(column: pl.Series, frame: pl.DataFrame) -> pl.Series:
    """Symbols as text; whole numbers become their digits.

    Raises
    ------
    BarsError
        A symbol is missing or blank, or the column is neither text nor whole numbers.
    """
    if not (column.dtype.is_integer() or column.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)):
        raise BarsError(
            f"symbols must be text or whole numbers, got {column.dtype}",
            hint="name the right column with symbol=",
        )
    symbols = column.cast(pl.String)
    _refuse_missing("symbol", symbols.is_null() | (symbols.str.strip_chars() == ""), frame)
    return symbols.alias("symbol")


def read_dates(column: pl.Series, frame: pl.DataFrame) -> tuple[pl.Series, list[str]]:
    """Dates as Date, or as Datetime in microseconds where some bar has a time of day.

    A time zone is taken off and the local clock kept, because the bar belongs to its exchange's day.

    Raises
    ------
    BarsError
        A date is missing or cannot be read, or the column is neither dates nor text.
    """
    notes: list[str] = []
    dates = column
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        dates = _parse(column.cast(pl.String))
    elif isinstance(column.dtype, pl.Datetime):
        dates = _local(column, notes)
    elif column.dtype not in (pl.Date, pl.Null):
        raise BarsError(
            f"dates must be dates, datetimes or ISO text, got {column.dtype}",
            hint="name the right column with date=, or convert it first",
        )
    _refuse_missing("date", dates.is_null(), frame)
    return _daily(dates).alias("date"), notes


def _parse(text: pl.Series) -> pl.Series:
    """ISO text to datetimes; an offset from UTC is taken off, as for zoned datetimes."""
    blank = text.str.strip_chars() == ""
    text = text.set(blank.fill_null(False), None)
    plain = text.str.strip_chars().str.replace(r"^(\d{4}-\d{1,2}-\d{1,2}) ", "${1}T").str.replace(ZONE, "${1}")
    dates = pl.Series([None] * len(text), dtype=pl.Datetime("us"))
    for form in ISO:
        if not dates.null_count():
            break
        read = plain.str.strptime(pl.Datetime("us"), form, strict=False)
        dates = pl.select(pl.coalesce(dates, read)).to_series()
    unread = dates.is_null() & text.is_not_null()
    if unread.any():
        rows = unread.arg_true()[:SHOWN].to_list()
        raise BarsError(
            f"{unread.sum()} dates cannot be read: " + ", ".join(f"{text[row]!r} in row {row + 1}" for row in rows),
            hint="write dates as 2024-12-31 or 2024-12-31T16:00:00",
        )
    return dates


def _local(column: pl.Series, notes: list[str]) -> pl.Series:
    if zone := getattr(column.dtype, "time_zone", None):
        notes.append(f"time zone {zone} taken off the dates: they keep the local clock")
        column = column.dt.replace_time_zone(None)
    exact = column.cast(pl.Datetime("us"))
    if (exact.cast(column.dtype) != column).any():
        notes.append("dates cut to microseconds")
    return exact


def _daily(dates: pl.Series) -> pl.Series:
    """Plain dates where every time of day is midnight."""
    if dates.dtype == pl.Date:
        return dates
    days = dates.cast(pl.Date)
    return dates if (days.cast(dates.dtype) != dates).any() else days


def _refuse_missing(key: str, missing: pl.Series, frame: pl.DataFrame) -> None:
    if not missing.any():
        return
    rows = missing.arg_true()[:SHOWN].to_list()
    shown = "; ".join(f"row {row + 1}: {_brief(frame.row(row, named=True))}" for row in rows)
    raise BarsError(f"{missing.sum()} bars have no {key} ({shown})", hint="drop or complete them first")


def _brief(row: dict[str, object]) -> str:
    return ", ".join(f"{name} {str(value)[:40]}" for name, value in list(row.items())[:6] if value is not None)
