"""From the scores of a store to a backtest, and its tables by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from factorloom.engine.bars.selection import When, date_span
from factorloom.engine.research.model import ScoreModel
from factorloom.engine.research.portfolio.backtest import Backtest, backtest
from factorloom.engine.research.portfolio.weights import Weights, weights
from factorloom.engine.research.schedule import rebalancing
from factorloom.expressions.errors import ParameterError, UnknownColumnError, suggest
from factorloom.storage.store import Store

__all__ = ["ScoredBacktest", "run_backtest"]


@dataclass(frozen=True)
class ScoredBacktest:
    """A backtest, with the scores and weights that it comes from."""

    scores: pl.DataFrame
    weights: Weights
    backtest: Backtest

    def table(self, name: str) -> pl.DataFrame:
        """`summary`, `returns`, `weights`, `notes`, `attribution`, or that by `factors` or `groups`."""
        if name == "weights":
            return self.weights.frame
        if name == "notes":
            return pl.concat([self._noted(), self.backtest.notes.select("date", "kind", "text")])
        if name == "factors":
            return self.backtest.attribution_by_factor(self.scores)
        if name == "groups":
            return self.backtest.attribution_by_group
        frame: pl.DataFrame = getattr(self.backtest, name)
        return frame

    def _noted(self) -> pl.DataFrame:
        """What the weights could not meet, in words."""
        text = pl.format("{} wanted, {} got: {}", pl.col("wanted").round(6), pl.col("got").round(6), "reason")
        return self.weights.notes.select("date", kind="limit", text=text)


def run_backtest(
    store: Store,
    dataset: str,
    model: ScoreModel,
    *,
    start: When | None = None,
    end: When | None = None,
    rebalance: str = "month_end",
    bounds: Mapping[str, Any],
    volatility: str,
    holding: Mapping[str, Any],
    universe: str | None = None,
    as_of: Any = None,
) -> ScoredBacktest:
    """Score the rebalancing dates of a dataset, and hold what the scores ask for.

    Parameters
    ----------
    start, end
        The first and the last date to rebalance on; prices after `end` are not used.
    rebalance, holding
        Options of `fl.backtest`.
    bounds
        Options of `fl.weights`; `groups` is a column of the dataset.
    volatility
        A factor, of which `method="inverse_volatility"` takes the values.
    universe, as_of
        As for `store.score`.
    """
    panel = store.panel(dataset, end=end, as_of=as_of)
    first, last = date_span(panel, start, end)
    places = rebalancing(panel.dates, rebalance)
    dates = panel.dates.gather(places[(places >= first) & (places <= last)]).to_list()
    if not dates:
        hint = f"bars are from {panel.dates[0]} to {panel.dates[-1]}"
        raise ParameterError(f"nothing to rebalance on: no {rebalance} from {start} to {end}", hint=hint)
    scores = store.score(dataset, model, dates=dates, universe=universe, as_of=as_of)
    groups = bounds.get("groups")
    if groups is not None:
        if groups not in panel.columns:
            known = suggest(groups, panel.columns)
            raise UnknownColumnError(f"dataset {dataset!r} has no column {groups!r}", hint=known)
        scores = scores.join(panel.frame.select("symbol", "date", groups), on=["symbol", "date"], how="left")
    spread = None
    if bounds.get("method") == "inverse_volatility":
        spread = store.compute(dataset, dates=dates, as_of=as_of, value=volatility)
    held = weights(scores, volatility=spread, **bounds)
    found = backtest(held, panel, rebalance=rebalance, groups=groups, **holding)
    return ScoredBacktest(scores, held, found)
