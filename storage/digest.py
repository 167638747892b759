"""Digests of what bars hold, one for each day and column, so that equal content is known without being read.

The digest of a day is a sum over its bars, modulo 2**64: it does not depend on the order of rows, digests of parts add
up, and the digest of a stretch of days is a difference of running sums.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.category import encode
from factorloom.engine.bars.layout import Index

__all__ = ["Hashes", "days_of", "digest_text", "mix", "row_hashes", "sum_by_day", "value_hashes"]

Hashes = npt.NDArray[np.uint64]
MISSING = np.uint64(0x5DEECE66D1234567)
MICROSECONDS = 86_400_000_000


def days_of(dates: pl.Series) -> Index:
    """The number of the day of each date since 1970."""
    physical = dates.to_physical().cast(pl.Int64).to_numpy()
    return physical if dates.dtype == pl.Date else physical // MICROSECONDS


def digest_text(texts: Sequence[str]) -> Hashes:
    """A hash of each text."""
    joined = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(joined, np.uint64)


def mix(words: Hashes) -> Hashes:
    """Spread the bits of words (the finish of splitmix64)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def row_hashes(symbols: pl.Series, dates: pl.Series) -> Hashes:
    """A hash of the key of each row; symbols are an Enum."""
    assert isinstance(symbols.dtype, pl.Enum)
    names = digest_text(symbols.dtype.categories.to_list())
    codes = symbols.to_physical().to_numpy()
    moments = dates.to_physical().cast(pl.Int64).to_numpy().view(np.uint64)
    return mix(names[codes] + mix(moments * np.uint64(0x9E3779B97F4A7C15))) if codes.size else np.empty(0, np.uint64)


def value_hashes(rows: Hashes, values: pl.Series) -> Hashes:
    """A hash of each value in its row."""
    if values.dtype == pl.String:
        values = encode(values)
    if values.dtype.is_float():
        numbers = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        words = np.where(np.isnan(numbers), MISSING, numbers.view(np.uint64))
    elif values.dtype == pl.Boolean or values.dtype.is_integer():
        words = values.cast(pl.Int64).fill_null(-1).to_numpy().view(np.uint64)
    else:
        assert isinstance(values.dtype, pl.Enum)
        names = np.append(digest_text(values.dtype.categories.to_list()), MISSING)
        words = names[values.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()]
    return mix(rows + mix(words))


def sum_by_day(hashes: Hashes, order: Index, starts: Index) -> Hashes:
    """The sum of the hashes of each day, given the rows in the order of days and where each day starts."""
    return np.add.reduceat(hashes[order], starts) if starts.size else np.empty(0, np.uint64)
