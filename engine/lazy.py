"""Factor values as a lazy frame of Polars that computes no more than a query asks for.

Of the columns only those that the query reads are computed. What a filter says of dates alone, or of symbols alone, is
tried on the distinct dates and symbols first, and only the bars that remain are computed, with the history that they
need. The whole filter is then applied to the values, so that a query is right whatever it says.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import polars as pl
from polars.io.plugins import register_io_source

from factorloom.engine.bars.selection import Selection

__all__ = ["Source", "lazy_frame"]

Blocks: TypeAlias = Iterator[pl.DataFrame]


@dataclass(frozen=True)
class Source:
    """Where a lazy frame has its values from.

    Attributes
    ----------
    schema
        Symbol, date and the factors.
    selection
        The bars that the caller selected.
    dates
        Gives the distinct dates of these bars, sorted.
    symbols
        Gives their symbols, sorted, and in a column `rows` how many bars each has.
    compute
        Gives the keys and these factors of the bars of a selection, block by block; for no factors only keys.
    """

    schema: Mapping[str, pl.DataType]
    selection: Selection
    dates: Callable[[], pl.Series]
    symbols: Callable[[], pl.DataFrame]
    compute: Callable[[Sequence[str], Selection], Blocks]


def lazy_frame(source: Source) -> pl.LazyFrame:
    """The values of a source as a lazy frame."""
    symbol, date, *factors = source.schema

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, batch: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = list(source.schema) if columns is None else columns
        needed = {*wanted, *(predicate.meta.root_names() if predicate is not None else ())}
        selection = _first(source, rows) if rows is not None else _narrowed(source, symbol, date, predicate)
        names = [name for name in factors if name in needed]
        empty = pl.DataFrame(schema=dict(source.schema))
        left = rows
        for block in (empty,) if selection is None else source.compute(names, selection):
            kept = block if left is None else block.head(left)
            left = None if left is None else left - kept.height
            kept = (kept if predicate is None else kept.filter(predicate)).select(wanted)
            yield from kept.iter_slices(batch) if batch and kept.height else (kept,)
            if left == 0:
                return

    return register_io_source(read, schema=dict(source.schema), validate_schema=False, is_pure=True)


def _first(source: Source, rows: int) -> Selection:
    """The selection of the first symbols that have so many bars together; a filter comes after these."""
    counts = source.symbols()
    count = int((counts["rows"].cum_sum() < rows).sum()) + 1
    first = tuple(counts[counts.columns[0]].head(count))
    return source.selection._replace(symbols=first) if count < counts.height else source.selection


def _narrowed(source: Source, symbol: str, date: str, predicate: pl.Expr | None) -> Selection | None:
    """The selection of the bars that a filter can keep, or None for no bars."""
    selection = source.selection
    parts = [] if predicate is None else _conjuncts(json.loads(predicate.meta.serialize(format="json")))
    of_dates = [part for part in parts if set(part.meta.root_names()) == {date}]
    of_symbols = [part for part in parts if set(part.meta.root_names()) == {symbol}]
    if of_dates:
        known = source.dates()
        kept = known.to_frame(date).filter(of_dates)[date]
        if kept.is_empty():
            return None
        if kept.len() < known.len():
            selection = selection._replace(start=None, end=None, dates=_python_dates(kept))
    if of_symbols:
        known = source.symbols()[symbol]
        kept = known.to_frame(symbol).filter(of_symbols)[symbol]
        if kept.is_empty():
            return None
        if kept.len() < known.len():
            selection = selection._replace(symbols=tuple(kept.to_list()))
    return selection


def _python_dates(dates: pl.Series) -> tuple[dt.date, ...]:
    return tuple(dates.to_list())


def _conjuncts(tree: Any) -> list[pl.Expr]:
    """The conditions of which all must hold."""
    if isinstance(tree, dict) and "BinaryExpr" in tree and tree["BinaryExpr"]["op"] in ("And", "LogicalAnd"):
        return [*_conjuncts(tree["BinaryExpr"]["left"]), *_conjuncts(tree["BinaryExpr"]["right"])]
    return [pl.Expr.deserialize(io.StringIO(json.dumps(tree)), format="json")]
