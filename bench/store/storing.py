"""Part 1: what storing and reading cost, beside computing in memory and beside plain Parquet."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from factorloom.bench.store.figure import Clock, Figure, Seconds, figure, median, timed
from factorloom.bench.store.fresh import Request, Task, ask
from factorloom.bench.store.market import BARS, Market, fill
from factorloom.engine.panel import Panel
from factorloom.storage.store import Store, open_store

__all__ = ["storing"]

STORING, WRITING, READING, ONE, HOT = 1.5, 1.2, 1.3, 0.1, 0.005
"""The limits: storing to computing and to writing, reading to reading; seconds of one date or symbol, of a hot date."""


class _Clocks:
    """The clocks of one pass over all values."""

    def __init__(self) -> None:
        self.computing, self.writing, self.forcing, self.storing = Clock(), Clock(), Clock(), Clock()


def storing(market: Market) -> Iterator[Figure]:
    """Store and read everything, one date, and one symbol."""
    files = [market.folder / f"values{number}.parquet" for number in range(len(market.spans))]
    base = market.folder / "base"
    with open_store(base) as store:
        load = timed(lambda: store.load(BARS, market.bars))
        panel = Panel.from_frame(market.bars)
        _warm(market, panel, store)
        passes = [_stored(market, panel, store, files) for _ in range(market.options.repeats)]
    market.base = base
    del panel
    rows, count = market.bars.height, len(market.factors)
    yield figure("load the bars", [load], note=f"{rows:,} bars")
    yield from _costs(passes, f"{rows * count:,} values in {len(files)} stretches of dates")
    size = sum(file.stat().st_size for file in files)
    kept = sum(path.stat().st_size for path in base.rglob("factors-*.parquet"))
    yield Figure(what="values on disk", value=kept, unit="B", of="Parquet", ratio=kept / size)
    yield from _reads(market, base, files)
    for file in files:
        file.unlink()


def _warm(market: Market, panel: Panel, store: Store) -> None:
    """Have kernels ready on both sides."""
    span = market.spans[0]
    panel.compute(market.factors, start=span.start, end=span.end)
    fill(store, market.factors, [span])


def _stored(market: Market, panel: Panel, store: Store, files: Sequence[Path]) -> _Clocks:
    """Compute, write and store all values once, a stretch at a time."""
    clocks = _Clocks()
    store.drop(BARS, cache=True)
    store.compact()
    for span, file in zip(market.spans, files, strict=True):
        with clocks.computing:
            values = panel.compute(market.factors, start=span.start, end=span.end)
        with clocks.writing:
            values.write_parquet(file, compression="lz4")
        del values
        with clocks.forcing:
            _force(file)
        with clocks.storing:
            fill(store, market.factors, [span])
    return clocks


def _force(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _costs(passes: Sequence[_Clocks], note: str) -> Iterator[Figure]:
    computing = [each.computing.seconds for each in passes]
    writing = [each.writing.seconds for each in passes]
    forced = [each.writing.seconds + each.forcing.seconds for each in passes]
    whole = [each.storing.seconds for each in passes]
    alone = [one - other for one, other in zip(whole, computing, strict=True)]
    yield figure("compute in memory", computing, note=note)
    yield figure("write LZ4 Parquet", writing, "computing", computing)
    yield figure("write LZ4 Parquet, forced to the disk", forced, "computing", computing)
    yield figure("store.compute: compute, keep, answer", whole, "computing", computing)
    either = "one of the two limits on storing is enough"
    yield figure("storing: store.compute less computing", alone, "computing", computing, limit=STORING, note=either)
    yield figure("storing: store.compute less computing", alone, "writing", writing, limit=WRITING)


def _reads(market: Market, base: Path, files: Sequence[Path]) -> Iterator[Figure]:
    ours, plain = _everything(market, base, files)
    yield figure("read Parquet, everything", plain)
    yield figure("read everything", ours, "Parquet", plain, limit=READING)
    whole: list[Request] = [{"start": f"{span.start}", "end": f"{span.end}"} for span in market.spans]
    plain = [_total(ask(Task(files=[str(file) for file in files])).seconds) for _ in range(market.options.repeats)]
    ours = [_total(_asked(market, base, whole)) for _ in range(market.options.repeats)]
    yield figure("read Parquet, everything, in a new process", plain)
    yield figure("read everything, in a new process", ours, "Parquet", plain, limit=READING)
    dates = market.bars["date"].unique().sort()
    symbols = market.bars["symbol"].unique().sort()
    yield from _one(market, base, "date", [{"dates": f"{each}"} for each in _spread(dates, market.options.repeats + 1)])
    yield from _one(
        market, base, "symbol", [{"symbols": each} for each in _spread(symbols, market.options.repeats + 1)]
    )


def _everything(market: Market, base: Path, files: Sequence[Path]) -> tuple[list[Seconds], list[Seconds]]:
    """All values from the store and from Parquet, in turns."""
    ours, plain = [], []
    for _ in range(market.options.repeats):
        store, reading, other = open_store(base, read_only=True), Clock(), Clock()
        for span, file in zip(market.spans, files, strict=True):
            with other:
                values = pl.read_parquet(file)
            del values
            with reading:
                values = store.compute(BARS, market.factors, start=span.start, end=span.end)
            del values
        store.close()
        ours.append(reading.seconds)
        plain.append(other.seconds)
    return ours, plain


def _one(market: Market, base: Path, kind: str, requests: Sequence[Request]) -> Iterator[Figure]:
    """All factors of one date, or of one symbol: the first time, and again; the first request is not timed."""
    first, again = [], []
    with open_store(base, read_only=True) as store:
        store.compute(BARS, market.factors, **requests[0])
        others = [timed(lambda each=each: store.compute(BARS, market.factors, **each)) for each in requests[1:]]  # type: ignore[misc]
    for request in requests[1:]:
        with open_store(base, read_only=True) as store:
            first.append(timed(lambda each=request: store.compute(BARS, market.factors, **each)))  # type: ignore[misc]
            again += [timed(lambda each=request: store.compute(BARS, market.factors, **each)) for _ in range(5)]  # type: ignore[misc]
    hot = HOT if kind == "date" else None
    yield figure(f"one {kind}, all factors", others, limit=ONE, note=f"of a store that has read another {kind}")
    yield figure(f"one {kind}, all factors", first, limit=ONE, note="of a store that was just opened")
    yield figure(f"the same {kind} again", again, limit=hot)
    answers = [_asked(market, base, [request] * 6) for request in requests[1:]]
    yield figure(f"one {kind}, all factors, in a new process", [each[0] for each in answers], limit=ONE)
    yield figure(f"the same {kind} again in it", [median(each[1:]) for each in answers], limit=hot)


def _asked(market: Market, base: Path, requests: list[Request]) -> list[Seconds]:
    return ask(Task(path=str(base), factors=market.options.factors, requests=requests)).seconds


def _total(seconds: Sequence[Seconds]) -> Seconds:
    return sum(seconds, Seconds(0.0, 0.0))


def _spread(values: pl.Series, count: int) -> list[object]:
    """So many values, from all over."""
    return [values[(2 * place + 1) * len(values) // (2 * count)] for place in range(count)]
