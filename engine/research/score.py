"""Scores of the symbols of a date or of many, computed from a score model.

`standard.py` standardises the factors, `combine.py` weighs and adds them, `scored.py` makes a table of it:

    contribution = direction * share * z / W     W: the sum of shares of the symbol's factors with a z
    score        = sum of contributions          for symbols with a z for at least `min_factors` factors

A factor without a z contributes null, not 0. With exposures, contributions are taken once more free of them, over the
symbols with a score: then the score is too, also where factors are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import KEYS, Array, as_series
from factorloom.engine.bars.read import encode_bars
from factorloom.engine.bars.selection import When, select
from factorloom.engine.panel import Engine, Panel
from factorloom.engine.research.chosen import chosen_dates
from factorloom.engine.research.fit.walk import weights_for
from factorloom.engine.research.model import CONTRIBUTION, ScoreModel
from factorloom.engine.research.raw import check_columns, check_kinds, raw_inputs, z_values
from factorloom.engine.research.scored import table_of_scores
from factorloom.engine.research.standard import residual, standardized
from factorloom.expressions.errors import UnknownColumnError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col

__all__ = ["score", "score_frame"]


def score_frame(
    frame: pl.DataFrame, model: ScoreModel, weights: pl.DataFrame | None = None, *, engine: Engine = "numba"
) -> pl.DataFrame:
    """Scores from the values of raw factors.

    Parameters
    ----------
    frame
        One row per symbol and date, with complete cross-sections: the keys, one column per factor and exposure
        under its name in the model, and the column by which the model neutralises.
    model
    weights
        The fitted weights of a model whose weights are fitted, as of `fl.fit_weights`.
    engine
        As in `Panel.compute`.

    Returns
    -------
    polars.DataFrame
        One row per symbol and date, sorted by date, then from the best score to the worst; missing scores come last:

        - the keys;
        - `score`, Float64, and `rank`, Int64: 1 is the best of the date, ties, in 12 digits, share the smaller rank;
        - `percentile`, Float64 in (0, 1]: 1 is the best of the date, ties share their mean;
        - `quantile`, Int64: from 1 to `model.quantiles`, the best; as `cs_quantile_bin`;
        - `coverage`, Float64 in [0, 1]: the share of the weights whose factors the symbol has;
        - `reason`, String: why the score is missing, null if there is a score;
        - `contribution_<factor>`, Float64: the terms of the score, null for a factor without a value;
        - `group_<group>`, Float64, where the model has groups: the sum of the group's contributions.

    Raises
    ------
    UnknownColumnError
        If the frame lacks a factor, a key, or the column by which the model neutralises.
    BarsError
        If a key is missing or repeated.
    """
    for key in KEYS:
        if key not in frame.columns:
            raise UnknownColumnError(f"no column {key!r} to score with", hint=suggest(key, frame.columns))
    panel = Panel(encode_bars(frame))
    check_columns(panel, [*model.inputs, model.neutralize])
    inputs = {name: col(name) for name in model.inputs}

    def raw_on(days: pl.Series) -> pl.DataFrame:
        return panel.frame.filter(pl.col("date").is_in(days.implode()))

    def neutral(contributions: Sequence[Array]) -> list[Array]:
        return _neutral(model, panel, contributions, inputs, engine)

    z = panel.compute(standardized(model, inputs), engine=engine).select(*model.factors)
    return table_of_scores(model, panel, z, weights, raw_on, neutral if model.exposures else None)


def score(
    panel: Panel,
    model: ScoreModel,
    *,
    date: When | None = None,
    start: When | None = None,
    end: When | None = None,
    dates: str | Iterable[When] | None = None,
    weights: pl.DataFrame | None = None,
    engine: Engine = "numba",
) -> pl.DataFrame:
    """The scores of one date of a panel, or of many in one plan.

    Parameters
    ----------
    panel
        Bars, with all the history that the factors need.
    model
    date
        A date of the panel, or its ISO text; default: the last date.
    start, end
        The first and the last of many dates, both included.
    dates
        The dates themselves; or `"all"`, or `"month_end"`, the last date of each month once a date of the next is
        there, both within `start` and `end` where these are given.
    weights
        Fitted weights, as of `fit_weights`, of a model whose weights are fitted; by default they are fitted here.
    engine
        As in `Panel.compute`.

    Returns
    -------
    polars.DataFrame
        As for `score_frame`, one row per symbol with a bar on a date.

    Raises
    ------
    ParameterError
        If the panel has no bars on a date, or `date` is given beside `start`, `end` or `dates`.
    UnknownColumnError
        If the panel lacks a column of a factor, or the column by which the model neutralises.

    Examples
    --------
    >>> import factorloom as fl
    >>> model = fl.ScoreModel("cheap", {"low_price": fl.ScoreFactor(fl.close, direction=-1)})
    >>> fl.score(fl.example(), model).select("symbol", "rank", "score").rows()
    [('C', 1, 0.6744897501960817), ('A', 2, 0.0), ('B', 3, -1.3489795003921634)]
    >>> history = fl.score(fl.example(), model, dates="all")
    >>> history.height, history["date"].n_unique()
    (8, 3)
    """
    check_kinds(panel, model)
    chosen = chosen_dates(panel.dates, date, start, end, dates)
    if model.fit is not None and weights is None:
        weights = weights_for(panel, model, chosen, engine)
    if model.exposures:  # which contributions are freed of
        return score_frame(raw_inputs(panel, model, chosen, engine), model, weights, engine=engine)
    z = z_values(panel, model, chosen, engine)
    bars = panel if chosen.unrestricted else Bars(z.select(KEYS))
    z = z.select(*model.factors)  # alone: what it holds is used again

    def raw_on(days: pl.Series) -> pl.DataFrame:
        return raw_inputs(panel, model, select(dates=days.to_list()), engine)

    return table_of_scores(model, bars, z, weights, raw_on)


def _neutral(
    model: ScoreModel, panel: Panel, contributions: Sequence[Array], inputs: Mapping[str, Factor], engine: Engine
) -> list[Array]:
    """The contributions less what the exposures explain of them, over the symbols with a score."""
    is_scored = ~np.logical_and.reduce([np.isnan(x) for x in contributions])
    filled = (np.where(is_scored, np.nan_to_num(x), np.nan) for x in contributions)
    given = [as_series(f"{CONTRIBUTION}{name}", x) for name, x in zip(model.factors, filled, strict=True)]
    wider = Panel(panel.table.with_columns(given))
    free = wider.compute({each.name: residual(model, col(each.name), inputs) for each in given}, engine=engine)
    return [free[each.name].to_numpy() for each in given]
