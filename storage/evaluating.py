"""The part of a store's public interface that evaluates factors, and counts how many were tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Unpack

import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.selection import select
from factorloom.engine.plan.request import Factors
from factorloom.engine.research.evaluation.setting import (
    EvaluationOptions,
    checked_factors,
    checked_settings,
)
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.progress import default_observer
from factorloom.expressions.errors import ArgumentError, ParameterError, StoreError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col
from factorloom.storage.backing import AsOf, Backing
from factorloom.storage.calculator import Calculator
from factorloom.storage.catalog import Catalog, now
from factorloom.storage.part import Part
from factorloom.storage.runs import Run
from factorloom.storage.saved import check_names, saved_factors
from factorloom.storage.universe import MEMBER, within
from factorloom.storage.view import View

if TYPE_CHECKING:
    from factorloom.engine.research.evaluation.evaluation import Evaluation

__all__ = ["Evaluating"]

ALL = select()


class StoreSource:
    """Bars of one version of a dataset, and values that the store keeps."""

    def __init__(self, backing: Backing, calculator: Calculator, run: Run, view: View, universe: str | None) -> None:
        self._backing, self._calculator, self._run, self._view = backing, calculator, run, view
        self._universe = universe
        self._digest = _digest(view)
        self.bars: Bars = calculator.panel(view)

    def values(self, factors: dict[str, Factor]) -> pl.DataFrame:
        """A column for each factor, one row for each bar."""
        view = self._view
        # labels are those of the whole market
        seen = {
            name: factor if factor.lookahead else within(view, self._universe, {name: factor})[name]
            for name, factor in factors.items()
        }

        def work(catalog: Catalog) -> pl.DataFrame:
            now = self._backing.view(view.dataset, view.version, catalog)
            if _digest(now) != self._digest:
                raise StoreError(
                    f"dataset {view.dataset!r} was dropped and loaded anew since it was evaluated",
                    hint="evaluate again",
                )
            return self._calculator.compute(self._run, catalog, now, seen, ALL)

        return self._backing.on_newest(work)


def _digest(view: View) -> int:
    """The digest of all bars of a view."""
    return view.digest(view.columns, int(view.days[0]), int(view.days[-1]))


class Evaluating(Part):
    """What a store offers to evaluate factors."""

    def evaluate(
        self,
        dataset: str,
        factors: Factors = None,
        *,
        universe: str | None = None,
        as_of: AsOf = None,
        observer: Observer | None = None,
        **options: Unpack[EvaluationOptions],
    ) -> Evaluation:
        """What factors say about the returns that follow; see `fl.evaluate`, which explains all options.

        Values of factors and labels are kept like those of `compute`. Every factor is counted in `catalog.trials`: the
        deflated Sharpe ratio of an evaluation takes the number of different factors ever evaluated on the dataset.

        Parameters
        ----------
        factors
            As for `compute`, by default the saved ones.
        universe
            The name of a universe: only its members are evaluated, and cross-sections see them alone.
        as_of
            As for `compute`.
        observer
            Watches, or cancels, the evaluation, once labels and values are there.
        **options
            As for `fl.evaluate`.

        Raises
        ------
        DatasetError, UnknownColumnError, ParameterError, ArgumentError, LookaheadError
            As `fl.evaluate`; or there is no such dataset or universe.

        Examples
        --------
        >>> import factorloom as fl
        >>> from factorloom.engine.bars.market import simulate
        >>> with fl.open_store(":memory:") as store:
        ...     report = store.load("us", simulate(symbols=40, years=1))
        ...     found = store.evaluate("us", {"reversal": -fl.ts_pct_change(fl.close, 5)}, horizons=(1, 5))
        ...     again = store.evaluate("us", {"noise": fl.cs_rank(fl.volume)}, horizons=(1, 5))
        >>> again.settings["trials"]
        2
        """
        from factorloom.engine.research.evaluation.evaluation import (
            evaluated,
        )  # compiled loops: not before they are needed

        known = EvaluationOptions.__annotations__
        if unknown := [name for name in options if name not in known]:
            hint = suggest(unknown[0], [*known, "universe", "as_of"])
            raise ArgumentError(f"evaluate has no argument {unknown[0]!r}", hint=hint)
        catalog = self._backing.catalog()
        run, view = Run("evaluate", dataset), self._backing.view(dataset, as_of, catalog)
        given = saved_factors(catalog, dataset) if factors is None else factors
        if factors is None and not given:
            raise ParameterError(
                f"no factor of dataset {dataset!r} is saved", hint="give factors, or save some with store.save"
            )
        source = StoreSource(self._backing, self._calculator, run, view, universe)
        wanted = checked_factors(given, source.bars)
        check_names(wanted)
        within(view, universe, wanted)
        member = None if universe is None else col(MEMBER + universe)
        settings = checked_settings(source.bars, universe=member, **options)
        tried = self._tried(dataset) | {factor.digest for factor in wanted.values()}
        found = evaluated(source, wanted, settings, observer or default_observer(), trials=len(tried))
        self._count(dataset, wanted)
        self._journal.record(run, view.version, found.summary.height)
        return found

    def _tried(self, dataset: str) -> set[str]:
        """The digests of all factors that were ever evaluated on a dataset."""
        found = self._queries.run("SELECT digest FROM catalog.trials WHERE dataset = ?", [dataset])
        return set(found["digest"])

    def _count(self, dataset: str, factors: Mapping[str, Factor]) -> None:
        """Count factors as tried, unless the store is read-only."""
        if self._backing.read_only:
            return
        with self._backing.publishing() as draft:
            rows = draft.cursor.execute("SELECT digest FROM catalog.trials WHERE dataset = ?", [dataset]).fetchall()
            tried = {digest for (digest,) in rows}
            for digest, (name, text) in {each.digest: (name, str(each)) for name, each in factors.items()}.items():
                if digest in tried:
                    again = "UPDATE catalog.trials SET times = times + 1 WHERE dataset = ? AND digest = ?"
                    draft.cursor.execute(again, [dataset, digest])
                else:
                    row = [dataset, digest, name, text, now(), 1]
                    draft.cursor.execute("INSERT INTO catalog.trials VALUES (?, ?, ?, ?, ?, ?)", row)
