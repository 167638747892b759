"""What prices do around the dates on which a name stands in a quantile."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numba import types

from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.research.evaluation.cells import Cells, Source
from factorloom.engine.research.evaluation.long import long
from factorloom.engine.research.evaluation.loop.section import Ints
from factorloom.engine.research.evaluation.tails import with_buckets
from factorloom.engine.runtime.jit import COUNTS, loop, prepare
from factorloom.engine.runtime.progress import default_observer
from factorloom.expressions.factor import Factor

__all__ = ["events"]

GRID = types.Array(types.float64, 2, "C")
CODES = types.Array(types.int32, 1, "C", readonly=True)
SUMS = types.Array(types.float64, 3, "C")


def events(
    source: Source,
    factors: Mapping[str, Factor],
    cells: Cells,
    quantiles: int,
    neutral: bool,
    price: str,
    before: int,
    after: int,
) -> pl.DataFrame:
    """Rows by factor, quantile and offset in market dates."""
    grid = _grid(source, cells, price)
    offsets = np.arange(-before, after + 1)
    sums = np.zeros((len(factors), offsets.size, quantiles, 4))
    dates = np.arange(cells.first_date, cells.first_date + cells.dates.len())
    prepare(default_observer(), _around)

    def use(factor: int, ranks: Ints, buckets: Ints) -> None:
        _around(grid, cells.symbols, cells.offsets, dates, buckets, offsets, sums[factor])

    with_buckets(source, factors, cells, quantiles, neutral, use)
    count, total, square, excess = np.moveaxis(sums.transpose(0, 2, 1, 3), -1, 0)
    with np.errstate(all="ignore"):
        mean = np.where(count > 0, total / count, np.nan)
        variance = np.where(count > 1, np.maximum(square - count * mean**2, 0) / (count - 1), np.nan)
    keys = {
        "factor": pl.Series(list(factors), dtype=pl.String),
        "quantile": pl.Series(np.arange(1, quantiles + 1)),
        "offset": pl.Series(offsets),
    }
    with np.errstate(all="ignore"):
        values = {
            "dates": count.astype(np.int64),
            "mean": mean,
            "std_error": np.sqrt(variance / count),
            "excess": np.where(count > 0, excess / count, np.nan),
        }
    return long(keys, values)


def _grid(source: Source, cells: Cells, price: str) -> Array:
    """The last price of each symbol that has cells at or before each market date, by (date, symbol)."""
    bars = source.bars
    given = bars.array(price).astype(np.float64)
    symbol_of = np.repeat(np.arange(bars.by_symbol.size - 1), np.diff(bars.by_symbol))
    known = np.unique(symbol_of[cells.rows])
    places = np.searchsorted(known, symbol_of)
    chosen = (given > 0) & (known[np.minimum(places, known.size - 1)] == symbol_of if known.size else False)
    grid = np.full((cells.market_dates, max(known.size, 1)), np.nan)
    grid[bars.date_codes[chosen].astype(np.int64), places[chosen]] = given[chosen]
    latest = np.where(np.isnan(grid), 0, np.arange(len(grid))[:, None])
    np.maximum.accumulate(latest, axis=0, out=latest)
    return np.ascontiguousarray(np.take_along_axis(grid, latest, axis=0))


@loop(types.void(GRID, CODES, COUNTS, COUNTS, CODES, COUNTS, SUMS))
def _around(
    grid: Array, symbols: Ints, offsets: Index, dates: Index, buckets: Ints, shifts: Index, sums: Array
) -> None:
    """For each shift and quantile: dates, and sums over them of the mean return, its square, and its excess."""
    quantiles = sums.shape[1]
    count, total = np.zeros(quantiles + 1), np.zeros(quantiles + 1)
    for place in range(shifts.size):
        for d in range(dates.size):
            then = dates[d] + shifts[place]
            if then < 0 or then >= grid.shape[0]:
                continue
            count[:] = 0.0
            total[:] = 0.0
            for k in range(offsets[d], offsets[d + 1]):
                value = grid[then, symbols[k]] / grid[dates[d], symbols[k]] - 1.0
                if np.isfinite(value):
                    count[buckets[k]] += 1.0
                    total[buckets[k]] += value
            names, whole = count[1:].sum(), total[1:].sum()
            for q in range(quantiles):
                if count[q + 1] > 0:
                    mean = total[q + 1] / count[q + 1]
                    sums[place, q, 0] += 1.0
                    sums[place, q, 1] += mean
                    sums[place, q, 2] += mean * mean
                    sums[place, q, 3] += mean - whole / names
