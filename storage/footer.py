"""What the footer of a segment says: where its columns are and, of bars, where the bars of each symbol end."""

from __future__ import annotations

import base64
import io
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["Layout", "SymbolIndex", "chunk_of", "index_of", "layout_of", "notes_of"]

KINDS = {
    name: np.dtype(kind)
    for name, kind in {"DOUBLE": np.float64, "FLOAT": np.float32, "INT32": np.int32, "INT64": np.int64}.items()
}
"""What Parquet calls the types of numbers."""
FIRST_VALUE = 2
"""In a file of values, symbol and date come before."""
NAMES, ENDS = "factorloom.symbols", "factorloom.ends"
"""Of a file of bars: its symbols, and where the bars of each end."""


class SymbolIndex(NamedTuple):
    """Where the bars of each symbol end; its symbols are packed, and the same bytes where they are the same."""

    packed: bytes
    ends: npt.NDArray[np.int32]

    def names(self) -> pl.Series:
        """The symbols, sorted."""
        with pa.ipc.open_stream(base64.b64decode(self.packed)) as stream:
            return pl.Series(pl.from_arrow(stream.read_all()["symbol"].combine_chunks()))


def notes_of(symbols: pa.ChunkedArray) -> dict[str, str]:
    """The index of sorted bars, as notes for a footer."""
    runs = pc.run_end_encode(symbols.combine_chunks(), run_end_type=pa.int32())
    batch = pa.record_batch([runs.values], names=["symbol"])
    with io.BytesIO() as stream:
        with pa.ipc.new_stream(stream, batch.schema) as writer:
            writer.write_batch(batch)
        names = base64.b64encode(stream.getvalue())
    return {NAMES: names.decode(), ENDS: base64.b64encode(runs.run_ends.to_numpy().tobytes()).decode()}


def index_of(metadata: pq.FileMetaData) -> SymbolIndex | None:
    """The index of a file of bars; None where it has none."""
    notes = metadata.metadata or {}
    if NAMES.encode() not in notes:
        return None
    return SymbolIndex(notes[NAMES.encode()], np.frombuffer(base64.b64decode(notes[ENDS.encode()]), np.int32))


class Layout(NamedTuple):
    """Where the numbers of a file are.

    Attributes
    ----------
    rows
        How many each column has.
    starts, kinds
        Of each column that is not compressed: where its numbers start, and what they are.
    stride
        So many bytes after a column of values the next one starts; None where that is not so.
    """

    rows: int
    starts: dict[str, int]
    kinds: dict[str, np.dtype[Any]]
    stride: int | None


def layout_of(metadata: pq.FileMetaData) -> Layout:
    """Where the numbers of a file are. Columns of values are alike: of many, three are looked at."""
    rows, names, group = metadata.num_rows, metadata.schema.names, metadata.row_group(0)
    last = metadata.num_columns - 1
    if last >= FIRST_VALUE:
        (first, kind), (second, _), (end, other) = (
            _numbers(group.column(place), rows) for place in (FIRST_VALUE, min(FIRST_VALUE + 1, last), last)
        )
        stride = second - first
        if kind is not None and kind == other and end - first == (last - FIRST_VALUE) * stride:
            starts = {name: first + place * stride for place, name in enumerate(names[FIRST_VALUE:])}
            return Layout(rows, starts, dict.fromkeys(starts, kind), stride)
    found = {name: _numbers(group.column(place), rows) for place, name in enumerate(names)}
    kinds = {name: kind for name, (_, kind) in found.items() if kind is not None}
    return Layout(rows, {name: found[name][0] for name in kinds}, kinds, None)


def _numbers(column: Any, rows: int) -> tuple[int, np.dtype[Any] | None]:
    """Where the numbers of a column start, and what they are; None where they are compressed, or there are none.

    A page without options holds nothing behind its numbers.
    """
    kind = KINDS.get(column.physical_type) if column.compression == "UNCOMPRESSED" else None
    first, end = chunk_of(column)
    return (end - rows * kind.itemsize, kind) if kind is not None else (first, None)


def chunk_of(column: Any) -> tuple[int, int]:
    """Where a column starts and ends in its file."""
    first = min(column.dictionary_page_offset or column.data_page_offset, column.data_page_offset)
    return first, first + column.total_compressed_size
