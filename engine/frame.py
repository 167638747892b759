"""Factors as columns of a caller's own frame, whatever it calls its columns and in whatever order its rows are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import numpy as np
import polars as pl

from factorloom.engine.panel import Panel
from factorloom.engine.plan.request import Factors, OneFactor, named_factors, refuse_keys
from factorloom.expressions.errors import UnknownColumnError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, col

__all__ = ["FrameFactors", "with_factors"]

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

ROW = "row of the frame"


class FrameFactors(Generic[Frame]):
    """`frame.fl`: factors as columns of a frame of Polars."""

    def __init__(self, frame: Frame) -> None:
        self._frame: Frame = frame

    def with_factors(
        self,
        factors: Factors = None,
        /,
        *more: OneFactor,
        symbol: str = "symbol",
        date: str = "date",
        **named: OneFactor,
    ) -> Frame:
        """The frame with a column for each factor; see the function `with_factors`."""
        return with_factors(self._frame, factors, *more, symbol=symbol, date=date, **named)


def with_factors(
    frame: Frame,
    factors: Factors = None,
    /,
    *more: OneFactor,
    symbol: str = "symbol",
    date: str = "date",
    **named: OneFactor,
) -> Frame:
    """A frame with a column for each factor; rows and columns stay as they are.

    Parameters
    ----------
    frame
        One row for each symbol and date, in any order. A lazy frame stays lazy.
    factors, more, named
        As for `Panel.compute`. Expressions of Polars use the names of the frame.
    symbol, date
        The key columns.

    Raises
    ------
    UnknownColumnError
        Where the frame lacks a key, or a column that a factor reads.
    BarsError
        Where the frame cannot be a panel: a key is repeated, a date cannot be read.

    Examples
    --------
    >>> import polars as pl, factorloom.polars
    >>> bars = pl.DataFrame({"day": ["2024-01-03", "2024-01-02"], "asset": ["A", "A"], "close": [11.0, 10.0]})
    >>> bars.fl.with_factors(pl.col("close").pct_change(1).alias("r"), symbol="asset", date="day")["r"].to_list()
    [0.10000000000000009, None]
    """
    wanted = named_factors(factors, more, named, keys=(symbol, date))
    refuse_keys(wanted, (symbol, date))
    schema = frame.collect_schema()
    columns: list[str] = sorted({name for factor in wanted.values() for name in factor.columns})
    for name in (symbol, date, *columns):
        if name not in schema:
            raise UnknownColumnError(f"the frame has no column {name!r}", hint=suggest(name, schema.names()))

    def add(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns(_computed(rows, wanted, columns, symbol, date))

    if isinstance(frame, pl.DataFrame):
        return add(frame)
    whole = {**schema, **dict.fromkeys(wanted, pl.Float64())}
    return frame.map_batches(
        add, schema=whole, predicate_pushdown=False, projection_pushdown=False, slice_pushdown=False
    )


def _computed(
    rows: pl.DataFrame, wanted: Mapping[str, Factor], columns: list[str], symbol: str, date: str
) -> list[pl.Series]:
    """The columns, in the order of the rows."""
    plain = {name: f"column {place}" for place, name in enumerate(columns)}  # names that mean nothing to the reader
    taken = {symbol: "symbol", date: "date", **plain}
    bars = rows.select(pl.col(name).alias(alias) for name, alias in taken.items()).with_row_index(ROW)
    panel = Panel.from_frame(bars, symbol="symbol", date="date")
    renamed = {name: factor.rebuild(lambda node: _renamed(node, plain)) for name, factor in wanted.items()}
    values = panel.compute(renamed)
    place = np.full(rows.height, -1)
    place[panel[ROW].to_numpy().astype(np.int64)] = np.arange(panel.rows)
    order = pl.Series(place)
    return [values[name].gather(order.replace(-1, None)) for name in wanted]


def _renamed(node: Factor, plain: Mapping[str, str]) -> Factor | None:
    return col(plain[str(node.parameters[0])]) if node.operator is COL else None
