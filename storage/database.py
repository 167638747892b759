"""Transactions on a store: each runs on its own cursor, and writing ones run one at a time.

While one process writes a DuckDB file, no other process can open it. Inside the process a store can be used from many
threads: all stores of a file share one connection (see `connection`) and its write lock.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from factorloom.expressions.errors import ArgumentError, StoreError
from factorloom.storage.connection import Connection, connect, forked_error
from factorloom.storage.duckdb_file import MEMORY, translate_errors
from factorloom.storage.sql import Cursor

__all__ = ["Database", "open_database"]


class Database:
    """An open store file; it is also closed when the object is garbage collected.

    Attributes
    ----------
    path : str
    read_only : bool
    """

    def __init__(self, path: str, connection: Connection, *, read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self._connection = connection
        self._release = weakref.finalize(self, connection.release)

    def check_open(self) -> None:
        """Refuse a store that is closed, or that was opened before this process was forked."""
        self._refuse_forked()
        if self.closed:
            raise StoreError(f"the store {self.path} is closed", hint="open it again with open_store")

    @property
    def write_lock(self) -> threading.RLock:  # type: ignore[valid-type, unused-ignore]
        """Held while writing; shared by every `Database` of this process on the same file."""
        self._refuse_forked()
        return self._connection.write_lock

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A cursor in a read-only transaction, which sees one snapshot of the store."""
        with self._cursor() as cursor, _transaction(cursor, "BEGIN TRANSACTION READ ONLY"):
            yield cursor
            cursor.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """A cursor in a transaction, which is committed at the end and rolled back on any error."""
        if self.read_only:
            raise StoreError(f"the store {self.path} is open for reading only", hint="open it without read_only")
        with self.write_lock, self._cursor() as cursor, _transaction(cursor, "BEGIN TRANSACTION"):
            yield cursor
            if self._connection.replaced:
                raise StoreError(
                    f"the file of the store {self.path} was removed or replaced since it was opened",
                    hint="close the store and open it again; nothing was written",
                )
            cursor.execute("COMMIT")

    def checkpoint(self) -> None:
        """Let the file reuse the space of dropped tables, unless a transaction still reads them."""
        with self.write_lock, suppress(duckdb.Error, StoreError), self._cursor() as cursor:
            cursor.execute("CHECKPOINT").fetchall()

    def close(self) -> None:
        """Close the store; the last store of the file in this process closes the connection, which writes the log."""
        self._release()

    @property
    def closed(self) -> bool:
        """Whether `close` was called; in a forked process every store of the parent counts as closed."""
        return not self._release.alive or self._connection.forked

    @contextmanager
    def _cursor(self) -> Iterator[Cursor]:
        self.check_open()
        if not self._connection.acquire():
            raise StoreError(f"the store {self.path} is closed", hint="open it again with open_store")
        try:
            with translate_errors(self.path):
                cursor = self._connection.cursor()
                try:
                    yield cursor
                finally:
                    cursor.close()
        finally:
            self._connection.release()

    def _refuse_forked(self) -> None:
        if self._connection.forked:
            raise forked_error(self.path)


@contextmanager
def _transaction(cursor: Cursor, begin: str) -> Iterator[None]:
    cursor.execute(begin)
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):
            cursor.execute("ROLLBACK")
        raise


def open_database(path: str | os.PathLike[str], *, read_only: bool = False) -> Database:
    """Open the store file at `path`, or create it; any other file is refused and not changed."""
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(f"the path of a store must be a path, got {type(path).__name__}")
    file = MEMORY if str(path) == MEMORY else os.path.realpath(Path(path).expanduser())
    return Database(file, connect(file, read_only=read_only), read_only=read_only)
