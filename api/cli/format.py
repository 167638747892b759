"""The formats of results, and which of them the name of a file asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from factorloom.expressions.errors import ArgumentError

__all__ = ["Format", "format_of"]

Format: TypeAlias = Literal["table", "json", "csv", "parquet", "arrow"]

BY_SUFFIX: Mapping[str, Format] = {
    "": "table",
    ".txt": "table",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}


def format_of(path: Path | None) -> Format:
    """The format that the ending of a file's name asks for; a table without one.

    Raises
    ------
    ArgumentError
        The ending stands for no format.

    >>> format_of(Path("result.CSV")), format_of(None)
    ('csv', 'table')
    """
    suffix = "" if path is None else path.suffix.lower()
    if suffix not in BY_SUFFIX:
        raise ArgumentError(
            f"{path} has an ending that stands for no format",
            hint=f"end the name with {', '.join(filter(None, BY_SUFFIX))}, or say it with --format",
        )
    return BY_SUFFIX[suffix]
