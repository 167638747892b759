"""Results that are computed when a query of Polars runs, and only as far as the query needs them.

Polars gives a source the columns, the filter and the number of rows that a query wants. A filter is split at its `&`.
The parts that read only dates, or only symbols, are evaluated on the distinct dates and symbols: what passes is all
that is computed. Then the whole filter is applied to the values, so that its meaning is always that of Polars.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import KEYS
from factorloom.engine.bars.selection import Mask
from factorloom.expressions.errors import FactorloomError
from factorloom.expressions.polars.tree import Tree, tree_of

__all__ = ["Blocks", "Query", "lazy_frame", "narrowed", "passing", "schema_of", "slices"]

Blocks: TypeAlias = Generator[pl.DataFrame, None, None]

BLOCK_ROWS = 1_000_000
"""The most rows of a frame that Polars is given, unless it asks for fewer."""


class Query(NamedTuple):
    """What a query needs of a source.

    Attributes
    ----------
    factors
        The names of the factors that it reads.
    on_date, on_symbol
        Conditions on the date, or the symbol, of which all must hold. Rows that fail may be left out, and need not be.
    head
        It reads no more than so many rows, the first ones; None for all.
    """

    factors: tuple[str, ...]
    on_date: tuple[pl.Expr, ...] = ()
    on_symbol: tuple[pl.Expr, ...] = ()
    head: int | None = None


def lazy_frame(schema: pl.Schema, read: Callable[[Query], Blocks], *, detail: str) -> pl.LazyFrame:
    """A lazy frame whose rows come from `read`: blocks of symbol, date and the factors of the query, in order.

    Where Polars limits the rows of a source it applies a filter after that, so that nothing but the limit counts.
    """

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, head: int | None, block_rows: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = list(schema) if columns is None else columns
        used = {*wanted, *(() if predicate is None else predicate.meta.root_names())}
        factors = tuple(name for name in schema if name in used and name not in KEYS)
        conditions = [] if predicate is None or head is not None else _conditions(predicate)
        query = Query(factors, _reading("date", conditions), _reading("symbol", conditions), head)
        return _finished(read(query), wanted, predicate, head, block_rows or BLOCK_ROWS)

    return register_io_source(source, schema=schema, is_pure=True, explain_name="factorloom", explain_detail=detail)


def schema_of(date: pl.DataType, factors: Sequence[str], dtype: str) -> pl.Schema:
    """The columns of a result."""
    number = pl.Float32() if dtype == "float32" else pl.Float64()
    return pl.Schema({"symbol": pl.String(), "date": date, **dict.fromkeys(factors, number)})


def passing(values: pl.Series, conditions: Sequence[pl.Expr]) -> Mask:
    """Which of these dates or symbols meet all conditions; a condition that cannot be evaluated keeps them all."""
    kept = np.ones(values.len(), np.bool_)
    for condition in conditions:
        with contextlib.suppress(Exception):  # it may fail on a value that no row of the result has
            kept &= values.to_frame().select(condition.cast(pl.Boolean).fill_null(False)).to_series().to_numpy()
    return kept


def narrowed(query: Query, bars: Bars, chosen: Mask | None) -> Mask | None:
    """The rows that a query reads of the chosen ones; None for all."""
    if query.head is not None and query.head < bars.rows:
        first = np.flatnonzero(np.ones(bars.rows, np.bool_) if chosen is None else chosen)[: query.head]
        chosen = np.zeros(bars.rows, np.bool_)
        chosen[first] = True
    if query.on_date:
        on_date = passing(bars.dates, query.on_date)[bars.date_codes]
        chosen = on_date if chosen is None else chosen & on_date
    if query.on_symbol:
        on_symbol = np.repeat(passing(bars.symbols, query.on_symbol), np.diff(bars.by_symbol))
        chosen = on_symbol if chosen is None else chosen & on_symbol
    return chosen


def slices(frame: pl.DataFrame, rows: int) -> Iterator[pl.DataFrame]:
    """A frame in pieces of so many rows, at least one."""
    for start in range(0, max(frame.height, 1), rows):
        yield frame.slice(start, rows)


def _finished(
    blocks: Blocks, columns: list[str], predicate: pl.Expr | None, head: int | None, block_rows: int
) -> Iterator[pl.DataFrame]:
    """The blocks as Polars wants them: limited, filtered, with the columns of the query."""
    left, is_first = head, True
    with contextlib.closing(blocks):
        for block in blocks:
            for piece in slices(block, block_rows):
                frame = piece if left is None else piece.head(left)
                left = None if left is None else left - frame.height
                frame = frame if predicate is None else frame.filter(predicate)
                if is_first or frame.height:
                    yield frame.select(columns)
                is_first = False
            if left == 0:
                return


def _conditions(predicate: pl.Expr) -> list[pl.Expr]:
    """The parts of a filter that it joins by `&`."""
    try:
        return list(_parts(predicate, tree_of(predicate)))
    except FactorloomError:  # nested too deep, or with a function that cannot be written down
        return [predicate]


def _reading(key: str, conditions: Sequence[pl.Expr]) -> tuple[pl.Expr, ...]:
    """The conditions that read this column alone."""
    return tuple(condition for condition in conditions if set(condition.meta.root_names()) == {key})


def _parts(expression: pl.Expr, tree: Tree) -> Iterator[pl.Expr]:
    """What an expression joins by `&`."""
    stack = [(expression, tree)]
    while stack:
        part, structure = stack.pop()
        node = structure.get("BinaryExpr") if isinstance(structure, dict) else None
        if node is None or node["op"] not in ("And", "LogicalAnd"):
            yield part
            continue
        right, left = part.meta.pop()
        stack += [(right, node["right"]), (left, node["left"])]
