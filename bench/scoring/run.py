"""The benchmark of scoring: all steps, and the report of their figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

import msgspec

from factorloom.bench.machine import Machine, describe
from factorloom.bench.scoring.fresh import OURS, Answer, Turn, ask
from factorloom.bench.scoring.options import Options
from factorloom.bench.store.figure import Figure, figure

__all__ = ["Report", "run"]

Log = Callable[[str], None]
LIMITS = {"one date": 0.05, "cold": 0.5, "wide date": 0.4}
"""Seconds."""
TIMES_FACTORS = 3.0
COLD, PAIRS = 5, 3
"""So many cold processes, and pairs of processes for all dates."""


class Report(msgspec.Struct, kw_only=True):
    """All figures, by step."""

    machine: Machine
    options: Options
    parts: dict[str, list[Figure]] = {}


def run(options: Options, log: Log = lambda message: None) -> Report:
    """Take all steps, and log each."""
    report = Report(machine=describe(), options=options)
    sizes = {"one date": options.symbols, "cold": options.symbols, "wide date": options.wide}
    for step, symbols in sizes.items():
        log(step)
        count = COLD if step == "cold" else 1
        answers = [ask(Turn(step=step, options=options)) for _ in range(count)]
        title = f"{step}: {symbols:,} symbols, {options.factors} factors"
        report.parts[title] = list(_beside(step, answers))
    log("all dates")
    title = f"all dates: {options.symbols:,} symbols x {options.bars:,} bars, {options.factors} factors"
    turns: dict[str, list[Answer]] = {"factors": [], "scores": []}
    for _ in range(PAIRS):
        for step, found in turns.items():
            found.append(ask(Turn(step=step, options=options)))
    report.parts[title] = list(_history(**turns))
    return report


def _beside(step: str, answers: list[Answer]) -> Iterator[Figure]:
    """Our time, and that of others with their quotient by ours."""
    if failed := [each.error for each in answers if each.error]:
        yield Figure(what=OURS, value=0.0, unit="", note=failed[0])
        return
    mine = [seconds for each in answers for seconds in each.runs[OURS]]
    middle = statistics.median(each.wall for each in mine)
    rate = f"{answers[0].rows / middle:,.0f} symbols/s"
    yield figure(OURS, mine, limit=LIMITS[step], note=rate)
    for name, theirs in answers[0].runs.items():
        if name != OURS:
            yield figure(name, theirs, OURS, mine)
    yield _memory(answers[0])


def _history(factors: list[Answer], scores: list[Answer]) -> Iterator[Figure]:
    """The factors of all dates, and with their scores, in new processes in turn; and again in the same processes."""
    if failed := [each.error for each in (*factors, *scores) if each.error]:
        yield Figure(what=OURS, value=0.0, unit="", note=failed[0])
        return
    rows = f"{scores[0].rows:,} rows"
    for run, limit, note in (("first", TIMES_FACTORS, rows), ("again", None, "the memory of the first is used again")):
        alone, both = ([each.runs[run][0] for each in answers] for answers in (factors, scores))
        yield figure(f"factors, {run}", alone)
        yield figure(f"factors and scores, {run}", both, f"factors, {run}", alone, limit=limit, note=note)
    yield _memory(scores[0])


def _memory(answer: Answer) -> Figure:
    return Figure(
        what="peak memory", value=answer.peak, unit="B", note=f"{answer.before / 1e6:,.0f} MB before the first run"
    )
