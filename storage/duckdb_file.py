"""Open, create and inspect the DuckDB file of a store, and explain the errors that DuckDB raises on it.

An existing file is opened for writing only after a read-only connection has shown that it is a store: opening any other
database for writing may change it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from factorloom.engine.runtime.thread import processors
from factorloom.expressions.errors import StoreError
from factorloom.storage import catalog
from factorloom.storage.lock import Lock
from factorloom.storage.sql import Cursor

__all__ = ["LOGS", "MEMORY", "create", "has_magic", "inspect", "logs", "open_existing", "translate_errors"]

MEMORY = ":memory:"
MAGIC = b"DUCK"
LOGS = (".wal", ".wal.checkpoint", ".wal.recovery")


def has_magic(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a DuckDB database."""
    return head[8:12] == MAGIC


def logs(path: str) -> list[str]:
    """The existing write-ahead logs of a database."""
    return [path + suffix for suffix in LOGS if os.path.exists(path + suffix)]


@contextmanager
def inspect(path: str) -> Iterator[Cursor]:
    """A read-only connection to a store that no process has open."""
    with translate_errors(path):
        duck = _connect(path, read_only=True)
        try:
            catalog.check_format(duck, path)
            yield duck
        finally:
            duck.close()


def open_existing(path: str, lock: Lock, *, read_only: bool) -> Cursor:
    """Connect to a store that exists, with the database locked where the file system allows both locks."""
    try:
        lock.lock_database()
        head = lock.head(16)
    except OSError as error:
        raise StoreError(f"the store {path} cannot be read: {error.strerror}") from error
    if not has_magic(head):
        raise StoreError(f"{path} is not a DuckDB file", hint="choose a path that does not exist yet")
    try:
        return _open_checked(path, read_only=read_only)
    except StoreError as error:
        if not isinstance(error.__cause__, duckdb.IOException):
            raise
    lock.unlock_database()
    return _open_checked(path, read_only=read_only)


def create(path: str) -> Cursor:
    """Create a store and connect to it; on failure the new file is removed."""
    if remaining := logs(path):
        hint = "restore the database next to it, or remove the log"
        raise StoreError(f"the DuckDB log {remaining[0]} has no database", hint=hint)
    try:
        with translate_errors(path):
            duck = _connect(path, read_only=False)
        return _initialise(path, duck, read_only=False)
    except BaseException as error:
        if not _is_locked(str(error.__cause__)):
            for leftover in (path, *logs(path)):
                Path(leftover).unlink(missing_ok=True)
        raise


def _open_checked(path: str, *, read_only: bool) -> Cursor:
    if not read_only:
        with inspect(path):
            pass
    with translate_errors(path):
        duck = _connect(path, read_only=read_only)
    return _initialise(path, duck, read_only=read_only)


def _initialise(path: str, duck: Cursor, *, read_only: bool) -> Cursor:
    """Create the tables in an empty database; close the connection if the database is not a store."""
    try:
        with translate_errors(path):
            if catalog.check_format(duck, path):
                if read_only:
                    hint = "open it without read_only and load bars first"
                    raise StoreError(f"the store {path} is empty", hint=hint)
                duck.execute("BEGIN TRANSACTION")
                catalog.create(duck)
                duck.execute("COMMIT")
    except BaseException:
        duck.close()
        raise
    return duck


def _connect(path: str, *, read_only: bool) -> Cursor:
    """Connect without external access: SQL on a store can read and write only this store."""
    return duckdb.connect(
        path,
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
def translate_errors(path: str) -> Iterator[None]:
    """Turn a DuckDB error into a StoreError that says what to do."""
    try:
        yield
    except duckdb.Error as error:
        raise _explain(path, str(error)) from error


def _explain(path: str, text: str) -> StoreError:
    if "different configuration" in text:
        return StoreError(
            f"the store {path} is already open in this process through DuckDB itself",
            hint="close that connection first",
        )
    if _is_locked(text):
        holder = re.search(r"PID (\d+)", text)
        who = f" (process {holder[1]})" if holder else ""
        return StoreError(
            f"the store {path} is in use by another process{who}",
            hint="close it in that process first; while one process writes a store, no other can open it, even to read",
        )
    if "has been invalidated" in text:
        return StoreError(
            f"the store {path} was stopped by an earlier failure, such as a full disk",
            hint="close it everywhere in this process and open it again; the stored data is unchanged",
        )
    if "Corrupt" in text or "checksum" in text or "Could not read enough bytes" in text:
        return StoreError(f"the store {path} is damaged: {_first_line(text)}", hint="restore it from a backup")
    if "space" in text or "File too large" in text or "Could not write" in text:
        return StoreError(
            f"the store {path} cannot grow: {_first_line(text)}",
            hint="free disk space; the stored data is unchanged",
        )
    return StoreError(f"DuckDB failed on the store {path}: {text}")


def _is_locked(text: str) -> bool:
    return "Could not set lock" in text or "being used by another process" in text


def _first_line(text: str) -> str:
    return text.splitlines()[0]
