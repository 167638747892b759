"""A compiled loop that finds the date-major order of rows."""

from __future__ import annotations

from numba import types

from factorloom.engine.bars.layout import Index, Rows
from factorloom.engine.runtime.jit import COUNTS, loop

__all__ = ["places_of"]

WRITTEN = types.Array(types.uint32, 1, "C")
CODES = types.Array(types.uint32, 1, "C", readonly=True)


@loop(types.void(CODES, COUNTS, WRITTEN))
def places_of(codes: Rows, offsets: Index, places: Rows) -> None:
    """The position of every row when rows are ordered by code; rows of one code keep their order."""
    after = offsets.copy()
    for i in range(codes.size):
        places[i] = after[codes[i]]
        after[codes[i]] += 1
