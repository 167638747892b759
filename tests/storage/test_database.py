"""Open stores that exist, are missing, locked, damaged, truncated, or not stores at all."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import polars as pl
import pytest

from factorloom.expressions.errors import StoreError
from factorloom.storage import catalog
from factorloom.storage.store import Store, open_store
from tests.storage.process import start, wait_for

BARS = pl.DataFrame({"symbol": ["A", "B"], "date": ["2024-01-02"] * 2, "close": [1.0, 2.0]})


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def filled(path: Path) -> None:
    with open_store(path) as store:
        store.load("demo", BARS)


def test_a_new_store_is_empty_and_opens_again(path: Path) -> None:
    with open_store(path) as store:
        assert store.path == str(path)
        assert store.datasets().is_empty()
    with open_store(str(path)) as store:
        assert store.datasets().columns == list(catalog.Dataset.__struct_fields__)
        assert repr(store) == f"<Store {path}: open>"
    assert repr(store).endswith("closed>")


def test_stored_bars_can_be_read_after_reopening(path: Path) -> None:
    filled(path)
    for read_only in (True, False):
        with open_store(path, read_only=read_only) as store:
            assert store.version("demo") == 1
            assert store.panel("demo").frame["close"].to_list() == [1.0, 2.0]


def test_a_store_in_memory() -> None:
    with open_store(":memory:") as store:
        store.load("demo", BARS)
        assert store.version("demo") == 1
    assert not Path(":memory:").exists()


def test_a_missing_folder_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="create the folder"):
        open_store(tmp_path / "no" / "market.duckdb")
    assert not (tmp_path / "no").exists()


def test_reading_needs_a_store(path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        open_store(path, read_only=True)
    assert not path.exists()


def _foreign(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE prices AS SELECT 1 AS close")


def _foreign_catalog(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA catalog; CREATE TABLE catalog.meta (other INTEGER)")


def _later(path: Path) -> None:
    filled(path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE catalog.meta SET value = '99' WHERE key = 'format'")


def _cut(path: Path) -> None:
    filled(path)
    path.write_bytes(path.read_bytes()[:5_000])


def _scribbled(path: Path) -> None:
    filled(path)
    content = bytearray(path.read_bytes())
    content[4096:12_288] = b"x" * 8192
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b""), "is not a DuckDB file"),
        (lambda path: path.write_text("hello " * 5_000), "is not a DuckDB file"),
        (lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(9_000)), "is not a DuckDB file"),
        (lambda path: path.write_bytes(b"12345678DUCK" + bytes(20_000)), "market.duckdb"),
        (_foreign, "not a Factorloom store"),
        (_foreign_catalog, "market.duckdb"),
        (_later, "has format 99"),
        (_cut, "is damaged"),
        (_scribbled, "is damaged"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_other_files_are_refused_and_not_changed(
    make: Callable[[Path], object], message: str, read_only: bool, path: Path
) -> None:
    make(path)
    before = digest(path)
    with pytest.raises(StoreError, match=message):
        open_store(path, read_only=read_only)
    assert digest(path) == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a file"):
        open_store(tmp_path)


def test_an_empty_database_becomes_a_store(path: Path) -> None:
    duckdb.connect(str(path)).close()
    with pytest.raises(StoreError, match="is empty"):
        open_store(path, read_only=True)
    filled(path)


def test_a_failed_creation_leaves_no_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "SCHEMA", "CREATE SCHEMA catalog; SELECT no_such_thing")
    with pytest.raises(StoreError, match="no_such_thing"):
        open_store(path)
    assert not list(path.parent.iterdir())


def test_a_read_only_store_writes_nothing(path: Path) -> None:
    filled(path)
    before = digest(path)
    with open_store(path, read_only=True) as store:
        with pytest.raises(StoreError, match="open for reading only"):
            store.load("demo", BARS)
        assert store.sql("SELECT count(*) AS n FROM bars.demo")["n"].item() == 2
    assert digest(path) == before


def test_two_stores_of_one_process_share_the_file(path: Path) -> None:
    with open_store(path) as one, open_store(path) as other:
        one.load("demo", BARS)
        assert other.version("demo") == 1
        other.load("demo", BARS.with_columns(close=pl.lit(3.0)))
        assert one.version("demo") == 2


def test_many_threads_may_open_at_once(path: Path) -> None:
    filled(path)

    def work(_: int) -> int:
        with open_store(path) as store:
            return store.version("demo")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(16))) == {1}


def test_a_closed_store_is_refused(path: Path) -> None:
    store = open_store(path)
    store.close()
    store.close()
    calls: list[Callable[[Store], object]] = [
        lambda store: store.load("demo", BARS),
        lambda store: store.sql("SELECT 1"),
        Store.datasets,
    ]
    for call in calls:
        with pytest.raises(StoreError, match="is closed"):
            call(store)


def test_locked_by_another_process(path: Path) -> None:
    filled(path)
    holder = start("store = open_store(path); say('open'); sys.stdin.readline(); store.close()", path)
    try:
        wait_for(holder, "open")
        for read_only in (False, True):
            with pytest.raises(StoreError, match=f"in use by another process .process {holder.pid}") as caught:
                open_store(path, read_only=read_only)
            assert str(path) in str(caught.value)
            assert "close it in that process first" in str(caught.value)
    finally:
        holder.communicate("done\n")
    filled(path)


def test_many_processes_may_read(path: Path) -> None:
    filled(path)
    holder = start("store = open_store(path, read_only=True); say('open'); sys.stdin.readline()", path)
    try:
        wait_for(holder, "open")
        with open_store(path, read_only=True) as store:
            assert store.version("demo") == 1
        with pytest.raises(StoreError, match="in use by another process"):
            open_store(path)
    finally:
        holder.communicate("done\n")


def test_killed_while_loading(path: Path) -> None:
    """The process is killed after writing the new bars, before the commit."""
    filled(path)
    code = """
def clear(cursor, entry):
    say("inside"); time.sleep(600)
cache.clear = clear
open_store(path).load("demo", simulate(symbols=300, years=2))
"""
    victim = start(code, path)
    wait_for(victim, "inside")
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    with open_store(path) as store:
        assert store.version("demo") == 1
        assert store.panel("demo").frame["close"].to_list() == [1.0, 2.0]
        store.load("demo", BARS.with_columns(close=pl.lit(3.0)))
    with open_store(path) as store:
        assert store.version("demo") == 2


def test_killed_after_loading(path: Path) -> None:
    """A load that returned is stored, although the store was never closed."""
    victim = start("store = open_store(path); store.load('demo', simulate(50, 1)); say('done'); time.sleep(600)", path)
    wait_for(victim, "done")
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    with open_store(path, read_only=True) as store:
        assert store.datasets()["symbols"].to_list() == [50]
        assert store.sql("SELECT verb FROM catalog.runs")["verb"].to_list() == ["load"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_full_disk(path: Path) -> None:
    filled(path)
    code = """
import os, resource
from factorloom.expressions.errors import StoreError
store = open_store(path)
size = os.path.getsize(path) + 500_000
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    store.load("demo", simulate(symbols=300, years=2))
except StoreError as error:
    say("refused"); say(str(error).replace(chr(10), " "))
"""
    process = start(code, path)
    out, error = process.communicate()
    assert out.startswith("refused"), error
    assert "cannot grow" in out
    with open_store(path) as store:
        assert store.version("demo") == 1
        assert store.panel("demo").frame["close"].to_list() == [1.0, 2.0]
