"""Where compiled code is kept between processes, and how damaged files are found.

The first of these folders that can be written to is used:

1. `NUMBA_CACHE_DIR`, if it is set;
2. beside the code;
3. the user's cache folder;
4. a folder of this user in the temporary directory.

Compiled code is executed as it is found, so the last two are used only if no other user can write to them. A digest of
the files of a function is stored beside them; files that do not match it are removed before Numba reads them.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import hashlib
import logging
import os
import secrets
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

__all__ = ["check", "discard_partial", "folder", "seal", "write_source"]

log = logging.getLogger(__name__)

FORMAT = 1
"""Raised when what generated sources call, such as `view`, changes its meaning."""


@functools.cache
def folder() -> Path | None:
    """The folder in which compiled code is kept; None if there is none, of which a warning informs."""
    for place, is_shared in _candidates():
        if _is_usable(place, is_shared):
            is_temporary = place.parent == Path(tempfile.gettempdir())
            level = logging.WARNING if is_temporary else logging.DEBUG if is_shared else logging.INFO
            log.log(level, "compiled kernels are kept in %s; set NUMBA_CACHE_DIR to keep them elsewhere", place)
            return place
    log.warning("compiled kernels are not kept on disk: no folder is writable; set NUMBA_CACHE_DIR to one that is")
    return None


def write_source(place: Path, name: str, source: str) -> Path:
    """Write the source of a generated function, unless the file is already complete.

    Numba uses compiled code only if the time and size of its source are as they were. The time given here depends on
    the content alone, so that all processes agree on it.
    """
    path, data = place / f"{name}.py", source.encode()
    if _read(path) != data:
        stamp = zlib.crc32(data + b"%d" % FORMAT)
        _write(path, data, stamp)
    return path


def check(place: str, name: str) -> None:
    """Remove the compiled code of a function if it is not what `seal` recorded."""
    files = _files(place, name)
    if files and _read(_digest_path(place, name)) != _digest(files):
        _warn_of_damage(place)
        for path in (*files, _digest_path(place, name)):
            _remove(path)


@functools.cache
def _warn_of_damage(place: str) -> None:
    log.warning("compiled code in %s is damaged or incomplete: it is compiled again", place)


def seal(place: str, name: str) -> None:
    """Record the compiled code of a function as it is on disk now."""
    _write(_digest_path(place, name), _digest(_files(place, name)))


def discard_partial(place: str, name: str) -> None:
    """Remove the temporary files of a write that was interrupted."""
    for path in glob.glob(f"{glob.escape(os.path.join(place, name))}.*.tmp.*"):
        _remove(Path(path))


def _files(place: str, name: str) -> list[Path]:
    """The files that Numba has written for a function."""
    return sorted(map(Path, glob.glob(f"{glob.escape(os.path.join(place, name))}.*.nb[ic]")))


def _digest_path(place: str, name: str) -> Path:
    version = "".join(map(str, sys.version_info[:2]))
    return Path(place) / f"{name}.py{version}.digest"


def _digest(files: list[Path]) -> bytes:
    content = hashlib.blake2b(digest_size=16)
    for path in files:
        data = _read(path) or b""
        content.update(f"{path.name} {len(data)}\n".encode() + data)
    return content.hexdigest().encode()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write(path: Path, data: bytes, stamp: int | None = None) -> None:
    """Write a file, which appears under its name complete and with its time."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        part.write_bytes(data)
        if stamp is not None:
            os.utime(part, (stamp, stamp))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.rmdir() if path.is_dir() else path.unlink()


def _candidates() -> Iterator[tuple[Path, bool]]:
    """Folders, and whether each belongs to the installation rather than to this user."""
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
