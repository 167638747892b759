"""Lazy results against the same operations on what `compute` gives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.panel import Panel

FACTORS = {
    "gap": fl.close / fl.open_ - 1,
    "mean": fl.ts_mean(fl.close, 3),
    "rank": fl.cs_rank(fl.ts_mean(fl.close, 2)),
}
DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=k) for k in range(12)]


@pytest.fixture(scope="module")
def panel() -> Panel:
    rng = np.random.default_rng(5)
    parts = []
    for symbol in "ABCDE":
        days = [day for day in DAYS if rng.random() < 0.8]
        values = {name: rng.normal(10, 2, len(days)) for name in ("open", "close")}
        parts.append(pl.DataFrame({"symbol": [symbol] * len(days), "date": days, **values}))
    return Panel.from_frame(pl.concat(parts))


days = st.sampled_from(DAYS)
conditions = st.one_of(
    days.map(lambda day: pl.col("date") == day),
    days.map(lambda day: pl.col("date") > day),
    st.tuples(days, days).map(lambda both: pl.col("date").is_between(*both)),
    st.lists(days).map(lambda some: pl.col("date").is_in(some)),
    days.map(lambda day: pl.col("date").cast(pl.Datetime) >= day),
    st.sets(st.sampled_from("ABX")).map(lambda some: pl.col("symbol").is_in(list(some))),
    st.just(pl.col("symbol").str.starts_with("A").not_()),
    st.just(pl.col("gap") > 0),
    st.just(pl.col("rank").is_null()),
    st.just((pl.col("symbol") == "A") | (pl.col("mean") > 10)),
    st.just(pl.col("date") < pl.col("date").max()),
)
steps = st.one_of(
    conditions.map(lambda condition: lambda frame: frame.filter(condition)),
    st.tuples(conditions, conditions).map(lambda both: lambda frame: frame.filter(*both)),
    st.integers(0, 50).map(lambda n: lambda frame: frame.head(n)),
    st.tuples(st.integers(0, 20), st.integers(1, 20)).map(lambda it: lambda frame: frame.slice(*it)),
    st.just(lambda frame: frame.tail(4)),
    st.just(lambda frame: frame.with_columns(twice=pl.col("gap") * 2)),
)
columns = st.sets(st.sampled_from(["symbol", "date", *FACTORS]), min_size=1)


@given(path=st.lists(steps, max_size=3), kept=columns, streaming=st.booleans())
def test_a_query_has_the_values_of_the_same_query_on_the_whole(
    panel: Panel, path: list[Callable[[Any], Any]], kept: set[str], streaming: bool
) -> None:
    lazy, whole = panel.lazy(FACTORS), panel.compute(FACTORS).lazy()
    for step in path:
        lazy, whole = step(lazy), step(whole)
    got = lazy.select(sorted(kept)).collect(engine="streaming" if streaming else "in-memory")
    assert got.equals(whole.select(sorted(kept)).collect(engine="in-memory"))


def test_only_what_is_asked_for_is_computed(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[list[str], object]] = []
    original = Panel._run

    def run(self: Panel, plan: Any, selection: Any, *rest: Any) -> Any:
        ran.append((list(plan.wanted), selection))
        return original(self, plan, selection, *rest)

    monkeypatch.setattr(Panel, "_run", run)
    panel.lazy(FACTORS).filter(pl.col("date") == DAYS[3], pl.col("symbol") != "A").select("symbol", "mean").collect()
    ((names, selection),) = ran
    assert names == ["mean"]
    assert selection.dates == (DAYS[3],)
    assert selection.symbols == ("B", "C", "D", "E")
    ran.clear()
    panel.lazy(FACTORS).select("gap").head(3).collect()
    assert ran[0][1].symbols == ("A",)
    ran.clear()
    panel.lazy(FACTORS).select("symbol").collect()
    panel.lazy(FACTORS).filter(pl.col("date") > DAYS[-1]).collect()
    assert ran == []


def test_a_selection_of_the_caller_stays(panel: Panel) -> None:
    query = panel.lazy(FACTORS, start=DAYS[2], symbols=["A", "B"], dtype="float32")
    expected = panel.compute(FACTORS, start=DAYS[2], symbols=["A", "B"], dtype="float32")
    assert query.collect().equals(expected)
    assert query.filter(pl.col("date") == DAYS[1]).collect().is_empty()
    assert query.collect_schema() == expected.schema


def test_what_is_wrong_is_refused_at_once(panel: Panel) -> None:
    with pytest.raises(fl.errors.UnknownColumnError):
        panel.lazy(x=fl.col("nope"))
    with pytest.raises(fl.errors.ParameterError, match="no symbol"):
        panel.lazy(FACTORS, symbols="X")


def test_errors_of_a_computation_keep_their_kind(panel: Panel) -> None:
    with pytest.raises(fl.errors.MemoryLimitError):
        panel.lazy(FACTORS, memory=1).collect()


def test_large_results_stream_to_a_file(tmp_path: Path) -> None:
    n, bars = 120, 600
    rng = np.random.default_rng(1)
    days = pl.date_range(dt.date(2020, 1, 1), dt.date(2020, 1, 1) + dt.timedelta(days=bars - 1), eager=True)
    frame = pl.DataFrame(
        {
            "symbol": np.repeat([f"S{k:03}" for k in range(n)], bars),
            "date": pl.concat([days] * n),
            "open": rng.normal(10, 1, n * bars),
            "close": rng.normal(10, 1, n * bars),
        }
    )
    panel = Panel.from_frame(frame)
    panel.lazy(FACTORS).sink_parquet(tmp_path / "values.parquet")
    assert pl.read_parquet(tmp_path / "values.parquet").equals(panel.compute(FACTORS))
