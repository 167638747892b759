"""One connection per file and process, with a lock that is kept: no stored row is ever lost."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from factorloom.expressions.errors import StoreError
from factorloom.expressions.parse import parse
from factorloom.storage import duckdb_file, lock
from factorloom.storage.connection import exclusive
from factorloom.storage.lock import Lock, lock_path
from factorloom.storage.store import open_store
from tests.storage.process import run, start, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows locks files by itself and has no signals")

BARS = pl.DataFrame({"symbol": ["A", "B"], "date": ["2024-01-02"] * 2, "close": [1.0, 2.0]})

NEIGHBOUR = """
from factorloom.expressions.errors import StoreError
for line in sys.stdin:
    for read_only in (False, True):
        try:
            open_store(line[:-1], read_only=read_only).close()
            say("opened")
        except StoreError as error:
            say(str(error).splitlines()[0])
"""

TryOpen = Callable[[Path], list[str]]


@pytest.fixture(scope="module")
def try_open(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TryOpen]:
    """The result of opening a store in another process, for writing and then for reading."""
    neighbour = start(NEIGHBOUR, tmp_path_factory.mktemp("neighbour"))

    def try_open_there(path: Path) -> list[str]:
        assert neighbour.stdin is not None
        assert neighbour.stdout is not None
        neighbour.stdin.write(f"{path}\n")
        neighbour.stdin.flush()
        return [neighbour.stdout.readline().strip() for _ in range(2)]

    yield try_open_there
    assert neighbour.communicate() == ("", "")


def filled(path: Path) -> None:
    with open_store(path) as store:
        store.load("demo", BARS)


def assert_kept_out(try_open: TryOpen, path: Path) -> None:
    """Another process can open the store neither for writing nor for reading; the error names the holder."""
    for message in try_open(path):
        assert message.endswith(f"is in use by another process (process {os.getpid()})")


def assert_free(try_open: TryOpen, path: Path) -> None:
    assert try_open(path) == ["opened", "opened"]
    assert not Path(lock_path(str(path))).exists()


def test_opening_twice_keeps_others_out(path: Path, try_open: TryOpen) -> None:
    with open_store(path) as store:
        store.load("demo", BARS)
        assert_kept_out(try_open, path)
        open_store(path).close()
        assert_kept_out(try_open, path)
        with pytest.raises(StoreError, match="open in this process"), exclusive(str(path)):
            pass
        assert_kept_out(try_open, path)
    assert_free(try_open, path)


def test_a_copy_made_while_it_is_open_keeps_others_out(path: Path, tmp_path: Path, try_open: TryOpen) -> None:
    with open_store(path) as store:
        store.load("demo", BARS)
        shutil.copy(path, tmp_path / "copy.duckdb")
        path.read_bytes()
        assert_kept_out(try_open, path)
        store.load("other", BARS)
    with open_store(path, read_only=True) as store:
        assert store.datasets()["name"].to_list() == ["demo", "other"]
    with open_store(tmp_path / "copy.duckdb") as copy:
        assert copy.datasets()["name"].to_list() == ["demo"]


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to])
def test_a_link_leads_to_the_same_store(
    make: Callable[[Path, Path], None], elsewhere: bool, path: Path, tmp_path: Path, try_open: TryOpen
) -> None:
    filled(path)
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "a.duckdb" if elsewhere else tmp_path / "a.duckdb"
    make(link, path)
    with open_store(path) as one, open_store(link) as other:
        one.load("demo", BARS.with_columns(close=pl.lit(3.0)))
        other.load("demo", BARS.with_columns(close=pl.lit(4.0)))
        assert one.version("demo") == other.version("demo") == 3
        shutil.copy(path, tmp_path / "copy.duckdb")
        assert_kept_out(try_open, path)
        assert all("in use by another process" in message for message in try_open(link))
    with open_store(link) as store:
        assert store.panel("demo").frame["close"].to_list() == [4.0, 4.0]


def test_the_log_is_found_through_every_link(path: Path, tmp_path: Path) -> None:
    """DuckDB keeps its log lock_path the name by which it opened the file."""
    first = tmp_path / "a.duckdb"
    filled(path)
    code = """
from factorloom.storage.database import Database
Database.checkpoint = lambda self: None
store = open_store(path); store.load("more", simulate(symbols=3, years=1)); say("loaded"); time.sleep(600)
"""
    victim = start(code, path)
    wait_for(victim, "loaded")
    victim.kill()
    victim.communicate()
    assert path.with_name("market.duckdb.wal").exists()
    first.hardlink_to(path)
    for name in (first, path):
        with open_store(name) as store:
            assert store.datasets()["name"].to_list() == ["demo", "more"]
    assert not list(tmp_path.glob("*.wal"))


def test_a_log_without_its_file_is_left_alone(path: Path) -> None:
    """The database may have been moved."""
    log = path.with_name("market.duckdb.wal")
    log.write_bytes(b"log")
    with pytest.raises(StoreError, match="has no database"):
        open_store(path)
    assert list(path.parent.iterdir()) == [log]


def test_readers_share_and_keep_writers_out(path: Path, try_open: TryOpen) -> None:
    filled(path)
    code = "store = open_store(path, read_only=True); say(store.version('demo')); sys.stdin.readline()"
    readers = [start(code, path) for _ in range(3)]
    try:
        for reader in readers:
            wait_for(reader, "1")
        for reader in readers:
            with open_store(path, read_only=True) as store:
                assert store.version("demo") == 1
            with pytest.raises(StoreError, match="in use by another process"):
                open_store(path)
            reader.communicate("done\n")
    finally:
        for reader in readers:
            reader.kill()
            reader.communicate()
    filled(path)
    assert_free(try_open, path)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_leftover_lock_file_does_no_harm(read_only: bool, path: Path, try_open: TryOpen) -> None:
    filled(path)
    victim = start(f"store = open_store(path, read_only={read_only}); say('open'); time.sleep(600)", path)
    wait_for(victim, "open")
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    assert Path(lock_path(str(path))).read_text() == f"{victim.pid}\n"
    with open_store(path, read_only=True) as store:
        assert store.version("demo") == 1
    assert_free(try_open, path)


COUNT = """
from factorloom.expressions.errors import StoreError
from factorloom.storage.lock import Lock
say("ready"); sys.stdin.readline()
done = 0
while done < 200:
    try:
        lock = Lock(path, exclusive=True)
    except StoreError:
        continue
    with open(path) as file:
        number = int(file.read())
    with open(path, "w") as file:
        file.write(str(number + 1))
    lock.release()
    done += 1
"""


def test_creating_and_removing_the_lock_file_has_no_race(tmp_path: Path) -> None:
    """Processes that increment a counter under the lock lose no increment."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    counting = [start(COUNT, counter) for _ in range(3)]
    for process in counting:
        wait_for(process, "ready")
    for process in counting:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in counting:
        assert process.communicate()[1] == ""
    assert counter.read_text() == "600"
    assert list(tmp_path.iterdir()) == [counter]


def test_a_lock_file_removed_while_it_is_taken_is_not_enough(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that opened the file before its holder removed it would lock a file without a path."""
    holders = [Lock(str(path), exclusive=True)]
    flock = lock.fcntl.flock

    def late(file: int, how: int) -> None:
        if holders:
            holders.pop().release()
        flock(file, how)

    monkeypatch.setattr(lock.fcntl, "flock", late)
    second = Lock(str(path), exclusive=True)
    assert Path(lock_path(str(path))).exists()
    with pytest.raises(StoreError):
        Lock(str(path), exclusive=False)
    second.release()
    assert not Path(lock_path(str(path))).exists()


def test_a_reading_store_beside_a_writing_one(path: Path) -> None:
    with open_store(path) as writer, open_store(path, read_only=True) as reader:
        writer.load("demo", BARS)
        assert reader.version("demo") == 1
        assert reader.compute("demo", {"twice": parse("close * 2")})["twice"].to_list() == [2.0, 4.0]
        with pytest.raises(StoreError, match="open for reading only"):
            reader.load("demo", BARS)
    with open_store(path, read_only=True) as reader:
        with pytest.raises(StoreError, match="open in this process for reading only"):
            open_store(path)
        assert reader.version("demo") == 1
    filled(path)


def test_the_last_user_closes_the_connection(path: Path, try_open: TryOpen) -> None:
    one, other = open_store(path), open_store(path)
    one.load("demo", BARS)
    one.close()
    with other._database.reading() as cursor:
        other.close()
        assert_kept_out(try_open, path)
        assert cursor.execute("SELECT count(*) FROM bars.demo").fetchall() == [(2,)]
    assert_free(try_open, path)


def test_a_garbage_collected_store_is_closed(path: Path, try_open: TryOpen) -> None:
    store = open_store(path)
    store.load("demo", BARS)
    del store
    gc.collect()
    assert_free(try_open, path)


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_that_was_removed_is_not_written(replace: bool, path: Path, tmp_path: Path) -> None:
    """Writes to a removed file would be lost, so they are refused."""
    filled(tmp_path / "other.duckdb")
    with open_store(path) as store:
        store.load("demo", BARS)
        path.unlink()
        if replace:
            (tmp_path / "other.duckdb").rename(path)
        with pytest.raises(StoreError, match="was removed or replaced"):
            store.load("demo", BARS.with_columns(close=pl.lit(3.0)))
        with pytest.raises(StoreError, match="was removed or replaced"):
            open_store(path)
        assert store.version("demo") == 1
    filled(path)


FORK = """
import os
from factorloom.expressions.errors import StoreError
from factorloom.expressions.parse import parse
from factorloom.storage.database import Database
Database.checkpoint = lambda self: None
frame = pl.DataFrame({"symbol": ["A"], "date": ["2024-01-02"], "close": [1.0]})
store = open_store(path)
store.load("demo", frame)
store.compute("demo", {"x": parse("close * 2")})
calls = [
    lambda: store.load("demo", frame), lambda: store.compute("demo", {"x": parse("close * 2")}), store.datasets,
    lambda: store.sql("select 1"), lambda: open_store(path), lambda: open_store(path, read_only=True),
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
    store.close()
    say(len(found)); say(found[0].replace(chr(10), " ")); say(set(found) == {found[0]})
    sys.exit()
os.waitpid(child, 0)
store.load("demo", frame.with_columns(close=pl.lit(2.0)))
say("loaded")
os.kill(os.getpid(), 9)
"""


def test_a_forked_process_leaves_the_store_alone(path: Path) -> None:
    """Its calls are refused, and it does not write the parent's log to the file when it ends."""
    process = start(FORK, path)
    out, error = process.communicate()
    count, message, same, last = out.splitlines()
    assert (count, same, last) == ("6", "True", "loaded"), error
    assert "was forked" in message
    assert "spawn" in message
    with open_store(path) as store:
        assert store.panel("demo").frame["close"].to_list() == [2.0]


def test_reading_where_no_lock_file_can_be_created(
    path: Path, monkeypatch: pytest.MonkeyPatch, try_open: TryOpen
) -> None:
    """As in a read-only folder: then only the database itself is locked."""
    filled(path)
    monkeypatch.setattr(lock, "lock_path", lambda path: f"{path}/no/folder")
    with open_store(path, read_only=True) as store:
        assert store.version("demo") == 1
        shutil.copy(path, path.with_name("copy.duckdb"))
        assert try_open(path) == [f"the store {path} is in use by another process", "opened"]
    with pytest.raises(StoreError, match="cannot be locked for writing"):
        open_store(path)
    assert_free(try_open, path)


def test_without_flock_there_is_no_lock_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "fcntl", None)
    with open_store(path) as store:
        store.load("demo", BARS)
        assert not Path(lock_path(str(path))).exists()
        with open_store(path) as other:
            assert other.version("demo") == 1


def test_a_file_system_without_flock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    filled(path)
    with open_store(path) as store:
        assert store.version("demo") == 1
        assert not Path(lock_path(str(path))).exists()


def test_where_flock_and_fcntl_conflict(path: Path, monkeypatch: pytest.MonkeyPatch, try_open: TryOpen) -> None:
    """Our flock on the database blocks DuckDB, as on macOS; then only the lock file is used."""
    filled(path)
    unlocked: list[bool] = []
    connect, unlock = duckdb_file._connect, Lock.unlock_database

    def refused(file: str, *, read_only: bool) -> Any:
        if not unlocked and not read_only:
            raise duckdb.IOException("IO Error: Could not set lock on file")
        return connect(file, read_only=read_only)

    def noted(self: Lock) -> None:
        unlocked.append(True)
        unlock(self)

    monkeypatch.setattr(duckdb_file, "_connect", refused)
    monkeypatch.setattr(Lock, "unlock_database", noted)
    with open_store(path) as store:
        store.load("demo", BARS.with_columns(close=pl.lit(3.0)))
        assert_kept_out(try_open, path)
    assert_free(try_open, path)


def test_a_file_that_duckdb_itself_has_open_keeps_its_lock(path: Path, try_open: TryOpen) -> None:
    filled(path)
    raw = duckdb.connect(str(path))
    for read_only in (False, True):
        with pytest.raises(StoreError, match="through DuckDB itself"):
            open_store(path, read_only=read_only)
    assert_kept_out(try_open, path)
    raw.close()
    assert_free(try_open, path)


FULL = """
import resource, signal
from factorloom.expressions.errors import StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))
try:
    open_store(path)
except StoreError as error:
    say(str(error).splitlines()[0])
"""


def test_a_store_that_cannot_be_created_leaves_no_file(path: Path) -> None:
    assert "cannot grow" in run(FULL, path)
    assert not list(path.parent.iterdir())
    filled(path)


def test_processes_that_open_at_once_lose_no_load(path: Path) -> None:
    """Each process loads four versions of its own dataset, and reopens the store for each."""
    code = """
from factorloom.expressions.errors import StoreError
version = 0
while version < 4:
    try:
        with open_store(path) as store, open_store(path) as again:
            frame = pl.DataFrame({"symbol": ["A"], "date": ["2024-01-02"], "close": [version + 1.0]})
            version = again.load(f"d{sys.argv[2]}", frame).version
    except StoreError as error:
        assert "in use" in str(error), error
"""
    processes = [start(code, path, str(number)) for number in range(3)]
    for process in processes:
        assert process.communicate()[1] == ""
    with open_store(path) as store:
        assert store.datasets().select("name", "version").rows() == [("d0", 4), ("d1", 4), ("d2", 4)]


def test_a_program_that_is_started_does_not_hold_the_lock(path: Path, try_open: TryOpen) -> None:
    with open_store(path) as store:
        store.load("demo", BARS)
        sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        assert_free(try_open, path)
    finally:
        sleeper.communicate(b"\n")
