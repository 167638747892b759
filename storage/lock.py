"""Keeping other processes out of a store.

DuckDB locks its file with fcntl, and a process loses such a lock as soon as it closes any descriptor of the file,
a plain copy of it included. Hence two locks by flock, which belong to one open file and last as long as it:

- on a lock file beside the store, `.<name>.lock`, which is there while the store is open;
- on the database itself, which also holds under another hard link, and for a reader in a folder where no lock file can
  be made.

A writer holds both alone, readers share them. A process that ends in whatever way lets go of both; a lock file that it
leaves does no harm. On Windows DuckDB's own lock lasts, so there is nothing to add.
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

__all__ = ["Lock", "beside"]

CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)
NO_FLOCK = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
"""What a file system says that has no such locks."""

TRIES, PAUSE = 10, 0.01
"""A reader that leaves holds the lock file alone for a moment, to remove it; so one refusal is not the last word."""

HELD: set[str] = set()
"""Lock files that this process holds."""


def beside(place: str) -> str:
    """The lock file of a store."""
    folder, name = os.path.split(place)
    return os.path.join(folder, f".{name}.lock")


class Lock:
    """What keeps other processes from opening the store at `place` while this one has it open.

    Raises
    ------
    StoreError
        Another process has the store; or, for a writer, the lock file cannot be made.
    """

    def __init__(self, place: str, *, exclusive: bool) -> None:
        self._place = place
        self._exclusive = exclusive
        self._beside: int | None = None
        self._database: int | None = None
        if fcntl is not None:
            self._lock_beside()

    def lock_database(self) -> None:
        """Lock the database too; a file system that cannot is none the worse for it."""
        if fcntl is None:
            return
        self._database = os.open(self._place, os.O_RDONLY | CLOSE_ON_EXEC)
        try:
            fcntl.flock(self._database, self._how)
        except BlockingIOError:
            raise _in_use(self._place, None) from None
        except OSError:
            pass

    def watch_database(self) -> None:
        """As `lock_database` for a file that DuckDB has open: it is not closed again, locked or not."""
        with suppress(StoreError, OSError):
            self.lock_database()

    def unlock_database(self) -> None:
        """Lock it no longer, because its file system takes this lock and DuckDB's for one; it is not closed."""
        if self._database is not None:
            with suppress(OSError):
                fcntl.flock(self._database, fcntl.LOCK_UN)

    def head(self, size: int) -> bytes:
        """The first bytes of the database, read without closing it."""
        if self._database is not None:
            return os.pread(self._database, size, 0)
        with open(self._place, "rb") as file:
            return file.read(size)

    def release(self, *, closing: bool = True) -> None:
        """Let other processes in; without `closing`, the database's descriptor stays open for good."""
        self.unlock_database()
        if self._database is not None and closing:
            os.close(self._database)
        self._database = None
        if self._beside is not None:
            self._leave(self._beside)
            HELD.discard(beside(self._place))
            self._beside = None

    def abandon(self) -> None:
        """Forget the lock in a forked process; it stays with the process that took it."""
        for file in (self._database, self._beside):
            if file is not None:
                os.close(file)
        self._database = self._beside = None
        HELD.discard(beside(self._place))

    @property
    def _how(self) -> int:
        return (fcntl.LOCK_EX if self._exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB

    def _lock_beside(self) -> None:
        holder = None
        for _ in range(TRIES):
            file = self._open_beside()
            if file is None:
                return
            try:
                fcntl.flock(file, self._how)
            except BlockingIOError:
                holder = _holder(file)
                os.close(file)
                time.sleep(PAUSE)
                continue
            except OSError as error:
                os.close(file)
                if error.errno in NO_FLOCK:
                    Path(beside(self._place)).unlink(missing_ok=True)
                return
            if _is_at(file, beside(self._place)):
                _write(file, f"{os.getpid()}\n")
                HELD.add(beside(self._place))
                self._beside = file
                return
            os.close(file)  # the one before removed it just now
        if beside(self._place) in HELD:
            raise StoreError(
                f"the file of a store that this process has open at {self._place} was removed or replaced",
                hint="close that store first",
            )
        raise _in_use(self._place, holder)

    def _open_beside(self) -> int | None:
        """The lock file, made where there is none; None for a reader where it cannot be."""
        refusal = None
        for mode in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
            try:
                return os.open(beside(self._place), mode | CLOSE_ON_EXEC | os.O_NOFOLLOW, 0o666)
            except OSError as error:
                refusal = refusal or error.strerror
        if self._exclusive:
            raise StoreError(
                f"the store {self._place} cannot be locked for writing: {beside(self._place)}: {refusal}",
                hint="open it with read_only=True, or let its folder be written",
            )
        return None

    def _leave(self, file: int) -> None:
        """Remove the lock file, unless others hold it; only who holds it alone may, so that no two are ever held."""
        with suppress(OSError):
            if _holder(file) == os.getpid():
                _write(file, "")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, beside(self._place)):
                os.unlink(beside(self._place))
            fcntl.flock(file, fcntl.LOCK_UN)  # a forked process may have the descriptor too
        os.close(file)


def _in_use(place: str, holder: int | None) -> StoreError:
    who = "" if holder in (None, os.getpid()) else f" (process {holder})"  # ours may be another's in a container
    return StoreError(
        f"the store {place} is in use by another process{who}",
        hint="close it there first; while one process writes a store no other can open it, even to read",
    )


def _is_at(file: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _write(file: int, text: str) -> None:
    """Say who holds the lock, for the message of who is refused; one that cannot be written is as good a lock."""
    with suppress(OSError):
        os.ftruncate(file, 0)
        os.pwrite(file, text.encode(), 0)


def _holder(file: int) -> int | None:
    """A process that holds the lock, where it is known and alive."""
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
