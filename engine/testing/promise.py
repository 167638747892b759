"""What is promised of every factor, one function each: it looks for cells of some bars that break the promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.read import encode_bars
from factorloom.engine.executor.choose import Engine
from factorloom.engine.panel import Panel
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.indicator import Indicator
from factorloom.expressions.operator import col

__all__ = ["PROMISES", "Case", "Finding"]

Array = npt.NDArray[np.float64]
Factors = Mapping[str, Factor]

TOLERANCE = 1e-9
"""Of the largest value of a column."""

PERTURBATIONS = 8
"""So many times all numbers are perturbed by about 1e-12, to see which cells are decided by rounding."""

NOISES = 3
"""Steps of a factor take turns with so many columns of noise."""

KERNELS: tuple[Engine, ...] = ("numba",)
BOTH: tuple[Engine, ...] = ("numba", "polars")


class Finding(NamedTuple):
    """A cell in which a promise is broken: the two values that should agree, and code that computes the second one.

    The code knows `panel`, which holds the bars, and `factor`.
    """

    name: str
    symbol: str
    date: date
    expected: float | None
    found: float | None
    how: str


class Case:
    """Some bars, and factors on them; what is drawn at random is drawn from `seed`, but for dates that are given."""

    def __init__(self, bars: pl.DataFrame, factors: Factors, seed: int, moments: Sequence[date] = ()) -> None:
        self.bars = bars
        self.factors = factors
        self.seed = seed
        self.moments = list(moments)

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

    def draw(self, count: int) -> list[date]:
        """Some dates of the bars, in order."""
        if len(self.moments) != count:
            dates = self.panel.dates
            self.moments = sorted(dates[int(number)] for number in self.rng.integers(0, dates.len(), count))
        return self.moments

    def on(self, bars: pl.DataFrame) -> Case:
        """The same on other bars, with the same dates drawn, or those that take their places."""
        other = Case(bars, self.factors, self.seed)
        old, new = self.panel.dates, other.panel.dates
        if old.len() == new.len():
            other.moments = [new[int(old.index_of(moment) or 0)] for moment in self.moments]
        else:
            other.moments = [max((day for day in new if day <= moment), default=new[0]) for moment in self.moments]
        return other

    def drawn_from(self, seed: int) -> Case:
        """The same bars and values, with other random numbers."""
        other = copy(self)
        other.seed, other.moments = seed, []
        return other


def panel_of(bars: pl.DataFrame) -> Panel:
    """The bars as a panel, with their columns as they are called, on the local clock."""
    if getattr(bars.schema["date"], "time_zone", None) is not None:
        bars = bars.with_columns(pl.col("date").dt.replace_time_zone(None))
    return Panel(encode_bars(bars))


Promise = Callable[[Case], Finding | None]


def no_look_ahead(case: Case) -> Finding | None:
    """Later bars change nothing before them, further than the look-ahead that the factor declares."""
    (cut,) = case.draw(1)
    early = case.panel.frame.filter(pl.col("date") <= cut)
    after = pl.len().over("symbol") - 1 - pl.int_range(pl.len()).over("symbol")
    values = panel_of(early).compute(case.factors)
    whole = case.whole.filter(pl.col("date") <= cut)
    later = early.select(after.min().over("date")).to_series()
    for ahead in sorted({factor.lookahead for factor in case.factors.values()}):
        names = [name for name, factor in case.factors.items() if factor.lookahead == ahead]
        how = f"fl.Panel.from_frame(panel.frame.filter(pl.col('date') <= {cut!r})).compute(x=factor)"
        kept = later >= ahead
        found = _difference(case, whole.filter(kept), values.filter(kept), names, how)
        if found is not None:
            return found
    return None


def part_equals_whole(case: Case) -> Finding | None:
    """A part of dates and symbols has the values of the whole history, to the last bit."""
    start, end = case.draw(2)
    symbols = case.panel.symbols.to_list()[int(case.rng.integers(2)) :: 2] or case.panel.symbols.to_list()
    part = case.panel.compute(case.factors, start=start, end=end, symbols=symbols)
    whole = case.whole.filter(pl.col("date").is_between(start, end) & pl.col("symbol").is_in(symbols))
    how = f"panel.compute(x=factor, start={start!r}, end={end!r}, symbols={symbols})"
    return _difference(case, whole, part, list(case.factors), how, exact=True)


def executors_agree(case: Case) -> Finding | None:
    """The Polars form and the compiled kernels have the same missing cells, and values that agree to 1e-9."""
    other = case.panel.compute(case.factors, engine="polars")
    how = "panel.compute(x=factor, engine='polars')"
    return _difference(case, case.whole, other, list(case.factors), how, engines=BOTH)


def symbols_have_no_order(case: Case) -> Finding | None:
    """What symbols are called, and so in which order they come, changes nothing."""
    names = case.panel.symbols.to_list()
    other = dict(zip(names, [f"Z{len(names) - number:04}" for number in range(len(names))], strict=True))
    back = {new: old for old, new in other.items()}
    renamed = case.panel.frame.with_columns(pl.col("symbol").replace_strict(other))
    values = panel_of(renamed).compute(case.factors)
    values = values.with_columns(pl.col("symbol").replace_strict(back)).sort("symbol", "date")
    how = f"fl.Panel.from_frame(panel.frame.with_columns(pl.col('symbol').replace_strict({other}))).compute(x=factor)"
    return _difference(case, case.whole, values, list(case.factors), how)


def missing_stays_local(case: Case) -> Finding | None:
    """A bar whose numbers are missing changes nothing before it.

    Where nothing goes across symbols, it changes no other symbol either, and no bar further on than the lookback.
    """
    frame = case.panel.frame
    (day,) = case.draw(1)
    listed = frame.select(pl.arg_where(pl.col("date") == day)).to_series()
    row = listed[int(case.rng.integers(listed.len()))]
    symbol = frame["symbol"][row]
    numbers = [name for name in frame.columns[2:] if frame.schema[name].is_float()]
    if not numbers:
        return None
    others = (pl.col("symbol") != symbol) | (pl.col("date") != day)
    values = panel_of(frame.with_columns(pl.when(others).then(pl.col(numbers)))).compute(case.factors)
    others_written = f"(pl.col('symbol') != {symbol!r}) | (pl.col('date') != {day!r})"
    holed = f"panel.frame.with_columns(pl.when({others_written}).then(pl.col({numbers})))"
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
        how = f"fl.Panel.from_frame({holed}).compute(x=factor)"
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
            return _finding(case.whole, row, name, None, series[row], "panel.compute(x=factor)")
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
                how = _loop_written(node, values, part["symbol"][0])
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
    engines: tuple[Engine, ...] = KERNELS,
) -> Finding | None:
    """The first cell in which two frames of the same rows differ, other than by rounding."""
    for name in names:
        left, right = (frame[name].fill_null(np.nan).to_numpy() for frame in (expected, found))
        apart = _apart(left, right, exact=exact)
        if apart.any() and not exact:
            apart &= ~_rounded(case, expected, name, engines)
        if apart.any():
            row = int(np.argmax(apart))
            return _finding(expected, row, name, expected[name][row], found[name][row], how)
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


def _rounded(case: Case, expected: pl.DataFrame, name: str, engines: tuple[Engine, ...]) -> npt.NDArray[np.bool_]:
    """The cells that are decided by rounding: in an executor, they change when the factor is perturbed.

    A column is scaled by one number, which keeps its ties. Every other time, each step of the factor that does not give
    whole numbers is changed bar by bar: without that, values stay the same that are equal only in this executor.
    """
    factor, frame = case.factors[name], case.panel.frame
    steps = {str(number): node for number, node in enumerate(factor.walk()) if node.inputs and node is not factor}
    values = case.panel.compute(steps) if steps else pl.DataFrame()
    rounding = [node for number, node in steps.items() if not (values[number] == values[number].round()).all()]
    noise = np.random.default_rng(0).uniform(-1, 1, (PERTURBATIONS, NOISES, frame.height))
    noisy = {}
    columns = []
    for number in range(PERTURBATIONS):
        noises = [f"noise_{number}_{place}" for place in range(NOISES)]
        columns += [pl.Series(h, 1 + x * (number + 1) * 2.0**-48) for h, x in zip(noises, noise[number], strict=True)]
        changes = {node: col(noises[place % NOISES]) for place, node in enumerate(rounding) if number % 2}
        noisy[str(number)] = _times(factor, changes, 1 + (number + 1) * 2.0**-43)
    panel = panel_of(frame.with_columns(columns))
    changed = np.zeros(expected.height, np.bool_)
    for engine in engines:
        moved = panel.compute({"base": factor, **noisy}, engine=engine)
        rows = expected.select("symbol", "date").join(moved, on=["symbol", "date"], maintain_order="left")
        base = rows["base"].fill_null(np.nan).to_numpy()
        for key in noisy:
            changed |= _apart(base, rows[key].fill_null(np.nan).to_numpy())
    return changed


def _times(factor: Factor, changes: Mapping[Factor, Factor], scale: float) -> Factor:
    """The factor with columns of numbers times `scale`, and some steps times a factor."""
    keys = {node.inputs[-1] for node in factor.walk() if node.operator.axis is Axis.GROUP}
    done: dict[Factor, Factor] = {}
    for node in factor.walk():
        same = node.on(tuple(done[child] for child in node.inputs))
        if node in changes:
            same = same * changes[node]
        elif node.operator.name == "col" and node not in keys:
            same = same * scale
        done[node] = same
    return done[factor]


def _finding(
    frame: pl.DataFrame, row: int, name: str, expected: float | None, found: float | None, how: str
) -> Finding:
    return Finding(name, frame["symbol"][row], frame["date"][row], expected, found, how)


def _loop_written(node: Factor, values: Mapping[str, object], symbol: str) -> str:
    inputs = [f"panel.compute(x={str(x)!r}).filter(symbol={symbol!r})['x'].to_numpy()" for x in node.operands]
    return f"fl.parse({str(node)!r}).operator.run([{', '.join(inputs)}], {dict(values)})"
