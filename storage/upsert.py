"""Merge new rows into stored ones by key, and count the inserted, updated and unchanged rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from factorloom.expressions.errors import BarsError

__all__ = ["Upsert", "check_same_case", "upsert"]

NEW = "\0"
"""Prefix of the new columns while both tables are joined; no stored name can contain it."""


class Upsert(NamedTuple):
    """The merged rows, sorted by key, and what changed.

    `inserted`, `updated` and `unchanged` add up to the number of new rows. `changed` is also true if only a column was
    added.
    """

    frame: pl.DataFrame
    inserted: int
    updated: int
    unchanged: int
    changed: bool


def upsert(
    stored: pl.DataFrame | None, new: pl.DataFrame, keys: Sequence[str], *, since: tuple[str, int] | None = None
) -> Upsert:
    """Merge `new` into `stored`; the column `since` gets its value in rows that are new or differ.

    In the rows of `new`, its columns replace the stored values, also with missing values. A stored column that `new`
    lacks keeps its values; a new column is missing in rows that `new` lacks. Keys must be unique in both.

    >>> old = pl.DataFrame({"symbol": ["A", "B"], "close": [1.0, 2.0]})
    >>> new = pl.DataFrame({"symbol": ["B", "C"], "close": [2.5, 3.0]})
    >>> result = upsert(old, new, ["symbol"])
    >>> result.inserted, result.updated, result.frame.rows()
    (1, 1, [('A', 1.0), ('B', 2.5), ('C', 3.0)])
    """
    if stored is None:
        return Upsert(new.sort(keys), new.height, 0, 0, changed=True)
    check_same_case(stored.columns, new.columns)
    values = [name for name in new.columns if name not in keys]
    shared = [name for name in values if name in stored.columns]
    both = _join(stored, new, keys)
    present = pl.col(NEW)
    known = pl.col(NEW + NEW)
    differs = pl.any_horizontal(
        *(pl.col(name).ne_missing(pl.col(NEW + name)) for name in shared),
        *(pl.col(NEW + name).is_not_null() for name in values if name not in shared),
        pl.lit(False),
    )
    counts = both.select(
        inserted=(present & ~known).sum(), updated=(present & known & differs).sum(), total=present.sum()
    ).row(0, named=True)
    if since is not None:
        name, value = since
        both = both.with_columns(pl.when(present & (~known | differs)).then(value).otherwise(name).alias(name))
    frame = both.select(
        *keys,
        *(
            pl.when(present).then(NEW + name).otherwise(name).alias(name) if name in shared else name
            for name in stored.columns
            if name not in keys
        ),
        *(pl.col(NEW + name).alias(name) for name in values if name not in shared),
    ).sort(keys)
    inserted, updated = counts["inserted"], counts["updated"]
    changed = bool(inserted or updated or len(values) > len(shared))
    return Upsert(frame, inserted, updated, counts["total"] - inserted - updated, changed)


def _join(stored: pl.DataFrame, new: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Outer join by key; new values have prefixed names, and two flags say which tables have the key."""
    right = new.rename({name: NEW + name for name in new.columns if name not in keys})
    both = stored.with_columns(pl.lit(True).alias(NEW + NEW)).join(
        right.with_columns(pl.lit(True).alias(NEW)), on=list(keys), how="full", coalesce=True, nulls_equal=True
    )
    return both.with_columns(pl.col(NEW, NEW + NEW).fill_null(False))


def check_same_case(stored: Sequence[str], new: Sequence[str]) -> None:
    """Refuse a column whose name differs from a stored one only in case."""
    known = {name.lower(): name for name in stored}
    for name in new:
        if known.get(name.lower(), name) != name:
            raise BarsError(
                f"column {name!r} is stored as {known[name.lower()]!r}",
                hint=f"load it with columns={{{known[name.lower()]!r}: {name!r}}}",
            )
