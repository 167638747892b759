"""Compute factors of a dataset: read the cached ones, compute the others together and cache them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

import polars as pl

from factorloom.engine.bars.read import encode_bars
from factorloom.engine.bars.selection import Selection
from factorloom.engine.panel import Engine, Panel
from factorloom.engine.runtime.progress import default_observer
from factorloom.expressions.factor import Factor
from factorloom.storage import cache, catalog
from factorloom.storage.cache import Location
from factorloom.storage.catalog import Dataset
from factorloom.storage.database import Database
from factorloom.storage.dataset import read_panel
from factorloom.storage.journal import Journal, Run
from factorloom.storage.sql import Cursor

__all__ = ["Calculator"]

KEPT: Engine = "numba"
"""The engine whose values are cached: engines agree to 1e-9, and what is cached never depends on who asked first."""

MAX_PANELS = 2
"""Panels of all bars of a dataset that are kept in memory."""


class Calculator:
    """Computes factors for one store object."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._panels: OrderedDict[tuple[str, int], Panel] = OrderedDict()
        self._lock = Lock()

    def panel(self, cursor: Cursor, entry: Dataset) -> Panel:
        """The panel of all bars of a dataset, cached by version."""
        key = entry.name, entry.version
        with self._lock:
            panel = self._panels.pop(key, None)
        panel = Panel(encode_bars(read_panel(cursor, entry))) if panel is None else panel
        with self._lock:
            self._panels[key] = panel
            while len(self._panels) > MAX_PANELS:
                self._panels.popitem(last=False)
        return panel

    def compute(
        self, run: Run, dataset: str, factors: Mapping[str, Factor], selection: Selection, engine: Engine
    ) -> tuple[Dataset, pl.DataFrame]:
        """Values of the selected bars, and the entry of the dataset version that they belong to."""
        with self.located(run, dataset, factors, selection, engine) as (cursor, entry, locations):
            return entry, cache.read(cursor, entry, factors, locations, selection)

    @contextmanager
    def located(
        self, run: Run, dataset: str, factors: Mapping[str, Factor], selection: Selection, engine: Engine
    ) -> Iterator[tuple[Cursor, Dataset, Mapping[str, Location]]]:
        """A cursor on one snapshot, the entry of the dataset version in it, and where its factor values are.

        Reading never waits for a writer. Missing factors are computed and cached in a separate transaction; then the
        read is repeated, since a load may have been committed in between.
        """
        distinct = len({factor.digest for factor in factors.values()})
        while True:
            with self._database.reading() as cursor:
                entry = catalog.dataset(cursor, dataset)
                catalog.refuse_unknown(cursor, entry, selection)
                known = cache.labels(cursor, entry) if engine == KEPT else []
                locations = cache.find(known, factors.values())
                is_temporary = engine != KEPT or self._database.read_only
                if is_temporary:
                    locations |= self._compute_temporary(cursor, entry, factors, locations, engine, run)
                if is_temporary or (len(locations) == distinct and cache.is_labelled(known, factors)):
                    run.hits = distinct - run.misses
                    yield cursor, entry, locations
                    return
            self._fill_cache(dataset, factors, run)

    def _fill_cache(self, dataset: str, factors: Mapping[str, Factor], run: Run) -> None:
        """Compute and cache the missing factors, and label all of them."""
        with self._journal.writing() as cursor:
            entry = catalog.dataset(cursor, dataset)
            locations = cache.find(cache.labels(cursor, entry), factors.values())
            values = self._compute_missing(cursor, entry, factors, locations, KEPT, run)
            if values is not None:
                locations |= cache.write(cursor, entry, values)
            cache.label_columns(cursor, entry, factors, locations)

    def _compute_temporary(
        self,
        cursor: Cursor,
        entry: Dataset,
        factors: Mapping[str, Factor],
        locations: Mapping[str, Location],
        engine: Engine,
        run: Run,
    ) -> dict[str, Location]:
        """Compute the missing factors for this call only."""
        values = self._compute_missing(cursor, entry, factors, locations, engine, run)
        return {} if values is None else cache.register(cursor, values)

    def _compute_missing(
        self,
        cursor: Cursor,
        entry: Dataset,
        factors: Mapping[str, Factor],
        locations: Mapping[str, Location],
        engine: Engine,
        run: Run,
    ) -> pl.DataFrame | None:
        """Compute the factors that have no location, over all bars; columns are named by digest."""
        names = {factor.digest: name for name, factor in factors.items() if factor.digest not in locations}
        if not names:
            return None
        observer = default_observer()
        missing = {name: factors[name] for name in names.values()}
        values = self.panel(cursor, entry).compute(missing, engine=engine, observer=observer)
        run.misses += len(missing)
        run.kernel_runs += observer.kernels
        return values.rename({name: digest for digest, name in names.items()})
