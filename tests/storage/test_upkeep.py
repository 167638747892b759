"""What is dropped is gone, what is kept stays, and space comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

import factorloom as fl
from factorloom.engine.research.model import ScoreModel
from factorloom.expressions.errors import ArgumentError, DatasetError, ParameterError, StoreError
from factorloom.expressions.parse import parse
from factorloom.storage.checkup import check_store
from factorloom.storage.store import Store, open_store

FACTORS = {"mean": parse("ts_mean(close, 5)"), "rank": parse("cs_rank(close)")}
MODEL = ScoreModel("m", FACTORS)


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


@pytest.fixture
def full(loaded: Store) -> Store:
    """A store with saved factors and scores."""
    loaded.save("demo", FACTORS, set="styles")
    loaded.score("demo", MODEL)
    return loaded


def test_a_dropped_dataset_leaves_nothing(full: Store, path: Path, bars: pl.DataFrame) -> None:
    full.load("other", bars)
    full.drop("demo")
    assert full.datasets()["name"].to_list() == ["other"]
    assert full.sql("SHOW TABLES")["name"].str.contains("demo").sum() == 0
    with pytest.raises(DatasetError):
        full.compute("demo", FACTORS)
    full.compact()
    assert not (path / "segments" / "demo").exists()
    report = full.load("demo", bars.with_columns(pl.col("close") * 2))
    assert report.version == 1
    assert full.compute("demo", FACTORS).equals(full.panel("demo").compute(FACTORS))


def test_dropped_symbols_are_in_earlier_versions_only(full: Store) -> None:
    panel = full.panel("demo")
    gone = panel.symbols.to_list()[3:5]
    full.drop("demo", symbols=gone)
    assert set(full.panel("demo").symbols) == set(panel.symbols) - set(gone)
    assert full.panel("demo", as_of=1).frame.equals(panel.frame)
    assert full.compute("demo", FACTORS).equals(full.panel("demo").compute(FACTORS))
    assert full.compute("demo", FACTORS, as_of=1).equals(panel.compute(FACTORS))
    assert full.sql("SELECT kind, deleted > 0 FROM catalog.versions").rows() == [("load", False), ("drop", True)]


def test_names_scores_and_values_can_be_dropped(full: Store) -> None:
    full.drop("demo", names="mean")
    assert full.sql("SELECT * FROM factors.demo").columns == ["symbol", "date", "rank"]
    full.save("demo", {"mean": parse("close")})
    full.drop("demo", set="styles")
    assert full.sql("SELECT name FROM catalog.factors")["name"].to_list() == ["mean"]
    full.drop("demo", scores=True)
    assert full.sql("SELECT * FROM scores.demo").is_empty()
    full.drop("demo", cache=True)
    assert full.sql("SELECT * FROM catalog.cache").is_empty()
    assert full.sql("SELECT mean FROM factors.demo")["mean"].null_count() == full.panel("demo").rows
    assert full.prewarm("demo") == full.panel("demo").rows
    assert full.sql("SELECT mean FROM factors.demo")["mean"].null_count() == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symbols": ["NOPE"]}, "no symbol 'NOPE'"),
        ({"names": ["maen"]}, "did you mean 'mean'"),
        ({"set": "style"}, "did you mean 'styles'"),
        ({"scores": "n"}, "no scores of a model 'n'"),
    ],
)
def test_what_is_not_there_cannot_be_dropped(full: Store, options: dict[str, Any], message: str) -> None:
    before = full.sql("SELECT * FROM catalog.factors")
    with pytest.raises(ParameterError, match=message):
        full.drop("demo", **options)
    assert full.version("demo") == 1
    assert full.sql("SELECT * FROM catalog.factors").equals(before)
    with pytest.raises(ParameterError, match="drop the dataset itself"):
        full.drop("demo", symbols=full.panel("demo").symbols.to_list())


def test_space_comes_back(full: Store, path: Path, bars: pl.DataFrame) -> None:
    full.compact()
    before = size(path)
    for step in range(1, 5):
        full.load("demo", bars.with_columns(pl.col("close") + step))
        full.prewarm("demo", {f"f{number}": parse(f"ts_mean(close, {number + 2})") for number in range(20)})
    assert size(path) > 2 * before
    assert full.prune(versions=1) == 4
    full.drop("demo", cache=True)
    assert full.compact() > 0
    assert size(path) < 1.2 * before
    with pytest.raises(ParameterError, match="no version 4"):
        full.panel("demo", as_of=4)
    assert full.panel("demo", as_of=5).frame["close"][0] == bars.sort("symbol", "date")["close"][0] + 4


@pytest.mark.parametrize("options", [{}, {"versions": 1, "days": 2}, {"versions": -1}, {"days": "soon"}])
def test_pruning_needs_one_number(full: Store, options: dict[str, Any]) -> None:
    with pytest.raises((ArgumentError, ParameterError)):
        full.prune(**options)


def test_pruning_by_age_keeps_the_newest(full: Store, bars: pl.DataFrame) -> None:
    full.load("demo", bars.with_columns(pl.col("close") + 1))
    assert full.prune("demo", days=1) == 0
    assert full.prune("demo", days=0) == 1
    assert full.sql("SELECT version FROM catalog.versions")["version"].to_list() == [2]


def test_many_small_files_become_one(loaded: Store) -> None:
    for number in range(40):
        loaded.compute("demo", x=parse(f"close * {number + 2}.0"))
    files = loaded.sql("SELECT len(factors) AS n FROM catalog.cache")["n"]
    assert files.len() < 12
    assert files.sum() == 40
    loaded.compact()
    assert loaded.sql("SELECT count(*) FROM catalog.cache").item() == 1
    again = loaded.compute("demo", {f"x{number}": parse(f"close * {number + 2}.0") for number in range(40)})
    assert loaded.counters.misses == 40
    assert again["x5"].equals(loaded.panel("demo")["close"] * 7.0, check_names=False)


def test_days_that_were_appended_become_one_file(tmp_path: Path, bars: pl.DataFrame) -> None:
    days = sorted(bars.partition_by("date"), key=lambda day: day["date"][0])
    with open_store(tmp_path / "store") as store:
        for day in days[:19]:
            store.load("demo", day)
            store.compute("demo", FACTORS, dates=day["date"][0])
        whole = pl.concat(days[:19])
        files = "SELECT (SELECT count(*) FROM catalog.segments), (SELECT count(*) FROM catalog.cache)"
        assert max(store.sql(files).row(0)) <= 4
        store.compact()
        assert store.sql(files).row(0) == (1, 1)
        assert store.version("demo") == 19
        misses = store.counters.misses
        assert store.compute("demo", FACTORS).equals(fl.Panel.from_frame(whole).compute(FACTORS))
        assert store.counters.misses == misses
        early = store.panel("demo", as_of=7).frame
        assert early.equals(fl.Panel.from_frame(pl.concat(days[:7])).frame.select(early.columns))
        store.load("demo", days[2].with_columns(pl.col("close") * 2))
        store.load("demo", days[19])
        store.compact()
        assert store.panel("demo", as_of=19).frame.equals(fl.Panel.from_frame(whole).frame.select(early.columns))
        assert store.compute("demo", FACTORS).equals(store.panel("demo").compute(FACTORS))
    assert check_store(tmp_path / "store").is_empty()


def test_a_backup_opens_and_is_made_again_quickly(full: Store, path: Path, tmp_path: Path, bars: pl.DataFrame) -> None:
    backup = tmp_path / "backup"
    assert full.backup(backup) > 0
    assert full.backup(backup) == 0
    with open_store(backup, read_only=True) as copy:
        assert copy.compute("demo", FACTORS).equals(full.compute("demo", FACTORS))
    full.load("demo", bars.with_columns(pl.col("close") + 1))
    assert full.backup(backup) == 1
    fl.restore_store(backup, tmp_path / "restored")
    with open_store(tmp_path / "restored") as copy:
        assert copy.version("demo") == 2
        newest = tmp_path / "restored" / "catalog" / (tmp_path / "restored" / "CURRENT").read_text().split()[0]
        with duckdb.connect(str(newest), read_only=True) as plain:
            assert "restored" in str(
                plain.execute("SELECT sql FROM duckdb_views() WHERE schema_name='bars'").fetchall()
            )
        copy.drop("demo")
        copy.compact()
    assert full.panel("demo").rows == bars.height
    with pytest.raises(StoreError, match="is there already"):
        fl.restore_store(backup, path)
    with pytest.raises(ArgumentError, match="in the store itself"):
        full.backup(path / "inside")


def test_one_file_for_other_programs(full: Store, tmp_path: Path) -> None:
    full.export(tmp_path / "market.duckdb")
    expected = full.compute("demo", FACTORS)
    with duckdb.connect(str(tmp_path / "market.duckdb"), read_only=True) as plain:
        assert plain.execute("SELECT count(*) FROM bars.demo").fetchall() == [(expected.height,)]
        found = plain.sql("SELECT symbol, date, mean, rank FROM factors.demo ORDER BY symbol, date").pl()
        assert found.equals(expected)
        assert plain.execute("SELECT count(*) FROM scores.demo").fetchall() == [
            (full.sql("SELECT count(*) FROM scores.demo").item(),)
        ]
    full.export(tmp_path / "market.duckdb")
    with pytest.raises(ArgumentError, match="is a folder"):
        full.export(tmp_path)


def test_a_check_finds_and_repairs(full: Store, path: Path, tmp_path: Path) -> None:
    expected, bars = full.compute("demo", FACTORS), full.panel("demo").frame
    full.backup(tmp_path / "backup")
    for file in (tmp_path / "backup").rglob("*.parquet"):  # not linked, so that damage here is not damage there
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content)
    full.close()
    assert check_store(path).is_empty()
    for file in (path / "segments" / "demo").glob("*.parquet"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 4
        file.write_bytes(content)
    found = check_store(path)
    assert sorted(found["kind"]) == ["bars", "scores", "values"]
    assert set(found["problem"]) == {"is damaged"}
    with open_store(path) as store, pytest.raises(StoreError, match="is damaged"):
        store.compute("demo", FACTORS)
    repaired = check_store(path, repair=True)
    assert repaired.filter(kind="bars")["repaired"].to_list() == ["no: name a backup"]
    repaired = check_store(path, repair=True, backup=tmp_path / "backup")
    assert repaired["repaired"].to_list() == ["taken from the backup"]
    assert check_store(path).is_empty()
    with open_store(path) as store:
        assert store.panel("demo").frame.equals(bars)
        assert store.compute("demo", FACTORS).equals(expected)
        assert store.sql("SELECT * FROM scores.demo").is_empty()


def test_a_damaged_catalogue_goes_back_to_the_one_before(full: Store, path: Path) -> None:
    full.close()
    newest = path / "catalog" / (path / "CURRENT").read_text().split()[0]
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.raises(StoreError, match="is damaged"):
        open_store(path)
    assert check_store(path)["kind"].to_list() == ["catalogue"]
    assert "went back" in check_store(path, repair=True)["repaired"][0]
    with open_store(path) as store:
        assert store.version("demo") == 1
