"""Replacing a file or folder as a whole: what fails leaves the old one."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["replacing"]


@contextmanager
def replacing(target: Path, *, sync: bool = True) -> Iterator[Path]:
    """A path beside the target for a new file or folder, which takes the target's place if the block succeeds.

    Two writers of one target do not disturb each other; the last one wins. With `sync`, a file is on the disk before it
    takes the place, and has the mode of the old one.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "note.txt") as new:
    ...         _ = new.write_text("hello")
    ...     print((Path(folder) / "note.txt").read_text())
    hello
    """
    new = target.with_name(f".{target.name[:40]}.{secrets.token_hex(8)}")
    try:
        yield new
        if new.is_dir():
            _replace_folder(new, target)
        else:
            if sync:
                _settle(new, target)
            new.replace(target)
    finally:
        if new.is_dir():
            shutil.rmtree(new, ignore_errors=True)
        else:
            new.unlink(missing_ok=True)


def _settle(new: Path, target: Path) -> None:
    with open(new, "rb") as file:
        os.fsync(file.fileno())
    with suppress(OSError):  # a new file has the mode of the umask
        new.chmod(stat.S_IMODE(target.stat().st_mode))


def _replace_folder(new: Path, target: Path) -> None:
    """A folder with content cannot be renamed over: the old one steps aside, and comes back if anything fails."""
    old = new.with_name(f"{new.name}.old")
    if target.exists():
        target.replace(old)
    try:
        new.replace(target)
    except BaseException:
        if old.exists():
            old.replace(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
