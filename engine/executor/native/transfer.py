"""Compiled loops of the engine's own: moving values between orders, and marking what is missing.

In date-major order the values of neighbouring symbols on one date share a cache line, and every date has lines of its
own. So a tile of symbols is moved some bars at a time: all of its symbols use a line while it is in the cache. Bars are
counted from the last one of each symbol, since most symbols end on the same date. The lines of the bars that come next
are asked for meanwhile.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import types

from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.executor.native.call import NUMBER, ROWS, START, Driver
from factorloom.engine.executor.native.prefetch import prefetch
from factorloom.engine.executor.native.view import view
from factorloom.engine.runtime.jit import COUNTS, loop

__all__ = [
    "STRETCH",
    "Bits",
    "bound",
    "collect",
    "load_by_date",
    "longest_run",
    "move",
    "narrow",
    "seal",
    "seal_edges",
    "seal_float32",
    "seal_float64",
    "spread",
    "store_by_date",
    "widen",
]

Bits: TypeAlias = npt.NDArray[np.uint8]

VALUES = types.Array(types.float64, 1, "C")
FLOATS = types.Array(types.float32, 1, "C")
BITS = types.Array(types.uint8, 1, "C")

STRETCH = 64
"""Bars of a symbol that are moved before those of the next symbol."""


# --- drivers -----------------------------------------------------------------------------------------------------


def _byte(x: Array) -> int:
    """A bit for each of up to eight values that is present."""
    mark = 0
    for k in range(x.size):
        mark |= (x[k] == x[k]) << k
    return mark


def _seal(x: Array, start: int, bits: Bits) -> int:
    """Set the bit of every present value, the first one at bit `start`, and count the missing ones.

    Bytes that are shared with other rows are left alone: `seal_edges` sets them once all rows are there.
    """
    first, last = -(-start // 8), (start + x.size) // 8
    head = min(x.size, 8 * first - start)
    missing = 0
    for i in range(head):
        missing += x[i] != x[i]
    for i in range(max(head, 8 * last - start), x.size):
        missing += x[i] != x[i]
    for byte in range(first, last, 8):
        stop = min(byte + 8, last)
        part = x[8 * byte - start : 8 * stop - start]
        gaps = 0
        for i in range(part.size):
            gaps += part[i] != part[i]
        missing += gaps
        if gaps == 0:
            bits[byte:stop] = 255
        else:
            for k in range(stop - byte):
                bits[byte + k] = _byte(part[8 * k : 8 * k + 8])
    return missing


def longest_run(offsets: Index, first: int, last: int) -> int:
    """The rows of the longest run."""
    longest = 0
    for run in range(first, last):
        longest = max(longest, offsets[run + 1] - offsets[run])
    return longest


@Driver
def load_by_date(env: Index, slots: Index, numbers: Array, offsets: Index, first: int, last: int) -> None:
    """`out[i] = source[places[i]]`; takes source, places, out."""
    origin, size = offsets[first], offsets[last] - offsets[first]
    source, places, out = (
        view(env[slots[0]], size, "read"),
        view(env[slots[1]], size, "uint32"),
        view(env[slots[2]], size, "write"),
    )
    for back in range(0, longest_run(offsets, first, last), STRETCH):
        for run in range(first, last):
            stop = offsets[run + 1] - origin - back
            for i in range(max(stop - STRETCH, offsets[run] - origin), stop):
                prefetch(env[slots[0]] + 8 * places[np.uint64(max(i - STRETCH, 0))], "read")
                out[np.uint64(i)] = source[np.uint64(places[np.uint64(i)])]


@Driver
def store_by_date(env: Index, slots: Index, numbers: Array, offsets: Index, first: int, last: int) -> None:
    """`target[places[i]] = x[i]`; takes x, places, target."""
    origin, size = offsets[first], offsets[last] - offsets[first]
    x, places, target = (
        view(env[slots[0]], size, "read"),
        view(env[slots[1]], size, "uint32"),
        view(env[slots[2]], size, "write"),
    )
    for back in range(0, longest_run(offsets, first, last), STRETCH):
        for run in range(first, last):
            stop = offsets[run + 1] - origin - back
            for i in range(max(stop - STRETCH, offsets[run] - origin), stop):
                prefetch(env[slots[2]] + 8 * places[np.uint64(max(i - STRETCH, 0))], "write")
                target[np.uint64(places[np.uint64(i)])] = x[np.uint64(i)]


@Driver
def collect(env: Index, slots: Index, numbers: Array, offsets: Index, first: int, last: int) -> None:
    """The values of a tile group by group; takes x, the rows of all groups, out."""
    size = offsets[last] - offsets[first]
    x, out = view(env[slots[0]], env[ROWS], "read"), view(env[slots[2]], size, "write")
    rows = view(env[slots[1]] + 8 * offsets[first], size, "index")
    for i in range(size):
        out[i] = x[rows[i] - env[START]]


@Driver
def spread(env: Index, slots: Index, numbers: Array, offsets: Index, first: int, last: int) -> None:
    """Bring values back from their groups, missing for rows in none; takes x, the rows of all groups, out."""
    size = offsets[last] - offsets[first]
    x, out = view(env[slots[0]], size, "read"), view(env[slots[2]], env[ROWS], "write")
    rows = view(env[slots[1]] + 8 * offsets[first], size, "index")
    out[:] = np.nan
    for i in range(size):
        out[rows[i] - env[START]] = x[i]


@Driver
def move(env: Index, slots: Index, numbers: Array, offsets: Index, first: int, last: int) -> None:
    """`out[i] = x[i]`; takes x, out."""
    x, out = view(env[slots[0]], env[ROWS], "read"), view(env[slots[1]], env[ROWS], "write")
    for i in range(x.size):
        out[i] = x[i]


@Driver
def bound(env: Index, slots: Index, numbers: Array, offsets: Index, first: int, last: int) -> None:
    """`out[i] = x[i]`, missing where it is beyond the number; takes x, out, and the number."""
    x, out, limit = view(env[slots[0]], env[ROWS], "read"), view(env[slots[1]], env[ROWS], "write"), numbers[0]
    for i in range(x.size):
        out[i] = x[i] if abs(x[i]) < limit else np.nan


@Driver
def narrow(env: Index, slots: Index, numbers: Array, offsets: Index, first: int, last: int) -> None:
    """`out[i] = x[i]` with an `out` of Float32; takes x, out."""
    x, out = view(env[slots[0]], env[ROWS], "read"), view(env[slots[1]], env[ROWS], "float32")
    for i in range(x.size):
        out[i] = np.float32(x[i])


@Driver
def widen(env: Index, slots: Index, numbers: Array, offsets: Index, first: int, last: int) -> None:
    """`out[i] = x[i]` with an `x` of Float32; takes x, out."""
    x, out = view(env[slots[0]], env[ROWS], "float32"), view(env[slots[1]], env[ROWS], "write")
    for i in range(x.size):
        out[i] = np.float64(x[i])


@Driver
def seal(env: Index, slots: Index, numbers: Array, offsets: Index, first: int, last: int) -> None:
    """Set the bits of present values and count the missing; takes x, bits, counts by tile, and the row of bit 0."""
    x, start = view(env[slots[0]], env[ROWS], "read"), env[START] - int(numbers[0])
    bits, counts = view(env[slots[1]], (start + x.size) // 8, "bits"), view(env[slots[2]], env[NUMBER] + 1, "index")
    counts[env[NUMBER]] = _seal(x, start, bits)


# --- functions ---------------------------------------------------------------------------------------------------


def seal_edges(values: npt.NDArray[Any], starts: Index, bits: Bits) -> None:
    """Set the bytes in which a stretch of rows starts or the last one ends; the values are those of all rows."""
    (seal_float64 if values.dtype == np.float64 else seal_float32)(values, starts, bits)


@loop(types.void(VALUES, COUNTS, BITS))
def seal_float64(x: Array, starts: Index, bits: Bits) -> None:
    _seal_starts(x, starts, bits)


@loop(types.void(FLOATS, COUNTS, BITS))
def seal_float32(x: Array, starts: Index, bits: Bits) -> None:
    _seal_starts(x, starts, bits)


def _seal_starts(x: Array, starts: Index, bits: Bits) -> None:
    for start in starts:
        byte = start // 8
        if byte < bits.size:
            bits[byte] = _byte(x[8 * byte : 8 * byte + 8])
