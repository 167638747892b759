"""Read the attributes of symbols, such as the sector: text that does not change over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from factorloom.engine.bars.key import read_symbols
from factorloom.engine.bars.name import check_names, find_symbol, snake_case
from factorloom.engine.bars.number import cells
from factorloom.engine.bars.source import FILE_NAME, SourceTable
from factorloom.expressions.errors import BarsError, UnknownColumnError, suggest

__all__ = ["join_attributes", "read_attributes", "refuse_shared_columns", "split_columns"]


def read_attributes(table: SourceTable, *, symbol: str, columns: Mapping[str, str]) -> pl.DataFrame:
    """One row per symbol: `symbol`, the mapped columns, and every other text column under its name in snake case.

    Raises
    ------
    BarsError
        A symbol is missing or repeated, or there is no text column.
    """
    table = table._replace(frame=table.frame.drop(FILE_NAME, strict=False))
    key = _key(table, symbol)
    new_names = {source: name for name, source in columns.items()}
    kept: list[pl.Series] = [read_symbols(table.frame[key], table.frame)[0].cast(pl.String)]
    for column in table.frame.drop(key).iter_columns():
        if column.name in new_names:
            kept.append(_text(column).alias(new_names[column.name]))
        elif _is_text(column, textual=table.textual):
            kept.append(column.cast(pl.String).alias(snake_case(column.name)))
    check_names([column.name for column in kept])
    frame = pl.DataFrame(kept)
    if frame.width == 1:
        raise BarsError(f"{table.name} has no text column other than {key!r}", hint="map a column with columns=")
    return _unique(frame).sort("symbol")


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
    of_bars = {name: source for name, source in columns.items() if source in bars.frame.columns}
    of_attributes = {name: source for name, source in columns.items() if name not in of_bars}
    known = attributes.frame.columns
    for source in of_attributes.values():
        if source not in known:
            raise UnknownColumnError(
                f"the source has no column {source!r}", hint=suggest(source, [*bars.frame.columns, *known])
            )
    return of_bars, of_attributes


def join_attributes(bars: pl.DataFrame, attributes: pl.DataFrame | None) -> pl.DataFrame:
    """Join attributes to bars by symbol, in the order of the bars.

    Raises
    ------
    BarsError
        A column is in both tables.
    """
    if attributes is None:
        return bars
    refuse_shared_columns(bars.columns, attributes.columns)
    return bars.join(attributes, on="symbol", how="left", maintain_order="left")


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
        return find_symbol(table.frame, symbol, table.name)
    except UnknownColumnError:
        return find_symbol(table.frame, "symbol", table.name)


def _is_text(column: pl.Series, *, textual: bool) -> bool:
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return False
    numbers = column.cast(pl.String).cast(pl.Float64, strict=False)
    return not textual or bool((numbers.is_null() & column.is_not_null()).any())


def _text(column: pl.Series) -> pl.Series:
    """A mapped column as text; integer codes become text."""
    if column.dtype.is_integer() or column.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        return column.cast(pl.String)
    raise BarsError(f"attribute {column.name!r} must be text, got {column.dtype}")


def _unique(frame: pl.DataFrame) -> pl.DataFrame:
    repeated = frame["symbol"].is_duplicated()
    if repeated.any():
        raise BarsError(
            f"duplicate symbols in the attributes: {cells(frame['symbol'], repeated)}",
            hint="keep one row per symbol",
        )
    return frame
