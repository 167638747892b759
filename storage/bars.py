"""Check a source table and convert it to bars: rename columns, parse keys and numbers, resolve duplicates.

Everything that is dropped or changed is noted in the quality report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec
import polars as pl

from factorloom.expressions.errors import BarsError, ParameterError, UnknownColumnError, suggest
from factorloom.storage.key import read_dates, read_symbols
from factorloom.storage.reading import SourceTable

__all__ = ["KEYS", "CheckedBars", "Duplicates", "conform", "rename", "snake_case"]

KEYS = ("symbol", "date")
STANDARD_COLUMNS = ("open", "high", "low", "close", "volume", "vwap", "amount")
MISSING_TEXTS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-")
"""Texts that mean a missing number."""

Duplicates = Literal["error", "first", "last"]


class CheckedBars(msgspec.Struct, frozen=True):
    """CheckedBars sorted by (symbol, date), with Float64 and String columns and without NaN or infinity.

    `infinite` counts the infinities that became missing, by column; `dropped` counts the dropped duplicates.
    """

    frame: pl.DataFrame
    infinite: dict[str, int]
    dropped: int
    notes: tuple[str, ...]


def conform(
    table: SourceTable,
    *,
    symbol: str = "symbol",
    date: str = "date",
    columns: Mapping[str, str] | None = None,
    stored: Mapping[str, pl.DataType] | None = None,
    duplicates: Duplicates = "error",
) -> CheckedBars:
    """Check a source table and convert it to bars.

    Parameters
    ----------
    symbol, date
        The key columns of the source; case and punctuation may differ.
    columns
        Names in the source by names in the store.
    stored
        The types of the dataset's value columns, which new values must have.
    duplicates
        How to treat a repeated (symbol, date): as an error, or keep its first or last bar.
    """
    if duplicates not in get_args(Duplicates):
        raise ParameterError(f"duplicates must be one of {get_args(Duplicates)}, got {duplicates!r}")
    keys = {"symbol": find_column(table, symbol), "date": find_column(table, date)}
    frame, notes = rename(table, {**standard_names(table.frame), **(columns or {}), **keys})
    symbols = read_symbols(frame["symbol"], frame)
    dates, date_notes = read_dates(frame["date"], frame)
    values, infinite, value_notes = _values(frame.drop(KEYS), stored or {}, textual=table.textual)
    bars = pl.DataFrame([symbols, dates, *values])
    kept = _resolve_duplicates(bars, duplicates).sort(KEYS)
    return CheckedBars(kept, infinite, bars.height - kept.height, (*notes, *date_notes, *value_notes))


def snake_case(name: str) -> str:
    """The snake case form of a column name, by which standard names are recognised.

    >>> snake_case(" GICS Sub-Industry")
    'gics_sub_industry'
    """
    words = "".join(letter if letter.isalnum() else " " for letter in name).split()
    return "_".join(words).lower()


def standard_names(frame: pl.DataFrame) -> dict[str, str]:
    """The standard bar columns that the frame has in another spelling (`Open`, `VWAP`)."""
    return {
        snake_case(name): name
        for name in frame.columns
        if snake_case(name) in STANDARD_COLUMNS and snake_case(name) not in frame.columns
    }


def find_column(table: SourceTable, name: str) -> str:
    """The column of the source called `name`; case and punctuation may differ."""
    if name in table.frame.columns:
        return name
    for column in table.frame.columns:
        if snake_case(column) == snake_case(name):
            return column
    raise UnknownColumnError(
        f"{table.name} has no column {name!r}",
        hint=f"{suggest(name, table.frame.columns)}; name the key columns with symbol= and date=",
    )


def rename(table: SourceTable, names: Mapping[str, str]) -> tuple[pl.DataFrame, list[str]]:
    """Rename columns; `names` maps new names to old ones. Also returns notes for the report.

    A column whose name is given to another column is dropped with a note.
    """
    frame = table.frame
    for source in names.values():
        if source not in frame.columns:
            raise UnknownColumnError(f"{table.name} has no column {source!r}", hint=suggest(source, frame.columns))
    taken = {name.lower() for name in names}
    renamed = set(names.values())
    others = [name for name in frame.columns if name not in renamed and name.lower() not in taken]
    dropped = [name for name in frame.columns if name not in renamed and name.lower() in taken]
    result = frame.select(*(pl.col(old).alias(new) for new, old in names.items()), *others)
    check_names(result.columns)
    return result, [f"column {name!r} dropped: another column was renamed to it" for name in dropped]


def check_names(names: list[str]) -> None:
    """Refuse empty and unprintable names, and names that differ only in case, which DuckDB ignores."""
    seen: dict[str, str] = {}
    for name in names:
        if not name or not name.isprintable():
            raise BarsError(
                f"{name!r} is not a valid column name", hint="rename it with columns={'new name': 'old name'}"
            )
        other = seen.setdefault(name.lower(), name)
        if other is not name:
            raise BarsError(
                f"columns {other!r} and {name!r} differ only in case",
                hint="rename one with columns={'new name': 'old name'}",
            )


def _values(
    frame: pl.DataFrame, stored: Mapping[str, pl.DataType], *, textual: bool
) -> tuple[list[pl.Series], dict[str, int], list[str]]:
    """The value columns as Float64 or String; the number of infinities made missing, by column; notes."""
    values, infinite, notes = [], {}, []
    for column in frame.iter_columns():
        value = _value(column, stored.get(column.name), textual=textual)
        if value is None:
            notes.append(f"column {column.name!r} dropped: {column.dtype} is neither numeric nor text")
            continue
        if value.dtype == pl.Float64:
            if count := int(value.is_infinite().sum()):
                infinite[value.name] = count
            value = value.set(~value.is_finite(), None)
        values.append(value)
    if not values:
        raise BarsError("the bars have no column other than symbol and date", hint="add at least a close")
    return values, infinite, notes


def _value(column: pl.Series, stored: pl.DataType | None, *, textual: bool) -> pl.Series | None:
    """A column as Float64 or String; None if its type is neither numeric nor text."""
    if column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        dtype = pl.String() if column.null_count() == len(column) and stored == pl.String else pl.Float64()
        return _check_type(column.cast(dtype), stored)
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return None
    text = column.cast(pl.String)
    if stored == pl.Float64 or (stored is None and column.name in STANDARD_COLUMNS):
        return _to_numbers(text)
    return _check_type(_infer(text) if textual and stored is None else text, stored)


def _check_type(value: pl.Series, stored: pl.DataType | None) -> pl.Series:
    if stored is not None and value.dtype != stored:
        raise BarsError(
            f"column {value.name!r} has numbers here but text in the store",
            hint="load it under another name with columns={'new name': 'old name'}",
        )
    return value


def _infer(text: pl.Series) -> pl.Series:
    """Numbers if every value that is present is a number, otherwise the text."""
    numbers, invalid = _parse_numbers(text)
    return text if invalid.any() else numbers


def _to_numbers(text: pl.Series) -> pl.Series:
    numbers, invalid = _parse_numbers(text)
    if invalid.any():
        raise BarsError(
            f"column {text.name!r} has {invalid.sum()} values that are not numbers: {examples(text, invalid)}",
            hint="correct them, or load the column under another name with columns={'new name': 'old name'}",
        )
    return numbers


def _parse_numbers(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The text as numbers, and a mask of the values that are not numbers."""
    stripped = text.str.strip_chars()
    stripped = stripped.set(stripped.is_in(MISSING_TEXTS), None)
    numbers = stripped.cast(pl.Float64, strict=False)
    return numbers, numbers.is_null() & stripped.is_not_null()


def examples(column: pl.Series, mask: pl.Series, limit: int = 5) -> str:
    """The first masked values with their row numbers, counted from 1."""
    rows = mask.arg_true()[:limit].to_list()
    return ", ".join(f"{column[row]!r} in row {row + 1}" for row in rows)


def _resolve_duplicates(bars: pl.DataFrame, duplicates: Duplicates) -> pl.DataFrame:
    if not bars.height:
        raise BarsError("no bars to load", hint="the source has no rows")
    kept = bars.unique(KEYS, keep="last" if duplicates == "last" else "first", maintain_order=True)
    if kept.height < bars.height and duplicates == "error":
        repeated = bars.select(KEYS).filter(bars.select(KEYS).is_duplicated()).unique(maintain_order=True)
        shown = ", ".join(f"{symbol} {date}" for symbol, date in repeated.head(5).iter_rows())
        raise BarsError(
            f"{bars.height - kept.height} bars repeat a (symbol, date): {shown}",
            hint="keep one bar of each with duplicates='first' or duplicates='last'",
        )
    return kept
