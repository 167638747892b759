"""Compiled loops that find the date-major order of rows."""

from __future__ import annotations

from numba import types

from factorloom.engine.bars.layout import Index, Rows
from factorloom.engine.runtime.jit import COUNTS, loop

__all__ = ["cursor", "places_of"]

WRITTEN = types.Array(types.uint32, 1, "C")
CODES = types.Array(types.uint32, 1, "C", readonly=True)


def _first_from(known: Index, value: int) -> int:
    """The position of the first value that is not smaller; NumPy's own search takes longer to compile."""
    first, last = 0, known.size
    while first < last:
        half = (first + last) // 2
        if known[half] < value:
            first = half + 1
        else:
            last = half
    return first


@loop(types.void(COUNTS, COUNTS, COUNTS, WRITTEN))
def cursor(values: Index, offsets: Index, known: Index, codes: Rows) -> None:
    """The position of every value among the known ones, both ascending, run by run."""
    for run in range(offsets.size - 1):
        a, b = offsets[run], offsets[run + 1]
        if a == b:
            continue
        place = _first_from(known, values[a])
        for i in range(a, b):
            while known[place] < values[i]:
                place += 1
            codes[i] = place


@loop(types.void(CODES, COUNTS, WRITTEN))
def places_of(codes: Rows, offsets: Index, places: Rows) -> None:
    """The position of every row when rows are ordered by code; rows of one code keep their order."""
    after = offsets.copy()
    for i in range(codes.size):
        places[i] = after[codes[i]]
        after[codes[i]] += 1
