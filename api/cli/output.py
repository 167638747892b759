"""Frames out of the command line: a table to read, or data for the next program."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Literal, TypeAlias

import polars as pl

from factorloom.expressions.errors import ArgumentError

__all__ = ["Format", "write"]

Format: TypeAlias = Literal["table", "json", "csv", "parquet", "arrow"]
BINARY = ("parquet", "arrow")
SHOWN = 40
"""Rows of a table that are printed; the other formats print all."""


def write(frame: pl.DataFrame, form: Format, output: Path | None) -> None:
    """Write a frame to a file, or to stdout where `output` is None or `-`."""
    if output is not None and str(output) != "-":
        output.write_bytes(encode(frame, form))
        return
    if form in BINARY and sys.stdout.isatty():
        raise ArgumentError(f"{form} is not for a terminal", hint=f"write it to a file: -o result.{form}")
    sys.stdout.flush()
    sys.stdout.buffer.write(encode(frame, form))
    sys.stdout.buffer.flush()


def encode(frame: pl.DataFrame, form: Format) -> bytes:
    """A frame as bytes of that format.

    >>> encode(pl.DataFrame({"x": [1.5, None]}), "csv")
    b'x\\n1.5\\n\\n'
    """
    if form == "table":
        return _table(frame).encode()
    if form == "json":
        return frame.write_json().encode() + b"\n"
    if form == "csv":
        return _flat(frame).write_csv().encode()
    return _binary(frame, form)


def _binary(frame: pl.DataFrame, form: Format) -> bytes:
    from io import BytesIO

    sink = BytesIO()
    if form == "parquet":
        frame.write_parquet(sink)
    else:
        frame.write_ipc(sink)
    return sink.getvalue()


def _table(frame: pl.DataFrame) -> str:
    with pl.Config(
        tbl_rows=SHOWN,
        tbl_cols=-1,
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=frame.height <= SHOWN,
        tbl_formatting="NOTHING",
        tbl_width_chars=shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000,
        fmt_str_lengths=60,
        fmt_table_cell_list_len=6,
    ):
        return f"{frame}\n"


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Nested values as JSON text, for formats that have no place for them."""
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    texts = [pl.Series(name, [json.dumps(value, default=str) for value in frame[name].to_list()]) for name in nested]
    return frame.with_columns(texts)
