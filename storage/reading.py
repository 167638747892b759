"""Read files and tables of every supported kind into Polars frames, without interpreting their values."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from factorloom.expressions.errors import ArgumentError, BarsError

__all__ = ["SourceTable", "read"]


class SourceTable(NamedTuple):
    """A frame and the name of its source; `textual` if all columns are unparsed text, as read from CSV."""

    frame: pl.DataFrame
    textual: bool
    name: str


def read(source: object) -> SourceTable:
    """Read a path, or a Polars, Arrow or pandas table.

    Raises
    ------
    BarsError
        The file does not exist or cannot be read.
    ArgumentError
        The object is not a table.
    """
    if isinstance(source, str | os.PathLike):
        return _read_file(Path(source).expanduser())
    return SourceTable(_read_frame(source), textual=False, name="the frame")


def _read_file(path: Path) -> SourceTable:
    if not path.is_file():
        raise BarsError(f"no file {path}", hint="give the path of one Parquet, CSV or Arrow file")
    reader = _reader(path)
    try:
        frame = reader(path)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise BarsError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    return SourceTable(frame, textual=reader is _read_csv, name=path.name)


def _reader(path: Path) -> Callable[[Path], pl.DataFrame]:
    for suffix, reader in READERS.items():
        if path.name.lower().endswith(suffix):
            return reader
    raise BarsError(f"{path} has an unknown file type", hint=f"supported: {' '.join(READERS)}")


def _read_csv(path: Path) -> pl.DataFrame:
    """Read all columns as text: type inference would turn the symbols 007 and TRUE into a number and a boolean."""
    return pl.read_csv(path, infer_schema=False, glob=False)


def _read_parquet(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path, glob=False, hive_partitioning=False)


def _read_arrow(path: Path) -> pl.DataFrame:
    content = path.read_bytes()
    return pl.read_ipc(content) if content.startswith(b"ARROW1") else pl.read_ipc_stream(content)


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".parquet": _read_parquet,
    ".pq": _read_parquet,
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
    ".arrow": _read_arrow,
    ".feather": _read_arrow,
    ".ipc": _read_arrow,
}


def _read_frame(source: Any) -> pl.DataFrame:
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, pl.LazyFrame):
        return source.collect(engine="in-memory")
    if type(source).__module__.partition(".")[0] == "pandas":
        return _read_pandas(source)
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        return _convert(pl.DataFrame, source)
    raise ArgumentError(
        f"a {type(source).__name__} is not a table of bars",
        hint="give a path, or a Polars, Arrow or pandas table",
    )


def _read_pandas(source: Any) -> pl.DataFrame:
    """Named index levels often hold keys, so they become columns."""
    if not hasattr(source, "columns"):
        raise ArgumentError("a pandas Series is not a table of bars", hint="convert it with series.to_frame()")
    named = [name for name in source.index.names if name is not None]
    return _convert(pl.from_pandas, source.reset_index(named) if named else source)


def _convert(convert: Callable[[Any], pl.DataFrame], source: Any) -> pl.DataFrame:
    try:
        return convert(source)
    except (pl.exceptions.PolarsError, TypeError, ValueError, NotImplementedError) as error:
        raise BarsError(f"the {type(source).__name__} cannot be read: {str(error).splitlines()[0]}") from error
