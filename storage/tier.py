"""Values in memory: hot ones as they are, those used less lately compressed; both within limits."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa

from factorloom.engine.bars.layout import as_array, as_series
from factorloom.engine.executor.fit import Size, bytes_of
from factorloom.expressions.errors import ArgumentError, ParameterError

__all__ = ["CacheLimits", "Tiers"]

CODEC = "lz4"
ITEM = 512
"""The bytes that an item takes besides its values, about."""
SAMPLE, WORTH = 4096, 0.9
"""So many bytes are compressed first, and the others where these take less than a share of what they took."""


class CacheLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a store keeps of computed values.

    Attributes
    ----------
    hot, compressed
        The most bytes in memory, as they are and compressed, such as `"512 MB"`.
    persistent
        The most bytes in files; None for no limit. What was made first goes first; saved and pinned factors stay.
    seconds
        How long values stay in memory; None for no limit.
    dtype
        Of values in files. `"float32"` takes half the room: values are then rounded to it, whether they are read or
        have just been computed; what is too large for it is missing.

    Examples
    --------
    >>> import factorloom as fl
    >>> with fl.open_store(":memory:", cache=fl.CacheLimits(hot="64 MB", compressed=0)) as store:
    ...     print(store.stats()["limit"].to_list())
    [64000000, 0, None]
    """

    hot: Size = 256_000_000
    compressed: Size = 256_000_000
    persistent: Size | None = None
    seconds: float | None = None
    dtype: Literal["float64", "float32"] = "float64"

    def checked(self) -> tuple[int, int, int | None, float | None]:
        """The limits as numbers; what is none is refused."""
        hot, compressed = (_size(name, getattr(self, name), or_none=True) for name in ("hot", "compressed"))
        if self.dtype not in ("float64", "float32"):
            raise ParameterError(f"dtype must be 'float64' or 'float32', got {self.dtype!r}")
        seconds, persistent = self.seconds, self.persistent
        is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if seconds is not None and not (is_number and seconds > 0):
            raise ParameterError(f"seconds must be a number above 0, got {seconds!r}")
        return hot, compressed, None if persistent is None else _size("persistent", persistent, or_none=False), seconds


def _size(name: str, size: object, *, or_none: bool) -> int:
    """A limit in bytes, above 0 or 0."""
    if or_none and type(size) is int and size == 0:
        return 0
    try:
        return bytes_of(size)  # type: ignore[arg-type]
    except ArgumentError:
        known = "'512 MB' or 0" if or_none else "'512 MB'"
        raise ParameterError(f"{name} must be a size, such as {known}, got {size!r}") from None


class Packed(NamedTuple):
    """Values in fewer bytes, of `size` unpacked; as they are where `codec` is None."""

    buffer: pa.Buffer
    size: int
    codec: str | None

    @classmethod
    def of(cls, values: pl.Series) -> Packed:
        """Values compressed, where some of their middle becomes smaller; most factors do not."""
        whole = pa.py_buffer(np.ascontiguousarray(as_array(values)))
        some = whole.slice(max(0, whole.size - SAMPLE) // 2, min(SAMPLE, whole.size))
        if len(pa.compress(some, codec=CODEC)) > WORTH * some.size:
            return cls(whole, whole.size, None)
        return cls(pa.compress(whole, codec=CODEC), whole.size, CODEC)

    def values(self) -> pl.Series:
        """What was packed."""
        raw = self.buffer
        if self.codec is not None:
            raw = pa.decompress(raw, self.size, codec=self.codec, asbytes=False)
        return as_series("", np.frombuffer(raw, np.float64))


class Tier:
    """One tier: what it holds, least recently used first, and its counters."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.items: OrderedDict[Hashable, tuple[Any, int, float]] = OrderedDict()
        self.bytes = self.hits = self.evictions = 0

    def take(self, key: Hashable) -> tuple[Any, int, float] | None:
        """Take an item out."""
        found = self.items.pop(key, None)
        if found is not None:
            self.bytes -= found[1]
        return found

    def put(self, key: Hashable, item: Any, size: int, made: float) -> list[tuple[Hashable, Any, int, float]]:
        """Put an item in; returns what had to leave."""
        self.take(key)
        self.items[key] = item, size, made
        self.bytes += size
        gone = []
        while self.bytes > self.limit:
            old, (value, bytes_, since) = self.items.popitem(last=False)
            self.bytes -= bytes_
            self.evictions += 1
            gone.append((old, value, bytes_, since))
        return gone


class Tiers:
    """Values in memory by key; safe to use from many threads."""

    def __init__(self, limits: CacheLimits) -> None:
        hot, compressed, self.persistent, self._seconds = limits.checked()
        self.hot, self.compressed = Tier(hot), Tier(compressed)
        self.dtype = limits.dtype
        self.misses = 0
        self.seconds_saved = 0.0
        self.cost: dict[str, float] = {}
        self._lock = threading.Lock()

    def get(self, keys: Iterable[tuple[int, str]]) -> dict[tuple[int, str], pl.Series]:
        """The values of those keys, a number and the digest of a factor, that are in memory.

        A compressed one becomes hot again. The time that computing them would have taken is counted.
        """
        now = time.monotonic()
        found: dict[tuple[int, str], pl.Series] = {}
        unpacked: list[tuple[tuple[int, str], Packed, float]] = []
        with self._lock:
            for key in keys:
                hot = self.hot.take(key)
                if hot is not None and not self._is_old(hot[2], now):
                    self.hot.items[key] = hot
                    self.hot.bytes += hot[1]
                    self.hot.hits += 1
                    found[key] = hot[0]
                    continue
                packed = self.compressed.take(key)
                if packed is None or self._is_old(packed[2], now):
                    self.misses += 1
                    continue
                self.compressed.hits += 1
                unpacked.append((key, packed[0], packed[2]))
        for key, item, made in unpacked:
            found[key] = item.values()
            self._put(key, found[key], made)
        with self._lock:
            self.seconds_saved += sum(self.cost.get(digest, 0.0) * each.len() for (_, digest), each in found.items())
        return found

    def put(self, key: tuple[int, str], values: pl.Series) -> None:
        """Keep values."""
        self._put(key, values, time.monotonic())

    def where(self, key: Hashable) -> str | None:
        """The tier that holds a key."""
        return "hot" if key in self.hot.items else "compressed" if key in self.compressed.items else None

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            for tier in (self.hot, self.compressed):
                tier.items.clear()
                tier.bytes = 0

    def _put(self, key: Hashable, values: pl.Series, made: float) -> None:
        size = int(values.estimated_size()) + ITEM
        with self._lock:
            self.compressed.take(key)
            if size > self.hot.limit or not values.len():
                self.hot.take(key)
                return
            gone = self.hot.put(key, values, size, made)
        for old, item, _, since in gone:
            if not self.compressed.limit or self._is_old(since, time.monotonic()):
                continue
            packed = Packed.of(item)
            if packed.buffer.size + ITEM <= self.compressed.limit:
                with self._lock:
                    self.compressed.put(old, packed, packed.buffer.size + ITEM, since)

    def _is_old(self, made: float, now: float) -> bool:
        return self._seconds is not None and now - made > self._seconds
