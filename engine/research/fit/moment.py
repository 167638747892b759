"""What each date adds to a fit. A fit of many windows then only sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.bars.selection import Mask
from factorloom.engine.panel import Engine, Panel
from factorloom.engine.research.combine import rows_by_date
from factorloom.engine.research.fit.rule import Target
from factorloom.engine.research.series import FEWEST
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col
from factorloom.expressions.operators import cs_demean, cs_rank, cs_zscore, is_missing, where

__all__ = ["Moments", "moments", "rank_ics"]

LABEL = "label"


class Moments(NamedTuple):
    """Sums of products over the rows of each date: of factors X, without their mean of the date, and target y.

    Attributes
    ----------
    gram : array of float64, (dates, factors, factors)
        X'X.
    cross : array of float64, (dates, factors)
        X'y.
    square : array of float64, (dates,)
        y'y.
    rows : array of int64, (dates,)
        Symbols with a label and enough factors.
    """

    gram: Array
    cross: Array
    square: Array
    rows: Index

    def of(self, parts: Sequence[slice]) -> Moments:
        """Those of some stretches of dates."""
        gram, cross, square, rows = (np.concatenate([each[part] for part in parts]) for each in self)
        return Moments(gram, cross, square, rows.astype(np.int64))


TARGETS: dict[Target, Callable[[Factor], Factor]] = {
    "rank": lambda y: cs_demean(cs_rank(y)),
    "zscore": cs_zscore,
    "return": cs_demean,
}


def moments(panel: Panel, x: Array, label: pl.Series, target: Target, engine: Engine) -> Moments:
    """The moments of each date of a panel; `x` has a row for each of its rows, NaN where a factor is missing.

    A factor that a symbol lacks counts as the mean of the date. Rows without any factor, or without a label, are out.
    """
    known = ~np.isnan(x).all(axis=1) & label.is_not_null().to_numpy()
    wider = _panel_of(panel, {LABEL: label.to_numpy()}, known)
    y = wider.compute(y=TARGETS[target](col(LABEL)), engine=engine)["y"].to_numpy()
    known &= ~np.isnan(y)
    count, width = panel.dates.len(), x.shape[1]
    found = Moments(
        np.zeros((count, width, width)), np.zeros((count, width)), np.zeros(count), np.zeros(count, np.int64)
    )
    for rows in rows_by_date(panel.date_codes, known):
        date, values = panel.date_codes[rows[0]], x[rows]
        present = ~np.isnan(values)
        mean = np.where(present, values, 0.0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
        centred, wanted = np.where(present, values - mean, 0.0), y[rows] - y[rows].mean()
        found.gram[date], found.cross[date] = centred.T @ centred, centred.T @ wanted
        found.square[date], found.rows[date] = wanted @ wanted, len(rows)
    return found


def rank_ics(panel: Panel, x: Array, label: pl.Series, engine: Engine) -> Array:
    """Spearman's correlation of each factor with the label, (dates, factors); NaN below three symbols."""
    names = [f"x{place}" for place in range(x.shape[1])]
    wider = _panel_of(panel, {LABEL: label.to_numpy(), **dict(zip(names, x.T, strict=True))}, None)
    asked: dict[str, Factor] = {}
    for name in names:
        asked[name] = cs_demean(cs_rank(where(1 - is_missing(col(LABEL)), col(name))))
        asked[f"{name} label"] = cs_demean(cs_rank(where(1 - is_missing(col(name)), col(LABEL))))
    ranks = wider.compute(asked, engine=engine)
    codes = panel.date_codes.astype(np.int64)
    count = panel.dates.len()
    ics = np.full((count, len(names)), np.nan)
    for place, name in enumerate(names):
        a, b = (np.nan_to_num(ranks[each].to_numpy()) for each in (name, f"{name} label"))
        both = ranks[name].is_not_null().to_numpy()
        ab, aa, bb, n = (np.bincount(codes, weights, count) for weights in (a * b, a * a, b * b, both))
        varied = (n >= FEWEST) & (aa > 0) & (bb > 0)
        ics[varied, place] = ab[varied] / np.sqrt(aa[varied] * bb[varied])
    return ics


def _panel_of(panel: Panel, columns: dict[str, Array], known: Mask | None) -> Panel:
    """Columns on the bars of a panel, missing where they are not known."""
    values = {name: x if known is None else np.where(known, x, np.nan) for name, x in columns.items()}
    series = [pl.Series(name, x, nan_to_null=True) for name, x in values.items()]
    return Panel(panel.table.select(panel.symbol, panel.date).with_columns(series))
