"""How a cross-section is put in order and ranked: plain loops that the summary `ordered` calls.

A small section is sorted by insertion. A larger one is sorted by the 16 to 22 leading bits that its values differ in,
in two passes that count digits (a radix sort from the last digit to the first), and then by insertion, which has
little left to do. Where it has much to do, because an outlier takes the leading bits for itself, the section is sorted
once more by all bits. -0.0 ties with 0.0.

On the bits of a float64, smaller is earlier, but for the negative ones: their magnitudes are negated.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["rank_section"]

Array: TypeAlias = npt.NDArray[np.float64]
Keys: TypeAlias = npt.NDArray[np.uint64]
Words: TypeAlias = npt.NDArray[np.int64]
Members: TypeAlias = npt.NDArray[np.int32]

FEW = 32
"""Below this many members anything else costs more than insertion."""

DIGITS = 2
PLACE_BITS = 31
PLACE = 2**PLACE_BITS - 1
"""A word is the digits of a value, and in its last bits the value's place."""

LOWEST = -(2**63)
MOVES = 8
"""How far insertion may move a member, on the mean, before it gives up."""


def rank_section(x: Array, rank: Array, ascending: Array) -> None:
    """The ranks of the present members from 1 on, ties sharing the mean of theirs, and the values from the smallest to
    the largest; missing members have no rank, and the missing values stand last."""
    members, values = np.empty(x.size, np.int32), np.empty(x.size)
    n = _gather_present(x, members, values)
    if n < x.size:
        rank[:] = np.nan
        ascending[n:] = np.nan
    order = members[:n].copy()
    _ascend(values[:n], members, order, ascending[:n])
    if _has_ties(ascending[:n]):
        _rank_ties(order, ascending[:n], rank)
    else:
        for k in range(n):
            rank[order[k]] = k + 1


def _gather_present(x: Array, members: Members, values: Array) -> int:
    """The indices and the values of the present members as they come, and their number."""
    n = 0
    for i in range(x.size):
        members[n] = i
        values[n] = x[i]
        n += not np.isnan(x[i])
    return n


def _has_ties(ascending: Array) -> bool:
    same = 0
    for k in range(1, ascending.size):
        same += ascending[k] == ascending[k - 1]
    return same > 0


def _rank_ties(order: Members, ascending: Array, rank: Array) -> None:
    start = 0
    while start < order.size:
        stop = start + 1
        while stop < order.size and ascending[stop] == ascending[start]:
            stop += 1
        for k in range(start, stop):
            rank[order[k]] = (start + stop + 1) / 2
        start = stop


# --- order: `values` and `members` as they come, into `ascending` and `order` ---------------------------------------


def _ascend(values: Array, members: Members, order: Members, ascending: Array) -> None:
    if values.size < FEW:
        ascending[:] = values
        _insert(order, ascending, values.size**2)
    else:
        _ascend_bits(values, members, order, ascending)


def _ascend_bits(values: Array, members: Members, order: Members, ascending: Array) -> None:
    """By the leading bits that values differ in, and by all bits where these do not tell them apart."""
    n = values.size
    keys, words, spare = np.empty(n, np.uint64), np.arange(n), np.empty(n, np.int64)
    size = _fill_keys(values, keys)
    width = 8 if n < 256 else 10 if n < 2048 else 11
    words, spare = _arrange(keys, max(size - DIGITS * width, 0), width, words, spare)
    _lay_down(values, members, words, order, ascending)
    if not _insert(order, ascending, MOVES * n):
        words[:] = np.arange(n)
        for shift in range(0, size, DIGITS * width):
            words, spare = _arrange(keys, shift, width, words, spare)
        _lay_down(values, members, words, order, ascending)
        _insert(order, ascending, n * n)


def _fill_keys(values: Array, keys: Keys) -> int:
    """Whole numbers from 0 on in the order of the values, and how many bits they have."""
    bits, signed = values.view(np.int64), keys.view(np.int64)
    least, most = -(LOWEST + 1), LOWEST
    for k in range(bits.size):
        key = bits[k] if bits[k] >= 0 else LOWEST - bits[k]
        signed[k] = key
        least, most = min(least, key), max(most, key)
    for k in range(bits.size):
        keys[k] -= np.uint64(least)
    span, size = np.uint64(most) - np.uint64(least), 0
    while size < 64 and span >> np.uint64(size) != 0:
        size += 1
    return size


def _arrange(keys: Keys, shift: int, width: int, words: Words, spare: Words) -> tuple[Words, Words]:
    """The words, stably sorted by two digits of so many bits above `shift`, and the other array."""
    last = (1 << width) - 1
    counts = np.zeros((DIGITS, last + 1), np.int32)
    for k in range(words.size):
        place = words[k] & PLACE
        digits = np.int64((keys[place] >> np.uint64(shift)) & np.uint64((1 << DIGITS * width) - 1))
        words[k] = digits << PLACE_BITS | place
        for digit in range(DIGITS):
            counts[digit, digits >> digit * width & last] += 1
    for digit in range(DIGITS):
        count, low = counts[digit], PLACE_BITS + digit * width
        if count[words[0] >> low & last] == words.size:
            continue
        start = np.int32(0)
        for value in range(last + 1):
            count[value], start = start, start + count[value]
        for k in range(words.size):
            value = words[k] >> low & last
            spare[count[value]] = words[k]
            count[value] += 1
        words, spare = spare, words
    return words, spare


def _lay_down(values: Array, members: Members, words: Words, order: Members, ascending: Array) -> None:
    for k in range(words.size):
        place = words[k] & PLACE
        ascending[k] = values[place]
        order[k] = members[place]


def _insert(order: Members, ascending: Array, most: int) -> bool:
    """Finish by insertion what is nearly in order, or say that it takes more moves than `most`."""
    moves = 0
    for k in range(1, ascending.size):
        value = ascending[k]
        if ascending[k - 1] > value:
            member, place = order[k], k
            while place > 0 and ascending[place - 1] > value:
                ascending[place], order[place] = ascending[place - 1], order[place - 1]
                place -= 1
            ascending[place], order[place] = value, member
            moves += k - place
            if moves > most:
                return False
    return True
