"""Scores of the symbols of a date, computed from a score model.

For every factor, with `raw` its value:

    x            = cs_winsorize(raw)              or group_winsorize(raw, sector) if the model neutralises
    z            = cs_robust_zscore(x)            or group_robust_zscore(x, sector)
    contribution = direction * weight * z / W     W: the sum of weights of the symbol's factors with a z
    score        = sum of contributions           for symbols with a z for at least `min_factors` factors

The score and the contributions are themselves factors (`composite`), so they are the same wherever factors are
computed. A factor without a z contributes null, not 0, and its weight goes to the symbol's other factors.
"""

from __future__ import annotations

import datetime
import functools
import math
import operator
from collections.abc import Iterable, Mapping

import polars as pl

from factorloom.engine.bars.layout import KEYS
from factorloom.engine.bars.read import encode_bars
from factorloom.engine.bars.selection import When, read_date, refuse_absent_dates
from factorloom.engine.panel import Engine, Panel
from factorloom.engine.research.model import ScoreModel
from factorloom.expressions.errors import ArgumentError, BarsError, UnknownColumnError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col
from factorloom.expressions.operators import (
    cs_rank,
    cs_robust_zscore,
    cs_winsorize,
    fill,
    group_robust_zscore,
    group_winsorize,
    is_missing,
    where,
)
from factorloom.expressions.operators.loop.tie import tied_column

__all__ = ["composite", "score", "score_frame", "standardized"]


def standardized(model: ScoreModel, raw: Mapping[str, Factor] | None = None) -> dict[str, Factor]:
    """The winsorised robust z-score of every factor of a model, by name.

    Parameters
    ----------
    model
    raw
        The raw factors by name; default: those of the model.
    """
    return {name: _standardize(model, factor) for name, factor in (model.raw if raw is None else raw).items()}


def composite(model: ScoreModel, raw: Mapping[str, Factor] | None = None) -> dict[str, Factor]:
    """The score of a model as factors: `score`, `percentile`, and `contribution_<factor>` for each factor.

    Parameters
    ----------
    model
    raw
        The raw factors by name; default: those of the model.

    Examples
    --------
    >>> import factorloom as fl
    >>> from factorloom.engine.research.score import composite
    >>> model = fl.ScoreModel("cheap", {"low_price": fl.ScoreFactor(fl.close, direction=-1)})
    >>> print(fl.example().show(composite(model)["score"]))
    date             A       B      C
    2024-01-02   0.674  -0.674      -
    2024-01-03     0.0  -0.899  0.674
    2024-01-04     0.0  -1.349  0.674
    """
    zscores = standardized(model, raw)
    weights = _normalized_weights(model)
    present = {name: 1 - is_missing(z) for name, z in zscores.items()}
    enough = _sum(present.values()) >= model.needed
    weight_sum = where(enough, _sum(weights[name] * flag for name, flag in present.items()))
    contributions = {
        name: z * (model.factors[name].direction * weights[name] / weight_sum) for name, z in zscores.items()
    }
    total = where(enough, _sum(fill(contributions[name], 0) for name in sorted(contributions)))
    return {
        "score": total,
        "percentile": cs_rank(total),
        **{f"contribution_{name}": contribution for name, contribution in contributions.items()},
    }


def score_frame(frame: pl.DataFrame, model: ScoreModel, *, engine: Engine = "numba") -> pl.DataFrame:
    """Scores from the values of raw factors.

    Parameters
    ----------
    frame
        One row per symbol and date, with complete cross-sections: the keys, one column per factor under its name in
        the model, and the column by which the model neutralises.
    model
    engine
        As in `Panel.compute`.

    Returns
    -------
    polars.DataFrame
        One row per symbol and date, sorted by date, then from the best score to the worst; missing scores come last:

        - the keys;
        - `score`, Float64, and `rank`, Int64: 1 is the best of the date, ties, in 12 digits, share the smaller rank;
        - `percentile`, Float64 in (0, 1]: 1 is the best of the date, ties share their mean;
        - `reason`, String: why the score is missing, null if there is a score;
        - `contribution_<factor>`, Float64: the terms of the score, null for a factor without a value.

    Raises
    ------
    UnknownColumnError
        If the frame lacks a factor, a key, or the column by which the model neutralises.
    BarsError
        If a key is missing or repeated.
    """
    _check_keys(frame)
    panel = Panel(encode_bars(frame))
    _check_columns(panel, [*model.factors, model.neutralize])
    raw = {name: col(name) for name in model.factors}
    zscores = {f"z_{name}": z for name, z in standardized(model, raw).items()}
    values = panel.compute({**composite(model, raw), **zscores}, engine=engine)
    present = panel.table.select(_presence(model))
    return (
        values.with_columns(pl.selectors.float().replace(0.0, 0.0))  # -0.0 is 0
        .with_columns(_rank().over("date").alias("rank"))
        .with_columns(pl.concat([values, present], how="horizontal").select(_reason(model)).to_series())
        .sort("date", "score", "symbol", descending=[False, True, False], nulls_last=True)
        .select("symbol", "date", "score", "rank", "percentile", "reason", pl.col(r"^contribution_.*$"))
    )


def score(panel: Panel, model: ScoreModel, *, date: When | None = None, engine: Engine = "numba") -> pl.DataFrame:
    """The scores of one date of a panel.

    Parameters
    ----------
    panel
        Bars, with all the history that the factors need.
    model
    date
        A date of the panel, or its ISO text; default: the last date.
    engine
        As in `Panel.compute`.

    Returns
    -------
    polars.DataFrame
        As for `score_frame`, one row per symbol with a bar on the date.

    Raises
    ------
    ParameterError
        If the panel has no bars on the date.
    UnknownColumnError
        If the panel lacks a column of a factor, or the column by which the model neutralises.

    Examples
    --------
    >>> import factorloom as fl
    >>> model = fl.ScoreModel("cheap", {"low_price": fl.ScoreFactor(fl.close, direction=-1)})
    >>> fl.score(fl.example(), model).select("symbol", "rank", "score").rows()
    [('C', 1, 0.6744897501960817), ('A', 2, 0.0), ('B', 3, -1.3489795003921634)]
    """
    for name, given, kind in (("panel", panel, Panel), ("model", model, ScoreModel)):
        if not isinstance(given, kind):
            raise ArgumentError(f"{name} must be a {kind.__name__}, got {type(given).__name__}")
    _check_columns(panel, [model.neutralize])
    day = _find_date(panel.dates, date)
    raw = panel.compute(model.raw, start=day, end=day, engine=engine)
    if model.neutralize:
        raw = raw.with_columns(panel.table.filter(panel.table["date"] == day)[model.neutralize])
    return score_frame(raw, model, engine=engine)


def _standardize(model: ScoreModel, raw: Factor) -> Factor:
    rule, group = model.winsorize, model.neutralize
    if group is None:
        return cs_robust_zscore(cs_winsorize(raw, limit=rule.limit, method=rule.method) if rule else raw)
    clipped = group_winsorize(raw, group, limit=rule.limit, method=rule.method) if rule else raw
    return group_robust_zscore(clipped, group)


def _normalized_weights(model: ScoreModel) -> dict[str, float]:
    """The weights, divided by their sum."""
    largest = max(part.weight for part in model.factors.values())
    scaled = {name: part.weight / largest for name, part in model.factors.items()}
    total = math.fsum(scaled.values())  # the same in every Python: from 3.12 on, sum() rounds in another way
    return {name: weight / total for name, weight in scaled.items()}


def _sum(factors: Iterable[Factor]) -> Factor:
    return functools.reduce(operator.add, factors)


# --- rank and reason ----------------------------------------------------------------------------------------


def _rank() -> pl.Expr:
    """The rank, 1 for the best; scores that agree in 12 digits tie, as they do in the percentile."""
    return tied_column(pl.col("score")).rank("min", descending=True).cast(pl.Int64)


def _presence(model: ScoreModel) -> list[pl.Expr]:
    """Whether each raw factor and the category are present, row by row."""
    category = pl.col(model.neutralize).is_not_null() if model.neutralize else pl.lit(True)
    return [
        *(pl.col(name).is_not_null().alias(f"raw_{name}") for name in model.factors),
        category.alias("has_category"),
    ]


def _reason(model: ScoreModel) -> pl.Expr:
    """Why a row has no score: it has too few z, because raw values are missing or have no spread."""
    has_raw = {name: pl.col(f"raw_{name}") for name in model.factors}
    has_z = {name: pl.col(f"z_{name}").is_not_null() for name in model.factors}
    missing = _join_names({name: ~has_raw[name] for name in has_raw})
    constant = _join_names({name: has_raw[name] & ~has_z[name] for name in has_raw})
    place = f"in its {model.neutralize}" if model.neutralize else "on the date"
    plural = "factors" if len(has_z) > 1 else "factor"
    count = pl.format(
        f"{{}} of {len(has_z)} {plural} present, {model.needed} needed{{}}{{}}",
        pl.sum_horizontal(has_z.values()),
        pl.when(missing != "").then(pl.format("; missing: {}", missing)).otherwise(pl.lit("")),
        pl.when(constant != "").then(pl.format("; no spread {}: {}", pl.lit(place), constant)).otherwise(pl.lit("")),
    )
    reason = pl.when(pl.col("has_category")).then(count).otherwise(pl.lit(f"no {model.neutralize}"))
    return pl.when(pl.col("score").is_null()).then(reason).alias("reason")


def _join_names(flags: Mapping[str, pl.Expr]) -> pl.Expr:
    """The names whose flag is true, separated by commas."""
    names = [pl.when(flag).then(pl.lit(name)) for name, flag in flags.items()]
    return pl.concat_str(names, separator=", ", ignore_nulls=True)


# --- checks -------------------------------------------------------------------------------------------------


def _check_columns(panel: Panel, names: Iterable[str | None]) -> None:
    for name in names:
        if name is not None and name not in panel.columns:
            raise UnknownColumnError(f"no column {name!r} to score with", hint=suggest(name, panel.columns))


def _check_keys(frame: pl.DataFrame) -> None:
    for key in KEYS:
        if key not in frame.columns:
            raise UnknownColumnError(f"no column {key!r} to score with", hint=suggest(key, frame.columns))


def _find_date(dates: pl.Series, date: When | None) -> datetime.date:
    """The last date with bars, or the last one on a given day."""
    if not dates.len():
        raise BarsError("the panel has no bars to score")
    if date is None:
        last: datetime.date = dates[-1]
        return last
    day = read_date("date", date)
    refuse_absent_dates([day], dates)
    chosen = dates if isinstance(day, datetime.datetime) else dates.cast(pl.Date)
    found: datetime.date = dates.filter(chosen == day)[-1]
    return found
