"""The columns of bars that are not keys: finite numbers, or text as an Enum."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple, TypeAlias

import polars as pl

from factorloom.engine.bars.category import TEXT, encode
from factorloom.engine.bars.csv import CsvOptions
from factorloom.engine.bars.name import STANDARD_COLUMNS
from factorloom.engine.bars.shown import cells
from factorloom.expressions.errors import ArgumentError, BarsError, ParameterError, UnknownColumnError, plural, suggest

__all__ = ["Kind", "Values", "check_dtype", "finite", "kind_of", "read_values"]

Kind: TypeAlias = Literal["number", "text"]

MISSING = ("", "NA", "N/A", "#N/A", "n/a", "NaN", "nan", "<NA>", "null", "NULL", "None", "-")
"""Texts that mean a missing number."""

TRUTH = {"true": 1.0, "false": 0.0}


class Values(NamedTuple):
    """Columns as Float64, Float32 or Enum; how many numbers were not finite, by column; and notes."""

    columns: list[pl.Series]
    infinite: dict[str, int]
    notes: list[str]


def read_values(
    frame: pl.DataFrame,
    *,
    textual: bool,
    types: Mapping[str, Kind],
    stored: Mapping[str, Kind],
    csv: CsvOptions,
    dtype: str | None,
) -> Values:
    """The value columns of a table.

    Parameters
    ----------
    textual
        Whether all columns are text that was not read yet, as in CSV files: what is a number in every cell is a number.
    types
        What columns hold, where the caller says it.
    stored
        What the columns hold in the panel or the dataset that the bars join.
    dtype
        Of numbers: `"float32"`, `"float64"`, or None for Float32 where they are, and Float64 of any other kind.
    """
    _check_types(types, frame.columns)
    values = Values([], {}, [])
    for column in frame.iter_columns():
        known = types.get(column.name) or stored.get(column.name)
        if known != (before := stored.get(column.name, known)):
            raise BarsError(f"column {column.name!r} held {before}s before, and types says {known}s")
        if column.dtype not in TEXT and not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
            values.notes.append(f"column {column.name!r} left out: {column.dtype} is neither a number nor text")
            continue
        if column.dtype in TEXT:
            value = _from_text(column, known, csv, values.notes, textual=textual)
        elif known == "text":
            value = _as_text(column, stored=column.name not in types)
        else:
            value = _number(column)
        if value.dtype.is_float():
            is_narrow = dtype == "float32" or (dtype is None and column.dtype == pl.Float32)
            value = finite(_counted(value, values.infinite))
            value = finite(value.cast(pl.Float32)) if is_narrow else value.cast(pl.Float64)
        values.columns.append(value)
    return values


def kind_of(column: pl.Series) -> Kind | None:
    """What a column of bars holds; None where it has no value, which says nothing."""
    if column.null_count() == column.len():
        return None
    return "text" if column.dtype in TEXT else "number"


def _check_types(types: Mapping[str, Kind], names: Collection[str]) -> None:
    for name, kind in types.items():
        if kind not in ("number", "text"):
            raise ParameterError(f"the type of {name!r} must be 'number' or 'text', got {kind!r}")
        if name not in names:
            raise UnknownColumnError(f"types names {name!r}, which is no column of the bars", hint=suggest(name, names))


def _number(column: pl.Series) -> pl.Series:
    if column.dtype.is_decimal():  # as the same number in text
        column = column.cast(pl.String)
    return column if column.dtype.is_float() else column.cast(pl.Float64)


def _as_text(column: pl.Series, *, stored: bool) -> pl.Series:
    """A column of another type where text is wanted: whole numbers become their digits."""
    if column.null_count() == column.len():
        return encode(column.cast(pl.String))
    if not stored and not column.dtype.is_integer():
        raise BarsError(f"column {column.name!r} holds {column.dtype}, which is no text")
    if stored:
        say = f", or say types={{{column.name!r}: 'text'}}" if column.dtype.is_integer() else ""
        hint = "give it another name with columns={'new name': 'old name'}" + say
        raise BarsError(f"column {column.name!r} has numbers here but text before", hint=hint)
    return encode(column.cast(pl.String))


def _from_text(column: pl.Series, known: Kind | None, csv: CsvOptions, notes: list[str], *, textual: bool) -> pl.Series:
    if known == "number" or (known is None and column.name in STANDARD_COLUMNS):
        return _to_numbers(column, csv)
    if known is None and textual:
        numbers, wrong = _parse(column.cast(pl.String), csv)
        present = column.len() - numbers.null_count()
        if not wrong.any():
            return numbers
        count = int(wrong.sum())
        if present > count:
            why = f"{plural(count, 'cell')}: {cells(column, wrong)}"
            notes.append(f"column {column.name!r} is text because of {why}")
        elif count and column.cast(pl.String).str.contains(r"^[-+]?[\d.]*,\d+$").any():
            notes.append(f"column {column.name!r} is text; if it holds decimal commas, say so with decimal=','")
    return _categories(column, csv.missing or ())


def _categories(column: pl.Series, missing: Collection[str]) -> pl.Series:
    """Text as an Enum; blank text is missing, and so is what the caller says."""
    text = encode(column)
    categories = text.dtype.categories  # type: ignore[attr-defined]
    blank = categories.str.strip_chars().is_in(["", *missing])
    if not blank.any():
        return text
    plain = pl.select(pl.when(~blank).then(categories)).to_series()
    return encode(plain.gather(text.to_physical())).alias(column.name)


def _to_numbers(column: pl.Series, csv: CsvOptions) -> pl.Series:
    text = column.cast(pl.String)
    numbers, wrong = _parse(text, csv)
    if wrong.any():
        hint = "correct them, or load the column under another name with columns={'new name': 'old name'}"
        if csv.decimal is None and csv.thousands is None and text.filter(wrong).str.contains(r"^[-+]?[\d.,' ]+$").any():
            hint = "say how numbers are written: decimal=',' or thousands=','"
        if csv.decimal is not None and text.filter(wrong).str.contains(".", literal=True).any():
            hint = f"with decimal={csv.decimal!r} a point is not read; thousands='.' says that it separates thousands"
        count = plural(int(wrong.sum()), "value")
        raise BarsError(
            f"column {column.name!r} must hold numbers; {count} cannot be read: {cells(text, wrong)}", hint=hint
        )
    return numbers


def _parse(text: pl.Series, csv: CsvOptions) -> tuple[pl.Series, pl.Series]:
    """The text as numbers, and which values are none."""
    plain = text.str.strip_chars()
    plain = plain.set(plain.is_in(list(csv.missing or ()) + list(MISSING)).fill_null(False), None)
    written = plain
    if csv.thousands is not None:
        sign, point = re.escape(csv.thousands), re.escape(csv.decimal or ".")
        grouped = written.str.contains(rf"^[-+]?\d{{1,3}}({sign}\d{{2,3}})*{sign}\d{{3}}({point}\d*)?$")
        written = written.set(written.str.contains(csv.thousands, literal=True).fill_null(False) & ~grouped, None)
        written = written.str.replace_all(csv.thousands, "", literal=True)
    if csv.decimal not in (None, "."):
        written = written.set(written.str.contains(".", literal=True).fill_null(False), None)
        written = written.str.replace(csv.decimal or "", ".", literal=True)
    numbers = written.cast(pl.Float64, strict=False)
    wrong = numbers.is_null() & plain.is_not_null()
    truth = (
        plain.str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.Float64) if wrong.any() else None
    )
    if truth is not None and truth.null_count() == plain.null_count():  # nothing but true and false
        return truth.alias(text.name), pl.repeat(False, text.len(), eager=True)
    return numbers, wrong


def finite(numbers: pl.Series) -> pl.Series:
    """Numbers with null for what is not finite."""
    is_finite = numbers.is_finite()
    return numbers if is_finite.all() else numbers.set(~is_finite, None)


def _counted(numbers: pl.Series, infinite: dict[str, int]) -> pl.Series:
    """The numbers; their infinities are counted."""
    if not numbers.is_finite().all() and (count := int(numbers.is_infinite().sum())):
        infinite[numbers.name] = count
    return numbers


def check_dtype(dtype: str) -> None:
    """Refuse a type that columns of numbers cannot have."""
    if not isinstance(dtype, str) or dtype not in ("float64", "float32"):
        raise ArgumentError(f"dtype must be 'float64' or 'float32', got {dtype!r}")
