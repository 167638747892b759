"""`Panel`: bars of many symbols, ready to compute factors on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias, Unpack

import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.category import text_of
from factorloom.engine.bars.number import check_dtype
from factorloom.engine.bars.read import ReadOptions, append_bars, read_bars
from factorloom.engine.bars.selection import Dates, Symbols, When, chosen_rows, select
from factorloom.engine.executor.choose import Engine, choose
from factorloom.engine.executor.file import check_path, write_blocks
from factorloom.engine.executor.fit import Size, fit, needs
from factorloom.engine.lazy import Blocks, Query, lazy_frame, narrowed, schema_of
from factorloom.engine.plan.explain import explain
from factorloom.engine.plan.passes import make_plan
from factorloom.engine.plan.plan import Plan
from factorloom.engine.plan.request import Factors, OneFactor, make_request
from factorloom.engine.result import check_options, key_blocks, value_blocks
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.table import as_table
from factorloom.expressions.errors import ParameterError, UnknownColumnError, plural, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.notebook import Text, pairs_html
from factorloom.expressions.polars.write import to_polars

__all__ = ["Engine", "Panel"]

Dtype: TypeAlias = Literal["float64", "float32"]
Path: TypeAlias = str | os.PathLike[str]


class Panel(Bars):
    """Bars of many symbols on which factors are computed.

    Numbers are Float64 or Float32 columns, missing as null; text is kept as categories to group by. A panel never
    changes.

    Attributes
    ----------
    table : polars.DataFrame
        The bars, sorted by (symbol, date), one row per key. Symbols and categories are Enum: codes of the distinct
        texts, one to four bytes each. Dates are Date, or Datetime in microseconds where bars have a time of day.
    notes : tuple of str
        What was changed or left out when the bars were read.
    """

    notes: tuple[str, ...] = ()

    @classmethod
    def from_frame(cls, source: object, *, dtype: Dtype | None = None, **options: Unpack[ReadOptions]) -> Panel:
        """Read, check and sort bars.

        Parameters
        ----------
        source
            A table of Polars (eager or lazy), Arrow, pandas or DuckDB, the path of a Parquet, CSV or Arrow file, a
            folder of them, or a pattern of paths: one row per symbol and date.
        dtype
            Of the columns of numbers. `"float32"` halves their memory; what is too large for it is missing. The default
            keeps Float32 columns, and makes all others Float64. The computation is in Float64 either way.
        **options
            How the table is to be read: `ReadOptions` lists them, docs/data.md explains them.

        Raises
        ------
        BarsError
            Where the table cannot be read, a key is missing or repeated, or dates or numbers cannot be read.
        UnknownColumnError
            Where the table lacks a key column, or one that an option names.
        ArgumentError, ParameterError
            Where the source is no table, or an option is not one or has a wrong value.

        Examples
        --------
        >>> import polars as pl, factorloom as fl
        >>> bars = pl.DataFrame({"Ticker": ["B", "A"], "date": ["2024-01-02"] * 2, "Close": [1.0, 2.0]})
        >>> fl.Panel.from_frame(bars)
        <Panel: 2 bars, 2 symbols, 1 date from 2024-01-02 to 2024-01-02, columns close; 1 note>
        """
        if dtype is not None:
            check_dtype(dtype)
        read = read_bars(source, options, dtype=dtype)
        panel = cls(read.frame)
        panel.notes = _all_notes(read.notes, read.infinite, read.dropped)
        return panel

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, column: str) -> pl.Series:
        """A column of the bars, keys and categories as text.

        >>> import factorloom as fl
        >>> fl.example()["close"].to_list()[:3]
        [10.0, 11.0, 12.0]
        """
        if not isinstance(column, str) or column not in self.table.columns:
            raise UnknownColumnError(
                f"the panel has no column {column!r}", hint=suggest(str(column), self.table.columns)
            )
        series = self.table[column]
        return text_of(series) if isinstance(series.dtype, pl.Enum) else series

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The bars for any library that takes Arrow: `duckdb`, `pyarrow.table(panel)`, `pandas`."""
        return self.frame.__arrow_c_stream__(requested_schema)

    @property
    def frame(self) -> pl.DataFrame:
        """The bars as a frame with symbols as text, which joins with results on the keys."""
        return self.table.with_columns(text_of(self.table["symbol"]))

    def __repr__(self) -> str:
        count, days = self.symbols.len(), self.dates.len()
        ends = f" from {self.dates[0]} to {self.dates[-1]}" if days else ""
        notes = f"; {len(self.notes)} note{'s' * (len(self.notes) != 1)}" if self.notes else ""
        return (
            f"<Panel: {self.rows:,} bar{'s' * (self.rows != 1)}, {count:,} symbol{'s' * (count != 1)}, "
            f"{days:,} date{'s' * (days != 1)}{ends}, columns {', '.join(self.columns)}{notes}>"
        )

    def _repr_html_(self) -> str:
        days = self.dates
        ends = f", {days[0]} to {days[-1]}" if days.len() else ""
        pairs = {
            "bars": f"{self.rows:,}",
            "symbols": f"{self.symbols.len():,}",
            "dates": f"{days.len():,}{ends}",
            "columns": ", ".join(self.columns),
        }
        return pairs_html("Panel", pairs | {f"note {place}": note for place, note in enumerate(self.notes, start=1)})

    def append(self, source: object, **options: Unpack[ReadOptions]) -> Panel:
        """A panel with further bars: later dates, or symbols that are new. Factors keep their meaning.

        Parameters
        ----------
        source, **options
            A table with the columns of this panel, in any order, as for `from_frame`.

        Raises
        ------
        UnknownColumnError, ArgumentError, ParameterError
            As `from_frame` does.
        BarsError
            Where the columns differ, a bar does not come after the last one of its symbol, or bars of a day meet bars
            with a time of day.

        Examples
        --------
        >>> import polars as pl, factorloom as fl
        >>> panel = fl.example()
        >>> later = panel.frame.filter(pl.col("symbol") == "A").tail(1).with_columns(date=pl.date(2024, 1, 5))
        >>> panel.append(later).dates.to_list()[-1]
        datetime.date(2024, 1, 5)
        """
        read = append_bars(self.table, source, options)
        panel = Panel(read.frame)
        panel.notes = (*self.notes, *_all_notes(read.notes, read.infinite, read.dropped))
        return panel

    def compute(
        self,
        factors: Factors = None,
        /,
        *more: OneFactor,
        start: When | None = None,
        end: When | None = None,
        symbols: Symbols | None = None,
        dates: Dates | None = None,
        engine: Engine = "numba",
        dtype: Dtype = "float64",
        memory: Size | None = None,
        observer: Observer | None = None,
        **named: OneFactor,
    ) -> pl.DataFrame:
        """The value of every factor on every bar.

        Parameters
        ----------
        factors, more, named
            A mapping of name to factor, factors by keyword, or bare factors and lists of them, which are named by their
            text. Each is a factor, one in text, such as `"cs_rank(close)"`, or an expression of Polars, which is named
            by its alias.
        start, end
            Only bars from a first to a last date, both included, as dates, datetimes or ISO text. A plain day is the
            whole day.
        symbols
            Only these symbols, or this one. Of dates and symbols, only what the values need is computed.
        dates
            Only this date, or exactly the dates of a list.
        engine
            `"numba"` for compiled kernels on tiles, `"polars"` for lazy Polars stages. Both give the same values.
        dtype
            Of the values returned; the computation is in Float64 either way.
        memory
            The most bytes that it may take beyond the panel, results included, such as `"6 GB"`; what does not fit is
            computed in more batches. By default what it takes besides the results may be 45% of their size, at least
            512 MiB for values that wait between stages.
        observer
            Counts kernels and memory, and can cancel the computation. The default draws a progress bar on a terminal.

        Returns
        -------
        polars.DataFrame
            Symbol, date, and one column per factor, in the order of the panel; missing is null.

        Raises
        ------
        UnknownColumnError
            Where a factor reads a column that the panel does not have.
        ParameterError
            Where a symbol, or one of `dates`, has no bars.
        MemoryLimitError
            Where it needs more than `memory`; nothing is computed then.
        CancelledError
            Where `observer.cancel()` was called.

        Examples
        --------
        >>> import factorloom as fl
        >>> fl.example().compute(gap=fl.close / fl.open_ - 1, dates="2024-01-04", symbols=["A", "B"])["gap"].to_list()
        [0.04347826086956519, 0.10000000000000009]
        """
        plan = make_request(self, factors, more, named, dtype)
        chosen = chosen_rows(self, select(start, end, symbols, dates))
        (whole,) = value_blocks(plan, self, chosen, engine, memory, observer)
        return whole

    def blocks(
        self,
        factors: Factors = None,
        /,
        *more: OneFactor,
        start: When | None = None,
        end: When | None = None,
        symbols: Symbols | None = None,
        dates: Dates | None = None,
        engine: Engine = "numba",
        dtype: Dtype = "float64",
        memory: Size | None = None,
        observer: Observer | None = None,
        **named: OneFactor,
    ) -> Iterator[pl.DataFrame]:
        """What `compute` gives, some symbols at a time, so that the whole need not fit into memory.

        With `engine="polars"` it is one block.

        >>> import factorloom as fl
        >>> [block.height for block in fl.example().blocks(gap=fl.close / fl.open_ - 1)]
        [8]
        """
        plan = make_request(self, factors, more, named, dtype, streamed=True)
        chosen = chosen_rows(self, select(start, end, symbols, dates))
        return value_blocks(plan, self, chosen, engine, memory, observer)

    def lazy(
        self,
        factors: Factors = None,
        /,
        *more: OneFactor,
        start: When | None = None,
        end: When | None = None,
        symbols: Symbols | None = None,
        dates: Dates | None = None,
        engine: Engine = "numba",
        dtype: Dtype = "float64",
        memory: Size | None = None,
        observer: Observer | None = None,
        **named: OneFactor,
    ) -> pl.LazyFrame:
        """What `compute` gives, as a lazy frame: a query computes only the factors and bars that it needs.

        Conditions on the date or on the symbol that a filter joins by `&` choose the bars. Results come some symbols at
        a time, so that `sink_parquet` writes what does not fit into memory.

        Parameters
        ----------
        factors, more, named, start, end, symbols, dates, engine, dtype, memory, observer
            As for `compute`, and refused at once as there. `memory` holds for each run of a query.

        Examples
        --------
        >>> import polars as pl, factorloom as fl
        >>> lazy = fl.example().lazy(gap=fl.close / fl.open_ - 1, rank=fl.cs_rank(fl.close))
        >>> lazy.filter(pl.col("date") == pl.date(2024, 1, 4)).select("symbol", "rank").collect().rows()
        [('A', 0.6666666666666666), ('B', 1.0), ('C', 0.3333333333333333)]
        """
        plan = make_request(self, factors, more, named, dtype, streamed=True)
        selection = select(start, end, symbols, dates)
        chosen_rows(self, selection)
        check_options(plan, engine, memory, observer)

        def read(query: Query) -> Blocks:
            chosen = narrowed(query, self, chosen_rows(self, selection))
            if not query.factors:
                return key_blocks(self, chosen)
            wanted = {name: plan.wanted[name] for name in query.factors}
            return value_blocks(make_plan(wanted, dtype=dtype, streamed=True), self, chosen, engine, memory, observer)

        schema = schema_of(self.table.schema[self.date], tuple(plan.wanted), dtype)
        return lazy_frame(schema, read, detail=f"{plural(len(plan.wanted), 'factor')} on {plural(self.rows, 'bar')}")

    def write(
        self,
        path: Path,
        factors: Factors = None,
        /,
        *more: OneFactor,
        start: When | None = None,
        end: When | None = None,
        symbols: Symbols | None = None,
        dates: Dates | None = None,
        engine: Engine = "numba",
        dtype: Dtype = "float64",
        memory: Size | None = None,
        observer: Observer | None = None,
        **named: OneFactor,
    ) -> pl.LazyFrame:
        """Write what `compute` gives to Parquet, block by block: for results larger than memory.

        Parameters
        ----------
        path
            A file (`….parquet`), or a folder for several files. An old one is replaced once all is written, and stays
            unchanged where anything fails.

        Returns
        -------
        polars.LazyFrame
            A scan of what was written.

        Raises
        ------
        ArgumentError
            Where the folder does not exist, or contains files other than Parquet.
        FileError
            Where it cannot be written, as on a full disk.

        Examples
        --------
        >>> import tempfile, factorloom as fl
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fl.example().write(folder + "/gap.parquet", gap=fl.close / fl.open_ - 1).collect().height
        8
        """
        target = check_path(path)
        blocks = self.blocks(
            factors,
            *more,
            start=start,
            end=end,
            symbols=symbols,
            dates=dates,
            engine=engine,
            dtype=dtype,
            memory=memory,
            observer=observer,
            **named,
        )
        return write_blocks(blocks, target)

    def plan(self, factors: Factors = None, /, *more: OneFactor, **named: OneFactor) -> Plan:
        """The plan that `compute` would run, after all passes."""
        return make_request(self, factors, more, named)

    def explain(
        self,
        factors: Factors = None,
        /,
        *more: OneFactor,
        engine: Engine = "numba",
        dtype: Dtype = "float64",
        memory: Size | None = None,
        blocks: bool = False,
        form: Literal["plan", "polars"] = "plan",
        **named: OneFactor,
    ) -> str:
        """The plan as text: its stages, what they share, how much history they need, and the memory they take.

        With `blocks`, the plan that `blocks` and `write` run. With `form="polars"`, the same factors as stages of plain
        expressions of Polars.

        >>> import factorloom as fl
        >>> print(fl.example().explain(staged=fl.ts_mean(fl.cs_rank(fl.close), 2)))
        1 factor, 2 operations (0 shared) and 1 statistic (read 1 time), lookback 1 bar, 3 stages
        stage 1, symbol by symbol: loads close
          close                                         -> kept by date
        stage 2, date by date: loads close
          n1 = cs_rank(close)                           -> kept by date
        stage 3, symbol by symbol: loads n1 (by date)
          s1 = moments(n1, 2): count, base, total, scatter
          n2 = ts_mean(n1, 2) from s1                   -> staged
        8 cells; memory beyond the panel 0.0 MiB: results 0.0, between stages 0.0, columns 0.0, scratch 0.0
        """
        plan = make_request(self, factors, more, named, dtype, streamed=blocks)
        if form not in ("plan", "polars"):
            raise ParameterError(f"form must be 'plan' or 'polars', got {form!r}")
        if form == "polars":
            return Text(to_polars(plan.outputs, symbol=self.symbol, date=self.date))
        executor = choose(engine, plan)
        plan = fit(plan, executor, self, memory)
        return explain(plan, self.rows, needs(plan, executor, self))

    def show(self, factor: Factor) -> str:
        """A factor as a small table of dates by symbols, `-` for missing: for notebooks and examples."""
        return as_table(self.compute(value=factor), self.symbol, self.date)


def _all_notes(notes: Sequence[str], infinite: Mapping[str, int], dropped: int) -> tuple[str, ...]:
    """What was changed, in words."""
    counts = [f"{plural(count, 'infinite value')} of {name!r} taken as missing" for name, count in infinite.items()]
    repeated = [f"{plural(dropped, 'bar')} left out: a key repeated"] if dropped else []
    return (*notes, *counts, *repeated)
