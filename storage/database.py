"""The DuckDB file under a store: cursors for readers, transactions for the writer.

DuckDB lets one process write a file and keeps every other process out while it does. Inside the process a
store may be used from many threads: all stores of a file share one connection (see `connection`), each piece of work
has its own cursor, and writers take turns at a lock.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from factorloom.expressions.errors import StoreError
from factorloom.storage.connection import MEMORY, Connection, connect, forked, translated
from factorloom.storage.sql import Cursor

__all__ = ["Database", "open_database"]


class Database:
    """An open store file; one that is forgotten without `close` lets go of it too.

    Attributes
    ----------
    path : str
    read_only : bool
    """

    def __init__(self, path: str, connection: Connection, *, read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self._connection = connection
        self._leave = weakref.finalize(self, connection.leave)

    def check_open(self) -> None:
        """Refuse a store that is closed, and one that a forked process was born with."""
        self._refuse_forked()
        if self.closed:
            raise StoreError(f"the store {self.path} is closed", hint="open it again with open_store")

    @property
    def turn(self) -> threading.RLock:  # type: ignore[valid-type, unused-ignore]
        """Held while writing; shared by every `Database` of this process on the same file."""
        self._refuse_forked()
        return self._connection.turn

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A cursor that sees one moment of the store and writes nothing."""
        with self._cursor() as cursor, _transaction(cursor, "BEGIN TRANSACTION READ ONLY"):
            yield cursor
            cursor.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """A cursor inside a transaction: committed as a whole, or undone as a whole by any error."""
        if self.read_only:
            raise StoreError(f"the store {self.path} is open for reading only", hint="open it without read_only")
        with self.turn, self._cursor() as cursor, _transaction(cursor, "BEGIN TRANSACTION"):
            yield cursor
            if self._connection.replaced:
                raise StoreError(
                    f"the file of the store {self.path} was removed or replaced since it was opened",
                    hint="close the store and open it again; nothing was written",
                )
            cursor.execute("COMMIT")

    def tidy(self) -> None:
        """Let the file reuse the space of what was dropped, unless somebody is still reading it."""
        with self.turn, suppress(duckdb.Error, StoreError), self._cursor() as cursor:
            cursor.execute("CHECKPOINT").fetchall()

    def close(self) -> None:
        """Write what is still in the log and let go of the file, once nobody else in this process uses it."""
        self._leave()

    @property
    def closed(self) -> bool:
        """Whether `close` was called; in a forked process every store of the parent is closed."""
        return not self._leave.alive or self._connection.forked

    @contextmanager
    def _cursor(self) -> Iterator[Cursor]:
        self.check_open()
        self._connection.join()
        try:
            with translated(self.path):
                cursor = self._connection.cursor()
                try:
                    yield cursor
                finally:
                    cursor.close()
        finally:
            self._connection.leave()

    def _refuse_forked(self) -> None:
        if self._connection.forked:
            raise forked(self.path)


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
    """Open the store file at `path`, or create it; a file that is no store is left as it was."""
    place = MEMORY if str(path) == MEMORY else os.path.realpath(Path(path).expanduser())
    return Database(place, connect(place, read_only=read_only), read_only=read_only)
