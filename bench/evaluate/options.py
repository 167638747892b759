"""What to measure of an evaluation."""

from __future__ import annotations

import msgspec

__all__ = ["Options"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The sizes of all turns.

    Attributes
    ----------
    factors
        Numbers of factors of Alpha158, evenly spread; alphalens gets one.
    horizons, quantiles
        As in `fl.evaluate`.
    repeats
        Timed runs after the first.
    rounds
        How often the engines take turns, each in a new process.
    peers
        `all`, `none`, or comma-separated names of other libraries.
    data
        A folder with `prices/sp500_2013_2018.parquet`; None or one without it: simulated bars.
    symbols, bars
        The size of simulated bars.
    """

    factors: tuple[int, ...] = (20, 158)
    horizons: tuple[int, ...] = (1, 5, 21)
    quantiles: int = 5
    repeats: int = 3
    rounds: int = 2
    peers: str = "qweave"
    data: str | None = None
    symbols: int = 505
    bars: int = 1259
