"""The part of a store's public interface that keeps it in order: take out, forget, compact, copy."""

from __future__ import annotations

import os
from collections.abc import Collection

from factorloom.engine.bars.selection import Symbols, select
from factorloom.storage import drop
from factorloom.storage.backup import backup, export
from factorloom.storage.compact import compact
from factorloom.storage.part import Part
from factorloom.storage.runs import Run

__all__ = ["Upkeep"]


class Upkeep(Part):
    """What a store offers to keep it in order."""

    def drop(
        self,
        dataset: str,
        *,
        symbols: Symbols | None = None,
        names: Collection[str] | str | None = None,
        set: str | None = None,
        scores: str | bool = False,
        cache: bool = False,
    ) -> None:
        """Take out a dataset, or a part of it. `compact` gives the space back at once, later loads after a while.

        Parameters
        ----------
        dataset
            Alone: the dataset, with all of its versions, values, names and scores.
        symbols
            Only the bars of these symbols, which makes a new version. Earlier versions keep them.
        names, set
            Only these saved names, or all of a set.
        scores
            Only the scores of the model of this name, or of all models.
        cache
            Only the kept values, which can be computed again.

        Raises
        ------
        DatasetError, ParameterError
            There is no such dataset, symbol, name, set or model.
        """
        run = Run("drop", dataset)
        chosen = select(symbols=symbols).symbols
        self._settle()
        if chosen is None and names is None and set is None and not scores and not cache:
            drop.drop_dataset(self._backing, dataset)
        if chosen is not None:
            drop.drop_symbols(self._backing, dataset, chosen)
        if names is not None or set is not None:
            drop.drop_names(self._backing, dataset, [names] if isinstance(names, str) else names, set)
        if scores:
            drop.drop_scores(self._backing, dataset, None if scores is True else scores)
        if cache:
            drop.drop_cache(self._backing, dataset)
        known = self._backing.catalog().datasets
        self._journal.record(run, known[dataset].version if dataset in known else 0, 0)

    def prune(self, dataset: str | None = None, *, versions: int | None = None, days: float | None = None) -> int:
        """Forget old versions of a dataset, or of all, and the values that belong to no other.

        Parameters
        ----------
        versions
            How many to keep, the newest ones.
        days
            Or how long to keep them.

        Returns
        -------
        int
            How many versions were forgotten.
        """
        self._settle()
        return drop.prune(self._backing, dataset, versions=versions, days=days)

    def compact(self) -> int:
        """Merge small files, and delete at once what is not needed any more; returns how many bytes that gave back.

        Other processes that read an older version in this moment may find that a file of it is gone.
        """
        self._settle()
        return compact(self._backing)

    def backup(self, target: str | os.PathLike[str]) -> int:
        """Copy the store to a folder, consistently also while others write; returns how many files were new.

        A backup to the same folder again copies what is new. Files that never change are linked, not copied, where the
        file system allows it. `fl.restore_store` makes a store of a backup.
        """
        self._settle()
        return backup(self._backing, target)

    def export(self, target: str | os.PathLike[str]) -> None:
        """Write bars, attributes, saved factors and scores to one DuckDB file, for programs that read such files."""
        self._settle()
        export(self._backing, target)
