"""The one lock of a store: whoever publishes holds it, for a short time; readers never do.

It is `flock` on the file LOCK, which the system lets go of when a process ends, for whatever reason, and a lock between
the threads of this process.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from factorloom.expressions.errors import StoreError
from factorloom.storage.folder import Folder

try:
    import fcntl
except ImportError:  # Windows: only the threads of one process take turns
    fcntl = None  # type: ignore[assignment]

__all__ = ["locked"]

PAUSE, PATIENCE = 0.005, 1.0
"""Seconds between tries, and before a line says whom it waits for."""

THREADS: dict[str, threading.RLock] = {}
GUARD = threading.Lock()


@contextmanager
def locked(folder: Folder, *, wait: float) -> Iterator[None]:
    """Hold the lock of a store; after `wait` seconds give up.

    Raises
    ------
    StoreError
        Another process, or thread, is still publishing; or the lock file cannot be written.
    """
    with GUARD:
        threads = THREADS.setdefault(str(folder.root), threading.RLock())
    if not threads.acquire(timeout=max(0.0, wait)):
        raise _in_use(folder, None)
    try:
        descriptor = _acquire(folder, time.monotonic() + wait)
        try:
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)
    finally:
        threads.release()


def _acquire(folder: Folder, deadline: float) -> int | None:
    try:
        descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        raise folder.failed("locked for writing", error) from error
    if fcntl is None:
        return descriptor
    try:
        return _waited(folder, descriptor, deadline)
    except BaseException:  # also Ctrl-C
        os.close(descriptor)
        raise


def _waited(folder: Folder, descriptor: int, deadline: float) -> int:
    started, told = time.monotonic(), False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            now = time.monotonic()
            if now >= deadline:
                raise _in_use(folder, holder) from None
            if not told and now - started > PATIENCE:
                told = True
                sys.stderr.write(f"factorloom: waiting for {_who(holder)} that writes {folder.name}\n")
            time.sleep(PAUSE)
        except OSError:  # a file system without flock
            return descriptor
        else:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return descriptor


def _holder(descriptor: int) -> int | None:
    text = os.pread(descriptor, 20, 0)
    return int(text) if text.isdigit() else None


def _who(holder: int | None) -> str:
    return "another process" if holder in (None, os.getpid()) else f"process {holder}"


def _in_use(folder: Folder, holder: int | None) -> StoreError:
    return StoreError(
        f"the store {folder.name} is being written by {_who(holder)}", hint="try again, or wait longer with wait="
    )


def _forget() -> None:
    """In a forked process: never wait for a thread of the parent."""
    global GUARD
    GUARD = threading.Lock()
    THREADS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
