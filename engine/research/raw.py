"""What a score model is computed from, on the chosen bars: raw factors, exposures and categories, or factors that are
standardised in the same plan."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from factorloom.engine.bars.selection import Selection, selected_rows
from factorloom.engine.panel import Engine, Panel
from factorloom.engine.research.model import ScoreModel
from factorloom.engine.research.standard import standardized
from factorloom.expressions.errors import ArgumentError, UnknownColumnError, suggest
from factorloom.expressions.factor import Factor

__all__ = ["check_columns", "check_kinds", "raw_inputs", "z_values"]


def raw_inputs(panel: Panel, model: ScoreModel, chosen: Selection, engine: Engine) -> pl.DataFrame:
    """What `score_frame` takes, of the chosen bars: keys, raw factors, exposures, and the categories."""
    check_columns(panel, [model.neutralize])
    raw = panel.compute(model.inputs, start=chosen.start, end=chosen.end, dates=chosen.dates, engine=engine)
    if not model.neutralize:
        return raw
    category = panel.table[model.neutralize]
    return raw.with_columns(category.filter(pl.Series(selected_rows(panel, chosen))))


def z_values(panel: Panel, model: ScoreModel, chosen: Selection, engine: Engine, **more: Factor) -> pl.DataFrame:
    """The standardised factors and more, on the chosen bars; errors quote the factors as the model has them."""
    check_columns(panel, [model.neutralize])
    wanted = {**standardized(model), **more}
    try:
        return panel.compute(wanted, start=chosen.start, end=chosen.end, dates=chosen.dates, engine=engine)
    except UnknownColumnError:
        panel.plan(model.inputs)
        raise


def check_kinds(panel: object, model: object) -> None:
    """Refuse what is no panel, or no model."""
    for name, given, kind in (("panel", panel, Panel), ("model", model, ScoreModel)):
        if not isinstance(given, kind):
            raise ArgumentError(f"{name} must be a {kind.__name__}, got {type(given).__name__}")


def check_columns(panel: Panel, names: Iterable[str | None]) -> None:
    for name in names:
        if name is not None and name not in panel.columns:
            raise UnknownColumnError(f"no column {name!r} to score with", hint=suggest(name, panel.columns))
