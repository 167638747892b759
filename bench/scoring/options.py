"""What to measure of scoring."""

from __future__ import annotations

import msgspec

__all__ = ["Options"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The sizes of all steps.

    Attributes
    ----------
    symbols, bars
        The size of the simulated bars: all dates are scored, and the last of them alone.
    factors
        Factors of Alpha158, evenly spread, with equal weights.
    wide
        The symbols of the wide date.
    repeats
        Timed runs after the first, in which engines take turns; medians are reported.
    """

    symbols: int = 4000
    bars: int = 2520
    factors: int = 20
    wide: int = 50_000
    repeats: int = 15
