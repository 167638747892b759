"""Part 3: restate some bars at random; how many cells are computed anew, beside those that it reaches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from factorloom.bench.store.figure import Clock, Figure, figure, timed
from factorloom.bench.store.market import BARS, Market, restated
from factorloom.engine.panel import Panel
from factorloom.engine.plan.reach import Reach

__all__ = ["restate"]

SHARE = 0.001
LIMIT = 1.5


def restate(market: Market) -> Iterator[Figure]:
    """Restate, read everything, and compare each value with a fresh computation."""
    some, whole = restated(market.bars, SHARE)
    reached = _reached(market, whole)
    before, after = Panel.from_frame(market.bars), Panel.from_frame(whole)
    computing, storing = Clock(), Clock()
    differing = wrong = 0
    with market.copy("restate") as store:
        loading = timed(lambda: store.load(BARS, some))
        start = store.counters.cells
        for span in market.spans:
            with computing:
                fresh = after.compute(market.factors, start=span.start, end=span.end)
            with storing:
                values = store.compute(BARS, market.factors, start=span.start, end=span.end)
            wrong += differences(values, fresh)
            del values
            differing += differences(before.compute(market.factors, start=span.start, end=span.end), fresh)
        cells = store.counters.cells - start
    total = whole.height * len(market.factors)
    yield figure("load the restated bars", [loading], note=f"{some.height:,} of {whole.height:,} bars")
    yield figure("compute all in memory", [computing.seconds])
    yield figure("bring all values up to date, and read them", [storing.seconds], "computing all", [computing.seconds])
    yield Figure(what="cells whose value differs", value=differing, unit="n", of="all", ratio=differing / total)
    yield Figure(what="cells whose reach has changed", value=reached, unit="n", of="all", ratio=reached / total)
    ratio = cells / max(1, reached)
    yield Figure(what="cells computed", value=cells, unit="n", of="changed reach", ratio=ratio, limit=LIMIT)
    yield Figure(what="values unequal to a fresh computation", value=wrong, unit="n", limit=0)


def _reached(market: Market, whole: pl.DataFrame) -> int:
    """The cells of all factors that read a changed bar."""
    panel = Panel.from_frame(whole)
    columns = [name for name in whole.columns if name not in ("symbol", "date")]
    changed = {name: whole[name].ne_missing(market.bars[name]).to_numpy() for name in columns}
    reach = Reach(panel, changed, np.zeros(panel.dates.len(), np.bool_))
    return sum(int(np.count_nonzero(reach.rows(factor))) for factor in market.factors.values())


def differences(one: pl.DataFrame, other: pl.DataFrame) -> int:
    """How many values are not the same, bit for bit; missing is a value too.

    >>> differences(pl.DataFrame({"x": [1.0, None]}), pl.DataFrame({"x": [1.0, 2.0]}))
    1
    """
    return sum(int(one[name].ne_missing(other[name]).sum()) for name in one.columns)
