"""How a cross-section is put in order and ranked: plain loops that the statistic `ordered` calls.

A small section is sorted by insertion. A larger one is sorted by where its values lie in their range, 18 to 22 bits of
it, in two passes that count digits (a radix sort from the last digit to the first), and then by insertion, which has
little left to do. Where it has much to do, because outliers take the range for themselves, the section is sorted by the
leading bits that its values differ in, and if need be by all of them. -0.0 ties with 0.0.

Places and digits are unsigned, which spares compiled code the question whether they count from the end of an array.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["rank_section"]

Array: TypeAlias = npt.NDArray[np.float64]
Places: TypeAlias = npt.NDArray[np.uint32]
Words: TypeAlias = npt.NDArray[np.uint64]

FEW = 32
"""Below this many members anything else costs more than insertion."""

SHORT = 2**12
"""Fewer members than this leave room for both digits in a word of 32 bits."""

MOVES = 3
"""How far insertion may move a member, on the mean, before it gives up."""

BITS = 20
"""So many bits of values are two digits."""

LOWEST = -(2**63)


def rank_section(x: Array, rank: Array, ascending: Array) -> None:
    """The ranks of the present members from 1 on, ties sharing the mean of theirs, and the values from the smallest to
    the largest; missing members have no rank, and the missing values stand last."""
    n = 0
    for k in range(x.size):
        n += x[np.uint64(k)] == x[np.uint64(k)]
    order, present = np.empty(n, np.uint32), ascending[:n]
    if n == x.size:
        _ascend(x, order, present)
    else:
        rank[:] = np.nan
        ascending[n:] = np.nan
        members, values = np.empty(x.size, np.uint32), np.empty(x.size)
        _gather_present(x, members, values)
        _ascend(values[:n], order, present)
        for k in range(n):
            order[k] = members[order[k]]
    _rank(order, present, rank)


def _gather_present(x: Array, members: Places, values: Array) -> None:
    """The places and the values of the present members as they come."""
    n = np.uint64(0)
    for k in range(x.size):
        i = np.uint64(k)
        members[n], values[n] = i, x[i]
        n += np.uint64(x[i] == x[i])


def _rank(order: Places, ascending: Array, rank: Array) -> None:
    """Members that tie stand side by side, and share the mean of the first and the last of their ranks."""
    n, ties = order.size, 0
    for k in range(1, n):
        ties += ascending[k] == ascending[k - 1]
    if ties == 0:
        for k in range(n):
            rank[order[np.uint64(k)]] = k + 1
        return
    starts, start, stop = np.empty(n, np.uint32), 0, n
    for k in range(n):
        start = start if k > 0 and ascending[k] == ascending[k - 1] else k
        starts[k] = start
    for k in range(n - 1, -1, -1):
        rank[order[k]] = (starts[k] + stop + 1) / 2
        stop = k if starts[k] == k else stop


# --- order: the places of values from the smallest to the largest, and the values ----------------------------------


def _ascend(values: Array, order: Places, ascending: Array) -> None:
    n = values.size
    if n < FEW:
        _lay_down(values, np.arange(n).astype(np.uint64), 32, order, ascending)
        _insert(order, ascending, n * n)
    elif not (_ascend_short(values, order, ascending) if n < SHORT else _ascend_long(values, order, ascending)):
        _ascend_bits(values, order, ascending)


def _ascend_short(values: Array, order: Places, ascending: Array) -> bool:
    n = values.size
    width = 8 if n < 300 else 9 if n < 2000 else 10
    return _ascend_range(values, np.empty(n, np.uint32), np.empty(n, np.uint32), 12, width, order, ascending)


def _ascend_long(values: Array, order: Places, ascending: Array) -> bool:
    n = values.size
    return _ascend_range(values, np.empty(n, np.uint64), np.empty(n, np.uint64), 32, 11, order, ascending)


def _ascend_range(
    values: Array, words: Words, spare: Words, places: int, width: int, order: Places, ascending: Array
) -> bool:
    """By where values lie in their range; whether that tells them apart."""
    least, most = _bounds(values)
    scale = ((1 << 2 * width) - 1) / (most - least)
    if not 0 < scale < np.inf:
        return False
    up = np.uint64(places)
    for k in range(values.size):
        i = np.uint64(k)
        words[i] = np.uint64(np.int64((values[i] - least) * scale)) << up | i
    _arrange(words, spare, places, width)
    _lay_down(values, words, places, order, ascending)
    return _insert(order, ascending, MOVES * values.size)


def _bounds(values: Array) -> tuple[float, float]:
    """The smallest and the largest value: four at a time, because one comparison waits for the one before it."""
    a = b = c = d = np.inf
    p = q = r = s = -np.inf
    for k in range(0, values.size - 3, 4):
        i = np.uint64(k)
        v0, v1, v2, v3 = values[i], values[i + np.uint64(1)], values[i + np.uint64(2)], values[i + np.uint64(3)]
        a, b, c, d = min(v0, a), min(v1, b), min(v2, c), min(v3, d)
        p, q, r, s = max(v0, p), max(v1, q), max(v2, r), max(v3, s)
    for k in range(values.size - values.size % 4, values.size):
        a, p = min(values[k], a), max(values[k], p)
    return min(min(a, b), min(c, d)), max(max(p, q), max(r, s))


def _arrange(words: Words, spare: Words, places: int, width: int) -> None:
    """The words, stably sorted by two digits of so many bits that stand above their places."""
    first, second, last = np.uint64(places), np.uint64(places + width), np.uint64((1 << width) - 1)
    low, high = np.zeros(1 << width, np.uint32), np.zeros(1 << width, np.uint32)
    for k in range(words.size):
        word = np.uint64(words[np.uint64(k)])
        low[word >> first & last] += np.uint32(1)
        high[word >> second & last] += np.uint32(1)
    a = b = np.uint32(0)
    for k in range(low.size):
        i = np.uint64(k)
        low[i], a = a, a + low[i]
        high[i], b = b, b + high[i]
    for k in range(words.size):
        word = np.uint64(words[np.uint64(k)])
        digit = word >> first & last
        spare[low[digit]] = word
        low[digit] += np.uint32(1)
    for k in range(words.size):
        word = np.uint64(spare[np.uint64(k)])
        digit = word >> second & last
        words[high[digit]] = word
        high[digit] += np.uint32(1)


def _lay_down(values: Array, words: Words, places: int, order: Places, ascending: Array) -> None:
    last = np.uint64((1 << places) - 1)
    for k in range(words.size):
        i = np.uint64(k)
        place = np.uint64(words[i]) & last
        order[i], ascending[i] = place, values[place]


def _ascend_bits(values: Array, order: Places, ascending: Array) -> None:
    """By the leading bits that values differ in, and by all bits where these do not tell them apart.

    On the bits of a float64, smaller is earlier, but for the negative ones: their magnitudes are negated.
    """
    n = values.size
    keys, spare = np.empty(n, np.uint64), np.empty(n, np.uint64)
    size = _fill_keys(values, keys)
    for lowest in (max(size - BITS, 0), 0):
        words = np.arange(n).astype(np.uint64)
        for shift in range(lowest, size, BITS):
            for k in range(n):
                place = words[k] & np.uint64(2**32 - 1)
                words[k] = keys[place] >> np.uint64(shift) << np.uint64(32) | place
            _arrange(words, spare, 32, BITS // 2)
        _lay_down(values, words, 32, order, ascending)
        if _insert(order, ascending, MOVES * n):
            return


def _fill_keys(values: Array, keys: Words) -> int:
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


def _insert(order: Places, ascending: Array, most: int) -> bool:
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
