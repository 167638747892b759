"""Write computed values to segments, and publish them in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import as_array
from factorloom.storage.backing import Backing
from factorloom.storage.catalog import CacheFile, replace_row
from factorloom.storage.digest import days_of
from factorloom.storage.entry import Basis, MemoryEntry
from factorloom.storage.merge import merges, write_entry
from factorloom.storage.pieces import cut_days
from factorloom.storage.publish import Draft
from factorloom.storage.view import View

__all__ = ["Made", "keep", "merge", "rounded"]


class Made(NamedTuple):
    """Values that were just computed, for all bars from one day to another.

    Attributes
    ----------
    basis
        What they depend on.
    frame
        `symbol`, `date` and a column for each factor, named by its digest.
    """

    first_day: int
    last_day: int
    basis: Basis
    frame: pl.DataFrame
    factors: list[str]

    def entry(self, view: View) -> MemoryEntry:
        """The values as an entry in memory."""
        values = {digest: as_array(self.frame[digest]) for digest in self.factors}
        return MemoryEntry((self.first_day, self.last_day), self.basis, view.version, values)  # type: ignore[arg-type]


def rounded(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Values as Float32 gives them back, missing where that overflows."""
    narrow = pl.col(names).cast(pl.Float32)
    return frame.with_columns(pl.when(narrow.is_finite()).then(narrow).cast(pl.Float64).name.keep())


def keep(backing: Backing, made: Sequence[tuple[View, Made]], limit: int | None, dtype: str) -> None:
    """Write values, and publish them together; readers of this process and others then find them.

    Above `limit` bytes, those that were made first are taken out, but not those of saved or pinned factors.
    """
    rows = [row for view, each in _joined(made) for row in _written(backing, view, each, dtype)]
    with backing.publishing() as draft:
        for row in rows:
            if row.dataset in draft.before.datasets:
                replace_row(draft.cursor, "cache", row)
            else:  # dropped in the meantime
                draft.unuse(row.file, at_once=True)
        for view in {view.stamp: view for view, _ in made}.values():
            entry = draft.before.datasets.get(view.dataset)
            if entry is not None and entry.version == view.version:
                merge(backing, draft, view, [row for row in rows if row.dataset == view.dataset])
        if limit is not None:
            _evict(draft, limit)


def _joined(made: Sequence[tuple[View, Made]]) -> Iterator[tuple[View, Made]]:
    """Values of other factors on the same bars, with the same basis, as one."""
    groups: dict[tuple[object, ...], list[tuple[View, Made]]] = {}
    for view, each in made:
        groups.setdefault((view.stamp, each.first_day, each.last_day, each.basis), []).append((view, each))
    for (view, first), *others in groups.values():
        known = dict.fromkeys(first.factors)
        frames = [first.frame]
        for _, other in others:
            new = [name for name in other.factors if name not in known]
            known |= dict.fromkeys(new)
            frames.append(other.frame.select(new))
        yield view, first._replace(frame=pl.concat(frames, how="horizontal"), factors=list(known))


def _evict(draft: Draft, limit: int) -> None:
    """Take out values that were made first, until all are within the limit."""
    rows = draft.cursor.execute("SELECT file, dataset, bytes, factors FROM catalog.cache ORDER BY created").fetchall()
    saved = {(each.dataset, each.digest) for each in draft.before.factors} | draft.before.pins
    over = sum(size for _, _, size, _ in rows) - limit
    for file, dataset, size, factors in rows:
        if over <= 0:
            return
        if not any((dataset, digest) in saved for digest in factors):
            draft.cursor.execute("DELETE FROM catalog.cache WHERE file = ?", [file])
            draft.unuse(file, at_once=True)
            over -= size


def merge(backing: Backing, draft: Draft, view: View, more: Sequence[CacheFile] = (), *, every: bool = False) -> None:
    """Replace small files of values by larger ones."""
    rows = [row for row in draft.before.cache if row.dataset == view.dataset]
    for gone, new in list(merges(backing, view, [*rows, *more], every=every)):
        for row in gone:
            draft.cursor.execute("DELETE FROM catalog.cache WHERE file = ?", [row.file])
            draft.unuse(row.file, at_once=not _is_seen(draft, row.dataset, row.factors))
        replace_row(draft.cursor, "cache", new)


def _is_seen(draft: Draft, dataset: str, factors: Sequence[str]) -> bool:
    """Whether SQL shows any of these factors, so that a query of another process may be reading them."""
    saved = {each.digest for each in draft.before.factors if each.dataset == dataset}
    return not saved.isdisjoint(factors)


def _written(backing: Backing, view: View, made: Made, dtype: str) -> Iterator[CacheFile]:
    """The files of some values: stretches of whole days."""
    for part in cut_days(made.frame):
        days = days_of(part["date"])
        whole = part.height == made.frame.height
        span = (made.first_day, made.last_day) if whole else (int(days.min()), int(days.max()))
        values = {digest: np.asarray(as_array(part[digest]), dtype) for digest in made.factors}
        yield write_entry(backing, view, span, part, values, made.basis)
