"""Results are sorted by symbol and date for every selection, whatever stretches of days the bars are stored in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factorloom.engine.research.model import ScoreModel
from factorloom.expressions.parse import parse
from factorloom.storage.store import Store, open_store

SYMBOLS, DAYS = 1_000, 300
NAMES = [f"S{number:04d}" for number in range(SYMBOLS)]
START = dt.date(2020, 1, 1)
FACTORS = {"mean": parse("ts_mean(close, 3)"), "number": parse("close + 0")}


def shuffled() -> pl.DataFrame:
    """Bars in random order whose close is their number in the sorted order."""
    days = pl.date_range(START, START + dt.timedelta(DAYS - 1), eager=True)
    frame = pl.DataFrame({"symbol": np.repeat(NAMES, DAYS), "date": pl.concat([days] * SYMBOLS)})
    return frame.with_columns(close=pl.int_range(1, SYMBOLS * DAYS + 1).cast(pl.Float64)).sample(
        fraction=1, shuffle=True, seed=1
    )


@pytest.fixture(scope="module")
def large_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("order") / "market"
    sectors = pl.DataFrame({"symbol": NAMES, "sector": ["x", "y"] * (SYMBOLS // 2)}).sample(
        fraction=1, shuffle=True, seed=2
    )
    with open_store(path) as store:
        store.load("us", shuffled(), attributes=sectors)
        store.compute("us", FACTORS)
    return path


@pytest.fixture(scope="module", params=[False, True], ids=["writing", "reading"])
def large(large_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    with open_store(large_path, read_only=request.param) as store:
        yield store


SELECTIONS: list[dict[str, Any]] = [
    {},
    {"symbols": NAMES[::7]},
    {"symbols": NAMES[::-1]},
    {"symbols": NAMES[5]},
    {"start": START + dt.timedelta(100)},
    {"start": START + dt.timedelta(10), "end": START + dt.timedelta(280), "symbols": NAMES[::-3]},
]


@pytest.mark.parametrize("selection", SELECTIONS)
def test_rows_are_sorted_by_symbol_and_date(large: Store, selection: dict[str, Any]) -> None:
    cached = large.compute("us", FACTORS, **selection)
    fresh = large.compute("us", {"more": parse(f"close * {len(str(selection))}")}, **selection)
    bars = large.panel("us", **selection).frame
    for frame in (cached, fresh, bars):
        keys = frame.select("symbol", "date")
        assert keys.equals(keys.sort("symbol", "date"))
        assert keys.equals(cached.select("symbol", "date"))
    assert cached["number"].is_sorted()
    assert cached["number"].equals(bars["close"], check_names=False)
    assert set(bars.filter(pl.col("symbol") == NAMES[5])["sector"]) <= {"y"}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(symbols=st.lists(st.sampled_from(NAMES), min_size=1, max_size=200), start=st.integers(0, DAYS - 1))
def test_a_selection_equals_the_selected_values(large: Store, symbols: list[str], start: int) -> None:
    first = START + dt.timedelta(start)
    values = large.compute("us", FACTORS)
    part = large.compute("us", FACTORS, symbols=symbols, start=first)
    assert part.equals(values.filter(pl.col("symbol").is_in(symbols), pl.col("date") >= first))


def test_scores_do_not_depend_on_the_order_of_threads(large: Store) -> None:
    model = ScoreModel("order", {"close": FACTORS["number"]}, neutralize="sector")
    once, again = large.score("us", model), large.score("us", model)
    assert once.equals(again)
    assert once["score"].is_sorted(descending=True)
