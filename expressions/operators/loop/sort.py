"""Sorting and ranking a cross-section: the plain loops behind ranks and the statistic `ordered`.

Every member is one word of 64 bits: a key in its upper half, and in its lower half which member it is. Keys are numbers
of 16 to 22 bits in the order of the values, on a scale that is linear near the centre of the section and logarithmic
far from it, so that outliers do not take up the scale. Words are sorted by a radix sort of two digits, the last digit
first. Where members share a key, or have neighbouring ones, their values are compared: those that tie (`tie.py`) do.

If values are so dense somewhere that many different ones share a key, the section is sorted by all bits of the values.
Indices and digits are unsigned: with signed ones, compiled code would test whether they count from the end of an array.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from factorloom.expressions.operators.loop.tie import differ

__all__ = ["MEMBER", "order_section", "rank_section", "room_of", "sort_section"]

Array: TypeAlias = npt.NDArray[np.float64]
Words: TypeAlias = npt.NDArray[np.uint64]
Keys: TypeAlias = npt.NDArray[np.int32]
Counts: TypeAlias = npt.NDArray[np.uint32]
Index: TypeAlias = npt.NDArray[np.int64]

FEW = 32
"""So many members with neighbouring keys are sorted by insertion; smaller sections have no keys."""

MANY = 12
"""Where more than one member in so many begins a run of neighbouring keys, all values are compared."""

MOVES = 3
"""How many moves insertion may take per member before a section is sorted by all bits."""

SAMPLE = 15
"""Members from which the centre and the spread of a section are estimated."""

SHARPNESS = 8192.0
"""How fine keys are at the centre."""

FAR = 16.0
"""The centre is 0, near which values are often dense, unless the section is so many times its spread away from it."""

NARROW = 1 / 32
"""The smallest spread of a section as a share of its centre: a key then covers at least four times the gap of a tie."""

ONE = 0x3FF0000000000000
"""The bits of 1.0."""

ALL_BITS_DIGIT, LOWEST = 11, -(2**63)
MOST_DIGITS = 2 << ALL_BITS_DIGIT
HALF, MEMBER = np.uint64(32), np.uint64(2**32 - 1)
ONCE, NEAR = np.uint32(1), np.uint64(1)


def rank_section(x: Array, doubled: Array) -> int:
    """Twice the ranks of the present members from 1 on, with ties (see `tie.py`) sharing their mean rank, and how many
    are present; missing members have no rank."""
    return order_section(x, doubled, np.empty(room_of(x.size), np.uint64))


def room_of(size: int) -> int:
    """How many words of memory ordering so many members takes: for words and values, and beside them for words once
    more, keys and counts, or for sorted values and where their ties start."""
    return 4 * size + 1 + MOST_DIGITS // 2


def order_section(x: Array, doubled: Array, room: Words) -> int:
    """As `rank_section`, in memory that is given (`room_of`); afterwards the lower halves of its first words are the
    members in their order, those that tie in any, missing ones last."""
    words, values = room[: x.size], room[x.size : 2 * x.size].view(np.float64)
    for k in range(np.uint64(x.size)):
        values[k] = x[k] + 0.0  # -0.0 is 0.0
    n = _order(values, words, room[2 * x.size :])
    for k in range(n, x.size):
        doubled[words[k] & MEMBER] = np.nan
    if not _fill_ranks(values, words[:n], room[2 * x.size :], doubled):
        _order_by_bits(values, words[:n], room[2 * x.size :])
        _rank_keys(words[:n], doubled)
    return n


def sort_section(x: Array, ascending: Array) -> None:
    """The sorted values, missing ones last."""
    room = np.empty(room_of(x.size), np.uint64)
    values, words = room[: x.size].view(np.float64), room[x.size : 2 * x.size]
    for k in range(np.uint64(x.size)):
        values[k] = x[k] + 0.0  # -0.0 is 0.0
    n = _order(values, words, room[2 * x.size :])
    ascending[n:] = np.nan
    _gather(values, words[:n], ascending)
    if not _insert(ascending[:n], FEW * n if n <= FEW else MOVES * n):
        _order_by_bits(values, words[:n], room[2 * x.size :])
        _gather(values, words[:n], ascending)


def _gather(values: Array, words: Words, out: Array) -> None:
    for k in range(np.uint64(words.size)):
        out[k] = values[words[k] & MEMBER]


def _insert(ascending: Array, most: int) -> bool:
    """Finish by insertion what is nearly in order; false where that takes more moves than `most`."""
    moves = 0
    for k in range(1, ascending.size):
        value, i = ascending[k], k
        while i > 0 and ascending[i - 1] > value:
            ascending[i] = ascending[i - 1]
            i -= 1
        ascending[i] = value
        moves += k - i
        if moves > most:
            return False
    return True


# --- order: words in the order of their keys ------------------------------------------------------------------------


def _order(values: Array, words: Words, room: Words) -> int:
    """Fill in the words of all members in the order of their keys, missing ones last; return how many are present."""
    size = np.uint64(values.size)
    n = 0
    for k in range(size):
        n += values[k] == values[k]
    if n <= FEW:
        first, last = np.uint64(0), np.uint64(n)
        for k in range(size):
            if values[k] == values[k]:
                words[first] = k
                first += np.uint64(1)
            else:
                words[last] = k
                last += np.uint64(1)
        return n
    digit = 8 if n < 600 else 9 if n < 2000 else 10 if n < 10_000 else 11
    spare, rest, half = room[: values.size], room[values.size :], values.size // 2 + 1
    keys, counts = rest[:half].view(np.int32), rest[half:].view(np.uint32)
    _fill_keys(values, keys, 2 * digit)
    for k in range(size):
        words[k] = np.uint64(np.uint32(keys[k])) << HALF | np.uint64(k)
    _sort_words(words, spare, counts, digit)
    return n


def _fill_keys(values: Array, keys: Keys, bits: int) -> None:
    """The upper half of the bits of `1 + distance from the centre`, read as an integer, is the scale of keys: linear up
    to a distance of 1, and logarithmic beyond. Missing values have the largest key of all."""
    sample, step, n = np.empty(SAMPLE), values.size // SAMPLE, 0
    for k in range(SAMPLE):
        value, i = values[k * step], n
        if value == value:
            while i > 0 and sample[i - 1] > value:
                sample[i] = sample[i - 1]
                i -= 1
            sample[i] = value
            n += 1
    spread, middle, centre = 0.0, 0.0, 0.0
    if n > 0:
        spread, middle = sample[n - 1 - n // 4] - sample[n // 4], sample[n // 2]
        spread = max(spread if spread > 0 else sample[n - 1] - sample[0], NARROW * abs(middle))
        centre = 0.0 if abs(middle) < FAR * spread else middle
    scale = SHARPNESS / spread if spread > 0 else 1.0
    size, between = np.uint64(values.size), _key(middle, centre, scale)
    for k in range(size):
        keys[k] = _key(values[k], centre, scale) if values[k] == values[k] else between
    least = most = between
    for k in range(size):
        least, most = min(least, keys[k]), max(most, keys[k])
    span, shift, last = np.int64(most) - np.int64(least), 0, (1 << bits) - 1
    while span >> shift >= last:
        shift += 1
    for k in range(size):
        key = np.int32(np.uint32(keys[k] - least) >> np.uint32(shift))
        keys[k] = key if values[k] == values[k] else np.int32(last)


def _key(value: float, centre: float, scale: float) -> np.int32:
    distance = value - centre
    key = np.int32((_bits(1.0 + abs(distance) * scale) - ONE) >> 32)
    return key if distance >= 0 else np.int32(-key)


def _bits(value: float) -> int:
    return int(np.float64(value).view(np.int64))


def _sort_words(words: Words, spare: Words, counts: Counts, digit: int) -> None:
    """Sort words by the two digits of their keys.

    `low` and `high` first count how often each digit occurs, and then give where the next word of a digit goes.
    """
    first, second, last = HALF, HALF + np.uint64(digit), np.uint64((1 << digit) - 1)
    low, high, size = counts[: 1 << digit], counts[1 << digit : 2 << digit], np.uint64(words.size)
    low[:] = 0
    high[:] = 0
    for k in range(size):
        word = words[k]
        low[word >> first & last] += ONCE
        high[word >> second & last] += ONCE
    a = b = np.uint32(0)
    for k in range(np.uint64(low.size)):
        low[k], a = a, a + low[k]
        high[k], b = b, b + high[k]
    for k in range(size):
        word = words[k]
        place = word >> first & last
        spare[low[place]] = word
        low[place] += ONCE
    for k in range(size):
        word = spare[k]
        place = word >> second & last
        words[high[place]] = word
        high[place] += ONCE


def _order_by_bits(values: Array, words: Words, room: Words) -> None:
    """Sort words by their values; afterwards the keys of those that tie are equal, and no others.

    The bits of a value, read as a signed integer, are in the order of the values if those of the magnitude of negative
    ones are turned around.
    """
    size, span, last = np.uint64(words.size), np.uint64(2 * ALL_BITS_DIGIT), np.uint64((1 << 2 * ALL_BITS_DIGIT) - 1)
    spare, counts = room[: words.size], room[words.size :].view(np.uint32)
    shift = np.uint64(0)
    while shift < 64:
        for k in range(size):
            member = words[k] & MEMBER
            bits = _bits(values[member])
            key = np.uint64(bits ^ (LOWEST if bits >= 0 else -1))
            words[k] = (key >> shift & last) << HALF | member
        _sort_words(words, spare, counts, ALL_BITS_DIGIT)
        shift += span
    key, before = np.uint64(0), words[0] & MEMBER
    for k in range(size):
        member = words[k] & MEMBER
        key += np.uint64(differ(values[before], values[member]))
        words[k] = key << HALF | member
        before = member


# --- ranks ---------------------------------------------------------------------------------------------------------


def _fill_ranks(values: Array, words: Words, room: Words, doubled: Array) -> bool:
    """Twice the rank of each member; false where too many members with neighbouring keys are out of order."""
    n, runs = words.size, _count_runs(words)
    if n > FEW and runs > n // MANY:
        return _rank_all(values, words, room[:n].view(np.float64), room[n:].view(np.int64), doubled)
    for k in range(np.uint64(n)):
        doubled[words[k] & MEMBER] = 2 * np.int64(k) + 2
    start = 0
    for stop in range(1, n + 1 if runs > 0 else 0):
        if stop == n or (words[np.uint64(stop)] >> HALF) - (words[np.uint64(stop - 1)] >> HALF) > NEAR:
            if stop > start + 1 and not _rank_run(values, words[start:stop], 2 * start, doubled):
                return False
            start = stop
    return True


def _rank_keys(words: Words, doubled: Array) -> None:
    """The same for words whose keys are equal where values tie, and nowhere else."""
    start = 0
    for stop in range(1, words.size + 1):
        if stop == words.size or words[np.uint64(stop)] >> HALF != words[np.uint64(start)] >> HALF:
            for k in range(start, stop):
                doubled[words[np.uint64(k)] & MEMBER] = start + stop + 1
            start = stop


def _count_runs(words: Words) -> int:
    """How many runs of neighbouring keys there are, each counted where its first two members meet."""
    if words.size < 3:
        return words.size // 2
    middle, last, runs = words[1:], words[2:], np.int64((words[1] >> HALF) - (words[0] >> HALF) <= NEAR)
    for k in range(np.uint64(last.size)):
        before, now, after = words[k] >> HALF, middle[k] >> HALF, last[k] >> HALF
        runs += np.int64(after - now <= NEAR) & np.int64(now - before > NEAR)
    return int(runs)


def _rank_all(values: Array, words: Words, ascending: Array, starts: Index, doubled: Array) -> bool:
    """The same by comparing all values, without branches where values tie."""
    n, size = words.size, np.uint64(words.size)
    for k in range(size):
        ascending[k] = values[words[k] & MEMBER]
    moves = 0
    for k in range(1, n):
        if ascending[np.uint64(k - 1)] > ascending[np.uint64(k)]:
            value, word, i = ascending[k], words[k], k
            while i > 0 and ascending[i - 1] > value:
                ascending[i], words[i] = ascending[i - 1], words[i - 1]
                i -= 1
            ascending[i], words[i] = value, word
            moves += k - i
            if moves > MOVES * n:
                return False
    start = starts[0] = 0
    for k in range(1, n):
        start = k if differ(ascending[np.uint64(k - 1)], ascending[np.uint64(k)]) else start
        starts[np.uint64(k)] = start
    stop = n
    for k in range(n - 1, -1, -1):
        start = starts[np.uint64(k)]
        doubled[words[np.uint64(k)] & MEMBER] = start + stop + 1
        stop = k if start == k else stop
    return True


def _rank_run(values: Array, words: Words, before: int, doubled: Array) -> bool:
    """The same for members with neighbouring keys, with twice the number of those before them."""
    size, first = np.uint64(words.size), words[0] & MEMBER
    if size == 2:
        second = words[1] & MEMBER
        above = np.int64(differ(values[second], values[first])) - np.int64(differ(values[first], values[second]))
        doubled[first], doubled[second] = before + 3 + above, before + 3 - above
        lower = words[1] if above > 0 else words[0]
        words[0], words[1] = lower, words[0] ^ words[1] ^ lower
        return True
    others = 0
    for k in range(size):
        value = values[words[k] & MEMBER]
        others += differ(values[first], value) | differ(value, values[first])
    if others == 0:
        for k in range(size):
            doubled[words[k] & MEMBER] = before + words.size + 1
        return True
    if words.size > FEW:
        return False
    for k in range(1, words.size):
        word, i = words[k], k
        while i > 0 and values[words[i - 1] & MEMBER] > values[word & MEMBER]:
            words[i] = words[i - 1]
            i -= 1
        words[i] = word
    start = 0
    for stop in range(1, words.size + 1):
        if stop == words.size or differ(values[words[stop - 1] & MEMBER], values[words[stop] & MEMBER]):
            for k in range(start, stop):
                doubled[words[k] & MEMBER] = before + start + stop + 1
            start = stop
    return True
