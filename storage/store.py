"""The public interface of a store: load bars, compute and score factors, run SQL."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Unpack

import msgspec
import polars as pl

from factorloom.engine.bars.quality import QualityReport
from factorloom.engine.bars.read import ReadOptions, read_table
from factorloom.engine.bars.selection import Dates, Symbols, When, select
from factorloom.engine.panel import Engine, Panel
from factorloom.engine.plan.request import Factors, OneFactor, named_factors
from factorloom.expressions.errors import ArgumentError, StoreError
from factorloom.storage.backing import AsOf, Backing, refuse_unknown
from factorloom.storage.catalog import Catalog, check_name
from factorloom.storage.dataset import Source, load
from factorloom.storage.dated import Dated
from factorloom.storage.evaluating import Evaluating
from factorloom.storage.folder import find_folder
from factorloom.storage.gather import selected_bars
from factorloom.storage.insight import Insight
from factorloom.storage.panel import panel_of
from factorloom.storage.query import Parameters
from factorloom.storage.runs import Counters, Run
from factorloom.storage.saved import check_names
from factorloom.storage.saving import Saving
from factorloom.storage.scan import scan
from factorloom.storage.scoring import Scoring
from factorloom.storage.setting import limits_of
from factorloom.storage.tier import CacheLimits, Tiers
from factorloom.storage.universe import within
from factorloom.storage.upkeep import Upkeep
from factorloom.storage.view import View

__all__ = ["Store", "open_store"]

WAIT = 60.0
"""Seconds for which a writer waits for another."""


class Store(Dated, Saving, Scoring, Insight, Evaluating, Upkeep):
    """Bars, factors and scores in one folder; created by `open_store`.

    Any number of processes and threads read while one writes, and wait for nobody: each call sees the version that was
    the newest when it began.

    Attributes
    ----------
    path : str
    read_only : bool
    """

    def load(
        self,
        dataset: str,
        source: object,
        *,
        attributes: object = None,
        **options: Unpack[ReadOptions],
    ) -> QualityReport:
        """Check bars and merge them into a dataset by (symbol, date).

        New rows are inserted and rows that differ are updated. A column that the source lacks keeps its values; a new
        column is missing in older rows. A load is atomic: if it fails, nothing changes.

        Parameters
        ----------
        dataset
            The name: lower-case letters, digits and `_`. A new dataset is created.
        source
            A table of bars of any kind, as for `Panel.from_frame`: a frame, a file, a folder, a pattern of paths.
        attributes
            A path or table with one row per symbol and text columns, such as the sector. They are joined to every
            panel. `symbol` and `columns` apply to it too, the other options do not.
        **options
            How the table is to be read: `ReadOptions` lists them, docs/data.md explains them. `columns` may also
            rename columns of the attributes.

        Returns
        -------
        QualityReport
            What was changed, and the findings of the quality checks on the dataset.

        Raises
        ------
        BarsError
            The source cannot be read, or its bars have invalid keys or do not fit the stored ones.
        UnknownColumnError
            A key column, or one that an option names, does not exist.
        ArgumentError, ParameterError
            The source is no table, or an option is not one or has a wrong value.
        DatasetError
            The name is invalid.
        """
        self._backing.check_open()
        run = Run("load", check_name(dataset))
        tables = Source(
            bars=read_table(source, options),
            attributes=None if attributes is None else read_table(attributes, {}),
            options=options,
        )
        report = load(self._backing, dataset, tables)
        self._journal.record(run, report.version, report.inserted + report.updated + report.unchanged)
        return report

    def panel(
        self,
        dataset: str,
        *,
        start: When | None = None,
        end: When | None = None,
        symbols: Symbols | None = None,
        dates: Dates | None = None,
        as_of: AsOf = None,
    ) -> Panel:
        """A panel of the bars of a dataset, with attributes.

        A factor computed on the panel sees only the selected bars; `compute` sees the whole history.

        Parameters
        ----------
        start, end
            The first and last date, both included, as dates, datetimes or ISO text.
        symbols
            The symbols, or a single one, by default all.
        dates
            Only this date, or exactly the dates of a list.
        as_of
            A version, or a time in UTC: what was known then. By default the newest version.

        Raises
        ------
        ParameterError
            A symbol, or one of `dates`, has no bars; or nothing was known then.
        StoreError
            No bars are selected.
        """
        selection = select(start, end, symbols, dates)
        view = self._backing.view(dataset, as_of)
        if selection.unrestricted:
            return self._calculator.panel(view)
        refuse_unknown(view, selection)
        return panel_of(selected_bars(view, selection))

    def compute(
        self,
        dataset: str,
        factors: Factors = None,
        /,
        *more: OneFactor,
        start: When | None = None,
        end: When | None = None,
        symbols: Symbols | None = None,
        dates: Dates | None = None,
        engine: Engine = "numba",
        as_of: AsOf = None,
        universe: str | None = None,
        **named: OneFactor,
    ) -> pl.DataFrame:
        """The values of factors on the selected bars, each as on the whole history.

        Values that are at hand are read, also those of other versions whose bars are the same as far as a factor
        reaches. The others are computed for the days that are asked for, and kept, unless the store is read-only.

        Parameters
        ----------
        factors, more, named
            A mapping of name to factor, factors by keyword, or bare factors and lists of them, which are named by their
            text. Each is a factor, or one in text, such as `"cs_rank(close)"`.
        start, end, symbols, dates, as_of
            As for `panel`.
        engine
            `"numba"`, or `"polars"`, whose values are computed anew and not kept.
        universe
            The name of a universe: values outside it are missing, also in the inputs of cross-sections.

        Returns
        -------
        polars.DataFrame
            `symbol`, `date` and one Float64 column per factor, by symbol and date; missing is null.

        Raises
        ------
        MemoryLimitError
            The result is larger than what the process may use; nothing is computed then. `scan` gives it in parts.
        """
        run = Run("compute", dataset)
        selection = select(start, end, symbols, dates)
        wanted = named_factors(factors, more, named)
        check_names(wanted)

        def work(catalog: Catalog) -> tuple[View, pl.DataFrame]:
            view = self._backing.view(dataset, as_of, catalog)
            refuse_unknown(view, selection)
            seen = within(view, universe, wanted)
            return view, self._calculator.compute(run, catalog, view, seen, selection, engine)

        view, values = self._backing.on_newest(work)
        self._journal.record(run, view.version, values.height)
        return values

    def scan(
        self,
        dataset: str,
        factors: Factors = None,
        /,
        *more: OneFactor,
        start: When | None = None,
        end: When | None = None,
        symbols: Symbols | None = None,
        dates: Dates | None = None,
        engine: Engine = "numba",
        as_of: AsOf = None,
        universe: str | None = None,
        **named: OneFactor,
    ) -> pl.LazyFrame:
        """What `compute` gives, as a lazy frame: a query computes or reads only the factors and bars that it needs.

        Every run of a query sees the dataset as it then is. Conditions on the date or on the symbol that a filter joins
        by `&` choose the bars that are read. Much is read block by block, so that `sink_parquet` takes little memory.

        Parameters
        ----------
        factors, more, named, start, end, symbols, dates, engine, as_of, universe
            As for `compute`.

        Raises
        ------
        DatasetError, UnknownColumnError, ParameterError, ArgumentError
            At once: there is no such dataset, it lacks a column that a factor reads, a symbol or a date has no bars, or
            an argument is wrong.

        Examples
        --------
        >>> import factorloom as fl, polars as pl
        >>> with fl.open_store(":memory:") as store:
        ...     report = store.load("tiny", fl.example())
        ...     lazy = store.scan("tiny", change=fl.returns, rank=fl.cs_rank(fl.close))
        ...     print(lazy.filter(pl.col("date") == pl.date(2024, 1, 4)).select("symbol", "change").collect().rows())
        [('A', 0.09090909090909083), ('B', 0.1578947368421053), ('C', 0.3999999999999999)]
        """
        selection = select(start, end, symbols, dates)
        wanted = named_factors(factors, more, named)
        check_names(wanted)
        return scan(self._backing, self._journal, self._calculator, dataset, wanted, selection, engine, as_of, universe)

    def sql(
        self, query_text: str, params: Parameters = None, *, as_of: AsOf = None, max_rows: int | None = None
    ) -> pl.DataFrame:
        """Query the store with one read-only SQL statement.

        Tables: `bars.<dataset>`, `attributes.<dataset>`, `universes.<dataset>`, `factors.<dataset>` with the saved
        factors, `scores.<dataset>`, and `catalog.datasets`, `versions`, `factors`, `runs` and `cache`.

        Parameters
        ----------
        query_text
            The statement, with `?` or `$name` for parameters.
        params
            A list for `?`, a mapping for `$name`.
        as_of
            A version, or a time in UTC: datasets as they were known then.
        max_rows
            A result with more rows is refused.

        Raises
        ------
        StoreError
            The statement is invalid, it writes, or its result is too large.
        """
        self._settle(patient=False)
        return self._queries.run(query_text, params, as_of=as_of, max_rows=max_rows)

    def datasets(self) -> pl.DataFrame:
        """One row per dataset: `name, version, symbols, rows, start, end, columns, loaded_at`."""
        rows = [msgspec.structs.asdict(each) for each in self._backing.catalog().datasets.values()]
        return pl.DataFrame(rows, schema=DATASETS)

    def version(self, dataset: str) -> int:
        """The version of a dataset: the number of loads that changed it."""
        return self._backing.dataset(dataset).version

    @property
    def counters(self) -> Counters:
        """Cache hits and misses of this object, and the kernels run for the misses."""
        return self._journal.counters

    @property
    def path(self) -> str:
        """The absolute path of the folder."""
        return self._backing.folder.name

    @property
    def read_only(self) -> bool:
        """Whether the store is open for reading only."""
        return self._backing.read_only

    def close(self) -> None:
        """Close the store. Closing it again has no effect."""
        if not self._backing.closed:
            try:
                self._settle()
            finally:
                self._queries.close()
                self._backing.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._backing.closed else "read only" if self.read_only else "open"
        return f"<Store {self.path}: {state}>"


def open_store(
    path: str | os.PathLike[str],
    *,
    read_only: bool = False,
    wait: float = WAIT,
    cache: CacheLimits | None = None,
) -> Store:
    """Open a store; creates it if the folder does not exist.

    Parameters
    ----------
    path
        The store's folder, in an existing folder. `":memory:"` is a temporary store, which is gone when it is closed.
    read_only
        Open for reading only: nothing is kept, and the folder need not be writable.
    wait
        Seconds for which a call that writes waits while another process writes; 0 fails at once.
    cache
        How much is kept of computed values, in memory and in files; by default as `settings.toml` in the folder says.

    Notes
    -----
    Any number of processes can open a store, for reading and for writing; they write one after the other, each for a
    short time. A forked process cannot use the stores of its parent.

    Raises
    ------
    StoreError
        The folder is not a store, is damaged, was written by a later release, or its `settings.toml` is invalid. It is
        not changed.

    Examples
    --------
    >>> import factorloom as fl, polars as pl
    >>> bars = pl.DataFrame({"symbol": ["A", "A"], "date": ["2024-01-02", "2024-01-03"], "close": [10, 15]})
    >>> with fl.open_store(":memory:") as store:
    ...     report = store.load("tiny", bars)
    ...     print(store.compute("tiny", {"change": fl.returns})["change"].to_list())
    [None, 0.5]
    """
    if isinstance(wait, bool) or not isinstance(wait, int | float) or wait < 0:
        raise ArgumentError(f"wait must be a number of seconds, got {wait!r}")
    folder = find_folder(path, read_only=read_only)
    if read_only and not folder.lasting:
        raise StoreError("a store in memory cannot be read only", hint="open it without read_only")
    if cache is not None and not isinstance(cache, CacheLimits):
        raise ArgumentError(f"cache must be CacheLimits, got {type(cache).__name__}")
    tiers = Tiers(limits_of(folder) if cache is None else cache)
    return Store(Backing(folder, read_only=read_only, wait=float(wait)), tiers)


DATASETS: dict[str, Any] = {
    "name": pl.String,
    "version": pl.Int64,
    "symbols": pl.Int64,
    "rows": pl.Int64,
    "start": pl.Date,
    "end": pl.Date,
    "columns": pl.List(pl.String),
    "loaded_at": pl.Datetime("us"),
}
