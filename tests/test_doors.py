"""A table of inputs through every door: panel, store and command line give the same bars, or the same error."""

from __future__ import annotations

import datetime as dt
import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

import factorloom as fl
from factorloom.api.cli.command import main
from factorloom.expressions.errors import FactorloomError

DAYS = [dt.date(2024, 1, day) for day in (2, 3, 2, 2)]
BARS = pl.DataFrame(
    {
        "symbol": ["007", "007", "TRUE", "NA"],
        "date": DAYS,
        "close": [1.5, None, 3.25, 1e-3],
        "volume": [100.0, 0.0, 2e9, None],
        "sector": ["Energy", "Energy", None, "Health, Care"],
        "flag": [True, False, None, True],
    }
)
SORTED = BARS.sort("symbol", "date").with_columns(pl.col("flag").cast(pl.Float64))


def through_panel(source: Any, options: dict[str, Any]) -> pl.DataFrame:
    return fl.Panel.from_frame(source, **options).frame


def through_append(source: Any, options: dict[str, Any]) -> pl.DataFrame:
    """Appended to bars of another symbol, which are then left out."""
    whole = fl.Panel.from_frame(source, **options)
    midnight = whole.frame.schema["date"] == pl.Date
    first = whole.frame.head(1).with_columns(
        symbol=pl.lit("before"), date=pl.lit(dt.date(1999, 1, 1) if midnight else dt.datetime(1999, 1, 1, 1))
    )
    return fl.Panel.from_frame(first).append(source, **options).frame.filter(pl.col("symbol") != "before")


def through_store(source: Any, options: dict[str, Any]) -> pl.DataFrame:
    with fl.open_store(":memory:") as store:
        store.load("market", source, **options)
        return store.panel("market").frame


def through_command_line(source: Any, options: dict[str, Any]) -> pl.DataFrame:
    words = ["load", "market", str(source)]
    for name, value in options.items():
        if name in ("columns", "types"):
            option = "map" if name == "columns" else name
            words += [f"--{option}.{key}={part}" for key, part in value.items()]
        else:
            words.append(f"--{name.replace('_', '-')}={value if isinstance(value, str) else ','.join(value)}")
    with tempfile.TemporaryDirectory() as folder:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--store", f"{folder}/store.duckdb"])
        if ended.value.code:
            raise RefusedError
        with fl.open_store(f"{folder}/store.duckdb") as store:
            return store.panel("market").frame


class RefusedError(Exception):
    """The command line ended with an error, which it printed."""


def doors(source: Any) -> list[Callable[[Any, dict[str, Any]], pl.DataFrame]]:
    in_memory = [through_panel, through_append, through_store]
    return [*in_memory, through_command_line] if isinstance(source, Path) else in_memory


def check(source: Any, expected: pl.DataFrame, options: dict[str, Any]) -> None:
    """Every door gives the expected bars, in any order of their columns."""
    for door in doors(source):
        found = door(source, options)
        assert sorted(found.columns) == sorted(expected.columns), door.__name__
        assert found.select(expected.columns).rows() == expected.rows(), door.__name__


def refused(source: Any, options: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    """The one error with which every door refuses a source."""
    told = []
    for door in (through_panel, through_store):
        with pytest.raises(FactorloomError) as caught:
            door(source, options)
        told.append(f"{type(caught.value).__name__}: {caught.value}")
    if isinstance(source, Path):
        with pytest.raises(RefusedError):
            through_command_line(source, options)
        shown = capsys.readouterr().err
        assert told[0].partition(": ")[2].splitlines()[0][:60] in " ".join(shown.split("\n"))
    assert len(set(told)) == 1
    return told[0]


# --- kinds of tables ------------------------------------------------------------------------------------------


def _gzip(frame: pl.DataFrame, path: Path) -> None:
    path.write_bytes(gzip.compress(frame.write_csv(None).encode()))


FILES: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "bars.parquet": pl.DataFrame.write_parquet,
    "BARS.PARQUET": pl.DataFrame.write_parquet,
    "bars.csv": pl.DataFrame.write_csv,
    "bars.csv.gz": _gzip,
    "bars.tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    "semicolons.csv": lambda frame, path: frame.write_csv(path, separator=";"),
    "bars.arrow": pl.DataFrame.write_ipc,
    "bars.feather": pl.DataFrame.write_ipc,
    "stream.ipc": pl.DataFrame.write_ipc_stream,
    "odd [1]*.csv": pl.DataFrame.write_csv,
    "date=2020-01-01.parquet": pl.DataFrame.write_parquet,
    "pandas.csv": lambda frame, path: frame.to_pandas().to_csv(path),
    "pandas index.csv": lambda frame, path: frame.to_pandas().set_index(["date", "symbol"]).to_csv(path),
    "pandas.parquet": lambda frame, path: frame.to_pandas().set_index("date").to_parquet(path),
}


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, tmp_path: Path) -> None:
    FILES[name](BARS, tmp_path / name)
    check(tmp_path / name, SORTED, {})
    assert through_panel(str(tmp_path / name), {}).select(SORTED.columns).equals(SORTED)


FRAMES: dict[str, Callable[[pl.DataFrame], object]] = {
    "polars": lambda frame: frame,
    "lazy": pl.DataFrame.lazy,
    "arrow": pl.DataFrame.to_arrow,
    "pandas": pl.DataFrame.to_pandas,
    "pandas with keys as index": lambda frame: frame.to_pandas().set_index(["date", "symbol"]),
    "pandas with dates as index": lambda frame: frame.to_pandas().set_index("date"),
    "pandas with moments as index without a name": lambda frame: (
        frame.to_pandas().astype({"date": "datetime64[ns]"}).set_index("date").rename_axis(None)
    ),
    "categories": lambda frame: frame.with_columns(pl.col("symbol", "sector").cast(pl.Categorical)),
    "nanoseconds": lambda frame: frame.with_columns(pl.col("date").cast(pl.Datetime("ns"))),
    "decimals": lambda frame: frame.with_columns(pl.col("close").cast(pl.Decimal(20, 6))),
    "whole numbers": lambda frame: frame.with_columns(pl.col("volume").cast(pl.Int128)),
    "dates as numbers": lambda frame: frame.with_columns(pl.col("date").dt.strftime("%Y%m%d").cast(pl.Int32)),
    "zoned": lambda frame: frame.with_columns(pl.col("date").cast(pl.Datetime).dt.replace_time_zone("Asia/Tokyo")),
    "panel": fl.Panel.from_frame,
    "other names": lambda frame: frame.rename({"symbol": "Ticker", "date": "trade_date", "close": "CLOSE"}),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames(name: str) -> None:
    check(FRAMES[name](BARS), SORTED, {})


def test_relations_of_duckdb() -> None:
    with duckdb.connect() as connection:
        connection.register("bars", BARS.with_columns(pl.col("volume").cast(pl.Int64)))
        query = "SELECT * REPLACE (volume::HUGEINT AS volume, close::DECIMAL(18, 3) AS close) FROM bars"
        check(connection.sql(query).pl(), SORTED, {})
        assert through_panel(connection.sql(query), {}).equals(SORTED)
        assert through_store(connection.sql(query), {}).select(SORTED.columns).equals(SORTED)


def test_folders_and_patterns(tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    (folder / "more").mkdir(parents=True)
    BARS.filter(pl.col("symbol") == "007").write_csv(folder / "a.csv")
    BARS.filter(pl.col("symbol") != "007").drop("flag").write_csv(folder / "more" / "b.csv")
    (folder / "_SUCCESS").touch()
    expected = SORTED.with_columns(flag=pl.when(pl.col("symbol") == "007").then("flag"))
    check(folder, expected, {})
    check(folder / "**" / "*.csv", expected, {})


def test_a_file_for_each_symbol(tmp_path: Path) -> None:
    for symbol in ("007", "TRUE"):
        BARS.filter(pl.col("symbol") == symbol).drop("symbol").write_csv(tmp_path / f"{symbol}.csv")
    check(tmp_path / "*.csv", SORTED.filter(pl.col("symbol") != "NA"), {"one_symbol": "{name}"})
    doubled = SORTED.filter(pl.col("symbol") == "007").with_columns(symbol=pl.lit("007-007"))
    check(tmp_path / "007.csv", doubled, {"one_symbol": "{name}-{name}"})
    check(tmp_path / "007.csv", SORTED.filter(pl.col("symbol") == "007"), {"one_symbol": "007"})


COMMA = {"decimal": ",", "thousands": "."}
TWICE = "symbol,date,close\nA,2024-01-02,1\nA,2024-01-02,2\n"
ZONED = "symbol,date,close\nA,2024-01-02T23:30:00-05:00,1\n"
TEXTS: list[tuple[str, str, dict[str, Any], list[tuple[Any, ...]]]] = [
    ("index", ",symbol,date,close\n0,A,2024-01-02,1\n", {}, [("A", DAYS[0], 1.0)]),
    ("repeated header", "symbol,date,close,close\nA,2024-01-02,1,2\n", {}, [("A", DAYS[0], 1.0)]),
    (
        "header again",
        "symbol,date,close\nA,2024-01-02,1\nsymbol,date,close\nA,2024-01-03,2\n",
        {},
        [("A", DAYS[0], 1.0), ("A", DAYS[1], 2.0)],
    ),
    ("blanks", "symbol,date,close\n A ,2024-01-02, 1 \n", {}, [("A", DAYS[0], 1.0)]),
    ("decimal comma", "symbol;date;close\nA;2024-01-02;1.234,5\n", COMMA, [("A", DAYS[0], 1234.5)]),
    ("markers", "symbol,date,close\nA,2024-01-02,#N/A\n", {}, [("A", DAYS[0], None)]),
    ("own markers", "symbol,date,close\nA,2024-01-02,gone\n", {"missing": ["gone"]}, [("A", DAYS[0], None)]),
    ("other dates", "symbol,date,close\nA,02/01/24,1\n", {"date_format": "%d/%m/%y"}, [("A", DAYS[0], 1.0)]),
    ("other names", "code,day,Adj Close\nA,20240102,1\n", {"columns": {"close": "Adj Close"}}, [("A", DAYS[0], 1.0)]),
    ("wide", "date,A,B\n2024-01-02,1,\n", {"wide": "close"}, [("A", DAYS[0], 1.0)]),
    ("one symbol", "Date,Close\n2024-01-02,1\n", {"one_symbol": "GOOG"}, [("GOOG", DAYS[0], 1.0)]),
    ("kept twice", TWICE, {"duplicates": "last"}, [("A", DAYS[0], 2.0)]),
    ("clock", ZONED, {"time_zone": "UTC"}, [("A", dt.datetime(2024, 1, 3, 4, 30), 1.0)]),
    ("left out", "symbol,date,close,note\nA,2024-01-02,1,x\n", {"drop": ["note"]}, [("A", DAYS[0], 1.0)]),
    ("infinite", "symbol,date,close\nA,2024-01-02,inf\n", {}, [("A", DAYS[0], None)]),
]


@pytest.mark.parametrize(("content", "options", "expected"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_csv(content: str, options: dict[str, Any], expected: list[tuple[Any, ...]], tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text(content)
    schema = {"symbol": pl.String, "date": type(expected[0][1]), "close": pl.Float64}
    check(tmp_path / "bars.csv", pl.DataFrame(expected, schema, orient="row"), options)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8", "utf-8-sig"])
def test_encodings(encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes("symbol,date,close,name\nA,2024-01-02,1,Zürich\n".encode(encoding))
    expected = pl.DataFrame({"symbol": ["A"], "date": DAYS[:1], "close": [1.0], "name": ["Zürich"]})
    if encoding.startswith("utf-8"):
        check(path, expected, {})
    else:
        assert "is not UTF-8 text" in refused(path, {}, capsys)
    check(path, expected, {"encoding": encoding})


REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("two-digit years", "symbol,date,close\nA,02-01-20,1\n", {}, "without a year of four digits: '02-01-20' in row 1"),
    ("a quote's time", "symbol,date,close\nA,2024-01-02,1\nA,2024-01-03 15:59:00,2\n", {}, "with a time of day"),
    ("no number", "symbol,date,close\nA,2024-01-02,1.2.3\n", {}, "'1.2.3' in row 1"),
    ("no symbol", "symbol,date,close\n,2024-01-02,1\n", {}, "1 bar without a symbol"),
    ("no key", "open,close\n1,2\n", {}, "no column 'symbol'"),
    ("empty", "", {}, "cannot be read"),
    ("ragged", "symbol,date\nA,2024-01-02,3,4\n", {}, "cannot be read"),
    ("repeated", TWICE, {}, "is repeated in 1 bar"),
    ("unknown encoding", "symbol,date,close\nA,2024-01-02,1\n", {"encoding": "klingon"}, "unknown encoding"),
    ("case", "symbol,date,pe,PE\nA,2024-01-02,1,2\n", {}, "differ only in case"),
]


@pytest.mark.parametrize(
    ("content", "options", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused_csv(
    content: str, options: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bars.csv").write_text(content)
    assert message in refused(tmp_path / "bars.csv", options, capsys)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bars.parquet", b"symbol,date,close"),
        ("bars.parquet", b"PAR1 and then nothing PAR1"),
        ("bars.arrow", b"ARROW1 and then nothing"),
        ("bars.ipc", b"nothing"),
        ("bars.csv.gz", b"\x1f\x8b not gzip"),
        ("bars.csv", b"symbol,date,close\n\xff\xfe\xfa,1,2\n"),
        ("bars.xlsx", b"PK"),
        ("bars", b"symbol"),
    ],
)
def test_unreadable_files(name: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_bytes(content)
    assert name in refused(tmp_path / name, {}, capsys)


def test_missing_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no file" in refused(tmp_path / "bars.csv", {}, capsys)
    (tmp_path / "folder").mkdir()
    assert "no Parquet, CSV or Arrow file" in refused(tmp_path / "folder", {}, capsys)
    assert "no file" in refused(tmp_path / "*.csv", {}, capsys)


def _columns_of_levels() -> pd.DataFrame:
    return pd.DataFrame([[1.0]], columns=pd.MultiIndex.from_tuples([("Close", "A")]), index=DAYS[:1])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "ArgumentError: bars must be a table or a path, got NoneType"),
        ([1, 2], "ArgumentError: bars must be a table or a path, got list"),
        ({"close": [1.0]}, "ArgumentError: bars must be a table or a path, got dict"),
        (pd.Series([1.0]), "ArgumentError: a pandas Series"),
        (
            pd.DataFrame({"symbol": ["A", "B"], "date": DAYS[:2], "close": [1, "x"]}),
            "BarsError: the DataFrame cannot be read",
        ),
        (_columns_of_levels(), "BarsError: the columns of the frame have 2 levels"),
        (pl.LazyFrame({"a": [1]}).select("b"), "BarsError: the LazyFrame cannot be read"),
    ],
)
def test_objects_that_are_no_bars(source: object, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in refused(source, {}, capsys)


SUBSETS = [
    ["close"],
    ["volume"],
    ["open", "close"],
    ["high", "low"],
    ["signal"],
    ["close", "signal", "sector"],
    ["sector"],
]


@pytest.mark.parametrize("columns", SUBSETS, ids=" ".join)
def test_any_columns_and_many_rows(columns: list[str]) -> None:
    """Above 50,000 rows, where Polars works in several parts."""
    days = pl.date_range(dt.date(2020, 1, 1), dt.date(2021, 1, 1), eager=True)
    frame = pl.DataFrame({"symbol": [f"S{i:03}" for i in range(150)]}).join(pl.DataFrame({"date": days}), how="cross")
    assert frame.height > 50_000
    values = {name: pl.lit("x") if name == "sector" else pl.int_range(pl.len()).mod(97) + 1.0 for name in columns}
    frame = frame.with_columns(**values).sample(fraction=1, shuffle=True, seed=1)
    expected = frame.sort("symbol", "date")
    assert through_panel(frame, {}).equals(expected)
    assert through_store(frame, {}).equals(expected)
