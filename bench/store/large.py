"""Part 8: a market loaded year by year, of which only a year is in memory: load, compute, append, and the memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import polars as pl

from factorloom.bench.job import memory, reset_peak
from factorloom.bench.store.figure import Figure, Seconds, figure, timed
from factorloom.bench.store.market import BARS, LATER, Market, alpha158, load_days
from factorloom.bench.workload import Workload, make_bars
from factorloom.storage.store import open_store

__all__ = ["large"]

FACTORS, YEAR, QUARTER = 20, 252, 63
"""So many factors at most; dates that are loaded, and computed, at a time."""
MEMORY = 16 * 2**30
"""The limit on the memory of the process, files that it has mapped included."""


def large(market: Market) -> Iterator[Figure]:
    """Load years, compute quarters, and append days."""
    size = market.options.workload
    factors = alpha158(min(FACTORS, market.options.factors or FACTORS))
    columns = sorted({column for factor in factors.values() for column in factor.columns})
    calendar = make_bars(Workload(1, size.bars + LATER, ragged=False))["date"]

    def bars(start: int, stop: int) -> pl.DataFrame:
        part = make_bars(Workload(size.symbols, stop - start, size.ragged), seed=start)
        dates = calendar[start:stop].gather(calendar.search_sorted(part["date"]))
        return part.select("symbol", dates.alias("date"), *columns)

    peaks: list[int] = []

    def measured(run: Callable[[], object]) -> Seconds:
        """The time of a run, whose peak of memory is noted: not that of simulating bars."""
        reset_peak()
        seconds = timed(run)
        peaks.append(memory(os.getpid(), "VmHWM"))
        return seconds

    loads: list[Seconds] = []
    with open_store(market.folder / "large") as store:
        for start in range(0, size.bars, YEAR):
            market.log(f"loading from {calendar[start]} on")
            year = bars(start, min(start + YEAR, size.bars))
            loads.append(measured(lambda year=year: store.load(BARS, year)))  # type: ignore[misc]
            del year
        loading = max(peaks)
        total = Seconds(0.0, 0.0)
        for start in range(0, size.bars, QUARTER):
            ends = {"start": calendar[start], "end": calendar[min(start + QUARTER, size.bars) - 1]}
            total += measured(lambda ends=ends: store.compute(BARS, factors, **ends))  # type: ignore[misc]
        days = [bars(place, place + 1) for place in range(size.bars, size.bars + LATER)]
        appends = [measured(run) for run in load_days(store, days, factors)]
    note = f"{size}, {len(factors)} factors"
    yield figure("load a year", loads, note=note)
    yield figure("compute all, a quarter at a time", [total], note=note)
    yield figure("append one day and compute it", appends)
    yield Figure(what="peak memory while loading", value=loading, unit="B", limit=MEMORY)
    yield Figure(what="peak memory", value=max(peaks), unit="B", limit=MEMORY)
