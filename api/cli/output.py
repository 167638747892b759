"""What the command line writes: frames as a table to read or as data for the next program, and files as a whole."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

import polars as pl

from factorloom.expressions.errors import ArgumentError

__all__ = ["Format", "check_target", "put", "write"]

Format: TypeAlias = Literal["table", "json", "csv", "parquet", "arrow"]
BINARY = ("parquet", "arrow")
SHOWN = 40
"""Rows of a table that are printed; the other formats print all."""


def write(frame: pl.DataFrame, form: Format, output: Path | None) -> None:
    """Write a frame to a file, or to stdout where `output` is None or `-`."""
    if form in BINARY and is_stdout(output) and sys.stdout.isatty():
        raise ArgumentError(f"{form} is not for a terminal", hint=f"write it to a file: -o result.{form}")
    put(encode(frame, form), output)


def put(content: bytes, output: Path | None) -> None:
    """Write to a file, which is replaced as a whole or left as it was, or to stdout where `output` is None or `-`.

    A symbolic link is written through: it stays, and the file it leads to is replaced. A pipe or a device is written
    as it is.
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
        _replace(_end(output), content)


def is_stdout(output: Path | None) -> bool:
    """Whether there is no file to write."""
    return output is None or str(output) == "-"


def check_target(output: Path | None) -> None:
    """Refuse a path where no result can be written, or that is a store's; commands ask before they begin.

    Raises
    ------
    ArgumentError
        The path is a folder or in none, may not be written, or is a DuckDB file or the log or lock of one.
    """
    if output is None or is_stdout(output):
        return
    from factorloom.storage.connection import store_of

    path, elsewhere = _end(output), "name another file"
    try:
        if str(output).startswith("-"):
            raise ArgumentError(f"-o is followed by a file, got {output}", hint="give the whole path of such a file")
        if path.is_dir():
            raise ArgumentError(f"{output} is a folder", hint="name a file in it")
        if path.is_symlink():
            raise ArgumentError(f"{output} is a link that leads back to itself", hint=elsewhere)
        if _is_special(output):
            return
        if not path.parent.is_dir():
            raise ArgumentError(f"there is no folder {path.parent}", hint="make it first")
        if (store := store_of(str(path))) is not None:
            raise ArgumentError(f"{output} is a file of the store {store}, not for a result", hint=elsewhere)
        for place in (path, path.parent):
            if place.exists() and not os.access(place, os.W_OK):
                raise ArgumentError(f"{output} cannot be written: no permission for {place}", hint=elsewhere)
    except OSError as error:
        raise ArgumentError(f"{output} cannot be written: {error.strerror}", hint=elsewhere) from error


def _replace(path: Path, content: bytes) -> None:
    """Put a new file in the place of the one at `path`, with its mode, once all of it is on the disk."""
    part = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}")
    try:
        with _created(part) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(OSError):  # where nothing stood the umask says
            part.chmod(stat.S_IMODE(path.stat().st_mode))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _created(part: Path) -> BinaryIO:
    try:
        return open(part, "xb")  # one whose name nobody can guess, in a folder that may be everybody's
    except OSError as error:
        raise ArgumentError(f"no file can be made in {part.parent}: {error.strerror}", hint="name another") from error


def _end(output: Path) -> Path:
    """Where links lead."""
    return Path(os.path.realpath(output))


def _is_special(output: Path) -> bool:
    return output.exists() and not output.is_file()


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
