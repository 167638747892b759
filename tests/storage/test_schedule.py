"""Whatever is loaded in whatever order: every value equals a fresh computation on the bars that were known then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factorloom.engine.panel import Panel
from factorloom.engine.research.label import forward_return
from factorloom.expressions.factor import Factor
from factorloom.expressions.parse import parse
from factorloom.storage import calculator, merge, pieces, segment
from factorloom.storage.store import Store, open_store

FACTORS: dict[str, Factor] = {
    "change": parse("close / ts_delay(close, 2) - 1"),
    "mean": parse("ts_mean(close, 5)"),
    "deviation": parse("ts_std(volume, 4)"),
    "average": parse("ts_ema(close, 3)"),
    "rank": parse("cs_rank(ts_mean(close, 3))"),
    "rank of ranks": parse("ts_mean(cs_rank(volume), 4) + cs_zscore(close)"),
    "within": parse("group_rank(close, sector)"),
    "ahead": parse("ts_lead(close, 2) / close - 1"),
    "plain": parse("close"),
    "label": forward_return(3),
    "label in sector": forward_return(2, entry_lag=2, halted=-0.3, excess="sector"),
}
EXAMPLES = 14 if settings().max_examples < 1_000 else 300
SYMBOLS = [f"S{number}" for number in range(7)]
START = dt.date(2024, 1, 1)
LENGTH = 90


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments, blocks and merges as small as these tests."""
    set_small(monkeypatch)


def set_small(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pieces, "TARGET", 60)
    patch.setattr(pieces, "FEWEST_DAYS", 3)
    patch.setattr(pieces, "MERGED", 3)
    patch.setattr(pieces, "TINY", 12)
    patch.setattr(merge, "TARGET", 60)
    patch.setattr(merge, "COLUMNS", 3)
    patch.setattr(calculator, "BLOCK", 8)
    patch.setattr(calculator, "BLOCK_ROWS", 20)
    patch.setattr(calculator, "GAP", 3)
    patch.setattr(segment, "WHOLE", 2048)


class World:
    """What a store should hold: all bars of every version."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.random = np.random.default_rng(seed)
        self.bars: dict[tuple[str, dt.date], dict[str, Any]] = {}
        self.versions: list[dict[tuple[str, dt.date], dict[str, Any]]] = []

    def bar(self) -> dict[str, Any]:
        close = None if self.random.random() < 0.05 else float(self.random.normal(100, 10))
        volume = float(self.random.integers(1, 5))
        sector = str(self.random.choice(["x", "y"])) if self.random.random() < 0.95 else None
        return {"close": close, "volume": volume, "sector": sector}

    def load(self, keys: list[tuple[str, dt.date]]) -> None:
        new = {key: self.bar() for key in keys}
        if not new:
            return
        self.bars = {**self.bars, **new}
        rows = [{"symbol": symbol, "date": day, **bar} for (symbol, day), bar in new.items()]
        schema = {"symbol": pl.String, "date": pl.Date, "close": pl.Float64, "volume": pl.Float64, "sector": pl.String}
        types: Any = {"close": "number", "volume": "number", "sector": "text"}
        self.store.load("demo", pl.DataFrame(rows, schema=schema), types=types)
        self._published()

    def delete(self, symbol: str) -> None:
        if {key[0] for key in self.bars} - {symbol}:
            self.bars = {key: bar for key, bar in self.bars.items() if key[0] != symbol}
            self.store.drop("demo", symbols=[symbol])
            self._published()

    def _published(self) -> None:
        if self.store.version("demo") > len(self.versions):
            self.versions.append(self.bars)

    def panel(self, version: int) -> Panel:
        rows = [{"symbol": s, "date": d, **bar} for (s, d), bar in sorted(self.versions[version - 1].items())]
        kinds: Any = {"close": "number", "volume": "number", "sector": "text"}
        return Panel.from_frame(pl.DataFrame(rows, infer_schema_length=None), types=kinds)

    def check(self, version: int, names: list[str], *, part: bool) -> None:
        factors = {name: FACTORS[name] for name in names}
        panel = self.panel(version)
        options: dict[str, Any] = {}
        if part:
            days = panel.dates.to_list()
            first, last = sorted(int(self.random.integers(len(days))) for _ in range(2))
            options = {"start": days[first], "end": days[last]}
            if self.random.random() < 0.3:
                options["symbols"] = [str(self.random.choice(panel.symbols.to_list()))]
        newest = version == len(self.versions)
        as_of = None if newest else version
        expected = panel.compute(factors, **options)
        assert self.store.compute("demo", factors, **options, as_of=as_of).equals(expected)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("day"), st.integers(1, 3)),
        st.tuples(st.just("restate"), st.integers(0, 10**6)),
        st.tuples(st.just("late"), st.integers(0, 10**6)),
        st.tuples(st.just("delete"), st.integers(0, 6)),
        st.tuples(st.just("compute"), st.integers(0, 10**6)),
        st.tuples(st.just("as of"), st.integers(0, 10**6)),
        st.tuples(st.just("compact"), st.just(0)),
        st.tuples(st.just("save"), st.integers(0, len(FACTORS) - 1)),
    ),
    min_size=3,
    max_size=14,
)


def keys_on(day: int, random: np.random.Generator, share: float) -> Iterator[tuple[str, dt.date]]:
    for symbol in SYMBOLS:
        if random.random() < share:
            yield symbol, START + dt.timedelta(day)


@settings(max_examples=EXAMPLES, deadline=None)
@given(steps=STEPS, seed=st.integers(0, 2**32 - 1), history=st.integers(2, 40))
def test_values_equal_a_fresh_computation(steps: list[tuple[str, int]], seed: int, history: int) -> None:
    with pytest.MonkeyPatch.context() as patch, open_store(":memory:") as store:
        set_small(patch)
        world = World(store, seed)
        random = world.random
        world.load([key for day in range(history) for key in keys_on(day, random, 0.8)] or [("S0", START)])
        next_day = history
        for verb, number in steps:
            names = list(random.choice(list(FACTORS), size=random.integers(1, 6), replace=False))
            if verb == "day":
                for _ in range(number):
                    world.load(list(keys_on(next_day, random, 0.8)))
                    next_day += int(random.integers(1, 4))
            elif verb == "restate":
                known = list(world.bars)
                world.load([known[int(random.integers(len(known)))] for _ in range(1 + number % 3)])
            elif verb == "late":
                world.load(list(keys_on(number % (next_day + 1), random, 0.3)))
            elif verb == "delete":
                world.delete(SYMBOLS[number]) if SYMBOLS[number] in {key[0] for key in world.bars} else None
            elif verb == "as of":
                world.check(1 + number % len(world.versions), names, part=bool(number % 2))
            elif verb == "compact":
                store.compact()
            elif verb == "save":
                name = list(FACTORS)[number]
                store.save("demo", {name: FACTORS[name]})
            world.check(len(world.versions), names, part=number % 3 == 0)
        for version in range(1, len(world.versions) + 1):
            world.check(version, list(FACTORS), part=False)
        shown = store.sql("SELECT * FROM bars.demo ORDER BY symbol, date")
        assert shown.select("symbol", "date", "close", "volume", "sector").equals(
            world.panel(len(world.versions)).frame.with_columns(pl.col("sector").cast(pl.String)).select(shown.columns)
        )
        saved = store.sql("SELECT name FROM catalog.factors ORDER BY name")["name"].to_list()
        if saved:
            whole = store.sql("SELECT * FROM factors.demo ORDER BY symbol, date")
            expected = world.panel(len(world.versions)).compute({name: FACTORS[name] for name in saved})
            assert whole.select("symbol", "date", *saved).equals(expected)
