"""Part 6: four processes read while one writes; every answer is compared with the version that it names."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from factorloom.bench.store.figure import Figure, Seconds, figure, timed
from factorloom.bench.store.fresh import Answer, Process, Read, Request, Task, digest
from factorloom.bench.store.market import BARS, Market, alpha158
from factorloom.bench.workload import Workload, make_bars
from factorloom.engine.panel import Panel
from factorloom.expressions.factor import Factor
from factorloom.storage.store import Store, open_store

__all__ = ["readers"]

READERS, FACTORS = 4, 20
SIZE = Workload(symbols=100, bars=300)
AHEAD = 2000
"""So many days can be appended."""
SHARE_ALONE = 0.2
"""The readers first read for this share of the time while nobody writes."""
BLOCKED = 0.05
"""The limit in seconds of a wait behind a publish."""


def readers(market: Market) -> Iterator[Figure]:
    """Read alone, then beside a writer, and check every answer."""
    seconds = market.options.minutes * 60
    bars = make_bars(Workload(SIZE.symbols, SIZE.bars + AHEAD)).select("symbol", "date", *_columns())
    days = bars.partition_by("date", maintain_order=False)
    days.sort(key=lambda day: day["date"][0])
    loads = [pl.concat(days[: SIZE.bars]).sort("symbol", "date")]
    path = market.folder / "readers"
    with open_store(path) as store:
        store.load(BARS, loads[0])
        store.compute(BARS, alpha158(FACTORS))
        market.log("readers alone")
        alone = _answers(_started(path, loads[0], seconds * SHARE_ALONE))
        market.log("readers beside a writer")
        processes = _started(path, loads[0], seconds)
        writes = list(_written(store, loads, days[SIZE.bars :], processes))
    beside = _answers(processes)
    market.log("checking the answers")
    yield figure("a write: load and compute", writes, note=f"{len(writes)} writes")
    yield from _times("nobody writes", alone, None)
    yield from _times("one process writes", beside, BLOCKED)
    errors = [*alone.errors, *beside.errors]
    yield Figure(what="errors", value=len(errors), unit="n", limit=0, note=errors[0] if errors else "")
    wrong = _wrong(beside.reads, loads, _requests(loads[0]))
    note = f"of {len(beside.reads):,} answers on {len({each.first for each in beside.reads})} versions"
    yield Figure(what="answers unequal to a computation", value=wrong, unit="n", limit=0, note=note)


def _columns() -> list[str]:
    return sorted({column for factor in alpha158(FACTORS).values() for column in factor.columns})


def _requests(bars: pl.DataFrame) -> list[Request]:
    """What readers ask for: dates, a window, symbols, and the last day but one."""
    dates = bars["date"].unique().sort()
    symbols = bars["symbol"].unique().sort()
    asked: list[Request] = [{"dates": f"{dates[place]}"} for place in (-1, -2, -10, len(dates) // 2)]
    asked += [{"symbols": symbols[place]} for place in (0, len(symbols) // 2)]
    return [*asked, {"start": f"{dates[-20]}", "end": f"{dates[-1]}"}]


def _started(path: Path, bars: pl.DataFrame, seconds: float) -> list[Process]:
    tasks = [
        Task(path=str(path), factors=FACTORS, requests=_requests(bars), watch=seconds, seed=number)
        for number in range(READERS)
    ]
    return [Process(task) for task in tasks]


def _answers(processes: Sequence[Process]) -> Answer:
    whole = Answer()
    for process in processes:
        answer = process.answer()
        whole.reads += answer.reads
        whole.errors += answer.errors
    return whole


def _written(
    store: Store, loads: list[pl.DataFrame], days: Sequence[pl.DataFrame], readers: Sequence[Process]
) -> Iterator[Seconds]:
    """Append days and restate bars while others read; each load becomes one of `loads`."""
    rng = np.random.Generator(np.random.PCG64(5))
    factors = alpha158(FACTORS)
    ahead = iter(days)
    while any(reader.running for reader in readers):
        if rng.random() < 0.5 and (day := next(ahead, None)) is not None:
            load = day
        else:
            old = pl.concat(loads[-30:], how="vertical")
            rows = rng.choice(old.height, 5, replace=False)
            numbers = pl.col(pl.Float64) * float(1 + 0.01 * rng.random())
            load = old[np.sort(rows)].unique(["symbol", "date"], keep="last").with_columns(numbers)

        def write(load: pl.DataFrame = load) -> object:
            store.load(BARS, load)
            return store.compute(BARS, factors)

        version = store.version(BARS)
        yield timed(write)
        if store.version(BARS) != version:
            loads.append(load)


def _times(when: str, answer: Answer, limit: float | None) -> Iterator[Figure]:
    if not answer.reads:
        return
    walls = sorted(each.wall for each in answer.reads)
    yield Figure(what=f"read while {when}, p50", value=statistics.median(walls), note=f"{len(walls):,} reads")
    yield Figure(what=f"read while {when}, p99", value=walls[int(0.99 * len(walls))])
    yield Figure(what=f"read while {when}, longest", value=walls[-1])
    blocked = max(each.blocked for each in answer.reads)
    note = "no thread of the reader ran or waited for a processor"
    yield Figure(what=f"longest wait while {when}", value=blocked, limit=limit, note=note)


def _wrong(reads: Sequence[Read], loads: Sequence[pl.DataFrame], requests: Sequence[Request]) -> int:
    """How many answers equal none of the versions that they may name."""
    needed: dict[int, set[int]] = defaultdict(set)
    for read in reads:
        for version in range(read.first, read.last + 1):
            needed[version].add(read.request)
    known = dict(_right(needed, loads, requests, alpha158(FACTORS)))
    return sum(
        all(known.get((version, read.request)) != read.digest for version in range(read.first, read.last + 1))
        for read in reads
    )


def _right(
    needed: Mapping[int, set[int]],
    loads: Sequence[pl.DataFrame],
    requests: Sequence[Request],
    factors: Mapping[str, Factor],
) -> Iterator[tuple[tuple[int, int], str]]:
    """The digest of each request on each version, computed in memory."""
    bars = loads[0]
    for version, load in enumerate(loads, start=1):
        if version > 1:
            bars = pl.concat([bars, load]).unique(["symbol", "date"], keep="last").sort("symbol", "date")
        if version in needed:
            panel = Panel.from_frame(bars)
            for number in needed[version]:
                yield (version, number), digest(panel.compute(factors, **requests[number]))
