"""Correlations in groups: statistics of their series, some factors at a time, so that the series are not kept."""

from __future__ import annotations

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.research.evaluation.long import long
from factorloom.engine.research.evaluation.measured import GroupSeries
from factorloom.engine.research.evaluation.summary import deviation, mean_of
from factorloom.engine.research.inference import newey_west

__all__ = ["EMPTY", "group_frame"]

EMPTY = pl.DataFrame(
    schema={
        "factor": pl.String,
        "horizon": pl.Int64,
        "group": pl.String,
        "dates": pl.Int64,
        "names": pl.Int64,
        "ic_mean": pl.Float64,
        "ic_std": pl.Float64,
        "rank_ic_mean": pl.Float64,
        "rank_ic_std": pl.Float64,
        "rank_ic_t": pl.Float64,
    }
)


def group_frame(factors: list[str], horizons: Index, names: tuple[str, ...], series: GroupSeries) -> pl.DataFrame:
    """Rows by factor, horizon and group; `names` counts the pairs of factor and label on all dates."""
    shape = (len(factors), horizons.size, len(names))
    ic, rank_ic = (_columns(series.numbers[:, :, place]) for place in (0, 1))
    spans = np.tile(np.repeat(horizons, len(names)), len(factors))
    tested = newey_west(rank_ic, horizon=spans)
    values = {
        "dates": (~np.isnan(rank_ic)).sum(axis=0),
        "names": series.used.astype(np.int64).sum(axis=3),
        "ic_mean": mean_of(ic, 0),
        "ic_std": deviation(ic),
        "rank_ic_mean": tested.mean,
        "rank_ic_std": deviation(rank_ic),
        "rank_ic_t": tested.t,
    }
    keys = {"factor": pl.Series(factors), "horizon": pl.Series(horizons), "group": pl.Series(names, dtype=pl.String)}
    return long(keys, {name: array.reshape(shape) for name, array in values.items()})


def _columns(by_date: Array) -> Array:
    return np.ascontiguousarray(by_date.reshape(-1, by_date.shape[-1]).T)
