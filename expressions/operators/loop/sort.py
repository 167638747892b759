"""Ordering and ranking a cross-section: the plain loops behind the statistic `ordered`.

A small section is sorted by insertion. A larger one is sorted by where its values lie in their range, as a number of 16
to 22 bits: a radix sort of two digits, the last digit first, which leaves little for a final insertion. Where outliers
take up the range, so that insertion would have much to move, the section is sorted by the leading bits in which its
values differ instead, and if need be by all of their bits. -0.0 ties with 0.0.

A radix sort moves words that hold the key in their upper bits and the index of the member in their lower ones. Indices
and digits are unsigned: with signed ones, compiled code would test whether they count from the end of an array.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["rank_section"]

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.uint32]
Words: TypeAlias = npt.NDArray[np.uint64]

FEW = 32
"""With fewer members than this nothing is faster than insertion."""

SHORT = 2**12
"""Fewer members than this have indices of 12 bits, which leave room for two digits in a word of 32."""

MOVES = 3
"""How many moves insertion may take per member before it gives up."""

BITS = 20
"""The bits of two digits where values are sorted by their bits."""

LOWEST = -(2**63)


def rank_section(x: Array, rank: Array, ascending: Array) -> None:
    """The ranks of the present members from 1 on, with ties sharing their mean rank, and the sorted values; missing
    members have no rank, and missing values come last."""
    n = 0
    for k in range(x.size):
        n += x[np.uint64(k)] == x[np.uint64(k)]
    order, present = np.empty(n, np.uint32), ascending[:n]
    if n == x.size:
        _sort(x, order, present)
    else:
        rank[:] = np.nan
        ascending[n:] = np.nan
        members, values = np.empty(x.size, np.uint32), np.empty(x.size)
        _gather_present(x, members, values)
        _sort(values[:n], order, present)
        for k in range(n):
            order[k] = members[order[k]]
    _rank(order, present, rank)


def _gather_present(x: Array, members: Indices, values: Array) -> None:
    """The indices and the values of the present members, in their given order.

    Every member is written, and the next one overwrites it where it was missing: no branch to mispredict.
    """
    n = np.uint64(0)
    for k in range(x.size):
        i = np.uint64(k)
        members[n], values[n] = i, x[i]
        n += np.uint64(x[i] == x[i])


def _rank(order: Indices, ascending: Array, rank: Array) -> None:
    """Tied members are neighbours in sorted order, and share the mean of the first and the last of their ranks."""
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


# --- order: the indices of the values from the smallest to the largest, and the sorted values ----------------------


def _sort(values: Array, order: Indices, ascending: Array) -> None:
    n = values.size
    if n < FEW:
        _unpack(values, np.arange(n).astype(np.uint64), 32, order, ascending)
        _insert(order, ascending, n * n)
    elif not (_sort_short(values, order, ascending) if n < SHORT else _sort_long(values, order, ascending)):
        _sort_by_bits(values, order, ascending)


def _sort_short(values: Array, order: Indices, ascending: Array) -> bool:
    n = values.size
    digit_bits = 8 if n < 300 else 9 if n < 2000 else 10
    return _sort_by_range(values, np.empty(n, np.uint32), np.empty(n, np.uint32), 12, digit_bits, order, ascending)


def _sort_long(values: Array, order: Indices, ascending: Array) -> bool:
    n = values.size
    return _sort_by_range(values, np.empty(n, np.uint64), np.empty(n, np.uint64), 32, 11, order, ascending)


def _sort_by_range(
    values: Array, words: Words, spare: Words, index_bits: int, digit_bits: int, order: Indices, ascending: Array
) -> bool:
    """Sort by where values lie in their range; false where that leaves too much for insertion."""
    least, most = _bounds(values)
    scale = ((1 << 2 * digit_bits) - 1) / (most - least)
    if not 0 < scale < np.inf:
        return False
    shift = np.uint64(index_bits)
    for k in range(values.size):
        i = np.uint64(k)
        words[i] = np.uint64(np.int64((values[i] - least) * scale)) << shift | i
    _sort_words(words, spare, index_bits, digit_bits)
    _unpack(values, words, index_bits, order, ascending)
    return _insert(order, ascending, MOVES * values.size)


def _bounds(values: Array) -> tuple[float, float]:
    """The smallest and the largest value: four at a time, because a comparison waits for the one before it."""
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


def _sort_words(words: Words, spare: Words, index_bits: int, digit_bits: int) -> None:
    """Sort words by the two digits above their index bits, the lower digit first and stably, by counting.

    `low` and `high` first count how often each digit occurs, and then give where the next word of a digit goes.
    """
    first, second = np.uint64(index_bits), np.uint64(index_bits + digit_bits)
    last = np.uint64((1 << digit_bits) - 1)
    low, high = np.zeros(1 << digit_bits, np.uint32), np.zeros(1 << digit_bits, np.uint32)
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


def _unpack(values: Array, words: Words, index_bits: int, order: Indices, ascending: Array) -> None:
    """The indices in the lower bits of sorted words, and their values."""
    last = np.uint64((1 << index_bits) - 1)
    for k in range(words.size):
        i = np.uint64(k)
        member = np.uint64(words[i]) & last
        order[i], ascending[i] = member, values[member]


def _sort_by_bits(values: Array, order: Indices, ascending: Array) -> None:
    """Sort by the leading bits in which values differ, and by all of them where that leaves too much for insertion."""
    n = values.size
    keys, spare = np.empty(n, np.uint64), np.empty(n, np.uint64)
    size = _fill_keys(values, keys)
    for lowest in (max(size - BITS, 0), 0):
        words = np.arange(n).astype(np.uint64)
        for shift in range(lowest, size, BITS):
            for k in range(n):
                member = words[k] & np.uint64(2**32 - 1)
                words[k] = keys[member] >> np.uint64(shift) << np.uint64(32) | member
            _sort_words(words, spare, 32, BITS // 2)
        _unpack(values, words, 32, order, ascending)
        if _insert(order, ascending, MOVES * n):
            return


def _fill_keys(values: Array, keys: Words) -> int:
    """Fill whole numbers from 0 on, in the order of the values; return how many bits they have.

    The bits of a float64, read as a signed integer, are in the order of the values if those of negative ones are turned
    around: their magnitude is negated.
    """
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


def _insert(order: Indices, ascending: Array, most: int) -> bool:
    """Finish by insertion what is nearly in order; false where that takes more moves than `most`."""
    moves = 0
    for k in range(1, ascending.size):
        value = ascending[k]
        if ascending[k - 1] > value:
            member, i = order[k], k
            while i > 0 and ascending[i - 1] > value:
                ascending[i], order[i] = ascending[i - 1], order[i - 1]
                i -= 1
            ascending[i], order[i] = value, member
            moves += k - i
            if moves > most:
                return False
    return True
