"""What is traded when: decided weights, the dates of trades, and names without a price on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
import polars as pl

from factorloom.engine.research.portfolio.grid import Codes, Grid, keyed, table_of
from factorloom.engine.research.portfolio.hold import Held, carried, last_priced
from factorloom.engine.research.portfolio.weights import Weights
from factorloom.engine.research.series import Array
from factorloom.expressions.errors import (
    ArgumentError,
    BarsError,
    ParameterError,
    UnknownColumnError,
    plural,
    suggest,
)

__all__ = [
    "Missing",
    "Notes",
    "benchmark_returns",
    "check_missing",
    "decided_weights",
    "priced",
    "sources_by_date",
    "tradable",
    "trade_plan",
]

Missing: TypeAlias = Literal["error", "last", "missing"] | float

POLICIES = ("error", "last", "missing")
MISSING_HINT = "missing='last' trades at the last price, missing='missing' leaves such names in cash"


class Notes:
    """What was not as asked, collected on the way."""

    schema = pl.Schema({"kind": pl.String, "symbol": pl.String, "count": pl.Int64, "text": pl.String})

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._rows: list[tuple[str, int, str | None, int, str]] = []

    def add(self, kind: str, day: int, symbol: int | None, count: int, text: str) -> None:
        """A note about a date and, unless None, a symbol, by their places."""
        self._rows.append((kind, day, None if symbol is None else self.grid.symbols[symbol], count, text))

    def add_held(self, held: Held, start: int, known: Array) -> None:
        """What was held without a price, and whether everything was lost."""
        without = (held.before[1:] != 0) & np.isnan(known[start + 1 :])
        last = last_priced(known)
        for symbol in np.flatnonzero(without.any(axis=0)).tolist():
            place = int(last[symbol])
            ended = int(without[max(place - start, 0) :, symbol].sum())
            gaps = int(without[:, symbol].sum()) - ended
            if ended:
                self.add(
                    "ended", place, symbol, ended, f"has no price after this date, and is held {_dates(ended)} more"
                )
            if gaps:
                first = start + 1 + int(np.argmax(without[:, symbol]))
                self.add("gap", first, symbol, gaps, f"is held {_dates(gaps)} without a price, from this one on")
        if held.ruined is not None:
            self.add("ruined", start + held.ruined, None, 1, "everything is lost, and nothing is held from here on")

    @property
    def frame(self) -> pl.DataFrame:
        """The notes by date: kind, date, symbol, count, text."""
        rows = sorted(self._rows, key=lambda row: row[1])
        table = pl.DataFrame([(kind, *rest) for kind, _, *rest in rows], schema=self.schema, orient="row")
        return table.insert_column(1, self.grid.dates.gather([row[1] for row in rows]).alias("date"))


def _dates(count: int) -> str:
    return plural(count, "date")


def decided_weights(weights: object) -> tuple[pl.DataFrame, pl.Series]:
    """A table `symbol, date, weight`, and all dates that were decided on."""
    table = keyed("weights", weights.frame if isinstance(weights, Weights) else weights, "weight")
    numbers = table["weight"].cast(pl.Float64)
    if (~numbers.is_finite()).any() or numbers.null_count():
        row = table.filter(numbers.is_null() | ~numbers.is_finite()).row(0, named=True)
        raise BarsError(
            f"the weight of {row['symbol']} on {row['date']} is not a number", hint="leave the row out, or write 0"
        )
    dates = table["date"] if not isinstance(weights, Weights) else weights.dates.cast(table.schema["date"])
    return table, dates.unique().sort()


def priced(grid: Grid, bars: pl.DataFrame, price: str) -> Array:
    """Prices by date and symbol, NaN where there is none above 0."""
    known = grid.matrix(grid.inside(bars), price)
    known[~(known > 0)] = np.nan
    return known


def trade_plan(dates: pl.Series, market: pl.Series, rebalancing: Codes, lag: int, notes: Notes) -> dict[int, int]:
    """By the place of each trade among the market dates, in order: the place of its weights among their dates."""
    decided, days = (each.to_physical().cast(pl.Int64).to_numpy() for each in (dates, market))
    latest = np.searchsorted(decided, days[rebalancing], side="right") - 1
    fresh = np.diff(latest, prepend=-1) > 0
    plan = {int(day) + lag: int(source) for day, source in zip(rebalancing[fresh], latest[fresh], strict=True)}
    late = [day for day in plan if day >= len(days)]
    for day in late:
        notes.add("untraded", day - lag, None, 1, "decided too late: prices end before the trade")
        del plan[day]
    return plan


def sources_by_date(plan: Mapping[int, int], start: int, end: int) -> Codes:
    """The place of the weights that are held at the end of each date from the first trade on."""
    trades = np.array(list(plan), dtype=np.int64)
    sources = np.array(list(plan.values()), dtype=np.int64)
    return sources[np.searchsorted(trades, np.arange(start, end), side="right") - 1] if sources.size else sources


def tradable(target: Array, trade: int, known: Array, filled: Array, policy: str | float, notes: Notes) -> Array:
    """The weights that can be traded on a date, by what is to be done about names without a price."""
    lacking = np.flatnonzero((target != 0) & np.isnan(known[trade]))
    if not lacking.size:
        return target
    grid = notes.grid
    for symbol in lacking.tolist():
        if policy == "error" or (policy == "last" and np.isnan(filled[trade, symbol])):
            before = "" if policy == "error" else " or before"
            raise BarsError(
                f"{grid.symbols[symbol]} has a weight and no price on {grid.dates[trade]}{before}, "
                "the date of its trade",
                hint=MISSING_HINT,
            )
        done = "is traded at its last price" if policy == "last" else "is left out, its weight stays in cash"
        notes.add("no price", trade, symbol, 1, done)
    return target if policy == "last" else np.where(np.isnan(known[trade]), 0.0, target)


def benchmark_returns(benchmark: object, bars: pl.DataFrame, price: str, market: pl.Series, start: int) -> Array:
    """The return of the benchmark on every date from the start on, 0 on that; NaN where it is missing."""
    found = _benchmark(benchmark, bars, price, market)[start:]
    found[:1] = 0.0
    return found


def _benchmark(benchmark: object, bars: pl.DataFrame, price: str, market: pl.Series) -> Array:
    if isinstance(benchmark, str):
        if benchmark not in bars["symbol"]:
            raise UnknownColumnError(f"prices has no symbol {benchmark!r} for the benchmark")
        level = carried(priced(Grid(market, pl.Series([benchmark])), bars, price), None)[:, 0]
        with np.errstate(all="ignore"):
            return np.concatenate([[np.nan], level[1:] / level[:-1] - 1])
    table = table_of("benchmark", benchmark)
    for column in ("date", "return"):
        if column not in table.columns:
            raise UnknownColumnError(f"benchmark has no column {column!r}", hint=suggest(column, table.columns))
    if table.schema["date"] != market.dtype or not table.schema["return"].is_numeric():
        raise BarsError(f"benchmark must have dates of type {market.dtype} and returns as numbers")
    if table["date"].is_duplicated().any():
        raise BarsError("benchmark repeats a date", hint="one row per date")
    row = pl.DataFrame({"date": market}).join(table.select("date", "return"), on="date", how="left")
    values = row.sort("date")["return"].cast(pl.Float64).fill_null(math.nan).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)


def check_missing(value: object) -> str | float:
    """A policy in a word, or the return of names that end."""
    if isinstance(value, str):
        if value not in POLICIES:
            raise ParameterError(
                f"missing must be 'error', 'last', 'missing' or a return, got {value!r}", hint=suggest(value, POLICIES)
            )
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise ArgumentError(f"missing must be 'error', 'last', 'missing' or a return, got {value!r}")
    if not (math.isfinite(float(value)) and float(value) >= -1):
        raise ParameterError(
            f"missing must be a return, at least -1, got {value!r}", hint="it is a ratio: -0.3 is a loss of 30 percent"
        )
    return float(value)
