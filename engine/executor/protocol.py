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

    A plan says all that is to be done, stage by stage. An executor does it in its own way: it may split the rows of a
    stage as it likes, as long as each symbol, or each date, stays whole.
    """

    def run(self, plan: Plan, bars: Bars, observer: Observer) -> Iterator[Block]:
        """The outputs of a plan in panel order, each under its name, missing as null.

        At least one block, and together all rows: in one piece, or where the plan is streamed in as many as the
        executor likes, each computed when it is asked for.
        """

    def memory(self, plan: Plan, bars: Bars) -> Mapping[str, float]:
        """The most bytes that a first run takes beyond the bars, by purpose."""
