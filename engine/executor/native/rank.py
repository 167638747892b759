"""Ranks that wait between stages, as whole numbers: a quarter or half of the memory.

A mean rank is a whole number of halves, so twice the rank is kept, 0 for missing, and for each date twice the number of
present members. Their quotient is the rank divided by that number, to the last bit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from factorloom.engine.bars.layout import Array, Index, Rows
from factorloom.engine.executor.native.call import Driver
from factorloom.engine.executor.native.prefetch import prefetch
from factorloom.engine.executor.native.transfer import STRETCH, longest_run
from factorloom.expressions.frozen import fingerprint

__all__ = ["load_ranks", "load_ranks_by_date", "pack_ranks"]

Codes: TypeAlias = npt.NDArray[Any]
"""Of uint16 or uint32."""


@functools.cache
def pack_ranks(kind: str) -> Driver:
    """Takes ranks date by date, their codes, and the doubled counts of all dates."""
    return _driver(_pack, [("read", "size"), (kind, "size"), ("write", "last")], "offsets, first, last")


@functools.cache
def load_ranks_by_date(kind: str) -> Driver:
    """Takes codes date by date, the doubled counts of all dates, and where the ranks go."""
    return _driver(_unpack, [(kind, "size"), ("write", "last"), ("write", "size")], "offsets, first, last")


@functools.cache
def load_ranks(kind: str) -> Driver:
    """Takes all codes, the place and the date of each row, the doubled counts of all dates, and where the ranks go."""
    kinds = (kind, "uint32", "uint32", "write", "write")
    return _driver(_unpack_rows, [(kind, "size") for kind in kinds], "env[slots[0]], offsets, first, last")


SOURCE = """
def {name}(env, slots, numbers, offsets, first, last):
    size = offsets[last] - offsets[first]
    kernel({arguments})
"""


def _driver(kernel: Callable[..., None], arrays: Sequence[tuple[str, str]], numbers: str) -> Driver:
    """The driver that calls a kernel with arrays of these kinds and sizes, and with these numbers."""
    assert isinstance(kernel, FunctionType)
    kinds = "_".join(kind for kind, _ in arrays)
    name = f"{kernel.__name__.strip('_')}_{kinds}_{fingerprint(kernel)}"
    views = [f'view(env[slots[{slot}]], {size}, "{kind}")' for slot, (kind, size) in enumerate(arrays)]
    return Driver.of(name, SOURCE.format(name=name, arguments=", ".join([*views, numbers])), kernel)


def _pack(x: Array, codes: Codes, doubled: Array, offsets: Index, first: int, last: int) -> None:
    for run in range(first, last):
        a, b = offsets[run] - offsets[first], offsets[run + 1] - offsets[first]
        count = 0
        for i in range(a, b):
            count += x[np.uint64(i)] == x[np.uint64(i)]
        doubled[run] = 2.0 * count
        for i in range(a, b):
            k = np.uint64(i)
            codes[k] = np.int64(x[k] * doubled[run] + 0.5) if x[k] == x[k] else 0


def _unpack(codes: Codes, doubled: Array, out: Array, offsets: Index, first: int, last: int) -> None:
    for run in range(first, last):
        for i in range(offsets[run] - offsets[first], offsets[run + 1] - offsets[first]):
            k = np.uint64(i)
            out[k] = codes[k] / doubled[run] if codes[k] > 0 else np.nan


def _unpack_rows(
    codes: Codes,
    places: Rows,
    dates: Rows,
    doubled: Array,
    out: Array,
    address: int,
    offsets: Index,
    first: int,
    last: int,
) -> None:
    """In the order of `load_by_date`, for the same reason; the codes are at the address."""
    origin = offsets[first]
    for back in range(0, longest_run(offsets, first, last), STRETCH):
        for run in range(first, last):
            stop = offsets[run + 1] - origin - back
            for i in range(max(stop - STRETCH, offsets[run] - origin), stop):
                prefetch(address + codes.itemsize * places[np.uint64(max(i - STRETCH, 0))], "read")
                k = np.uint64(i)
                code = codes[np.uint64(places[k])]
                out[k] = code / doubled[np.uint64(dates[k])] if code > 0 else np.nan
