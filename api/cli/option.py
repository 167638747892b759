"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from cyclopts import Parameter

from factorloom.api.cli.format import Format, format_of
from factorloom.expressions.errors import ArgumentError

if TYPE_CHECKING:
    import polars as pl

    from factorloom.engine.bars.read import ReadOptions
    from factorloom.storage.store import Store

__all__ = [
    "OutputOption",
    "OutputPath",
    "ReadOption",
    "SelectionOption",
    "StoreOption",
    "map_names",
    "split",
    "version_of",
]

NAMED = re.compile(r"([A-Za-z_]\w*)=(?!=)(.*)", re.DOTALL)

OutputPath = Annotated[Path | None, Parameter(alias="-o", allow_leading_hyphen=True)]
"""A file for a result, or - for stdout; `check_target` refuses any other value with a leading hyphen."""


@Parameter(name="*")
@dataclass(frozen=True)
class OutputOption:
    """The format and the file of a result.

    Parameters
    ----------
    format
        Output format: by default that of the file's name, such as result.csv, else table.
    output
        Output file, or - for stdout.
    """

    format: Format | None = None
    output: OutputPath = None

    @property
    def chosen(self) -> Format:
        """The format that was given, or that the name of the file asks for."""
        return format_of(self.output) if self.format is None else self.format

    def check(self) -> None:
        """Refuse a file that cannot be written, before any work is done."""
        from factorloom.api.cli.output import check_target

        check_target(self.output)

    def write(self, frame: pl.DataFrame) -> None:
        from factorloom.api.cli.output import write_frame

        write_frame(frame, self.chosen, self.output)


@Parameter(name="*")
@dataclass(frozen=True)
class StoreOption:
    """The store.

    Parameters
    ----------
    store
        Folder of the store.
    """

    store: Annotated[Path, Parameter(env_var="FACTORLOOM_STORE")] = Path("factorloom-store")

    def open(self, *, must_exist: bool = True, read_only: bool = False) -> Store:
        """Open the store; with `must_exist`, it is not created if missing."""
        from factorloom.expressions.errors import StoreError
        from factorloom.storage.store import open_store

        if must_exist and not self.store.exists():
            raise StoreError(
                f"no store at {self.store}",
                hint="create one with `factorloom load` or `factorloom demo`, or choose another with --store",
            )
        return open_store(self.store, read_only=read_only)


@Parameter(name="*")
@dataclass(frozen=True)
class ReadOption:
    """How files of bars are to be read.

    Parameters
    ----------
    symbol
        Column with the symbols; usual names such as Ticker are known.
    date
        Column with the dates; usual names such as trade_date are known.
    one_symbol
        The symbol of all bars, for files of one symbol; {name} is the name of each file.
    wide
        For files with one column per symbol: the name for their values, such as close.
    drop
        Columns to leave out, separated by commas.
    duplicates
        How to treat a repeated symbol and date.
    date_format
        How dates are written, such as %d/%m/%Y.
    time_zone
        The clock to keep where dates have a time zone, such as UTC.
    separator
        The sign between cells of a CSV file.
    decimal
        The decimal sign of a CSV file.
    thousands
        The sign between thousands of a CSV file.
    encoding
        The encoding of a CSV file, such as cp1252.
    missing
        Texts that mean a missing value, separated by commas.
    """

    symbol: str | None = None
    date: str | None = None
    one_symbol: str | None = None
    wide: str | None = None
    drop: str | None = None
    duplicates: Literal["error", "first", "last"] = "error"
    date_format: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    time_zone: str | None = None
    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    missing: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None

    def options(self) -> ReadOptions:
        """What was given, as options of `Store.load`."""
        given: dict[str, Any] = {name: value for name, value in vars(self).items() if value is not None}
        return cast("ReadOptions", given | {name: split(given[name]) for name in ("drop", "missing") if name in given})


@Parameter(name="*")
@dataclass(frozen=True)
class SelectionOption:
    """The selected bars.

    Parameters
    ----------
    start
        First date.
    end
        Last date, included.
    symbols
        Symbols, separated by commas.
    dates
        Exactly these dates, separated by commas.
    """

    start: str | None = None
    end: str | None = None
    symbols: str | None = None
    dates: str | None = None

    def arguments(self) -> dict[str, Any]:
        """The selection as arguments of `Store.compute`."""
        symbols, dates = (None if given is None else split(given) for given in (self.symbols, self.dates))
        return {"start": self.start, "end": self.end, "symbols": symbols, "dates": dates}


def split(text: str) -> list[str]:
    """The parts of a text that commas separate."""
    return [part.strip() for part in text.split(",") if part.strip()]


def version_of(text: str | None) -> int | str | None:
    """A version, or a time, as `as_of=` takes it."""
    return int(text) if text is not None and text.isdigit() else text


def map_names(factors: Sequence[str]) -> dict[str, str]:
    """Expressions by name; an expression without a name is named by its text.

    >>> map_names(["up=close > open", "close == open"])
    {'up': 'close > open', 'close == open': 'close == open'}
    """
    result: dict[str, str] = {}
    for text in factors:
        match = NAMED.fullmatch(text)
        name, expression = (match[1], match[2]) if match else (text, text)
        if name in result:
            raise ArgumentError(f"two factors are named {name!r}")
        result[name] = expression
    return result
