"""Sorting and ranking a cross-section: the plain loops behind the statistics `ranked` and `ordered`.

Every present member is one word of 64 bits, whose order as a signed integer is that of the values. For ranks the word
holds the rounded value (see `tie.py`), whose last bits are zero, and there the place of the member: no separate array
of places has to be moved along. Sections with more members than these bits can number are looked up instead.

Words are sorted in three steps:

1. each gets a bucket from its value, on a scale that is linear near the centre of the section and logarithmic far from
   it, so that outliers do not take up all buckets; there are two buckets for each member;
2. words are put into the order of their buckets;
3. neighbours that are out of order are swapped, in all even and then in all odd pairs, until none is. This has no
   branches and uses vector instructions. It takes as many passes as the fullest bucket has members out of order.

To keep pairs apart for step 3, words at even positions are in one array, `evens`, and those at odd positions in
another, `odds`. Where values repeat or are very dense somewhere, a radix sort by where values lie in their range takes
the place of buckets, and if that leaves too many passes a radix sort by all bits.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from factorloom.expressions.operators.loop.tie import PLACE_BITS, rounded

__all__ = ["rank_section", "sort_section"]

Array: TypeAlias = npt.NDArray[np.float64]
Words: TypeAlias = npt.NDArray[np.int64]
Buckets: TypeAlias = npt.NDArray[np.int32]
Counts: TypeAlias = npt.NDArray[np.uint32]

FEW = 32
"""With fewer members than this, nothing is gained by buckets."""

SAMPLE = 15
"""Members from which the centre and the spread of a section are estimated."""

SHARPNESS = 8.0
"""How fine buckets are at the centre."""

ROUNDS, MOST_ROUNDS = 10, 40
"""How many times all pairs are compared after buckets, and after the first radix sort, before another way is tried."""

MAGNITUDE, LOWEST = 2**63 - 1, -(2**63)
PLACE = 2**PLACE_BITS - 1
ONE = 0x3FF0000000000000
"""The bits of 1.0."""

DIGIT = 8
"""Bits of a digit of the radix sort."""


def rank_section(x: Array, doubled: Array) -> int:
    """Twice the ranks of the present members from 1 on, with ties sharing their mean rank, and how many are present;
    missing members have no rank."""
    is_short = x.size <= PLACE + 1
    room, words, spare, buckets, counts, order = _room(x.size)
    values = spare.view(np.float64)
    for k in range(x.size):
        values[k] = rounded(x[k])
    place = PLACE if is_short else 0
    for k in range(x.size):
        words[k] = _turned(spare[k], PLACE) | (k & place)
    n = _drop_missing(x, words, doubled)
    even = (n + 1) // 2
    evens, odds = room[:even], room[even : 2 * even]
    is_near = _sort(words[:n], spare[:n], buckets[:n], counts[: 2 * n], order[: 0 if is_short else n], room, PLACE)
    if is_short:
        _write_ranks(evens, odds, n, doubled)
        if _count_tied(evens[: max(even - 1, 0)], evens[1:]) + _count_tied(odds[: max(n // 2 - 1, 0)], odds[1:]) > 0:
            _share_ranks(room, even, n, doubled)
        return n
    ranks = words[:n]
    _fill_ranks(room, even, ranks)
    if is_near:
        _place_near(x, room, even, order, ranks, doubled)
    else:
        _look_up(x, room, even, ranks, doubled)
    return n


def sort_section(x: Array, ascending: Array) -> None:
    """The sorted values, missing ones last."""
    room, words, spare, buckets, counts, order = _room(x.size)
    values = spare.view(np.float64)
    for k in range(x.size):
        values[k] = x[k] + 0.0
    for k in range(x.size):
        words[k] = _turned(spare[k], 0)
    n = _drop_missing(x, words, ascending)
    even = (n + 1) // 2
    _sort(words[:n], spare[:n], buckets[:n], counts[: 2 * n], order[:0], room, 0)
    ascending[n:] = np.nan
    bits = ascending[:n].view(np.int64)
    for k in range(n):
        bits[k] = _turned(room[_index(k, even)], 0)


def _room(size: int) -> tuple[Words, Words, Words, Buckets, Counts, Buckets]:
    """Memory in one piece, because asking for it takes time: for sorted words, words, other words, buckets, counts, and
    the order in buckets."""
    half = size // 2 + 1
    memory = np.empty(4 * size + 2 * half + 1, np.int64)
    a, b, c = size + 1, 2 * size + 1, 3 * size + 1
    d = c + half
    e = d + size
    buckets, counts, order = memory[c:d].view(np.int32), memory[d:e].view(np.uint32), memory[e:].view(np.int32)
    return memory[:a], memory[a:b], memory[b:c], buckets, counts, order


def _turned(bits: int, low: int) -> int:
    """The bits of a value as an integer in the order of values, or back: the magnitude of negative ones is turned
    around, but for the `low` bits."""
    return bits ^ (bits >> 63 & (MAGNITUDE - low))


def _index(position: int, even: int) -> np.uint64:
    """Where the word at a position is, with `even` words at even positions before those at odd ones."""
    return np.uint64((position >> 1) + (position & 1) * even)


def _drop_missing(x: Array, words: Words, out: Array) -> int:
    """Keep the words of present members only, and make `out` missing if some are not; return how many are present.

    Every word is written, and the next one overwrites it where it was missing: no branch to mispredict.
    """
    n = 0
    for k in range(x.size):
        n += x[k] == x[k]
    if n < x.size:
        m = np.uint64(0)
        for k in range(x.size):
            i = np.uint64(k)
            out[i], words[m] = np.nan, words[i]
            m += np.uint64(x[i] == x[i])
    return n


# --- order ---------------------------------------------------------------------------------------------------------


def _sort(
    words: Words,
    spare: Words,
    buckets: Buckets,
    counts: Counts,
    order: Buckets,
    room: Words,
    low: int,
) -> bool:
    """Sort words into the even and the odd positions in `room` by all but the `low` bits; whether by buckets.

    If there is an `order` to fill, it holds which word was at each position in the order of buckets, and sorted words
    get the last bits of that position.
    """
    n, even = words.size, (words.size + 1) // 2
    evens, odds = room[:even], room[even : 2 * even]
    if n % 2:
        odds[n // 2] = MAGNITUDE
    if n < FEW:
        _deal(words, evens, odds)
        _swap(evens, odds, low, n)
        return False
    for k in range(n):
        spare[k] = _turned(words[k] & ~PLACE, PLACE)
    if _fill_buckets(spare.view(np.float64), buckets, counts.size):
        _distribute(words, spare, buckets, counts, order, room)
        if _swap(evens, odds, low, ROUNDS):
            return True
        for k in range(n):
            spare[k] = _turned(words[k] & ~PLACE, PLACE)
    if _sort_by_range(words, spare, order, room) and _swap(evens, odds, low, MOST_ROUNDS):
        return True
    _sort_by_bits(words, spare, evens, odds)
    return False


def _deal(words: Words, evens: Words, odds: Words) -> None:
    """Words in their order to even and odd positions."""
    for k in range(words.size // 2):
        evens[k], odds[k] = words[2 * k], words[2 * k + 1]
    if words.size % 2:
        evens[words.size // 2] = words[words.size - 1]


def _fill_buckets(values: Array, buckets: Buckets, count: int) -> bool:
    """The bucket of every value, from 0 up to `count`, excluded; false where values repeat, which fill up a bucket.

    The upper half of the bits of `1 + distance from the centre`, read as an integer, is the scale: linear up to a
    distance of 1, and logarithmic beyond.
    """
    sample, step = np.empty(SAMPLE), values.size // SAMPLE
    repeats = 0
    for k in range(SAMPLE):
        value, i = values[k * step], k
        while i > 0 and sample[i - 1] > value:
            sample[i] = sample[i - 1]
            i -= 1
        repeats += i > 0 and sample[i - 1] == value
        sample[i] = value
    spread = sample[SAMPLE - 1 - SAMPLE // 4] - sample[SAMPLE // 4]
    if repeats > 1 or not spread > 0:
        return False
    centre, scale = sample[SAMPLE // 2], SHARPNESS / spread
    bits, size = values.view(np.int64), np.uint64(values.size)
    for k in range(size):
        buckets[k] = 1 if values[k] >= centre else -1
    for k in range(size):
        values[k] = 1.0 + abs(values[k] - centre) * scale
    for k in range(size):
        buckets[k] *= np.int32((bits[k] - ONE) >> 32)
    least, most = buckets[0], buckets[0]
    for k in range(size):
        least, most = min(least, buckets[k]), max(most, buckets[k])
    wide = (count - 1) / max(1.0, float(most) - float(least))
    for k in range(size):
        buckets[k] = np.int32((float(buckets[k]) - float(least)) * wide)
    return True


def _distribute(words: Words, nth: Words, buckets: Buckets, counts: Counts, order: Buckets, room: Words) -> None:
    """Put words into the order of their buckets, in their given order within each."""
    even = np.uint64((words.size + 1) // 2)
    counts[:] = 0
    for k in range(words.size):
        i = np.uint64(k)
        bucket = np.uint32(buckets[i])
        number = counts[bucket]
        nth[i], counts[bucket] = number, number + np.uint32(1)
    start = np.uint32(0)
    for k in range(counts.size):
        i = np.uint64(k)
        counts[i], start = start, start + counts[i]
    for k in range(words.size):
        i = np.uint64(k)
        position, word = np.uint64(counts[np.uint32(buckets[i])]) + np.uint64(nth[i]), words[i]
        if order.size:
            order[position] = k
            word |= np.int64(position) & PLACE
        room[(position >> np.uint64(1)) + (position & np.uint64(1)) * even] = word


def _swap(evens: Words, odds: Words, low: int, most: int) -> bool:
    """Swap neighbours that are out of order until none is; false where that takes more than `most` rounds."""
    later, inner = evens[1:], odds[: evens.size - 1]
    for _ in range(most):
        _swap_pairs(evens, odds, low)
        _swap_pairs(inner, later, low)
        if _count_swapped(evens, odds, low) == 0:
            return True
    return False


def _swap_pairs(first: Words, second: Words, low: int) -> None:
    for k in range(first.size):
        a, b = first[k], second[k]
        swapped = a > b | low
        first[k], second[k] = b if swapped else a, a if swapped else b


def _count_swapped(first: Words, second: Words, low: int) -> int:
    count = 0
    for k in range(first.size):
        count += first[k] > second[k] | low
    return count


def _sort_by_range(words: Words, spare: Words, order: Buckets, room: Words) -> bool:
    """Sort words by where their values, which are in `spare`, lie in their range; false where it is unknown.

    That is a number of two digits: a radix sort of numbers with the index of the word in their lower half.
    """
    values, size, even = spare.view(np.float64), np.uint64(words.size), np.uint64((words.size + 1) // 2)
    least, most = values[0], values[0]
    for k in range(size):
        least, most = min(least, values[k]), max(most, values[k])
    digit_bits = 8 if words.size < 300 else 9 if words.size < 2000 else 10
    scale = (4.0**digit_bits - 1) / (most - least)
    if not 0 < scale < np.inf:
        return False
    for k in range(size):
        spare[k] = np.int64((values[k] - least) * scale) << 32 | np.int64(k)
    first, second, last = np.uint64(32), np.uint64(32 + digit_bits), np.uint64((1 << digit_bits) - 1)
    between, counts = np.empty(words.size, np.int64), np.zeros(2 << digit_bits, np.uint32)
    low, high = counts[: 1 << digit_bits], counts[1 << digit_bits :]
    for k in range(size):
        number = np.uint64(spare[k])
        low[number >> first & last] += np.uint32(1)
        high[number >> second & last] += np.uint32(1)
    a = b = np.uint32(0)
    for k in range(low.size):
        i = np.uint64(k)
        low[i], a = a, a + low[i]
        high[i], b = b, b + high[i]
    for k in range(size):
        number = np.uint64(spare[k])
        digit = number >> first & last
        between[low[digit]] = number
        low[digit] += np.uint32(1)
    for k in range(size):
        number = np.uint64(between[k])
        digit = number >> second & last
        position, index = np.uint64(high[digit]), number & np.uint64(2**32 - 1)
        high[digit] += np.uint32(1)
        word = words[index]
        if order.size:
            order[position] = index
            word |= np.int64(position) & PLACE
        room[(position >> np.uint64(1)) + (position & np.uint64(1)) * even] = word
    return True


def _sort_by_bits(words: Words, spare: Words, evens: Words, odds: Words) -> None:
    """A radix sort, which uses up `words`; digits in which no word differs are skipped."""
    counts = np.empty(1 << DIGIT, np.int64)
    last = (1 << DIGIT) - 1
    for shift in range(0, 64, DIGIT):
        counts[:] = 0
        for k in range(words.size):
            counts[((words[k] ^ LOWEST) >> shift) & last] += 1
        if counts[((words[0] ^ LOWEST) >> shift) & last] == words.size:
            continue
        start = 0
        for digit in range(counts.size):
            counts[digit], start = start, start + counts[digit]
        for k in range(words.size):
            digit = ((words[k] ^ LOWEST) >> shift) & last
            spare[counts[digit]] = words[k]
            counts[digit] += 1
        words, spare = spare, words
    _deal(words, evens, odds)


# --- ranks ---------------------------------------------------------------------------------------------------------


def _count_tied(first: Words, second: Words) -> int:
    count = 0
    for k in range(first.size):
        count += first[k] | PLACE == second[k] | PLACE
    return count


def _write_ranks(evens: Words, odds: Words, n: int, doubled: Array) -> None:
    """Twice the rank of every member, if at most two share a value."""
    before = 0  # 1 if the word before ties with the next one
    for k in range(evens.size - 1):
        i = np.uint64(k)
        even, odd, later = evens[i], odds[i], evens[i + np.uint64(1)]
        pair, after = int(even | PLACE == odd | PLACE), int(odd | PLACE == later | PLACE)
        doubled[np.uint64(even & PLACE)] = 4 * k + 2 + pair - before
        doubled[np.uint64(odd & PLACE)] = 4 * k + 4 + after - pair
        before = after
    if n % 2:
        doubled[np.uint64(evens[n // 2] & PLACE)] = 2 * n - before
    elif n:
        even, odd = evens[n // 2 - 1], odds[n // 2 - 1]
        pair = int(even | PLACE == odd | PLACE)
        doubled[np.uint64(even & PLACE)] = 2 * n - 2 + pair - before
        doubled[np.uint64(odd & PLACE)] = 2 * n - pair


def _share_ranks(room: Words, even: int, n: int, doubled: Array) -> None:
    """Give those that tie the mean of their first and last rank: any number of them."""
    first = 0
    while first < n - 1:
        word, stop = room[_index(first, even)] | PLACE, first + 1
        while stop < n and room[_index(stop, even)] | PLACE == word:
            stop += 1
        if stop > first + 1:
            for k in range(first, stop):
                doubled[np.uint64(room[_index(k, even)] & PLACE)] = first + stop + 1
        first = stop


def _fill_ranks(room: Words, even: int, ranks: Words) -> None:
    """Twice the rank at every position: ties share the mean of their first and last rank."""
    n = ranks.size
    start = 0
    for k in range(n):
        tied = k > 0 and room[_index(k, even)] | PLACE == room[_index(k - 1, even)] | PLACE
        start = start if tied else k
        ranks[k] = start
    stop = n
    for k in range(n - 1, -1, -1):
        start = ranks[k]
        ranks[k] = start + stop + 1
        stop = k if start == k else stop


def _place_near(x: Array, room: Words, even: int, order: Buckets, ranks: Words, doubled: Array) -> None:
    """Give ranks to the members whose last bits of a position are known: it is near to where the word is now."""
    n = ranks.size
    for k in range(n):
        away = (room[_index(k, even)] - k) & PLACE
        position = k + (away if away <= PLACE // 2 else away - PLACE - 1)
        doubled[np.uint64(order[np.uint64(position)])] = ranks[k]
    m = n
    for k in range(x.size - 1 if n < x.size else -1, -1, -1):
        is_present = x[k] == x[k]
        m -= is_present
        doubled[k] = doubled[m] if is_present else np.nan


def _look_up(x: Array, room: Words, even: int, ranks: Words, doubled: Array) -> None:
    """Give ranks to members by searching for their values."""
    value = np.empty(1)
    bits = value.view(np.int64)
    for k in range(x.size):
        if x[k] == x[k]:
            value[0] = rounded(x[k])
            word = _turned(bits[0], PLACE)
            first, last = 0, ranks.size - 1
            while first < last:
                half = (first + last) // 2
                if room[_index(half, even)] < word:
                    first = half + 1
                else:
                    last = half
            doubled[k] = ranks[first]
