"""`Panel`: bars of many symbols, ready to compute factors on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Literal, TypeAlias

import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.category import text_of
from factorloom.engine.bars.read import append_bars, read_bars
from factorloom.engine.bars.selection import Dates, Mask, Symbols, selected_rows
from factorloom.engine.executor.choose import Engine, choose
from factorloom.engine.executor.file import check_path, write_blocks
from factorloom.engine.executor.fit import Size, fit, needs
from factorloom.engine.executor.protocol import Block
from factorloom.engine.plan.explain import explain
from factorloom.engine.plan.plan import Plan
from factorloom.engine.plan.reach import needed_rows
from factorloom.engine.plan.request import make_request
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.progress import default_observer
from factorloom.engine.runtime.thread import check_process
from factorloom.expressions.factor import Factor

__all__ = ["Engine", "Panel", "example"]

Dtype: TypeAlias = Literal["float64", "float32"]
OneFactor: TypeAlias = Factor | str
Factors: TypeAlias = OneFactor | Sequence[OneFactor] | Mapping[str, OneFactor] | None
Path: TypeAlias = str | os.PathLike[str]


class Panel(Bars):
    """Bars of many symbols on which factors are computed.

    Numbers are Float64 or Float32 columns, missing as null; text is kept as categories to group by. A panel never
    changes.

    Attributes
    ----------
    table : polars.DataFrame
        The bars, sorted by (symbol, date), one row per key. Symbols and categories are Enum: codes of the distinct
        texts, one to four bytes each.
    symbol, date : str
        The names of the key columns.
    """

    @classmethod
    def from_frame(cls, frame: Any, symbol: str = "symbol", date: str = "date", *, dtype: Dtype | None = None) -> Panel:
        """Check and sort bars.

        Parameters
        ----------
        frame
            A Polars frame (eager or lazy), an Arrow table, or a pandas frame: one row per symbol and date.
        symbol, date
            The names of the key columns: text (or whole numbers), and dates, datetimes or ISO text.
        dtype
            Of the columns of numbers. `"float32"` halves their memory; what is too large for it is missing. The default
            keeps Float32 columns, and makes all others Float64. The computation is in Float64 either way.

        Raises
        ------
        UnknownColumnError
            Where the frame lacks a key column.
        BarsError
            Where a key is missing or duplicated, the dates cannot be read, or a column is of no use.
        ArgumentError
            Where `dtype` is another one.

        Examples
        --------
        >>> import polars as pl, factorloom as fl
        >>> bars = pl.DataFrame({"symbol": ["B", "A"], "date": ["2024-01-02"] * 2, "close": [1.0, 2.0]})
        >>> fl.Panel.from_frame(bars)
        <Panel: 2 bars, 2 symbols, 1 date from 2024-01-02 to 2024-01-02, columns close>
        """
        return cls(read_bars(frame, symbol, date, dtype), symbol, date)

    @property
    def frame(self) -> pl.DataFrame:
        """The bars as a frame with symbols as text, which joins with results on the keys."""
        return self.table.with_columns(text_of(self.table[self.symbol]))

    def __repr__(self) -> str:
        count, days = self.symbols.len(), self.dates.len()
        ends = f" from {self.dates[0]} to {self.dates[-1]}" if days else ""
        return (
            f"<Panel: {self.rows:,} bar{'s' * (self.rows != 1)}, {count:,} symbol{'s' * (count != 1)}, "
            f"{days:,} date{'s' * (days != 1)}{ends}, columns {', '.join(self.columns)}>"
        )

    def append(self, bars: Any) -> Panel:
        """A panel with further bars: later dates, or symbols that are new. Factors keep their meaning.

        Parameters
        ----------
        bars
            A frame with the columns of this panel, in any order.

        Raises
        ------
        BarsError
            Where the columns differ, a key is in the panel already, or a bar comes before the last one of its symbol.

        Examples
        --------
        >>> import polars as pl, factorloom as fl
        >>> panel = fl.example()
        >>> later = panel.frame.filter(pl.col("symbol") == "A").tail(1).with_columns(date=pl.date(2024, 1, 5))
        >>> panel.append(later).dates.to_list()[-1]
        datetime.date(2024, 1, 5)
        """
        return Panel(append_bars(self.table, bars, self.symbol, self.date), self.symbol, self.date)

    def compute(
        self,
        factors: Factors = None,
        /,
        *more: OneFactor,
        dates: Dates | None = None,
        symbols: Symbols | None = None,
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
            text. Each is a factor, or one in text, such as `"cs_rank(close)"`.
        dates
            Only this date, or only those from a first to a last one: `("2024-01-02", None)`.
        symbols
            Only these symbols. Of dates and symbols, only what the values need is computed.
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
        (whole,) = self._run(plan, dates, symbols, engine, memory, observer)
        return whole

    def blocks(
        self,
        factors: Factors = None,
        /,
        *more: OneFactor,
        dates: Dates | None = None,
        symbols: Symbols | None = None,
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
        return self._run(plan, dates, symbols, engine, memory, observer)

    def write(
        self,
        path: Path,
        factors: Factors = None,
        /,
        *more: OneFactor,
        dates: Dates | None = None,
        symbols: Symbols | None = None,
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
            dates=dates,
            symbols=symbols,
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
        **named: OneFactor,
    ) -> str:
        """The plan as text: its stages, what they share, how much history they need, and the memory they take.

        With `blocks`, the plan that `blocks` and `write` run.

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
        executor = choose(engine, plan)
        plan = fit(plan, executor, self, memory)
        return explain(plan, self.rows, needs(plan, executor, self))

    def show(self, factor: Factor) -> str:
        """A factor as a small table of dates by symbols, `-` for missing: for notebooks and examples."""
        values = self.compute(value=factor)
        table = values.pivot(self.symbol, index=self.date, values="value", sort_columns=True).sort(self.date)
        columns = [[name, *map(_cell, table[name])] for name in table.columns]
        widths = [max(map(len, column)) for column in columns]
        lines = []
        for key, *cells in zip(*columns, strict=True):
            padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
            lines.append("  ".join([key.ljust(widths[0] + 1), *padded]))
        return "\n".join(lines)

    def _run(
        self,
        plan: Plan,
        dates: Dates | None,
        symbols: Symbols | None,
        engine: Engine,
        memory: Size | None,
        observer: Observer | None,
    ) -> Iterator[pl.DataFrame]:
        """Keys and outputs of a plan on the selected bars, block by block; what is wrong is refused at once."""
        check_process()
        executor = choose(engine, plan)
        chosen = None if dates is None and symbols is None else selected_rows(self, dates, symbols)
        part: Bars = self
        if chosen is not None:
            rows = needed_rows(plan, self, chosen)
            part, chosen = self.part(rows), chosen[rows]
        plan = fit(plan, executor, part, memory)
        return _selected(executor.run(plan, part, observer or default_observer()), part, chosen)


def _selected(blocks: Iterator[Block], bars: Bars, chosen: Mask | None) -> Iterator[pl.DataFrame]:
    """The blocks with their keys, symbols as text, and without the bars that only the computation needed."""
    keys = bars.table.select(bars.symbol, bars.date)
    is_first = True
    for rows, values in blocks:
        frame = keys[rows].hstack(values)
        frame = frame if chosen is None else frame.filter(pl.Series(chosen[rows]))
        if is_first or frame.height:
            yield frame.with_columns(text_of(frame[bars.symbol]))
        is_first = False


def example() -> Panel:
    """Three symbols on three dates: the panel of the documentation's examples.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close))
    date            A     B    C
    2024-01-02   10.0  20.0    -
    2024-01-03   11.0  19.0  5.0
    2024-01-04   12.0  22.0  7.0
    """
    days = [date(2024, 1, day) for day in (2, 3, 4)]
    return Panel.from_frame(
        pl.DataFrame(
            {
                "symbol": list("AAABBBCC"),
                "date": [*days, *days, *days[1:]],
                "open": [10.0, 10.5, 11.5, 20.5, 19.5, 20.0, 5.0, 6.0],
                "high": [10.5, 11.5, 12.5, 21.5, 20.5, 22.5, 5.5, 7.5],
                "low": [9.5, 10.0, 11.5, 19.5, 18.0, 19.0, 5.0, 5.5],
                "close": [10.0, 11.0, 12.0, 20.0, 19.0, 22.0, 5.0, 7.0],
                "volume": [100, 120, 90, 200, 210, 220, 50, 60],
                "sector": ["tech"] * 3 + ["energy"] * 3 + ["tech"] * 2,
            }
        )
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return str(round(value, 3) + 0.0) if isinstance(value, float) else str(value)
