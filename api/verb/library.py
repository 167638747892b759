"""Factor libraries as tables."""

from __future__ import annotations

import polars as pl

from factorloom.expressions import library
from factorloom.expressions.errors import ParameterError, suggest
from factorloom.expressions.library import Library
from factorloom.expressions.library.page import lookback

__all__ = ["factors", "find", "libraries"]


def find(name: str) -> Library:
    """The library called `name`."""
    if name not in library.LIBRARIES:
        raise ParameterError(f"no library {name!r}", hint=suggest(name, library.LIBRARIES))
    return library.LIBRARIES[name]()


def libraries() -> pl.DataFrame:
    """One row per library."""
    loaded = [make() for make in library.LIBRARIES.values()]
    return pl.DataFrame(
        {
            "library": [each.name for each in loaded],
            "factors": [len(each) for each in loaded],
            "columns": [" ".join(each.columns) for each in loaded],
            "source": [each.source for each in loaded],
        }
    )


def factors(source: Library) -> pl.DataFrame:
    """One row per factor of a library."""
    entries = source.entries.values()
    return pl.DataFrame(
        {
            "factor": list(source),
            "formula": [str(entry.factor) for entry in entries],
            "columns": [" ".join(entry.factor.columns) for entry in entries],
            "lookback": [lookback(entry) for entry in entries],
            "note": [entry.note for entry in entries],
        }
    )
