"""Open stores that exist, are missing, moved, damaged, read only, of a later release, or no stores at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import polars as pl
import pytest

from factorloom.expressions.errors import ArgumentError, StoreError
from factorloom.expressions.parse import parse
from factorloom.storage import catalog
from factorloom.storage.store import Store, open_store
from tests.storage.process import run, start

BARS = pl.DataFrame({"symbol": ["A", "B"], "date": ["2024-01-02"] * 2, "close": [1.0, 2.0]})
TWICE = {"twice": parse("close * 2")}


def files(path: Path) -> dict[str, bytes]:
    """The content of all files of a folder."""
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


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
        assert store.path == ":memory:"
        folder = store._backing.folder.root
    del store
    assert not folder.exists()
    assert not Path(":memory:").exists()
    with pytest.raises(StoreError, match="in memory cannot be read only"):
        open_store(":memory:", read_only=True)


def test_a_missing_folder_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="create the folder"):
        open_store(tmp_path / "no" / "market")
    assert not (tmp_path / "no").exists()


def test_reading_needs_a_store(path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        open_store(path, read_only=True)
    assert not path.exists()


def _duckdb_file(path: Path) -> None:
    duckdb.connect(str(path)).close()


def _full_folder(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("mine")


def _later(path: Path) -> None:
    filled(path)
    with open_store(path) as store, store._backing.publishing() as draft:
        draft.cursor.execute("UPDATE catalog.meta SET value = '99' WHERE key = 'format'")


def _cut(path: Path) -> None:
    filled(path)
    newest = max((path / "catalog").glob("*.duckdb"))
    newest.write_bytes(newest.read_bytes()[:5_000])


def _scribbled(path: Path) -> None:
    filled(path)
    newest = max((path / "catalog").glob("*.duckdb"))
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)


def _no_catalogue(path: Path) -> None:
    filled(path)
    shutil.rmtree(path / "catalog")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b""), "is a file; a store is a folder"),
        (_duckdb_file, "is one DuckDB file; a store is a folder"),
        (_full_folder, "is not a store"),
        (_later, "has format 99"),
        (_cut, "is damaged"),
        (_scribbled, "is damaged"),
        (_no_catalogue, "has no catalogue"),
        (lambda path: (filled(path), (path / "CURRENT").write_text("../../etc/passwd x")), "CURRENT is damaged"),
        (lambda path: (filled(path), (path / "CURRENT").write_bytes(b"\xff\x00")), "CURRENT is damaged"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_no_store_is_refused_and_not_changed(
    make: Callable[[Path], object], message: str, read_only: bool, path: Path
) -> None:
    make(path)
    before = files(path) if path.is_dir() else path.read_bytes()
    if make is _full_folder and read_only:
        message = "no store at"
    with pytest.raises(StoreError, match=message):
        open_store(path, read_only=read_only)
    assert (files(path) if path.is_dir() else path.read_bytes()) == before


@pytest.mark.parametrize("path", ["", 7, None])
def test_what_is_no_path_is_refused(path: object) -> None:
    with pytest.raises(ArgumentError, match="must be a path"):
        open_store(path)  # type: ignore[arg-type]


@pytest.mark.parametrize("wait", [-1, "soon", True, None])
def test_what_is_no_time_to_wait_is_refused(path: Path, wait: object) -> None:
    with pytest.raises(ArgumentError, match="wait must be"):
        open_store(path, wait=wait)  # type: ignore[arg-type]


def test_an_empty_folder_becomes_a_store(path: Path) -> None:
    path.mkdir()
    filled(path)
    with open_store(path, read_only=True) as store:
        assert store.version("demo") == 1


def test_a_read_only_store_writes_nothing(path: Path) -> None:
    filled(path)
    before = files(path)
    with open_store(path, read_only=True) as store:
        with pytest.raises(StoreError, match="open for reading only"):
            store.load("demo", BARS)
        assert store.compute("demo", TWICE)["twice"].to_list() == [2.0, 4.0]
        assert store.sql("SELECT count(*) AS n FROM bars.demo")["n"].item() == 2
    assert files(path) == before


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_can_be_read(path: Path) -> None:
    filled(path)
    folders = [path, *(each for each in path.rglob("*") if each.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        with open_store(path) as store:
            assert store.sql("SELECT count(*) AS n FROM bars.demo")["n"].item() == 2
            with pytest.raises(StoreError, match="cannot be locked for writing"):
                store.load("demo", BARS.with_columns(close=pl.lit(5.0)))
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_stores_of_one_process_see_each_others_loads(path: Path) -> None:
    with open_store(path) as one, open_store(path) as other, open_store(path, read_only=True) as reader:
        one.load("demo", BARS)
        assert other.version("demo") == reader.version("demo") == 1
        other.load("demo", BARS.with_columns(close=pl.lit(3.0)))
        assert one.version("demo") == reader.version("demo") == 2
        assert reader.sql("SELECT DISTINCT close FROM bars.demo")["close"].to_list() == [3.0]


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
        lambda store: store.compute("demo", TWICE),
        lambda store: store.sql("SELECT 1"),
        Store.datasets,
    ]
    for call in calls:
        with pytest.raises(StoreError, match="is closed"):
            call(store)


@pytest.mark.parametrize("make", [Path.symlink_to, lambda link, path: path.rename(link)], ids=["linked", "moved"])
def test_a_store_can_be_moved_and_linked(make: Callable[[Path, Path], None], path: Path, tmp_path: Path) -> None:
    filled(path)
    with open_store(path) as store:
        store.save("demo", TWICE)
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "other"
    make(link, path)
    for read_only in (True, False):
        with open_store(link, read_only=read_only) as store:
            assert store.sql("SELECT twice FROM factors.demo ORDER BY 1")["twice"].to_list() == [2.0, 4.0]
            assert store.compute("demo", TWICE)["twice"].to_list() == [2.0, 4.0]
    with open_store(link) as store:
        assert store.load("demo", BARS.with_columns(close=pl.lit(3.0))).version == 2


def test_a_folder_that_is_gone_is_said(path: Path) -> None:
    filled(path)
    with open_store(path) as store:
        shutil.rmtree(path)
        with pytest.raises(StoreError, match="is gone"):
            store.compute("demo", TWICE)


def test_a_deleted_file_is_named(path: Path) -> None:
    filled(path)
    next((path / "segments" / "demo").glob("bars-*")).unlink()
    with open_store(path) as store, pytest.raises(StoreError, match=r"bars-\w+.parquet is missing"):
        store.compute("demo", TWICE)


def test_duckdb_alone_sees_the_views_from_any_folder(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sectors = pl.DataFrame({"symbol": ["A", "B"], "sector": ["x", "y"]})
    with open_store(path) as store:
        store.load("demo", BARS, attributes=sectors)
        store.save("demo", TWICE, notes={"twice": "two closes"})
        monkeypatch.chdir(tmp_path)
        newest = path / "catalog" / (path / "CURRENT").read_text().split()[0]
        with duckdb.connect(str(newest), read_only=True) as plain:  # while the store is open for writing
            assert plain.execute("SELECT symbol, twice FROM factors.demo ORDER BY 1").fetchall() == [
                ("A", 2.0),
                ("B", 4.0),
            ]
            assert plain.execute("SELECT close FROM bars.demo ORDER BY 1").fetchall() == [(1.0,), (2.0,)]
            assert plain.execute("SELECT sector FROM attributes.demo ORDER BY 1").fetchall() == [("x",), ("y",)]
            assert plain.execute("SELECT count(*) FROM scores.demo").fetchall() == [(0,)]
            comments = plain.execute("SELECT comment FROM duckdb_columns() WHERE column_name = 'twice'").fetchall()
            assert comments[0] == ("two closes",)
        store.load("demo", BARS.with_columns(close=pl.lit(3.0)))


FORK = """
import os
from factorloom.expressions.errors import StoreError
from factorloom.expressions.parse import parse
frame = pl.DataFrame({"symbol": ["A"], "date": ["2024-01-02"], "close": [1.0]})
store = open_store(path)
store.load("demo", frame)
calls = [
    lambda: store.load("demo", frame), lambda: store.compute("demo", {"x": parse("close * 2")}), store.datasets,
    lambda: store.sql("select 1"),
]
def results():
    for call in calls:
        try:
            call()
            yield "no error"
        except StoreError as error:
            yield str(error)
child = os.fork()
if child == 0:
    found = list(results())
    say(found[0].replace(chr(10), " ")); say(set(found) == {found[0]})
    os._exit(0)
os.waitpid(child, 0)
say(store.load("demo", frame.with_columns(close=pl.lit(2.0))).version)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_forked_process_is_told(path: Path) -> None:
    message, same, version = run(FORK, path).splitlines()
    assert (same, version) == ("True", "2")
    assert "was forked" in message
    assert "spawn" in message


FULL = """
import resource, signal
from factorloom.expressions.errors import StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if sys.argv[2] == "open":
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))
try:
    store = open_store(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
    store.load("demo", simulate(symbols=100, years=2))
    say("done")
except StoreError as error:
    say(str(error).replace(chr(10), " "))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
if sys.argv[2] == "load":
    say(store.load("demo", simulate(symbols=100, years=2)).version)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_full_disk(path: Path) -> None:
    process = start(FULL, path, "open", "5000")
    out, error = process.communicate()
    assert "cannot be written" in out, error
    filled(path)
    before = {name for name in files(path) if not name.startswith(".")}
    for limit in ("5000", "600000"):  # not even a catalogue; no bars
        process = start(FULL, path, "load", limit)
        out, error = process.communicate()
        said, version = out.splitlines()
        assert "cannot be written" in said, error
        assert "stored data is unchanged" in said
        assert int(version) > 1
        with open_store(path) as store:
            store.drop("demo")
            store.compact()
        shutil.rmtree(path)
        filled(path)
    assert {name.split("-")[0] for name in files(path)} == {name.split("-")[0] for name in before}
