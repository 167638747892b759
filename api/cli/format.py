"""The formats of results, and which of them the name of a file asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

__all__ = ["Format", "format_of"]

Format: TypeAlias = Literal["table", "json", "csv", "parquet", "arrow"]

BY_SUFFIX: Mapping[str, Format] = {
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}


def format_of(path: Path | None) -> Format:
    """The format for a file of that name; a table if the name says nothing.

    >>> format_of(Path("result.CSV")), format_of(None)
    ('csv', 'table')
    """
    return "table" if path is None else BY_SUFFIX.get(path.suffix.lower(), "table")
