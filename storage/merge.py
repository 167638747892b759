"""Merge small files of values: stretches of days into longer ones, and files of few factors into one of many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Array
from factorloom.storage import catalog
from factorloom.storage.backing import Backing
from factorloom.storage.catalog import CacheFile
from factorloom.storage.digest import days_of
from factorloom.storage.entry import Basis, FileEntry
from factorloom.storage.pieces import TARGET, are_enough
from factorloom.storage.segment import write_values
from factorloom.storage.view import View

__all__ = ["merges", "write_entry"]

COLUMNS = 32
"""So many files of the same days become one."""

MOST = 1 << 30
"""No merge makes a file of more bytes."""


def merges(
    backing: Backing, view: View, rows: Iterable[CacheFile], *, every: bool = False
) -> Iterator[tuple[list[CacheFile], CacheFile]]:
    """Files that are better one, with the file that takes their place; `every` merges whatever can be."""
    live = [row for row in rows if _basis(row).fits(view)]
    by_days: dict[tuple[int, int, str], list[CacheFile]] = {}
    for row in live:
        by_days.setdefault((row.first_day, row.last_day, row.dtype), []).append(row)
    gone: set[str] = set()
    for same in by_days.values():
        if len(same) >= (2 if every else COLUMNS) and sum(row.size for row in same) <= MOST:
            yield same, _joined(backing, view, same)
            gone |= {row.file for row in same}
    by_factors: dict[tuple[str, ...], list[CacheFile]] = {}
    for row in live:
        if row.file not in gone:
            by_factors.setdefault((row.dtype, *row.factors), []).append(row)
    for same in by_factors.values():
        if len(some := _run(view, sorted(same, key=lambda row: row.first_day), every=every)) > 1:
            yield some, _joined(backing, view, some)


def write_entry(
    backing: Backing, view: View, days: tuple[int, int], keys: pl.DataFrame, values: dict[str, Array], basis: Basis
) -> CacheFile:
    """Write values of all bars from one day to another to a file."""
    arrow = keys.select(pl.col("symbol").cast(pl.String), "date").to_arrow(compat_level=pl.CompatLevel.oldest())
    written = write_values(backing.folder, backing.folder.new_segment(view.dataset, "factors"), arrow, values)
    return CacheFile(
        *(written.file, view.dataset, *days, keys.height, written.bytes, written.check),
        version=view.version,
        dtype=str(next(iter(values.values())).dtype),
        created=catalog.now(),
        factors=list(values),
        columns=list(basis.columns),
        reach_first=basis.first_day,
        reach_last=basis.last_day,
        input=basis.input,
    )


def _run(view: View, rows: Sequence[CacheFile], *, every: bool) -> list[CacheFile]:
    """The small files at the end, one after the other, that are worth merging."""
    start = len(rows)
    while (
        start
        and rows[start - 1].rows < TARGET // 2  # a piece that was cut has more
        and (start == len(rows) or _adjacent(view, *rows[start - 1 : start + 1]))
    ):
        start -= 1
    for first in range(start, len(rows) - 1):
        some = rows[first:]
        sizes = [row.rows for row in some]
        if sum(sizes) <= 2 * TARGET and (every or are_enough(sizes, TARGET)):
            return list(some)
    return []


def _adjacent(view: View, one: CacheFile, other: CacheFile) -> bool:
    """Whether no bar lies between two stretches, and they do not overlap."""
    first, last = np.searchsorted(view.days, [one.last_day + 1, other.first_day])
    return bool(first == last and one.last_day < other.first_day)


def _joined(backing: Backing, view: View, rows: Sequence[CacheFile]) -> CacheFile:
    """One file with the factors and days of several."""
    first, last = min(row.first_day for row in rows), max(row.last_day for row in rows)
    keys = view.keys(first, last)
    days = days_of(keys["date"])
    values: dict[str, Array] = {}
    for row in rows:
        place = np.flatnonzero((days >= row.first_day) & (days <= row.last_day))
        entry = FileEntry(backing.files, row)
        for digest, part in zip(row.factors, entry.gather(row.factors, slice(0, row.rows)), strict=True):
            values.setdefault(digest, np.full(days.size, np.nan, row.dtype))[place] = part
    columns = sorted({column for row in rows for column in row.columns})
    basis = Basis.of(view, columns, min(row.reach_first for row in rows), max(row.reach_last for row in rows))
    return write_entry(backing, view, (first, last), keys, values, basis)


def _basis(row: CacheFile) -> Basis:
    return Basis(tuple(row.columns), row.reach_first, row.reach_last, row.input)
