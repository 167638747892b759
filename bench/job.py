"""One measurement in its own process.

`measure` starts `python -m factorloom.bench.job`, writes a job to its stdin and reads the result from its stdout, both
as JSON. The process is limited to as many processors as the job has threads, and is killed above `MEMORY_LIMIT`.
"""

from __future__ import annotations

import contextlib
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from factorloom.bench.agreement import COMPARISON, Agreement, compare, last_bars
from factorloom.bench.peer import OURS, Engine, NotRunnableError, is_installed, load_engine
from factorloom.bench.process import environment, reply
from factorloom.bench.sets import SETS, sample
from factorloom.bench.workload import Workload, make_bars
from factorloom.expressions.factor import Factor

__all__ = ["Job", "Result", "Timing", "measure", "memory", "reset_peak"]

THREAD_LIMITS = (
    "POLARS_MAX_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)
MEMORY_LIMIT = 20e9
"""Bytes of memory that a process may take."""
BASE_COLUMNS = frozenset(("open", "high", "low", "close", "volume", "vwap", "amount"))
"""Columns that every engine loads; it loads others only if a factor reads them."""
PATH = re.compile(r"(?:/[\w.+-]+){2,}")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure.

    Attributes
    ----------
    factors
        How many factors of the set; None for all.
    each_factor
        Whether to time each factor alone, instead of all at once.
    check
        Whether to compare the values with Factorloom's.
    """

    engine: str
    set: str
    workload: Workload
    threads: int = 2
    repeats: int = 3
    factors: int | None = None
    each_factor: bool = False
    check: bool = False


class Timing(msgspec.Struct, frozen=True):
    """Seconds of the first run in a process, and the median of the later runs."""

    first: float
    warm: float


class Result(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The result of a job.

    Attributes
    ----------
    error
        Why the job failed; all other fields are then empty.
    note
        A remark of the engine.
    startup
        Seconds from the start of the process to the first result, without simulating the bars.
    load
        Seconds to load the bars into the engine.
    phases
        Seconds of each phase that the engine reports.
    all_factors, each_factor
        Times of all factors at once, or of each factor alone.
    copy
        Seconds to copy one column, if each factor is timed alone.
    peak
        The peak memory of the process in bytes, bars included.
    agreement
        How well the values agree with Factorloom's, by factor.
    """

    error: str = ""
    note: str = ""
    rows: int = 0
    factors: int = 0
    startup: float = 0.0
    load: float = 0.0
    phases: dict[str, float] = {}
    all_factors: Timing | None = None
    each_factor: dict[str, Timing] = {}
    copy: float = 0.0
    peak: int = 0
    agreement: dict[str, Agreement] = {}


def measure(job: Job, cache: Path | None = None) -> Result:
    """Run a job in a new process; `cache` is the folder for compiled kernels."""
    if not is_installed(job.engine):
        return Result(error="not installed")
    limits = dict.fromkeys(THREAD_LIMITS, str(job.threads))
    kernels = {} if cache is None else {"NUMBA_CACHE_DIR": str(cache)}
    with subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(**limits, **kernels),
    ) as process:
        request: bytes | None = msgspec.json.encode((time.time(), job))
        while True:
            try:
                answer, errors = process.communicate(request, timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                request = None
                if memory(process.pid, "VmRSS") > MEMORY_LIMIT:
                    process.kill()
                    return Result(error=f"took more than {MEMORY_LIMIT / 1e9:.0f} GB of memory")
    if process.returncode:
        last = errors.decode(errors="replace").strip().rpartition("\n")[2]
        return Result(error=_without_paths(last) or f"exited with code {process.returncode}")
    return msgspec.json.decode(answer, type=Result)


def _result(request: tuple[float, Job]) -> Result:
    """The result of a job, or why there is none."""
    process_start, job = request
    try:
        return _run(job, process_start)
    except NotRunnableError as error:
        return Result(error=str(error))
    except Exception as error:
        return Result(error=_without_paths(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"))


def _run(job: Job, process_start: float) -> Result:
    """Run a job in this process, which was started at `process_start`."""
    _limit_processors(job.threads)
    make_engine = load_engine(job.engine)
    factors = SETS[job.set]()
    if job.factors is not None:
        factors = sample(factors, job.factors)
    simulating = time.time()
    bars = make_bars(job.workload)
    bars = bars.select("symbol", "date", *sorted(BASE_COLUMNS.union(*(factor.columns for factor in factors.values()))))
    process_start += time.time() - simulating
    reset_peak()
    result = Result(rows=bars.height)
    loading = time.perf_counter()
    engine = make_engine(bars, job.threads)
    result.load = time.perf_counter() - loading
    del bars
    factors = {name: factor for name, factor in factors.items() if engine.supports(name, factor)}
    result.factors = len(factors)
    if not factors:
        raise NotRunnableError(f"{job.engine} supports none of these factors")
    if job.each_factor:
        result.copy = _copy_time(result.rows, job.repeats)
        result.each_factor = dict(_time_each(engine, factors, job.repeats))
    else:
        run = engine.prepare(factors)
        first = _seconds(run)
        result.startup = time.time() - process_start
        result.all_factors = Timing(first, _median(run, job.repeats))
    result.phases, result.note, result.peak = engine.phases, engine.note, memory(os.getpid(), "VmHWM")
    if job.check:
        result.agreement = dict(_agreement(make_engine, factors, job))
    return result


def _time_each(engine: Engine, factors: Mapping[str, Factor], repeats: int) -> Iterator[tuple[str, Timing]]:
    for name, factor in factors.items():
        run = engine.prepare({name: factor})
        yield name, Timing(_seconds(run), _median(run, repeats))


def _agreement(make_engine: type[Engine], factors: Mapping[str, Factor], job: Job) -> Iterator[tuple[str, Agreement]]:
    """How well the values of each factor agree with Factorloom's."""
    bars = make_bars(COMPARISON)
    engine, reference = make_engine(bars, job.threads), load_engine(OURS)(bars, job.threads)
    for group in ({name: factor} for name, factor in factors.items()) if job.each_factor else (factors,):
        theirs, ours = (last_bars(each.to_frame(each.prepare(group)())) for each in (engine, reference))
        yield from ((name, compare(ours[name], theirs[name])) for name in group)


def _median(run: Callable[[], Any], repeats: int) -> float:
    return statistics.median(_seconds(run) for _ in range(repeats))


def _seconds(run: Callable[[], Any]) -> float:
    """The time of one run, without freeing its result."""
    start = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - start
    del result
    return seconds


def _copy_time(rows: int, repeats: int) -> float:
    """The time to copy one column: a lower bound for every factor."""
    source, target = np.ones(rows), np.zeros(rows)
    return _median(lambda: np.copyto(target, source), repeats)


def _without_paths(error: str) -> str:
    """An error message without paths of this machine."""
    return PATH.sub("…", error)[:200]


def _limit_processors(threads: int) -> None:
    """Limit this process to a number of processors, if the system supports it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def reset_peak() -> None:
    """Measure the peak memory from now on, if the system supports it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def memory(process: int, kind: str) -> int:
    """Bytes of memory of a process now (`VmRSS`) or at its peak (`VmHWM`); 0 if the system does not report it."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{kind}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    reply(tuple[float, Job], _result)
