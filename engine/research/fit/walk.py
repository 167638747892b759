"""Weights of a panel, fitted date after date."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from factorloom.engine.bars.layout import KEYS
from factorloom.engine.bars.read import encode_bars
from factorloom.engine.bars.selection import Selection, When, date_span, select
from factorloom.engine.panel import Engine, Panel
from factorloom.engine.research.chosen import chosen_places
from factorloom.engine.research.combine import rotated
from factorloom.engine.research.fit.fitted import LABEL, fitted
from factorloom.engine.research.fit.rule import Fit
from factorloom.engine.research.fit.window import Window, windows
from factorloom.engine.research.model import ScoreModel
from factorloom.engine.research.raw import check_kinds, z_values
from factorloom.engine.research.standard import standardized
from factorloom.expressions.errors import ArgumentError
from factorloom.expressions.operator import col

__all__ = ["check_fitted", "fit_weights", "training_span", "weights_for", "weights_of"]


def fit_weights(
    panel: Panel,
    model: ScoreModel,
    *,
    start: When | None = None,
    end: When | None = None,
    engine: Engine = "numba",
) -> pl.DataFrame:
    """The weights that a model is fitted to, walking forward.

    Each fit knows only returns that are complete on its date, so that a panel that ends there gives the same weights.

    Parameters
    ----------
    panel
        Bars, with the history to train on before `start`.
    model
        A model whose `weighting` is a `Fit`.
    start, end
        The fits whose weights hold from the one to the other; default: all dates.
    engine
        As in `Panel.compute`.

    Returns
    -------
    polars.DataFrame
        A row per fit:

        - `date`, from which on the weights hold;
        - `first`, `last`, the dates between which it was trained; `dates` and `rows`, Int64, how many of these dates
          and of symbols on them had values and labels;
        - `alpha`, Float64, the penalty of a regression;
        - `weight_<factor>`, Float64: the sizes of all sum to 1, a negative one turns the direction of its factor
          around. Null where less than half of the window had values and labels.

    Raises
    ------
    ArgumentError
        The model has fixed weights.
    MissingLibraryError
        scikit-learn, the extra `fit`, is needed and not installed.

    Examples
    --------
    >>> import factorloom as fl
    >>> from factorloom.engine.bars.market import simulate
    >>> panel = fl.Panel.from_frame(simulate(symbols=20, years=1))
    >>> model = fl.ScoreModel(
    ...     "fitted",
    ...     {"reversal": "-ts_pct_change(close, 5)", "volume": "cs_rank(volume)"},
    ...     weighting=fl.Fit("ic", horizon=5, window=60),
    ... )
    >>> weights = fl.fit_weights(panel, model)
    >>> weights.columns
    ['date', 'first', 'last', 'dates', 'rows', 'alpha', 'weight_reversal', 'weight_volume']
    """
    check_kinds(panel, model)
    check_fitted(model)
    date_span(panel, start, end)
    return weights_for(panel, model, select(start, end), engine)


def check_fitted(model: ScoreModel) -> None:
    """Refuse a model whose weights are not fitted."""
    if model.fit is None:
        raise ArgumentError(f"the weights of {model.name} are fixed", hint="give it weighting=fl.Fit(...)")


def weights_for(panel: Panel, model: ScoreModel, chosen: Selection, engine: Engine) -> pl.DataFrame:
    """The weights that hold on the chosen dates."""
    assert model.fit is not None
    fits, training = training_span(panel.dates, chosen, model.fit)
    z = z_values(panel, model, training, engine, **{LABEL: model.fit.label})
    return _fitted_on(z, model, panel.dates, fits, engine)


def training_span(market: pl.Series, chosen: Selection, rule: Fit) -> tuple[list[Window], Selection]:
    """The fits whose weights hold on the chosen ones of the market dates, and the dates that they need."""
    fits = windows(market, chosen_places(market, chosen), rule)
    if not fits:
        return [], chosen
    return fits, select(market[min(each.first for each in fits)], market[fits[-1].at])


def weights_of(
    frame: pl.DataFrame, model: ScoreModel, dates: pl.Series, fits: Sequence[Window], *, engine: Engine = "numba"
) -> pl.DataFrame:
    """The weights of each fit from raw inputs and forward returns on the dates that are trained on."""
    panel = Panel(encode_bars(frame))
    inputs = {name: col(name) for name in model.inputs}
    z = panel.compute({**standardized(model, inputs), LABEL: col(LABEL)}, engine=engine)
    return _fitted_on(z, model, dates, fits, engine)


def _fitted_on(
    z: pl.DataFrame, model: ScoreModel, dates: pl.Series, fits: Sequence[Window], engine: Engine
) -> pl.DataFrame:
    """The weights of each fit from standardised factors and labels, by key in the order of a panel."""
    keys = Panel(encode_bars(z.select(KEYS)))
    values = z.select(*model.factors).to_numpy()
    signed = rotated(model, values, keys.date_codes) * [float(part.direction) for part in model.factors.values()]
    return fitted(model, dates, fits, keys, signed, z[LABEL], engine)
