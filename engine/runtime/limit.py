"""How much memory the process may use: the least of what the machine has and what its limits allow."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["group_limit", "limit", "room"]

SIZE, DATA = 0, 5
"""Places in `/proc/self/statm` of what `RLIMIT_AS` and `RLIMIT_DATA` limit, in pages."""


def limit() -> int:
    """The most bytes that the process may use.

    That is the least of the machine's memory, the limits of the process's control group and of the groups above it
    (version 1 or 2), and the resource limits `RLIMIT_AS` and `RLIMIT_DATA`. `sys.maxsize` where the system names none.
    """
    return min(_machine(), _group(), *(size for _, size in _resource_limits()))


@functools.cache
def _machine() -> int:
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return sys.maxsize


@functools.cache
def _group() -> int:
    return group_limit()


def group_limit(root: Path = Path("/")) -> int:
    """The least limit of the process's control groups, with `proc` and `sys` in the folder `root`."""
    limits = (_read(file) for file in _limit_files(root))
    return min((value for value in limits if value is not None), default=sys.maxsize)


def _limit_files(root: Path) -> Iterator[Path]:
    """The files with the limits of the process's groups and of all groups above them."""
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            tree, names = root / "sys/fs/cgroup", ["memory.max", "memory.high"]
            if "memory" in controllers.split(","):
                tree, names = tree / "memory", ["memory.limit_in_bytes"]
            elif number != "0":
                continue
            group = tree / path.lstrip("/")
            for folder in (group, *group.parents):
                yield from (folder / name for name in names)
                if folder == tree:
                    break


def _read(file: Path) -> int | None:
    """The number in a file; None where there is no such file, or it says `max`."""
    with suppress(OSError, ValueError):
        return int(file.read_text())
    return None


def room() -> int:
    """The bytes of address space that the process may still take; `sys.maxsize` where no resource limit is set."""
    limits = list(_resource_limits())
    if not limits:
        return sys.maxsize
    with suppress(OSError):
        pages = Path("/proc/self/statm").read_text().split()
        return min(size - int(pages[place]) * os.sysconf("SC_PAGE_SIZE") for place, size in limits)
    return sys.maxsize


def _resource_limits() -> Iterator[tuple[int, int]]:
    """Each limit with the place in `/proc/self/statm` of what counts against it."""
    try:
        import resource
    except ImportError:
        return
    for name, place in (("RLIMIT_AS", SIZE), ("RLIMIT_DATA", DATA)):
        if hasattr(resource, name):
            soft, _ = resource.getrlimit(getattr(resource, name))
            if soft != resource.RLIM_INFINITY:
                yield place, soft
