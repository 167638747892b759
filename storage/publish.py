"""The catalogues of a store: read the newest one, and publish the next.

A catalogue is a DuckDB file that never changes. The file CURRENT names the newest with its digest. To publish is to
copy it, change the copy, force it to the disk, and let CURRENT name it: a reader sees all of a change or nothing, and
whatever dies on the way leaves CURRENT as it was.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

import duckdb

from factorloom.expressions.errors import FactorloomError, StoreError
from factorloom.storage import catalog
from factorloom.storage.catalog import Catalog
from factorloom.storage.folder import Folder
from factorloom.storage.lock import locked
from factorloom.storage.sql import Cursor, literal

__all__ = ["CONFIG", "Catalogs", "Draft", "content_of", "explained", "raise_interrupt"]

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "python_enable_replacements": False,
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
}
LONG_AGO = dt.datetime(1970, 1, 1)
KEPT = 2
"""Catalogues that are kept: readers in other processes may be opening the last but one."""


class Draft(NamedTuple):
    """A catalogue that is being changed: its connection, and the rows before the change."""

    cursor: Cursor
    before: Catalog

    def unuse(self, file: str, *, at_once: bool = False) -> None:
        """Nothing needs a file any more: it is deleted after a while, since others may be reading it, or at once."""
        since = LONG_AGO if at_once else catalog.now()
        self.cursor.execute("INSERT INTO catalog.unused VALUES (?, ?)", [file, since])


class Catalogs:
    """The catalogues of one folder, seen from one process."""

    def __init__(self, folder: Folder, views: Callable[[Cursor, Catalog, Catalog], None]) -> None:
        self._folder = folder
        self._views = views
        self._lock = threading.Lock()
        self._instance: Cursor | None = None
        self._seen: tuple[int, int, int] | None = None
        self._catalog: Catalog | None = None
        self._path = folder.catalogs

    def close(self) -> None:
        """Let go of DuckDB; it is opened again when it is needed."""
        instance, self._instance = self._instance, None
        if instance is not None:
            instance.close()

    def create(self) -> None:
        """Publish an empty catalogue, unless there is one."""
        self._folder.create()
        with locked(self._folder, wait=60.0):
            if not self._folder.current.exists():
                with self._changed(None, 1, lambda _: None) as cursor:
                    catalog.create(cursor)

    def newest(self) -> tuple[Catalog, Path]:
        """The rows of the newest catalogue, and its file; read anew only when there is another one."""
        with self._lock:
            for _ in range(20):
                seen = self._stamp()
                if seen == self._seen and self._catalog is not None:
                    break
                try:
                    self._catalog, self._path = self._read()
                    self._seen = seen
                    break
                except FileNotFoundError:  # replaced, and removed, in the meantime
                    continue
                except OSError as error:
                    raise damaged(self._folder, f"the catalogue cannot be read: {error.strerror}") from error
            else:
                raise StoreError(f"the store {self._folder.name} has no catalogue", hint="restore it from a backup")
            return self._catalog, self._path

    @contextmanager
    def publishing(self, *, wait: float) -> Iterator[Draft]:
        """Change the catalogue; what the block does is published when it ends, unless it fails."""
        with locked(self._folder, wait=wait):
            before, path = self.newest()
            number = before.number + 1
            read: list[Catalog] = []

            def complete(cursor: Cursor) -> None:
                read.append(catalog.read_catalog(cursor, number))
                self._views(cursor, before, read[0])

            with self._changed(path, number, complete) as cursor:
                yield Draft(cursor, before)
            with self._lock:
                self._catalog, self._seen = read[0], self._stamp()
                self._path = self._folder.catalogs / f"{number:06}.duckdb"

    def _stamp(self) -> tuple[int, int, int]:
        try:
            found = os.stat(self._folder.current)
        except OSError as error:
            raise StoreError(
                f"the store {self._folder.name} is gone: {error.strerror}", hint="was its folder moved or removed?"
            ) from error
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> tuple[Catalog, Path]:
        name, digest = _named(self._folder)
        path = self._folder.catalogs / name
        if _digest(path) != digest:
            raise damaged(self._folder, f"the catalogue {name} is damaged")
        with self._attached(path, read_only=True) as cursor:
            catalog.check_format(cursor, self._folder.name)
            return catalog.read_catalog(cursor, int(path.stem)), path

    @contextmanager
    def _changed(self, old: Path | None, number: int, complete: Callable[[Cursor], None]) -> Iterator[Cursor]:
        """A connection to a copy of a catalogue, which becomes the newest one; `complete` runs after the changes."""
        new = self._folder.catalogs / f"{number:06}.duckdb"
        temporary = new.with_name(f".{new.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            if old is not None:
                shutil.copyfile(old, temporary)
            with self._attached(temporary, read_only=False) as cursor:
                cursor.execute("BEGIN TRANSACTION")
                yield cursor
                cursor.execute("COMMIT")
                complete(cursor)  # a view that cannot be made takes back nothing else
                cursor.execute("CHECKPOINT")
            self._folder.settle(temporary)
            temporary.replace(new)
            self._folder.settle(self._folder.catalogs)
            self._folder.replace(self._folder.current, content_of(new))
        except OSError as error:
            raise self._folder.failed("written", error) from error
        finally:
            for leftover in (temporary, temporary.with_name(f"{temporary.name}.wal")):
                leftover.unlink(missing_ok=True)
        self._remove_old(number)

    @contextmanager
    def _attached(self, path: Path, *, read_only: bool) -> Iterator[Cursor]:
        """A connection to a catalogue; errors of DuckDB say what to do.

        The file is attached to an instance in memory: to open a database of its own takes five times as long.
        """
        try:
            if self._instance is None:  # views are bound to the files that they read
                self._instance = duckdb.connect(":memory:", config={**CONFIG, "enable_external_access": True})
            with closing(self._instance.cursor()) as cursor:
                name = f"catalog_{secrets.token_hex(8)}"
                options = "(READ_ONLY)" if read_only else ""
                cursor.execute(f"ATTACH {literal(str(path))} AS {name} {options}")
                cursor.execute(f"USE {name}")
                yield cursor
                cursor.execute("USE memory")
                cursor.execute(f"DETACH {name}")
        except BaseException as error:
            self._instance = None  # an error may leave it unusable
            if isinstance(error, duckdb.Error) and not isinstance(error, FactorloomError):
                raise explained(self._folder, str(error)) from error
            if isinstance(error, RuntimeError):
                raise_interrupt(error)
            raise

    def _remove_old(self, number: int) -> None:
        with suppress(OSError):
            for path in self._folder.catalogs.glob("*.duckdb"):
                if path.stem.isdigit() and int(path.stem) <= number - KEPT:
                    path.unlink(missing_ok=True)


def damaged(folder: Folder, what: str) -> StoreError:
    """The error for a store whose catalogue cannot be trusted."""
    return StoreError(f"{what} in the store {folder.name}", hint="run: factorloom store check, or restore a backup")


def content_of(path: Path) -> bytes:
    """What CURRENT holds when it names a catalogue."""
    return f"{path.name} {_digest(path)}\n".encode()


def _named(folder: Folder) -> tuple[str, str]:
    """The name and digest of the newest catalogue."""
    words = folder.current.read_bytes().decode(errors="replace").split()
    if len(words) != 2 or not words[0].endswith(".duckdb") or not words[0][:-7].isdigit():
        raise damaged(folder, "the file CURRENT is damaged")
    return words[0], words[1]


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def raise_interrupt(error: RuntimeError) -> NoReturn:
    """DuckDB makes a RuntimeError of Ctrl-C: make it what it was."""
    if "interrupted" in str(error).lower():
        raise KeyboardInterrupt from None
    raise error


def explained(folder: Folder, text: str) -> StoreError:
    """An error of DuckDB as one that says what to do."""
    first = text.strip().splitlines()[0]
    if any(word in text for word in ("No space", "File too large", "Could not write", "Disk quota", "full")):
        return StoreError(
            f"the store {folder.name} cannot be written: {first}", hint="free disk space; stored data is unchanged"
        )
    if "parquet" in text.lower():
        return damaged(folder, f"a file is damaged or missing ({first})")
    if "Corrupt" in text or "checksum" in text or "Could not read" in text or "not a valid DuckDB" in text:
        return damaged(folder, f"the catalogue is damaged ({first})")
    return StoreError(f"DuckDB failed on the store {folder.name}: {text.strip()}")
