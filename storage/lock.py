"""Lock a store against other processes.

DuckDB locks its file with fcntl. A process loses such a lock as soon as it closes any descriptor of the file, for
example after copying it. A store is therefore also locked by flock, which belongs to one open file and lasts as long
as that file is open:

- on a lock file next to the store, `.<name>.lock`, which exists while the store is open;
- on the database itself, which also covers other hard links, and readers in a folder where no lock file can be created.

A writer holds both locks exclusively; readers share them. When a process ends, for whatever reason, both are released;
a lock file that it leaves behind does no harm. On Windows DuckDB's own lock is not lost, so no other is taken.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

from factorloom.expressions.errors import StoreError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Lock", "lock_path"]

CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)
UNSUPPORTED = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
"""Errors of a file system that does not support flock."""

TRIES, PAUSE = 10, 0.01
"""A reader that closes holds the lock file exclusively for a short time to remove it, so a refusal is retried."""

HELD: set[str] = set()
"""Lock files that this process holds."""


def lock_path(path: str) -> str:
    """The path of a store's lock file."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.lock")


class Lock:
    """Keeps other processes from opening the store at `path` while this process has it open.

    Raises
    ------
    StoreError
        Another process has the store open, or the lock file cannot be created for a writer.
    """

    def __init__(self, path: str, *, exclusive: bool) -> None:
        self._path = path
        self._exclusive = exclusive
        self._lock_file: int | None = None
        self._database: int | None = None
        if fcntl is not None:
            self._acquire_lock_file()

    def lock_database(self) -> None:
        """Lock the database too, if its file system supports it."""
        if fcntl is None:
            return
        self._database = os.open(self._path, os.O_RDONLY | CLOSE_ON_EXEC)
        try:
            fcntl.flock(self._database, self._operation)
        except BlockingIOError:
            raise _in_use(self._path, None) from None
        except OSError:
            pass

    def try_lock_database(self) -> None:
        """Like `lock_database`, for a file that DuckDB already has open; the descriptor stays open on failure."""
        with suppress(StoreError, OSError):
            self.lock_database()

    def unlock_database(self) -> None:
        """Unlock the database, because its file system treats flock and fcntl as one lock; keeps the descriptor."""
        if self._database is not None:
            with suppress(OSError):
                fcntl.flock(self._database, fcntl.LOCK_UN)

    def head(self, size: int) -> bytes:
        """The first bytes of the database, read without closing a descriptor of a locked file."""
        if self._database is not None:
            return os.pread(self._database, size, 0)
        with open(self._path, "rb") as file:
            return file.read(size)

    def release(self, *, close_database: bool = True) -> None:
        """Release both locks; without `close_database`, the descriptor of the database stays open."""
        self.unlock_database()
        if self._database is not None and close_database:
            os.close(self._database)
        self._database = None
        if self._lock_file is not None:
            self._remove(self._lock_file)
            HELD.discard(lock_path(self._path))
            self._lock_file = None

    def abandon(self) -> None:
        """Drop the lock in a forked process; the process that took it keeps it."""
        for file in (self._database, self._lock_file):
            if file is not None:
                os.close(file)
        self._database = self._lock_file = None
        HELD.discard(lock_path(self._path))

    @property
    def _operation(self) -> int:
        return (fcntl.LOCK_EX if self._exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB

    def _acquire_lock_file(self) -> None:
        holder = None
        for _ in range(TRIES):
            file = self._open_lock_file()
            if file is None:
                return
            try:
                fcntl.flock(file, self._operation)
            except BlockingIOError:
                holder = _holder(file)
                os.close(file)
                time.sleep(PAUSE)
                continue
            except OSError as error:
                os.close(file)
                if error.errno in UNSUPPORTED:
                    Path(lock_path(self._path)).unlink(missing_ok=True)
                return
            if _is_at(file, lock_path(self._path)):
                _write(file, f"{os.getpid()}\n")
                HELD.add(lock_path(self._path))
                self._lock_file = file
                return
            os.close(file)  # the previous holder has just removed it
        if lock_path(self._path) in HELD:
            raise StoreError(
                f"the file of a store that this process has open at {self._path} was removed or replaced",
                hint="close that store first",
            )
        raise _in_use(self._path, holder)

    def _open_lock_file(self) -> int | None:
        """Open the lock file, and create it if missing; None if a reader cannot."""
        reason = None
        for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
            try:
                return os.open(lock_path(self._path), flags | CLOSE_ON_EXEC | os.O_NOFOLLOW, 0o666)
            except OSError as error:
                reason = reason or error.strerror
        if self._exclusive:
            raise StoreError(
                f"the store {self._path} cannot be locked for writing: {lock_path(self._path)}: {reason}",
                hint="open it with read_only=True, or make its folder writable",
            )
        return None

    def _remove(self, file: int) -> None:
        """Remove the lock file unless others hold it.

        Only an exclusive holder may remove it; otherwise two processes could each hold a lock file of the same path.
        """
        with suppress(OSError):
            if _holder(file) == os.getpid():
                _write(file, "")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, lock_path(self._path)):
                os.unlink(lock_path(self._path))
            fcntl.flock(file, fcntl.LOCK_UN)  # a forked process may have the descriptor too
        os.close(file)


def _in_use(path: str, holder: int | None) -> StoreError:
    # our own number can be that of another process in a container
    who = "" if holder in (None, os.getpid()) else f" (process {holder})"
    return StoreError(
        f"the store {path} is in use by another process{who}",
        hint="close it in that process first; while one process writes a store, no other can open it, even to read",
    )


def _is_at(file: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _write(file: int, text: str) -> None:
    """Write the holder's process number, for the error that others get; the lock works without it."""
    with suppress(OSError):
        os.ftruncate(file, 0)
        os.pwrite(file, text.encode(), 0)


def _holder(file: int) -> int | None:
    """The number of a process that holds the lock, if it is known and alive."""
    text = os.pread(file, 20, 0).partition(b"\n")[0]
    if not text.isdigit():
        return None
    try:
        os.kill(int(text), 0)
    except PermissionError:
        pass
    except (OSError, OverflowError):
        return None
    return int(text)
