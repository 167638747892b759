"""Scores of the symbols of a date or of many, computed from a score model.

`standard.py` standardises the factors, `combine.py` weighs and adds them:

    contribution = direction * share * z / W     W: the sum of shares of the symbol's factors with a z
    score        = sum of contributions          for symbols with a z for at least `min_factors` factors

A factor without a z contributes null, not 0. With exposures, contributions are taken once more free of them, over the
symbols with a score: then the score is too, also where factors are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import KEYS, Array
from factorloom.engine.bars.read import encode_bars
from factorloom.engine.bars.selection import When
from factorloom.engine.panel import Engine, Panel
from factorloom.engine.research.chosen import chosen_dates
from factorloom.engine.research.combine import combined, present_share, scored
from factorloom.engine.research.fit.dated import dated_shares
from factorloom.engine.research.fit.walk import weights_for
from factorloom.engine.research.model import CONTRIBUTION, ScoreModel
from factorloom.engine.research.raw import check_columns, check_kinds, raw_inputs
from factorloom.engine.research.standard import residual, standardized
from factorloom.expressions.errors import UnknownColumnError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col
from factorloom.expressions.operators.loop.tie import tied_column

__all__ = ["score", "score_frame"]

BLOCK_ROWS = 1 << 18
"""Dates are scored together until they have so many rows."""

TIED = "tied score"
"""The column of scores of which those that agree in 12 digits are equal; no factor can have this name."""


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
    _check_keys(frame)
    return pl.concat([_scored(part, model, weights, engine) for part in _blocks(frame)])


def _blocks(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows of some dates at a time, so that what is computed of them stays small."""
    if frame.height <= BLOCK_ROWS or frame["date"].null_count():  # a missing key is refused below
        yield frame
        return
    counts = frame.group_by("date").len().sort("date")
    blocks = (counts["len"].cum_sum() - 1) // BLOCK_ROWS
    spans = counts.group_by(blocks.alias("block"), maintain_order=True).agg(
        pl.col("date").first().alias("first"), pl.col("date").last().alias("last")
    )
    day = pl.col("date")
    for first, last in spans.select("first", "last").rows():
        yield frame.filter((day >= first) & (day <= last))


def _scored(frame: pl.DataFrame, model: ScoreModel, weights: pl.DataFrame | None, engine: Engine) -> pl.DataFrame:
    """The scores of some dates; see `score_frame`."""
    panel = Panel(encode_bars(frame))
    check_columns(panel, [*model.inputs, model.neutralize])
    inputs = {name: col(name) for name in model.inputs}
    z = panel.compute({f"z_{name}": z for name, z in standardized(model, inputs).items()}, engine=engine)
    values = z.drop("symbol", "date").to_numpy()
    shares = dated_shares(model, weights, panel.table["date"])
    contributions = combined(model, values, panel.date_codes, shares)
    if model.exposures:
        contributions = _neutral(model, panel, contributions, inputs, engine)
    named = [f"{CONTRIBUTION}{name}" for name in model.factors]
    columns = {"score": scored(model, contributions)} | dict(zip(named, contributions.T, strict=True))
    table = z.select("symbol", "date").with_columns(
        *(pl.Series(name, x + 0.0, nan_to_null=True) for name, x in columns.items())  # -0.0 is 0
    )
    share = _coverage(values, shares)
    table = table.with_columns(
        _reasons(model, panel, z, table["score"], share),
        pl.Series("coverage", share, nan_to_null=True),
        *_groups(model),
    )
    over_dates = z["date"].n_unique() > 1
    tied = tied_column(pl.col("score")).alias(TIED)
    ranked = (each.over("date") if over_dates else each for each in (_rank(), _percentile(), _quantile(model)))
    return (
        table.with_columns(tied.over("date") if over_dates else tied)
        .with_columns(*ranked)
        .sort("date", "score", "symbol", descending=[False, True, False], nulls_last=True)
        .select(
            *("symbol", "date", "score", "rank", "percentile", "quantile", "coverage", "reason", *named),
            *(f"group_{name}" for name in model.groups),
        )
    )


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
    return score_frame(raw_inputs(panel, model, chosen, engine), model, weights, engine=engine)


def _neutral(
    model: ScoreModel, panel: Panel, contributions: Array, inputs: Mapping[str, Factor], engine: Engine
) -> Array:
    """The contributions less what the exposures explain of them, over the symbols with a score."""
    scored_rows = ~np.isnan(contributions).all(axis=1, keepdims=True)
    filled = np.where(scored_rows, np.nan_to_num(contributions), np.nan)
    given = {f"{CONTRIBUTION}{name}": filled[:, place] for place, name in enumerate(model.factors)}
    wider = Panel(panel.table.with_columns(pl.Series(name, x, nan_to_null=True) for name, x in given.items()))
    free = wider.compute({name: residual(model, col(name), inputs) for name in given}, engine=engine)
    return free.drop("symbol", "date").to_numpy()


# --- rank and reason ----------------------------------------------------------------------------------------


def _rank() -> pl.Expr:
    """The rank, 1 for the best; scores that agree in 12 digits tie, as they do in the percentile."""
    return pl.col(TIED).rank("min", descending=True).cast(pl.Int64).alias("rank")


def _percentile() -> pl.Expr:
    """`cs_rank` of the score: the share of scores that are not above it, ties by their mean."""
    return (pl.col(TIED).rank("average") / pl.col("score").count()).alias("percentile")


def _quantile(model: ScoreModel) -> pl.Expr:
    """`cs_quantile_bin` of the score."""
    count = pl.col("score").count().cast(pl.Float64)
    place = model.quantiles * (pl.col(TIED).rank("average") - 1) / (count - 1)
    alone = pl.when(pl.col("score").is_not_null()).then(pl.lit((model.quantiles + 1) // 2))
    return pl.when(count > 1).then(place.ceil().clip(1)).otherwise(alone).cast(pl.Int64).alias("quantile")


def _coverage(z: Array, shares: Array) -> Array:
    """How much of the weights each row has; NaN where there are no weights."""
    share = present_share(z, shares)
    share[~np.isnan(z).any(axis=1) & (share > 0)] = 1.0  # not a little less
    result: Array = np.minimum(share, 1.0)
    return result


def _groups(model: ScoreModel) -> list[pl.Expr]:
    """The sum of the contributions of each group; missing where all of them are."""
    found = []
    for group in model.groups:
        inside = [pl.col(f"{CONTRIBUTION}{name}") for name, part in model.factors.items() if part.group == group]
        present = pl.any_horizontal(each.is_not_null() for each in inside)
        found.append(pl.when(present).then(pl.sum_horizontal(inside)).alias(f"group_{group}"))
    return found


def _presence(model: ScoreModel) -> list[pl.Expr]:
    """Whether each raw factor is present, and which of the category and the exposures is not, row by row."""
    needed = [*([model.neutralize] if model.neutralize else []), *model.exposures]
    lacking = _join_names({name: pl.col(name).is_null() for name in needed}) if needed else pl.lit("")
    return [
        *(pl.col(name).is_not_null().alias(f"raw_{name}") for name in model.factors),
        lacking.alias("lacking"),
    ]


def _reasons(model: ScoreModel, panel: Panel, z: pl.DataFrame, score: pl.Series, share: Array) -> pl.Series:
    """Why rows have no score; null for those that have one."""
    reasons = pl.Series("reason", [None], pl.String).new_from_index(0, score.len())
    rows = score.is_null().arg_true()
    if not rows.len():
        return reasons
    some = share[rows.to_numpy()]
    why = np.where(np.isnan(some), "no fitted weights: too few dates to train on", "its factors have no weight")
    unweighted = pl.Series("unweighted", why).set(pl.Series(some > 0), None)
    parts = [z[rows], panel.table[rows].select(_presence(model)), unweighted.to_frame()]
    return reasons.scatter(rows, pl.concat(parts, how="horizontal").select(_reason(model)).to_series())


def _reason(model: ScoreModel) -> pl.Expr:
    """Why a row has no score: it has too few z, because raw values are missing or have no spread."""
    has_raw = {name: pl.col(f"raw_{name}") for name in model.factors}
    has_z = {name: pl.col(f"z_{name}").is_not_null() for name in model.factors}
    missing = _join_names({name: ~has_raw[name] for name in has_raw})
    constant = _join_names({name: has_raw[name] & ~has_z[name] for name in has_raw})
    place = f"in its {model.neutralize}" if model.neutralize and not model.exposures else "on the date"
    plural = "factors" if len(has_z) > 1 else "factor"
    count = pl.format(
        f"{{}} of {len(has_z)} {plural} present, {model.needed} needed{{}}{{}}",
        pl.sum_horizontal(has_z.values()),
        pl.when(missing != "").then(pl.format("; missing: {}", missing)).otherwise(pl.lit("")),
        pl.when(constant != "").then(pl.format("; no spread {}: {}", pl.lit(place), constant)).otherwise(pl.lit("")),
    )
    enough = pl.sum_horizontal(has_z.values()) >= model.needed
    return (
        pl.when(pl.col("lacking") != "")
        .then(pl.format("no {}", pl.col("lacking")))
        .when(enough & pl.col("unweighted").is_not_null())
        .then("unweighted")
        .otherwise(count)
        .alias("reason")
    )


def _join_names(flags: Mapping[str, pl.Expr]) -> pl.Expr:
    """The names whose flag is true, separated by commas."""
    names = [pl.when(flag).then(pl.lit(name)) for name, flag in flags.items()]
    return pl.concat_str(names, separator=", ", ignore_nulls=True)


# --- checks -------------------------------------------------------------------------------------------------


def _check_keys(frame: pl.DataFrame) -> None:
    for key in KEYS:
        if key not in frame.columns:
            raise UnknownColumnError(f"no column {key!r} to score with", hint=suggest(key, frame.columns))
