"""Part 2: append a day and compute it, after histories of several lengths."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import polars as pl

from factorloom.bench.store.figure import Figure, Seconds, figure, timed
from factorloom.bench.store.market import BARS, Market, Span, fill, load_days, simulated, spans
from factorloom.bench.workload import Workload
from factorloom.engine.panel import Panel
from factorloom.storage.store import Store, open_store

__all__ = ["append"]

LENGTHS, FEWER = (1, 4, 16), 16
"""Histories are so many times as long, of one symbol in so many."""
LIMIT, SAME = 1 / 100, 1.3
"""The limits: appending to computing all; a longer history to the shortest."""


def append(market: Market) -> Iterator[Figure]:
    """Append days to the whole market, and to histories of fewer symbols."""
    all_of_it = [_computed(market, market.bars, market.spans)]
    with market.copy("append") as store:
        days = _appended(market, store, market.later)
    yield figure("compute all in memory", all_of_it, note=str(market.options.workload))
    yield figure("append one day and compute it", days, "computing all", all_of_it, limit=LIMIT, note="aim 0.002")
    yield from _histories(market)


def _histories(market: Market) -> Iterator[Figure]:
    shortest: list[Seconds] = []
    whole = market.options.workload
    for times in LENGTHS:
        size = Workload(max(whole.symbols // FEWER, 1), whole.bars * times, whole.ragged)
        market.log(f"appending to {size}")
        bars, later = simulated(size, market.factors)
        parts = spans(bars, len(market.factors))
        computing = [_computed(market, bars, parts)]
        with open_store(market.folder / f"history{times}") as store:
            store.load(BARS, bars)
            fill(store, market.factors, parts)
            days = _appended(market, store, later)
        shutil.rmtree(market.folder / f"history{times}")
        shortest = shortest or days
        limit = None if times == LENGTHS[0] else SAME
        yield figure(f"append one day to {times} x history", days, "1 x", shortest, limit=limit, note=str(size))
        yield figure("the same", days, "computing all", computing)


def _computed(market: Market, bars: pl.DataFrame, parts: list[Span]) -> Seconds:
    """Compute all in memory, once kernels are ready."""
    panel, total = Panel.from_frame(bars), Seconds(0.0, 0.0)
    panel.compute(market.factors, dates=parts[-1].end)
    for span in parts:
        total += timed(lambda span=span: panel.compute(market.factors, start=span.start, end=span.end))  # type: ignore[misc]
    return total


def _appended(market: Market, store: Store, days: list[pl.DataFrame]) -> list[Seconds]:
    return [timed(run) for run in load_days(store, days, market.factors)]
