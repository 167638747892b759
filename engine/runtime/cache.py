"""Where compiled code is kept between processes, and how damaged files are found.

Code is written to the first of these folders that can be written to, and read from that one and those before it, so
that what an administrator has prepared serves users who cannot write there:

1. `NUMBA_CACHE_DIR`, if it is set;
2. beside the code;
3. the user's cache folder;
4. a folder of this user in the temporary directory.

Compiled code is executed as it is found, so the last two are used only if no other user can write to them. Each file
starts with a digest of its name and content; one that does not match is not used.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import stat
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

from factorloom.engine.runtime.replace import replacing

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["TAG", "WRITING", "exclusive", "folder", "keep", "kept", "load", "titles"]

log = logging.getLogger(__name__)

TAG = f"py{sys.version_info[0]}{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
"""Part of the names of files: each Python has its own."""

ENDING = ".code"

LOCKS = 256
"""Files that are locked while functions are compiled, so that few functions wait for another."""

SIZE = 16
"""Bytes of a digest."""

WRITING = threading.Lock()
"""Held while a file is written: a process that ends itself waits for it, and leaves no temporary file."""


@functools.cache
def folder() -> Path | None:
    """The folder in which compiled code is kept; None if there is none, of which a warning informs."""
    for place, is_shared in _candidates():
        if _is_usable(place, is_shared):
            is_temporary = not is_shared and place.parent == Path(tempfile.gettempdir())
            level = logging.WARNING if is_temporary else logging.DEBUG if is_shared else logging.INFO
            log.log(level, "compiled kernels are kept in %s; set NUMBA_CACHE_DIR to keep them elsewhere", place)
            return place
    log.warning("compiled kernels are not kept on disk: no folder is writable; set NUMBA_CACHE_DIR to one that is")
    return None


def load(name: str) -> bytes | None:
    """The code that was kept under a name, from the first folder that has it undamaged."""
    for place in _folders():
        data = _read(place / f"{name}{ENDING}")
        if data is None:
            continue
        if data[:SIZE] == _digest(name, data[SIZE:]):
            return data[SIZE:]
        _warn_of_damage(place)
    return None


def keep(name: str, data: bytes) -> bool:
    """Keep code under a name; false where that fails, of which one line informs."""
    place = folder()
    if place is None:
        return False
    try:
        with WRITING, replacing(place / f"{name}{ENDING}", sync=False) as new:
            new.write_bytes(_digest(name, data) + data)
    except OSError as error:
        _warn_of_loss(place, str(error.strerror))
        return False
    return True


def kept() -> frozenset[str]:
    """The names under which code is kept anywhere, whether it is of use or not."""
    names: set[str] = set()
    for place in _folders():
        with contextlib.suppress(OSError):
            names.update(name.removesuffix(ENDING) for name in os.listdir(place) if name.endswith(ENDING))
    return frozenset(names)


def titles() -> set[str]:
    """The titles of the kernels of which there is any code."""
    return {name.partition(".")[0] for name in kept()}


@contextlib.contextmanager
def exclusive(name: str, *, wait: bool = True) -> Iterator[bool]:
    """Let one process at a time compile a function, where the system has such locks; the others find its code.

    Without `wait`, whether it is free: false while another process compiles it.
    """
    place = folder()
    with contextlib.ExitStack() as stack:
        is_free = True
        if fcntl is not None and place is not None:
            with contextlib.suppress(OSError):
                file = stack.enter_context(open(place / f"{zlib.crc32(name.encode()) % LOCKS:02x}.lock", "ab"))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                except BlockingIOError:
                    is_free = False
        yield is_free


@functools.cache
def _warn_of_damage(place: Path) -> None:
    log.warning("compiled code in %s is damaged or incomplete: it is compiled again", place)


@functools.cache
def _warn_of_loss(place: Path, reason: str) -> None:
    log.warning("compiled kernels are not kept in %s: %s", place, reason)


def _digest(name: str, data: bytes) -> bytes:
    return hashlib.blake2b(name.encode() + b"\n" + data, digest_size=SIZE).digest()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _folders() -> Iterator[Path]:
    """The folders from which code may be read."""
    last = folder()
    for place, is_shared in _candidates():
        with contextlib.suppress(OSError):
            if is_shared or _is_private(place):
                yield place
        if place == last:
            return


def _candidates() -> Iterator[tuple[Path, bool]]:
    """Folders, and whether others may write to each: those who install may; `NUMBA_CACHE_DIR` is trusted as given."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        yield Path(given).absolute() / "factorloom", True
    yield Path(__file__).parent / "__pycache__" / "kernels", True
    user = _user_cache()
    if user is not None and user.is_absolute():
        yield user / "factorloom" / "kernels", False
    if hasattr(os, "geteuid"):
        with contextlib.suppress(FileNotFoundError):
            yield Path(tempfile.gettempdir()) / f"factorloom-{os.geteuid()}", False


def _user_cache() -> Path | None:
    given = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    if given:
        return Path(given)
    try:
        return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    except RuntimeError:
        return None


def _is_usable(place: Path, is_shared: bool) -> bool:
    try:
        place.mkdir(mode=0o777 if is_shared else 0o700, parents=True, exist_ok=True)
        if not is_shared and not _is_private(place):
            return False
        tempfile.TemporaryFile(dir=place).close()
    except OSError:
        return False
    return True


def _is_private(place: Path) -> bool:
    """Whether a folder belongs to this user, and no other can write to it."""
    if not hasattr(os, "geteuid"):
        return place.is_dir()
    found = place.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
