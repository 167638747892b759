"""One measurement, in a process of its own.

`measure` starts `python -m factorloom.bench.job`, hands it a job on stdin and reads the result from its stdout, both
as JSON. The process may use as many processors as the job has threads, and is stopped when it takes more memory than
it may.
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

from factorloom.bench.agreement import CHECKED, Agreement, compare, latest
from factorloom.bench.market import Market, make
from factorloom.bench.peer import OURS, Engine, NotRunnableError, installed, load
from factorloom.bench.sets import SETS, sample
from factorloom.expressions.factor import Factor

__all__ = ["Job", "Result", "Timing", "measure"]

CAPS = ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
MEMORY = 20e9
"""Bytes that a process may take."""
PRICES = frozenset(("open", "high", "low", "close", "volume", "vwap", "amount"))
"""Columns that every engine is given; others where a factor reads them."""
PATH = re.compile(r"(?:/[\w.+-]+){2,}")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure.

    Attributes
    ----------
    factors
        So many of the set; by default all.
    singly
        Factor by factor, not all at once.
    check
        Whether to compare the values with ours.
    """

    engine: str
    set: str
    market: Market
    threads: int = 2
    repeats: int = 3
    factors: int | None = None
    singly: bool = False
    check: bool = False


class Timing(msgspec.Struct, frozen=True):
    """Seconds of the first run in a process, and the median of those after it."""

    first: float
    warm: float


class Result(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What came of a job.

    Attributes
    ----------
    error
        Why there is nothing else.
    started
        Seconds from the start of the process to the first result, without making the market.
    load
        Seconds to take the bars in.
    parts
        What the engine tells apart.
    together, singly
        Of all factors at once, or of each.
    copy
        Seconds to copy one column, if factors are timed singly.
    peak
        The most bytes that the process held, the bars included.
    """

    error: str = ""
    note: str = ""
    rows: int = 0
    factors: int = 0
    started: float = 0.0
    load: float = 0.0
    parts: dict[str, float] = {}
    together: Timing | None = None
    singly: dict[str, Timing] = {}
    copy: float = 0.0
    peak: int = 0
    agreement: dict[str, Agreement] = {}


def measure(job: Job, cache: Path | None = None) -> Result:
    """Run a job in a fresh process; compiled kernels are kept in `cache` if it is given."""
    if not installed(job.engine):
        return Result(error="not installed")
    caps = dict.fromkeys(CAPS, str(job.threads))
    kept = {} if cache is None else {"NUMBA_CACHE_DIR": str(cache)}
    with subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **caps, **kept},
    ) as process:
        request: bytes | None = msgspec.json.encode((time.time(), job))
        while True:
            try:
                answer, errors = process.communicate(request, timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                request = None
                if _memory(process.pid, "VmRSS") > MEMORY:
                    process.kill()
                    return Result(error=f"took more than {MEMORY / 1e9:.0f} GB of memory")
    if process.returncode:
        last = errors.decode(errors="replace").strip().rpartition("\n")[2]
        return Result(error=_told(last) or f"ended with {process.returncode}")
    return msgspec.json.decode(answer, type=Result)


def main() -> None:
    """Read a job, run it, write the result; whatever engines print goes to stderr."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asked, job = msgspec.json.decode(sys.stdin.buffer.read(), type=tuple[float, Job])
    try:
        result = _run(job, asked)
    except NotRunnableError as error:
        result = Result(error=str(error))
    except Exception as error:
        result = Result(error=_told(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"))
    with answer:
        answer.write(msgspec.json.encode(result))


def _run(job: Job, asked: float) -> Result:
    _confine(job.threads)
    make_engine = load(job.engine)
    factors = SETS[job.set]()
    if job.factors is not None:
        factors = sample(factors, job.factors)
    making = time.time()
    bars = make(job.market)
    bars = bars.select("symbol", "date", *sorted(PRICES.union(*(factor.columns for factor in factors.values()))))
    asked += time.time() - making
    _forget_peak()
    result = Result(rows=bars.height)
    loading = time.perf_counter()
    engine = make_engine(bars, job.threads)
    result.load = time.perf_counter() - loading
    del bars
    factors = {name: factor for name, factor in factors.items() if engine.has(name, factor)}
    result.factors = len(factors)
    if not factors:
        raise NotRunnableError(f"{job.engine} has none of these factors")
    if job.singly:
        result.copy = _copying(result.rows, job.repeats)
        result.singly = dict(_each(engine, factors, job.repeats))
    else:
        run = engine.ready(factors)
        first = _seconds(run)
        result.started = time.time() - asked
        result.together = Timing(first, _median(run, job.repeats))
    result.parts, result.note, result.peak = engine.parts, engine.note, _memory(os.getpid(), "VmHWM")
    if job.check:
        result.agreement = dict(_agreement(make_engine, factors, job))
    return result


def _each(engine: Engine, factors: Mapping[str, Factor], repeats: int) -> Iterator[tuple[str, Timing]]:
    for name, factor in factors.items():
        run = engine.ready({name: factor})
        yield name, Timing(_seconds(run), _median(run, repeats))


def _agreement(make_engine: type[Engine], factors: Mapping[str, Factor], job: Job) -> Iterator[tuple[str, Agreement]]:
    """Every factor of a small market, beside ours."""
    bars = make(CHECKED)
    engine, reference = make_engine(bars, job.threads), load(OURS)(bars, job.threads)
    for group in ({name: factor} for name, factor in factors.items()) if job.singly else (factors,):
        theirs, right = (latest(it.frame(it.ready(group)())) for it in (engine, reference))
        yield from ((name, compare(right[name], theirs[name])) for name in group)


def _median(run: Callable[[], Any], repeats: int) -> float:
    return statistics.median(_seconds(run) for _ in range(repeats))


def _seconds(run: Callable[[], Any]) -> float:
    """How long one run takes; giving its result back is not part of it."""
    start = time.perf_counter()
    result = run()
    taken = time.perf_counter() - start
    del result
    return taken


def _copying(rows: int, repeats: int) -> float:
    """How long it takes to copy one column, the least that anything can take."""
    source, target = np.ones(rows), np.zeros(rows)
    return _median(lambda: np.copyto(target, source), repeats)


def _told(error: str) -> str:
    """An error without the paths of this machine."""
    return PATH.sub("…", error)[:200]


def _confine(threads: int) -> None:
    """Let this process use only so many processors, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _forget_peak() -> None:
    """Count the peak of memory from here, where the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _memory(process: int, kind: str) -> int:
    """Bytes that a process holds (`VmRSS`), or held at most (`VmHWM`); 0 where the system does not say."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{kind}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()
