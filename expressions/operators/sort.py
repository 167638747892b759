"""How a cross-section is put in order: plain loops that the summary `ordered` calls.

A small section is sorted by insertion. A larger one is sorted by the 16 to 22 leading bits that its values differ in,
in two passes that count digits (a radix sort from the last digit to the first), and then by insertion, which has
little left to do. Where it has much to do, because an outlier takes the leading bits for itself, the section is sorted
once more by all bits. Ties stay in the order of the members, and -0.0 ties with 0.0.

On the bits of a float64, smaller is earlier, but for the negative ones: their magnitudes are negated.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["ascend"]

Array: TypeAlias = npt.NDArray[np.float64]
Keys: TypeAlias = npt.NDArray[np.uint64]
Words: TypeAlias = npt.NDArray[np.int64]

FEW = 32
"""Below this many members counting digits costs more than insertion."""

DIGITS = 2
MEMBER_BITS = 31
MEMBER = 2**MEMBER_BITS - 1
"""A word is the digits of a member, and in its last bits the member's index."""

LOWEST = -(2**63)
MOVES = 8
"""How far insertion may move a member, on the mean, before all bits are sorted."""


def ascend(x: Array, order: Array, ascending: Array) -> None:
    """The indices of the members from the smallest to the largest, the missing last, and the values in that order."""
    words = np.empty(x.size, np.int64)
    n = _gather_present(x, words)
    if n < FEW:
        _insert(x, words[:n], n * n, order, ascending)
    else:
        _ascend_many(x, words, n, order, ascending)
    for i in range(x.size):
        if np.isnan(x[i]):
            order[n] = i
            ascending[n] = np.nan
            n += 1


def _gather_present(x: Array, members: Words) -> int:
    """The indices of the present members as they come, and their number."""
    n = 0
    for i in range(x.size):
        members[n] = i
        n += not np.isnan(x[i])
    return n


def _ascend_many(x: Array, words: Words, n: int, order: Array, ascending: Array) -> None:
    keys, spare = np.empty(x.size, np.uint64), np.empty(x.size, np.int64)
    size = _fill_keys(x, words[:n], keys)
    width = 8 if n < 256 else 10 if n < 2048 else 11
    words, spare = _arrange(keys, max(size - DIGITS * width, 0), width, n, words, spare)
    if not _insert(x, words[:n], MOVES * n, order, ascending):
        _gather_present(x, words)
        for shift in range(0, size, DIGITS * width):
            words, spare = _arrange(keys, shift, width, n, words, spare)
        _insert(x, words[:n], n * n, order, ascending)


def _fill_keys(x: Array, members: Words, keys: Keys) -> int:
    """Whole numbers from 0 on in the order of the values, and how many bits they have."""
    bits = x.view(np.int64)
    least, most = -(LOWEST + 1), LOWEST
    for member in members:
        key = bits[member] if bits[member] >= 0 else LOWEST - bits[member]
        keys[member] = np.uint64(key)
        least, most = min(least, key), max(most, key)
    for i in range(x.size):
        keys[i] -= np.uint64(least)
    span, size = np.uint64(most) - np.uint64(least), 0
    while size < 64 and span >> np.uint64(size) != 0:
        size += 1
    return size


def _arrange(keys: Keys, shift: int, width: int, n: int, words: Words, spare: Words) -> tuple[Words, Words]:
    """The first `n` words, stably sorted by three digits of so many bits above `shift`, and the other array."""
    last = (1 << width) - 1
    counts = np.zeros((DIGITS, last + 1), np.int32)
    for k in range(n):
        member = words[k] & MEMBER
        digits = np.int64((keys[member] >> np.uint64(shift)) & np.uint64((1 << DIGITS * width) - 1))
        words[k] = digits << MEMBER_BITS | member
        for place in range(DIGITS):
            counts[place, digits >> place * width & last] += 1
    for place in range(DIGITS):
        count, low = counts[place], MEMBER_BITS + place * width
        if count[words[0] >> low & last] == n:
            continue
        start = np.int32(0)
        for digit in range(last + 1):
            count[digit], start = start, start + count[digit]
        for k in range(n):
            digit = words[k] >> low & last
            spare[count[digit]] = words[k]
            count[digit] += 1
        words, spare = spare, words
    return words, spare


def _insert(x: Array, words: Words, most: int, order: Array, ascending: Array) -> bool:
    """Finish members that are nearly in order, or say that it takes more moves than `most`."""
    moves = 0
    for k in range(words.size):
        member = words[k] & MEMBER
        value, place = x[member], k
        while place > 0 and ascending[place - 1] > value:
            ascending[place] = ascending[place - 1]
            order[place] = order[place - 1]
            place -= 1
        ascending[place] = value
        order[place] = member
        moves += k - place
        if moves > most:
            return False
    return True
