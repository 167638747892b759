"""A schedule of random steps on a store, the same for the same seed, and what the store holds after each of them."""

from __future__ import annotations

import datetime as dt
import random
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from factorloom.engine.research.model import ScoreFactor, ScoreModel
from factorloom.expressions.parse import parse
from factorloom.storage import calculator, merge, pieces, segment
from factorloom.storage.store import Store, open_store

SYMBOLS = ["A", "B", "C"]
START = dt.date(2024, 1, 1)
FACTORS = {"mean": parse("ts_mean(close, 3)"), "rank": parse("cs_rank(close)"), "twice": parse("close * 2")}
MODEL = ScoreModel("plain", {"size": ScoreFactor(parse("close * 1"))})
VERBS = ["load"] * 4 + ["restate"] * 3 + ["compute"] * 3 + ["save", "score", "compact", "prune", "drop cache", "backup"]
SMALL = {
    pieces: {"TARGET": 12, "FEWEST_DAYS": 2, "MERGED": 2, "TINY": 4},
    merge: {"TARGET": 12, "COLUMNS": 2},
}
SMALL |= {calculator: {"BLOCK": 4, "BLOCK_ROWS": 8, "GAP": 2}, segment: {"WHOLE": 2_048}}


class Step(NamedTuple):
    """One step: a verb, and bars where it loads some."""

    verb: str
    number: int
    bars: tuple[tuple[str, dt.date, float], ...] = ()


@cache
def steps(seed: int, count: int = 4_000) -> list[Step]:
    """The first steps of a schedule."""
    dice = random.Random(seed)
    found, day = [], 0
    for _ in range(count):
        verb = dice.choice(VERBS) if found else "load"
        bars: list[tuple[str, dt.date, float]] = []
        if verb == "load":
            day += 1
            bars = [(each, START + dt.timedelta(day), dice.uniform(1, 9)) for each in SYMBOLS if dice.random() < 0.8]
            bars = bars or [("A", START + dt.timedelta(day), 1.0)]
        elif verb == "restate":
            some = dt.timedelta(dice.randint(max(1, day - 20), day))
            bars = [(dice.choice(SYMBOLS), START + some, dice.uniform(1, 9))]
        found.append(Step(verb, dice.randrange(10**6), tuple(bars)))
    return found


class State(NamedTuple):
    """What a store holds after a step."""

    bars: dict[tuple[str, dt.date], float]
    version: int
    first_version: int
    saved: frozenset[str]
    scored: int | None

    @classmethod
    def after(cls, seed: int, last: int) -> list[State]:
        """The states after no step, after the first, and so on to the last."""
        states = [cls({}, 0, 1, frozenset(), None)]
        for step in steps(seed)[: last + 1]:
            states.append(states[-1].done(step))
        return states

    def done(self, step: Step) -> State:
        """The state after one more step."""
        if step.bars:
            bars = {**self.bars, **{(symbol, day): close for symbol, day, close in step.bars}}
            return self._replace(bars=bars, version=self.version + 1)
        if step.verb == "save":
            return self._replace(saved=self.saved | {list(FACTORS)[step.number % 3]})
        if step.verb == "score":
            return self._replace(scored=self.version)
        if step.verb == "prune":
            return self._replace(first_version=max(self.first_version, self.version - 3))
        return self

    @classmethod
    def of(cls, store: Store) -> State:
        """What a store holds."""
        if store.datasets().is_empty():
            return cls({}, 0, 1, frozenset(), None)
        frame = store.panel("demo").frame
        bars = dict(zip(zip(frame["symbol"].cast(pl.String), frame["date"], strict=True), frame["close"], strict=True))
        first, last = store.sql("SELECT min(version), max(version) FROM catalog.versions").row(0)
        assert last == store.version("demo")
        saved = frozenset(store.sql("SELECT name FROM catalog.factors")["name"])
        return cls(bars, last, first, saved, store.sql("SELECT max(version) AS v FROM scores.demo")["v"].item())


def probe(store: Store) -> None:
    """Values, kept or not, and SQL agree with the bars."""
    if store.datasets().is_empty():
        return
    panel = store.panel("demo")
    expected = panel.compute(FACTORS)
    assert store.compute("demo", FACTORS).equals(expected)
    saved = store.sql("SELECT name FROM catalog.factors ORDER BY name")["name"].to_list()
    if saved:
        shown = store.sql("FROM factors.demo ORDER BY symbol, date")
        for name in saved:  # what a store that is read only computes, SQL does not see
            kept = shown[name].is_not_null() if store.read_only else pl.Series([True]).new_from_index(0, shown.height)
            assert shown[name].filter(kept).equals(expected[name].filter(kept))
    oldest = store.sql("SELECT min(version) FROM catalog.versions").item()
    old = store.panel("demo", as_of=oldest)
    assert store.compute("demo", FACTORS, as_of=oldest).equals(old.compute(FACTORS))


def set_small(setter: Callable[[Any, str, int], object]) -> None:
    """Segments, blocks and merges as small as these steps."""
    for module, values in SMALL.items():
        for name, value in values.items():
            setter(module, name, value)


def backup_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-backup")


def run(path: str, seed: int, first: int, say: Callable[[int], object]) -> None:
    """Do the steps of a schedule from one on, and say the number of each that is done."""
    set_small(setattr)
    warnings.simplefilter("error")
    with open_store(path) as store:
        for number, step in enumerate(steps(seed)[first:], first):
            do(store, step, Path(path))
            say(number)


def do(store: Store, step: Step, path: Path) -> None:
    """One step."""
    if step.bars:
        schema: Any = {"symbol": pl.String, "date": pl.Date, "close": pl.Float64}
        store.load("demo", pl.DataFrame(step.bars, schema=schema, orient="row"))
        return
    name = list(FACTORS)[step.number % 3]
    {
        "compute": lambda: store.compute("demo", {name: FACTORS[name]}),
        "save": lambda: store.save("demo", {name: FACTORS[name]}),
        "score": lambda: store.score("demo", MODEL),
        "compact": store.compact,
        "prune": lambda: store.prune("demo", versions=4),
        "drop cache": lambda: store.drop("demo", cache=True),
        "backup": lambda: store.backup(backup_of(path)),
    }[step.verb]()
