"""The part of a store's public interface that scores: dates, weights that are fitted, models, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

from factorloom.engine.bars.selection import Selection, When, read_date, select
from factorloom.engine.research.model import ScoreModel
from factorloom.expressions.errors import ArgumentError, ParameterError, UnknownColumnError, suggest
from factorloom.expressions.operator import col
from factorloom.storage import scores as stored_scores
from factorloom.storage.backing import AsOf, refuse_unknown
from factorloom.storage.catalog import Catalog
from factorloom.storage.gather import selected_bars
from factorloom.storage.part import Part
from factorloom.storage.runs import Run
from factorloom.storage.sql import quote
from factorloom.storage.universe import MEMBER, within
from factorloom.storage.view import View

if TYPE_CHECKING:
    from factorloom.engine.research.explanation import ScoreExplanation

__all__ = ["Scoring"]

KEYS = ["symbol", "date"]


class Scoring(Part):
    """What a store offers to score."""

    def score(
        self,
        dataset: str,
        model: ScoreModel,
        *,
        date: When | None = None,
        start: When | None = None,
        end: When | None = None,
        dates: str | Iterable[When] | None = None,
        as_of: AsOf = None,
        universe: str | None = None,
    ) -> pl.DataFrame:
        """Score the symbols of one date or of many, and store the scores in `scores.<dataset>`.

        Parameters
        ----------
        model
            The score model; where its weights are fitted, they are stored in `weights.<dataset>`.
        date, start, end, dates
            As for `fl.score`; by default the last date.
        as_of
            As for `panel`; scores of another version than the newest are not stored.
        universe
            Only its members on a date are scored, and trained on.

        Returns
        -------
        polars.DataFrame
            As for `fl.score`.

        Raises
        ------
        ParameterError
            A date has no bars, or `date` is given beside `start`, `end` or `dates`.

        Examples
        --------
        >>> import factorloom as fl
        >>> model = fl.ScoreModel("cheap", {"low_price": fl.ScoreFactor(fl.close, direction=-1)})
        >>> with fl.open_store(":memory:") as store:
        ...     report = store.load("tiny", fl.example())
        ...     scores = store.score("tiny", model, dates="all")
        ...     print(store.sql("SELECT count(*) FROM scores.tiny").item())
        8
        """
        from factorloom.engine.research.score import score_frame

        _check_model(model)
        run = Run("score", dataset)

        def work(catalog: Catalog) -> tuple[View, pl.DataFrame, pl.DataFrame | None]:
            view = self._backing.view(dataset, as_of, catalog)
            chosen = _chosen(view, date, start, end, dates)
            frame = self._inputs(run, catalog, view, model, chosen, universe)
            weights = None if model.fit is None else self._weights(run, catalog, view, model, chosen, universe)
            return view, frame, weights

        view, frame, weights = self._backing.on_newest(work)
        scores = score_frame(frame, model, weights)
        if not self._backing.read_only and as_of is None and scores.height:
            stored_scores.write_scores(self._backing, view, model, scores, weights)
        self._journal.record(run, view.version, scores.height)
        return scores

    def fit_weights(
        self,
        dataset: str,
        model: ScoreModel,
        *,
        start: When | None = None,
        end: When | None = None,
        as_of: AsOf = None,
        universe: str | None = None,
    ) -> pl.DataFrame:
        """The weights that a model is fitted to, walking forward; they are not stored.

        Parameters
        ----------
        model, start, end
            As for `fl.fit_weights`, which also says what the table holds.
        as_of, universe
            As for `score`.
        """
        from factorloom.engine.research.fit.walk import check_fitted

        _check_model(model)
        check_fitted(model)
        run = Run("fit_weights", dataset)

        def work(catalog: Catalog) -> tuple[View, pl.DataFrame]:
            view = self._backing.view(dataset, as_of, catalog)
            chosen = _chosen(view, None, start, end, "all")
            return view, self._weights(run, catalog, view, model, chosen, universe)

        view, weights = self._backing.on_newest(work)
        self._journal.record(run, view.version, weights.height)
        return weights

    def explain_score(
        self,
        dataset: str,
        model: ScoreModel,
        symbol: str,
        date: When | None = None,
        *,
        before: When | None = None,
        as_of: AsOf = None,
        universe: str | None = None,
    ) -> ScoreExplanation:
        """Why a symbol has its score on a date, and what changed since an earlier one; stores no scores.

        Parameters
        ----------
        model, symbol, date, before
            As for `fl.explain_score`.
        as_of, universe
            As for `score`.

        Examples
        --------
        >>> import factorloom as fl
        >>> model = fl.ScoreModel("cheap", {"low_price": fl.ScoreFactor(fl.close, direction=-1)})
        >>> with fl.open_store(":memory:") as store:
        ...     report = store.load("tiny", fl.example())
        ...     print(repr(store.explain_score("tiny", model, "B")))
        <ScoreExplanation: B on 2024-01-04, cheap: score -1.34898, rank 3 of 3, percentile 0.333>
        """
        from factorloom.engine.research.explain import compared_dates, explained

        _check_model(model)
        run = Run("explain_score", dataset)

        def work(catalog: Catalog) -> tuple[View, ScoreExplanation]:
            view = self._backing.view(dataset, as_of, catalog)
            refuse_unknown(view, select(symbols=[symbol]))
            day, earlier = compared_dates(_market(view, (date, before)), date, before)
            chosen = select(dates=[each for each in (earlier, day) if each is not None])
            frame = self._inputs(run, catalog, view, model, chosen, universe)
            weights = None if model.fit is None else self._weights(run, catalog, view, model, chosen, universe)
            return view, explained(frame, model, symbol, day, earlier, weights)

        view, found = self._backing.on_newest(work)
        self._journal.record(run, view.version, found.factors.height)
        return found

    def models(self, dataset: str) -> pl.DataFrame:
        """The models that have scored a dataset, in all of their versions.

        Returns
        -------
        polars.DataFrame
            `model`, `model_digest`, its TOML `document`, `first_at` and `last_at`: when it first and last scored.
        """
        self._backing.dataset(dataset)
        return self._queries.run(f"FROM models.{quote(dataset)} ORDER BY model, first_at")

    def model(self, dataset: str, name: str, digest: str | None = None) -> ScoreModel:
        """A model that has scored a dataset, as it was when it last did, or the version with this digest.

        Raises
        ------
        ParameterError
            No such model has scored the dataset.
        """
        known = self.models(dataset)
        found = known.filter(pl.col("model") == name)
        if digest is not None:
            found = found.filter(pl.col("model_digest") == digest)
        if not found.height:
            text = f"{name!r}" if digest is None else f"{name!r} with the digest {digest!r}"
            raise ParameterError(
                f"no model {text} has scored dataset {dataset!r}", hint=suggest(name, known["model"].unique())
            )
        return ScoreModel.from_toml(found.sort("last_at")["document"][-1] + "\n")

    def _inputs(
        self, run: Run, catalog: Catalog, view: View, model: ScoreModel, chosen: Selection, universe: str | None
    ) -> pl.DataFrame:
        """What `score_frame` takes: raw factors, exposures and categories of the members on the chosen dates."""
        if model.neutralize is not None and model.neutralize not in view.columns:
            hint = suggest(model.neutralize, view.columns)
            raise UnknownColumnError(f"dataset {view.dataset!r} has no column {model.neutralize!r}", hint=hint)
        factors = within(view, universe, model.inputs)
        if universe is not None:
            factors[MEMBER + universe] = col(MEMBER + universe)
        frame = self._calculator.compute(run, catalog, view, factors, chosen)
        if universe is not None:
            frame = frame.filter(pl.col(MEMBER + universe) == 1).drop(MEMBER + universe)
        if model.neutralize is not None:
            categories = selected_bars(view, chosen, [model.neutralize]).select(
                pl.col("symbol").cast(pl.String), "date", model.neutralize
            )
            frame = frame.join(categories, on=KEYS, how="left", maintain_order="left")
        return frame

    def _weights(
        self, run: Run, catalog: Catalog, view: View, model: ScoreModel, chosen: Selection, universe: str | None
    ) -> pl.DataFrame:
        """The fitted weights that hold on the chosen dates."""
        from factorloom.engine.research.fit.fitted import LABEL
        from factorloom.engine.research.fit.walk import training_span, weights_of

        assert model.fit is not None
        market = _market(view, None)
        fits, training = training_span(market, chosen, model.fit)
        frame = self._inputs(run, catalog, view, model, training, universe)
        labels = self._calculator.compute(run, catalog, view, {LABEL: model.fit.label}, training)  # of the whole market
        return weights_of(frame.join(labels, on=KEYS, how="left", maintain_order="left"), model, market, fits)


def _check_model(model: object) -> None:
    if not isinstance(model, ScoreModel):
        raise ArgumentError(f"a model must be a ScoreModel, got {type(model).__name__}")


def _chosen(
    view: View, date: When | None, start: When | None, end: When | None, dates: str | Iterable[When] | None
) -> Selection:
    """The dates to score."""
    from factorloom.engine.research.chosen import chosen_dates

    many = not (start is None and end is None and dates is None)
    return chosen_dates(_market(view, None if many else (date,)), date, start, end, dates)


def _market(view: View, asked: Iterable[When | None] | None) -> pl.Series:
    """The dates of the bars; where they have a time of day, all, or those of the days asked for and before them."""
    if view.daily:
        return view.dates
    if asked is None:
        return view.moments(view.dates)
    days = [view.dates[-1] if each is None else read_date("date", each) for each in asked]
    places = [int(view.dates.search_sorted(day, "right")) for day in days]
    near = [view.dates[max(place - 2, 0) : max(place, 1)] for place in places]
    return view.moments(pl.concat(near).unique())
