"""Attributes: text about a symbol that does not change from bar to bar, such as its sector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from factorloom.expressions.errors import BarsError, UnknownColumnError, suggest
from factorloom.storage.bars import check_names, clean, examples, find_column
from factorloom.storage.key import read_symbols
from factorloom.storage.reading import Table

__all__ = ["join_attributes", "read_attributes", "refuse_clash", "split_names"]


def read_attributes(table: Table, *, symbol: str, columns: Mapping[str, str]) -> pl.DataFrame:
    """One row per symbol: `symbol`, then the mapped columns, then every other text column in snake case.

    Raises
    ------
    BarsError
        A symbol is missing or repeated, or nothing is left to keep.
    """
    key = _key(table, symbol)
    named = {source: name for name, source in columns.items()}
    kept: list[pl.Series] = [read_symbols(table.frame[key], table.frame)]
    for column in table.frame.drop(key).iter_columns():
        if column.name in named:
            kept.append(_text(column).alias(named[column.name]))
        elif _is_text(column, textual=table.textual):
            kept.append(column.cast(pl.String).alias(clean(column.name)))
    check_names([column.name for column in kept])
    frame = pl.DataFrame(kept)
    if frame.width == 1:
        raise BarsError(f"{table.name} has no text column besides {key!r}", hint="map one with columns=")
    return _unique(frame).sort("symbol")


def split_names(
    columns: Mapping[str, str], bars: Table, attributes: Table | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Which of the wanted columns come from the bars and which from the attributes.

    Raises
    ------
    UnknownColumnError
        A column is in neither.
    """
    ours = {name: source for name, source in columns.items() if source in bars.frame.columns}
    theirs = {name: source for name, source in columns.items() if name not in ours}
    known = attributes.frame.columns if attributes else []
    for source in theirs.values():
        if source not in known:
            everything = [*bars.frame.columns, *known]
            raise UnknownColumnError(f"the source has no column {source!r}", hint=suggest(source, everything))
    return ours, theirs


def join_attributes(bars: pl.DataFrame, attributes: pl.DataFrame | None) -> pl.DataFrame:
    """The bars with the attributes of their symbols beside them, in the order of the bars.

    Raises
    ------
    BarsError
        A column is in both.
    """
    if attributes is None:
        return bars
    refuse_clash(bars.columns, attributes.columns)
    return bars.join(attributes, on="symbol", how="left", maintain_order="left")


def refuse_clash(bars: Sequence[str], attributes: Sequence[str]) -> None:
    """Refuse columns, the key left out, that both sides have."""
    ours = {name.lower() for name in bars} - {"symbol"}
    if clash := [name for name in attributes if name.lower() in ours]:
        raise BarsError(
            f"bars and attributes both have a column {clash[0]!r}",
            hint="give one another name with columns={'new name': 'old name'}",
        )


def _key(table: Table, symbol: str) -> str:
    try:
        return find_column(table, symbol)
    except UnknownColumnError:
        return find_column(table, "symbol")


def _is_text(column: pl.Series, *, textual: bool) -> bool:
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return False
    numbers = column.cast(pl.String).cast(pl.Float64, strict=False)
    return not textual or bool((numbers.is_null() & column.is_not_null()).any())


def _text(column: pl.Series) -> pl.Series:
    """A mapped column as text: codes written as whole numbers count as text."""
    if column.dtype.is_integer() or column.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        return column.cast(pl.String)
    raise BarsError(f"attribute {column.name!r} must be text, got {column.dtype}")


def _unique(frame: pl.DataFrame) -> pl.DataFrame:
    repeated = frame["symbol"].is_duplicated()
    if repeated.any():
        raise BarsError(
            f"the attributes repeat symbols: {examples(frame['symbol'], repeated)}",
            hint="keep one row per symbol",
        )
    return frame
