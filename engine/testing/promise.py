"""What is promised of every factor, one function each: it looks for cells of some bars that break the promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.read import encode_bars
from factorloom.engine.panel import Engine, Panel
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.indicator import Indicator

__all__ = ["PROMISES", "Case", "Finding"]

Array = npt.NDArray[np.float64]
Factors = Mapping[str, Factor]

TOLERANCE = 1e-9
"""Of the largest value of a column."""

CUTS = 3
"""So many dates are tried as the last one."""

SCALINGS = 12
"""So many times all numbers are scaled by about 1e-12, to see which cells are decided by rounding."""


class Finding(NamedTuple):
    """A cell in which a promise is broken: the values that should agree, how the second was found, and its code."""

    name: str
    symbol: str
    date: date
    expected: float | None
    found: float | None
    how: str
    code: str | None = None


class Case:
    """Some bars, and factors on them; what is drawn at random is drawn from `seed`."""

    def __init__(self, bars: pl.DataFrame, factors: Factors, seed: int) -> None:
        self.bars = bars
        self.factors = factors
        self.seed = seed

    @property
    def rng(self) -> np.random.Generator:
        """Random numbers, the same each time."""
        return np.random.default_rng(self.seed)

    @cached_property
    def panel(self) -> Panel:
        """The bars as a panel."""
        return panel_of(self.bars)

    @cached_property
    def whole(self) -> pl.DataFrame:
        """The values on all bars."""
        return self.panel.compute(self.factors)

    def moment(self, number: int) -> date:
        """A date of the bars."""
        found: date = self.panel.dates[number]
        return found


def panel_of(bars: pl.DataFrame) -> Panel:
    """The bars as a panel, with their columns as they are called."""
    return Panel(encode_bars(bars))


Promise = Callable[[Case], Finding | None]


def no_look_ahead(case: Case) -> Finding | None:
    """Later bars change nothing before them, further than the look-ahead that the factor declares."""
    for number in case.rng.integers(0, case.panel.dates.len(), CUTS).tolist():
        found = _look_ahead(case, case.moment(number))
        if found is not None:
            return found
    return None


def _look_ahead(case: Case, cut: date) -> Finding | None:
    """A value that the bars after a date change."""
    early = case.panel.frame.filter(pl.col("date") <= cut)
    after = pl.len().over("symbol") - 1 - pl.int_range(pl.len()).over("symbol")
    values = panel_of(early).compute(case.factors)
    whole = case.whole.filter(pl.col("date") <= cut)
    later = early.select(after.min().over("date")).to_series()
    how = f"fl.Panel.from_frame(bars.filter(pl.col('date') <= {cut!r})).compute(x=factor)"
    for ahead in sorted({factor.lookahead for factor in case.factors.values()}):
        names = [name for name, factor in case.factors.items() if factor.lookahead == ahead]
        kept = later >= ahead
        found = _difference(case, whole.filter(kept), values.filter(kept), names, how)
        if found is not None:
            return found
    return None


def part_equals_whole(case: Case) -> Finding | None:
    """A part of dates and symbols has the values of the whole history, to the last bit."""
    first, last = sorted(case.rng.integers(0, case.panel.dates.len(), 2).tolist())
    start, end = case.moment(first), case.moment(last)
    symbols = case.panel.symbols.to_list()[int(case.rng.integers(2)) :: 2] or case.panel.symbols.to_list()
    part = case.panel.compute(case.factors, start=start, end=end, symbols=symbols)
    whole = case.whole.filter(pl.col("date").is_between(start, end) & pl.col("symbol").is_in(symbols))
    how = f"panel.compute(x=factor, start={_written(start)}, end={_written(end)}, symbols={symbols})"
    return _difference(case, whole, part, list(case.factors), how, exact=True)


def executors_agree(case: Case) -> Finding | None:
    """The Polars form and the compiled kernels have the same missing cells, and values that agree to 1e-9."""
    other = case.panel.compute(case.factors, engine="polars")
    how = "panel.compute(x=factor, engine='polars')"
    return _difference(case, case.whole, other, list(case.factors), how, engines=("numba", "polars"))


def symbols_have_no_order(case: Case) -> Finding | None:
    """What symbols are called, and so in which order they come, changes nothing."""
    names = case.panel.symbols.to_list()
    other = dict(zip(names, [f"Z{len(names) - number:04}" for number in range(len(names))], strict=True))
    back = {new: old for old, new in other.items()}
    renamed = case.panel.frame.with_columns(pl.col("symbol").replace_strict(other))
    values = panel_of(renamed).compute(case.factors)
    values = values.with_columns(pl.col("symbol").replace_strict(back)).sort("symbol", "date")
    there, again = (f"pl.col('symbol').replace_strict({names})" for names in (other, back))
    how = f"fl.Panel.from_frame(bars.with_columns({there})).compute(x=factor).with_columns({again})"
    return _difference(case, case.whole, values, list(case.factors), how)


def missing_stays_local(case: Case) -> Finding | None:
    """A bar whose numbers are missing changes nothing before it.

    Where nothing goes across symbols, it changes no other symbol either, and no bar further on than the lookback.
    """
    frame = case.panel.frame
    row = int(case.rng.integers(frame.height))
    symbol, day = frame["symbol"][row], frame["date"][row]
    numbers = [name for name in frame.columns[2:] if frame.schema[name].is_float()]
    hit = (pl.col("symbol") == symbol) & (pl.col("date") == day)
    holed = frame.with_columns(pl.when(~hit).then(name).alias(name) for name in numbers)
    values = panel_of(holed).compute(case.factors)
    number = frame.select(pl.int_range(pl.len()).over("symbol")).to_series()
    own, place = frame["symbol"] == symbol, number - number[row]
    for name, factor in case.factors.items():
        reach = factor.lookback if not factor.unbounded else frame.height
        if factor.axis in (Axis.CELL, Axis.TIME):
            kept = ~own | (place < -factor.lookahead) | (place > reach)
        elif factor.lookahead:
            continue
        else:
            kept = frame["date"] < day
        is_hit = f"(pl.col('symbol') == {symbol!r}) & (pl.col('date') == {day!r})"
        holes = f"pl.when(~({is_hit})).then(pl.selectors.float()).name.keep()"
        how = f"fl.Panel.from_frame(bars.with_columns({holes})).compute(x=factor)"
        found = _difference(case, case.whole.filter(kept), values.filter(kept), [name], how)
        if found is not None:
            return found
    return None


def values_are_finite(case: Case) -> Finding | None:
    """No NaN and no infinity reaches a user; nor does an indicator write one where its inputs are numbers."""
    for name in case.factors:
        series = case.whole[name]
        bad = (~series.is_finite()).fill_null(False)
        if bad.any():
            row = int(bad.arg_max() or 0)
            return _finding(case.whole, row, name, None, series[row], "panel.compute(x=factor)", is_code=True)
    for name, factor in case.factors.items():
        for node in factor.walk():
            if isinstance(node.operator, Indicator):
                found = _infinite(case, name, node, node.operator)
                if found is not None:
                    return found
    return None


PROMISES: dict[str, Promise] = {
    "no look-ahead": no_look_ahead,
    "part = whole": part_equals_whole,
    "executor = executor": executors_agree,
    "symbols have no order": symbols_have_no_order,
    "missing stays local": missing_stays_local,
    "finite": values_are_finite,
}


def _infinite(case: Case, name: str, node: Factor, indicator: Indicator) -> Finding | None:
    """An infinity that the plain loop writes, which the engine would silently take as missing."""
    inputs = case.panel.compute({str(number): child for number, child in enumerate(node.operands)})
    values = indicator.named(node.parameters)
    for part in inputs.with_row_index("\0row").partition_by("symbol", maintain_order=True):
        arrays = [part[str(n)].fill_null(np.nan).to_numpy() for n in range(len(node.operands))]
        for output in indicator.run(arrays, values):
            bad = np.flatnonzero(np.isinf(output))
            if bad.size:
                row = int(part["\0row"][int(bad[0])])
                how = f"the plain loop of {indicator.family}"
                return _finding(inputs, row, name, None, float(output[bad[0]]), how)
    return None


def _difference(
    case: Case,
    expected: pl.DataFrame,
    found: pl.DataFrame,
    names: list[str],
    how: str,
    *,
    exact: bool = False,
    engines: Sequence[Engine] = ("numba",),
) -> Finding | None:
    """The first cell in which two frames of the same rows differ, if it is not decided by rounding."""
    for name in names:
        left, right = (frame[name].fill_null(np.nan).to_numpy() for frame in (expected, found))
        apart = _apart(left, right, exact=exact)
        if apart.any() and not exact:
            apart &= ~_rounded(case, expected, name, engines)
        if apart.any():
            row = int(np.argmax(apart))
            return _finding(expected, row, name, expected[name][row], found[name][row], how, is_code=True)
    return None


def _apart(left: Array, right: Array, *, exact: bool = False) -> npt.NDArray[np.bool_]:
    apart: npt.NDArray[np.bool_]
    if exact:
        apart = ~((left == right) | (np.isnan(left) & np.isnan(right)))
        return apart
    there = np.isfinite(left) & np.isfinite(right)
    scale = max(np.abs(left[there]).max(initial=0.0), np.abs(right[there]).max(initial=0.0))
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.where(there, np.abs(left - right) > TOLERANCE * scale, np.isnan(left) != np.isnan(right))
    return apart


def _rounded(case: Case, expected: pl.DataFrame, name: str, engines: Sequence[Engine]) -> npt.NDArray[np.bool_]:
    """The cells that are decided by rounding: they change when all numbers are scaled a little."""
    keys = expected.select("symbol", "date")
    factor = {name: case.factors[name]}
    numbers = [column for column, kind in case.panel.frame.schema.items() if kind.is_float()]
    moved = np.zeros(keys.height, np.bool_)
    for engine in engines:
        base = case.whole if engine == "numba" else case.panel.compute(factor, engine=engine)
        values = _at(keys, base, name)
        for number in range(1, SCALINGS + 1):
            scaled = panel_of(case.panel.frame.with_columns(pl.col(numbers) * (1 + number * 2.0**-43)))
            moved |= _apart(values, _at(keys, scaled.compute(factor, engine=engine), name))
    return moved


def _at(keys: pl.DataFrame, values: pl.DataFrame, name: str) -> Array:
    """A column of values at some keys."""
    found = keys.join(values.select("symbol", "date", name), on=["symbol", "date"], maintain_order="left")
    return found[name].fill_null(np.nan).to_numpy()


def _finding(
    frame: pl.DataFrame,
    row: int,
    name: str,
    expected: float | None,
    found: float | None,
    how: str,
    *,
    is_code: bool = False,
) -> Finding:
    return Finding(name, frame["symbol"][row], frame["date"][row], expected, found, how, how if is_code else None)


def _written(day: date) -> str:
    return repr(str(day))
