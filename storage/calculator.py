"""Factor values of a dataset: read where they are cached, computed together where they are not."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock

import polars as pl

from factorloom.engine.panel import Engine, Panel
from factorloom.engine.runtime.progress import default_observer
from factorloom.expressions.factor import Factor
from factorloom.storage import cache, catalog
from factorloom.storage.cache import Place
from factorloom.storage.catalog import Dataset
from factorloom.storage.database import Database
from factorloom.storage.dataset import read_panel
from factorloom.storage.journal import Journal, Run
from factorloom.storage.selection import Selection, refuse_unknown
from factorloom.storage.sql import Cursor

__all__ = ["Calculator"]

RECENT = 2
"""Whole panels kept in memory."""


class Calculator:
    """Computes for one store object."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._panels: OrderedDict[tuple[str, int], Panel] = OrderedDict()
        self._lock = Lock()

    def panel(self, cursor: Cursor, entry: Dataset) -> Panel:
        """The panel of all bars of a dataset, made once per version while it is in use."""
        key = entry.name, entry.version
        with self._lock:
            panel = self._panels.pop(key, None)
        panel = panel or Panel.from_frame(read_panel(cursor, entry))
        with self._lock:
            self._panels[key] = panel
            while len(self._panels) > RECENT:
                self._panels.popitem(last=False)
        return panel

    def compute(
        self, run: Run, dataset: str, factors: Mapping[str, Factor], selection: Selection, engine: Engine
    ) -> tuple[Dataset, pl.DataFrame]:
        """Values of the selected bars, and the dataset version that they belong to.

        Reading waits for nobody. What is missing is computed and kept in a transaction of its own, and then
        the reading begins anew: a load may have come in between.
        """
        distinct = len({factor.digest for factor in factors.values()})
        while True:
            with self._database.reading() as cursor:
                entry = catalog.dataset(cursor, dataset)
                refuse_unknown(cursor, entry, selection.symbols)
                known = cache.labels(cursor, entry)
                places = cache.find(known, factors.values())
                if self._database.read_only:
                    places |= self._lend(cursor, entry, factors, places, engine, run)
                elif len(places) < distinct or not cache.is_labelled(known, factors):
                    places = {}
                if places:
                    run.hits = distinct - run.misses
                    return entry, cache.read(cursor, factors, places, selection)
            self._keep(dataset, factors, engine, run)

    def _keep(self, dataset: str, factors: Mapping[str, Factor], engine: Engine, run: Run) -> None:
        """Cache the factors that are not cached yet, and name all of them."""
        with self._journal.writing() as cursor:
            entry = catalog.dataset(cursor, dataset)
            places = cache.find(cache.labels(cursor, entry), factors.values())
            values = self._missing(cursor, entry, factors, places, engine, run)
            if values is not None:
                places |= cache.write(cursor, entry, values)
            cache.give(cursor, entry, factors, places)

    def _lend(
        self,
        cursor: Cursor,
        entry: Dataset,
        factors: Mapping[str, Factor],
        places: Mapping[str, Place],
        engine: Engine,
        run: Run,
    ) -> dict[str, Place]:
        """What a store that cannot be written computes for this call alone."""
        values = self._missing(cursor, entry, factors, places, engine, run)
        return {} if values is None else cache.hold(cursor, values)

    def _missing(
        self,
        cursor: Cursor,
        entry: Dataset,
        factors: Mapping[str, Factor],
        places: Mapping[str, Place],
        engine: Engine,
        run: Run,
    ) -> pl.DataFrame | None:
        """The values of factors that have no place, by digest, over the whole dataset."""
        missing = {factor.digest: factor for factor in factors.values() if factor.digest not in places}
        if not missing:
            return None
        observer = default_observer()
        values = self.panel(cursor, entry).compute(missing, engine=engine, observer=observer)
        run.misses += len(missing)
        run.kernel_runs += observer.kernels
        return values
