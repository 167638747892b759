"""Read the attributes of symbols, such as the sector: text that does not change over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from factorloom.engine.bars.csv import CsvOptions
from factorloom.engine.bars.key import read_symbols
from factorloom.engine.bars.name import check_names, find_column, find_key, snake_case
from factorloom.engine.bars.number import read_values
from factorloom.engine.bars.shown import cells
from factorloom.engine.bars.source import FILE_NAME, SourceTable
from factorloom.expressions.errors import BarsError, UnknownColumnError

__all__ = ["read_attributes", "refuse_shared_columns", "split_columns"]


def read_attributes(
    table: SourceTable, *, symbol: str, columns: Mapping[str, str], unique: bool = True
) -> pl.DataFrame:
    """`symbol`, the mapped columns, and every other text column under its name in snake case.

    There is one row per symbol; without `unique` there may be many.

    Raises
    ------
    BarsError
        A symbol is missing or repeated, or there is no text column.
    """
    table = table._replace(frame=table.frame.drop(FILE_NAME, strict=False))
    key = _key(table, symbol)
    new_names = {source: name for name, source in columns.items()}
    symbols, _ = read_symbols(table.frame[key], table.frame)
    values = read_values(
        table.frame.drop(key),
        textual=table.textual,
        types=dict.fromkeys(new_names, "text"),
        stored={},
        csv=CsvOptions(),
        dtype=None,
    )
    kept = [symbols.cast(pl.String)]
    for column in values.columns:
        if column.dtype == pl.Enum:
            name = new_names.get(column.name, snake_case(column.name))
            kept.append(column.cast(pl.String).alias(name))
    check_names([column.name for column in kept])
    frame = pl.DataFrame(kept)
    if frame.width == 1:
        raise BarsError(f"{table.name} has no text column other than {key!r}", hint="map a column with columns=")
    return _unique(frame).sort("symbol") if unique else frame


def split_columns(
    columns: Mapping[str, str], bars: SourceTable, attributes: SourceTable | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Split a column mapping into the columns of the bars and those of the attributes.

    Raises
    ------
    UnknownColumnError
        A column is in neither table.
    """
    if attributes is None:
        return dict(columns), {}
    of_bars: dict[str, str] = {}
    of_attributes: dict[str, str] = {}
    for name, source in columns.items():
        try:
            of_bars[name] = find_column(bars.frame, source, bars.name)
        except UnknownColumnError:
            of_attributes[name] = find_column(attributes.frame, source, "neither table")
    return of_bars, of_attributes


def refuse_shared_columns(bars: Sequence[str], attributes: Sequence[str]) -> None:
    """Refuse a column, other than the key, that is in both tables."""
    taken = {name.lower() for name in bars} - {"symbol"}
    if clashes := [name for name in attributes if name.lower() in taken]:
        raise BarsError(
            f"bars and attributes both have a column {clashes[0]!r}",
            hint="rename one with columns={'new name': 'old name'}",
        )


def _key(table: SourceTable, symbol: str) -> str:
    try:
        return find_key(table.frame, "symbol", symbol, table.name)
    except UnknownColumnError:
        return find_key(table.frame, "symbol", "symbol", table.name)


def _unique(frame: pl.DataFrame) -> pl.DataFrame:
    repeated = frame["symbol"].is_duplicated()
    if repeated.any():
        raise BarsError(
            f"duplicate symbols in the attributes: {cells(frame['symbol'], repeated)}",
            hint="keep one row per symbol",
        )
    return frame
