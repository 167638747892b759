"""The one DuckDB connection of this process to a store file, shared by all who open the file, closed with the last.

A file is known by its device and inode, so symbolic and hard links lead to the same connection. While it is open
nothing here opens and closes the file otherwise: that would drop DuckDB's own lock on it (see `lock`).
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from factorloom.engine.runtime.thread import processors
from factorloom.expressions.errors import StoreError
from factorloom.storage import catalog
from factorloom.storage.lock import Lock
from factorloom.storage.sql import Cursor

__all__ = ["MEMORY", "Connection", "alone", "connect", "forked", "logs", "look", "store_of", "translated"]

MEMORY = ":memory:"
MAGIC = b"DUCK"
LOGS = (".wal", ".wal.checkpoint", ".wal.recovery")

Identity = tuple[int, int]

OPENING = threading.Lock()
OPEN: dict[Identity, Connection] = {}
INHERITED: set[Identity] = set()
"""Files that the process was forked with: DuckDB would give their dead connections again."""


class Connection:
    """A DuckDB connection, and how many use it: stores, and cursors at work.

    Attributes
    ----------
    place : str
        The file that DuckDB opened.
    identity : tuple of int, or None
        Device and inode of the file.
    read_only : bool
    turn : threading.RLock
        Held while writing.
    """

    def __init__(self, place: str, duck: Cursor, lock: Lock | None, *, read_only: bool) -> None:
        self.place = place
        self.identity = None if lock is None else identify(place)
        self.read_only = read_only
        self.turn = threading.RLock()
        self._duck = duck
        self._lock = lock
        self._process = os.getpid()
        self._users = 1
        self._counting = threading.RLock()

    @property
    def forked(self) -> bool:
        """Whether this process is a fork of the one that made the connection."""
        return self._process != os.getpid()

    @property
    def replaced(self) -> bool:
        """Whether another file, or none, stands where this one was opened."""
        return self.identity is not None and identify(self.place) != self.identity

    def join(self) -> bool:
        """Count one more; False where the last has left already."""
        with self._counting:
            if self._users:
                self._users += 1
            return self._users > 0

    def leave(self) -> None:
        """Count one less, and close with the last. A forked process leaves what is not its own alone."""
        if self.forked:
            return
        with self._counting:
            self._users -= 1
            if not self._users:
                self._close()

    def cursor(self) -> Cursor:
        """A cursor of its own for a piece of work."""
        return self._duck.cursor()

    def abandon(self) -> None:
        """Never close it in a forked process: DuckDB would write what is in its log to the file."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._duck))
        if self._lock is not None:
            self._lock.abandon()

    def _close(self) -> None:
        try:
            with translated(self.place):
                self._duck.close()
        finally:
            if self._lock is not None:
                self._lock.release()
            if self.identity is not None:
                OPEN.pop(self.identity, None)


def connect(path: str, *, read_only: bool) -> Connection:
    """The connection of this process to a file, its user counted; opened, or made, where there is none yet."""
    if path == MEMORY and not read_only:
        return Connection(MEMORY, _made(MEMORY), None, read_only=False)
    with OPENING:
        shared = _shared(path)
        if shared is None:
            shared = _open(_name(path), read_only=read_only)
            if shared.identity is not None:
                OPEN[shared.identity] = shared
        elif shared.read_only and not read_only:
            shared.leave()
            hint = "close it there, then open it again"
            raise StoreError(f"the store {path} is open in this process for reading only", hint=hint)
        return shared


@contextmanager
def alone(path: str) -> Iterator[None]:
    """Keep everybody, this process included, from opening the store at `path` meanwhile."""
    with OPENING:
        if (shared := _shared(path)) is not None:
            shared.leave()
            raise StoreError(f"the store {path} is open in this process", hint="close it first")
        _check_folder(path)
        lock = Lock(path, exclusive=True)
        try:
            if os.path.isfile(path):
                lock.lock_database()
            yield
        finally:
            lock.release()


@contextmanager
def look(place: str) -> Iterator[Cursor]:
    """A connection for a look at a store that is open nowhere; opening one for writing may change the file."""
    with translated(place):
        duck = _duckdb(place, read_only=True)
        try:
            catalog.check_format(duck, place)
            yield duck
        finally:
            duck.close()


def store_of(path: str) -> str | None:
    """The DuckDB file that `path` is, or whose log or lock it is; None for any other."""
    folder, name = os.path.split(path)
    owners = [name, *(name[: -len(end)] for end in LOGS if name.lower().endswith(end))]
    if name.startswith(".") and name.lower().endswith(".lock"):
        owners.append(name[1:-5])
    return next((place for owner in owners if is_database(place := os.path.join(folder, owner))), None)


def is_database(path: str) -> bool:
    """Whether a file is of DuckDB; one that this process has open is not touched to find out."""
    if identify(path) in OPEN:
        return True
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return file.read(16)[8:12] == MAGIC


def logs(place: str) -> list[str]:
    """The files beside a database in which DuckDB keeps what is not in it yet."""
    return [place + end for end in LOGS if os.path.exists(place + end)]


def identify(path: str) -> Identity | None:
    """Device and inode of a file; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def forked(path: str) -> StoreError:
    """What a forked process is told about a store of the process that it came from."""
    return StoreError(
        f"the store {path} was open in the process that this one was forked from",
        hint="open stores in processes of their own, started with the method 'spawn'",
    )


def _shared(path: str) -> Connection | None:
    """The connection that is open to a file already, one user more."""
    identity = identify(path)
    if identity in INHERITED:
        raise forked(path)
    shared = None if identity is None else OPEN.get(identity)
    return shared if shared is not None and shared.join() else None


def _name(path: str) -> str:
    """The name by which DuckDB opens a file: of its hard links in a folder the one that has a log beside it."""
    if not os.path.isfile(path) or os.stat(path).st_nlink == 1:
        return path
    names = [path]
    with suppress(OSError), os.scandir(os.path.dirname(path)) as entries:
        names += [entry.path for entry in entries if not entry.is_symlink() and identify(entry.path) == identify(path)]
    return next((name for name in names if logs(name)), path)


def _open(place: str, *, read_only: bool) -> Connection:
    there = os.path.lexists(place)
    if there and not os.path.isfile(place):
        raise StoreError(f"{place} is not a file", hint="a store is one DuckDB file")
    if not there and read_only:
        raise StoreError(f"there is no store at {place}", hint="open it without read_only to create it")
    _check_folder(place)
    lock = Lock(place, exclusive=not read_only)
    try:
        if os.path.lexists(place):
            duck = _opened(place, lock, read_only=read_only)
        else:
            duck = _made(place)
            lock.watch_database()
    except BaseException as error:
        lock.release(closing=not isinstance(error.__cause__, duckdb.ConnectionException))
        raise
    return Connection(place, duck, lock, read_only=read_only)


def _check_folder(place: str) -> None:
    folder = os.path.dirname(place)
    if not os.path.isdir(folder):
        raise StoreError(f"the folder {folder} of the store does not exist", hint="create the folder first")


def _opened(place: str, lock: Lock, *, read_only: bool) -> Cursor:
    try:
        lock.lock_database()
        head = lock.head(16)
    except OSError as error:
        raise StoreError(f"the store {place} cannot be read: {error.strerror}") from error
    if head[8:12] != MAGIC:
        raise StoreError(f"{place} is not a DuckDB file", hint="choose a path where there is no file yet")
    try:
        return _proven(place, read_only=read_only)
    except StoreError as error:
        if not isinstance(error.__cause__, duckdb.IOException):
            raise
    lock.unlock_database()
    return _proven(place, read_only=read_only)


def _proven(place: str, *, read_only: bool) -> Cursor:
    """A connection to a file; one for writing only after a look has shown that it is a store."""
    if not read_only:
        with look(place):
            pass
    with translated(place):
        duck = _duckdb(place, read_only=read_only)
    return _ready(place, duck, read_only=read_only)


def _made(place: str) -> Cursor:
    """A new store; nothing is left of one that cannot be begun."""
    if left := logs(place):
        hint = "put the database back beside it, or remove it"
        raise StoreError(f"the log {left[0]} of a DuckDB file stands without the file", hint=hint)
    try:
        with translated(place):
            duck = _duckdb(place, read_only=False)
        return _ready(place, duck, read_only=False)
    except BaseException as error:
        if not _is_locked(str(error.__cause__)):
            for leftover in (place, *logs(place)):
                Path(leftover).unlink(missing_ok=True)
        raise


def _ready(place: str, duck: Cursor, *, read_only: bool) -> Cursor:
    """The connection to a store, laid out where the file is empty; closed where it is none."""
    try:
        with translated(place):
            if catalog.check_format(duck, place):
                if read_only:
                    hint = "open it without read_only and load bars first"
                    raise StoreError(f"the store {place} is empty", hint=hint)
                duck.execute("BEGIN TRANSACTION")
                catalog.create(duck)
                duck.execute("COMMIT")
    except BaseException:
        duck.close()
        raise
    return duck


def _duckdb(place: str, *, read_only: bool) -> Cursor:
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


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn what DuckDB raises into a StoreError that says what to do."""
    try:
        yield
    except duckdb.Error as error:
        raise _explained(place, str(error)) from error


def _explained(place: str, text: str) -> StoreError:
    if "different configuration" in text:
        return StoreError(
            f"the store {place} is already open in this process through DuckDB itself",
            hint="close that connection first",
        )
    if _is_locked(text):
        holder = re.search(r"PID (\d+)", text)
        who = f" (process {holder[1]})" if holder else ""
        return StoreError(
            f"the store {place} is in use by another process{who}",
            hint="close it there first; while one process writes a store no other can open it, even to read",
        )
    if "has been invalidated" in text:
        return StoreError(
            f"the store {place} was stopped by an earlier failure, such as a full disk",
            hint="close it, everywhere in this process, and open it again; what was stored is as it was",
        )
    if "Corrupt" in text or "checksum" in text or "Could not read enough bytes" in text:
        return StoreError(f"the store {place} is damaged: {_first(text)}", hint="restore it from a copy")
    if "space" in text or "File too large" in text or "Could not write" in text:
        return StoreError(
            f"the store {place} cannot grow: {_first(text)}",
            hint="free disk space; what was stored is as it was",
        )
    return StoreError(f"the store {place} refused: {text}")


def _is_locked(text: str) -> bool:
    return "Could not set lock" in text or "being used by another process" in text


def _first(text: str) -> str:
    return text.splitlines()[0]


def _forget() -> None:
    """In a forked process: let nothing of the parent's be used, closed or waited for."""
    global OPENING
    OPENING = threading.Lock()
    for connection in OPEN.values():
        connection.abandon()
    INHERITED.update(OPEN)
    OPEN.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
