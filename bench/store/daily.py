"""Part 2, after many daily appends: a full read and the disk beside those of a store that was loaded at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from factorloom.bench.store.arctic import arctic
from factorloom.bench.store.figure import Figure, Seconds, figure, timed
from factorloom.bench.store.market import BARS, Market, disk, fill, load_days, simulated, spans
from factorloom.bench.workload import Workload
from factorloom.storage.store import open_store

__all__ = ["daily"]

SYMBOLS, EDGE = 50, 50
"""How many symbols, and how many of the first and of the last appends are compared."""
READING, DISK = 1.2, 1.15
"""The limits of both to a fresh store."""


def daily(market: Market) -> Iterator[Figure]:
    """Append day after day, and compare with one load."""
    count = market.options.days
    bars, _ = simulated(Workload(SYMBOLS, count), market.factors)
    days = bars.partition_by("date", maintain_order=False)
    days.sort(key=lambda day: day["date"][0])
    market.log(f"{count} daily appends")
    with open_store(market.folder / "daily") as store:
        runs = [timed(run) for run in load_days(store, days, market.factors)]
    edge = min(EDGE, max(1, count // 4))
    yield figure(f"one of the first {edge} daily appends", runs[:edge], note=f"{SYMBOLS} symbols, {count} days")
    yield figure(f"one of the last {edge}", runs[-edge:], "the first", runs[:edge])
    with open_store(market.folder / "once") as store:
        store.load(BARS, bars)
        fill(store, market.factors, spans(bars, len(market.factors)))
    yield from _compared(market, "after daily appends")
    with open_store(market.folder / "daily") as store:
        compacting = timed(store.compact)
    with open_store(market.folder / "once") as store:
        store.compact()
    yield figure("compact", [compacting])
    yield from _compared(market, "after compact")
    yield from arctic(market, bars, market.folder / "arctic")


def _compared(market: Market, when: str) -> Iterator[Figure]:
    once, appended = market.folder / "once", market.folder / "daily"
    fresh, runs = _reads(market, once), _reads(market, appended)
    yield figure(f"full read {when}", runs, "loaded at once", fresh, limit=READING)
    ours, theirs, whole = _needed(appended), _needed(once), disk(appended)
    note = f"{(whole - ours) / 1e6:.0f} MB more wait ten minutes to be deleted" if whole > ours else ""
    yield Figure(
        what=f"disk {when}", value=ours, unit="B", of="loaded at once", ratio=ours / theirs, limit=DISK, note=note
    )


def _needed(path: Path) -> int:
    """The bytes that the newest catalogue needs: ten years pass here in minutes, in which no file grows old."""
    copy = path.with_name(f"{path.name}-needed")
    with open_store(path, read_only=True) as store:
        store.backup(copy)
    size = disk(copy)
    shutil.rmtree(copy)
    return size


def _reads(market: Market, path: Path) -> list[Seconds]:
    """Bars and values, each time by a store that was just opened."""
    return [timed(lambda: _read(path, market)) for _ in range(market.options.repeats)]


def _read(path: Path, market: Market) -> Sequence[object]:
    with open_store(path, read_only=True) as store:
        return store.panel(BARS), store.compute(BARS, market.factors)
