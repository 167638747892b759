"""The part of a store's public interface that gives factors names, and keeps their values at hand."""

from __future__ import annotations

from collections.abc import Mapping

from factorloom.engine.plan.request import Factors, OneFactor, named_factors
from factorloom.storage.backing import AsOf
from factorloom.storage.part import Part
from factorloom.storage.runs import Run
from factorloom.storage.saved import check_names, save, saved_factors

__all__ = ["Saving"]


class Saving(Part):
    """Saved, computed ahead, and pinned factors."""

    def save(
        self,
        dataset: str,
        factors: Factors = None,
        /,
        *more: OneFactor,
        set: str = "saved",
        notes: Mapping[str, str] | None = None,
        directions: Mapping[str, int] | None = None,
        compute: bool = True,
        **named: OneFactor,
    ) -> None:
        """Give factors names, under which SQL sees their values: `factors.<dataset>` and `factors.<dataset>__<set>`.

        Parameters
        ----------
        factors, more, named
            As for `compute`.
        set
            The name of the set that they belong to.
        notes, directions
            A note, and 1 or -1 for what is better, by name.
        compute
            Whether to compute what is missing of their values; else they are null in SQL until somebody does.

        Raises
        ------
        ParameterError
            A name is saved with another meaning, or is no name.

        Examples
        --------
        >>> import factorloom as fl
        >>> with fl.open_store(":memory:") as store:
        ...     report = store.load("tiny", fl.example())
        ...     store.save("tiny", change=fl.returns, set="first")
        ...     print(store.sql("select symbol, change from factors.tiny where date = '2024-01-04'").rows())
        [('A', 0.09090909090909083), ('B', 0.1578947368421053), ('C', 0.3999999999999999)]
        """
        wanted = named_factors(factors, more, named)
        check_names(wanted)
        if compute:
            self.prewarm(dataset, wanted)
        self._settle()
        save(self._backing, dataset, wanted, set_name=set, notes=dict(notes or {}), directions=dict(directions or {}))

    def prewarm(
        self, dataset: str, factors: Factors = None, /, *more: OneFactor, as_of: AsOf = None, **named: OneFactor
    ) -> int:
        """Compute what is missing of some factors, by default the saved ones, and keep it; returns how many cells."""
        wanted = saved_factors(self._backing.catalog(), dataset) if factors is None and not more and not named else None
        if wanted is None:
            wanted = named_factors(factors, more, named)
        run = Run("prewarm", dataset)
        catalog = self._backing.catalog()
        view = self._backing.view(dataset, as_of, catalog)
        if wanted:
            self._calculator.fill(run, catalog, view, wanted)
        self._journal.record(run, view.version, 0)
        return run.cells

    def pin(
        self, dataset: str, factors: Factors = None, /, *more: OneFactor, on: bool = True, **named: OneFactor
    ) -> None:
        """Let the values of some factors stay in the store whatever the limit of `CacheLimits.persistent` is.

        Saved factors stay anyway. With `on=False` they may leave again.
        """
        wanted = named_factors(factors, more, named)
        with self._backing.publishing() as draft:
            self._backing.dataset(dataset, draft.before)
            for factor in wanted.values():
                draft.cursor.execute(
                    "DELETE FROM catalog.pins WHERE dataset = ? AND digest = ?", [dataset, factor.digest]
                )
                if on:
                    draft.cursor.execute("INSERT INTO catalog.pins VALUES (?, ?)", [dataset, factor.digest])
