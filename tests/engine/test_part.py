"""A part of the values, and values in parts, are the same as the whole."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.bars.selection import select, selected_rows
from factorloom.engine.executor.native import tile
from factorloom.engine.plan.reach import needed_rows
from factorloom.engine.testing.strategies import factors, panels
from factorloom.expressions.errors import ArgumentError, BarsError, ParameterError
from tests.oracle import to_array

MIXED = {
    "time": fl.ts_mean(fl.close, 3, min_samples=1),
    "cross": fl.cs_rank(fl.ts_delta(fl.close, 1)),
    "nested": fl.ts_mean(fl.cs_rank(fl.ts_std(fl.close, 2)), 2),
    "group": fl.group_demean(fl.cs_rank(fl.ts_sum(fl.cs_rank(fl.close), 2)), "sector"),
    "memory": fl.ts_ema(fl.close, 3),
    "column": fl.close,
    "constant": fl.lit(3),
}


def same(part: pl.DataFrame, whole: pl.DataFrame, panel: fl.Panel) -> None:
    assert part.select(panel.symbol, panel.date).equals(whole.select(panel.symbol, panel.date))
    for name in whole.columns[2:]:
        np.testing.assert_array_equal(to_array(part[name]), to_array(whole[name]), name)


@settings(deadline=None)
@given(panel=panels(), wanted=st.lists(factors(4), min_size=1, max_size=3), data=st.data())
def test_dates_and_symbols_give_a_part_of_the_whole(
    panel: fl.Panel, wanted: list[fl.Factor], data: st.DataObject
) -> None:
    mapping = {f"f{number}": factor for number, factor in enumerate(wanted)} | MIXED
    days = data.draw(st.lists(st.sampled_from(panel.dates.to_list()), min_size=2, max_size=2).map(sorted))
    symbols = data.draw(st.none() | st.lists(st.sampled_from(panel.symbols.to_list()), min_size=1, unique=True))
    whole = panel.compute(mapping)
    chosen = pl.col("date").is_between(*days) & (pl.lit(True) if symbols is None else pl.col("symbol").is_in(symbols))
    part = panel.compute(mapping, start=days[0], end=days[1], symbols=symbols)
    same(part, whole.filter(chosen), panel)


@settings(deadline=None)
@given(panel=panels(), data=st.data())
def test_bars_that_are_appended_day_by_day_change_nothing(panel: fl.Panel, data: st.DataObject) -> None:
    cut = data.draw(st.sampled_from(panel.dates.to_list()))
    early = panel.frame.filter(pl.col("date") <= cut)
    grown = fl.Panel.from_frame(early)
    for _, day in panel.frame.filter(pl.col("date") > cut).sort("date").group_by("date", maintain_order=True):
        grown = grown.append(day.sample(fraction=1, shuffle=True, seed=1))
    assert grown.frame.equals(panel.frame)
    assert grown.compute(MIXED).equals(panel.compute(MIXED))


def test_what_cannot_be_appended_is_refused() -> None:
    panel = fl.example()
    last = panel.frame.tail(1)
    for bars, message in [
        (last, "1 bar of 1 not after the last one of their symbol: (C, 2024-01-04)"),
        (last.with_columns(date=pl.date(2024, 1, 3)), "not after the last"),
        (last.drop("close"), "lacking close"),
        (
            last.with_columns(date=pl.date(2024, 1, 9), sector=pl.lit(1.0)),
            "column 'sector' has numbers here but text before",
        ),
        (last.with_columns(date=pl.date(2024, 1, 9), extra=pl.lit(1.0)), "unknown extra"),
    ]:
        with pytest.raises(BarsError, match=message.replace("(", r"\(").replace(")", r"\)")):
            panel.append(bars)
    assert panel.append(last.with_columns(date=pl.date(2024, 1, 9), symbol=pl.lit("0"))).symbols.to_list() == [
        "0",
        *"ABC",
    ]


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tile, "TILE_ROWS", 3)
    monkeypatch.setattr(tile, "BLOCK_ROWS", 7)
    return


@settings(deadline=None)
@given(
    panel=panels(), wanted=st.lists(factors(4), min_size=1, max_size=3), dtype=st.sampled_from(["float64", "float32"])
)
@pytest.mark.usefixtures("small_tiles")
def test_blocks_and_tiles_of_any_size_give_the_whole(panel: fl.Panel, wanted: list[fl.Factor], dtype: str) -> None:
    mapping = {f"f{number}": factor for number, factor in enumerate(wanted)} | MIXED
    small = panel.compute(mapping, dtype=dtype)  # type: ignore[call-overload]
    blocks = list(panel.blocks(mapping, dtype=dtype))  # type: ignore[arg-type]
    assert pl.concat(blocks).equals(small)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tile, "TILE_ROWS", 16_384)
        assert panel.compute(mapping, dtype=dtype).equals(small)  # type: ignore[call-overload]
    assert small.schema["time"] == (pl.Float32 if dtype == "float32" else pl.Float64)


def test_one_thread_gives_the_same() -> None:
    panel = fl.example()
    both = panel.compute(MIXED)
    try:
        fl.configure(threads=1)
        assert panel.compute(MIXED).equals(both)
    finally:
        fl.configure()
    for bad in (0, True, 1.5, "2"):
        with pytest.raises(ArgumentError, match="threads must be a whole number of at least 1"):
            fl.configure(threads=bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["values.parquet", "values"])
def test_a_file_holds_what_compute_gives(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile, "BLOCK_ROWS", 3)
    monkeypatch.setattr(tile, "TILE_ROWS", 3)
    panel, target = fl.example(), tmp_path / name
    for dates in (None, "2024-01-04"):
        scanned = panel.write(target, MIXED, dates=dates)
        assert scanned.collect().equals(panel.compute(MIXED, dates=dates))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = fl.example()
    for name in ("values.parquet", "values"):
        panel.write(tmp_path / name, gap=fl.close)
    monkeypatch.setattr(pl.DataFrame, "to_arrow", lambda self: 1 / 0)
    monkeypatch.setattr(pl.DataFrame, "write_parquet", lambda self, *_, **__: 1 / 0)
    for name in ("values.parquet", "values"):
        with pytest.raises(ZeroDivisionError):
            panel.write(tmp_path / name, gap=fl.open_)
    assert pl.read_parquet(tmp_path / "values.parquet")["gap"].equals(panel.frame["close"])
    assert pl.read_parquet(tmp_path / "values" / "*.parquet")["gap"].equals(panel.frame["close"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["values", "values.parquet"]


def test_a_folder_that_cannot_be_renamed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever step fails, the old result is there."""
    panel, folder = fl.example(), tmp_path / "values"
    panel.write(folder, gap=fl.close)
    replace = Path.replace
    for failing in (1, 2):
        calls = itertools.count(1)

        def broken(self: Path, target: Path, calls: Iterator[int] = calls, failing: int = failing) -> Path:
            if next(calls) == failing:
                raise OSError("disk is gone")
            return replace(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", broken)
            with pytest.raises(OSError, match="disk is gone"):
                panel.write(folder, gap=fl.open_)
        assert pl.read_parquet(folder / "*.parquet")["gap"].equals(panel.frame["close"])
        assert [path.name for path in tmp_path.iterdir()] == ["values"]


def test_links_are_written_through_and_names_are_no_patterns(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    panel = fl.example()
    assert panel.write(tmp_path / "link", gap=fl.close).collect().height == 8
    assert (tmp_path / "link").is_symlink()
    assert panel.write(tmp_path / "link" / "a[1].parquet", gap=fl.close).collect().height == 8
    (tmp_path / "real" / "2024.parquet").mkdir()
    with pytest.raises(ArgumentError, match="contains files other than Parquet"):
        panel.write(tmp_path / "link", gap=fl.close)
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(ArgumentError, match=r"without the ending \.parquet"):
        panel.write(tmp_path / "notes", gap=fl.close)


def test_a_write_never_replaces_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(ArgumentError, match="contains files other than Parquet"):
        fl.example().write(tmp_path / "notes", gap=fl.close)
    with pytest.raises(ArgumentError, match="does not exist"):
        fl.example().write(tmp_path / "nowhere" / "a.parquet", gap=fl.close)
    assert (tmp_path / "notes" / "a.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"start": "2024-01-04", "end": "2024-01-02"}, "start 2024-01-04 is after end 2024-01-02"),
        ({"start": "2024-01-04T10:00", "end": "2024-01-04T09:00"}, "is after end"),
        ({"dates": "tomorrow"}, "dates must be a date or ISO text, got 'tomorrow'"),
        ({"dates": ["2024-01-02", None]}, "dates must be a date or ISO text, got None"),
        ({"dates": 5}, "got 5"),
        ({"dates": True}, "got True"),
        ({"dates": "02-01-02"}, "got '02-01-02'"),
        ({"dates": "2024-01-02", "start": "2024-01-02"}, "dates=, or start= and end=, not both"),
        ({"dates": ["2024-01-02", "2024-01-06"]}, "no bars on 2024-01-06 (1 of 2 dates)\n  hint: the nearest earlier"),
        ({"dates": "2023-01-06"}, "the first date is 2024-01-02"),
        ({"symbols": ["A", "Z"]}, "no symbol 'Z' (1 of 2)"),
    ],
)
def test_selections_that_cannot_be_read_are_refused(selection: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        fl.example().compute(gap=fl.close, **selection)
    assert message in str(caught.value)
    with fl.open_store(":memory:") as store:
        store.load("example", fl.example())
        with pytest.raises(ParameterError) as stored:
            store.compute("example", gap=fl.close, **selection)
    assert str(stored.value) == str(caught.value)


@pytest.mark.parametrize(
    "selection",
    [
        {"start": "2024-01-03"},
        {"end": date(2024, 1, 3)},
        {"end": datetime(2024, 1, 3, 10)},
        {"start": 20240103, "end": "20240104"},
        {"dates": "2024-01-03"},
        {"dates": ("2024-01-02", "2024-01-04")},
        {"dates": np.datetime64("2024-01-03")},
        {"dates": pd.Timestamp("2024-01-03 10:00")},
        {"symbols": "A"},
        {"symbols": ["A", "C"], "start": "2024-01-04"},
        {"symbols": []},
        {"dates": ()},
    ],
    ids=str,
)
@pytest.mark.parametrize("hours", [None, [10, 16]])
def test_every_door_selects_the_same(selection: dict[str, Any], hours: list[int] | None) -> None:
    bars = fl.example().frame
    if hours is not None:
        moments = [pl.col("date").cast(pl.Datetime("us")).dt.offset_by(f"{hour}h") for hour in hours]
        bars = pl.concat([bars.with_columns(date=moment) for moment in moments])
    if hours is None and isinstance(selection.get("dates"), datetime):
        return
    panel = fl.Panel.from_frame(bars)
    values = panel.compute(rank=fl.cs_rank(fl.close), **selection)
    assert values.height == expected(selection, bars)
    with fl.open_store(":memory:") as store:
        store.load("example", bars)
        assert store.compute("example", rank="cs_rank(close)", **selection).equals(values)
        if values.height:
            assert store.panel("example", **selection)["close"].equals(panel.compute(c=fl.close, **selection)["c"])


def expected(selection: dict[str, Any], bars: pl.DataFrame) -> int:
    """How many bars are meant, in plain Python."""
    first, last = (
        _moment(selection.get(key), default) for key, default in (("start", "1900-01-01"), ("end", "2100-01-01"))
    )
    if not isinstance(selection.get("end"), datetime):
        last += timedelta(days=1, microseconds=-1)
    dates = selection.get("dates")
    given = None if dates is None else [dates] if not isinstance(dates, tuple) else list(dates)
    symbols = selection.get("symbols")
    count = 0
    for symbol, day in bars.select("symbol", "date").rows():
        moment = _moment(day, "")
        on_date = given is None or any(
            moment == pick if isinstance(pick, datetime) else str(moment)[:10] == str(pick)[:10] for pick in given
        )
        count += first <= moment <= last and on_date and (symbols is None or symbol in symbols)
    return count


def _moment(value: Any, default: str) -> datetime:
    if value is None:
        value = default
    if isinstance(value, int) or (isinstance(value, str) and "-" not in value):
        return datetime.strptime(str(value), "%Y%m%d")
    return datetime.fromisoformat(str(value))


def test_only_what_is_needed_is_computed() -> None:
    days = pl.date_range(date(2020, 1, 1), date(2022, 12, 31), eager=True)
    frame = pl.DataFrame({"symbol": ["A"] * days.len(), "date": days, "close": np.arange(float(days.len()))})
    other = frame.with_columns(symbol=pl.lit("B"))
    panel = fl.Panel.from_frame(pl.concat([frame, other]))
    last = days[-1]
    for factor, symbols, bars in [
        (fl.ts_mean(fl.close, 5), ["A"], 5),
        (fl.cs_rank(fl.ts_mean(fl.close, 5)), ["A"], 10),
        (fl.ts_delta(fl.cs_rank(fl.ts_mean(fl.close, 5)), 3), ["A"], 16),
        (fl.ts_ema(fl.close, 5), ["B"], days.len()),
    ]:
        rows = needed_rows(panel.plan(x=factor), panel, selected_rows(panel, select(last, last, symbols)))
        assert rows.sum() == bars, str(factor)


def test_a_full_disk_is_an_error_of_ours(tmp_path: Path) -> None:
    """In a process that may write no more than 4 KiB to a file."""
    code = f"""
import resource, signal
import factorloom as fl, polars as pl
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
days = pl.date_range(pl.date(2000, 1, 1), pl.date(2020, 1, 1), eager=True)
bars = pl.DataFrame({{"symbol": ["A"] * days.len(), "date": days, "close": pl.int_range(days.len(), eager=True) % 97}})
panel = fl.Panel.from_frame(bars)
values = panel.compute(x=fl.close)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for name in ("values.parquet", "values"):
    try:
        panel.write({str(tmp_path)!r} + "/" + name, x=fl.close / 7)
    except fl.errors.FileError as error:
        print(str(error).partition(":")[0])
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == [f"{tmp_path}/{name} cannot be written" for name in ("values.parquet", "values")]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("observer", [3, "bar"])
def test_observers_of_another_kind_are_refused(observer: Any) -> None:
    with pytest.raises(ArgumentError, match="observer must be an Observer"):
        fl.example().compute(x=fl.close, observer=observer)
