"""Read segments of bars: whole columns, or where the bars of a symbol are."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from weakref import WeakValueDictionary

import numpy as np
import polars as pl
import pyarrow as pa

from factorloom.engine.bars.category import encode
from factorloom.engine.bars.layout import KEYS
from factorloom.storage.catalog import BarSegment
from factorloom.storage.keys import Keys
from factorloom.storage.segment import Segment, SegmentFiles

__all__ = ["BarReader"]

KEPT = 1 << 28
"""Decoded bars are kept up to so many bytes."""

KEPT_INDEX = 1 << 26
"""Symbols, and where the bars of each end, are kept up to so many bytes."""


class BarReader:
    """Reads segments of bars; keys, and the columns read last, are kept decoded."""

    def __init__(self, files: SegmentFiles) -> None:
        self.files = files
        self._kept: OrderedDict[tuple[str, str], pl.Series] = OrderedDict()
        self._keys: OrderedDict[str, tuple[Keys, int]] = OrderedDict()
        self._names: WeakValueDictionary[bytes, pl.Series] = WeakValueDictionary()
        self._bytes = 0
        self._lock = threading.Lock()

    def frame(self, segment: BarSegment, columns: Sequence[str] = ()) -> pl.DataFrame:
        """The keys of all bars of a segment, symbols as Enum, and some columns, which may be `BAR` and `SINCE`."""
        wanted = [*KEYS, *columns]
        with self._lock:
            found = {name: self._kept[segment.file, name] for name in wanted if (segment.file, name) in self._kept}
            for name in found:
                self._kept.move_to_end((segment.file, name))
        missing = [name for name in wanted if name not in found]
        if missing:
            table = self._open(segment).table(missing, codes=["symbol"])
            for name in missing:
                found[name] = _symbols(table[name]) if name == "symbol" else pl.Series(pl.from_arrow(table[name]))
                found[name] = found[name].alias(name)
            self._keep(segment.file, {name: found[name] for name in missing})
        return pl.DataFrame([found[name] for name in wanted])

    def keys(self, segment: BarSegment) -> Keys:
        """The keys of all bars of a segment: as its footer has them, else from its columns."""
        with self._lock:
            if segment.file in self._keys:
                self._keys.move_to_end(segment.file)
                return self._keys[segment.file][0]
        index = self._open(segment).index()
        if index is None:
            symbols = self.frame(segment)["symbol"]
            codes, names = symbols.to_physical().to_numpy(), symbols.dtype.categories  # type: ignore[attr-defined]
            ends = np.searchsorted(codes, np.arange(names.len(), dtype=codes.dtype), "right")
            return Keys(
                names, ends, lambda first, last: self.frame(segment)["date"][first:last].to_physical().to_numpy()
            )
        packed = hashlib.blake2b(index.packed).digest()
        known = self._names.get(packed)
        names = index.names() if known is None else known
        keys = Keys(names, index.ends, lambda first, last: self._open(segment).numbers("date", first, last))
        size = index.ends.nbytes + (int(names.estimated_size()) if known is None else 0)
        with self._lock:
            self._names[packed] = names
            self._keys[segment.file] = keys, size
            while sum(size for _, size in self._keys.values()) > KEPT_INDEX and len(self._keys) > 1:
                self._keys.popitem(last=False)
        return keys

    def _open(self, segment: BarSegment) -> Segment:
        return self.files.open(segment.file, segment.size, segment.check)

    def _keep(self, file: str, columns: Mapping[str, pl.Series]) -> None:
        with self._lock:
            for name, column in columns.items():
                if (file, name) not in self._kept:
                    self._kept[file, name] = column
                    self._bytes += int(column.estimated_size())
            while self._bytes > KEPT and len(self._kept) > 1:
                _, column = self._kept.popitem(last=False)
                self._bytes -= int(column.estimated_size())


def _symbols(column: pa.ChunkedArray) -> pl.Series:
    """Symbols that were written in their order, as an Enum."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    names = pl.Series(pl.from_arrow(array.dictionary), dtype=pl.String)
    if not names.is_sorted():
        return encode(names.gather(pl.Series(pl.from_arrow(array.indices))))
    return names.cast(pl.Enum(names)).gather(pl.Series(pl.from_arrow(array.indices)))
