"""Why rows have no score, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import KEYS, Array
from factorloom.engine.bars.selection import Mask
from factorloom.engine.research.model import ScoreModel
from factorloom.expressions.errors import plural

__all__ = ["RawOn", "Z", "reasons"]

Z = "z_"
"""What stands before the name of a factor, which may also be that of another column here."""

RawOn = Callable[[pl.Series], pl.DataFrame]
"""Keys, raw factors, exposures and categories of all rows on some dates, symbols as text."""


def reasons(model: ScoreModel, z: pl.DataFrame, share: Array, unclear: Mask, raw_on: RawOn) -> pl.Series:
    """Why rows have no score.

    Parameters
    ----------
    model
    z
        Of the rows without a score: keys, and whether each standardised factor is missing, as `z_<name>`.
    share
        How much of the weights each row has, NaN where there are no weights.
    unclear
        Rows on a date on which a factor may have no z at all, because it is missing or because it has no spread: only
        there raw values say which, unless the model compares within categories or has exposures.
    raw_on
        Asked only for the dates that need it.
    """
    why = np.where(np.isnan(share), "no fitted weights: too few dates to train on", "its factors have no weight")
    unweighted = pl.Series("unweighted", why).set(pl.Series(share > 0), None)
    z = z.with_columns(unweighted)
    asked = np.ones(z.height, bool) if model.neutralize or model.exposures else unclear
    days = z["date"].filter(pl.Series(asked)).unique().sort()
    if days.len():
        known = raw_on(days).select(*KEYS, *_presence(model))
        z = z.join(known, on=KEYS, how="left", maintain_order="left").with_columns(pl.col("lacking").fill_null(""))
    else:
        missing = [pl.lit(None, pl.Boolean).alias(f"raw_{name}") for name in model.factors]
        z = z.with_columns(*missing, lacking=pl.lit(""))
    return z.select(_reason(model)).to_series()


def _presence(model: ScoreModel) -> list[pl.Expr]:
    """Whether each raw factor is present, and which of the category and the exposures is not, row by row."""
    needed = [*([model.neutralize] if model.neutralize else []), *model.exposures]
    lacking = _join_names({name: pl.col(name).is_null() for name in needed}) if needed else pl.lit("")
    return [
        *(pl.col(name).is_not_null().alias(f"raw_{name}") for name in model.factors),
        lacking.alias("lacking"),
    ]


def _reason(model: ScoreModel) -> pl.Expr:
    """Why a row has no score: it has too few z, because raw values are missing or have no spread."""
    has_z = {name: ~pl.col(f"{Z}{name}") for name in model.factors}
    has_raw = {name: pl.col(f"raw_{name}").fill_null(has_z[name]) for name in model.factors}
    missing = _join_names({name: ~has_raw[name] for name in has_raw})
    constant = _join_names({name: has_raw[name] & ~has_z[name] for name in has_raw})
    place = f"in its {model.neutralize}" if model.neutralize and not model.exposures else "on the date"
    count = pl.format(
        f"{{}} of {plural(len(has_z), 'factor')} present, {model.needed} needed{{}}{{}}",
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
