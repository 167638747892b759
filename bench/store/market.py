"""The bars, the factors and the filled store that the parts of a benchmark share."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from factorloom.bench.sets import SETS, sample
from factorloom.bench.store.options import Options
from factorloom.bench.workload import Workload, make_bars
from factorloom.expressions.factor import Factor
from factorloom.storage.backup import restore_store
from factorloom.storage.store import Store, open_store

__all__ = ["BARS", "LATER", "Market", "Span", "alpha158", "disk", "fill", "load_days", "restated", "simulated", "spans"]

BARS = "bars"
"""The name of the dataset."""
LATER = 5
"""So many days come after the history, to be appended."""
BLOCK = 1 << 29
"""What is computed or read at once has about so many bytes of values at most."""


class Span(NamedTuple):
    """A stretch of dates, both ends included."""

    start: dt.date
    end: dt.date


class Market:
    """Bars and factors of one run, and the folder for its stores.

    Attributes
    ----------
    bars, later
        The history, and the bars of each day after it.
    """

    def __init__(self, options: Options, folder: Path, log: Callable[[str], None]) -> None:
        self.options = options
        self.folder = folder
        self.log = log
        self.factors = alpha158(options.factors)

    @functools.cached_property
    def _all(self) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
        return simulated(self.options.workload, self.factors)

    @property
    def bars(self) -> pl.DataFrame:
        """The bars of the history."""
        return self._all[0]

    @property
    def later(self) -> list[pl.DataFrame]:
        """The bars of each day that comes after the history."""
        return self._all[1]

    @functools.cached_property
    def spans(self) -> list[Span]:
        """The history in stretches whose values take about `BLOCK` bytes."""
        return spans(self.bars, len(self.factors))

    @functools.cached_property
    def base(self) -> Path:
        """A store with the history and all values; not to be changed, but for its values."""
        path = self.folder / "base"
        self.log("filling a store")
        with open_store(path) as store:
            store.load(BARS, self.bars)
            fill(store, self.factors, self.spans)
        return path

    def copy(self, name: str) -> Store:
        """A store of its own with what the base has; files are linked."""
        restore_store(self.base, self.folder / name)
        return open_store(self.folder / name)


def alpha158(count: int | None = None) -> dict[str, Factor]:
    """So many of the factors of Alpha158."""
    every = SETS["alpha158"]()
    return dict(every) if count is None or count >= len(every) else sample(every, count)


def simulated(workload: Workload, factors: Mapping[str, Factor]) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """A history of so many bars with the columns that factors read, and the bars of each of `LATER` days after it."""
    columns = sorted({column for factor in factors.values() for column in factor.columns})
    longer = Workload(workload.symbols, workload.bars + LATER, workload.ragged)
    bars = make_bars(longer).select("symbol", "date", *columns)
    dates = bars["date"].unique().sort()
    days = [bars.filter(pl.col("date") == day) for day in dates[-LATER:]]
    return bars.filter(pl.col("date") < dates[-LATER]), days


def spans(bars: pl.DataFrame, factors: int, block: int = BLOCK) -> list[Span]:
    """Stretches of dates whose values take about `block` bytes.

    >>> from factorloom.bench.workload import Workload, make_bars
    >>> len(spans(make_bars(Workload(symbols=2, bars=10, ragged=False)), 5, block=400))
    2
    """
    dates = bars["date"].unique().sort().to_list()
    count = min(len(dates), max(1, -(-bars.height * factors * 8 // block)))
    parts = np.array_split(np.arange(len(dates)), count)
    return [Span(dates[part[0]], dates[part[-1]]) for part in parts]


def fill(store: Store, factors: Mapping[str, Factor], stretches: list[Span]) -> None:
    """Compute and keep all values."""
    for span in stretches:
        store.compute(BARS, factors, start=span.start, end=span.end)


def load_days(store: Store, days: list[pl.DataFrame], factors: Mapping[str, Factor]) -> Iterator[Callable[[], object]]:
    """For each day, what loads and computes it."""
    for day in days:
        date = day["date"][0]

        def append(day: pl.DataFrame = day, date: dt.date = date) -> pl.DataFrame:
            store.load(BARS, day)
            return store.compute(BARS, factors, dates=date)

        yield append


def restated(bars: pl.DataFrame, share: float, seed: int = 11) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Some bars at random with other prices and volumes, at least one; and all bars with these among them.

    >>> from factorloom.bench.workload import Workload, make_bars
    >>> bars = make_bars(Workload(symbols=10, bars=100))
    >>> some, whole = restated(bars, 0.01)
    >>> some.height == round(0.01 * bars.height), (whole["close"] != bars["close"]).sum() == some.height
    (True, True)
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    known = np.flatnonzero(bars["close"].is_not_null().to_numpy())
    rows = np.sort(rng.choice(known, max(1, round(share * bars.height)), replace=False))
    chosen = np.zeros(bars.height, np.bool_)
    chosen[rows] = True
    numbers = [name for name, kind in bars.schema.items() if kind == pl.Float64]
    factor = pl.when(pl.Series(chosen)).then(1.01).otherwise(1.0)
    whole = bars.with_columns(pl.col(numbers) * factor)
    return whole.filter(pl.Series(chosen)), whole


def disk(folder: Path) -> int:
    """The bytes that a folder takes on disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
