"""From a table as it was read to bars that can be stored: columns named, keys understood, numbers finite.

Nothing is dropped or changed here without a note that ends up in the quality report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec
import polars as pl

from factorloom.expressions.errors import BarsError, ParameterError, UnknownColumnError, suggest
from factorloom.storage.key import read_dates, read_symbols
from factorloom.storage.reading import Table

__all__ = ["KEYS", "Bars", "Duplicates", "clean", "conform", "rename"]

KEYS = ("symbol", "date")
USUAL = ("open", "high", "low", "close", "volume", "vwap", "amount")
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-")
"""What stands for a missing number in text."""

Duplicates = Literal["error", "first", "last"]


class Bars(msgspec.Struct, frozen=True):
    """Bars sorted by (symbol, date), every value column Float64 or String, no NaN and no infinity.

    `infinite` counts the infinities that became missing, by column; `dropped` the repeated keys left out.
    """

    frame: pl.DataFrame
    infinite: dict[str, int]
    dropped: int
    notes: tuple[str, ...]


def conform(
    table: Table,
    *,
    symbol: str = "symbol",
    date: str = "date",
    columns: Mapping[str, str] | None = None,
    stored: Mapping[str, pl.DataType] | None = None,
    duplicates: Duplicates = "error",
) -> Bars:
    """Turn a table into bars.

    Parameters
    ----------
    symbol, date
        The key columns of the source; another case or a space for an underscore is accepted.
    columns
        Name in the store to name in the source.
    stored
        The value columns that the dataset has already: text stays text, numbers stay numbers.
    duplicates
        What to do about a repeated (symbol, date): refuse, or keep the first or last.
    """
    if duplicates not in get_args(Duplicates):
        raise ParameterError(f"duplicates must be one of {get_args(Duplicates)}, got {duplicates!r}")
    keys = {"symbol": find_column(table, symbol), "date": find_column(table, date)}
    frame, notes = rename(table, {**usual(table.frame), **(columns or {}), **keys})
    symbols = read_symbols(frame["symbol"], frame)
    dates, date_notes = read_dates(frame["date"], frame)
    values, infinite, value_notes = _values(frame.drop(KEYS), stored or {}, textual=table.textual)
    bars = pl.DataFrame([symbols, dates, *values])
    kept = _distinct(bars, duplicates).sort(KEYS)
    return Bars(kept, infinite, bars.height - kept.height, (*notes, *date_notes, *value_notes))


def clean(name: str) -> str:
    """The lower-case form of a column name by which usual names are recognised.

    >>> clean(" GICS Sub-Industry")
    'gics_sub_industry'
    """
    words = "".join(letter if letter.isalnum() else " " for letter in name).split()
    return "_".join(words).lower()


def usual(frame: pl.DataFrame) -> dict[str, str]:
    """The usual bar columns that stand in the frame under another case (`Open`, `VWAP`)."""
    return {clean(name): name for name in frame.columns if clean(name) in USUAL and clean(name) not in frame.columns}


def find_column(table: Table, name: str) -> str:
    """The column of the source called `name`, in any case."""
    if name in table.frame.columns:
        return name
    for column in table.frame.columns:
        if clean(column) == clean(name):
            return column
    raise UnknownColumnError(
        f"{table.name} has no column {name!r}",
        hint=f"{suggest(name, table.frame.columns)}; name the key columns with symbol= and date=",
    )


def rename(table: Table, names: Mapping[str, str]) -> tuple[pl.DataFrame, list[str]]:
    """The table with the columns in `names` (new to old) under their new names, the rest under their own.

    A column whose own name was given to another one is left out, and a note says so.
    """
    frame = table.frame
    for source in names.values():
        if source not in frame.columns:
            raise UnknownColumnError(f"{table.name} has no column {source!r}", hint=suggest(source, frame.columns))
    taken = {name.lower() for name in names}
    moved = set(names.values())
    others = [name for name in frame.columns if name not in moved and name.lower() not in taken]
    left = [name for name in frame.columns if name not in moved and name.lower() in taken]
    renamed = frame.select(*(pl.col(old).alias(new) for new, old in names.items()), *others)
    check_names(renamed.columns)
    return renamed, [f"column {name!r} left out: another column was given its name" for name in left]


def check_names(names: list[str]) -> None:
    """Refuse names that DuckDB, which ignores case, cannot keep apart, and names that cannot be written."""
    seen: dict[str, str] = {}
    for name in names:
        if not name or not name.isprintable():
            raise BarsError(f"{name!r} cannot name a column", hint="rename it with columns={'new name': 'old name'}")
        twin = seen.setdefault(name.lower(), name)
        if twin is not name:
            raise BarsError(
                f"columns {twin!r} and {name!r} differ only in case",
                hint="rename one with columns={'new name': 'old name'}",
            )


def _values(
    frame: pl.DataFrame, stored: Mapping[str, pl.DataType], *, textual: bool
) -> tuple[list[pl.Series], dict[str, int], list[str]]:
    """The value columns as Float64 or String, the infinities removed, and what was left out."""
    values, infinite, notes = [], {}, []
    for column in frame.iter_columns():
        value = _value(column, stored.get(column.name), textual=textual)
        if value is None:
            notes.append(f"column {column.name!r} left out: {column.dtype} is neither a number nor text")
            continue
        if value.dtype == pl.Float64:
            if count := int(value.is_infinite().sum()):
                infinite[value.name] = count
            value = value.set(~value.is_finite(), None)
        values.append(value)
    if not values:
        raise BarsError("the bars have no column besides symbol and date", hint="give at least a close")
    return values, infinite, notes


def _value(column: pl.Series, stored: pl.DataType | None, *, textual: bool) -> pl.Series | None:
    """One column as Float64 or String; None for a type that is neither."""
    if column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        wanted = pl.String() if column.null_count() == len(column) and stored == pl.String else pl.Float64()
        return _agreeing(column.cast(wanted), stored)
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return None
    text = column.cast(pl.String)
    if stored == pl.Float64 or (stored is None and column.name in USUAL):
        return _numbers(text)
    return _agreeing(_guessed(text) if textual and stored is None else text, stored)


def _agreeing(value: pl.Series, stored: pl.DataType | None) -> pl.Series:
    if stored is not None and value.dtype != stored:
        raise BarsError(
            f"column {value.name!r} holds numbers here and text in the store",
            hint="load it under another name with columns={'new name': 'old name'}",
        )
    return value


def _guessed(text: pl.Series) -> pl.Series:
    """Numbers if every present value is one."""
    numbers, unread = _parsed(text)
    return text if unread.any() else numbers


def _numbers(text: pl.Series) -> pl.Series:
    numbers, unread = _parsed(text)
    if unread.any():
        raise BarsError(
            f"column {text.name!r} has {unread.sum()} values that are no numbers: {examples(text, unread)}",
            hint="clean them, or load the column under another name with columns={'new name': 'old name'}",
        )
    return numbers


def _parsed(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The text as numbers, and where there is text that is none."""
    stripped = text.str.strip_chars()
    stripped = stripped.set(stripped.is_in(MISSING), None)
    numbers = stripped.cast(pl.Float64, strict=False)
    return numbers, numbers.is_null() & stripped.is_not_null()


def examples(column: pl.Series, where: pl.Series, most: int = 5) -> str:
    """The first values at fault with their row numbers, counted from 1."""
    rows = where.arg_true()[:most].to_list()
    return ", ".join(f"{column[row]!r} in row {row + 1}" for row in rows)


def _distinct(bars: pl.DataFrame, duplicates: Duplicates) -> pl.DataFrame:
    if not bars.height:
        raise BarsError("there are no bars to load", hint="the source has no rows")
    kept = bars.unique(KEYS, keep="last" if duplicates == "last" else "first", maintain_order=True)
    if kept.height < bars.height and duplicates == "error":
        repeated = bars.select(KEYS).filter(bars.select(KEYS).is_duplicated()).unique(maintain_order=True)
        shown = ", ".join(f"{symbol} {date}" for symbol, date in repeated.head(5).iter_rows())
        raise BarsError(
            f"{bars.height - kept.height} bars repeat a (symbol, date): {shown}",
            hint="keep one of each with duplicates='first' or duplicates='last'",
        )
    return kept
