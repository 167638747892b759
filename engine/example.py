"""The panel of the examples in the documentation."""

from __future__ import annotations

from datetime import date

import polars as pl

from factorloom.engine.panel import Panel

__all__ = ["example"]


def example() -> Panel:
    """Three symbols on three dates: the panel of the documentation's examples.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close))
    date            A     B    C
    2024-01-02   10.0  20.0    -
    2024-01-03   11.0  19.0  5.0
    2024-01-04   12.0  22.0  7.0
    """
    days = [date(2024, 1, day) for day in (2, 3, 4)]
    return Panel.from_frame(
        pl.DataFrame(
            {
                "symbol": list("AAABBBCC"),
                "date": [*days, *days, *days[1:]],
                "open": [10.0, 10.5, 11.5, 20.5, 19.5, 20.0, 5.0, 6.0],
                "high": [10.5, 11.5, 12.5, 21.5, 20.5, 22.5, 5.5, 7.5],
                "low": [9.5, 10.0, 11.5, 19.5, 18.0, 19.0, 5.0, 5.5],
                "close": [10.0, 11.0, 12.0, 20.0, 19.0, 22.0, 5.0, 7.0],
                "volume": [100, 120, 90, 200, 210, 220, 50, 60],
                "sector": ["tech"] * 3 + ["energy"] * 3 + ["tech"] * 2,
            }
        )
    )
