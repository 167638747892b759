"""What a caller asks for, checked before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ArgumentError, UnknownColumnError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL

__all__ = ["Dates", "check_factors", "named_factors", "selected_rows"]

Day: TypeAlias = date | datetime | str
Dates: TypeAlias = Day | tuple[Day | None, Day | None]
"""One date, or the first and the last of a stretch of dates, None for an open end; text is ISO."""


SHOWN = 10
"""So many factors are named in an error."""


def named_factors(factors: object, more: Iterable[object], named: Mapping[str, object]) -> dict[str, Factor]:
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


def check_factors(wanted: Mapping[str, Factor], bars: Bars) -> None:
    """Refuse factors that these bars cannot give."""
    for name in wanted:
        if name in (bars.symbol, bars.date):
            raise ArgumentError(f"a factor cannot be named {name!r}: that is a key column", hint="give it another name")
    _check_columns(wanted, bars)
    for factor in wanted.values():
        for node in factor.walk():
            _check_inputs(factor, node, bars)
        if factor.operator is COL:
            _check_number(factor, factor, bars)


def _check_columns(wanted: Mapping[str, Factor], bars: Bars) -> None:
    """Tell of all factors that lack columns at once; a single one is told with a caret later."""
    lacking = {name: set(factor.columns).difference(bars.columns) for name, factor in wanted.items()}
    told = [f"{name} ({', '.join(sorted(columns))})" for name, columns in lacking.items() if columns]
    if len(told) > 1:
        rest = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
        raise UnknownColumnError(
            f"{len(told)} of {len(wanted)} factors need columns that the panel does not have: "
            f"{', '.join(told[:SHOWN])}{rest}",
            hint="add the columns, or take those of a library that can be had: library.available(panel.columns)",
        )


def _check_inputs(factor: Factor, node: Factor, bars: Bars) -> None:
    for place, child in enumerate(node.inputs):
        is_key = node.operator.axis is Axis.GROUP and place == len(node.inputs) - 1
        if child.operator is COL and not is_key:
            _check_number(factor, child, bars)
        elif child.operator is COL:
            _check_there(factor, child, bars)


def _check_there(factor: Factor, column: Factor, bars: Bars) -> str:
    name = str(column.parameters[0])
    if name not in bars.columns:
        text = str(factor)
        raise UnknownColumnError(
            f"the panel has no column {name!r}",
            hint=suggest(name, bars.columns),
            text=text,
            position=text.find(str(column)),
        )
    return name


def _check_number(factor: Factor, column: Factor, bars: Bars) -> None:
    name = _check_there(factor, column, bars)
    if bars.frame.schema[name] != pl.Float64:
        text = str(factor)
        raise ArgumentError(
            f"column {name!r} holds categories, not numbers",
            hint="text may only be grouped by, as in group_rank(x, sector)",
            text=text,
            position=text.find(str(column)),
        )


def selected_rows(bars: Bars, dates: Dates | None, symbols: Collection[str] | str | None) -> npt.NDArray[np.bool_]:
    """The rows of some dates and symbols."""
    chosen = pl.lit(True)
    if dates is not None:
        chosen = _between(bars, dates)
    if symbols is not None:
        wanted = [symbols] if isinstance(symbols, str) else list(symbols)
        known = set(bars.symbols)
        unknown = [symbol for symbol in wanted if symbol not in known]
        if unknown:
            shown = ", ".join(map(repr, unknown[:3]))
            raise ArgumentError(
                f"{len(unknown)} of {len(wanted)} symbols are not in the panel: {shown}",
                hint=suggest(str(unknown[0]), bars.symbols.to_list()),
            )
        chosen = chosen & pl.col(bars.symbol).is_in(wanted)
    return np.broadcast_to(bars.frame.select(chosen).to_series().to_numpy(), bars.rows)


def _between(bars: Bars, dates: Dates) -> pl.Expr:
    if isinstance(dates, list | tuple) and len(dates) != 2:
        raise ArgumentError(f"dates must be one date, or a first and a last one, got {dates!r}")
    first, last = dates if isinstance(dates, list | tuple) else (dates, dates)
    low, high = (None if day is None else _day(bars, day) for day in (first, last))
    if low is not None and high is not None and low > high:
        raise ArgumentError(f"the first date, {low}, is after the last one, {high}")
    key, chosen = pl.col(bars.date), pl.lit(True)
    if low is not None:
        chosen = chosen & (key >= low)
    return chosen if high is None else chosen & (key <= high)


def _day(bars: Bars, day: Day) -> date | datetime:
    kind = bars.frame.schema[bars.date]
    try:
        value = datetime.fromisoformat(day) if isinstance(day, str) else day
    except ValueError:
        raise ArgumentError(f"{day!r} is not a date", hint="write dates as 2024-01-31") from None
    if not isinstance(value, date):
        raise ArgumentError(f"{day!r} is not a date", hint="give a date, a datetime or ISO text")
    if kind == pl.Date:
        return value.date() if isinstance(value, datetime) else value
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
