"""CSV files as frames of text: separator, encoding, missing markers, and how numbers are written."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import msgspec
import polars as pl

from factorloom.expressions.errors import BarsError, ParameterError, plural

__all__ = ["CsvOptions", "read_csv"]

SEPARATORS = (",", ";", "\t", "|")
UTF16 = (b"\xff\xfe", b"\xfe\xff")


class CsvOptions(msgspec.Struct, frozen=True):
    """How a CSV file is written; None for what is usual."""

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("separator", "decimal", "thousands"):
            given = getattr(self, name)
            if given is not None and (not isinstance(given, str) or len(given) != 1 or given.isalnum()):
                raise ParameterError(
                    f"{name} must be a single character, got {given!r}", hint=f"for example {name}=','"
                )
        if self.separator is not None and not self.separator.isascii():
            raise ParameterError(f"separator must be an ASCII character, got {self.separator!r}")
        if self.thousands is not None and self.thousands == (self.decimal or "."):
            raise ParameterError(
                f"{self.thousands!r} cannot separate both thousands and decimals", hint="give decimal= too"
            )

    def refuse(self, reason: str) -> None:
        """Refuse options that would have no effect: these are for reading CSV."""
        for name in ("separator", "encoding"):
            if getattr(self, name) is not None:
                raise ParameterError(f"{name}= does not apply: {reason}")


def read_csv(path: Path, options: CsvOptions) -> tuple[pl.DataFrame, list[str]]:
    """All columns as text, blank cells as null, and notes; without type inference, 007 and TRUE stay as they are."""
    notes: list[str] = []
    if options.encoding is not None and path.name.lower().endswith(".zst"):
        raise ParameterError("encoding= does not apply to .csv.zst files", hint="decompress them first")
    source: Path | io.BytesIO = path
    if options.encoding is not None and options.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        source = io.BytesIO(_decoded(path, options.encoding))
    start = _start(path) if isinstance(source, Path) else source.getvalue()[:65536]
    if start.startswith(UTF16) or b"\0" in start:
        raise BarsError(f"{path} is not UTF-8 text", hint="name its encoding, for example encoding='utf-16'")
    header = start.split(b"\n", 1)[0].decode(errors="replace")
    separator = options.separator or _guess(header)
    if options.separator is None and separator != ",":
        notes.append(f"{path.name} is read with the separator {separator!r}, guessed from its first line")
    try:
        frame = pl.read_csv(source, separator=separator, infer_schema=False, glob=False)
    except pl.exceptions.ComputeError as error:
        if "utf-8" not in str(error):
            raise
        raise BarsError(
            f"{path} is not UTF-8 text", hint="name its encoding, for example encoding='cp1252' or 'gb18030'"
        ) from error
    names = set(frame.columns)
    repeated = [name for name in frame.columns if _is_copy(name, names)]
    notes += [f"column {name!r} left out: its header repeats another" for name in repeated]
    frame = frame.drop(repeated)
    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series() if frame.width > 1 else pl.Series([False])
    if blank.any():
        notes.append(f"{plural(int(blank.sum()), 'blank row')} left out")
        frame = frame.filter(~blank)
    again = _repeats_header(frame)
    if again.any():
        notes.append(f"{plural(int(again.sum()), 'row')} left out: the header again")
        frame = frame.filter(~again)
    return frame, notes


def _decoded(path: Path, encoding: str) -> bytes:
    content = path.read_bytes()
    if path.name.lower().endswith(".gz"):
        content = gzip.decompress(content)
    try:
        return content.decode(encoding).encode()
    except LookupError:
        raise ParameterError(
            f"unknown encoding {encoding!r}", hint="for example 'utf-8', 'cp1252', 'gb18030'"
        ) from None
    except UnicodeDecodeError as error:
        raise BarsError(f"{path} is not {encoding} text: byte {error.start:,} cannot be read") from None


def _start(path: Path) -> bytes:
    """The first bytes of a file, decompressed where that is easy."""
    name = path.name.lower()
    if name.endswith(".zst"):
        first = pl.read_csv(path, n_rows=1, has_header=False, separator="\x01", quote_char=None, infer_schema=False)
        return str(first.item(0, 0)).encode() if first.height else b""
    with gzip.open(path) if name.endswith(".gz") else open(path, "rb") as file:
        content: bytes = file.read(65536)
    return content


def _guess(header: str) -> str:
    """The character that separates most cells of the header."""
    return max(SEPARATORS, key=header.count)


def _is_copy(name: str, names: set[str]) -> bool:
    """Whether Polars named a column so because its header was there before."""
    original, mark, number = name.rpartition("_duplicated_")
    return bool(mark) and number.isdigit() and original in names


def _repeats_header(frame: pl.DataFrame) -> pl.Series:
    """Rows that are the header again, as in files that were put together."""
    same = (pl.col(name) == name for name in frame.columns if name)
    whole = frame.select(pl.all_horizontal(*same, pl.lit(True)).fill_null(False)).to_series()
    return whole if whole.len() == frame.height else pl.repeat(False, frame.height, eager=True)
