"""Memory for results, reused once nobody refers to it any more.

Fresh memory costs a page fault and a pass of zeros for every page, which takes longer than many an operator. So what a
frame gives back is kept for the next one. The system may take idle pages whenever it needs them (`MADV_FREE`). Where
the system refuses fresh memory, for a limit of the process, idle memory is freed first.
"""

from __future__ import annotations

import mmap
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from factorloom.engine.runtime.limit import limit, room
from factorloom.engine.runtime.setting import settings
from factorloom.expressions.errors import MemoryLimitError

__all__ = ["borrow", "idle"]

Made = TypeVar("Made")

SMALL = 4 * 2**20
"""Below this many bytes the allocator of NumPy does as well."""

PAGE = 2 * 2**20

_idle: deque[mmap.mmap] = deque()
_lock = threading.RLock()


def borrow(size: int, dtype: str) -> npt.NDArray[Any]:
    """An array of any content, whose memory comes back here when the array and all views of it are gone.

    Raises
    ------
    MemoryLimitError
        Where the system has no memory for it, even after idle memory is freed.
    """
    need = size * np.dtype(dtype).itemsize
    if need < SMALL or not hasattr(mmap, "MADV_FREE"):
        return _allocate(lambda: np.empty(size, dtype), need)
    rounded = -(-need // PAGE) * PAGE
    memory = _take(rounded)
    if memory is None:
        try:
            memory = _allocate(lambda: _fresh(rounded), rounded)
        except MemoryLimitError:  # smaller by a part of a page, and maybe from what NumPy's allocator holds already
            return _allocate(lambda: np.empty(size, dtype), need)
    array = np.frombuffer(memory, dtype, size)
    weakref.finalize(array, _give_back, memory).atexit = False
    return array


def idle() -> int:
    """The number of idle bytes."""
    with _lock:
        return sum(map(len, tuple(_idle)))


def _allocate(make: Callable[[], Made], size: int) -> Made:
    """What `make` makes of so many bytes of fresh memory; where there is none, again after idle memory is freed."""
    try:
        return make()
    except (MemoryError, OSError):
        _free_idle()
    try:
        return make()
    except (MemoryError, OSError) as error:
        raise MemoryLimitError(
            f"no memory for {size / 2**20:,.1f} MiB; the process may use {limit() / 2**20:,.0f} MiB in all",
            hint="compute fewer factors at a time, write results block by block with `write`, or raise the limit",
        ) from error


def _fresh(size: int) -> mmap.mmap:
    """New memory, in place of as much idle memory of other sizes, the longest idle first."""
    with _lock:
        freed = 0
        while _idle and freed < size:
            freed += len(_idle.popleft())
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
        memory.madvise(mmap.MADV_NOHUGEPAGE, size - PAGE)  # its end may stay unused
    return memory


def _take(size: int) -> mmap.mmap | None:
    with _lock:
        for memory in reversed(tuple(_idle)):
            if len(memory) == size:
                _idle.remove(memory)
                return memory
    return None


def _give_back(memory: mmap.mmap) -> None:
    """Keep memory that nobody uses any more; the longest idle is freed where that is more than may be kept idle."""
    memory.madvise(mmap.MADV_FREE)
    with _lock:
        _idle.append(memory)
        while _idle and _is_too_much():
            _idle.popleft()


def _is_too_much() -> bool:
    """Whether idle memory is beyond its share, or leaves less than the rest of a resource limit to others.

    The system can take idle pages, but not the address space; and Polars ends the process where it gets none.
    """
    share, most = settings().idle_memory, limit()
    return sum(map(len, tuple(_idle))) > share * most or room() < (1 - share) * most


def _free_idle() -> None:
    with _lock:
        _idle.clear()
