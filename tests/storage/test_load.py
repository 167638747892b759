"""Loads: versions, attributes, atomicity, and invalid input, which changes nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factorloom.engine.panel import Panel
from factorloom.expressions.errors import (
    ArgumentError,
    BarsError,
    DatasetError,
    FactorloomError,
    ParameterError,
    StoreError,
    UnknownColumnError,
)
from factorloom.storage import dataset
from factorloom.storage.store import Store, open_store

DAYS = [dt.date(2024, 1, 2), dt.date(2024, 1, 3)]
BARS = pl.DataFrame({"symbol": ["A", "A", "B"], "date": [*DAYS, DAYS[0]], "close": [1.0, 2.0, 3.0]})
SECTORS = pl.DataFrame({"Symbol": ["A", "B"], "GICS Sector": ["Energy", "Utilities"], "Founded": [1900, 1950]})


def all_rows(store: Store) -> dict[str, list[Any]]:
    """The rows of all tables and views of a store."""
    names = store.sql("SHOW TABLES")["name"]
    return {name: store.sql(f"SELECT * FROM {name}").rows() for name in names}


def test_bars_come_back_sorted(store: Store) -> None:
    report = store.load("demo", BARS.reverse())
    assert (report.inserted, report.version, report.changed) == (3, 1, True)
    assert store.panel("demo").frame.equals(BARS)
    assert store.sql("SELECT * FROM bars.demo").equals(BARS)
    line = store.datasets().row(0, named=True)
    assert (line["symbols"], line["rows"], line["start"], line["end"]) == (2, 3, *DAYS)
    assert line["columns"] == ["close"]


def test_loading_the_same_bars_again_keeps_the_version(store: Store) -> None:
    store.load("demo", BARS)
    report = store.load("demo", BARS.sample(fraction=1, shuffle=True, seed=1))
    assert (report.unchanged, report.version, report.changed) == (3, 1, False)
    assert store.version("demo") == 1


def test_rows_and_columns_are_merged(store: Store) -> None:
    store.load("demo", BARS)
    new = pl.DataFrame({"symbol": ["A", "C"], "date": [DAYS[1]] * 2, "close": [2.5, 4.0], "volume": [10, 20]})
    report = store.load("demo", new)
    assert (report.inserted, report.updated, report.unchanged, report.version) == (1, 1, 0, 2)
    assert store.panel("demo").frame.rows() == [
        ("A", DAYS[0], 1.0, None),
        ("A", DAYS[1], 2.5, 10.0),
        ("B", DAYS[0], 3.0, None),
        ("C", DAYS[1], 4.0, 20.0),
    ]
    store.load("demo", new.select("symbol", "date", "volume").with_columns(volume=pl.lit(None)))
    assert store.panel("demo").frame["close"].to_list() == [1.0, 2.5, 3.0, 4.0]
    assert store.panel("demo").frame["volume"].null_count() == 4


def test_the_report_says_what_is_new_or_differs(store: Store) -> None:
    report = store.load("demo", BARS)
    assert (report.changed_from, report.changed_to, report.changed_symbols) == (*DAYS, 2)
    report = store.load("demo", BARS.with_columns(close=pl.Series([1.0, 2.0, 9.0])))
    assert (report.changed_from, report.changed_to, report.changed_symbols) == (DAYS[0], DAYS[0], 1)
    assert store.load("demo", BARS.tail(1).with_columns(close=9.0)).changed_from is None


def test_attributes_are_joined(store: Store) -> None:
    report = store.load("demo", BARS, attributes=SECTORS, columns={"sector": "GICS Sector"})
    assert report.without_attributes == 0
    assert store.panel("demo").frame["sector"].to_list() == ["Energy", "Energy", "Utilities"]
    assert store.sql("SELECT * FROM attributes.demo").columns == ["symbol", "sector"]
    assert store.datasets()["columns"].to_list() == [["close", "sector"]]


def test_attributes_keep_text_under_clean_names(store: Store) -> None:
    store.load("demo", BARS, attributes=SECTORS)
    assert store.panel("demo").columns == ("close", "gics_sector")


def test_attributes_of_a_file(store: Store, tmp_path: Path) -> None:
    SECTORS.write_csv(tmp_path / "sectors.csv")
    store.load(
        "demo",
        BARS,
        attributes=tmp_path / "sectors.csv",
        columns={"since": "Founded", "sector": "GICS Sector"},
    )
    assert store.panel("demo").frame["since"].to_list() == ["1900", "1900", "1950"]


def test_attributes_can_come_later_and_change_the_version(store: Store) -> None:
    store.load("demo", BARS)
    assert store.load("demo", BARS, attributes=SECTORS).version == 2
    assert store.load("demo", BARS, attributes=SECTORS).version == 2
    changed = SECTORS.head(1).with_columns(pl.lit("Materials").alias("GICS Sector"))
    assert store.load("demo", BARS, attributes=changed).version == 3
    assert store.panel("demo").frame["gics_sector"].to_list() == ["Materials", "Materials", "Utilities"]
    assert store.load("demo", BARS.with_columns(symbol=pl.lit("Z") + pl.col("symbol"))).without_attributes == 2


@pytest.mark.parametrize(
    ("attributes", "options", "message"),
    [
        (pl.concat([SECTORS, SECTORS]), {}, "duplicate symbols in the attributes: 'A'"),
        (SECTORS.with_columns(Symbol=pl.lit(None)), {}, "2 bars without a symbol"),
        (SECTORS.select("Symbol"), {}, "no text column"),
        (SECTORS.select("Symbol", "Founded"), {}, "no text column"),
        (SECTORS.rename({"GICS Sector": "Close"}), {}, "both have a column 'close'"),
        (SECTORS.with_columns(pl.lit("x").alias("gics sector")), {}, "differ only in case|'gics_sector'"),
    ],
)
def test_bad_attributes(store: Store, attributes: pl.DataFrame, options: dict[str, Any], message: str) -> None:
    with pytest.raises((BarsError, UnknownColumnError), match=message):
        store.load("demo", BARS, attributes=attributes, **options)
    assert store.datasets().is_empty()


def test_keys_can_be_mapped_like_any_column(store: Store) -> None:
    renamed = BARS.rename({"symbol": "Ticker", "date": "Day"})
    store.load("demo", renamed, columns={"symbol": "Ticker", "date": "Day"})
    assert store.panel("demo").frame.equals(BARS)


def test_bars_and_attributes_cannot_share_a_column(store: Store) -> None:
    store.load("demo", BARS, attributes=SECTORS, columns={"sector": "GICS Sector"})
    with pytest.raises(BarsError, match="both have a column 'sector'"):
        store.load("demo", BARS.with_columns(sector=pl.lit("x")))


def test_dates_and_datetimes(store: Store) -> None:
    datetimes = BARS.with_columns(pl.col("date").cast(pl.Datetime("us")) + pl.duration(hours=9))
    store.load("days", BARS)
    with pytest.raises(BarsError, match="time of day"):
        store.load("days", datetimes)
    store.load("datetimes", datetimes)
    with pytest.raises(BarsError, match="no time of day"):
        store.load("datetimes", BARS)
    assert store.panel("datetimes").frame.schema["date"] == pl.Datetime("us")
    assert store.load("days", BARS.with_columns(pl.col("date").cast(pl.Datetime("ns")))).changed is False


BAD: list[tuple[Any, dict[str, Any]]] = [
    (BARS.vstack(BARS.head(1)), {}),
    (BARS.with_columns(symbol=pl.lit(None)), {}),
    (BARS.with_columns(date=pl.lit("02/01/2024")), {}),
    (BARS.with_columns(close=pl.lit("high")), {}),
    (BARS.head(0), {}),
    (BARS, {"symbol": "ticker"}),
    (BARS, {"columns": {"open": "Open"}}),
    (BARS, {"columns": ["open"]}),
    (BARS, {"duplicates": "sum"}),
    (BARS, {"attributes": pl.concat([SECTORS, SECTORS])}),
    (BARS.with_columns(CLOSE=pl.lit(1)), {}),
    ("no/such/file.csv", {}),
    (42, {}),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_input_changes_nothing(store: Store, number: int) -> None:
    source, options = BAD[number]
    store.load("demo", BARS.with_columns(close=pl.lit(7.0)))
    before = all_rows(store)
    with pytest.raises(FactorloomError):
        store.load("demo", source, **options)
    with pytest.raises(FactorloomError):
        store.load("other", source, **options)
    assert all_rows(store) == before


def test_an_error_at_the_end_rolls_back_the_load(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.load("demo", BARS)
    before = all_rows(store)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset, "record_version", fail)
    with pytest.raises(KeyboardInterrupt):
        store.load("demo", BARS.with_columns(close=pl.lit(9.0)), attributes=SECTORS)
    assert all_rows(store) == before
    assert store.panel("demo").frame.equals(BARS)


@pytest.mark.parametrize(
    "name",
    ["", "Demo", "1st", "a-b", "a b", "a;b", 'x"; DROP TABLE bars.demo; --', "é", "a\n", "x" * 64, None, 3],
)
def test_invalid_dataset_names(store: Store, name: Any) -> None:
    for call in (lambda: store.load(name, BARS), lambda: store.panel(name), lambda: store.version(name)):
        with pytest.raises(DatasetError, match="not a valid dataset name"):
            call()


@pytest.mark.parametrize("name", ["select", "main", "x" * 63, "a_1"])
def test_unusual_valid_dataset_names(store: Store, name: str) -> None:
    store.load(name, BARS)
    assert store.panel(name).rows == 3
    assert store.sql(f'SELECT * FROM bars."{name}"').height == 3


def test_an_unknown_dataset(loaded: Store) -> None:
    with pytest.raises(DatasetError, match="did you mean 'demo'"):
        loaded.panel("dmeo")
    with pytest.raises(KeyError):
        loaded.version("nothing")


def test_hostile_columns_survive_the_way_through_duckdb(store: Store) -> None:
    names = ['"; DROP TABLE bars.demo; --', "select", "市值", "a'b", "x" * 3000, "%s $1 ?", "stored"]
    frame = BARS.with_columns(pl.lit(float(place)).alias(name) for place, name in enumerate(names))
    store.load("demo", frame)
    store.load("demo", frame.with_columns(pl.lit(-1.0).alias(names[0])))
    assert store.panel("demo").frame.columns == frame.columns
    assert store.panel("demo").frame[names[0]].to_list() == [-1.0] * 3


def test_long_and_odd_text(store: Store) -> None:
    frame = BARS.with_columns(
        symbol=pl.Series(["x" * 100_000, "O'Neil; --", "\N{SNOWMAN}"]), note=pl.lit("y" * 100_000)
    )
    store.load("demo", frame)
    assert sorted(store.panel("demo").symbols) == sorted(frame["symbol"])
    assert store.panel("demo", symbols=["O'Neil; --"]).rows == 1


# --- selections -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({}, 3),
        ({"start": DAYS[1]}, 1),
        ({"end": "2024-01-02"}, 2),
        ({"start": "2024-01-02", "end": "2024-01-02"}, 2),
        ({"symbols": "A"}, 2),
        ({"symbols": ["B", "A", "A"]}, 3),
        ({"symbols": pl.Series(["B"])}, 1),
        ({"start": dt.datetime(2024, 1, 2), "end": dt.datetime(2024, 1, 2, 23)}, 2),
        ({"start": "2024-01-02T12:00"}, 1),
        ({"end": dt.date.max}, 3),
    ],
)
def test_selections(store: Store, options: dict[str, Any], rows: int) -> None:
    store.load("demo", BARS)
    assert store.panel("demo", **options).rows == rows


def test_the_end_includes_the_whole_day(store: Store) -> None:
    store.load("ticks", BARS.with_columns(pl.col("date").cast(pl.Datetime("us")) + pl.duration(hours=16)))
    assert store.panel("ticks", end="2024-01-02").rows == 2
    assert store.panel("ticks", start="2024-01-03", end="2024-01-03").rows == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"start": "soon"}, ParameterError, "start must be a date"),
        ({"end": 2024.5}, ParameterError, "end must be a date"),
        ({"start": "2024-01-03", "end": "2024-01-02"}, ParameterError, "is after end"),
        ({"start": dt.datetime(2024, 1, 2, tzinfo=dt.UTC)}, ParameterError, "time zone"),
        ({"symbols": 7}, ArgumentError, "symbols must be names"),
        ({"symbols": ["AA"]}, ParameterError, "did you mean 'A'"),
        ({"start": "2030-01-01"}, StoreError, "its bars are from 2024-01-02 to 2024-01-03"),
        ({"symbols": []}, StoreError, "no bars"),
    ],
)
def test_bad_selections(store: Store, options: dict[str, Any], error: type[Exception], message: str) -> None:
    store.load("demo", BARS)
    with pytest.raises(error, match=message):
        store.panel("demo", **options)


def test_panels_are_cached_by_version(loaded: Store, bars: pl.DataFrame) -> None:
    first = loaded.panel("demo")
    assert loaded.panel("demo") is first
    loaded.load("demo", bars.with_columns(pl.col("close") + 1))
    assert loaded.panel("demo") is not first


@settings(max_examples=15)
@given(
    st.lists(
        st.dictionaries(
            st.tuples(st.sampled_from(["A", "B", "\N{SNOWMAN}"]), st.sampled_from(DAYS)),
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
            min_size=1,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_loads_one_after_another_agree_with_a_dict(
    loads: list[dict[tuple[str, dt.date], float | None]],
) -> None:
    expected: dict[tuple[str, dt.date], float | None] = {}
    version = 0
    with open_store(":memory:") as store:
        for load in loads:
            before = dict(expected)
            expected.update(load)
            version += expected != before
            frame = pl.DataFrame([(*key, value) for key, value in load.items()], SCHEMA, orient="row")
            assert store.load("demo", frame).version == version
            panel: Panel = store.panel("demo")
            assert panel.frame.rows() == [(*key, value) for key, value in sorted(expected.items())]


SCHEMA = {"symbol": pl.String, "date": pl.Date, "close": pl.Float64}


def test_narrow_numbers_do_not_narrow_what_is_stored(store: Store) -> None:
    store.load("demo", BARS.with_columns(close=pl.lit(0.1)))
    later = BARS.with_columns(pl.col("date").dt.offset_by("9d"), close=pl.lit(0.1, pl.Float32))
    store.load("demo", later)
    closes = store.sql("select distinct close from bars.demo order by close")["close"]
    assert closes.dtype == pl.Float64
    assert closes.to_list() == [0.1, float(np.float32(0.1))]


def test_columns_of_bars_and_attributes_are_found_in_any_spelling(store: Store) -> None:
    bars = BARS.rename({"close": "Adj Close"})
    store.load("demo", bars, attributes=SECTORS, columns={"close": "adj close", "branch": "gics sector"})
    assert {"close", "branch"} <= set(store.panel("demo").columns)


def test_a_dataset_that_is_dropped_and_loaded_again_is_another(store: Store) -> None:
    """Its versions begin anew; nothing of the dropped one is kept under their numbers."""
    frame = pl.DataFrame({"symbol": ["A", "B"], "date": ["2024-01-02"] * 2, "close": [1.0, 2.0]})
    store.load("demo", frame)
    assert store.panel("demo").frame["close"].to_list() == [1.0, 2.0]
    store.drop("demo")
    store.load("demo", frame.with_columns(close=pl.lit(9.0)))
    assert store.panel("demo").frame["close"].to_list() == [9.0, 9.0]
    store.save("demo", twice="close * 2")
    assert store.sql("SELECT twice FROM factors.demo")["twice"].to_list() == [18.0, 18.0]
