"""What to measure of a store."""

from __future__ import annotations

import msgspec

from factorloom.bench.workload import Workload

__all__ = ["Options"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The sizes of all parts.

    Attributes
    ----------
    factors
        How many of the factors of Alpha158, evenly spread; None for all.
    repeats
        How often what can be repeated is measured.
    days
        Daily appends to a store of `DAILY` symbols.
    minutes
        For which processes read while another writes.
    part
        `all`, or comma-separated names of parts.
    folder
        Where the stores lie while they are measured; None for a temporary folder of the system.
    """

    workload: Workload
    factors: int | None = None
    repeats: int = 3
    days: int = 2520
    minutes: float = 5.0
    part: str = "all"
    folder: str | None = None
