"""How tables become bars: names, keys, numbers, text, duplicates. tests/test_doors.py walks the doors."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import gzip
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factorloom.engine.bars.read import BarTable, Stored, read_bars
from factorloom.expressions.errors import (
    ArgumentError,
    BarsError,
    FactorloomError,
    ParameterError,
    UnknownColumnError,
)

DAY = dt.date(2024, 1, 2)


def bars(frame: Any, **options: Any) -> BarTable:
    stored = options.pop("stored", None)
    return read_bars(pl.DataFrame(frame) if isinstance(frame, dict) else frame, options, stored=stored)  # type: ignore[arg-type]


def closes(dates: Any, **options: Any) -> BarTable:
    count = len(dates)
    return bars({"symbol": ["A"] * count, "date": dates, "close": [float(i) for i in range(count)]}, **options)


def rows(table: BarTable) -> list[dict[str, Any]]:
    return table.frame.to_dicts()


# --- names ----------------------------------------------------------------------------------------------------


def test_usual_names_are_known_and_said() -> None:
    result = bars({"Date": [DAY], " Ticker": ["A"], "HIGH": [2], "Vol": [7], "Adj Close": [3], "PE": [4.0]})
    assert result.frame.columns == ["symbol", "date", "high", "volume", "Adj Close", "PE"]
    assert result.notes == (
        "columns known by other names: ' Ticker' as symbol, 'Date' as date, 'HIGH' as high, 'Vol' as volume",
    )


def test_a_name_is_not_guessed_where_two_could_be_meant() -> None:
    with pytest.raises(BarsError, match=r"'ticker' and 'code' could both be the symbol.*\n.*symbol='ticker'"):
        bars({"ticker": ["A"], "code": ["1"], "date": [DAY], "close": [1.0]})
    assert (
        bars({"ticker": ["A"], "code": ["1"], "date": [DAY], "close": [1.0]}, symbol="code").frame["symbol"][0] == "1"
    )
    assert bars({"symbol": ["A"], "code": ["1"], "date": [DAY], "close": [1.0]}).frame.columns[2] == "code"


def test_a_mapping_overrides_other_columns_with_a_note() -> None:
    frame = {"Ticker": ["A"], "Date": [DAY], "Close": [1.0], "Adj Close": [0.5]}
    result = bars(frame, columns={"close": "adj close"})
    assert rows(result) == [{"symbol": "A", "date": DAY, "close": 0.5}]
    assert "column 'Close' left out: another column was renamed to it" in result.notes


def test_another_column_can_be_the_key() -> None:
    frame = {"symbol": ["old"], "ticker": ["A"], "date": [DAY], "close": [1.0]}
    result = bars(frame, symbol="ticker")
    assert result.frame["symbol"].to_list() == ["A"]
    assert result.notes == ("column 'symbol' left out: another column was renamed to it",)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"symbol": "tickr"}, UnknownColumnError, "did you mean 'ticker'"),
        ({"date": "when"}, UnknownColumnError, "no column 'when'"),
        ({"columns": {"close": "clsoe"}}, UnknownColumnError, "did you mean 'close'"),
        ({"drop": ["clsoe"]}, UnknownColumnError, "did you mean 'close'"),
        ({"drop": "close"}, ArgumentError, "drop must be a list"),
        ({"types": {"clsoe": "text"}}, UnknownColumnError, "did you mean 'close'"),
        ({"types": {"close": "float"}}, ParameterError, "must be 'number' or 'text'"),
        ({"types": ["close"]}, ArgumentError, "types must map"),
        ({"columns": ["close"]}, ArgumentError, "columns must map"),
        ({"symbols": "ticker"}, ArgumentError, "no option 'symbols' to read bars with\n  hint: did you mean 'symbol'"),
        ({"separator": ";"}, ParameterError, "separator= does not apply"),
        ({"separator": ";;"}, ParameterError, "must be a single character"),
        ({"decimal": "1"}, ParameterError, "must be a single character"),
        ({"thousands": "."}, ParameterError, "cannot separate both"),
        ({"missing": "NA"}, ArgumentError, "missing must be a list"),
        ({"one_symbol": "A", "symbol": "ticker"}, ParameterError, "not both"),
        ({"one_symbol": "{name}"}, ParameterError, "the bars come from none"),
        ({"wide": "close", "symbol": "ticker"}, ParameterError, "no column of symbols"),
        ({"time_zone": "Mars"}, ParameterError, "unknown time zone"),
        ({"time_zone": "UTC"}, ParameterError, "does not apply"),
        ({"date_format": 3}, ArgumentError, "must be text"),
        ({"duplicates": "keep"}, ParameterError, "duplicates must be one of"),
    ],
)
def test_options_that_are_wrong(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    frame = {"ticker": ["A"], "date": ["2024-01-02"], "close": [1.0]}
    with pytest.raises(kind, match=message.replace("(", r"\(")):
        bars(frame, **options)


@pytest.mark.parametrize("names", [("pe", "PE"), ("open", "OPEN"), ("a\0b", "x"), ("a\n", "x")])
def test_ambiguous_and_unprintable_names_are_refused(names: tuple[str, ...]) -> None:
    frame = {"symbol": ["A"], "date": [DAY], "close": [1.0], **{name: [1.0] for name in names}}
    with pytest.raises(BarsError, match="columns="):
        bars(frame)


def test_hostile_names_are_kept() -> None:
    names = ['"; DROP TABLE bars.x; --', "select", "市值", "a'b", "x" * 5000, "symbol2", "rank", "f(x)"]
    assert bars({"symbol": ["A"], "date": [DAY], **{name: [1.0] for name in names}}).frame.columns[2:] == names


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "__index_level_0__", "level_0"])
def test_an_index_without_a_name_is_left_out_or_is_the_date(name: str) -> None:
    result = bars({name: [0], "symbol": ["A"], "date": [DAY], "close": [1.0]})
    assert result.frame.columns == ["symbol", "date", "close"]
    assert result.notes == ("1 column without a name left out",)
    assert bars({name: ["2024-01-02"], "symbol": ["A"], "close": [1.0]}).frame["date"][0] == DAY


def test_columns_of_no_use_are_left_out_with_a_note() -> None:
    frame = {"symbol": ["A"], "date": [DAY], "close": [1.0], "report": [DAY], "tags": [["x"]], "bad": [1.0]}
    result = bars(frame, drop=["bad"])
    assert result.frame.columns == ["symbol", "date", "close"]
    assert [note.split(" ")[1] for note in result.notes] == ["'report'", "'tags'"]


# --- numbers and text -----------------------------------------------------------------------------------------


def test_numbers_are_finite() -> None:
    frame = pl.DataFrame(
        {
            "symbol": ["A", "B", "C"],
            "date": [DAY] * 3,
            "close": [1.0, float("nan"), None],
            "volume": [1, 2**53 + 1, None],
            "ratio": [float("inf"), float("-inf"), 1.0],
            "flag": [True, False, None],
            "price": pl.Series([decimal.Decimal("1.25"), decimal.Decimal("9007199254740993"), None]),
            "nothing": [None, None, None],
            "narrow": pl.Series([0.1, None, None], dtype=pl.Float32),
        }
    )
    result = bars(frame)
    assert result.frame.dtypes[2:] == [pl.Float64] * 6 + [pl.Float32]
    values = {name: result.frame[name].to_list() for name in result.frame.columns[2:]}
    assert values["close"] == [1.0, None, None]
    assert values["volume"] == [1.0, 2.0**53, None]
    assert values["ratio"] == [None, None, 1.0]
    assert values["flag"] == [1.0, 0.0, None]
    assert values["price"] == [1.25, 2.0**53, None]
    assert result.infinite == {"ratio": 2}


def test_text_in_a_price_column_names_the_first_bad_values() -> None:
    frame = {"symbol": ["A"] * 3, "date": ["2024-01-02", "2024-01-03", "2024-01-04"], "close": ["1", "1,5", "?"]}
    with pytest.raises(BarsError, match=r"must hold numbers; 2 values cannot be read: '1,5' in row 2.*\n.*decimal=','"):
        bars(frame)
    assert bars({**frame, "close": ["1", "1,5", "n/a"]}, decimal=",").frame["close"].to_list() == [1.0, 1.5, None]


def test_what_is_stored_decides() -> None:
    text, number, nothing = (Stored({"code": kind}, daily=True) for kind in ("text", "number", None))  # type: ignore[dict-item]
    frame = {"symbol": ["A"], "date": ["2024-01-02"], "code": ["001"]}
    assert bars(frame, stored=text).frame["code"].to_list() == ["001"]
    assert bars(frame, stored=number).frame["code"].to_list() == [1.0]
    assert bars(frame, stored=nothing).frame["code"].to_list() == ["001"]
    assert bars({**frame, "code": [None]}, stored=text).frame["code"].dtype == pl.Enum([])
    assert bars({**frame, "code": [7]}, stored=text, types={"code": "text"}).frame["code"].to_list() == ["7"]
    assert bars({"Symbol": ["A"], "Date": [DAY], "CODE": ["x"]}, stored=text).frame.columns == [
        "symbol",
        "date",
        "code",
    ]
    vol = Stored({"vol": "number"}, daily=True)  # a column that was renamed so keeps its name
    assert bars({"symbol": ["A"], "date": [DAY], "vol": [1.0]}, stored=vol).frame.columns == ["symbol", "date", "vol"]
    with pytest.raises(BarsError, match="numbers here but text before"):
        bars({**frame, "code": [1.0]}, stored=text)
    with pytest.raises(BarsError, match="'x' in row 1"):
        bars({**frame, "code": ["x"]}, stored=number)


def test_blank_text_is_missing() -> None:
    frame = {"symbol": ["A", "B"], "date": [DAY] * 2, "close": [1, 2], "sector": ["  ", "tech"]}
    assert bars(frame).frame["sector"].to_list() == [None, "tech"]
    assert bars({**frame, "sector": ["none", "tech"]}, missing=["none"]).frame["sector"].to_list() == [None, "tech"]


# --- dates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2024-01-02", DAY),
        (" 2024-1-2 ", DAY),
        ("20240102", DAY),
        (20240102, DAY),
        (20240102.0, DAY),
        ("2024-01-02T00:00:00", DAY),
        ("2024-01-02 00:00:00+05:30", DAY),
        ("2024-01-02 09:30", dt.datetime(2024, 1, 2, 9, 30)),
        ("2024-01-02T09:30:00Z", dt.datetime(2024, 1, 2, 9, 30)),
        ("2024-01-02T09:30:00-05:00", dt.datetime(2024, 1, 2, 9, 30)),
        ("2024-01-02 09:30:00.123456", dt.datetime(2024, 1, 2, 9, 30, 0, 123456)),
    ],
)
def test_dates(written: Any, read: dt.date) -> None:
    assert closes([written]).frame["date"].to_list() == [read]
    series = pl.Series([written, written], dtype=pl.Categorical) if isinstance(written, str) else [written, written]
    frame = pl.DataFrame({"symbol": ["A", "B"], "date": series, "close": [1.0, 2.0]})
    assert bars(frame).frame["date"].to_list() == [read, read]


@pytest.mark.parametrize(
    "bad",
    ["02/01/2024", "2024-02-30", "yesterday", "2024-01-02T25:00", "2024", "NaT", "02-01-20", "0002-01-20", "2024013"],
)
def test_unreadable_dates_name_value_and_row(bad: str) -> None:
    with pytest.raises(
        BarsError, match=r"1 date (cannot be read|without a year of four digits): .* in row 2"
    ) as caught:
        closes(["2024-01-02", bad])
    assert repr(bad) in str(caught.value)


@pytest.mark.parametrize("bad", [1704153600, 1704153600.5, 2024010, float("nan"), 20241301])
def test_numbers_that_are_no_dates(bad: float) -> None:
    with pytest.raises(BarsError, match=r"1 date cannot be read: .* in row 2\n.*from_epoch"):
        closes([type(bad)(20240102), bad])


@pytest.mark.parametrize("dates", [[dt.time(9)], [True], [[DAY]], [dt.timedelta(1)]])
def test_other_types_are_not_dates(dates: list[object]) -> None:
    with pytest.raises(BarsError, match="dates must be"):
        closes(dates)


@pytest.mark.parametrize(
    ("text", "form", "read"),
    [
        ("02/01/24", "%d/%m/%y", DAY),
        ("Jan 2, 2024", "%b %d, %Y", DAY),
        ("02.01.2024 16:30", "%d.%m.%Y %H:%M", dt.datetime(2024, 1, 2, 16, 30)),
        ("02.01.2024 00:00", "%d.%m.%Y %H:%M", DAY),
    ],
)
def test_forms_that_are_named(text: str, form: str, read: dt.date) -> None:
    assert closes([text], date_format=form).frame["date"].to_list() == [read]
    with pytest.raises(BarsError, match="1 date not written as"):
        closes([text, "2024-01-02"], date_format=form)


def test_days_and_moments_are_not_mixed() -> None:
    with pytest.raises(BarsError, match=r"1 date with a time of day, .*: '2024-01-03T09:30' in row 2"):
        closes(["2024-01-02", "2024-01-03T09:30"])
    assert closes(["2024-01-02", "2024-01-03T00:00"]).frame["date"].dtype == pl.Date


def test_time_zones_are_removed_and_the_local_time_kept() -> None:
    dates = pl.Series([dt.datetime(2024, 1, 2, 5), dt.datetime(2024, 7, 2, 4)]).dt.replace_time_zone("UTC")
    local = dates.dt.convert_time_zone("America/New_York")
    result = closes(local)
    assert result.frame["date"].to_list() == [DAY, dt.date(2024, 7, 2)]
    assert "America/New_York" in result.notes[0]
    assert closes(local, time_zone="UTC").frame["date"].to_list() == [
        dt.datetime(2024, 1, 2, 5),
        dt.datetime(2024, 7, 2, 4),
    ]


def test_zones_that_differ_by_row() -> None:
    text = ["2024-01-02T09:00:00+09:00", "2024-01-02T09:30:00-05:00"]
    frame = {"symbol": ["7203", "AAPL"], "date": text, "close": [1.0, 2.0]}
    expected = [dt.datetime(2024, 1, 2, 9), dt.datetime(2024, 1, 2, 9, 30)]
    utc = [dt.datetime(2024, 1, 2, 0), dt.datetime(2024, 1, 2, 14, 30)]
    stamps = pd.DataFrame({**frame, "date": pd.Series([pd.Timestamp(t) for t in text], dtype=object)})
    assert bars(frame).frame["date"].to_list() == bars(stamps).frame["date"].to_list() == expected
    assert bars(frame, time_zone="UTC").frame["date"].to_list() == utc
    with pytest.raises(BarsError, match=r"1 date without a UTC offset, .* in row 2"):
        bars({**frame, "date": [text[0], "2024-01-02T09:30:00"]}, time_zone="UTC")


@given(
    st.lists(st.datetimes(dt.datetime(1980, 1, 1), dt.datetime(2100, 1, 1)), min_size=1, max_size=20, unique=True),
    st.sampled_from([-720, -300, 0, 330, 840]),
)
def test_offsets_agree_with_the_standard_library(moments: list[dt.datetime], minutes: int) -> None:
    zone = dt.timezone(dt.timedelta(minutes=minutes))
    text = [moment.replace(microsecond=0, tzinfo=zone).isoformat() for moment in moments]
    table = closes(text, duplicates="last", time_zone="UTC")
    expected = sorted({dt.datetime.fromisoformat(t).astimezone(dt.UTC).replace(tzinfo=None) for t in text})
    assert table.frame["date"].cast(pl.Datetime("us")).to_list() == expected


# --- symbols --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "symbols", [[1, 2], [1.0, 2.0], pl.Series([1, 2], dtype=pl.UInt8), ["1 ", " 2"], np.array([1, 2])]
)
def test_symbols_are_trimmed_text(symbols: Any) -> None:
    assert bars({"symbol": symbols, "date": [DAY] * 2, "close": [1.0, 2.0]}).frame["symbol"].to_list() == ["1", "2"]


@pytest.mark.parametrize("symbols", [[1.5, 2.0], [True, False], [DAY, DAY], [["A"], ["B"]]])
def test_other_types_are_not_symbols(symbols: list[object]) -> None:
    with pytest.raises(BarsError, match="symbols must be text"):
        bars({"symbol": symbols, "date": [DAY] * 2, "close": [1.0, 2.0]})


@pytest.mark.parametrize(("key", "value"), [("symbol", None), ("symbol", " "), ("date", None), ("date", "")])
def test_missing_keys_are_counted_and_shown(key: str, value: str | None) -> None:
    frame: dict[str, Any] = {"symbol": ["A", "B"], "date": ["2024-01-02"] * 2, "close": [1.0, 2.5]}
    frame[key] = [frame[key][0], value]
    with pytest.raises(BarsError, match=rf"1 bar without a {key} \(row 2: .*close 2.5"):
        bars(frame)


def test_tables_without_symbols() -> None:
    one = bars({"date": ["2024-01-02", "2024-01-03"], "close": [1.0, 2.0]}, one_symbol="GOOG")
    assert one.frame["symbol"].to_list() == ["GOOG", "GOOG"]
    with pytest.raises(UnknownColumnError, match="one_symbol="):
        bars({"date": ["2024-01-02"], "close": [1.0]})
    with pytest.raises(UnknownColumnError, match=r"known: Datum, close$"):
        bars({"Datum": ["2024-01-02"], "close": [1.0]}, one_symbol="GOOG")
    wide = bars({"Date": ["2024-01-03", "2024-01-02"], "B": [3.0, None], "A": [2, 1]}, wide="close")
    assert [tuple(row.values()) for row in rows(wide)] == [
        ("A", DAY, 1.0),
        ("A", dt.date(2024, 1, 3), 2.0),
        ("B", dt.date(2024, 1, 3), 3.0),
    ]
    with pytest.raises(BarsError, match="no column of a symbol"):
        bars({"date": ["2024-01-02"]}, wide="close")


# --- rows -----------------------------------------------------------------------------------------------------


def test_columns_beside_the_keys_are_needed() -> None:
    with pytest.raises(BarsError, match="no column other than"):
        bars({"symbol": ["A"], "date": [DAY]})


def test_duplicates() -> None:
    frame = {"symbol": ["B", "A", "B"], "date": [DAY] * 3, "close": [1.0, 2.0, 3.0]}
    with pytest.raises(BarsError, match=r"the key \(symbol, date\) is repeated in 1 bar: B 2024-01-02"):
        bars(frame)
    first, last = bars(frame, duplicates="first"), bars(frame, duplicates="last")
    assert first.frame["close"].to_list() == [2.0, 1.0]
    assert last.frame["close"].to_list() == [2.0, 3.0]
    assert first.dropped == last.dropped == 1


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 5), st.floats(width=32) | st.none()), min_size=1))
def test_first_and_last_agree_with_a_dict(given_rows: list[tuple[str, int, float | None]]) -> None:
    frame = pl.DataFrame(
        {
            "symbol": [row[0] for row in given_rows],
            "date": [dt.date(2024, 1, row[1]) for row in given_rows],
            "close": pl.Series([row[2] for row in given_rows], dtype=pl.Float64),
        }
    )
    for duplicates, order in (("last", given_rows), ("first", given_rows[::-1])):
        expected = {(symbol, day): value for symbol, day, value in order}
        result = bars(frame, duplicates=duplicates)
        found = {(symbol, date.day): value for symbol, date, value in result.frame.iter_rows()}
        finite = {
            key: value if value is not None and abs(value) < float("inf") else None for key, value in expected.items()
        }
        assert found == finite
        assert list(found) == sorted(found)
        assert result.dropped == len(given_rows) - len(found)


# --- whatever a file holds ------------------------------------------------------------------------------------

CELLS = (
    *("", " ", "A", "NA", '"', '"a', "\0", "é", "\ufeff", "symbol", "true", "null", "=1+1", "\r", "a b", "9" * 30),
    *("1", "1.5", "1,5", "1e400", "-inf", "nan", "0x10", "1_000", "$5", "1 000", "1\u00a0000", "٣"),
    *("2024-01-02", "20240102", "02/01/2024", "2024-01-02T09:30", "2024-01-02 09:30:00+05:30", "2024-01-02T09:30Z"),
    *("9999-12-31", "99999-01-01", "0001-01-01", "-2024-01-02", "2024-02-30", "1970-01-01T00:00:00.123456789"),
)
HEADS = (
    *("symbol", "date", "close", "sector"),
    *("Symbol", "ticker", "", "Unnamed: 0", "\0file", '"', "x\ty", "level_0"),
)
OPTIONS: tuple[dict[str, Any], ...] = (
    *({}, {"one_symbol": "A"}, {"one_symbol": "{name}"}, {"wide": "close"}, {"duplicates": "first"}),
    *({"decimal": ","}, {"decimal": ",", "thousands": "."}, {"missing": ["x"]}, {"time_zone": "UTC"}),
    *({"date_format": form} for form in ("%d/%m/%Y", "%Q", "%", "%H:%M", "%s", "%z")),
    *({"encoding": name} for name in ("latin-1", "utf-16", "idna", "hex", "rot13")),
    *({"separator": sign} for sign in (";", "\t", '"', "\n", " ")),
    *({"columns": {"close": "sector"}}, {"columns": {"symbol": "close"}}, {"drop": ["symbol"]}, {"symbol": "date"}),
    *({"types": {"close": "text"}}, {"types": {"sector": "number"}}),
)


@given(
    head=st.lists(st.sampled_from(HEADS), max_size=5) | st.just(["symbol", "date", "close", "sector"]),
    cells=st.lists(st.lists(st.sampled_from(CELLS), max_size=5), max_size=4),
    separator=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "latin-1", "utf-16"]),
    options=st.sampled_from(OPTIONS),
)
def test_any_csv_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    head: list[str],
    cells: list[list[str]],
    separator: str,
    encoding: str,
    options: dict[str, Any],
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes("\n".join(separator.join(row) for row in [head, *cells]).encode(encoding, errors="replace"))
    try:
        found = bars(path, **options).frame
    except FactorloomError:
        return
    assert found.columns[:2] == ["symbol", "date"]
    assert found.select(pl.struct("symbol", "date").is_unique()).to_series().all()


@given(number=st.integers(0, 2**32 - 1), suffix=st.sampled_from(["parquet", "csv.gz"]))
def test_damaged_files_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, number: int, suffix: str) -> None:
    rng = np.random.default_rng(number)
    frame = pl.DataFrame({"symbol": ["A", "B"] * 9, "date": [DAY + dt.timedelta(k // 2) for k in range(18)]})
    frame = frame.with_columns(close=pl.int_range(pl.len()) + 0.5)
    path = tmp_path_factory.getbasetemp() / f"damaged.{suffix}"
    if suffix == "parquet":
        frame.write_parquet(path)
    else:
        path.write_bytes(gzip.compress(frame.write_csv().encode()))
    content = bytearray(path.read_bytes())
    for place in rng.integers(0, len(content), rng.integers(1, 4)):
        content[place] = rng.integers(0, 256)
    path.write_bytes(content[: rng.integers(0, len(content))] if rng.random() < 0.3 else content)
    with contextlib.suppress(FactorloomError):
        bars(path)


# --- faults that were found by trying -------------------------------------------------------------------------


def test_offsets_of_named_forms_are_refused() -> None:
    with pytest.raises(ParameterError, match="has a time zone"):
        closes(["2024-01-03T01:00:00+0530"], date_format="%Y-%m-%dT%H:%M:%S%z")


@pytest.mark.parametrize("kind", ["number", "text"])
def test_types_do_not_contradict_what_is_stored(kind: Any) -> None:
    stored = Stored({"s": "text" if kind == "number" else "number"}, daily=True)
    with pytest.raises(BarsError, match="before, and types says"):
        bars({"symbol": ["A"], "date": [DAY], "s": ["7"]}, types={"s": kind}, stored=stored)


def test_objects_of_pandas_keep_their_times() -> None:
    zone = "America/New_York"
    stamps = [pd.Timestamp(f"2024-11-03 0{hour}:00Z").tz_convert(zone) for hour in (5, 6)]
    frame = pd.DataFrame({"symbol": "A", "date": pd.Series(stamps, dtype=object), "close": [1.0, 2.0]})
    with pytest.raises(BarsError, match="time_zone='UTC'"):
        bars(frame)
    assert bars(frame, time_zone="UTC").frame["date"].to_list() == [dt.datetime(2024, 11, 3, hour) for hour in (5, 6)]
    mixed = frame.assign(date=pd.Series([DAY, dt.datetime(2024, 1, 3, 5)], dtype=object))
    with pytest.raises(BarsError, match="with a time of day, among others without one"):
        bars(mixed)


@pytest.mark.parametrize("cell", ["1.5", "1.23", "12.34.56"])
def test_thousands_come_in_groups_of_three(cell: str) -> None:
    frame = {"symbol": ["A"], "date": [DAY], "close": [cell]}
    with pytest.raises(BarsError, match="must hold numbers"):
        bars(frame, decimal=",", thousands=".")
    assert bars({**frame, "close": ["1.234.567,8"]}, decimal=",", thousands=".").frame["close"][0] == 1234567.8


def test_columns_of_several_kinds_are_not_joined(tmp_path: Any) -> None:
    day = pl.DataFrame({"symbol": ["A"], "date": [DAY], "close": [1.0]})
    day.write_parquet(tmp_path / "a.parquet")
    day.with_columns(date=pl.lit(dt.datetime(2024, 1, 3, 9))).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(BarsError, match=r"column 'date' is dates in a.parquet, and datetimes in b.parquet"):
        bars(tmp_path)
    with pytest.raises(BarsError, match="hold dates and numbers"):
        bars({"date": ["2024-01-02"], "ipo": [DAY], "B": [2.5]}, wide="close")


def _fail(frame: pl.DataFrame) -> pl.DataFrame:
    raise ZeroDivisionError("by the caller")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "is empty"),
        ("~nobody_there/a.csv", "is no path"),
        ("x" * 300 + ".csv", "is no path|no file"),
        ("a\0b.csv", "is no path|no file"),
        (pl.LazyFrame({"symbol": ["A"]}).map_batches(_fail), "LazyFrame cannot be read"),
        (pd.DataFrame({"close": [1.0]}, pd.MultiIndex.from_tuples([(1, 2)], names=["a", "a"])), "one name"),
    ],
    ids=str,
)
def test_sources_that_cannot_be_opened(source: Any, message: str) -> None:
    with pytest.raises(BarsError, match=message):
        bars(source)


@pytest.mark.parametrize("name", ["symbol", "date", "one_symbol", "wide", "date_format", "time_zone", "duplicates"])
def test_options_that_are_no_text(name: str) -> None:
    for value in (pl.Series(["a"]), 3, None):
        with pytest.raises(ArgumentError, match=f"{name} must be text"):
            bars({"symbol": ["A"], "date": [DAY], "close": [1.0]}, **{name: value})


@pytest.mark.parametrize("symbols", [[1e20], [float("inf")]])
def test_numbers_that_are_no_symbols(symbols: list[float]) -> None:
    with pytest.raises(BarsError, match="text or whole numbers"):
        bars({"symbol": symbols, "date": [DAY], "close": [1.0]})


def test_blank_lines_and_compressed_files(tmp_path: Any) -> None:
    text = "symbol;date;close\n;;\nA;2024-01-02;1\n;;\n"
    (tmp_path / "bars.csv").write_text(text)
    found = bars(tmp_path / "bars.csv")
    assert found.frame.rows() == [("A", DAY, 1.0)]
    assert "2 blank rows left out" in found.notes
    pl.read_csv(tmp_path / "bars.csv", separator=";").write_csv(
        tmp_path / "bars.csv.zst", separator=";", compression="zstd"
    )
    assert bars(tmp_path / "bars.csv.zst").frame.rows() == [("A", DAY, 1.0)]
