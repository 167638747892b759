"""A turn of one engine in a new process.

`ask` starts `python -m factorloom.bench.evaluate.fresh`, writes a turn to its stdin and reads the answer from its
stdout, both as JSON. Bars and values of factors are made before the clock starts. The first run of each step loads
what is compiled, and is told apart.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import msgspec
import polars as pl

from factorloom.bench import process
from factorloom.bench.evaluate.given import bars_of, factors_of
from factorloom.bench.evaluate.options import Options
from factorloom.bench.job import memory, reset_peak
from factorloom.bench.store.figure import Clock, Seconds
from factorloom.engine.panel import Panel
from factorloom.expressions.factor import Factor

__all__ = ["ENGINES", "OURS", "Answer", "Turn", "ask", "is_installed"]

OURS = "factorloom"
ENGINES = {OURS: "ours", "qweave": "qweave", "alphalens": "alphalens"}
"""The module of each engine here."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Which engine evaluates how many factors; `step` is the only one that it does, so that memory is that one's."""

    engine: str
    factors: int
    step: str
    options: Options


class Answer(process.Outcome, kw_only=True):
    """What a turn took.

    Attributes
    ----------
    first
        The first run.
    later
        The runs after it.
    rows
        Bars.
    before, peak
        Bytes of memory of the process before the first run, and at its peak.
    size
        Bytes of the file written, where one is.
    """

    first: Seconds = Seconds(0.0, 0.0)
    later: list[Seconds] = msgspec.field(default_factory=list)
    rows: int = 0
    before: int = 0
    peak: int = 0
    size: int = 0


def is_installed(engine: str) -> bool:
    """Whether the package of an engine is installed."""
    return engine == OURS or find_spec(engine) is not None


def ask(turn: Turn) -> Answer:
    """Take a turn in a new process."""
    if not is_installed(turn.engine):
        return Answer(error="not installed")
    return process.ask(__name__, turn, Answer)


def _taken(turn: Turn) -> Answer:
    module = import_module(f"factorloom.bench.evaluate.{ENGINES[turn.engine]}")
    factors = factors_of(turn.factors)
    bars = _with_values(bars_of(turn.options), factors)
    answer = Answer(rows=bars.height)
    run = module.steps(bars, factors, turn.options)[turn.step]
    del bars
    reset_peak()
    answer.before = memory(os.getpid(), "VmRSS")
    answer.first = _timed(run, answer)
    answer.later = [_timed(run, answer) for _ in range(turn.options.repeats)]
    answer.peak = memory(os.getpid(), "VmHWM")
    return answer


def _timed(run: Callable[[], Any], answer: Answer) -> Seconds:
    clock = Clock()
    with clock:
        result = run()
    if isinstance(result, int):
        answer.size = result
    return clock.seconds


def _with_values(bars: pl.DataFrame, factors: Mapping[str, Factor]) -> pl.DataFrame:
    values = Panel.from_frame(bars).compute(factors)
    return bars.with_columns(values.select(list(factors)))


if __name__ == "__main__":
    process.reply(Turn, _taken)
