"""The benchmark of evaluations: the turns of all engines, and the report of their figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

import msgspec

from factorloom.bench.evaluate.fresh import ENGINES, OURS, Answer, Turn, ask
from factorloom.bench.evaluate.given import file_of
from factorloom.bench.evaluate.options import Options
from factorloom.bench.machine import Machine, describe
from factorloom.bench.store.figure import Figure, Seconds, median
from factorloom.expressions.errors import ArgumentError

__all__ = ["Report", "run", "whole_numbers"]

Log = Callable[[str], None]
STEPS = ("summary", "from bars", "all tables", "report")
REPORTED = 20
"""Up to so many factors are reported on."""
TIMES_PEER = 4.0
LIMITS = {("summary", 158): 2.5, ("report", 20): 3.0}
"""Seconds by step and number of factors."""
PAGE = 1.5e6
"""Bytes of a report."""


class Report(msgspec.Struct, kw_only=True):
    """All figures, by number of factors; what bars these are of is in the title."""

    machine: Machine
    options: Options
    parts: dict[str, list[Figure]] = {}


def whole_numbers(option: str, value: str) -> tuple[int, ...]:
    """Numbers of at least 1 that are separated by commas.

    >>> whole_numbers("horizons", "1,5")
    (1, 5)
    """
    parts = value.split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise ArgumentError(f"{option} must be whole numbers of at least 1, separated by commas; got {value!r}")
    return tuple(map(int, parts))


def run(options: Options, log: Log = lambda message: None) -> Report:
    """Take all turns, and log each."""
    known = [name for name in ENGINES if name != OURS]
    peers = {"all": known, "none": []}.get(options.peers, options.peers.split(","))
    for name in peers:
        if name not in known:
            raise ArgumentError(f"peers must be all, none or some of {', '.join(known)}; got {name!r}")
    report = Report(machine=describe(), options=options)
    bars = "simulated bars" if file_of(options) is None else "the S&P file"
    for count in options.factors:
        title = f"{count} factors, horizons {', '.join(map(str, options.horizons))}, on {bars}"
        report.parts[title] = list(_figures(count, _answers(count, peers, options, log)))
    if "alphalens" in peers:
        report.parts[f"1 factor on {bars}"] = list(_figures(1, _answers(1, ["alphalens"], options, log)))
    return report


def _answers(count: int, peers: list[str], options: Options, log: Log) -> dict[tuple[str, str], list[Answer]]:
    """By engine and step, one of each round; engines take turns, so that both meet the same hours of the machine."""
    ours = [(OURS, step) for step in STEPS if step != "report" or count <= REPORTED]
    turns = [*((peer, "summary") for peer in peers if peer != "alphalens" or count == 1), *ours]
    answers: dict[tuple[str, str], list[Answer]] = {turn: [] for turn in turns}
    for number in range(options.rounds):
        for engine, step in turns:
            log(f"round {number + 1}: {count} factors with {engine}, {step}")
            answers[engine, step].append(ask(Turn(engine=engine, factors=count, step=step, options=options)))
    return answers


def _figures(count: int, answers: dict[tuple[str, str], list[Answer]]) -> Iterator[Figure]:
    mine = answers[OURS, "summary"]
    for (engine, step), found in answers.items():
        what = f"{engine}: {step}"
        failed = [each.error for each in found if each.error]
        if failed:
            yield Figure(what=what, value=0.0, unit="", note=failed[0])
            continue
        limit = LIMITS.get((step, count)) if engine == OURS else None
        yield _time(what, found, limit)
        if found[0].size:
            yield Figure(what=f"{what}, size", value=found[0].size, unit="B", limit=PAGE)
        peak, before = (int(statistics.median(sizes)) for sizes in _memory(found))
        yield Figure(
            what=f"{what}, peak memory", value=peak, unit="B", note=f"{before / 1e6:,.0f} MB before the first run"
        )
    for engine in (name for name, _ in answers if name != OURS):
        theirs = answers[engine, "summary"]
        if not any(each.error for each in (*mine, *theirs)):
            yield from _beside(engine, mine, theirs)


def _time(what: str, found: list[Answer], limit: float | None) -> Figure:
    middle = median(_runs(found))
    first = statistics.median(each.first.wall for each in found)
    return Figure(what=what, value=middle.wall, cpu=middle.cpu, limit=limit, note=f"first run {first:.2f} s")


def _beside(engine: str, mine: list[Answer], theirs: list[Answer]) -> Iterator[Figure]:
    """Their time by ours, on the clock and of the processors: medians over rounds."""
    pairs = [(median(_runs([own])), median(_runs([other]))) for own, other in zip(mine, theirs, strict=True)]
    wall = statistics.median(other.wall / max(own.wall, 1e-9) for own, other in pairs)
    cpu = statistics.median(other.cpu / max(own.cpu, 1e-9) for own, other in pairs)
    limit = TIMES_PEER if engine == "qweave" else None
    for name, ratio in (("wall", wall), ("CPU", cpu)):
        what = f"{engine} by {OURS}, {name}"
        yield Figure(what=what, value=ratio, unit="", ratio=ratio, of="summary", limit=limit, at_least=True)


def _runs(found: list[Answer]) -> list[Seconds]:
    return [seconds for each in found for seconds in each.later or [each.first]]


def _memory(found: list[Answer]) -> tuple[list[int], list[int]]:
    return [each.peak for each in found], [each.before for each in found]
