"""A lazy frame of factors gives what `compute` gives, and computes no more than a query needs."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import factorloom as fl
from factorloom.engine import result
from factorloom.engine.bars.market import simulate
from factorloom.engine.executor.native import tile
from factorloom.engine.lazy import Query, lazy_frame, passing, schema_of
from factorloom.engine.plan.reach import needed_rows
from factorloom.engine.testing.strategies import panels
from factorloom.expressions.errors import (
    ArgumentError,
    CancelledError,
    FactorloomError,
    MemoryLimitError,
    ParameterError,
    UnknownColumnError,
)

FACTORS = {
    "mean": fl.ts_mean(fl.close, 3, min_samples=1),
    "nested": fl.ts_mean(fl.cs_rank(fl.ts_delta(fl.close, 1)), 2),
    "memory": fl.ts_ema(fl.close, 3),
    "group": fl.group_demean(fl.close, "sector"),
    "column": fl.close,
}
day_of, name_of = pl.col("date"), pl.col("symbol")
ENGINES: list[Literal["in-memory", "streaming"]] = ["in-memory", "streaming"]

Step = Callable[[pl.LazyFrame], pl.LazyFrame]


def same(query: pl.LazyFrame, expected: pl.LazyFrame) -> None:
    """Bit for bit, in both engines of Polars, and the second time as well."""
    whole = expected.collect(engine="in-memory")
    for engine in (*ENGINES, ENGINES[0]):
        got = query.collect(engine=engine)
        assert_frame_equal(got, whole, check_exact=True)
        for name, kind in got.schema.items():
            if kind.is_float():
                np.testing.assert_array_equal(bits(got[name]), bits(whole[name]))


def bits(values: pl.Series) -> np.ndarray[Any, Any]:
    kind = np.uint64 if values.dtype == pl.Float64 else np.uint32
    return values.fill_null(float("nan")).to_numpy().view(kind)


def conditions(days: list[dt.date], names: list[str]) -> st.SearchStrategy[pl.Expr]:
    """Conditions on keys and values, also ones that are missing, and what `&`, `|` and `~` make of them."""
    day, symbol = st.sampled_from(days), st.sampled_from(names)
    number = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 100.0])
    value = st.sampled_from(list(FACTORS)).map(lambda x: pl.col(x))
    leaves = st.one_of(
        day.map(lambda x: day_of == x),
        day.map(lambda x: day_of >= x),
        st.tuples(day, day).map(lambda x: day_of.is_between(*x)),
        st.lists(day, max_size=3).map(lambda x: day_of.is_in(x)),
        st.sampled_from([1, 2, 5]).map(lambda x: day_of.dt.weekday() == x),
        symbol.map(lambda x: name_of == x),
        symbol.map(lambda x: name_of.str.starts_with(x)),
        st.lists(symbol, max_size=2).map(lambda x: name_of.is_in(x)),
        st.just(name_of.str.tail(1).cast(pl.Int64) % 2 == 0),
        st.just(name_of.str.tail(1).cast(pl.Int64, strict=False).replace(1, None) < 3),
        st.tuples(day, symbol).map(lambda x: day_of.cast(pl.String) + name_of != f"{x[0]}{x[1]}"),
        st.tuples(value, number).map(lambda x: x[0] > x[1]),
        value.map(lambda x: x.is_null()),
        st.tuples(value, day).map(lambda x: pl.when(x[0] > 0).then(day_of == x[1]).otherwise(None)),
        st.sampled_from([True, False, None]).map(lambda x: pl.lit(x, pl.Boolean)),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda x: x[0] & x[1]),
            st.tuples(inner, inner).map(lambda x: x[0] | x[1]),
            inner.map(lambda x: ~x),
        ),
        max_leaves=5,
    )


def steps(days: list[dt.date], names: list[str]) -> st.SearchStrategy[list[Step]]:
    """What a query does with a frame."""

    def filtered(condition: pl.Expr) -> Step:
        return lambda frame: frame.filter(condition)

    def limited(count: int) -> Step:
        return lambda frame: frame.head(count)

    def sliced(ends: tuple[int, int]) -> Step:
        return lambda frame: frame.slice(*ends)

    counts = st.integers(0, 8)
    return st.lists(
        st.one_of(
            conditions(days, names).map(filtered),
            counts.map(limited),
            st.tuples(st.integers(-5, 5), counts).map(sliced),
        ),
        max_size=3,
    )


@settings(deadline=None)
@given(panel=panels() | panels(intraday=True), data=st.data())
def test_a_query_gives_what_it_gives_on_all_values(panel: fl.Panel, data: st.DataObject) -> None:
    days, names = panel.dates.to_list(), panel.symbols.to_list()
    dtype = data.draw(st.sampled_from(["float64", "float32"]))
    selection = data.draw(
        st.one_of(
            st.just({}),
            st.fixed_dictionaries({"symbols": st.lists(st.sampled_from(names), unique=True)}),
            st.fixed_dictionaries({"start": st.sampled_from(days)}),
            st.fixed_dictionaries({"dates": st.lists(st.sampled_from(days), unique=True)}),
        )
    )
    lazy = panel.lazy(FACTORS, dtype=dtype, **selection)
    whole = panel.compute(FACTORS, dtype=dtype, **selection)
    assert lazy.collect_schema() == whole.schema
    expected = whole.lazy()
    for step in data.draw(steps(days, names)):
        lazy, expected = step(lazy), step(expected)
    columns = data.draw(st.none() | st.lists(st.sampled_from(whole.columns), min_size=1, unique=True))
    if columns is not None:
        lazy, expected = lazy.select(columns), expected.select(columns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tile, "BLOCK_ROWS", data.draw(st.sampled_from([1, 10**9])))
        same(lazy, expected)


@pytest.fixture(scope="module")
def large() -> fl.Panel:
    """More than 50,000 bars: Polars takes them in several pieces."""
    return fl.Panel.from_frame(simulate(symbols=120, years=2))


LARGE: dict[str, fl.Factor] = {
    "mean": fl.ts_mean(fl.close, 20),
    "rank": fl.cs_rank(fl.volume),
    "gap": fl.close / fl.open_ - 1,
}


@pytest.mark.parametrize(
    "step",
    [
        lambda frame: frame,
        lambda frame: frame.filter(pl.lit(True)),
        lambda frame: frame.filter(pl.col("mean") > 50, name_of.str.ends_with("1")),
        lambda frame: frame.filter(day_of.dt.day() == 1).select("gap"),
        lambda frame: frame.filter((day_of.dt.day() == 1) | (pl.col("gap") > 0)).head(30_000),
        lambda frame: frame.select("date", "symbol"),
        lambda frame: frame.select(pl.len()),
        lambda frame: frame.filter(pl.col("gap") == pl.col("gap").max().over("date")),
        lambda frame: frame.filter(day_of == day_of.max()),
        lambda frame: frame.filter(name_of.is_first_distinct()),
        lambda frame: frame.filter(day_of.shift(1).is_null()),
        lambda frame: frame.filter(name_of.cum_count() % 7 == 0),
        lambda frame: frame.join(frame.filter(day_of.dt.month() == 2), on=["symbol", "date"], maintain_order="left"),
    ],
)
def test_a_large_panel(large: fl.Panel, step: Step) -> None:
    assert large.rows > 50_000
    same(step(large.lazy(LARGE)), step(large.compute(LARGE).lazy()))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], int]]:
    """The factors of every plan that runs, and the rows that it gives."""
    seen: list[tuple[list[str], int]] = []

    def counted(plan: Any, bars: Any, chosen: Any) -> Any:
        seen.append((list(plan.outputs), int(chosen.sum())))
        return needed_rows(plan, bars, chosen)

    monkeypatch.setattr(result, "needed_rows", counted)
    return seen


def test_only_the_bars_and_factors_of_the_query_are_computed(
    large: fl.Panel, asked: list[tuple[list[str], int]]
) -> None:
    lazy, last = large.lazy(LARGE), large.dates[-1]
    lazy.filter(day_of == last).select("symbol", "rank").collect()
    lazy.filter(day_of.is_between(last, last) & (name_of == large.symbols[3]), pl.col("gap") < 9).select(
        "mean"
    ).collect()
    lazy.select("mean").head(5).collect()
    lazy.filter((day_of == last) | (pl.col("gap") > 0)).head(1).collect()
    on_day = large.frame.filter(day_of == last).height
    assert asked == [(["rank"], on_day), (["mean", "gap"], 1), (["mean"], 5)]


def test_keys_alone_need_no_computation(large: fl.Panel) -> None:
    observer = fl.Observer()
    lazy = large.lazy(LARGE, observer=observer)
    same(lazy.select("symbol", "date"), large.frame.lazy().select("symbol", "date"))
    assert lazy.filter(day_of == large.dates[0]).select(pl.len()).collect().item() > 0
    assert observer.kernels == 0
    lazy.select("gap").collect()
    assert observer.kernels > 0


def test_a_query_that_has_its_rows_computes_no_more(large: fl.Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile, "BLOCK_ROWS", 1)
    some, all_of_it = fl.Observer(), fl.Observer()
    large.lazy(gap=LARGE["gap"], observer=some).head(10).collect()
    large.lazy(gap=LARGE["gap"], observer=all_of_it).collect()
    assert 0 < some.kernels < all_of_it.kernels


def test_a_factor_may_be_a_string_and_the_engine_polars() -> None:
    panel = fl.example()
    same(panel.lazy("cs_rank(close)", engine="polars"), panel.compute("cs_rank(close)", engine="polars").lazy())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"x": "ts_mean(clsoe, 3)"}, UnknownColumnError),
        ({}, ArgumentError),
        ({"x": "close", "symbols": ["nobody"]}, ParameterError),
        ({"x": "close", "dates": "2030-01-01"}, ParameterError),
        ({"x": "close", "start": "2024-01-04", "end": "2024-01-02"}, ParameterError),
        ({"x": "close", "engine": "fast"}, ArgumentError),
        ({"x": "close", "memory": "much"}, ArgumentError),
        ({"x": "close", "dtype": "float16"}, FactorloomError),
        ({"x": "close", "observer": 1}, ArgumentError),
        ({"symbol": "close"}, ArgumentError),
    ],
)
def test_what_is_wrong_is_refused_at_once(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error) as lazy:
        fl.example().lazy(**arguments)
    with pytest.raises(error) as direct:
        fl.example().compute(**arguments)
    assert str(lazy.value) == str(direct.value)


@pytest.mark.parametrize("engine", ENGINES)
def test_errors_of_a_run_are_those_of_the_family(large: fl.Panel, engine: Literal["in-memory", "streaming"]) -> None:
    observer = fl.Observer()
    lazy = large.lazy(LARGE, observer=observer)
    observer.cancel()
    with pytest.raises(CancelledError, match="the computation was cancelled"):
        lazy.collect(engine=engine)
    with pytest.raises(MemoryLimitError, match="may take"):
        large.lazy(LARGE, memory="1 kB").filter(pl.col("gap") > 0).collect(engine=engine)


def test_explain_names_the_source() -> None:
    text = fl.example().lazy(x=fl.close, y=fl.open_).filter(day_of.dt.day() == 4).select("x").explain()
    assert "PYTHON[factorloom] SCAN" in text
    assert "2 factors on 8 bars" in text


def test_sinks_are_written_block_by_block(large: fl.Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile, "BLOCK_ROWS", 1)
    assert sum(1 for _ in large.blocks(LARGE)) > 3
    large.lazy(LARGE).sink_parquet(tmp_path / "values.parquet", row_group_size=10_000)
    assert pl.read_parquet(tmp_path / "values.parquet").equals(large.compute(LARGE))


def source_of(closed: list[bool], read: list[int]) -> pl.LazyFrame:
    """A hundred blocks of a row."""

    def blocks(query: Query) -> Any:
        try:
            for number in range(100):
                read.append(number)
                yield pl.DataFrame({"symbol": ["A"], "date": [dt.date(2024, 1, 1)], "x": [float(number)]})
        finally:
            closed.append(True)

    return lazy_frame(schema_of(pl.Date(), ["x"], "float64"), blocks, detail="a test")


def test_a_source_is_closed_when_nothing_more_is_wanted() -> None:
    closed: list[bool] = []
    read: list[int] = []
    assert source_of(closed, read).head(3).collect()["x"].to_list() == [0.0, 1.0, 2.0]
    assert closed == [True]
    assert read == [0, 1, 2]
    batches = iter(source_of(closed, read).filter(pl.col("x") >= 0).collect_batches(maintain_order=True, chunk_size=1))
    assert next(batches)["x"].to_list() == [0.0]
    del batches
    source_of(closed, read).collect()
    assert closed[-1]


def test_a_condition_that_fails_on_keys_without_rows_does_no_harm() -> None:
    values = pl.Series("symbol", ["1", "x"])
    assert passing(values, [name_of.cast(pl.Int64) > 1]).tolist() == [True, True]
    assert passing(values, [name_of == "x", pl.lit(None) & (name_of == "x")]).tolist() == [False, False]


def test_queries_may_run_in_many_threads(large: fl.Panel) -> None:
    lazy, expected = large.lazy(LARGE), large.compute(LARGE)
    results: list[pl.DataFrame] = []
    threads = [threading.Thread(target=lambda: results.append(lazy.collect())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results += pl.collect_all([lazy, lazy.filter(pl.lit(True))])
    assert len(results) == 6
    assert all(one.equals(expected) for one in results)
