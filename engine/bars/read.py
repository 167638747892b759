"""Tables of every kind as bars: keys and numbers checked and converted, rows sorted by (symbol, date)."""

from __future__ import annotations

from typing import Any

import polars as pl

from factorloom.engine.bars.category import concat, encode
from factorloom.engine.bars.sort import sort_bars
from factorloom.expressions.errors import ArgumentError, BarsError, UnknownColumnError, suggest

__all__ = ["append_bars", "check_dtype", "read_bars"]

EXAMPLES = 3
"""How many offending rows an error shows."""


def read_bars(frame: Any, symbol: str, date: str, dtype: str | None = None) -> pl.DataFrame:
    """Bars sorted by (symbol, date): keys first, then numbers; text as Enum.

    Numbers are of the given type, or else Float32 where they are, and Float64 of any other kind.

    Raises what `Panel.from_frame` documents.
    """
    if dtype is not None:
        check_dtype(dtype)
    bars = _as_polars(frame)
    if symbol == date:
        raise ArgumentError(f"symbol and date must be two columns, got {symbol!r} for both")
    for key in (symbol, date):
        if not isinstance(key, str):
            raise ArgumentError(f"the name of a key column must be text, got {key!r}")
        if key not in bars.columns:
            raise UnknownColumnError(f"no column {key!r} for the keys", hint=suggest(key, bars.columns))
    values = [_value(series, dtype) for series in bars if series.name not in (symbol, date)]
    bars = pl.DataFrame([_symbols(bars[symbol]), _dates(bars[date]), *values])
    bars = sort_bars(bars, symbol, date)
    _refuse_duplicates(bars, symbol, date)
    return bars


def check_dtype(dtype: str) -> None:
    """Refuse a type that columns of numbers cannot have."""
    if dtype not in ("float64", "float32"):
        raise ArgumentError(f"dtype must be 'float64' or 'float32', got {dtype!r}")


def append_bars(frame: pl.DataFrame, more: Any, symbol: str, date: str) -> pl.DataFrame:
    """Sorted bars with further ones, each after the last bar of its symbol."""
    bars = _with_categories(read_bars(more, symbol, date), frame.schema)
    _refuse_other_columns(frame, bars)
    numbers = (_finite(bars[name].cast(kind)) for name, kind in frame.schema.items() if kind.is_float())
    bars = bars.with_columns(numbers).select(frame.columns)
    ends = frame.group_by(symbol, maintain_order=True).agg(pl.col(date).last().alias("\0last"))
    early = (
        bars.cast({symbol: pl.String})
        .join(ends.cast({symbol: pl.String}), on=symbol)
        .filter(pl.col(date) <= pl.col("\0last"))
    )
    if early.height:
        shown = ", ".join(f"({a}, {b})" for a, b in early.select(symbol, date).head(EXAMPLES).rows())
        raise BarsError(
            f"{early.height:,} of {bars.height:,} bars do not come after the last one of their symbol: {shown}",
            hint="to restate bars, make a new panel from all of them",
        )
    columns = [
        concat(old, new) if isinstance(old.dtype, pl.Enum) else pl.concat([old, new])
        for old, new in zip(frame, bars, strict=True)
    ]
    return sort_bars(pl.DataFrame(columns), symbol, date)


def _with_categories(bars: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Columns without any value as categories where the panel holds such: nothing says what they are."""
    empty = [name for name in bars.columns if bars[name].null_count() == bars.height]
    return bars.cast({name: pl.Enum([]) for name in empty if isinstance(schema.get(name), pl.Enum)})


def _refuse_other_columns(frame: pl.DataFrame, bars: pl.DataFrame) -> None:
    if set(frame.columns) != set(bars.columns):
        lacking, extra = set(frame.columns) - set(bars.columns), set(bars.columns) - set(frame.columns)
        parts = [f"lacking {', '.join(sorted(lacking))}"] * bool(lacking) + [
            f"unknown {', '.join(sorted(extra))}"
        ] * bool(extra)
        raise BarsError(f"the columns differ from the panel's: {'; '.join(parts)}")
    if bars.dtypes[1] != frame.dtypes[1]:
        raise BarsError(
            f"column {bars.columns[1]!r} holds {bars.dtypes[1]}, in the panel {frame.dtypes[1]}",
            hint="convert it to the type of the panel's dates first",
        )
    for name, kind in frame.schema.items():
        if kind.is_float() != bars.schema[name].is_float() and name in bars.columns[2:]:
            has, wanted = ("numbers" if x.is_float() else "categories" for x in (bars.schema[name], kind))
            raise BarsError(f"column {name!r} holds {has}, in the panel {wanted}")


def _as_polars(frame: Any) -> pl.DataFrame:
    if isinstance(frame, pl.LazyFrame):
        return frame.collect(engine="in-memory")
    if isinstance(frame, pl.DataFrame):
        return frame
    module = type(frame).__module__.partition(".")[0]
    if module == "pyarrow":
        return pl.DataFrame(pl.from_arrow(frame))
    if module == "pandas":
        return pl.from_pandas(frame)
    raise ArgumentError(f"bars must be a Polars, Arrow or pandas frame, got {type(frame).__name__}")


def _symbols(series: pl.Series) -> pl.Series:
    _refuse_missing(series)
    if series.dtype.is_integer():
        return encode(series.cast(pl.String))
    if series.dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise BarsError(f"column {series.name!r} must hold symbols as text, got {series.dtype}")
    return encode(series)


def _dates(series: pl.Series) -> pl.Series:
    _refuse_missing(series)
    if series.dtype == pl.String:
        return _parse_dates(series)
    if series.dtype != pl.Date and not isinstance(series.dtype, pl.Datetime):
        raise BarsError(
            f"column {series.name!r} must hold dates, got {series.dtype}",
            hint="convert it first, for example with pl.from_epoch",
        )
    return series


def _parse_dates(series: pl.Series) -> pl.Series:
    """ISO dates or datetimes from text."""
    days, moments = _read_dates(series), _read_datetimes(series)
    for parsed in (days, moments):
        if not parsed.null_count():
            return parsed
    bad = series.filter(days.is_null() & moments.is_null())
    if bad.is_empty():
        raise BarsError(f"column {series.name!r} mixes dates and datetimes", hint="write all of them in one way")
    shown = ", ".join(map(repr, bad.head(EXAMPLES)))
    raise BarsError(
        f"column {series.name!r} holds {bad.len():,} dates that cannot be read: {shown}",
        hint="write dates as 2024-01-31, datetimes as 2024-01-31T16:00:00",
    )


def _read_dates(series: pl.Series) -> pl.Series:
    return series.str.to_date("%Y-%m-%d", strict=False)


def _read_datetimes(series: pl.Series) -> pl.Series:
    text = series.str.replace(" ", "T", literal=True)
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")


def _refuse_missing(series: pl.Series) -> None:
    if series.null_count():
        rows = series.is_null().arg_true().head(EXAMPLES).to_list()
        raise BarsError(
            f"column {series.name!r} has no value in {series.null_count():,} rows, first in rows {rows}",
            hint="every bar needs a symbol and a date: drop or mend those rows",
        )


def _value(series: pl.Series, dtype: str | None) -> pl.Series:
    """A column of finite numbers or null, or of categories."""
    if series.dtype in (pl.String, pl.Categorical, pl.Enum):
        return encode(series)
    if series.dtype.is_numeric() or series.dtype in (pl.Boolean, pl.Null):
        is_narrow = dtype == "float32" or (dtype is None and series.dtype == pl.Float32)
        return _finite(series.cast(pl.Float32 if is_narrow else pl.Float64))
    raise BarsError(
        f"column {series.name!r} holds {series.dtype}, which is neither numbers nor categories",
        hint=f"drop it first: frame.drop({series.name!r})",
    )


def _finite(numbers: pl.Series) -> pl.Series:
    """Numbers with null for what is not finite."""
    finite = numbers.is_finite()
    return numbers if finite.all() else numbers.set(~finite, None)


def _refuse_duplicates(bars: pl.DataFrame, symbol: str, date: str) -> None:
    """Sorted bars hold a duplicated key only in neighbouring rows."""
    s, d = pl.col(symbol), pl.col(date)
    twice = bars.filter((s == s.shift(1)) & (d == d.shift(1)))
    if twice.height:
        shown = ", ".join(
            f"({a}, {b})" for a, b in twice.select(symbol, date).unique(maintain_order=True).head(EXAMPLES).rows()
        )
        raise BarsError(
            f"{twice.height:,} rows repeat a key ({symbol}, {date}): {shown}",
            hint="keep one row for each: frame.unique([symbol, date], keep='last')",
        )
