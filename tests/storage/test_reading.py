"""Every kind of file and table gives the same bars."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from factorloom.expressions.errors import ArgumentError, BarsError
from factorloom.storage.bars import conform
from factorloom.storage.reading import read

BARS = pl.DataFrame(
    {
        "symbol": ["007", "007", "TRUE", "NA"],
        "date": [dt.date(2024, 1, day) for day in (2, 3, 2, 2)],
        "close": [1.5, None, 3.25, 1e-3],
        "volume": [100.0, 0.0, 2e9, None],
        "sector": ["Energy", "Energy", None, "Health, Care"],
    }
)


def _gzip(frame: pl.DataFrame, path: Path) -> None:
    path.write_bytes(gzip.compress(frame.write_csv(None).encode()))


WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "bars.parquet": pl.DataFrame.write_parquet,
    "BARS.PARQUET": pl.DataFrame.write_parquet,
    "bars.csv": pl.DataFrame.write_csv,
    "bars.csv.gz": _gzip,
    "bars.arrow": pl.DataFrame.write_ipc,
    "bars.feather": pl.DataFrame.write_ipc,
    "stream.ipc": pl.DataFrame.write_ipc_stream,
    "odd [1]*.csv": pl.DataFrame.write_csv,
    "date=2020-01-01.parquet": pl.DataFrame.write_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_files(name: str, tmp_path: Path) -> None:
    WRITERS[name](BARS, tmp_path / name)
    for path in (tmp_path / name, str(tmp_path / name)):
        assert conform(read(path)).frame.equals(BARS.sort("symbol", "date"))


@pytest.mark.parametrize(
    "convert",
    [
        lambda frame: frame,
        pl.DataFrame.lazy,
        pl.DataFrame.to_arrow,
        pl.DataFrame.to_pandas,
        lambda frame: frame.to_pandas().set_index(["date", "symbol"]),
        lambda frame: frame.to_pandas().set_index("date"),
        lambda frame: frame.to_arrow().to_reader(),
        lambda frame: frame.with_columns(pl.col("symbol", "sector").cast(pl.Categorical)),
        lambda frame: frame.with_columns(pl.col("date").cast(pl.Datetime("ns"))),
    ],
)
def test_frames(convert: Callable[[pl.DataFrame], object]) -> None:
    assert conform(read(convert(BARS))).frame.select(BARS.columns).equals(BARS.sort("symbol", "date"))


@pytest.mark.parametrize("source", [None, 3, [1, 2], {"close": [1.0]}, pd.Series([1.0]), object()])
def test_objects_that_are_not_tables(source: object) -> None:
    with pytest.raises(ArgumentError, match="is not a table of bars"):
        read(source)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bars.parquet", b"symbol,date,close"),
        ("bars.arrow", b"ARROW1 and then nothing"),
        ("bars.ipc", b"nothing"),
        ("bars.csv", b""),
        ("bars.csv", b"symbol,date\nA,2024-01-02,3,4\n"),
        ("bars.csv.gz", b"\x1f\x8b not gzip"),
        ("bars.xlsx", b"PK"),
        ("bars", b"symbol"),
    ],
)
def test_unreadable_files(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BarsError, match=name):
        read(tmp_path / name)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(BarsError, match="no file"):
        read(tmp_path / "bars.csv")
    with pytest.raises(BarsError, match="no file"):
        read(tmp_path)


def test_mixed_pandas_column() -> None:
    frame = pd.DataFrame({"symbol": ["A", "B"], "date": ["2024-01-02"] * 2, "close": [1, "x"]})
    with pytest.raises(BarsError, match="cannot be read"):
        read(frame)
