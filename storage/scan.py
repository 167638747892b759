"""Factor values of a store as a lazy frame: a query computes or reads only what it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import polars as pl

from factorloom.engine.bars.selection import Selection
from factorloom.engine.lazy import Blocks, Query, lazy_frame, passing, schema_of
from factorloom.engine.panel import Engine
from factorloom.engine.plan.request import make_request
from factorloom.engine.result import check_options
from factorloom.expressions.errors import plural
from factorloom.expressions.factor import Factor
from factorloom.storage.backing import AsOf, Backing, refuse_unknown
from factorloom.storage.calculator import Calculator
from factorloom.storage.catalog import Catalog
from factorloom.storage.gather import selected, wanted_days
from factorloom.storage.panel import empty_panel
from factorloom.storage.runs import Journal, Run
from factorloom.storage.universe import within
from factorloom.storage.view import View

__all__ = ["scan"]

BLOCK_CELLS = 2**23
"""About so many values are read at once: 64 MiB."""


def scan(
    backing: Backing,
    journal: Journal,
    calculator: Calculator,
    dataset: str,
    factors: Mapping[str, Factor],
    selection: Selection,
    engine: Engine,
    as_of: AsOf,
    universe: str | None,
) -> pl.LazyFrame:
    """A lazy frame of the factors; what the dataset cannot give is refused at once."""
    view = backing.view(dataset, as_of)
    refuse_unknown(view, selection)
    empty = empty_panel(view)
    check_options(make_request(empty, within(view, universe, factors), (), {}), engine, None, None)

    def values(run: Run, view: View, wanted: Mapping[str, Factor], part: Selection, catalog: Catalog) -> pl.DataFrame:
        return calculator.compute(run, catalog, view, wanted, part, engine)

    def read(query: Query) -> Blocks:
        run = Run("scan", dataset)
        view = backing.view(dataset, as_of)
        wanted = within(view, universe, {name: factors[name] for name in query.factors})
        rows = 0
        for part in _parts(view, narrowed(view, selection, query), query, len(wanted) + 2):
            block = backing.on_newest(partial(values, run, view, wanted, part))
            rows += block.height
            yield block
            if query.head is not None and rows >= query.head:
                break
        journal.record(run, view.version, rows)

    schema = schema_of(empty.table.schema["date"], tuple(factors), "float64")
    return lazy_frame(schema, read, detail=f"{plural(len(factors), 'factor')} of dataset {dataset!r}")


def _parts(view: View, selection: Selection, query: Query, width: int) -> Iterator[Selection]:
    """The selection at once where it is small, else some symbols after the others."""
    days = int(wanted_days(view, selection).sum())
    symbols = view.symbols.to_list() if selection.symbols is None else sorted(set(selection.symbols))
    most = max(1, BLOCK_CELLS // width // max(1, days))
    if query.head is not None:
        most = max(1, min(most, -(-4 * query.head // max(1, days))))
    if most >= len(symbols) or not days:
        yield selection
        return
    for start in range(0, len(symbols), most):
        yield selection._replace(symbols=tuple(symbols[start : start + most]))


def narrowed(view: View, selection: Selection, query: Query) -> Selection:
    """The selection without the dates and symbols that fail the conditions of a query."""
    if query.on_date:
        chosen = selected(view, selection._replace(symbols=None), wanted_days(view, selection))
        dates = chosen.shown["date"].unique().sort()
        passed = np.flatnonzero(passing(dates, query.on_date)).tolist()
        kept = dates.gather(passed).to_list()
        if kept and len(kept) == passed[-1] - passed[0] + 1:  # a range is faster than a list
            selection = selection._replace(start=kept[0], end=kept[-1], dates=None)
        else:
            selection = selection._replace(start=None, end=None, dates=tuple(kept))
    if query.on_symbol:
        symbols = view.symbols if selection.symbols is None else pl.Series(sorted(set(selection.symbols)))
        selection = selection._replace(symbols=tuple(symbols.filter(pl.Series(passing(symbols, query.on_symbol)))))
    return selection
