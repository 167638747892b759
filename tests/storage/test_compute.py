"""Factor values from a store equal those of a panel, and are computed once."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from factorloom.engine.panel import Panel
from factorloom.expressions.errors import (
    ArgumentError,
    FactorloomError,
    MemoryLimitError,
    ParameterError,
    ParseError,
    UnknownColumnError,
)
from factorloom.expressions.factor import Factor
from factorloom.expressions.parse import parse
from factorloom.storage import calculator
from factorloom.storage.runs import Counters
from factorloom.storage.store import Store, open_store

FACTORS = {
    "gap": parse("open / ts_delay(close, 1) - 1"),
    "mean": parse("ts_mean(close, 5)"),
    "rank": parse("cs_rank(ts_mean(close, 5))"),
    "neutral": parse("group_robust_zscore(volume, sector)"),
}
OTHER = parse("high / low")


def plain(store: Store, factors: dict[str, Factor] = FACTORS) -> pl.DataFrame:
    """The values computed without a cache."""
    return store.panel("demo").compute(factors)


def test_values_equal_those_of_the_panel_and_are_cached(loaded: Store) -> None:
    expected = plain(loaded)
    first = loaded.compute("demo", FACTORS)
    assert first.equals(expected)
    assert loaded.counters.misses == 4
    assert loaded.counters.kernel_runs > 0
    counters = loaded.counters
    second = loaded.compute("demo", FACTORS)
    assert second.equals(expected)
    assert loaded.counters == Counters(4, 4, counters.kernel_runs, counters.cells)


def test_a_result_beyond_the_memory_of_the_process_is_refused(
    loaded: Store, bars: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calculator, "limit", lambda: bars.height * 8 * 4 - 1)
    with pytest.raises(MemoryLimitError, match=r"4 factors on .* bars are .* MiB; the process may use"):
        loaded.compute("demo", FACTORS)
    assert loaded.counters.misses == 0
    some = {name: FACTORS[name] for name in ("gap", "mean", "rank")}
    assert loaded.compute("demo", some).equals(plain(loaded, some))


def test_the_cache_outlives_the_store_object(path: Path, bars: pl.DataFrame) -> None:
    with open_store(path) as store:
        store.load("demo", bars)
        expected = store.compute("demo", FACTORS)
    for read_only in (True, False):
        with open_store(path, read_only=read_only) as store:
            assert store.compute("demo", FACTORS).equals(expected)
            assert store.counters == Counters(hits=4)


@pytest.mark.parametrize(
    "options",
    [
        {"start": "2025-06-02"},
        {"start": "2025-06-02", "end": "2025-06-02"},
        {"end": dt.date(2025, 3, 3), "symbols": "FIRST"},
        {"symbols": ["FIRST"], "start": dt.datetime(2025, 3, 3, 12)},
        {"symbols": []},
        {"start": "2030-01-01"},
    ],
)
@pytest.mark.parametrize("split", [False, True])
def test_a_selection_equals_the_selected_values(loaded: Store, options: dict[str, Any], split: bool) -> None:
    first = loaded.panel("demo").symbols[0]
    given: dict[str, Any] = {name: [first] if name == "symbols" and value else value for name, value in options.items()}
    values = plain(loaded)
    if split:
        for name, factor in FACTORS.items():
            loaded.compute("demo", {name: factor})
    keep = pl.lit(True)
    if "start" in given:
        keep &= pl.col("date") >= pl.lit(dt.datetime.fromisoformat(str(given["start"])))
    if "end" in given:
        keep &= pl.col("date") <= pl.lit(dt.date.fromisoformat(str(given["end"])))
    if "symbols" in given:
        keep &= pl.col("symbol").is_in(given["symbols"])
    assert loaded.compute("demo", FACTORS, **given).equals(values.filter(keep))


def test_only_what_is_missing_is_computed(loaded: Store) -> None:
    loaded.compute("demo", {"mean": FACTORS["mean"]})
    values = loaded.compute("demo", FACTORS)
    assert loaded.counters.hits == 1
    assert loaded.counters.misses == 4
    assert values.equals(plain(loaded))


def test_one_digest_under_many_names_is_computed_once(loaded: Store) -> None:
    factors = {"a": FACTORS["gap"], "b": OTHER, "c": FACTORS["gap"], "a'b\"": FACTORS["gap"]}
    values = loaded.compute("demo", factors)
    assert values.columns == ["symbol", "date", *factors]
    assert values["a"].equals(values["c"])
    assert values["a"].equals(values["a'b\""])
    assert loaded.counters == Counters(0, 2, loaded.counters.kernel_runs, loaded.counters.cells)
    loaded.compute("demo", {"again": OTHER})
    assert loaded.counters.misses == 2


def test_computing_gives_no_names(loaded: Store) -> None:
    loaded.compute("demo", {"x": FACTORS["gap"]})
    assert loaded.sql("SELECT * FROM factors.demo").columns == ["symbol", "date"]
    assert loaded.sql("SELECT * FROM catalog.factors").is_empty()


def test_a_saved_name_keeps_its_meaning(loaded: Store) -> None:
    loaded.save("demo", {"x": FACTORS["gap"]}, notes={"x": "the gap of the night"}, directions={"x": -1})
    loaded.save("demo", {"x": FACTORS["gap"]}, set="other")
    for name in ("x", "X"):
        with pytest.raises(ParameterError, match="'x' is saved as open / ts_delay"):
            loaded.save("demo", {name: OTHER})
    loaded.compute("demo", {"x": OTHER})
    shown = loaded.sql("SELECT x FROM factors.demo ORDER BY symbol, date")["x"]
    assert shown.equals(plain(loaded, {"x": FACTORS["gap"]})["x"])
    assert loaded.sql('SELECT "set", name, note FROM catalog.factors').rows() == [("other", "x", "")]


def test_the_views_show_every_saved_name(loaded: Store) -> None:
    named = {"close / open": OTHER, 'say "x"; --': FACTORS["gap"], "mean": FACTORS["mean"], "{0}": FACTORS["rank"]}
    for name, factor in named.items():
        loaded.save("demo", {name: factor}, set="first" if name == "mean" else "second")
    view = loaded.sql("SELECT * FROM factors.demo ORDER BY symbol, date")
    assert view.columns[2:] == list(named)
    expected = plain(loaded, named)
    assert view.equals(expected)
    assert loaded.sql("SELECT * FROM factors.demo__first").columns == ["symbol", "date", "mean"]
    long = loaded.sql("SELECT factor, count(value) AS n FROM factors.demo__long GROUP BY 1 ORDER BY 1")
    assert dict(long.iter_rows()) == {name: expected[name].count() for name in named}
    one = loaded.sql("SELECT symbol, mean FROM factors.demo WHERE date = ? ORDER BY symbol", ["2025-06-02"])
    assert one.equals(expected.filter(pl.col("date") == dt.date(2025, 6, 2)).select("symbol", "mean"))
    comments = loaded.sql(
        """SELECT comment FROM duckdb_columns()
        WHERE database_name = 'memory' AND table_name = 'demo' AND column_name = 'mean'"""
    )
    assert comments["comment"].to_list() == [str(FACTORS["mean"])]


def test_the_catalog_lists_saved_factors(loaded: Store) -> None:
    loaded.save("demo", FACTORS, set="styles")
    lines = loaded.sql("SELECT * FROM catalog.factors ORDER BY name")
    assert lines["name"].to_list() == sorted(FACTORS)
    for line in lines.iter_rows(named=True):
        factor = FACTORS[line["name"]]
        assert parse(line["text"]) is factor
        assert (line["digest"], line["lookback"]) == (factor.digest, factor.lookback)
        assert (line["dataset"], line["set"], line["columns"]) == ("demo", "styles", list(factor.columns))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"set": "Styles"}, "not a valid set name"),
        ({"set": "long"}, "cannot be named 'long'"),
        ({"notes": {"y": "?"}}, "notes name 'y'"),
        ({"directions": {"y": 1}}, "directions name 'y'"),
    ],
)
def test_what_cannot_be_saved_is_refused(loaded: Store, options: dict[str, Any], message: str) -> None:
    with pytest.raises(FactorloomError, match=message):
        loaded.save("demo", {"x": OTHER}, **options)
    assert loaded.sql("SELECT * FROM catalog.factors").is_empty()


def test_a_load_keeps_the_values_that_it_does_not_reach(loaded: Store, bars: pl.DataFrame) -> None:
    loaded.save("demo", FACTORS)
    loaded.load("demo", bars)
    loaded.compute("demo", FACTORS)
    assert (loaded.counters.hits, loaded.counters.misses) == (4, 4)
    loaded.load("demo", bars.with_columns(pl.col("close") * 2))
    values = loaded.compute("demo", FACTORS)
    assert values.equals(plain(loaded))
    assert loaded.counters.misses == 8 - 1  # one reads neither open nor close
    assert loaded.sql("SELECT * FROM factors.demo ORDER BY symbol, date").equals(values)


def test_datasets_do_not_share_columns(loaded: Store, bars: pl.DataFrame) -> None:
    other = bars.with_columns(pl.col("close") * 3)
    loaded.load("demo_v1", other)
    for _ in range(2):
        assert loaded.compute("demo", FACTORS).equals(plain(loaded))
        assert loaded.compute("demo_v1", FACTORS).equals(Panel.from_frame(other).compute(FACTORS))
    loaded.load("demo_v1", bars)
    assert loaded.compute("demo", FACTORS).equals(plain(loaded))
    assert loaded.counters.misses == 8


def test_only_one_engine_fills_the_cache(loaded: Store) -> None:
    fast = loaded.compute("demo", FACTORS)
    for _ in range(2):
        slow = loaded.compute("demo", FACTORS, engine="polars", start="2025-06-02")
        assert_frame_equal(slow, fast.filter(pl.col("date") >= dt.date(2025, 6, 2)), rel_tol=1e-9)
    assert loaded.compute("demo", FACTORS).equals(fast)
    assert loaded.counters.hits == 4


def test_a_reader_computes_without_writing(path: Path, bars: pl.DataFrame) -> None:
    with open_store(path) as store:
        store.load("demo", bars)
        store.compute("demo", {"gap": FACTORS["gap"], "rank": FACTORS["rank"]})
    with open_store(path, read_only=True) as store:
        day = dt.date(2025, 6, 2)
        expected = plain(store)
        assert store.compute("demo", FACTORS).equals(expected)
        assert store.compute("demo", FACTORS, start=day, end=day).equals(expected.filter(pl.col("date") == day))
        assert store.counters.hits == 6
        assert store.counters.misses == 2  # what cannot be written stays in memory for a while
        assert store.sql("SELECT * FROM catalog.cache").height == 1


BAD: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    ({"x": parse("clsoe + 1")}, {}, KeyError, "did you mean 'close'"),
    ({"ok": OTHER, "x": parse("sector + 1")}, {}, FactorloomError, "sector"),
    ({"x": "close +"}, {}, ParseError, "not a factor"),
    ({}, {}, ArgumentError, "no factor to compute"),
    ({"x": 1}, {}, ArgumentError, "'x' is not a factor"),
    ({"rsi": OTHER, "RSI": OTHER}, {}, ParameterError, "differ only in case"),
    ({"symbol": OTHER}, {}, ParameterError, "not a valid factor name"),
    ({"Date": OTHER}, {}, ParameterError, "not a valid factor name"),
    ({"": OTHER}, {}, ParameterError, "not a valid factor name"),
    ({"a\0": OTHER}, {}, ParameterError, "not a valid factor name"),
    ({1: OTHER}, {}, ArgumentError, "must be text"),
    ({"x": OTHER}, {"engine": "gpu"}, FactorloomError, "engine"),
    ({"x": OTHER}, {"symbols": ["NOPE"]}, ParameterError, "no symbol 'NOPE'"),
    ({"x": OTHER}, {"start": "soon"}, ParameterError, "start must be"),
]


@pytest.mark.parametrize(("factors", "options", "error", "message"), BAD)
def test_bad_input_writes_nothing(
    loaded: Store, factors: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        loaded.compute("demo", factors, **options)
    assert loaded.sql("SELECT * FROM catalog.cache").is_empty()
    assert loaded.counters == Counters()


def test_runs_are_recorded(loaded: Store, bars: pl.DataFrame) -> None:
    loaded.compute("demo", FACTORS)
    loaded.compute("demo", FACTORS, start="2025-12-31")
    runs = loaded.sql("SELECT * FROM catalog.runs ORDER BY started")
    assert runs["verb"].to_list() == ["load", "compute", "compute"]
    assert runs["hits"].to_list() == [0, 0, 4]
    assert runs["misses"].to_list() == [0, 4, 0]
    assert runs["rows"].to_list()[:2] == [bars.height, bars.height]
    assert all(seconds > 0 for seconds in runs["seconds"])


def test_runs_are_written_when_the_store_closes(path: Path, bars: pl.DataFrame) -> None:
    with open_store(path) as store:
        store.load("demo", bars)
        store.compute("demo", FACTORS)
    with open_store(path, read_only=True) as store:
        assert store.sql("SELECT verb FROM catalog.runs")["verb"].to_list() == ["load", "compute"]


# --- threads ---------------------------------------------------------------------------


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """The results of `count` threads that start at once."""
    gate = threading.Barrier(count)

    def run(number: int) -> Any:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_the_same_factors_from_many_threads_are_computed_once(loaded: Store) -> None:
    expected = plain(loaded)
    results = together(8, lambda _: loaded.compute("demo", FACTORS))
    assert all(result.equals(expected) for result in results)
    assert loaded.counters.misses == 4
    assert loaded.counters.hits == 28


def test_different_factors_from_many_threads(loaded: Store) -> None:
    factors = [{"x": parse(f"ts_mean(close, {window})"), "gap": FACTORS["gap"]} for window in range(2, 10)]
    expected = [plain(loaded, part) for part in factors]
    for found, right in zip(together(8, lambda n: loaded.compute("demo", factors[n])), expected, strict=True):
        assert found.equals(right)
    assert loaded.counters.misses == 9


def test_two_stores_of_one_file_compute_once(path: Path, bars: pl.DataFrame) -> None:
    with open_store(path) as one, open_store(path) as other:
        one.load("demo", bars)
        together(4, lambda number: (one, other)[number % 2].compute("demo", FACTORS))
        assert one.counters.misses + other.counters.misses == 4


def test_readers_see_one_version_while_a_writer_loads(store: Store) -> None:
    """Every bar of version n closes at n, so that a mixture of versions is detected."""
    size = 500
    days = [dt.date(2020, 1, 1) + dt.timedelta(day) for day in range(size)]

    def load(version: int) -> None:
        frame = pl.DataFrame({"symbol": ["A"] * size, "date": days, "close": [float(version)] * size})
        store.load("demo", frame)

    def read(number: int) -> None:
        for _ in range(10):
            if number == 0:
                load(store.version("demo") + 1)
            elif number == 1:
                assert store.panel("demo").frame["close"].n_unique() == 1
            elif number == 2:
                assert store.sql("SELECT DISTINCT close, d.version FROM bars.demo, catalog.datasets AS d").height == 1
            else:
                assert store.compute("demo", {"twice": parse("close * 2")})["twice"].n_unique() == 1

    load(1)
    together(5, read)
    assert store.version("demo") == 11
    assert store.panel("demo").frame["close"].unique().to_list() == [11.0]


def test_factors_without_their_columns_are_named(loaded: Store) -> None:
    wanted = {"first": parse("size"), "second": parse("debt / close")}
    with pytest.raises(UnknownColumnError, match=r"first \(size\), second \(debt\)"):
        loaded.compute("demo", wanted)
