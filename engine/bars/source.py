"""Tables of every kind as Polars frames, not yet interpreted: files, folders, and frames of other libraries."""

from __future__ import annotations

import datetime as dt
import glob
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from factorloom.engine.bars.category import TEXT
from factorloom.engine.bars.csv import CsvOptions, read_csv
from factorloom.expressions.errors import ArgumentError, BarsError, FactorloomError, plural

__all__ = ["FILE_NAME", "SourceTable", "kind_name", "read_source"]

FILE_NAME = "\0file"
"""The column with the name of each row's file, where several files, or one, were read."""


class SourceTable(NamedTuple):
    """A frame and the name of its source; `textual` if all columns are unparsed text, as read from CSV."""

    frame: pl.DataFrame
    textual: bool
    name: str
    notes: tuple[str, ...] = ()


def read_source(source: object, csv: CsvOptions) -> SourceTable:
    """Read a path, a folder, a pattern of paths, or a table of Polars, Arrow, pandas or DuckDB.

    Raises
    ------
    BarsError
        A file does not exist or cannot be read.
    ArgumentError
        The object is not a table.
    """
    if isinstance(source, str | os.PathLike):
        try:
            path = Path(source).expanduser()
            path.exists()
        except (OSError, RuntimeError, ValueError) as error:
            raise BarsError(f"{source} is no path: {_line(error)}") from error
        if not os.fspath(source):
            raise BarsError("the path of the bars is empty")
        return _read_path(path, csv)
    csv.refuse("the table is not a CSV file")
    return _read_frame(source)


# --- files ----------------------------------------------------------------------------------------------------


def _read_path(path: Path, csv: CsvOptions) -> SourceTable:
    if path.is_file():
        return _read_file(path, csv)
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.is_file() and _suffix(file) is not None)
        if not found:
            raise BarsError(f"the folder {path} has no Parquet, CSV or Arrow file", hint=f"supported: {SUFFIXES}")
    else:
        found = sorted(map(Path, glob.glob(str(path), recursive=True))) if glob.has_magic(str(path)) else []
        if not found:
            raise BarsError(
                f"no file {path}", hint="give the path of a Parquet, CSV or Arrow file, or a folder of them"
            )
    tables = [_read_file(file, csv) for file in found]
    if len({table.textual for table in tables}) > 1:
        raise BarsError(f"{path} holds CSV files beside others", hint="load them one kind at a time")
    _refuse_kinds({table.name: table.frame for table in tables})
    try:
        frame = pl.concat([table.frame for table in tables], how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        raise BarsError(
            f"the files of {path} have columns of types that do not go together: {_line(error)}",
            hint="load them one by one",
        ) from error
    notes = dict.fromkeys(note for table in tables for note in table.notes)
    return SourceTable(frame, tables[0].textual, f"{path.name} ({plural(len(tables), 'file')})", tuple(notes))


def _refuse_kinds(frames: Mapping[str, pl.DataFrame]) -> None:
    """Refuse files of which a column is dates in one and numbers in another: Polars would join them."""
    seen: dict[str, tuple[str, str]] = {}
    for file, frame in frames.items():
        for name, dtype in frame.schema.items():
            if dtype != pl.Null:
                other, kind = seen.setdefault(name, (file, kind_name(dtype)))
                if kind != kind_name(dtype):
                    raise BarsError(f"column {name!r} is {kind} in {other}, and {kind_name(dtype)} in {file}")


def kind_name(dtype: pl.DataType) -> str:
    """What a column of a type holds, in a word."""
    if dtype.is_numeric() or dtype == pl.Boolean:
        return "numbers"
    if dtype in TEXT:
        return "text"
    return "dates" if dtype == pl.Date else "datetimes" if dtype == pl.Datetime else str(dtype)


def _read_file(path: Path, csv: CsvOptions) -> SourceTable:
    suffix = _suffix(path)
    if suffix is None:
        raise BarsError(f"{path} has an unknown file type", hint=f"supported: {SUFFIXES}")
    notes: list[str] = []
    textual = suffix in CSV_SUFFIXES
    try:
        if textual:
            frame, notes = read_csv(path, csv)
        else:
            csv.refuse(f"{path} is not a CSV file")
            frame = READERS[suffix](path)
    except FactorloomError:
        raise
    except RAISED as error:
        raise BarsError(f"{path} cannot be read: {_line(error)}") from error
    name = pl.lit(path.name[: -len(suffix)]).alias(FILE_NAME)
    return SourceTable(frame.with_columns(name) if frame.width else frame, textual, path.name, tuple(notes))


def _suffix(path: Path) -> str | None:
    """The longest known ending of a file's name."""
    name = path.name.lower()
    return max((suffix for suffix in (*READERS, *CSV_SUFFIXES) if name.endswith(suffix)), key=len, default=None)


def _read_parquet(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path, glob=False, hive_partitioning=False)


def _read_arrow(path: Path) -> pl.DataFrame:
    content = path.read_bytes()
    return pl.read_ipc(content) if content.startswith(b"ARROW1") else pl.read_ipc_stream(content)


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".parquet": _read_parquet,
    ".pq": _read_parquet,
    ".arrow": _read_arrow,
    ".feather": _read_arrow,
    ".ipc": _read_arrow,
}
CSV_SUFFIXES = (".csv", ".csv.gz", ".csv.zst", ".tsv", ".txt")
SUFFIXES = " ".join([*READERS, *CSV_SUFFIXES])

RAISED: tuple[type[BaseException], ...] = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    TypeError,
    ValueError,  # also those of Arrow
    AttributeError,
    KeyError,
    NotImplementedError,
    OSError,
    EOFError,
    zlib.error,
    OverflowError,
)
"""What the libraries beneath raise on tables that they cannot read."""


# --- frames ---------------------------------------------------------------------------------------------------


def _read_frame(source: Any) -> SourceTable:
    notes: list[str] = []
    library = type(source).__module__.partition(".")[0]
    if isinstance(source, pl.LazyFrame):
        frame = _convert(lambda lazy: lazy.collect(engine="in-memory"), source)
    elif isinstance(source, pl.DataFrame):
        frame = source
    elif library == "pandas":
        frame, notes = _read_pandas(source)
    elif hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        frame = _convert(pl.DataFrame, source)
    else:
        raise ArgumentError(
            f"bars must be a table or a path, got {type(source).__name__}",
            hint="give a path, or a table of Polars, Arrow, pandas or DuckDB",
        )
    return SourceTable(frame, textual=False, name="the frame", notes=tuple(notes))


def _read_pandas(source: Any) -> tuple[pl.DataFrame, list[str]]:
    """Levels of the index become columns where they have a name or hold dates: such often are keys."""
    if not hasattr(source, "columns"):
        raise ArgumentError("a pandas Series is not a table of bars", hint="convert it with series.to_frame()")
    if source.columns.nlevels > 1:
        raise BarsError(
            f"the columns of the frame have {source.columns.nlevels} levels",
            hint="one level must hold the symbols as rows: frame.stack('Ticker', future_stack=True).reset_index()",
        )
    index, notes = source.index, []
    if index.nlevels == 1 and index.name is None and _is_dates(index) and "date" not in source.columns:
        index = index.rename("date")
        notes.append("the index of the frame is read as date")
    if len(set(index.names) - {None}) < sum(name is not None for name in index.names):
        raise BarsError("two levels of the frame's index have one name", hint="rename one with frame.rename_axis")
    kept = [name for name in index.names if name is not None and name not in source.columns]
    frame = source.set_axis(index).reset_index(kept) if kept else source
    frame = frame.rename(columns=str)
    repeated = frame.columns[frame.columns.duplicated()].tolist()
    if repeated:
        notes += [f"column {name!r} left out: another column has that name" for name in repeated]
        frame = frame.loc[:, ~frame.columns.duplicated()]
    moments = {name: frame[name].map(_iso) for name in frame.columns if _holds_moments(frame[name])}
    frame = frame.assign(**moments) if moments else frame
    return _convert(pl.from_pandas, frame), notes


def _is_dates(index: Any) -> bool:
    return str(index.dtype).startswith("datetime64") or str(index.dtype).startswith("timestamp")


def _holds_moments(column: Any) -> bool:
    """Whether a column of Python objects holds datetimes, as pandas keeps those of several time zones."""
    return column.dtype == object and bool(column.map(lambda value: isinstance(value, dt.datetime)).any())


def _iso(value: Any) -> Any:
    """A date or datetime as ISO text, with its own offset; a missing one as None."""
    if not isinstance(value, dt.date):
        return value
    return value.isoformat() if value == value else None


def _convert(convert: Callable[[Any], pl.DataFrame], source: Any) -> pl.DataFrame:
    try:
        return convert(source)
    except (Exception, pl.exceptions.PanicException) as error:  # whatever another library, or the caller's code, raises
        raise BarsError(
            f"the {type(source).__name__} cannot be read: {_line(error)}",
            hint="a column may hold numbers beside text: convert it first, or leave it out",
        ) from error


def _line(error: BaseException) -> str:
    """The first line of what another library says."""
    return next(iter(str(error).splitlines()), type(error).__name__)
