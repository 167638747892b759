"""The benchmark of the engine: the list of jobs, and the report of their results."""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from factorloom.bench.job import Job, Result, measure
from factorloom.bench.machine import Machine, describe
from factorloom.bench.peer import ENGINES, OURS
from factorloom.bench.sets import FIRST, SETS
from factorloom.bench.workload import Workload
from factorloom.expressions.errors import ArgumentError

__all__ = ["Options", "Report", "run"]

FACTOR_COUNTS = (20, 60)
"""Numbers of factors to time besides the whole set."""
STARTUP = (Workload(symbols=50, bars=250), Workload(symbols=500, bars=1260))
"""The workloads on which the time to the first result of a new process is measured."""

Log = Callable[[str], None]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure.

    Attributes
    ----------
    set
        `all`, or comma-separated names of sets.
    peers
        `all`, `none`, or comma-separated names of other engines.
    operators, scaling
        Whether to time every operator; and other numbers of rows, factors and threads, and first results.
    """

    workload: Workload
    threads: int = 2
    repeats: int = 3
    set: str = "all"
    peers: str = "all"
    operators: bool = True
    scaling: bool = True


class Report(msgspec.Struct, kw_only=True):
    """All results.

    Attributes
    ----------
    sets
        By set and engine.
    operators
        By engine.
    startup
        Of new processes, by set, size and engine; of Factorloom with kernels to compile (`cold`), and on disk (`warm`).
    scaling
        Of Factorloom over `rows`, `factors` and `threads`, each by size.
    """

    machine: Machine
    options: Options
    sets: dict[str, dict[str, Result]] = {}
    operators: dict[str, Result] = {}
    startup: dict[str, Result] = {}
    scaling: dict[str, dict[int, Result]] = {}


def run(options: Options, log: Log = lambda message: None) -> Report:
    """Run the benchmark, and log each job."""
    sets = _select("set", options.set, [name for name in SETS if name not in ("operators", *FIRST)])
    peers = [name for name in ENGINES if name != OURS]
    engines = [OURS, *([] if options.peers == "none" else _select("peers", options.peers, peers))]
    report = Report(machine=describe(), options=options)

    @functools.cache
    def timed(job: Job) -> Result:
        log(f"timing {job.set} with {job.engine} on {job.workload}")
        return measure(job)

    base = Job(engine=OURS, set=sets[0], workload=options.workload, threads=options.threads, repeats=options.repeats)
    job = functools.partial(msgspec.structs.replace, base)
    for name in sets:
        able = [engine for engine in engines if name in ENGINES[engine].sets]
        report.sets[name] = {e: timed(job(set=name, engine=e, check=e != OURS)) for e in able}
    if options.operators:
        able = [engine for engine in engines if "operators" in ENGINES[engine].sets]
        report.operators = {e: timed(job(set="operators", engine=e, check=e != OURS, each_factor=True)) for e in able}
    if options.scaling:
        sizes = dict.fromkeys(_smaller(options.workload, size) for size in STARTUP)
        for name, size in itertools.product((*FIRST, *sets), sizes):
            log(f"timing the first result of {name} on {size}")
            able = [engine for engine in engines if engine != OURS and name in ENGINES[engine].sets]
            report.startup |= _first_results(job(set=name, workload=size, repeats=1), able)
        report.scaling = {
            "rows": {r.rows: r for r in (timed(job(workload=size)) for size in _sizes(options.workload))},
            "factors": {r.factors: r for r in (timed(job(factors=count)) for count in _counts(sets[0]))},
            "threads": {count: timed(job(threads=count)) for count in _powers(options.threads)},
        }
    return report


def _select(option: str, value: str, known: list[str]) -> list[str]:
    """The names that an option selects, in the order of `known`."""
    names = known if value == "all" else value.split(",")
    for name in names:
        if name not in known:
            raise ArgumentError(f"{option} must be all or some of {', '.join(known)}; got {name!r}")
    return [name for name in known if name in names]


def _first_results(job: Job, peers: Iterable[str]) -> dict[str, Result]:
    """Of Factorloom without compiled kernels, then with those that the first process kept; and of others."""
    name = f"{job.set} on {job.workload.symbols} x {job.workload.bars}"
    with tempfile.TemporaryDirectory() as folder:
        ours = {f"{name}, {job.engine} {state}": measure(job, cache=Path(folder)) for state in ("cold", "warm")}
    return ours | {f"{name}, {peer}": measure(msgspec.structs.replace(job, engine=peer)) for peer in peers}


def _smaller(one: Workload, other: Workload) -> Workload:
    return Workload(min(one.symbols, other.symbols), min(one.bars, other.bars), one.ragged)


def _sizes(workload: Workload) -> Iterator[Workload]:
    """A sixteenth, a quarter and all of a workload."""
    for parts in (8, 2):
        yield Workload(max(workload.symbols // parts, 1), max(workload.bars // 2, 1), workload.ragged)
    yield workload


def _counts(name: str) -> list[int | None]:
    return [count for count in FACTOR_COUNTS if count < len(SETS[name]())] + [None]


def _powers(threads: int) -> list[int]:
    """1, 2, 4 and so on, and the number of threads itself."""
    return sorted({2**power for power in range(threads.bit_length())} | {threads})
