"""The DuckDB file under a store: opening it safely, cursors for readers, transactions for the writer.

DuckDB lets one process write a file and keeps every other process out while it does. Inside the process a
store may be used from many threads: each piece of work has its own cursor, and writers take turns at a lock
that all stores of the same file share.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakValueDictionary

import duckdb

from factorloom.engine.runtime.thread import processors
from factorloom.expressions.errors import StoreError
from factorloom.storage import catalog
from factorloom.storage.sql import Cursor

__all__ = ["Database", "open_database"]

MEMORY = ":memory:"
MAGIC = b"DUCK"
OPENING = threading.Lock()
TURNS: WeakValueDictionary[str, threading.RLock] = WeakValueDictionary()  # type: ignore[type-var, unused-ignore]


class Database:
    """An open store file.

    Attributes
    ----------
    path : str
    read_only : bool
    turn : threading.RLock
        Held while writing; shared by every `Database` of this process on the same file.
    """

    def __init__(self, path: str, connection: Cursor, *, read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self.turn = TURNS.setdefault(path, threading.RLock())
        self._connection: Cursor | None = connection
        self._opening = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A cursor that sees one moment of the store and writes nothing."""
        with self._transaction("BEGIN TRANSACTION READ ONLY", "ROLLBACK") as cursor:
            yield cursor

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """A cursor inside a transaction: committed as a whole, or undone as a whole by any error."""
        if self.read_only:
            raise StoreError(f"the store {self.path} is open for reading only", hint="open it without read_only")
        with self.turn, self._transaction("BEGIN TRANSACTION", "COMMIT") as cursor:
            yield cursor

    def tidy(self) -> None:
        """Let the file reuse the space of what was dropped, unless somebody is still reading it."""
        with self.turn, suppress(duckdb.Error, StoreError):
            cursor = self._cursor()
            cursor.execute("CHECKPOINT").fetchall()
            cursor.close()

    def close(self) -> None:
        """Write what is still in the log and let go of the file."""
        with self._opening:
            connection, self._connection = self._connection, None
        if connection is not None:
            with _translated(self.path):
                connection.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._connection is None

    @contextmanager
    def _transaction(self, begin: str, end: str) -> Iterator[Cursor]:
        with _translated(self.path):
            cursor = self._cursor()
            try:
                cursor.execute(begin)
                yield cursor
                cursor.execute(end)
            except BaseException:
                with suppress(duckdb.Error):
                    cursor.execute("ROLLBACK")
                raise
            finally:
                cursor.close()

    def _cursor(self) -> Cursor:
        with self._opening:
            if self._connection is None:
                raise StoreError(f"the store {self.path} is closed", hint="open it again with open_store")
            return self._connection.cursor()


def open_database(path: str | os.PathLike[str], *, read_only: bool = False) -> Database:
    """Open the store file at `path`, or create it; a file that is no store is left as it was."""
    place = MEMORY if str(path) == MEMORY else os.path.realpath(Path(path).expanduser())
    with OPENING:
        if place != MEMORY and os.path.lexists(place):
            return _open_existing(place, read_only=read_only)
        if read_only:
            raise StoreError(f"there is no store at {place}", hint="open it without read_only to create it")
        return _create(place)


def _open_existing(place: str, *, read_only: bool) -> Database:
    _check_magic(place)
    with _translated(place):
        _prove(place)
        connection = _connect(place, read_only=read_only)
    try:
        return _ready(place, connection, read_only=read_only)
    except BaseException:
        connection.close()
        raise


def _prove(place: str) -> None:
    """Look at a file through a reading connection first: opening it for writing alone may change it."""
    try:
        connection = _connect(place, read_only=True)
    except duckdb.ConnectionException:
        return  # open in this process already, so it was proven then
    try:
        catalog.check_format(connection, place)
    finally:
        connection.close()


def _ready(place: str, connection: Cursor, *, read_only: bool) -> Database:
    with _translated(place):
        fresh = catalog.check_format(connection, place)
    if fresh and read_only:
        raise StoreError(f"the store {place} is empty", hint="open it without read_only and load bars first")
    database = Database(place, connection, read_only=read_only)
    if fresh:
        with database.writing() as cursor:
            catalog.create(cursor)
    return database


def _create(place: str) -> Database:
    if place != MEMORY and not Path(place).parent.is_dir():
        raise StoreError(f"the folder {Path(place).parent} of the store does not exist", hint="create the folder first")
    with _translated(place):
        connection = _connect(place, read_only=False)
    try:
        return _ready(place, connection, read_only=False)
    except BaseException:
        connection.close()
        for leftover in (place, place + ".wal"):
            Path(leftover).unlink(missing_ok=True)
        raise


def _connect(place: str, *, read_only: bool) -> Cursor:
    """External access is off: SQL on a store reads and writes this store and nothing else on the machine."""
    return duckdb.connect(
        place,
        read_only=read_only,
        config={
            "threads": processors(),
            "memory_limit": "50%",
            "preserve_insertion_order": True,
            "python_enable_replacements": False,
            "enable_external_access": False,
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            "allow_community_extensions": False,
            "lock_configuration": True,
        },
    )


def _check_magic(place: str) -> None:
    if not Path(place).is_file():
        raise StoreError(f"{place} is not a file", hint="a store is one DuckDB file")
    try:
        with open(place, "rb") as file:
            head = file.read(16)
    except OSError as error:
        raise StoreError(f"the store {place} cannot be read: {error.strerror}") from error
    if head[8:12] != MAGIC:
        raise StoreError(f"{place} is not a DuckDB file", hint="choose a path where there is no file yet")


@contextmanager
def _translated(place: str) -> Iterator[None]:
    """Turn what DuckDB raises into a StoreError that says what to do."""
    try:
        yield
    except duckdb.Error as error:
        raise _explained(place, str(error)) from error


def _explained(place: str, text: str) -> StoreError:
    if "different configuration" in text:
        return StoreError(
            f"the store {place} is already open in this process with other settings",
            hint="share one Store object between threads, or close the other one first",
        )
    if "Could not set lock" in text or "being used by another process" in text:
        holder = re.search(r"PID (\d+)", text)
        who = f" (process {holder[1]})" if holder else ""
        return StoreError(
            f"the store {place} is in use by another process{who}",
            hint="close it there first; while one process writes a store no other can open it, even to read",
        )
    if "Corrupt" in text or "checksum" in text or "Could not read enough bytes" in text:
        return StoreError(f"the store {place} is damaged: {_first(text)}", hint="restore it from a copy")
    if "space" in text or "File too large" in text or "Could not write" in text:
        return StoreError(
            f"the store {place} cannot grow: {_first(text)}",
            hint="free disk space; what was stored is as it was",
        )
    return StoreError(f"the store {place} refused: {text}")


def _first(text: str) -> str:
    return text.splitlines()[0]
