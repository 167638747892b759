"""Backups: whole at any moment, never in the place of a store, and good for repairs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest

from factorloom.expressions.errors import ArgumentError, StoreError
from factorloom.expressions.parse import parse
from factorloom.storage.checkup import check_store
from factorloom.storage.store import Store, open_store

BARS = pl.DataFrame({"symbol": ["A", "B"], "date": ["2024-01-02"] * 2, "close": [1.0, 2.0]})
TWICE = {"twice": parse("close * 2")}


def closes(path: Path) -> list[float]:
    with open_store(path, read_only=True) as store:
        return store.panel("demo").frame["close"].to_list()


def no_links(*arguments: object) -> None:
    raise OSError("another file system")


def test_a_store_is_no_place_for_a_backup(tmp_path: Path) -> None:
    for name in ("one", "other"):
        with open_store(tmp_path / name) as store:
            store.load("demo", BARS.with_columns(close=pl.lit(3.0)) if name == "other" else BARS)
    with open_store(tmp_path / "one") as store:
        store.backup(tmp_path / "backup")
        store.backup(tmp_path / "backup")
        with pytest.raises(StoreError, match="is a store, not a backup"):
            store.backup(tmp_path / "other")
    assert closes(tmp_path / "other") == [3.0, 3.0]


@pytest.mark.parametrize("linked", [True, False])
def test_a_copy_that_fails_leaves_the_backup_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    """A backup of the same catalogue, and of another one, stops in the middle of each file that it copies."""
    copy = shutil.copyfile
    if not linked:
        monkeypatch.setattr(os, "link", no_links)
    left = 0

    def stop(source: Path, target: Path) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            target.write_bytes(source.read_bytes()[:100])
            raise KeyboardInterrupt
        copy(source, target)

    with open_store(tmp_path / "store") as store:
        store.load("demo", BARS)
        store.backup(tmp_path / "backup")
        for close in (None, 5.0):
            if close is not None:
                store.load("demo", BARS.with_columns(close=pl.lit(close)))
            for number in range(1 if linked or close is None else 2):
                with monkeypatch.context() as patch:
                    patch.setattr("factorloom.storage.backup.shutil.copyfile", stop)
                    left = number
                    with pytest.raises(KeyboardInterrupt):
                        store.backup(tmp_path / "backup")
                assert closes(tmp_path / "backup") == [1.0, 2.0]
                assert check_store(tmp_path / "backup").is_empty()
        store.backup(tmp_path / "backup")
    assert closes(tmp_path / "backup") == [5.0, 5.0]
    assert check_store(tmp_path / "backup").is_empty()


def test_a_first_backup_that_was_cut_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(tmp_path / "store") as store:
        store.load("demo", BARS)
        with monkeypatch.context() as patch:
            patch.setattr("factorloom.storage.backup.shutil.copyfile", no_links)
            with pytest.raises(StoreError, match="cannot be written"):
                store.backup(tmp_path / "backup")
        store.backup(tmp_path / "backup")
    assert closes(tmp_path / "backup") == [1.0, 2.0]


@pytest.mark.parametrize("name", ["a*", "[ab]", "it's", "100%", "größe", "a b", "{a,b}"])
def test_a_path_is_no_pattern(tmp_path: Path, name: str) -> None:
    """DuckDB alone reads the files of this store, and not those of a backup whose path the pattern would match."""
    with open_store(tmp_path / name) as store:
        store.load("demo", BARS)
        store.save("demo", TWICE)
        for other in ("ab", "a", "b"):
            store.backup(tmp_path / other)
        store.export(tmp_path / f"{name}.duckdb")
        newest = store._backing.newest()[1]
    for file in (newest, tmp_path / f"{name}.duckdb"):
        with duckdb.connect(str(file), read_only=True) as plain:
            assert plain.execute("SELECT twice FROM factors.demo ORDER BY 1").fetchall() == [(2.0,), (4.0,)]


@pytest.mark.parametrize("name", ["a?b", "a\0b", "a\\b"])
def test_signs_that_duckdb_reads_in_another_way_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArgumentError, match="cannot hold a backslash"):
        open_store(f"{tmp_path}/{name}")
    assert not list(tmp_path.iterdir())


def test_an_export_holds_no_damaged_values(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        store.load("demo", BARS)
        store.save("demo", TWICE)
    flip(next((tmp_path / "store").rglob("factors-*.parquet")))
    with open_store(tmp_path / "store") as store, pytest.raises(StoreError, match="is damaged"):
        store.export(tmp_path / "market.duckdb")


@pytest.mark.parametrize("with_backup", [True, False])
def test_many_damaged_files_are_repaired_at_once(tmp_path: Path, with_backup: bool) -> None:
    """Without a backup, values are dropped although the bars cannot be read."""
    with open_store(tmp_path / "store") as store:
        store.load("demo", BARS)
        store.save("demo", TWICE)
        store.load("demo", BARS.with_columns(date=pl.lit("2024-01-03")))
        store.save("demo", TWICE)
        store.backup(tmp_path / "backup")
    for number, file in enumerate(sorted((tmp_path / "store").rglob("*.parquet"))):
        flip(file) if number % 2 else file.unlink()
    found = check_store(tmp_path / "store", repair=True, backup=tmp_path / "backup" if with_backup else None)
    assert set(found["kind"]) == {"bars", "values"}
    left = check_store(tmp_path / "store")
    assert left["kind"].unique().to_list() == ([] if with_backup else ["bars"])
    if with_backup:
        with open_store(tmp_path / "store") as store:
            assert store.compute("demo", TWICE)["twice"].to_list() == [2.0, 2.0, 4.0, 4.0]


def test_an_open_store_reads_what_was_repaired(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with open_store(path) as store:
        store.load("demo", BARS)
        store.backup(tmp_path / "backup")
    flip(next(path.rglob("bars-*.parquet")))
    with open_store(path, read_only=True) as reader:
        with pytest.raises(StoreError, match="is damaged"):
            reader.panel("demo")
        check_store(path, repair=True, backup=tmp_path / "backup")
        assert reader.panel("demo").frame["close"].to_list() == [1.0, 2.0]


def test_an_open_store_notices_that_a_catalogue_went_back(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with open_store(path) as store:
        store.load("demo", BARS)
        store.load("demo", BARS.with_columns(close=pl.lit(5.0)))
    with open_store(path, read_only=True) as reader:
        assert reader.panel("demo").frame["close"].to_list() == [5.0, 5.0]
        flip(max((path / "catalog").glob("*.duckdb")))
        check_store(path, repair=True)
        with open_store(path) as store:
            store.load("demo", BARS.with_columns(close=pl.lit(7.0)))
        assert reader.version("demo") == 2
        assert reader.sql("SELECT close FROM bars.demo")["close"].to_list() == [7.0, 7.0]
        assert reader.panel("demo").frame["close"].to_list() == [7.0, 7.0]


@pytest.mark.parametrize("read_only", [True, False])
def test_a_lost_current_does_not_make_an_empty_store(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "store"
    with open_store(path) as store:
        store.load("demo", BARS)
    (path / "CURRENT").unlink()
    with pytest.raises(StoreError, match="has lost the file CURRENT"):
        open_store(path, read_only=read_only)
    assert check_store(path)["file"].to_list() == ["CURRENT"]
    check_store(path, repair=True)
    assert closes(path) == [1.0, 2.0]


QUERIES = [
    *("FROM factors.demo", "FROM memory.factors.demo__saved", "FROM query('FROM factors.demo')", "FROM FACTORS.DEMO"),
    *("FROM query_table('factors.demo')", "WITH x AS (FROM factors.demo__long) FROM x", "SUMMARIZE factors.demo"),
    *("SELECT (SELECT sum(twice) FROM factors.demo)", "PIVOT factors.demo ON symbol USING sum(twice)"),
]


@pytest.mark.parametrize("query", QUERIES)
def test_sql_compares_files_under_whatever_name(store: Store, query: str) -> None:
    store.load("demo", BARS)
    store.save("demo", TWICE)
    flip(next(store._backing.folder.root.rglob("factors-*.parquet")))
    with open_store(store.path, read_only=True) as reader:
        with pytest.raises(StoreError, match="is damaged"):
            reader.sql(query)
        assert reader.sql("SELECT name FROM catalog.factors")["name"].to_list() == ["twice"]


def test_columns_without_values_are_read_by_duckdb_alone(store: Store) -> None:
    store.load("demo", BARS.with_columns(note=pl.lit(None, pl.String)))
    store.load("demo", BARS.with_columns(note=pl.lit("x"), date=pl.lit("2024-01-03")))
    with duckdb.connect(str(store._backing.newest()[1]), read_only=True) as plain:
        notes = plain.execute("SELECT note FROM bars.demo ORDER BY date, symbol").fetchall()
    assert [note for (note,) in notes] == [None, None, "x", "x"]


def flip(file: Path) -> None:
    """Change a number in the middle of a file, which may be linked to a backup."""
    content = bytearray(file.read_bytes())
    content[len(content) // 8] ^= 1
    file.unlink()
    file.write_bytes(content)
