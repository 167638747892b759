"""Factors of a dataset as a lazy frame: a query reads or computes only the columns and bars that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import polars as pl

from factorloom.engine.bars.selection import Selection
from factorloom.engine.lazy import Source, lazy_frame
from factorloom.expressions.errors import StoreError
from factorloom.expressions.factor import Factor
from factorloom.storage import catalog
from factorloom.storage.database import Database
from factorloom.storage.sql import by_key, condition, fetch, table

__all__ = ["Compute", "scan"]

Compute = Callable[[Mapping[str, Factor], Selection], pl.DataFrame]

BLOCK_ROWS = 1_000_000
"""About so many bars are read at a time."""


def scan(
    database: Database, dataset: str, factors: Mapping[str, Factor], selection: Selection, compute: Compute
) -> pl.LazyFrame:
    """The values of the selected bars of the dataset as it is now; `compute` gives those of a smaller selection."""
    with database.reading() as cursor:
        entry = catalog.dataset(cursor, dataset)
        catalog.refuse_unknown(cursor, entry, selection)
        bars = table("bars", entry.name)
        day = fetch(cursor, f"SELECT date FROM {bars} LIMIT 0").schema["date"]

    def keys(chosen: Selection, columns: str) -> pl.DataFrame:
        where, terms = condition(chosen, "bars")
        with database.reading() as cursor:
            return fetch(cursor, f"SELECT {columns} FROM {bars} AS bars WHERE {where}", terms)

    def blocks(names: Sequence[str], part: Selection) -> Iterator[pl.DataFrame]:
        if not names:
            yield by_key(keys(part, "symbol, date"))
            return
        wanted = {name: factors[name] for name in names}
        for piece in pieces(part):
            values = compute(wanted, piece)
            with database.reading() as cursor:
                if catalog.dataset(cursor, dataset).version != entry.version:
                    raise StoreError(f"dataset {dataset!r} was changed since the scan began", hint="scan it again")
            yield values

    def pieces(part: Selection) -> Iterator[Selection]:
        """The selection, or parts of it with some symbols each where it is large."""
        if entry.rows <= 2 * BLOCK_ROWS or part.dates is not None:
            yield part
            return
        counts = symbols(part)
        place = (counts["rows"].cum_sum() - 1) // BLOCK_ROWS
        for number in place.unique(maintain_order=True):
            yield part._replace(symbols=tuple(counts["symbol"].filter(place == number)))

    def dates() -> pl.Series:
        return keys(selection, "DISTINCT date")["date"].sort()

    def symbols(chosen: Selection) -> pl.DataFrame:
        return keys(chosen, "symbol").group_by("symbol").agg(rows=pl.len()).sort("symbol")

    values = dict.fromkeys(factors, pl.Float64())
    schema = {"symbol": pl.String(), "date": day, **values}
    return lazy_frame(Source(schema, selection, dates, lambda: symbols(selection), blocks))
