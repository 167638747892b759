"""The labels of all bars, and whether a bar has an entry price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Array, as_array
from factorloom.engine.research.label import forward_return
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import for_each
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col
from factorloom.expressions.operators import ts_lead_dates, where

__all__ = ["Halted", "Labels", "label_values"]

Halted: TypeAlias = Literal["last", "missing"] | float
"""What a symbol without a price on the exit date gets: its last price since the entry, nothing, or this return."""

ENTRY = "entry"


@dataclass(frozen=True)
class Labels:
    """Labels in the order of the bars.

    Attributes
    ----------
    values : array of float64, (horizons, bars)
        Forward returns, NaN where there is none.
    plain : array of float64, (horizons, bars)
        Simple returns of which nothing is taken off; without rows where `excess` is None.
    entered : array of bool, (bars,)
        Whether the symbol has a price on the entry date.
    unpriced : int
        How many prices are not positive, and count as missing.
    """

    values: Array
    plain: Array
    entered: npt.NDArray[np.bool_]
    unpriced: int


def label_values(
    bars: Bars,
    compute: Callable[[dict[str, Factor]], pl.DataFrame],
    horizons: Sequence[int],
    *,
    entry_lag: int,
    price: str,
    halted: Halted,
    log: bool = False,
    excess: Factor | str | None = None,
) -> Labels:
    """The forward returns of every bar, see `forward_return`; `compute` gives the values of factors on all bars."""
    paid = where(col(price) > 0, col(price))
    wanted = {
        str(each): forward_return(each, entry_lag, price, halted=halted, log=log, excess=excess) for each in horizons
    }
    plain = (
        {}
        if excess is None
        else {f"plain {each}": forward_return(each, entry_lag, price, halted=halted) for each in horizons}
    )
    frame = compute({**wanted, **plain, ENTRY: ts_lead_dates(paid, entry_lag) if entry_lag else paid})
    names = [*wanted, *plain]
    values = np.empty((len(names), bars.rows))

    def work(place: int) -> None:
        values[place] = as_array(frame[names[place]])

    for_each(work, range(len(names)), Observer())
    return Labels(
        values[: len(horizons)],
        values[len(horizons) :],
        frame[ENTRY].is_not_null().to_numpy(),
        int((bars.array(price) <= 0).sum()),
    )
