"""What every executor offers, however it computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.plan.plan import Plan
from factorloom.engine.runtime.observer import Observer

__all__ = ["Block", "Executor"]


class Block(NamedTuple):
    """The outputs of a plan on some rows of the panel."""

    rows: slice
    values: list[pl.Series]


class Executor(Protocol):
    """Runs plans over bars.

    A plan lists all instructions, stage by stage. An executor may split the rows of a stage in any way that keeps each
    symbol whole in a stage symbol by symbol, and each date in a stage date by date; a stage of cell-wise steps alone
    anywhere.
    """

    def run(self, plan: Plan, bars: Bars, observer: Observer) -> Iterator[Block]:
        """The outputs of a plan in panel order, each under its name, missing as null.

        One block of all rows; of a streamed plan any number of blocks, at least one, each computed when it is consumed.
        """

    def rank_bytes(self, bars: Bars) -> int:
        """How many bytes a rank takes that waits between stages."""

    def memory(self, plan: Plan, bars: Bars) -> Mapping[str, float]:
        """The most bytes that a first run takes beyond the bars, by purpose."""
