"""Read the key columns of bars, `symbol` and `date`, from every supported type."""

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
MAX_SHOWN = 5


def read_symbols(column: pl.Series, frame: pl.DataFrame) -> pl.Series:
    """Symbols as text; integers become their digits.

    Raises
    ------
    BarsError
        A symbol is missing or blank, or the column is neither text nor integers.
    """
    if not (column.dtype.is_integer() or column.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)):
        raise BarsError(
            f"symbols must be text or integers, got {column.dtype}",
            hint="name the symbol column with symbol=",
        )
    symbols = column.cast(pl.String)
    _refuse_missing("symbol", symbols.is_null() | (symbols.str.strip_chars() == ""), frame)
    return symbols.alias("symbol")


def read_dates(column: pl.Series, frame: pl.DataFrame) -> tuple[pl.Series, list[str]]:
    """Dates as Date, or as Datetime in microseconds if a bar has a time of day; with notes for the report.

    A time zone is removed and the local time kept, because a bar belongs to the local day of its exchange.

    Raises
    ------
    BarsError
        A date is missing or cannot be parsed, or the column is neither dates nor text.
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
            hint="name the date column with date=, or convert it first",
        )
    _refuse_missing("date", dates.is_null(), frame)
    return _daily(dates).alias("date"), notes


def _parse(text: pl.Series) -> pl.Series:
    """ISO text to datetimes; a UTC offset is removed and the local time kept."""
    blank = text.str.strip_chars() == ""
    text = text.set(blank.fill_null(False), None)
    plain = text.str.strip_chars().str.replace(r"^(\d{4}-\d{1,2}-\d{1,2}) ", "${1}T").str.replace(ZONE, "${1}")
    dates = pl.Series([None] * len(text), dtype=pl.Datetime("us"))
    for pattern in ISO:
        if not dates.null_count():
            break
        parsed = plain.str.strptime(pl.Datetime("us"), pattern, strict=False)
        dates = pl.select(pl.coalesce(dates, parsed)).to_series()
    invalid = dates.is_null() & text.is_not_null()
    if invalid.any():
        rows = invalid.arg_true()[:MAX_SHOWN].to_list()
        raise BarsError(
            f"{invalid.sum()} dates cannot be parsed: " + ", ".join(f"{text[row]!r} in row {row + 1}" for row in rows),
            hint="write dates as 2024-12-31 or 2024-12-31T16:00:00",
        )
    return dates


def _local(column: pl.Series, notes: list[str]) -> pl.Series:
    if zone := getattr(column.dtype, "time_zone", None):
        notes.append(f"time zone {zone} removed from the dates; the local time is kept")
        column = column.dt.replace_time_zone(None)
    truncated = column.cast(pl.Datetime("us"))
    if (truncated.cast(column.dtype) != column).any():
        notes.append("dates truncated to microseconds")
    return truncated


def _daily(dates: pl.Series) -> pl.Series:
    """Dates instead of datetimes if every time of day is midnight."""
    if dates.dtype == pl.Date:
        return dates
    days = dates.cast(pl.Date)
    return dates if (days.cast(dates.dtype) != dates).any() else days


def _refuse_missing(key: str, missing: pl.Series, frame: pl.DataFrame) -> None:
    if not missing.any():
        return
    rows = missing.arg_true()[:MAX_SHOWN].to_list()
    shown = "; ".join(f"row {row + 1}: {_brief(frame.row(row, named=True))}" for row in rows)
    raise BarsError(f"{missing.sum()} bars have no {key} ({shown})", hint=f"drop them, or fill in the {key}")


def _brief(row: dict[str, object]) -> str:
    return ", ".join(f"{name} {str(value)[:40]}" for name, value in list(row.items())[:6] if value is not None)
