"""What an error shows of a column: its first values at fault, with their rows counted from 1."""

from __future__ import annotations

import datetime as dt

import polars as pl

from factorloom.engine.bars.category import TEXT

__all__ = ["SHOWN", "cells", "first_rows"]

SHOWN = 5
"""How many rows an error shows."""

EARLIEST, LATEST = ((day - dt.date(1970, 1, 1)).days for day in (dt.date.min, dt.date.max))


def first_rows(mask: pl.Series) -> list[int]:
    """The first rows at which a mask is true, counted from 0."""
    return mask.arg_true().head(SHOWN).to_list()


def cells(column: pl.Series, mask: pl.Series) -> str:
    """The first values at which a mask is true.

    >>> cells(pl.Series(["a", "b"]), pl.Series([False, True]))
    "'b' in row 2"
    """
    return ", ".join(f"{_plain(column.slice(row, 1))} in row {row + 1}" for row in first_rows(mask))


def _plain(value: pl.Series) -> str:
    """A single value as text; neither Python nor Polars can write a date beyond their years."""
    if value.dtype.is_temporal():
        day = value.cast(pl.Date).to_physical()[0]
        if not EARLIEST <= day <= LATEST:
            return f"day {day:,} from 1970"
    return repr(value[0]) if value.dtype in TEXT else str(value[0])
