"""Segments: immutable Parquet files that are checked before they are believed.

A file of values is written without compression, one page a column and nothing optional, so that the numbers of a column
stand side by side in the file as they do in memory: Parquet to everyone, an array to us. One date of many factors is
gathered from it without reading the rest.

Every block of 4096 bytes has a sum. The digest of the sums is in the catalogue, the sums of a large file beside it.
What is read for the first time in a process is compared block by block; a small file as a whole.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from factorloom.engine.bars.layout import Index
from factorloom.expressions.errors import StoreError
from factorloom.storage.folder import Folder
from factorloom.storage.footer import Layout, SymbolIndex, chunk_of, index_of, layout_of, notes_of

__all__ = [
    "SUMS",
    "DamagedError",
    "Segment",
    "SegmentFiles",
    "Written",
    "write_bars",
    "write_rows",
    "write_values",
]

BLOCK = 4096
WORDS = BLOCK // 8
CHUNK = 64
"""So many blocks are summed at once: they stay in the processor's cache."""
MANY = 16
"""Stretches of fewer blocks each are compared together."""
WHOLE = 1 << 22
"""Files up to this size, 4 MiB, are compared as a whole, and need no sums beside them."""
OPEN = 512
"""So many files are kept open."""
SUMS = ".sums"

ONE_PAGE: dict[str, Any] = {"data_page_size": 2**31 - 1, "max_rows_per_page": 2**31 - 1}
"""A column has one page: numbers that are not compressed stand side by side."""
FEW = 200
"""More numbers of each column are taken one column after the other."""

Words = npt.NDArray[np.uint64]
Values = npt.NDArray[Any]


class Written(NamedTuple):
    """A new segment: its name, its size in bytes, and the digest of its sums."""

    file: str
    bytes: int
    check: str


class DamagedError(StoreError):
    """A segment is not what was written; `file` is its name."""

    file = ""


def write_bars(folder: Folder, name: str, table: pa.Table) -> Written:
    """Write sorted bars: compressed, missing as null.

    Where the bars of each symbol end stands in the footer, and dates are as in memory, so that those of one symbol are
    found without reading the rest.
    """
    keys = [pa.field(each, table.schema.field(each).type, nullable=False) for each in ("symbol", "date")]
    kinds = pa.schema([*keys, *(field for field in table.schema if field.name not in ("symbol", "date"))])
    text = [field.name for field in kinds if pa.types.is_large_string(field.type)]
    packing = {each: "none" if each == "date" else "lz4" for each in kinds.names}
    notes = notes_of(table["symbol"])
    return _write(
        folder, name, table.cast(kinds), settle=True, compression=packing, use_dictionary=text, notes=notes, **ONE_PAGE
    )


def write_rows(folder: Folder, name: str, table: pa.Table) -> Written:
    """Write a dated table, or scores: compressed, missing as null."""
    text = [field.name for field in table.schema if pa.types.is_large_string(field.type)]
    return _write(folder, name, table, settle=True, compression="lz4", use_dictionary=text)


def write_values(folder: Folder, name: str, keys: pa.Table, values: Mapping[str, Values]) -> Written:
    """Write values of factors beside their keys, missing as NaN.

    They are not forced to the disk: what a power cut takes is noticed by its digest, and computed again.
    """
    columns = [*keys.columns, *(pa.array(np.ascontiguousarray(each)) for each in values.values())]
    kinds = [pa.field(field.name, field.type, nullable=False) for field in keys.schema]
    kinds += [pa.field(each, pa.from_numpy_dtype(array.dtype), nullable=False) for each, array in values.items()]
    return _write(
        folder,
        name,
        pa.Table.from_arrays(columns, schema=pa.schema(kinds)),
        settle=False,
        compression="none",
        use_dictionary=["symbol"],
        write_statistics=False,
        **ONE_PAGE,
    )


def _write(
    folder: Folder, name: str, table: pa.Table, *, settle: bool, notes: Mapping[str, str] | None = None, **options: Any
) -> Written:
    path = folder.segment(name)
    try:
        with pq.ParquetWriter(path, table.schema, **options) as writer:
            writer.write_table(table, row_group_size=max(1, table.num_rows))
            writer.add_key_value_metadata(notes or {})
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
            size = len(memory)
            sums = _sums(memory)
        if size > WHOLE:
            path.with_name(path.name + SUMS).write_bytes(sums.tobytes())
        if settle:
            folder.settle(*([path.with_name(path.name + SUMS)] if size > WHOLE else []), path)
    except (OSError, pa.ArrowException) as error:
        path.unlink(missing_ok=True)
        path.with_name(path.name + SUMS).unlink(missing_ok=True)
        raise folder.failed("written", error if isinstance(error, OSError) else OSError(str(error))) from error
    return Written(name, size, _check(size, sums))


class Segment:
    """One file, mapped into memory."""

    def __init__(self, folder: Folder, file: str, size: int, check: str) -> None:
        self._folder, self._file, self._size, self._digest = folder, file, size, check
        self.damaged = False
        self._path = folder.segment(file)
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except FileNotFoundError as error:
            raise self._damaged("is missing") from error
        except OSError as error:
            raise self._damaged(f"cannot be opened: {error.strerror}") from error
        weakref.finalize(self, os.close, self._descriptor)  # not before: other threads may be reading
        self._refuse_other_size()
        try:
            self._memory = mmap.mmap(self._descriptor, size, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise self._damaged(f"cannot be mapped: {error}") from error
        self._known: npt.NDArray[np.bool_] | None = None
        self._sums: Words | None = None
        self._known_layout: Layout | None = None

    def table(self, columns: Sequence[str] | None = None, *, codes: Sequence[str] = ()) -> pa.Table:
        """Columns of the file as Arrow, text of the columns `codes` as dictionaries; what is read is compared."""
        metadata = self._metadata()
        if columns is None:
            self.verify()
        else:
            group = metadata.row_group(0)
            places = {name: place for place, name in enumerate(metadata.schema.names)}
            self.verify(*(chunk_of(group.column(places[name])) for name in columns))
        file = pq.ParquetFile(pa.py_buffer(self._memory), metadata=metadata, read_dictionary=list(codes))
        return file.read(columns=columns)

    def index(self) -> SymbolIndex | None:
        """Where the bars of each symbol end; None where the file does not say."""
        return index_of(self._metadata())

    def numbers(self, column: str, first: int, last: int) -> Values:
        """The numbers of a column that is not compressed, on some rows, as they are in the file."""
        layout = self._layout()
        start, kind = layout.starts[column], layout.kinds[column]
        self.verify((start + first * kind.itemsize, start + last * kind.itemsize))
        return np.frombuffer(self._memory, kind, last - first, start + first * kind.itemsize)

    def gather(self, columns: Sequence[str], rows: Index | slice) -> Sequence[Values]:
        """The values of these columns on some rows, which ascend, in Float64; of a slice they are views on the file."""
        layout = self._layout()
        if isinstance(rows, slice):
            first, last = rows.start, rows.stop
        else:
            first, last = (int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, 0)
        if last > layout.rows:
            raise IndexError(f"row {last - 1} of {layout.rows}")
        kinds, starts = [layout.kinds[name] for name in columns], [layout.starts[name] for name in columns]
        places = list(zip(starts, kinds, strict=True))
        self.verify(*((start + first * kind.itemsize, start + last * kind.itemsize) for start, kind in places))
        if isinstance(rows, slice):
            arrays = (np.frombuffer(self._memory, kind, layout.rows, start) for start, kind in places)
            return [array[rows].astype(np.float64, copy=False) for array in arrays]
        if rows.size > FEW or layout.stride is None:
            return [self._taken(start, kind, rows).astype(np.float64, copy=False) for start, kind in places]
        shape, strides = (len(layout.starts), layout.rows), (layout.stride, kinds[0].itemsize)
        start = min(layout.starts.values())
        whole: Values = np.ndarray(shape, kinds[0], self._memory, start, strides)
        numbers = (np.array(starts) - start) // max(layout.stride, 1)
        return list(whole[numbers[:, None], rows].astype(np.float64, copy=False))

    def _taken(self, start: int, kind: np.dtype[Any], rows: Index) -> Values:
        """Some numbers of a column: as bytes, since in a file they need not be aligned."""
        layout, size = self._layout(), kind.itemsize
        taken = np.empty(rows.size, kind)
        numbers = np.frombuffer(self._memory, np.uint8, layout.rows * size, start).reshape(-1, size)
        np.take(numbers, rows, axis=0, out=taken.view(np.uint8).reshape(-1, size), mode="clip")
        return taken

    def verify(self, *stretches: tuple[int, int]) -> None:
        """Compare the blocks of stretches of bytes, or of all, with their sums: those that were not compared before."""
        self._refuse_other_size()
        if self._known is None:
            self._prepare(whole=not stretches)
        assert self._known is not None
        if len(stretches) == 1 and self._known[stretches[0][0] // BLOCK : -(-stretches[0][1] // BLOCK)].all():
            return
        starts, stops = np.array(stretches or [(0, self._size)], np.int64).T
        firsts, lasts = starts // BLOCK, -(-stops // BLOCK)
        sizes = np.where(starts < stops, lasts - firsts, 0)
        if sizes.sum() < MANY * sizes.size:
            ends = np.cumsum(sizes)
            blocks = np.repeat(firsts - ends + sizes, sizes) + np.arange(ends[-1])
            if (blocks := np.unique(blocks[~self._known[blocks]])).size:
                self._compare(blocks, _sums_of(self._memory, blocks))
            return
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
            if first < last and not self._known[first:last].all():
                part = memoryview(self._memory)[first * BLOCK : min(last * BLOCK, self._size)]
                self._compare(np.arange(first, last), _sums(part))

    def _compare(self, blocks: Index, sums: Words) -> None:
        assert self._sums is not None
        assert self._known is not None
        if not np.array_equal(sums, self._sums[blocks]):
            raise self._damaged("is damaged")
        self._known[blocks] = True

    def compare(self) -> None:
        """Compare all of the file, and the sums beside it."""
        self.verify()
        if self._size > WHOLE:
            self._read_sums()

    def write_sums(self) -> bool:
        """Write the sums beside the file anew; False if the file itself is damaged."""
        sums = _sums(self._memory)
        if _check(self._size, sums) != self._digest:
            return False
        if self._size > WHOLE:
            self._folder.replace(self._path.with_name(self._path.name + SUMS), sums.tobytes())
        return True

    def _prepare(self, *, whole: bool) -> None:
        """What the file is compared with; a small file, or one that is read as a whole, is compared now."""
        count = -(-self._size // BLOCK)
        if not whole and self._size > WHOLE:
            with suppress(DamagedError):  # without its sums the file is compared as a whole
                self._sums = self._read_sums()
                self._known = np.zeros(count, np.bool_)  # last: other threads look at it
                return
            self.damaged = False
        if _check(self._size, _sums(self._memory)) != self._digest:
            raise self._damaged("is damaged")
        self._known = np.ones(count, np.bool_)

    def _read_sums(self) -> Words:
        try:
            sums = np.frombuffer(self._path.with_name(self._path.name + SUMS).read_bytes(), np.uint64)
        except (OSError, ValueError) as error:
            raise self._damaged("has lost its sums") from error
        if sums.size != -(-self._size // BLOCK) or _check(self._size, sums) != self._digest:
            raise self._damaged("has damaged sums")
        return sums

    def _layout(self) -> Layout:
        if self._known_layout is None:
            self._known_layout = layout_of(self._metadata())
        return self._known_layout

    def _metadata(self) -> pq.FileMetaData:
        tail = int.from_bytes(self._memory[self._size - 8 : self._size - 4], "little")
        self.verify((max(0, self._size - 8 - tail), self._size))
        return pq.read_metadata(pa.BufferReader(pa.py_buffer(self._memory)))

    def _refuse_other_size(self) -> None:
        if os.fstat(self._descriptor).st_size != self._size:
            raise self._damaged("has another size")

    def _damaged(self, what: str) -> DamagedError:
        self.damaged = True
        error = DamagedError(f"the file {self._path} {what}", hint="run: factorloom store check --repair")
        error.file = self._file
        return error


class SegmentFiles:
    """The open files of a store; the ones used last are kept."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._open: OrderedDict[str, Segment] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, file: str, size: int, check: str) -> Segment:
        """A file, as the catalogue knows it."""
        with self._lock:
            segment = self._open.pop(file, None)
            if segment is None or segment.damaged:  # it may have been repaired
                segment = Segment(self._folder, file, size, check)
            self._open[file] = segment
            while len(self._open) > OPEN:
                self._open.popitem(last=False)
            return segment

    def close(self) -> None:
        """Let go of all files; each is closed by its last user."""
        with self._lock:
            self._open.clear()


def _sums(memory: Any) -> Words:
    """A sum of every block: its words, folded, each times an odd number of its own."""
    size = len(memory)
    full = size // BLOCK
    sums = np.empty(-(-size // BLOCK), np.uint64)
    words = np.frombuffer(memory, np.uint64, full * WORDS).reshape(full, WORDS)
    room = np.empty((min(full, CHUNK), WORDS), np.uint64)
    for start in range(0, full, CHUNK):
        some = words[start : start + CHUNK]
        count = some.shape[0]
        np.einsum("ij,j->i", _folded(some, room[:count]), WEIGHTS, out=sums[start : start + count])
    if size > full * BLOCK:
        rest = np.zeros(BLOCK, np.uint8)
        rest[: size - full * BLOCK] = np.frombuffer(memory, np.uint8, size - full * BLOCK, full * BLOCK)
        sums[full] = np.einsum("j,j->", _folded(rest.view(np.uint64)), WEIGHTS)
    return sums


def _sums_of(memory: Any, blocks: Index) -> Words:
    """The sums of blocks that lie apart."""
    size = len(memory)
    full = size // BLOCK
    words = np.frombuffer(memory, np.uint64, full * WORDS).reshape(full, WORDS)
    sums = np.empty(blocks.size, np.uint64)
    places = np.flatnonzero(blocks < full)
    for start in range(0, places.size, CHUNK):
        some = places[start : start + CHUNK]
        sums[some] = np.einsum("ij,j->i", _folded(words[blocks[some]]), WEIGHTS)
    if places.size < blocks.size:
        sums[blocks == full] = _sums(memoryview(memory)[full * BLOCK :])
    return sums


def _folded(words: Words, room: Words | None = None) -> Words:
    """Words whose high bits are in their low ones too, so that two changed signs do not cancel; in `room` if given."""
    high = np.right_shift(words, np.uint64(29), out=room)
    return np.bitwise_xor(words, high, out=high)


def _check(size: int, sums: Words) -> str:
    return hashlib.blake2b(size.to_bytes(8, "little") + sums.tobytes(), digest_size=16).hexdigest()


def _odd(count: int) -> Words:
    """So many odd numbers without a pattern (the generator splitmix64)."""
    state = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (state ^ (state >> np.uint64(31))) | np.uint64(1)


WEIGHTS = _odd(WORDS)
