"""The part of a store's public interface that says what is kept, what differs, and prepares what will be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import polars as pl

from factorloom.engine.bars.selection import Dates, Symbols, When, select
from factorloom.engine.plan.reach import Reach
from factorloom.engine.plan.request import Factors, OneFactor, named_factors
from factorloom.engine.research.model import ScoreModel
from factorloom.expressions.errors import ParameterError
from factorloom.expressions.factor import Factor
from factorloom.storage.backing import AsOf
from factorloom.storage.change import Change, changed_bars
from factorloom.storage.drop import drop_cache
from factorloom.storage.entry import FOREVER
from factorloom.storage.gather import wanted_days
from factorloom.storage.part import Part
from factorloom.storage.saved import saved_factors
from factorloom.storage.view import View, day_of

if TYPE_CHECKING:
    pass

__all__ = ["Difference", "Insight"]

SCHEMA: dict[str, Any] = {
    "name": pl.String,
    "state": pl.String,
    "days": pl.Int64,
    "missing_days": pl.Int64,
    "first_missing": pl.Date,
    "last_missing": pl.Date,
    "cells": pl.Int64,
    "lookback": pl.Int64,
    "seconds": pl.Float64,
}

COUNTED = ("bytes", "limit", "hits", "evictions")


class Difference(NamedTuple):
    """What differs between two versions of a dataset.

    Attributes
    ----------
    bars : polars.DataFrame
        `symbol`, `date`, `change` (inserted, updated, deleted) and the `columns` that differ.
    factors : polars.DataFrame
        For each factor its `name`, the `cells` that the changes reach, and the `share` of all cells.
    ranks : polars.DataFrame
        For the symbols whose rank by a model is another one on the last common date: `symbol`, `before`, `after`.
    """

    bars: pl.DataFrame
    factors: pl.DataFrame
    ranks: pl.DataFrame


class Insight(Part):
    """What is kept, and what differs."""

    def explain(
        self,
        dataset: str,
        factors: Factors = None,
        /,
        *more: OneFactor,
        start: When | None = None,
        end: When | None = None,
        symbols: Symbols | None = None,
        dates: Dates | None = None,
        as_of: AsOf = None,
        **named: OneFactor,
    ) -> pl.DataFrame:
        """Where the values of factors are, and what computing the missing ones would take; computes nothing.

        Parameters
        ----------
        factors, more, named, start, end, symbols, dates, as_of
            As for `compute`.

        Returns
        -------
        polars.DataFrame
            `name`; `state`: hot, compressed, persistent, partly or missing; `days` that are asked for, `missing_days`
            of them, `first_missing`, `last_missing`; `cells` to compute and `lookback` in bars to read before them;
            `seconds` that it would take, null where that is not known yet.

        Examples
        --------
        >>> import factorloom as fl
        >>> with fl.open_store(":memory:") as store:
        ...     report = store.load("tiny", fl.example())
        ...     values = store.compute("tiny", change=fl.returns)
        ...     print(store.explain("tiny", change=fl.returns, mean=fl.ts_mean(fl.close, 2))["state"].to_list())
        ['hot', 'missing']
        """
        selection = select(start, end, symbols, dates)
        self._settle(patient=False)
        catalog = self._backing.catalog()
        view = self._backing.view(dataset, as_of, catalog)
        entries = self._calculator.entries(catalog, view)
        wanted = wanted_days(view, selection)
        rows = []
        for name, factor in named_factors(factors, more, named).items():
            missing = view.dates.filter(pl.Series(wanted & ~entries.covered(factor.digest)))
            cells = 0
            if missing.len():
                days = view.days[wanted & ~entries.covered(factor.digest)]
                cells = sum(view.keys(int(first), int(last)).height for first, last in _runs(days))
            memory = self._calculator.selections.where(view, selection, wanted, entries, factor.digest)
            rows.append(
                {
                    "name": name,
                    "state": memory or _state(int(wanted.sum()), missing.len()),
                    "days": int(wanted.sum()),
                    "missing_days": missing.len(),
                    "first_missing": missing.min(),
                    "last_missing": missing.max(),
                    "cells": cells,
                    "lookback": factor.lookback,
                    "seconds": cells * self._tiers.cost[factor.digest] if factor.digest in self._tiers.cost else None,
                }
            )
        return pl.DataFrame(rows, schema=SCHEMA)

    def diff(
        self,
        dataset: str,
        before: AsOf,
        after: AsOf = None,
        factors: Factors = None,
        *,
        model: ScoreModel | None = None,
    ) -> Difference:
        """What differs between two versions: bars, the cells of factors that this reaches, and ranks.

        Parameters
        ----------
        before, after
            Versions or times; `after` is by default the newest version.
        factors
            As for `compute`, by default the saved ones.
        model
            Ranks by this model are compared on the last date that both versions have.

        Examples
        --------
        >>> import factorloom as fl, polars as pl
        >>> with fl.open_store(":memory:") as store:
        ...     report = store.load("tiny", fl.example())
        ...     report = store.load("tiny", fl.example().frame.filter(symbol="A").with_columns(pl.col("close") + 1))
        ...     difference = store.diff("tiny", 1, factors={"mean": fl.ts_mean(fl.close, 2)})
        ...     print(difference.bars.height, difference.factors.rows())
        3 [('mean', 3, 0.375)]
        """
        catalog = self._backing.catalog()
        old = self._backing.view(dataset, before, catalog)
        new = self._backing.view(dataset, after, catalog)
        wanted = saved_factors(self._backing.catalog(), dataset) if factors is None else named_factors(factors, (), {})
        ranks = _ranks(self, dataset, old, new, model)
        return Difference(changed_bars(old, new), _reached(old, new, wanted), ranks)

    def clear(self, tier: Literal["memory", "all"] = "memory", *, dataset: str | None = None) -> None:
        """Let go of kept values: those in memory, or all, also in files; all can be computed again."""
        if tier not in ("memory", "all"):
            raise ParameterError(f"tier must be 'memory' or 'all', got {tier!r}")
        self._settle()
        self._calculator.forget()
        if tier == "all":
            drop_cache(self._backing, dataset)

    def stats(self) -> pl.DataFrame:
        """One row per tier, hot, compressed and persistent: `items`, `bytes`, `limit`, `hits`, `evictions`.

        `misses` are values that were in no tier in memory, and `seconds_saved` the time that values found in memory
        would have taken to compute; both are in the first row.
        """
        self._settle(patient=False)
        catalog = self._backing.catalog()
        hot, compressed = self._tiers.hot, self._tiers.compressed
        rows = [
            ("hot", len(hot.items), *(getattr(hot, each) for each in COUNTED)),
            (
                "compressed",
                len(compressed.items),
                compressed.bytes,
                compressed.limit,
                compressed.hits,
                compressed.evictions,
            ),
            (
                "persistent",
                len(catalog.cache),
                sum(row.size for row in catalog.cache),
                self._tiers.persistent,
                self._journal.counters.hits,
                0,
            ),
        ]
        names = ["tier", "items", "bytes", "limit", "hits", "evictions"]
        kinds: dict[str, Any] = {"tier": pl.String, **dict.fromkeys(names[1:], pl.Int64)}
        frame = pl.DataFrame(rows, schema=kinds, orient="row")
        more: dict[str, list[float | None]] = {
            "misses": [self._tiers.misses, None, None],
            "seconds_saved": [self._tiers.seconds_saved, None, None],
        }
        return frame.with_columns(pl.Series(name, values) for name, values in more.items())


def _state(days: int, missing: int) -> str:
    return "persistent" if not missing else "missing" if missing == days else "partly"


def _runs(days: np.ndarray[Any, np.dtype[np.int64]]) -> list[tuple[int, int]]:
    breaks = np.flatnonzero(np.diff(days) > 7)
    return list(zip(days[[0, *(breaks + 1)]], days[[*breaks, days.size - 1]], strict=True))


def _reached(old: View, new: View, factors: dict[str, Factor]) -> pl.DataFrame:
    """How many cells of each factor the changes reach."""
    rows = []
    if factors:
        columns = sorted({name for factor in factors.values() for name in factor.columns if name in new.columns})
        change = Change(old, new, columns, int(min(old.days[0], new.days[0])), FOREVER)
        reach = Reach(change.bars, change.changed, change.dates, change.calendar)
        for name, factor in factors.items():
            cells = int(np.count_nonzero(reach.rows(factor)))
            rows.append((name, cells, cells / max(1, change.bars.rows)))
    return pl.DataFrame(rows, schema={"name": pl.String, "cells": pl.Int64, "share": pl.Float64}, orient="row")


def _ranks(store: Any, dataset: str, old: View, new: View, model: ScoreModel | None) -> pl.DataFrame:
    """The symbols whose rank is another one on the last common date."""
    schema: dict[str, Any] = {"symbol": pl.String, "before": pl.Int64, "after": pl.Int64}
    common = np.intersect1d(old.days, new.days)
    if model is None or not common.size:
        return pl.DataFrame(schema=schema)
    day = day_of(int(common[-1]))
    frames = [
        store.score(dataset, model, date=day, as_of=view.version).select("symbol", pl.col("rank").alias(name))
        for view, name in ((old, "before"), (new, "after"))
    ]
    both = frames[0].join(frames[1], on="symbol", how="full", coalesce=True)
    moved: pl.DataFrame = both.filter(pl.col("before").ne_missing(pl.col("after"))).sort("after", nulls_last=True)
    return moved
