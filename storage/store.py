"""The public interface of a store: load bars, compute and score factors, run SQL."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Unpack

import polars as pl

from factorloom.engine.bars.quality import QualityReport
from factorloom.engine.bars.read import ReadOptions, encode_bars, read_table
from factorloom.engine.bars.selection import Dates, Selection, Symbols, When, select
from factorloom.engine.panel import Engine, Panel
from factorloom.engine.plan.request import Factors, OneFactor, named_factors
from factorloom.engine.research.model import ScoreModel
from factorloom.expressions.errors import ArgumentError
from factorloom.storage import catalog, stored_score
from factorloom.storage.cache import check_names
from factorloom.storage.calculator import Calculator
from factorloom.storage.database import Database, open_database
from factorloom.storage.dataset import Source, load, read_panel
from factorloom.storage.journal import Counters, Journal, Run
from factorloom.storage.query import Parameters, query
from factorloom.storage.scan import scan

__all__ = ["Store", "open_store"]


class Store:
    """Bars, factors and scores in one DuckDB file; created by `open_store`.

    A store can be used from many threads. Readers see a consistent snapshot and never wait; writers run one at a time.

    Attributes
    ----------
    path : str
    read_only : bool
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._journal = Journal(database)
        self._calculator = Calculator(database, self._journal)

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
        self._database.check_open()
        run = Run("load", catalog.check_name(dataset))
        tables = Source(
            bars=read_table(source, options),
            attributes=None if attributes is None else read_table(attributes, {}),
            options=options,
        )
        with self._journal.writing() as cursor:
            report = load(cursor, dataset, tables)
            rows = report.inserted + report.updated + report.unchanged
            self._journal.record(cursor, run, catalog.dataset(cursor, dataset), rows)
        if report.changed:
            self._database.checkpoint()
        return report

    def panel(
        self,
        dataset: str,
        *,
        start: When | None = None,
        end: When | None = None,
        symbols: Symbols | None = None,
        dates: Dates | None = None,
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

        Raises
        ------
        ParameterError
            A symbol, or one of `dates`, has no bars.
        StoreError
            No bars are selected.
        """
        selection = select(start, end, symbols, dates)
        with self._database.reading() as cursor:
            entry = catalog.dataset(cursor, dataset)
            if selection.unrestricted:
                return self._calculator.panel(cursor, entry)
            catalog.refuse_unknown(cursor, entry, selection)
            return Panel(encode_bars(read_panel(cursor, entry, selection)))

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
        **named: OneFactor,
    ) -> pl.DataFrame:
        """Compute factors over all bars of a dataset, and return the values of the selected bars.

        Factors that were computed before on this version of the dataset are read from the store. The others are
        computed together and stored, unless the store is read-only.

        Parameters
        ----------
        factors, more, named
            A mapping of name to factor, factors by keyword, or bare factors and lists of them, which are named by their
            text. Each is a factor, or one in text, such as `"cs_rank(close)"`.
        start, end, symbols, dates
            As for `panel`.
        engine
            `"numba"`, or `"polars"`, whose values are computed anew and not stored.

        Returns
        -------
        polars.DataFrame
            `symbol`, `date` and one Float64 column per factor, by symbol and date; missing is null.
        """
        run = Run("compute", dataset)
        selection = select(start, end, symbols, dates)
        wanted = named_factors(factors, more, named)
        check_names(wanted)
        entry, values = self._calculator.compute(run, dataset, wanted, selection, engine)
        self._journal.defer(run, entry, values.height)
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
        **named: OneFactor,
    ) -> pl.LazyFrame:
        """What `compute` gives, as a lazy frame: a query computes or reads only the factors and bars that it needs.

        Every run of a query sees the dataset as it then is. Conditions on the date or on the symbol that a filter joins
        by `&` choose the bars that are read. Much is read block by block, so that `sink_parquet` takes little memory.

        Parameters
        ----------
        factors, more, named, start, end, symbols, dates, engine
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
        return scan(self._database, self._journal, self._calculator, dataset, wanted, selection, engine)

    def score(self, dataset: str, model: ScoreModel, *, date: When | None = None) -> pl.DataFrame:
        """Score the symbols of one date, and store the scores in `scores.<dataset>`.

        Parameters
        ----------
        model
            The score model.
        date
            A date with bars, by default the last.

        Returns
        -------
        polars.DataFrame
            `symbol, date, score, rank, percentile, reason` and one `contribution_<factor>` per factor, best
            first.

        Raises
        ------
        ParameterError
            The date has no bars.
        """
        from factorloom.engine.research.score import score_frame

        if not isinstance(model, ScoreModel):
            raise ArgumentError(f"a model must be a ScoreModel, got {type(model).__name__}")
        run = Run("score", dataset)
        with self._database.write_lock:
            with self._database.reading() as cursor:
                entry = catalog.dataset(cursor, dataset)
                day = stored_score.scored_date(cursor, entry, date)
                groups = stored_score.read_groups(cursor, entry, model.neutralize, day)
            _, raw = self._calculator.compute(run, dataset, model.raw, Selection(day, day), "numba")
            scores = score_frame(raw.join(groups, on="symbol", how="left", maintain_order="left"), model)
            if not self.read_only:
                with self._journal.writing() as cursor:
                    stored_score.write(cursor, entry, model, scores)
                    self._journal.record(cursor, run, entry, scores.height)
        self._journal.count(run)
        return scores

    def sql(self, query_text: str, params: Parameters = None) -> pl.DataFrame:
        """Query the store with one read-only SQL statement.

        Tables: `bars.<dataset>`, `attributes.<dataset>`, `factors.<dataset>`, `scores.<dataset>`,
        `catalog.datasets`, `catalog.factors`, `catalog.runs`.

        Parameters
        ----------
        query_text
            The statement, with `?` or `$name` for parameters.
        params
            A list for `?`, a mapping for `$name`.

        Raises
        ------
        StoreError
            The statement is invalid, or it writes.
        """
        self._journal.flush(wait=False)
        with self._database.reading() as cursor:
            return query(cursor, query_text, params)

    def datasets(self) -> pl.DataFrame:
        """One row per dataset: `name, version, symbols, rows, start, end, columns, loaded_at`."""
        with self._database.reading() as cursor:
            return catalog.datasets(cursor)

    def version(self, dataset: str) -> int:
        """The version of a dataset: the number of loads that changed it."""
        with self._database.reading() as cursor:
            return catalog.dataset(cursor, dataset).version

    @property
    def counters(self) -> Counters:
        """Cache hits and misses of this object, and the kernels run for the misses."""
        return self._journal.counters

    @property
    def path(self) -> str:
        """The absolute path of the file."""
        return self._database.path

    @property
    def read_only(self) -> bool:
        """Whether the store is open for reading only."""
        return self._database.read_only

    def close(self) -> None:
        """Close the store. Closing it again has no effect."""
        try:
            if not self._database.closed:
                self._journal.flush(wait=True)
        finally:
            self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._database.closed else "read only" if self.read_only else "open"
        return f"<Store {self.path}: {state}>"


def open_store(path: str | os.PathLike[str], *, read_only: bool = False) -> Store:
    """Open a store; creates it if the file does not exist.

    Parameters
    ----------
    path
        The store's file, in an existing folder. `":memory:"` is a temporary store in memory.
    read_only
        Open for reading only. Many processes can read a store at once, as long as none has it open for writing.

    Notes
    -----
    All stores of one file in a process share one connection, also through symbolic and hard links. If the file is open
    for writing it can also be opened with `read_only`, but not the other way round. A forked process cannot use the
    stores of its parent.

    Raises
    ------
    StoreError
        Another process has the file open, or the file is damaged or not a store. The file is not changed.

    Examples
    --------
    >>> import factorloom as fl, polars as pl
    >>> bars = pl.DataFrame({"symbol": ["A", "A"], "date": ["2024-01-02", "2024-01-03"], "close": [10, 15]})
    >>> with fl.open_store(":memory:") as store:
    ...     report = store.load("tiny", bars)
    ...     print(store.compute("tiny", {"change": fl.returns})["change"].to_list())
    [None, 0.5]
    """
    return Store(open_database(path, read_only=read_only))
