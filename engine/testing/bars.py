"""Bars as markets make them: gaps, ties, constants, huge offsets, late listings, suspensions, times of day, zones."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor

__all__ = ["CATEGORIES", "SHAPES", "ZONES", "columns_of", "draw_bars", "shaped"]

Array = npt.NDArray[np.float64]

SHAPES = ("walk", "ties", "constant", "missing", "level", "mixed", "zeros")
CATEGORIES = ("tech", "energy", "bank", None)
ZONES = (None, "UTC", "America/New_York", "Asia/Kolkata")
PRICES = ("open", "high", "low", "close", "vwap")
SIZES = ("volume", "amount", "shares_outstanding", "market_cap")
MAX_SYMBOLS, SHORT, EXTRA = 6, 14, 40
MEMORY = 60
"""Bars of a symbol where a factor remembers all of its history."""


def columns_of(factors: Iterable[Factor]) -> tuple[list[str], list[str]]:
    """The columns of numbers, and the columns to group by, that some factors read."""
    numbers: set[str] = set()
    groups: set[str] = set()
    for factor in factors:
        for node in factor.walk():
            is_group = node.operator.axis is Axis.GROUP
            for place, child in enumerate(node.inputs):
                if child.operator.name == "col":
                    kind = groups if is_group and place == len(node.inputs) - 1 else numbers
                    kind.add(str(child.parameters[0]))
        if factor.operator.name == "col":
            numbers.add(str(factor.parameters[0]))
    return sorted(numbers - groups), sorted(groups)


def draw_bars(rng: np.random.Generator, factors: Iterable[Factor]) -> pl.DataFrame:
    """Bars of one to six symbols with the columns that some factors read, long enough for their windows."""
    wanted = list(factors)
    numbers, groups = columns_of(wanted)
    longest = max((MEMORY if factor.unbounded else factor.lookback + factor.lookahead for factor in wanted), default=0)
    is_market = rng.random() < 0.6
    gaps = rng.choice([0.0, 0.05, 0.3])
    shapes = {name: str(rng.choice(SHAPES)) for name in numbers}
    intraday = rng.random() < 0.2
    zone = rng.choice(np.array(ZONES, dtype=object)) if intraday else None
    parts = []
    for number in range(int(rng.integers(1, MAX_SYMBOLS + 1))):
        bars = int(rng.integers(1, SHORT) if rng.random() < 0.3 else longest + rng.integers(1, EXTRA))
        days = rng.integers(0, 6) + np.cumsum(rng.integers(1, 3, bars))
        values = _market(rng, numbers, bars) if is_market else {n: shaped(rng, s, bars) for n, s in shapes.items()}
        columns = {name: pl.Series(np.where(rng.random(bars) < gaps, np.nan, x)) for name, x in values.items()}
        categories = {name: [CATEGORIES[int(rng.integers(len(CATEGORIES)))]] * bars for name in groups}
        frame = pl.DataFrame({"symbol": [f"S{number}"] * bars, "date": _dates(days, intraday=intraday), **columns})
        parts.append(frame.with_columns(pl.Series(name, x, dtype=pl.String) for name, x in categories.items()))
    together = pl.concat(parts).fill_nan(None)
    return together if zone is None else together.with_columns(pl.col("date").dt.replace_time_zone(zone))


def shaped(rng: np.random.Generator, shape: str, bars: int) -> Array:
    """A column of one symbol of a shape that finds faults."""
    values: Array = {
        "walk": 100 * np.exp(np.cumsum(rng.normal(0, 0.05, bars))),
        "ties": rng.integers(-2, 3, bars).astype(float),
        "constant": np.full(bars, 0.1),
        "missing": np.full(bars, np.nan),
        "level": 1e8 + rng.normal(0, 1, bars),
        "mixed": np.where(rng.random(bars) < 0.2, rng.normal(0, 1e6, bars), rng.normal(0, 1, bars)),
        "zeros": np.where(rng.random(bars) < 0.5, 0.0, rng.normal(0, 1, bars)),
    }[shape]
    return values


def _market(rng: np.random.Generator, names: Iterable[str], bars: int) -> dict[str, Array]:
    """Prices in cents with a suspension, whole volumes, and ratios, as a stock has them."""
    close = np.round(20 * np.exp(np.cumsum(rng.normal(0, 0.02, bars))), 2)
    if rng.random() < 0.3:
        first = int(rng.integers(bars))
        close[first : first + 12] = close[first]
    spread = np.where(np.append(0, np.diff(close)) == 0, 0.0, rng.integers(0, 50, bars) / 100)
    columns = {}
    for name in names:
        if name in PRICES:
            side = {"high": 1.0, "low": -0.5, "open": 0.3, "vwap": 0.2}.get(name, 0.0)
            columns[name] = np.maximum(np.round(close + side * spread, 4 if name == "vwap" else 2), 0.01)
        elif name in SIZES:
            columns[name] = np.where(spread == 0, 0.0, rng.integers(1, 10_000, bars) * 100.0)
        else:
            columns[name] = np.round(rng.normal(0, 1, bars), 3)
    return columns


def _dates(days: npt.NDArray[np.int64], *, intraday: bool) -> pl.Series:
    if not intraday:
        return pl.Series([date(2024, 1, 1) + timedelta(days=int(day)) for day in days])
    start = datetime(2024, 1, 2, 9, 30)
    return pl.Series([start + timedelta(days=int(day) // 8, minutes=30 * (int(day) % 8)) for day in days])
