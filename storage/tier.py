"""Values in memory: hot ones as they are, those used less lately compressed; both within limits."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from factorloom.engine.bars.layout import Array
from factorloom.engine.executor.fit import Size, bytes_of
from factorloom.expressions.errors import ArgumentError, ParameterError

__all__ = ["CacheLimits", "Tiers"]

CODEC = "lz4"
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
    def of(cls, values: Array) -> Packed:
        """Values compressed, where some of their middle becomes smaller; most factors do not."""
        whole = pa.py_buffer(np.ascontiguousarray(values))
        some = whole.slice(max(0, whole.size - SAMPLE) // 2, min(SAMPLE, whole.size))
        if len(pa.compress(some, codec=CODEC)) > WORTH * some.size:
            return cls(whole, whole.size, None)
        return cls(pa.compress(whole, codec=CODEC), whole.size, CODEC)

    def values(self) -> Array:
        """What was packed."""
        raw = self.buffer
        if self.codec is not None:
            raw = pa.decompress(raw, self.size, codec=self.codec, asbytes=False)
        return np.frombuffer(raw, np.float64)


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

    def get(self, key: Hashable) -> Array | None:
        """The values of a key; a compressed one becomes hot again."""
        now = time.monotonic()
        with self._lock:
            found = self.hot.take(key)
            if found is not None and not self._is_old(found[2], now):
                self.hot.items[key] = found
                self.hot.bytes += found[1]
                self.hot.hits += 1
                values: Array = found[0]
                return values
            packed = self.compressed.take(key)
            if packed is None or self._is_old(packed[2], now):
                self.misses += 1
                return None
            self.compressed.hits += 1
        values = packed[0].values()
        self._put(key, values, packed[2])
        return values

    def put(self, key: Hashable, values: Array) -> None:
        """Keep values; a caller must not change them any more."""
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

    def save(self, digest: str, cells: int) -> None:
        """Count the time that computing some cells of a factor would have taken."""
        with self._lock:
            self.seconds_saved += self.cost.get(digest, 0.0) * cells

    def _put(self, key: Hashable, values: Array, made: float) -> None:
        if values.nbytes > self.hot.limit:
            return
        with self._lock:
            gone = self.hot.put(key, values, values.nbytes, made)
        for old, array, _, since in gone:
            if not self.compressed.limit or self._is_old(since, time.monotonic()):
                continue
            packed = Packed.of(array)
            if packed.buffer.size <= self.compressed.limit:
                with self._lock:
                    self.compressed.put(old, packed, packed.buffer.size, since)

    def _is_old(self, made: float, now: float) -> bool:
        return self._seconds is not None and now - made > self._seconds
