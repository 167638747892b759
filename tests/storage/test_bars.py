"""Conversion of source tables to bars: column names, keys, numbers, duplicates."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factorloom.expressions.errors import BarsError, ParameterError, UnknownColumnError
from factorloom.storage.bars import CheckedBars, conform
from factorloom.storage.reading import SourceTable

DAY = dt.date(2024, 1, 2)


def bars(frame: pl.DataFrame | dict[str, Any], *, textual: bool = False, **options: Any) -> CheckedBars:
    return conform(SourceTable(pl.DataFrame(frame), textual, "bars.csv"), **options)


def closes(dates: Any, **options: Any) -> CheckedBars:
    count = len(dates)
    return bars({"symbol": ["A"] * count, "date": dates, "close": [float(i) for i in range(count)]}, **options)


def test_standard_names_are_recognised() -> None:
    result = bars({"Date": [DAY], " Symbol": ["A"], "HIGH": [2], "Close": [1], "Adj Close": [3], "PE": [4.0]})
    assert result.frame.columns == ["symbol", "date", "high", "close", "Adj Close", "PE"]
    assert result.notes == ()


def test_a_mapping_overrides_other_columns_with_a_note() -> None:
    frame = {"Ticker": ["A"], "Date": [DAY], "Close": [1.0], "Adj Close": [0.5]}
    result = bars(frame, symbol="ticker", columns={"close": "Adj Close"})
    assert result.frame.to_dicts() == [{"symbol": "A", "date": DAY, "close": 0.5}]
    assert result.notes == ("column 'Close' dropped: another column was renamed to it",)


def test_another_column_can_be_the_key() -> None:
    frame = {"symbol": ["old"], "ticker": ["A"], "date": [DAY], "close": [1.0]}
    result = bars(frame, symbol="ticker")
    assert result.frame["symbol"].to_list() == ["A"]
    assert "'symbol' dropped" in result.notes[0]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"symbol": "tickr"}, "did you mean 'ticker'"),
        ({"date": "day"}, r"symbol= and date="),
        ({"columns": {"close": "clsoe"}}, "did you mean 'close'"),
    ],
)
def test_unknown_columns(options: dict[str, Any], named: str) -> None:
    frame = {"ticker": ["A"], "date": [DAY], "close": [1.0]}
    with pytest.raises(UnknownColumnError, match=named):
        bars(frame, **{"symbol": "ticker", **options})


@pytest.mark.parametrize("names", [("pe", "PE"), ("open", "OPEN", "Open"), ("", "x"), ("a\0b", "x"), ("a\n", "x")])
def test_ambiguous_and_unprintable_names_are_refused(names: tuple[str, ...]) -> None:
    frame = {"symbol": ["A"], "date": [DAY], "close": [1.0], **{name: [1.0] for name in names}}
    with pytest.raises(BarsError, match="columns="):
        bars(frame)


def test_hostile_names_are_kept() -> None:
    names = ['"; DROP TABLE bars.x; --', "select", "市值", "a'b", "x" * 5000, "symbol2", "rank", "f(x)"]
    result = bars({"symbol": ["A"], "date": [DAY], **{name: [1.0] for name in names}})
    assert result.frame.columns[2:] == names


def test_numbers_become_finite_doubles() -> None:
    frame = pl.DataFrame(
        {
            "symbol": ["A", "B", "C"],
            "date": [DAY] * 3,
            "close": [1.0, float("nan"), None],
            "volume": [1, 2**40, None],
            "ratio": [float("inf"), float("-inf"), 1.0],
            "flag": [True, False, None],
            "price": pl.Series(["1.25", "3.5", None]).cast(pl.Decimal(10, 2)),
            "nothing": [None, None, None],
        }
    )
    result = bars(frame)
    assert set(result.frame.dtypes[2:]) == {pl.Float64}
    assert result.frame["close"].to_list() == [1.0, None, None]
    assert result.frame["ratio"].to_list() == [None, None, 1.0]
    assert result.frame["flag"].to_list() == [1.0, 0.0, None]
    assert result.frame["price"].to_list() == [1.25, 3.5, None]
    assert result.infinite == {"ratio": 2}


def test_other_types_are_dropped_with_a_note() -> None:
    frame = {"symbol": ["A"], "date": [DAY], "close": [1.0], "report": [DAY], "tags": [["x"]]}
    result = bars(frame)
    assert result.frame.columns == ["symbol", "date", "close"]
    assert [note.split(" ")[1] for note in result.notes] == ["'report'", "'tags'"]


def test_text_in_a_price_column_names_the_first_bad_values() -> None:
    frame = {
        "symbol": ["A"] * 3,
        "date": ["2024-01-02", "2024-01-03", "2024-01-04"],
        "close": ["1", "1,5", "n/a"],
    }
    with pytest.raises(BarsError, match=r"2 values that are not numbers: '1,5' in row 2, 'n/a' in row 3"):
        bars(frame)


def test_text_columns_of_a_csv() -> None:
    frame = {
        "symbol": ["007", "TRUE"],
        "date": ["2024-01-02", "2024-01-02"],
        "close": [" 1.5", "NA"],
        "pe": ["12", "inf"],
        "code": ["001", "A2"],
        "empty": [None, ""],
    }
    result = bars(frame, textual=True)
    assert result.frame["symbol"].to_list() == ["007", "TRUE"]
    assert result.frame["close"].to_list() == [1.5, None]
    assert result.frame["code"].to_list() == ["001", "A2"]
    assert result.frame.schema["empty"] == pl.Float64
    assert result.infinite == {"pe": 1}


def test_the_stored_type_decides() -> None:
    text, number = {"code": pl.String()}, {"code": pl.Float64()}
    frame = {"symbol": ["A"], "date": ["2024-01-02"], "code": ["001"]}
    assert bars(frame, textual=True, stored=text).frame["code"].to_list() == ["001"]
    assert bars(frame, stored=number).frame["code"].to_list() == [1.0]
    assert bars({**frame, "code": [None]}, stored=text).frame.schema["code"] == pl.String
    with pytest.raises(BarsError, match="numbers here but text in the store"):
        bars({**frame, "code": [1.0]}, stored=text)
    with pytest.raises(BarsError, match="'x' in row 1"):
        bars({**frame, "code": ["x"]}, stored=number)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2024-01-02", DAY),
        ("2024-1-2", DAY),
        ("20240102", DAY),
        ("2024-01-02T00:00:00", DAY),
        ("2024-01-02 00:00:00+05:30", DAY),
        ("2024-01-02 09:30", dt.datetime(2024, 1, 2, 9, 30)),
        ("2024-01-02T09:30:00Z", dt.datetime(2024, 1, 2, 9, 30)),
        ("2024-01-02T09:30:00-05:00", dt.datetime(2024, 1, 2, 9, 30)),
        ("2024-01-02 09:30:00.123456", dt.datetime(2024, 1, 2, 9, 30, 0, 123456)),
    ],
)
def test_iso_dates(written: str, read: dt.date) -> None:
    assert closes([written]).frame["date"].to_list() == [read]


@pytest.mark.parametrize("bad", ["02/01/2024", "2024-02-30", "yesterday", "2024-01-02T25:00", "2024", "NaT"])
def test_unreadable_dates_name_value_and_row(bad: str) -> None:
    with pytest.raises(BarsError, match=r"1 dates cannot be parsed: .* in row 2") as caught:
        closes(["2024-01-02", bad])
    assert repr(bad) in str(caught.value)


def test_dates_and_datetimes_together_are_datetimes() -> None:
    result = closes(["2024-01-02", "2024-01-02T09:30"])
    assert result.frame.schema["date"] == pl.Datetime("us")


def test_time_zones_are_removed_and_the_local_time_kept() -> None:
    dates = pl.Series([dt.datetime(2024, 1, 2, 5), dt.datetime(2024, 7, 2, 4)]).dt.replace_time_zone("UTC")
    result = closes(dates.dt.convert_time_zone("America/New_York"))
    assert result.frame["date"].to_list() == [DAY, dt.date(2024, 7, 2)]
    assert "America/New_York" in result.notes[0]


@pytest.mark.parametrize("symbols", [[1, 2], pl.Series([1, 2], dtype=pl.UInt8)])
def test_integers_are_valid_symbols(symbols: Any) -> None:
    result = bars({"symbol": symbols, "date": [DAY] * 2, "close": [1.0, 2.0]})
    assert result.frame["symbol"].to_list() == ["1", "2"]


@pytest.mark.parametrize("symbols", [[1.0, 2.0], [True, False], [DAY, DAY], [["A"], ["B"]]])
def test_other_types_are_not_symbols(symbols: list[object]) -> None:
    with pytest.raises(BarsError, match="symbols must be text"):
        bars({"symbol": symbols, "date": [DAY] * 2, "close": [1.0, 2.0]})


@pytest.mark.parametrize("dates", [[20240102], [1.5], [dt.time(9)], [True]])
def test_other_types_are_not_dates(dates: list[object]) -> None:
    with pytest.raises(BarsError, match="dates must be"):
        closes(dates)


@pytest.mark.parametrize(("key", "value"), [("symbol", None), ("symbol", " "), ("date", None), ("date", "")])
def test_missing_keys_are_counted_and_shown(key: str, value: str | None) -> None:
    frame: dict[str, Any] = {"symbol": ["A", "B"], "date": ["2024-01-02"] * 2, "close": [1.0, 2.5]}
    frame[key] = [frame[key][0], value]
    with pytest.raises(BarsError, match=rf"1 bars have no {key} \(row 2: .*close 2.5"):
        bars(frame)


def test_nothing_to_load() -> None:
    with pytest.raises(BarsError, match="no bars to load"):
        bars({"symbol": [], "date": [], "close": []})
    with pytest.raises(BarsError, match="no column other than"):
        bars({"symbol": ["A"], "date": [DAY]})


def test_duplicates() -> None:
    frame = {"symbol": ["B", "A", "B"], "date": [DAY] * 3, "close": [1.0, 2.0, 3.0]}
    with pytest.raises(BarsError, match=r"1 bars repeat a \(symbol, date\): B 2024-01-02"):
        bars(frame)
    first, last = bars(frame, duplicates="first"), bars(frame, duplicates="last")
    assert first.frame["close"].to_list() == [2.0, 1.0]
    assert last.frame["close"].to_list() == [2.0, 3.0]
    assert first.dropped == last.dropped == 1
    with pytest.raises(ParameterError, match="duplicates must be one of"):
        bars(frame, duplicates="keep")


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 5), st.floats(width=32) | st.none()), min_size=1))
def test_first_and_last_agree_with_a_dict(rows: list[tuple[str, int, float | None]]) -> None:
    frame = pl.DataFrame(
        {
            "symbol": [row[0] for row in rows],
            "date": [dt.date(2024, 1, row[1]) for row in rows],
            "close": pl.Series([row[2] for row in rows], dtype=pl.Float64),
        }
    )
    for duplicates, order in (("last", rows), ("first", rows[::-1])):
        expected = {(symbol, day): value for symbol, day, value in order}
        result = bars(frame, duplicates=duplicates)
        found = {(symbol, date.day): value for symbol, date, value in result.frame.iter_rows()}
        finite = {
            key: value if value is not None and abs(value) < float("inf") else None for key, value in expected.items()
        }
        assert found == finite
        assert list(found) == sorted(found)
        assert result.dropped == len(rows) - len(found)
