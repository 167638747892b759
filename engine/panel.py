"""`Panel`: bars of many symbols, ready to compute factors on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Literal, TypeAlias

import polars as pl

from factorloom.engine.bars import Bars, read_bars
from factorloom.engine.explain import explain
from factorloom.engine.passes import make_plan
from factorloom.engine.plan import Plan
from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ArgumentError, UnknownColumnError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL

__all__ = ["Engine", "Panel", "example"]

Engine: TypeAlias = Literal["numba", "polars"]


class Panel(Bars):
    """Bars of many symbols on which factors are computed.

    Numbers and booleans are Float64 columns, missing as null; text is kept as categories to group by. A panel never
    changes.

    Attributes
    ----------
    frame : polars.DataFrame
        The bars, sorted by (symbol, date), one row per key.
    symbol, date : str
        The names of the key columns.
    """

    @classmethod
    def from_frame(cls, frame: Any, symbol: str = "symbol", date: str = "date") -> Panel:
        """Check and sort bars.

        Parameters
        ----------
        frame
            A Polars frame (eager or lazy), an Arrow table, or a pandas frame: one row per symbol and date.
        symbol, date
            The names of the key columns: text (or whole numbers), and dates, datetimes or ISO text.

        Raises
        ------
        UnknownColumnError
            Where a key column is not there.
        BarsError
            Where a key is missing or duplicated, the dates cannot be read, or a column is of no use.

        Examples
        --------
        >>> import polars as pl, factorloom as fl
        >>> bars = pl.DataFrame({"symbol": ["B", "A"], "date": ["2024-01-02"] * 2, "close": [1.0, 2.0]})
        >>> fl.Panel.from_frame(bars)
        <Panel: 2 bars, 2 symbols, 1 date from 2024-01-02 to 2024-01-02, columns close>
        """
        return cls(read_bars(frame, symbol, date), symbol, date)

    def __repr__(self) -> str:
        count, days = self.symbols.len(), self.dates.len()
        ends = f" from {self.dates[0]} to {self.dates[-1]}" if days else ""
        return (
            f"<Panel: {self.rows:,} bar{'s' * (self.rows != 1)}, {count:,} symbol{'s' * (count != 1)}, "
            f"{days:,} date{'s' * (days != 1)}{ends}, columns {', '.join(self.columns)}>"
        )

    def compute(
        self,
        factors: Factor | Mapping[str, Factor] | None = None,
        /,
        *more: Factor,
        engine: Engine = "numba",
        dtype: Literal["float64", "float32"] = "float64",
        **named: Factor,
    ) -> pl.DataFrame:
        """The value of every factor on every bar.

        Parameters
        ----------
        factors, more, named
            A mapping of name to factor, factors by keyword, or bare factors, which are named by their text.
        engine
            `"numba"` for compiled kernels on tiles, `"polars"` for lazy Polars stages. Both give the same values.
        dtype
            Of the values returned; the computation is in Float64 either way.

        Returns
        -------
        polars.DataFrame
            Symbol, date, and one column per factor, in the order of the panel; missing is null.

        Raises
        ------
        UnknownColumnError
            Where a factor reads a column that the panel does not have.

        Examples
        --------
        >>> import factorloom as fl
        >>> fl.example().compute(gap=fl.close / fl.open_ - 1).columns
        ['symbol', 'date', 'gap']
        """
        plan = self.plan(factors, *more, **named)
        if engine == "numba":
            from factorloom.engine.tile import run
        elif engine == "polars":
            from factorloom.engine.lazy import run
        else:
            raise ArgumentError(f"engine must be 'numba' or 'polars', got {engine!r}")
        if dtype not in ("float64", "float32"):
            raise ArgumentError(f"dtype must be 'float64' or 'float32', got {dtype!r}")
        values = run(plan, self)
        if dtype == "float32":
            values = [series.cast(pl.Float32) for series in values]
        return self.frame.select(self.symbol, self.date).hstack(values)

    def plan(self, factors: Factor | Mapping[str, Factor] | None = None, /, *more: Factor, **named: Factor) -> Plan:
        """The plan that `compute` would run, after all passes."""
        wanted = _named(factors, more, named)
        self._check(wanted)
        return make_plan(wanted)

    def explain(self, factors: Factor | Mapping[str, Factor] | None = None, /, *more: Factor, **named: Factor) -> str:
        """The plan as text: its stages, what they share, how much history they need, and what they hold.

        >>> import factorloom as fl
        >>> print(fl.example().explain(staged=fl.ts_mean(fl.cs_rank(fl.close), 2)))
        1 factor, 2 operations (0 shared), lookback 1 bar, 2 stages
        stage 1, date by date: reads close
          n1 = cs_rank(close)                           -> kept
        stage 2, symbol by symbol: reads n1
          n2 = ts_mean(n1, 2)                           -> staged
        values held at once: 2 x 8 bars, 0.0 MiB
        """
        return explain(self.plan(factors, *more, **named), self.rows)

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

    def _check(self, wanted: Mapping[str, Factor]) -> None:
        """Refuse factors that this panel cannot give, before anything runs."""
        for name, factor in wanted.items():
            if name in (self.symbol, self.date):
                raise ArgumentError(
                    f"a factor cannot be named {name!r}: that is a key column", hint="give it another name"
                )
            for node in factor.walk():
                self._check_inputs(factor, node)
            if factor.operator is COL:
                self._check_number(factor, factor)

    def _check_inputs(self, factor: Factor, node: Factor) -> None:
        for place, child in enumerate(node.inputs):
            is_key = node.operator.axis is Axis.GROUP and place == len(node.inputs) - 1
            if child.operator is COL and not is_key:
                self._check_number(factor, child)
            elif child.operator is COL:
                self._check_there(factor, child)

    def _check_there(self, factor: Factor, column: Factor) -> str:
        name = str(column.parameters[0])
        if name not in self.columns:
            text = str(factor)
            raise UnknownColumnError(
                f"the panel has no column {name!r}",
                hint=suggest(name, self.columns),
                text=text,
                position=text.find(str(column)),
            )
        return name

    def _check_number(self, factor: Factor, column: Factor) -> None:
        name = self._check_there(factor, column)
        if self.frame.schema[name] != pl.Float64:
            text = str(factor)
            raise ArgumentError(
                f"column {name!r} holds categories, not numbers",
                hint="text may only be grouped by, as in group_rank(x, sector)",
                text=text,
                position=text.find(str(column)),
            )


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


def _named(factors: object, more: Iterable[object], named: Mapping[str, object]) -> dict[str, Factor]:
    """All factors asked for, by name."""
    pairs: list[tuple[str, object]] = []
    if isinstance(factors, Mapping):
        pairs += factors.items()
    elif factors is not None:
        more = [factors, *more]
    pairs += [(str(factor), factor) for factor in more]
    pairs += named.items()
    wanted: dict[str, Factor] = {}
    for name, factor in pairs:
        if not isinstance(factor, Factor):
            raise ArgumentError(f"{name!r} is not a factor: {factor!r}", hint="for text use fl.parse")
        if name in wanted:
            raise ArgumentError(f"two factors are named {name!r}")
        wanted[name] = factor
    if not wanted:
        raise ArgumentError("no factor to compute", hint="panel.compute(momentum=fl.ts_pct_change(fl.close, 20))")
    return wanted


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return str(round(value, 3) + 0.0) if isinstance(value, float) else str(value)
