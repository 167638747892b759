"""The store: one DuckDB file with bars, attributes, cached factors and scores, and the verbs of its user."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Mapping
from types import TracebackType

import polars as pl

from factorloom.engine.panel import Engine, Panel
from factorloom.engine.research.model import ScoreModel
from factorloom.expressions.errors import ArgumentError
from factorloom.expressions.factor import Factor
from factorloom.storage import catalog, score
from factorloom.storage.bars import Duplicates
from factorloom.storage.cache import check_factors
from factorloom.storage.calculator import Calculator
from factorloom.storage.database import Database, open_database
from factorloom.storage.dataset import Source, load, read_panel
from factorloom.storage.journal import Counters, Journal, Run
from factorloom.storage.quality import QualityReport
from factorloom.storage.query import Parameters, query
from factorloom.storage.reading import read
from factorloom.storage.selection import Selection, refuse_unknown, select

__all__ = ["Store", "open_store"]

When = dt.date | str | None


class Store:
    """Bars, factors and scores in one DuckDB file; made by `open_store`.

    A store may be used from many threads. Readers see one consistent moment and wait for nobody; writers take
    turns.

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
        symbol: str = "symbol",
        date: str = "date",
        columns: Mapping[str, str] | None = None,
        attributes: object = None,
        duplicates: Duplicates = "error",
    ) -> QualityReport:
        """Check bars and lay them over those of a dataset, row by row: by (symbol, date).

        A row that is new is inserted, a row that differs is updated. A column that the source lacks keeps its
        values; a column that is new is missing in older rows. All of it happens, or nothing.

        Parameters
        ----------
        dataset
            Its name: lower-case letters, digits and `_`. A new one is made.
        source
            The path of a Parquet, CSV (also .csv.gz) or Arrow file, or a Polars, Arrow or pandas table.
        symbol, date
            The key columns of the source.
        columns
            Name in the store to name in the source or the attributes, for columns not called as they should
            be. `Open`, `HIGH` and the like are recognised without.
        attributes
            A path or table with one row per symbol, for text such as its sector. It is joined to every panel.
        duplicates
            `"error"`, or which bar of a repeated (symbol, date) to keep: `"first"` or `"last"`.

        Returns
        -------
        QualityReport
            What was done, and what is dubious in the dataset now.

        Raises
        ------
        BarsError
            The source is no file, or its bars cannot be keyed or contradict the stored ones.
        UnknownColumnError
            A key or mapped column is not there.
        DatasetError
            The name is none.
        """
        self._database.check_open()
        run = Run("load", catalog.check_name(dataset))
        names = _mapping(columns)
        given = Source(
            bars=read(source),
            attributes=None if attributes is None else read(attributes),
            symbol=names.pop("symbol", symbol),
            date=names.pop("date", date),
            columns=names,
            duplicates=duplicates,
        )
        with self._journal.writing() as cursor:
            report = load(cursor, dataset, given)
            rows = report.inserted + report.updated + report.unchanged
            self._journal.record(cursor, run, catalog.dataset(cursor, dataset), rows)
        if report.changed:
            self._database.tidy()
        return report

    def panel(
        self, dataset: str, *, start: When = None, end: When = None, symbols: Iterable[str] | None = None
    ) -> Panel:
        """The bars of a dataset, with attributes, ready to compute on.

        Factors computed on a part of the history see only that part; `compute` sees all of it.

        Parameters
        ----------
        start, end
            The first and last date, both included, as dates, datetimes or ISO text.
        symbols
            The symbols wanted.

        Raises
        ------
        ParameterError
            A symbol is unknown.
        StoreError
            There are no such bars.
        """
        selection = select(start, end, symbols)
        with self._database.reading() as cursor:
            entry = catalog.dataset(cursor, dataset)
            if selection.everything:
                return self._calculator.panel(cursor, entry)
            refuse_unknown(cursor, entry, selection.symbols)
            return Panel.from_frame(read_panel(cursor, entry, selection))

    def compute(
        self,
        dataset: str,
        factors: Mapping[str, Factor],
        *,
        start: When = None,
        end: When = None,
        symbols: Iterable[str] | None = None,
        engine: Engine = "numba",
    ) -> pl.DataFrame:
        """Factor values over the whole history and all symbols, of which the selected bars are returned.

        A factor that was computed before on this version of the dataset is read from the store; the others
        are computed together and kept, unless the store is open for reading only.

        Parameters
        ----------
        factors
            Factors by name.
        start, end, symbols
            As for `panel`.
        engine
            What computes those that are missing: `"numba"` or `"polars"`.

        Returns
        -------
        polars.DataFrame
            `symbol`, `date` and one Float64 column per factor, by symbol and date; missing is null.
        """
        run = Run("compute", dataset)
        selection = select(start, end, symbols)
        entry, values = self._calculator.compute(run, dataset, check_factors(factors), selection, engine)
        self._journal.add(run, entry, values.height)
        return values

    def score(self, dataset: str, model: ScoreModel, *, date: When = None) -> pl.DataFrame:
        """Score the symbols of one date, and keep the scores in `scores.<dataset>`.

        Parameters
        ----------
        model
        date
            A date with bars; by default the last.

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
            raise ArgumentError(f"a model is a ScoreModel, got {type(model).__name__}")
        run = Run("score", dataset)
        with self._database.turn:
            with self._database.reading() as cursor:
                entry = catalog.dataset(cursor, dataset)
                day = score.scored_date(cursor, entry, date)
                groups = score.read_groups(cursor, entry, model.neutralize, day)
            _, raw = self._calculator.compute(run, dataset, model.raw, Selection(day, day), "numba")
            scores = score_frame(raw.join(groups, on="symbol", how="left", maintain_order="left"), model)
            if not self.read_only:
                with self._journal.writing() as cursor:
                    score.write(cursor, entry, model, scores)
                    self._journal.record(cursor, run, entry, scores.height)
        self._journal.count(run)
        return scores

    def sql(self, query_text: str, params: Parameters = None) -> pl.DataFrame:
        """Read the store with one SQL statement.

        Tables: `bars.<dataset>`, `attributes.<dataset>`, `factors.<dataset>`, `scores.<dataset>`,
        `catalog.datasets`, `catalog.factors`, `catalog.runs`.

        Parameters
        ----------
        query_text
            A statement that reads, with `?` or `$name` for parameters.
        params
            A list, or a mapping by name.

        Raises
        ------
        StoreError
            DuckDB refuses the statement, or it would write.
        """
        self._journal.flush(wait=False)
        with self._database.reading() as cursor:
            return query(cursor, query_text, params)

    def datasets(self) -> pl.DataFrame:
        """One row per dataset: `name, version, symbols, rows, start, end, columns, loaded_at`."""
        with self._database.reading() as cursor:
            return catalog.datasets(cursor)

    def version(self, dataset: str) -> int:
        """How many loads have changed the dataset."""
        with self._database.reading() as cursor:
            return catalog.dataset(cursor, dataset).version

    @property
    def counters(self) -> Counters:
        """Factor columns served and computed, and kernels run, by this object."""
        return self._journal.counters

    @property
    def path(self) -> str:
        """The absolute path of the file."""
        return self._database.path

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written."""
        return self._database.read_only

    def close(self) -> None:
        """Let go of the file. Closing twice does no harm."""
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
    """Open a store, or make one where there is no file.

    Parameters
    ----------
    path
        One file, in a folder that exists. `":memory:"` is a store that is gone when closed.
    read_only
        Write nothing. Several processes may read one store, as long as none writes it.

    Notes
    -----
    All stores of one file in a process share one connection, also through symbolic and hard links. A store that only
    reads may be opened beside one that writes; the reverse is refused. A store of the process that this one was forked
    from cannot be used.

    Raises
    ------
    StoreError
        Another process has the file, or it is damaged or no store. The file is left as it was.

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


def _mapping(columns: object) -> dict[str, str]:
    if columns is None:
        return {}
    if not isinstance(columns, Mapping) or not all(isinstance(name, str) for pair in columns.items() for name in pair):
        raise ArgumentError(
            "columns must map names in the store to names in the source",
            hint="for example columns={'close': 'Adj Close'}",
        )
    return dict(columns)
