"""The benchmark of the engine: which jobs are run, and what they make up together."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from factorloom.bench.job import Job, Result, measure
from factorloom.bench.machine import Machine, describe
from factorloom.bench.market import Market
from factorloom.bench.peer import OURS, PEERS
from factorloom.bench.sets import SETS
from factorloom.expressions.errors import ArgumentError

__all__ = ["Options", "Report", "run"]

FEW = (20, 60)
"""How many factors besides the whole set."""
START = Market(symbols=500, bars=1260)
"""What a process starts with when the way to the first result is timed."""

Tell = Callable[[str], None]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to run.

    Attributes
    ----------
    set
        `all`, or names with commas between.
    peers
        The same, or `none`.
    operators, scaling
        Whether to time every operator, and other sizes.
    """

    market: Market
    threads: int = 2
    repeats: int = 3
    set: str = "all"
    peers: str = "all"
    operators: bool = True
    scaling: bool = True


class Report(msgspec.Struct, kw_only=True):
    """All that was measured.

    Attributes
    ----------
    sets
        By set and engine.
    operators
        By engine.
    start
        A process with no compiled kernels (`cold`) and one that finds them on disk (`warm`).
    scaling
        Factorloom over `rows`, `factors` and `threads`, each by size.
    """

    machine: Machine
    options: Options
    sets: dict[str, dict[str, Result]] = {}
    operators: dict[str, Result] = {}
    start: dict[str, Result] = {}
    scaling: dict[str, dict[int, Result]] = {}


def run(options: Options, tell: Tell = lambda doing: None) -> Report:
    """Measure everything that is asked for, telling what is being measured."""
    sets = _chosen("set", options.set, [name for name in SETS if name != "operators"])
    peers = [name for name in PEERS if name != OURS]
    engines = [OURS, *([] if options.peers == "none" else _chosen("peers", options.peers, peers))]
    report = Report(machine=describe(), options=options)

    @functools.cache
    def timed(job: Job) -> Result:
        tell(f"timing {job.set} with {job.engine} on {job.market}")
        return measure(job)

    plain = Job(engine=OURS, set=sets[0], market=options.market, threads=options.threads, repeats=options.repeats)
    change = functools.partial(msgspec.structs.replace, plain)
    for name in sets:
        having = [engine for engine in engines if name in PEERS[engine].sets]
        report.sets[name] = {e: timed(change(set=name, engine=e, check=e != OURS)) for e in having}
    if options.operators:
        having = [engine for engine in engines if "operators" in PEERS[engine].sets]
        report.operators = {e: timed(change(set="operators", engine=e, check=e != OURS, singly=True)) for e in having}
    if options.scaling:
        tell("starting fresh processes")
        report.start = dict(_start(change(market=_smaller(options.market, START), repeats=1)))
        report.scaling = {
            "rows": {result.rows: result for result in (timed(change(market=m)) for m in _sizes(options.market))},
            "factors": {r.factors: r for r in (timed(change(factors=count)) for count in _counts(sets[0]))},
            "threads": {count: timed(change(threads=count)) for count in _powers(options.threads)},
        }
    return report


def _chosen(name: str, asked: str, known: list[str]) -> list[str]:
    """The names that are asked for, in the order in which they are known."""
    wanted = known if asked == "all" else asked.split(",")
    for word in wanted:
        if word not in known:
            raise ArgumentError(f"{name} must be all or some of {', '.join(known)}; got {word!r}")
    return [word for word in known if word in wanted]


def _start(job: Job) -> Iterator[tuple[str, Result]]:
    """The first process finds no compiled kernels, the second those of the first."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cold", "warm"):
            yield name, measure(job, cache=Path(folder))


def _smaller(one: Market, other: Market) -> Market:
    return Market(min(one.symbols, other.symbols), min(one.bars, other.bars), one.ragged)


def _sizes(market: Market) -> Iterator[Market]:
    """A sixteenth, a quarter and all of a market."""
    for parts in (8, 2):
        yield Market(max(market.symbols // parts, 1), max(market.bars // 2, 1), market.ragged)
    yield market


def _counts(name: str) -> list[int | None]:
    return [count for count in FEW if count < len(SETS[name]())] + [None]


def _powers(threads: int) -> list[int]:
    """1, 2, 4 and so on, up to all of the threads."""
    return sorted({2**power for power in range(threads.bit_length())} | {threads})
