"""Write results to stdout or a file: tables to read, data in several formats, and bytes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import BinaryIO

import polars as pl

from factorloom.api.cli.format import Format
from factorloom.engine.runtime.replace import replacing
from factorloom.expressions.errors import ArgumentError

__all__ = ["check_target", "write_bytes", "write_frame"]

BINARY = ("parquet", "arrow")
MAX_ROWS = 40
"""Rows of a table that are printed; the other formats have all rows."""


def write_frame(frame: pl.DataFrame, format: Format, output: Path | None) -> None:
    """Write a frame to a file, or to stdout if `output` is None or `-`."""
    if format in BINARY and is_stdout(output) and sys.stdout.isatty():
        raise ArgumentError(f"{format} cannot be shown on a terminal", hint=f"write it to a file: -o result.{format}")
    write_bytes(encode(frame, format), output)


def write_bytes(content: bytes, output: Path | None) -> None:
    """Write to a file atomically, or to stdout if `output` is None or `-`.

    The target of a symbolic link is replaced, not the link. Pipes and devices are written directly.
    """
    if output is None or is_stdout(output):
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    check_target(output)
    if _is_special(output):
        output.write_bytes(content)
    else:
        _replace(_resolve(output), content)


def is_stdout(output: Path | None) -> bool:
    """Whether the output is stdout."""
    return output is None or str(output) == "-"


def check_target(output: Path | None) -> None:
    """Refuse a path that cannot be written or that belongs to a store; commands call this before any work.

    Raises
    ------
    ArgumentError
        The path is a folder, is in a missing folder, is not writable, or is in the folder of a store.
    """
    if output is None or is_stdout(output):
        return
    from factorloom.storage.folder import find_store

    path, hint = _resolve(output), "choose another file"
    try:
        if str(output).startswith("-"):
            raise ArgumentError(
                f"-o must be followed by a file, got {output}", hint="for such a name give the absolute path"
            )
        if path.is_dir():
            raise ArgumentError(f"{output} is a folder", hint="choose a file in it")
        if path.is_symlink():
            raise ArgumentError(f"{output} is a symbolic link to itself", hint=hint)
        if _is_special(output):
            return
        if not path.parent.is_dir():
            raise ArgumentError(f"the folder {path.parent} does not exist", hint="create it first")
        if (store := find_store(str(path))) is not None:
            raise ArgumentError(f"{output} is a file of the store {store}", hint=hint)
        for checked in (path, path.parent):
            if checked.exists() and not os.access(checked, os.W_OK):
                raise ArgumentError(f"{output} cannot be written: no permission for {checked}", hint=hint)
    except OSError as error:
        raise ArgumentError(f"{output} cannot be written: {error.strerror}", hint=hint) from error


def _replace(path: Path, content: bytes) -> None:
    with replacing(path) as new, _create(new) as file:
        file.write(content)


def _create(path: Path) -> BinaryIO:
    try:
        return open(path, "xb")  # fails if the file exists, so that no link in a shared folder is followed
    except OSError as error:
        raise ArgumentError(
            f"cannot create a file in {path.parent}: {error.strerror}", hint="choose another folder"
        ) from error


def _resolve(output: Path) -> Path:
    """The path with all links resolved."""
    return Path(os.path.realpath(output))


def _is_special(output: Path) -> bool:
    return output.exists() and not output.is_file()


def encode(frame: pl.DataFrame, format: Format) -> bytes:
    """A frame as bytes in a format.

    >>> encode(pl.DataFrame({"x": [1.5, None]}), "csv")
    b'x\\n1.5\\n\\n'
    """
    if format == "table":
        return _table(frame).encode()
    if format == "json":
        return frame.write_json().encode() + b"\n"
    if format == "csv":
        return _flatten(frame).write_csv().encode()
    return _binary(frame, format)


def _binary(frame: pl.DataFrame, format: Format) -> bytes:
    from io import BytesIO

    sink = BytesIO()
    if format == "parquet":
        frame.write_parquet(sink)
    else:
        frame.write_ipc(sink)
    return sink.getvalue()


def _table(frame: pl.DataFrame) -> str:
    with pl.Config(
        tbl_rows=MAX_ROWS,
        tbl_cols=-1,
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=frame.height <= MAX_ROWS,
        tbl_formatting="NOTHING",
        tbl_width_chars=shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000,
        fmt_str_lengths=60,
        fmt_table_cell_list_len=6,
    ):
        return f"{frame}\n"


def _flatten(frame: pl.DataFrame) -> pl.DataFrame:
    """Nested values as JSON text, for formats without nested values."""
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    texts = [pl.Series(name, [json.dumps(value, default=str) for value in frame[name].to_list()]) for name in nested]
    return frame.with_columns(texts)
