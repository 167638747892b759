"""Long tables of keys and numbers, checked, and as matrices of dates by symbols."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.category import TEXT
from factorloom.engine.bars.layout import KEYS, Index
from factorloom.engine.panel import Panel
from factorloom.engine.research.series import Array
from factorloom.expressions.errors import ArgumentError, BarsError, ParameterError, UnknownColumnError, suggest

__all__ = [
    "Codes",
    "Grid",
    "carry",
    "category_codes",
    "category_matrix",
    "check_one_of",
    "check_share",
    "code_dates",
    "keyed",
    "table_of",
]

Codes = Index


@dataclass(frozen=True)
class Grid:
    """The axes of a matrix: sorted distinct dates, and sorted distinct symbols as text."""

    dates: pl.Series
    symbols: pl.Series

    @property
    def shape(self) -> tuple[int, int]:
        """Dates, symbols."""
        return self.dates.len(), self.symbols.len()

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Grid:
        """The axes of a keyed table."""
        return cls(frame["date"].unique().sort(), frame["symbol"].unique().sort())

    def places(self, frame: pl.DataFrame) -> tuple[Codes, Codes]:
        """The row and the column of each row of a keyed table; its symbols and dates are all on the axes."""
        return code_dates(self.dates, frame["date"]), code_symbols(self.symbols, frame["symbol"])

    def inside(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows whose date and symbol are on the axes."""
        on_axes = pl.col("date").is_in(self.dates.implode()) & pl.col("symbol").is_in(self.symbols.implode())
        return frame.filter(on_axes)

    def matrix(self, frame: pl.DataFrame, column: str) -> Array:
        """A column of numbers as (dates, symbols); NaN where there is no row, or its number is not finite."""
        found = np.full(self.shape, np.nan)
        values = frame[column].cast(pl.Float64).fill_null(math.nan).to_numpy()
        found[self.places(frame)] = np.where(np.isfinite(values), values, np.nan)
        return found

    def long(self, chosen: npt.NDArray[np.bool_], **columns: npt.NDArray[Any]) -> pl.DataFrame:
        """Chosen cells of matrices as a table `symbol, date, ...`, by date and symbol."""
        row, column = np.nonzero(chosen)
        keys = {"symbol": self.symbols.gather(pl.Series(column)), "date": self.dates.gather(pl.Series(row))}
        return pl.DataFrame(keys | {name: pl.Series(values[row, column]) for name, values in columns.items()})


def table_of(name: str, source: object) -> pl.DataFrame:
    """A panel or a frame of Polars, eager or lazy, as a frame.

    Raises
    ------
    ArgumentError
        It is something else.
    """
    if isinstance(source, Panel):
        return source.frame
    if isinstance(source, Bars):
        return source.table
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    if isinstance(source, pl.DataFrame):
        return source
    kinds = "a Panel or a frame of Polars" if name == "prices" else "a frame of Polars"
    raise ArgumentError(f"{name} must be {kinds}, got {type(source).__name__}", hint="of pandas: polars.from_pandas")


def keyed(name: str, source: object, *numbers: str) -> pl.DataFrame:
    """A table with unique keys and columns of numbers: symbols as text, sorted by date and symbol.

    Raises
    ------
    UnknownColumnError
        A key or a named column is not there.
    BarsError
        A key is missing, repeated or of an unusable type, or a named column does not hold numbers.
    """
    frame = table_of(name, source)
    for column in (*KEYS, *numbers):
        if column not in frame.columns:
            raise UnknownColumnError(f"{name} has no column {column!r}", hint=suggest(column, frame.columns))
    kinds = frame.schema
    if not frame.height and kinds["symbol"] == pl.Null and kinds["date"] == pl.Null:
        frame = frame.with_columns(pl.col("symbol").cast(pl.String), pl.col("date").cast(pl.Date))
        kinds = frame.schema
    if not isinstance(kinds["symbol"], TEXT):
        raise BarsError(f"symbols of {name} must be text, got {kinds['symbol']}")
    if kinds["date"] != pl.Date and not isinstance(kinds["date"], pl.Datetime):
        hint = "pl.col('date').str.to_date(), or Panel.from_frame, which reads them"
        raise BarsError(f"dates of {name} must be Date or Datetime, got {kinds['date']}", hint=hint)
    for column in numbers:
        if not kinds[column].is_numeric() and kinds[column] != pl.Null:
            raise BarsError(f"column {column!r} of {name} must hold numbers, got {kinds[column]}")
    frame = frame.with_columns(pl.col("symbol").cast(pl.String))
    if isinstance(kinds["date"], pl.Datetime):
        frame = frame.with_columns(pl.col("date").cast(pl.Datetime("us")))
    for key in KEYS:
        if frame[key].null_count():
            raise BarsError(f"{name} has rows without a {key}", hint=f"drop_nulls({key!r})")
    frame = frame.sort("date", "symbol")
    same = [pl.col(key) == pl.col(key).shift(1) for key in KEYS]
    repeated = frame.select(pl.all_horizontal(same).fill_null(False)).to_series()
    if repeated.any():
        row = frame.filter(repeated).row(0, named=True)
        raise BarsError(
            f"{name} repeats {row['symbol']} on {row['date']}", hint="one row per symbol and date: unique(KEYS)"
        )
    return frame


def code_dates(axis: pl.Series, dates: pl.Series) -> Codes:
    """The place of each date on a sorted axis: that of the first one not before it."""
    found: Codes = np.searchsorted(axis.to_physical().to_numpy(), dates.to_physical().to_numpy()).astype(np.int64)
    return found


def code_symbols(axis: pl.Series, symbols: pl.Series) -> Codes:
    """The place of each symbol on the axis."""
    return symbols.cast(pl.Enum(axis)).to_physical().cast(pl.Int64).to_numpy()


def carry(values: npt.NDArray[Any], known: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Each column with the last known value in place of unknown ones; those before the first stay.

    >>> carry(np.array([[0], [5], [0]]), np.array([[False], [True], [False]])).ravel().tolist()
    [0, 5, 5]
    """
    last = np.where(known, np.arange(len(values))[:, None], 0)
    return np.take_along_axis(values, np.maximum.accumulate(last, axis=0), axis=0)


def category_codes(categories: pl.Series) -> tuple[Codes, list[str | None]]:
    """Categories as numbers from 0 on by their text, and the text of each; missing ones are the last, None."""
    texts = categories.cast(pl.String)
    known = texts.drop_nulls().unique().sort()
    codes = texts.cast(pl.Enum(known)).to_physical().cast(pl.Int64).fill_null(known.len()).to_numpy()
    return codes, [*known.to_list(), None]


def category_matrix(grid: Grid, frame: pl.DataFrame, column: str) -> tuple[Codes, list[str | None]]:
    """The category of every name on every date; where it has no row, the last one it had, and else none."""
    codes, names = category_codes(frame[column])
    found = np.full(grid.shape, -1, dtype=np.int64)
    found[grid.places(frame)] = codes
    filled: Codes = carry(found, found >= 0)
    return np.where(filled >= 0, filled, len(names) - 1), names


def check_one_of(name: str, value: object, known: Iterable[str]) -> str:
    """One of a few words."""
    words = tuple(known)
    if not isinstance(value, str) or value not in words:
        listed = ", ".join(map(repr, words))
        raise ParameterError(f"{name} must be one of {listed}, got {value!r}", hint=suggest(str(value), words))
    return value


def check_share(name: str, value: object, *, above_zero: bool = True) -> float:
    """A fraction of the capital: a number from 0 on, or above it."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise ArgumentError(f"{name} must be a number, got {value!r}", hint="a fraction: 0.05 is 5 percent")
    given = float(value)
    if not math.isfinite(given) or given < 0 or (above_zero and given == 0):
        bound = "above 0" if above_zero else "of at least 0"
        raise ParameterError(
            f"{name} must be a finite number {bound}, got {value!r}", hint="a fraction: 0.05 is 5 percent"
        )
    return given
