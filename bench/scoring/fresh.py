"""A step of the benchmark of scoring in a new process.

`ask` starts `python -m factorloom.bench.scoring.fresh`, writes a turn to its stdin and reads the answer from its
stdout, both as JSON. Bars, and values of factors, are made before the clock starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec

import msgspec
import numpy as np
import polars as pl

from factorloom.bench import process
from factorloom.bench.job import memory, reset_peak
from factorloom.bench.scoring.options import Options
from factorloom.bench.scoring.peer import PEERS
from factorloom.bench.sets import SETS, sample
from factorloom.bench.store.figure import Seconds, timed
from factorloom.bench.workload import Workload, make_bars
from factorloom.engine.panel import Panel
from factorloom.engine.research.model import ScoreModel
from factorloom.engine.research.score import score
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col

__all__ = ["OURS", "Answer", "Turn", "ask"]

OURS = "factorloom"
AGREE = 1e-9
"""How much scores of engines may differ."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """`one date`, `wide date`, `cold`, `factors` or `scores`: the last two of all dates."""

    step: str
    options: Options


class Answer(process.Outcome, kw_only=True):
    """What a step took.

    Attributes
    ----------
    runs
        By engine; of all dates `first`, and `again` in the same process.
    rows
        Rows that were scored.
    before, peak
        Bytes of memory of the process before the first run, and at its peak.
    """

    runs: dict[str, list[Seconds]] = msgspec.field(default_factory=dict)
    rows: int = 0
    before: int = 0
    peak: int = 0


def ask(turn: Turn) -> Answer:
    """Take a turn in a new process."""
    return process.ask(__name__, turn, Answer)


def _taken(turn: Turn) -> Answer:
    options = turn.options
    if turn.step in ("factors", "scores"):
        return _history(options, turn.step)
    symbols = options.wide if turn.step == "wide date" else options.symbols
    values = values_of(symbols, options.factors)
    model = model_of([name for name in values.columns if name not in ("symbol", "date")])
    panel = Panel.from_frame(values)
    answer = Answer(rows=values.height)
    reset_peak()
    answer.before = memory(os.getpid(), "VmRSS")
    if turn.step == "cold":
        answer.runs = {OURS: [timed(lambda: score(panel, model))]}
    else:
        _beside(panel, values, model, options.repeats, answer)
    answer.peak = memory(os.getpid(), "VmHWM")
    return answer


def _beside(panel: Panel, values: pl.DataFrame, model: ScoreModel, repeats: int, answer: Answer) -> None:
    """Engines take turns, after a first run that also compares their scores."""
    runs: dict[str, Callable[[], pl.Series]] = {OURS: lambda: score(panel, model)["score"]}
    runs |= {name: make(values, list(model.factors)) for name, make in PEERS.items() if find_spec(name)}
    mine = runs[OURS]().to_numpy()
    for name, run in runs.items():
        if not np.allclose(run().to_numpy(), mine, rtol=0, atol=AGREE, equal_nan=True):
            raise AssertionError(f"the scores of {name} differ")
    answer.runs = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            answer.runs[name].append(timed(run))


def _history(options: Options, step: str) -> Answer:
    bars = make_bars(Workload(options.symbols, options.bars))
    panel = Panel.from_frame(bars)
    del bars
    factors = sample(SETS["alpha158"](), options.factors)
    model = model_of(factors)
    whole: dict[str, Callable[[], pl.DataFrame]] = {
        "factors": lambda: panel.compute(factors),
        "scores": lambda: score(panel, model, dates="all"),
    }
    panel.compute(factors, start=panel.dates[-1])  # what is compiled is loaded
    score(panel, model)
    answer = Answer(rows=panel.rows)
    reset_peak()
    answer.before = memory(os.getpid(), "VmRSS")
    answer.runs = {name: [timed(whole[step])] for name in ("first", "again")}
    answer.peak = memory(os.getpid(), "VmHWM")
    return answer


def model_of(factors: list[str] | dict[str, Factor]) -> ScoreModel:
    """Equal weights of factors, or of columns."""
    given = factors if isinstance(factors, dict) else {name: col(name) for name in factors}
    return ScoreModel("bench", {f"f{place}": factor for place, factor in enumerate(given.values())})


def values_of(symbols: int, factors: int) -> pl.DataFrame:
    """Values of factors on one date: normal, with heavy tails, and 3% missing."""
    rng = np.random.Generator(np.random.PCG64(7))
    values = rng.standard_t(4, (symbols, factors))
    values[rng.random(values.shape) < 0.03] = np.nan
    names = pl.select(pl.format("S{}", pl.int_range(symbols).cast(pl.String).str.zfill(6)).alias("symbol"))
    date = pl.lit("2024-06-28").str.to_date().alias("date")
    columns = (pl.Series(f"f{place}", x, nan_to_null=True) for place, x in enumerate(values.T))
    return names.with_columns(date, *columns)


if __name__ == "__main__":
    process.reply(Turn, _taken)
