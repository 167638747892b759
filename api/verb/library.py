"""Factor libraries as tables."""

from __future__ import annotations

import polars as pl

from factorloom.expressions import library
from factorloom.expressions.errors import ParameterError, suggest
from factorloom.expressions.library import Library
from factorloom.expressions.library.page import lookback

__all__ = ["factors", "find", "libraries"]


def find(name: str) -> Library:
    """The library of that name."""
    if name not in library.LIBRARIES:
        raise ParameterError(f"there is no library {name!r}", hint=suggest(name, library.LIBRARIES))
    return library.LIBRARIES[name]()


def libraries() -> pl.DataFrame:
    """One row per library."""
    every = [make() for make in library.LIBRARIES.values()]
    return pl.DataFrame(
        {
            "library": [each.name for each in every],
            "factors": [len(each) for each in every],
            "columns": [" ".join(each.columns) for each in every],
            "source": [each.source for each in every],
        }
    )


def factors(chosen: Library) -> pl.DataFrame:
    """One row per factor of a library."""
    entries = chosen.entries.values()
    return pl.DataFrame(
        {
            "factor": list(chosen),
            "formula": [str(entry.factor) for entry in entries],
            "columns": [" ".join(entry.factor.columns) for entry in entries],
            "lookback": [lookback(entry) for entry in entries],
            "note": [entry.note for entry in entries],
        }
    )
