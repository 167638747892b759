"""Factor values of a store as a lazy frame: a query computes or reads only what it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from factorloom.engine.bars.read import encode_bars
from factorloom.engine.bars.selection import Selection
from factorloom.engine.lazy import Blocks, Query, lazy_frame, passing, schema_of
from factorloom.engine.panel import Engine, Panel
from factorloom.engine.plan.request import make_request
from factorloom.engine.result import check_options
from factorloom.expressions.errors import plural
from factorloom.expressions.factor import Factor
from factorloom.storage import cache, catalog
from factorloom.storage.cache import Location
from factorloom.storage.calculator import Calculator
from factorloom.storage.catalog import Dataset
from factorloom.storage.database import Database
from factorloom.storage.dataset import read_schema
from factorloom.storage.journal import Journal, Run
from factorloom.storage.sql import Cursor, condition, fetch, table, value

__all__ = ["scan"]

BLOCK_CELLS = 2**23
"""About so many values are read at once: 64 MiB."""

BLOCK_ROWS = 131_072
"""At least so many rows are read at once: a little more than DuckDB keeps together."""


def scan(
    database: Database,
    journal: Journal,
    calculator: Calculator,
    dataset: str,
    factors: Mapping[str, Factor],
    selection: Selection,
    engine: Engine,
) -> pl.LazyFrame:
    """A lazy frame of the factors; what the dataset cannot give is refused at once."""
    with database.reading() as cursor:
        entry = catalog.dataset(cursor, dataset)
        catalog.refuse_unknown(cursor, entry, selection)
        empty = Panel(encode_bars(read_schema(cursor, entry)))
    check_options(make_request(empty, factors, (), {}), engine, None, None)

    def read(query: Query) -> Blocks:
        run = Run("scan", dataset)
        wanted = {name: factors[name] for name in query.factors}
        rows = 0
        with calculator.located(run, dataset, wanted, selection, engine) as (cursor, entry, locations):
            try:
                for block in _blocks(cursor, entry, wanted, locations, selection, query):
                    rows += block.height
                    yield block
            except GeneratorExit:  # the query has what it needs; a row of the log is not worth writing now
                journal.count(run)
                raise
        journal.defer(run, entry, rows)

    schema = schema_of(empty.table.schema["date"], tuple(factors), "float64")
    return lazy_frame(schema, read, detail=f"{plural(len(factors), 'factor')} of dataset {dataset!r}")


def _blocks(
    cursor: Cursor,
    entry: Dataset,
    factors: Mapping[str, Factor],
    locations: Mapping[str, Location],
    selection: Selection,
    query: Query,
) -> Iterator[pl.DataFrame]:
    """The selected values: at once where they are few, else by stretches of rows of the stored tables."""
    selection = _narrowed(cursor, entry, selection, query)
    most = max(BLOCK_ROWS, BLOCK_CELLS // (len(factors) + 2))
    is_stored = all(location.schema == "cache" for location in locations.values())
    size = most if query.head is None else min(most, max(BLOCK_ROWS, query.head))
    if not is_stored or entry.rows <= size or (query.head is None and _count(cursor, entry, selection) <= size):
        yield cache.read(cursor, entry, factors, locations, selection)
        return
    left = query.head
    for start in range(0, entry.rows, size):
        block = cache.read(cursor, entry, factors, locations, selection, slice(start, start + size))
        yield block
        left = None if left is None else left - block.height
        if left is not None and left <= 0:
            return


def _count(cursor: Cursor, entry: Dataset, selection: Selection) -> int:
    if selection.unrestricted:
        return entry.rows
    chosen, terms = condition(selection, "t0")
    count: int = value(cursor, f"SELECT count(*) FROM {table('bars', entry.name)} AS t0 WHERE {chosen}", terms)
    return count


def _narrowed(cursor: Cursor, entry: Dataset, selection: Selection, query: Query) -> Selection:
    """The selection without the dates and symbols that fail the conditions of a query."""
    if query.on_date:
        dates = _distinct(cursor, entry, "date", selection._replace(symbols=None))
        chosen = np.flatnonzero(passing(dates, query.on_date)).tolist()
        kept = dates.gather(chosen).to_list()
        if kept and len(kept) == chosen[-1] - chosen[0] + 1:  # a range is faster than a list
            selection = selection._replace(start=kept[0], end=kept[-1])
        else:
            selection = selection._replace(dates=tuple(kept))
    if query.on_symbol:
        symbols = _distinct(cursor, entry, "symbol", Selection(symbols=selection.symbols))
        selection = selection._replace(symbols=tuple(symbols.filter(pl.Series(passing(symbols, query.on_symbol)))))
    return selection


def _distinct(cursor: Cursor, entry: Dataset, key: str, selection: Selection) -> pl.Series:
    """The dates, or symbols, of the selected bars, sorted."""
    chosen, terms = condition(selection, "t0")
    query = f"SELECT DISTINCT {key} FROM {table('bars', entry.name)} AS t0 WHERE {chosen}"
    return fetch(cursor, query, terms).to_series().sort()
