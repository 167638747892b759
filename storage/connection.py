"""One DuckDB connection per store file and process: shared by all users of the file and closed by the last one.

A file is identified by device and inode, so symbolic and hard links give the same connection. While a file is open,
nothing here opens and closes it in another way: that would release DuckDB's own lock on it (see `lock`).
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

from factorloom.expressions.errors import StoreError
from factorloom.storage import duckdb_file
from factorloom.storage.duckdb_file import LOGS, MEMORY, has_magic, logs, translate_errors
from factorloom.storage.lock import Lock
from factorloom.storage.sql import Cursor

__all__ = ["Connection", "connect", "exclusive", "find_store", "forked_error"]

Identity = tuple[int, int]

OPENING = threading.Lock()
OPEN: dict[Identity, Connection] = {}
INHERITED: set[Identity] = set()
"""Files that were open when this process was forked: DuckDB would return their unusable connections again."""


class Connection:
    """A DuckDB connection with a count of its users: stores, and cursors in use.

    Attributes
    ----------
    path : str
        The file that DuckDB opened.
    identity : tuple of int, or None
        Device and inode of the file.
    read_only : bool
    write_lock : threading.RLock
        Held while writing.
    """

    def __init__(self, path: str, duck: Cursor, lock: Lock | None, *, read_only: bool) -> None:
        self.path = path
        self.identity = None if lock is None else identify(path)
        self.read_only = read_only
        self.write_lock = threading.RLock()
        self._duck = duck
        self._lock = lock
        self._process = os.getpid()
        self._users = 1
        self._count_lock = threading.RLock()

    @property
    def forked(self) -> bool:
        """Whether this process is a fork of the one that made the connection."""
        return self._process != os.getpid()

    @property
    def replaced(self) -> bool:
        """Whether the file was removed, or another file is now at its path."""
        return self.identity is not None and identify(self.path) != self.identity

    def acquire(self) -> bool:
        """Add a user; False if the connection is already closed."""
        with self._count_lock:
            if self._users:
                self._users += 1
            return self._users > 0

    def release(self) -> None:
        """Remove a user, and close the connection after the last one. Does nothing in a forked process."""
        if self.forked:
            return
        with self._count_lock:
            self._users -= 1
            if not self._users:
                self._close()

    def cursor(self) -> Cursor:
        """A new cursor."""
        return self._duck.cursor()

    def abandon(self) -> None:
        """Keep a forked process from ever closing the connection: DuckDB would write the parent's log to the file."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._duck))
        if self._lock is not None:
            self._lock.abandon()

    def _close(self) -> None:
        try:
            with translate_errors(self.path):
                self._duck.close()
        finally:
            if self._lock is not None:
                self._lock.release()
            if self.identity is not None:
                OPEN.pop(self.identity, None)


def connect(path: str, *, read_only: bool) -> Connection:
    """The shared connection to a file, with one user added; opens or creates the file if necessary."""
    if path == MEMORY and not read_only:
        return Connection(MEMORY, duckdb_file.create(MEMORY), None, read_only=False)
    with OPENING:
        shared = _shared(path)
        if shared is None:
            shared = _open(_path_with_log(path), read_only=read_only)
            if shared.identity is not None:
                OPEN[shared.identity] = shared
        elif shared.read_only and not read_only:
            shared.release()
            hint = "close the read-only store first, then open it again"
            raise StoreError(f"the store {path} is open in this process for reading only", hint=hint)
        return shared


@contextmanager
def exclusive(path: str) -> Iterator[None]:
    """Keep every process, this one included, from opening the store at `path` inside the block."""
    with OPENING:
        if (shared := _shared(path)) is not None:
            shared.release()
            raise StoreError(f"the store {path} is open in this process", hint="close it first")
        _check_folder(path)
        lock = Lock(path, exclusive=True)
        try:
            if os.path.isfile(path):
                lock.lock_database()
            yield
        finally:
            lock.release()


def find_store(path: str) -> str | None:
    """The DuckDB file that `path` belongs to, as the database, its log or its lock file; None for any other file."""
    folder, name = os.path.split(path)
    owners = [name, *(name[: -len(suffix)] for suffix in LOGS if name.lower().endswith(suffix))]
    if name.startswith(".") and name.lower().endswith(".lock"):
        owners.append(name[1:-5])
    return next((file for owner in owners if is_database(file := os.path.join(folder, owner))), None)


def is_database(path: str) -> bool:
    """Whether a file is a DuckDB database; a file that this process has open is not read to find out."""
    if identify(path) in OPEN:
        return True
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return has_magic(file.read(16))


def identify(path: str) -> Identity | None:
    """Device and inode of a file; None if it does not exist."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def forked_error(path: str) -> StoreError:
    """The error for using a store of the parent in a forked process."""
    return StoreError(
        f"the store {path} was open in the parent process when this process was forked",
        hint="start processes with the method 'spawn', and open the store in each of them",
    )


def _shared(path: str) -> Connection | None:
    """The open connection to a file, with one user added; None if this process does not have the file open."""
    identity = identify(path)
    if identity in INHERITED:
        raise forked_error(path)
    shared = None if identity is None else OPEN.get(identity)
    return shared if shared is not None and shared.acquire() else None


def _path_with_log(path: str) -> str:
    """The path by which DuckDB must open a file: if a hard link in the same folder has a log, that link."""
    if not os.path.isfile(path) or os.stat(path).st_nlink == 1:
        return path
    links = [path]
    with suppress(OSError), os.scandir(os.path.dirname(path)) as entries:
        links += [entry.path for entry in entries if not entry.is_symlink() and identify(entry.path) == identify(path)]
    return next((link for link in links if logs(link)), path)


def _open(path: str, *, read_only: bool) -> Connection:
    exists = os.path.lexists(path)
    if exists and not os.path.isfile(path):
        raise StoreError(f"{path} is not a file", hint="a store is one DuckDB file")
    if not exists and read_only:
        raise StoreError(f"no store at {path}", hint="open it without read_only to create it")
    _check_folder(path)
    lock = Lock(path, exclusive=not read_only)
    try:
        if os.path.lexists(path):
            duck = duckdb_file.open_existing(path, lock, read_only=read_only)
        else:
            duck = duckdb_file.create(path)
            lock.try_lock_database()
    except BaseException as error:
        lock.release(close_database=not isinstance(error.__cause__, duckdb.ConnectionException))
        raise
    return Connection(path, duck, lock, read_only=read_only)


def _check_folder(path: str) -> None:
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise StoreError(f"the folder {folder} of the store does not exist", hint="create the folder first")


def _abandon_all() -> None:
    """In a forked process: never use, close or wait for anything of the parent."""
    global OPENING
    OPENING = threading.Lock()
    for connection in OPEN.values():
        connection.abandon()
    INHERITED.update(OPEN)
    OPEN.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
