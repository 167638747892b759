"""The one way in for data: tables of every kind as bars, named, converted, checked and sorted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple, TypedDict, get_args

import numpy as np
import polars as pl
import polars.selectors as cs

from factorloom.engine.bars.category import concat, encode
from factorloom.engine.bars.csv import CsvOptions
from factorloom.engine.bars.key import Clock, DateColumn, read_dates, read_symbols, with_time
from factorloom.engine.bars.layout import KEYS
from factorloom.engine.bars.name import check_drop, name_columns
from factorloom.engine.bars.number import Kind, finite, kind_of, read_values
from factorloom.engine.bars.shown import SHOWN, cells
from factorloom.engine.bars.sort import sort_bars
from factorloom.engine.bars.source import SourceTable, read_source
from factorloom.engine.bars.wide import unpivot
from factorloom.expressions.errors import ArgumentError, BarsError, ParameterError, plural, suggest

__all__ = [
    "BarTable",
    "Duplicates",
    "ReadOptions",
    "Stored",
    "append_bars",
    "convert",
    "encode_bars",
    "read_bars",
    "read_table",
]

Duplicates = Literal["error", "first", "last"]


class ReadOptions(TypedDict, total=False):
    """How a table of bars is to be read: the options of `Panel.from_frame`, `Panel.append` and `Store.load`.

    Attributes
    ----------
    symbol, date : str
        The key columns of the table. Usual names, such as `Ticker` or `trade_date`, are known without it.
    one_symbol : str
        The symbol of all bars, for a table without a column of symbols; `"{name}"` is the name of each file.
    wide : str
        For a table with one column per symbol: the name of the column that its values become, such as `"close"`.
    columns : mapping of str to str
        Names in the table by new names: `{"close": "Adj Close"}`.
    drop : list of str
        Columns to leave out.
    types : mapping of str to "number" or "text"
        What columns hold, by their new names, where it is not plain.
    duplicates : "error", "first" or "last"
        What to do about bars that repeat a symbol and date: refuse them (the default), or keep the first or last one.
    date_format : str
        How dates are written, with the directives of `strftime`, where they are not ISO text: `"%d/%m/%Y"`.
    time_zone : str
        The clock to keep where dates have a time zone, such as `"UTC"`; by default each date's own local clock.
    separator : str
        The character between the cells of a CSV file; by default it is guessed.
    decimal, thousands : str
        The characters in numbers that are written as text; by default a point, and none.
    encoding : str
        Of a CSV file, by default UTF-8.
    missing : list of str
        Texts that mean a missing value, besides the usual ones (`NA`, `#N/A`, `null`, ...).
    """

    symbol: str
    date: str
    one_symbol: str
    wide: str
    columns: Mapping[str, str] | None
    drop: Collection[str]
    types: Mapping[str, Kind]
    duplicates: Duplicates
    date_format: str
    time_zone: str
    separator: str
    decimal: str
    thousands: str
    encoding: str
    missing: Collection[str]


class Stored(NamedTuple):
    """What the bars hold that others join: the kind of each column, None for one without values, and of the dates."""

    kinds: Mapping[str, Kind | None]
    daily: bool

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Stored:
        """The kinds of sorted bars."""
        kinds = {column.name: kind_of(column) for column in frame.iter_columns() if column.name not in KEYS}
        return cls(kinds, frame.schema["date"] == pl.Date)


class BarTable(NamedTuple):
    """Bars sorted by (symbol, date): symbols and text as Enum, numbers finite or null.

    `infinite` counts the infinities that became missing, by column; `dropped` the bars that repeated a key.
    """

    frame: pl.DataFrame
    infinite: dict[str, int]
    dropped: int
    notes: tuple[str, ...]


def read_bars(
    source: object, options: ReadOptions, *, dtype: str | None = None, stored: Stored | None = None
) -> BarTable:
    """Read a table of any kind as bars; the errors are those that `Panel.from_frame` documents."""
    return convert(read_table(source, options), options, dtype=dtype, stored=stored)


def read_table(source: object, options: ReadOptions) -> SourceTable:
    """The table, before anything in it is interpreted."""
    _check(options)
    return read_source(source, _csv(options))


def convert(
    table: SourceTable, options: ReadOptions, *, dtype: str | None = None, stored: Stored | None = None
) -> BarTable:
    """A table as bars, or a refusal.

    Parameters
    ----------
    dtype
        Of numbers: `"float32"`, `"float64"`, or None for Float32 where they are, and Float64 of any other kind.
    stored
        What the bars hold that these join; they must go together.
    """
    notes = list(table.notes)
    symbol, date = options.get("symbol", "symbol"), options.get("date", "date")
    drop = check_drop(options.get("drop", ()))
    if (wide := options.get("wide")) is not None:
        table, wide_notes = unpivot(table, date, wide, drop)
        notes += wide_notes
        symbol, date, drop = *KEYS, ()
    kinds = {name: kind for name, kind in stored.kinds.items() if kind} if stored else {}
    frame, name_notes = name_columns(
        table,
        symbol=symbol,
        date=date,
        one_symbol=options.get("one_symbol"),
        columns=options.get("columns") or {},
        drop=drop,
        stored=list(stored.kinds) if stored else (),
    )
    symbols, symbol_notes = read_symbols(frame["symbol"], frame)
    dates = read_dates(frame["date"], frame, date_format=options.get("date_format"), time_zone=options.get("time_zone"))
    values = read_values(
        frame.drop(KEYS),
        textual=table.textual,
        types=options.get("types", {}),
        stored=kinds,
        csv=_csv(options),
        dtype=dtype,
    )
    if not values.columns:
        raise BarsError("the bars have no column other than symbol and date", hint="add at least a close")
    dates = dates if stored is None else _go_together(dates, stored)
    bars = pl.DataFrame([symbols, dates.dates, *values.columns])
    if wide is not None:  # a cell without a value is no bar
        bars = bars.filter(pl.col(bars.columns[2]).is_not_null())
    bars = sort_bars(bars, *KEYS)
    kept = _without_duplicates(bars, options.get("duplicates", "error"), zoned=dates.zoned)
    notes += [*name_notes, *symbol_notes, *dates.notes, *values.notes]
    return BarTable(kept, values.infinite, bars.height - kept.height, tuple(notes))


def encode_bars(frame: pl.DataFrame) -> pl.DataFrame:
    """Bars whose columns are as they should be, with text as Enum, sorted; a repeated key is refused."""
    frame = frame.with_columns(cs.by_dtype(pl.Null).cast(pl.Float64))
    symbols, dates = frame["symbol"], frame["date"]
    if symbols.dtype not in (pl.String, pl.Enum) or symbols.null_count() or dates.null_count():
        raise BarsError("a bar has no date, or no symbol in text")
    text = [encode(column) for column in frame.iter_columns() if column.dtype == pl.String]
    return _without_duplicates(sort_bars(frame.with_columns(text), *KEYS), "error", zoned=False)


def append_bars(frame: pl.DataFrame, source: object, options: ReadOptions) -> BarTable:
    """Sorted bars with further ones, each after the last bar of its symbol."""
    read = read_bars(source, options, stored=Stored.of(frame))
    bars = read.frame
    _refuse_other_columns(frame, bars)
    ends = frame.group_by("symbol", maintain_order=True).agg(pl.col("date").last().alias("\0last"))
    early = (
        bars.select(KEYS)
        .cast({"symbol": pl.String})
        .join(ends.cast({"symbol": pl.String}), on="symbol")
        .filter(pl.col("date") <= pl.col("\0last"))
    )
    if early.height:
        shown = ", ".join(f"({a}, {b})" for a, b in early.select(KEYS).head(SHOWN).rows())
        raise BarsError(
            f"{plural(early.height, 'bar')} of {bars.height:,} not after the last one of their symbol: {shown}",
            hint="to restate bars, make a new panel from all of them",
        )
    columns = [_concat(frame[name], bars[name]) for name in frame.columns]
    return read._replace(frame=sort_bars(pl.DataFrame(columns), *KEYS))


# --- options --------------------------------------------------------------------------------------------------


def _check(options: ReadOptions) -> None:
    given: Mapping[str, Any] = options
    for name in given:
        if name not in ReadOptions.__annotations__:
            hint = suggest(name, ReadOptions.__annotations__)
            raise ArgumentError(f"there is no option {name!r} to read bars with", hint=hint)
    for name in ("symbol", "date", "one_symbol", "wide", "date_format", "time_zone", "duplicates"):
        if name in given and not isinstance(given[name], str):
            raise ArgumentError(f"{name} must be text, got {type(given[name]).__name__}")
    if (kept := given.get("duplicates", "error")) not in get_args(Duplicates):
        raise ParameterError(f"duplicates must be one of {get_args(Duplicates)}, got {kept!r}")
    columns = given.get("columns")
    if columns is not None and not _is_mapping(columns):
        raise ArgumentError(
            "columns must map new names to names in the table", hint="for example columns={'close': 'Adj Close'}"
        )
    if not _is_mapping(given.get("types", {})):
        raise ArgumentError("types must map names of columns to 'number' or 'text'")
    if given.get("wide") is not None and ("one_symbol" in given or "symbol" in given):
        raise ParameterError("a wide table has no column of symbols", hint="leave out symbol= and one_symbol=")
    if "one_symbol" in given and "symbol" in given:
        raise ParameterError(
            "give symbol= for a column of symbols, or one_symbol= for the symbol of all bars, not both"
        )


def _is_mapping(given: object) -> bool:
    return isinstance(given, Mapping) and all(isinstance(name, str) for pair in given.items() for name in pair)


def _csv(options: ReadOptions) -> CsvOptions:
    missing = options.get("missing")
    is_list = isinstance(missing, Collection) and not isinstance(missing, str)
    if missing is not None and not (is_list and all(isinstance(text, str) for text in missing)):
        raise ArgumentError(f"missing must be a list of texts, got {missing!r}")
    return CsvOptions(
        separator=options.get("separator"),
        decimal=options.get("decimal"),
        thousands=options.get("thousands"),
        encoding=options.get("encoding"),
        missing=None if missing is None else tuple(missing),
    )


# --- what goes together ---------------------------------------------------------------------------------------


def _go_together(read: DateColumn, stored: Stored) -> DateColumn:
    """Days do not join bars with a time of day, nor the other way round."""
    if stored.daily and read.clock is Clock.MOMENTS:
        raise BarsError(
            f"these bars have a time of day, but those before have none: {cells(read.dates, with_time(read.dates))}",
            hint="keep bars of a day and bars within a day apart",
        )
    if not stored.daily and read.clock is Clock.DAYS and read.dates.len():
        raise BarsError(
            f"these bars have no time of day, but those before have one: {read.dates[0]} in row 1",
            hint="keep bars of a day and bars within a day apart",
        )
    return read if stored.daily else read._replace(dates=read.dates.cast(pl.Datetime("us")))


def _without_duplicates(bars: pl.DataFrame, duplicates: Duplicates, *, zoned: bool) -> pl.DataFrame:
    """Sorted bars hold a repeated key only in neighbouring rows, in the order of the table."""
    symbols, dates = (bars[key].to_physical().to_numpy() for key in KEYS)
    same = (dates[1:] == dates[:-1]) & (symbols[1:] == symbols[:-1])
    if not same.any():
        return bars
    again = pl.Series(np.append(False, same))
    if duplicates == "error":
        keys = bars.filter(again).select(KEYS).unique(maintain_order=True).head(SHOWN)
        shown = ", ".join(f"{symbol} {date}" for symbol, date in keys.iter_rows())
        raise BarsError(
            f"the key (symbol, date) is repeated in {plural(int(again.sum()), 'bar')}: {shown}",
            hint="a local clock repeats an hour each autumn: keep another one, with time_zone='UTC'"
            if zoned
            else "keep one bar of each with duplicates='first' or duplicates='last'",
        )
    dropped = again if duplicates == "first" else again.shift(-1, fill_value=False)
    return bars.filter(~dropped)


def _refuse_other_columns(frame: pl.DataFrame, bars: pl.DataFrame) -> None:
    lacking, extra = (sorted(set(a.columns) - set(b.columns)) for a, b in ((frame, bars), (bars, frame)))
    if lacking or extra:
        parts = [f"lacking {', '.join(lacking)}"] * bool(lacking) + [f"unknown {', '.join(extra)}"] * bool(extra)
        raise BarsError(f"the columns differ from the panel's: {'; '.join(parts)}")


def _concat(old: pl.Series, new: pl.Series) -> pl.Series:
    """Two columns, of which one may lack any value and then has the type of the other."""
    if old.dtype.is_float() and new.dtype.is_float():
        return pl.concat([old, finite(new.cast(old.dtype))])
    if isinstance(old.dtype, pl.Enum) or isinstance(new.dtype, pl.Enum):
        return concat(_text(old), _text(new))
    return pl.concat([old, new])


def _text(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.Enum):
        return column
    return pl.Series(column.name, [None] * column.len(), dtype=pl.Enum([]))
