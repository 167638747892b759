"""Memory for results, reused once nobody refers to it any more.

Fresh memory costs a page fault and a pass of zeros for every page, which takes longer than many an operator. So what a
frame gives back is kept for the next one. The system may take idle pages whenever it needs them (`MADV_FREE`).
"""

from __future__ import annotations

import functools
import mmap
import os
import threading
import weakref
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["IDLE_SHARE", "borrow", "idle"]

SMALL = 4 * 2**20
"""Below this many bytes the allocator of NumPy does as well."""

PAGE = 2 * 2**20

IDLE_SHARE = 0.75
"""The share of the machine's memory that may be kept idle; the longest idle is freed first."""

_idle: deque[mmap.mmap] = deque()
_lock = threading.RLock()


def borrow(size: int, dtype: str) -> npt.NDArray[Any]:
    """An array of any content, whose memory comes back here when the array and all views of it are gone."""
    need = size * np.dtype(dtype).itemsize
    if need < SMALL or not hasattr(mmap, "MADV_FREE"):
        return np.empty(size, dtype)
    rounded = -(-need // PAGE) * PAGE
    memory = _take(rounded) or _fresh(rounded)
    array = np.frombuffer(memory, dtype, size)
    weakref.finalize(array, _give_back, memory).atexit = False
    return array


def idle() -> int:
    """The number of idle bytes."""
    with _lock:
        return sum(map(len, tuple(_idle)))


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
    memory.madvise(mmap.MADV_FREE)
    with _lock:
        _idle.append(memory)
        while sum(map(len, tuple(_idle))) > IDLE_SHARE * _memory():
            _idle.popleft()


@functools.cache
def _memory() -> int:
    """Bytes of memory that the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
