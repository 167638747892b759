"""Files and frames of every kind, read into one Polars frame as they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from factorloom.expressions.errors import ArgumentError, BarsError

__all__ = ["Table", "read"]


class Table(NamedTuple):
    """What was read, and whether all of it is text that still has to be understood."""

    frame: pl.DataFrame
    textual: bool
    name: str


def read(source: object) -> Table:
    """Read a path, or a Polars, Arrow or pandas table.

    Raises
    ------
    BarsError
        The file is not there, or is not what its name says.
    ArgumentError
        The object is no table.
    """
    if isinstance(source, str | os.PathLike):
        return _read_file(Path(source).expanduser())
    return Table(_read_frame(source), textual=False, name="the frame")


def _read_file(path: Path) -> Table:
    if not path.is_file():
        raise BarsError(f"there is no file {path}", hint="give the path of one Parquet, CSV or Arrow file")
    reader = _reader(path)
    try:
        frame = reader(path)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise BarsError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    return Table(frame, textual=reader is _read_csv, name=path.name)


def _reader(path: Path) -> Callable[[Path], pl.DataFrame]:
    for ending, reader in READERS.items():
        if path.name.lower().endswith(ending):
            return reader
    raise BarsError(f"{path} is of no known kind", hint=f"known endings: {' '.join(READERS)}")


def _read_csv(path: Path) -> pl.DataFrame:
    """Everything as text: a guess from values would make the symbols 007 and TRUE a number and a truth."""
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
        return _converted(pl.DataFrame, source)
    raise ArgumentError(
        f"a {type(source).__name__} is no table of bars",
        hint="give a path, or a Polars, Arrow or pandas table",
    )


def _read_pandas(source: Any) -> pl.DataFrame:
    """A named index holds keys as often as not, so it counts as columns."""
    if not hasattr(source, "columns"):
        raise ArgumentError("a pandas Series is no table of bars", hint="give a DataFrame: series.to_frame()")
    named = [name for name in source.index.names if name is not None]
    return _converted(pl.from_pandas, source.reset_index(named) if named else source)


def _converted(convert: Callable[[Any], pl.DataFrame], source: Any) -> pl.DataFrame:
    try:
        return convert(source)
    except (pl.exceptions.PolarsError, TypeError, ValueError, NotImplementedError) as error:
        raise BarsError(f"the {type(source).__name__} cannot be read: {str(error).splitlines()[0]}") from error
