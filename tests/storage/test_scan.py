"""A scan of a store gives what `compute` gives, and computes or reads no more than a query needs."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from factorloom.engine.bars.market import simulate
from factorloom.expressions.errors import (
    ArgumentError,
    DatasetError,
    ParameterError,
    StoreError,
    UnknownColumnError,
)
from factorloom.expressions.parse import parse
from factorloom.storage import calculator
from factorloom.storage import scan as scan_module
from factorloom.storage.store import Store, open_store

FACTORS = {
    "mean": parse("ts_mean(close, 5)"),
    "rank": parse("cs_rank(ts_mean(close, 5))"),
    "neutral": parse("group_robust_zscore(volume, sector)"),
    "again": parse("ts_mean(close, 5)"),
}
day, name = pl.col("date"), pl.col("symbol")
ENGINES: list[Literal["in-memory", "streaming"]] = ["in-memory", "streaming"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store whose factors are kept in two files."""
    with open_store(tmp_path_factory.mktemp("scan") / "market") as store:
        store.load("demo", simulate(symbols=12, years=1))
        store.compute("demo", {"rank": FACTORS["rank"]})
        store.compute("demo", FACTORS)
        yield store


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored values are read symbol by symbol."""
    monkeypatch.setattr(scan_module, "BLOCK_CELLS", 1)


QUERIES: dict[str, Callable[[pl.LazyFrame], pl.LazyFrame]] = {
    "all": lambda frame: frame,
    "one date": lambda frame: frame.filter(day == dt.date(2025, 3, 3)).select("symbol", "mean"),
    "a range": lambda frame: frame.filter(day >= dt.date(2025, 3, 3), pl.col("rank") > 0.5),
    "scattered dates": lambda frame: frame.filter(day.dt.weekday() == 1, day.dt.day() < 20).select("rank"),
    "no date": lambda frame: frame.filter(day > dt.date(2030, 1, 1)),
    "symbols": lambda frame: frame.filter(name.str.ends_with("A") | name.str.ends_with("B")),
    "no symbol": lambda frame: frame.filter(name == "nobody"),
    "both": lambda frame: frame.filter(
        name.str.contains("A"), day.is_between(dt.date(2025, 2, 1), dt.date(2025, 5, 1))
    ),
    "either": lambda frame: frame.filter((name.str.ends_with("A")) | (day == dt.date(2025, 3, 3))),
    "values": lambda frame: frame.filter(pl.col("mean").is_null() | (pl.col("neutral") > 1)).select("again", "date"),
    "head": lambda frame: frame.head(7),
    "long head": lambda frame: frame.head(1200).select("mean"),
    "head, then a filter": lambda frame: frame.head(900).filter(day.dt.month() == 3),
    "filter, then a head": lambda frame: frame.filter(day.dt.month() == 3).head(5),
    "keys": lambda frame: frame.select("date", "symbol"),
    "head of keys": lambda frame: frame.select("symbol").head(600),
    "count": lambda frame: frame.select(pl.len()),
    "joined": lambda frame: frame.join(frame.filter(day.dt.day() == 3), on=["symbol", "date"], maintain_order="left"),
}


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("options", [{}, {"start": "2025-02-03", "end": "2025-06-30"}, {"dates": ["2025-03-03"]}])
@pytest.mark.parametrize("pieces", [False, True])
def test_a_query_gives_what_it_gives_on_all_values(
    kept: Store, query: str, options: dict[str, Any], pieces: bool, request: pytest.FixtureRequest
) -> None:
    if pieces:
        request.getfixturevalue("in_pieces")
    lazy = kept.scan("demo", FACTORS, **options)
    whole = kept.compute("demo", FACTORS, **options)
    assert lazy.collect_schema() == whole.schema
    expected = QUERIES[query](whole.lazy()).collect(engine="in-memory")
    for engine in ENGINES:
        assert_frame_equal(QUERIES[query](lazy).collect(engine=engine), expected, check_exact=True)


@given(data=st.data())
def test_any_conditions_choose_the_rows_that_they_say(kept: Store, data: st.DataObject) -> None:
    whole = kept.compute("demo", FACTORS)
    days, names = whole["date"].unique().sort().to_list(), whole["symbol"].unique().sort().to_list()
    one_day, one_name = st.sampled_from(days), st.sampled_from(names)
    leaves = st.one_of(
        one_day.map(lambda x: day.eq(x)),
        one_day.map(lambda x: day.le(x)),
        st.lists(one_day, max_size=4).map(lambda x: day.is_in(x)),
        one_name.map(lambda x: name.eq(x)),
        st.lists(one_name, max_size=4).map(lambda x: name.is_in(x)),
        one_name.map(lambda x: pl.when(name == x).then(None).otherwise(day > days[40])),
        st.sampled_from([0.1, 0.5, 0.9]).map(lambda x: pl.col("rank") > x),
    )
    condition = data.draw(
        st.recursive(
            leaves,
            lambda inner: st.one_of(
                st.tuples(inner, inner).map(lambda x: x[0] & x[1]),
                st.tuples(inner, inner).map(lambda x: x[0] | x[1]),
                inner.map(lambda x: ~x),
            ),
            max_leaves=5,
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_module, "BLOCK_CELLS", data.draw(st.sampled_from([1, 10**7])))
        got = kept.scan("demo", FACTORS).filter(condition).collect(engine="in-memory")
    assert_frame_equal(got, whole.filter(condition), check_exact=True)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The rows and factor columns of everything that is read from the cache."""
    seen: list[tuple[int, int]] = []
    compute = calculator.Calculator.compute

    def counted(*args: Any) -> pl.DataFrame:
        frame = compute(*args)
        seen.append((frame.height, frame.width - 2))
        return frame

    monkeypatch.setattr(calculator.Calculator, "compute", counted)
    return seen


def test_one_column_of_one_date_is_computed_and_read(loaded: Store, fetched: list[tuple[int, int]]) -> None:
    bars = loaded.panel("demo").frame
    last = bars["date"].max()
    query = loaded.scan("demo", FACTORS).filter(pl.col("date") == last).select("symbol", "rank")
    expected = bars.filter(pl.col("date") == last).height
    for misses, hits in ((1, 0), (1, 1)):
        assert query.collect().height == expected
        assert (loaded.counters.misses, loaded.counters.hits) == (misses, hits)
    assert fetched == [(expected, 1)] * 2
    assert loaded.sql("SELECT factors FROM catalog.cache")["factors"].to_list() == [[FACTORS["rank"].digest]]
    runs = loaded.sql("SELECT verb, rows, hits, misses FROM catalog.runs WHERE verb = 'scan' ORDER BY started")
    assert runs.rows() == [("scan", expected, 0, 1), ("scan", expected, 1, 0)]


def test_making_a_scan_computes_nothing(loaded: Store) -> None:
    lazy = loaded.scan("demo", FACTORS)
    lazy.explain()
    assert lazy.select("symbol", "date").collect().height == loaded.panel("demo").rows
    assert loaded.counters.misses == loaded.counters.hits == 0


def test_few_rows_are_read_where_few_are_wanted(kept: Store, in_pieces: None, fetched: list[tuple[int, int]]) -> None:
    kept.scan("demo", FACTORS).select("mean", "rank").head(600).collect()
    assert sum(rows for rows, _ in fetched) < 1200
    assert {columns for _, columns in fetched} == {2}


def test_a_read_only_store_and_the_polars_engine(path: Path, bars: pl.DataFrame) -> None:
    with open_store(path) as store:
        store.load("demo", bars)
        store.compute("demo", rank=FACTORS["rank"])
        whole = store.compute("demo", FACTORS)
        by_polars = store.scan("demo", FACTORS, engine="polars").select("mean").head(3).collect()
        assert_frame_equal(by_polars, whole.select("mean").head(3))
    with open_store(path, read_only=True) as store:
        lazy = store.scan("demo", FACTORS, other="high / low").filter(pl.col("rank") > 0.5)
        expected = store.compute("demo", FACTORS, other="high / low").filter(pl.col("rank") > 0.5)
        assert_frame_equal(lazy.collect(), expected, check_exact=True)


def test_every_run_sees_the_dataset_as_it_is(loaded: Store, bars: pl.DataFrame) -> None:
    lazy = loaded.scan("demo", FACTORS)
    before = lazy.collect()
    loaded.load("demo", bars.with_columns(pl.col("close") * 2))
    after = lazy.collect()
    assert not after.equals(before)
    assert after.equals(loaded.compute("demo", FACTORS))


def test_bars_with_a_time_of_day(store: Store, bars: pl.DataFrame) -> None:
    timed = bars.with_columns(pl.col("date").cast(pl.Datetime("us")) + pl.duration(hours=pl.col("date").dt.day()))
    store.load("timed", timed)
    lazy, whole = store.scan("timed", FACTORS), store.compute("timed", FACTORS)
    assert lazy.collect_schema() == whole.schema
    moment = whole["date"][40]
    for condition in (day == moment, day.dt.date() == moment.date(), day.dt.hour() == 9, day > moment):
        assert_frame_equal(lazy.filter(condition).collect(engine="in-memory"), whole.filter(condition))


@pytest.mark.parametrize(
    ("dataset", "arguments", "error"),
    [
        ("nothing", {"x": "close"}, DatasetError),
        ("demo", {"x": "ts_mean(clsoe, 3)"}, UnknownColumnError),
        ("demo", {"x": "ts_mean(sector, 3)"}, ArgumentError),
        ("demo", {}, ArgumentError),
        ("demo", {"x": "close", "X": "open"}, ParameterError),
        ("demo", {"x": "close", "symbols": ["nobody"]}, ParameterError),
        ("demo", {"x": "close", "dates": "2030-01-01"}, ParameterError),
        ("demo", {"x": "close", "engine": "fast"}, ArgumentError),
    ],
)
def test_what_is_wrong_is_refused_at_once(
    loaded: Store, dataset: str, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as lazy:
        loaded.scan(dataset, **arguments)
    with pytest.raises(error) as direct:
        loaded.compute(dataset, **arguments)
    assert str(lazy.value) == str(direct.value)


@pytest.mark.parametrize("engine", ENGINES)
def test_errors_of_a_run_are_those_of_the_family(
    path: Path, bars: pl.DataFrame, engine: Literal["in-memory", "streaming"]
) -> None:
    with open_store(path) as store:
        store.load("demo", bars)
        lazy = store.scan("demo", FACTORS)
    with pytest.raises(StoreError, match="is closed"):
        lazy.collect(engine=engine)


def test_a_large_scan_is_written_in_pieces(
    kept: Store, in_pieces: None, fetched: list[tuple[int, int]], tmp_path: Path
) -> None:
    kept.scan("demo", FACTORS).sink_parquet(tmp_path / "values.parquet")
    assert 200 < max(rows for rows, _ in fetched) < 300
    assert pl.read_parquet(tmp_path / "values.parquet").equals(kept.compute("demo", FACTORS))


def test_more_than_fifty_thousand_rows(store: Store) -> None:
    store.load("large", simulate(symbols=120, years=2))
    lazy, whole = store.scan("large", FACTORS), store.compute("large", FACTORS)
    assert whole.height > 50_000
    for condition in (pl.lit(True), day.dt.day() == 1, (day.dt.day() == 1) | (pl.col("rank") > 0.5)):
        for engine in ENGINES:
            assert lazy.filter(condition).collect(engine=engine).equals(whole.filter(condition))


def test_a_query_that_ends_early_lets_go_of_the_store(path: Path, bars: pl.DataFrame, in_pieces: None) -> None:
    with open_store(path) as store:
        store.load("demo", bars)
        batches = iter(store.scan("demo", FACTORS).collect_batches(maintain_order=True, chunk_size=500))
        assert next(batches).height
        del batches
        assert store.scan("demo", FACTORS).head(3).collect().height == 3
    path.rename(path.with_name("elsewhere"))
    with open_store(path.with_name("elsewhere")) as store:
        assert store.datasets().height == 1


def test_queries_of_many_threads_compute_each_factor_once(loaded: Store) -> None:
    lazy = loaded.scan("demo", FACTORS)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda query: query.collect(), itertools.repeat(lazy, 8)))
    results += pl.collect_all([lazy, lazy.filter(pl.lit(True))])
    assert loaded.counters.misses == 3  # two names are one factor
    expected = loaded.compute("demo", FACTORS)
    assert all(result.equals(expected) for result in results)
