"""Wide tables, with a row for each date and a column for each symbol, as long ones."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from factorloom.engine.bars.layout import KEYS
from factorloom.engine.bars.name import UNNAMED, find_column, find_key
from factorloom.engine.bars.source import FILE_NAME, RAISED, SourceTable, kind_name
from factorloom.expressions.errors import ArgumentError, BarsError, plural

__all__ = ["unpivot"]


def unpivot(table: SourceTable, date: str, value: str, drop: Collection[str]) -> tuple[SourceTable, list[str]]:
    """The table with columns symbol, date and `value`, one row per cell, without `drop`; and notes."""
    if value in KEYS:
        raise ArgumentError(
            f"wide must name another column than the keys, got {value!r}", hint="for example wide='close'"
        )
    frame = table.frame.drop(FILE_NAME, strict=False)
    frame = frame.drop([find_column(frame, name, table.name) for name in drop])
    key = find_key(frame, "date", date, table.name)
    symbols = [name for name in frame.columns if name != key and not UNNAMED.fullmatch(name)]
    if not symbols:
        raise BarsError(f"{table.name} has no column of a symbol beside {key!r}")
    kinds = {kind_name(frame.schema[name]) for name in symbols if frame.schema[name] != pl.Null}
    if len(kinds) > 1:
        raise BarsError(
            f"the columns of {table.name} hold {' and '.join(sorted(kinds))}", hint="leave some out with drop="
        )
    try:
        long = frame.unpivot(symbols, index=key, variable_name="\0symbol", value_name="\0value")
    except RAISED as error:
        raise BarsError(f"the columns of {table.name} do not hold values of one kind: {error}") from error
    long = long.select(pl.col("\0symbol").alias("symbol"), pl.col(key).alias("date"), pl.col("\0value").alias(value))
    return table._replace(frame=long), [f"{plural(len(symbols), 'column')} read as symbols"]
