"""Numbers as text: for tables, for ticks of axes, and as short coordinates."""

from __future__ import annotations

import math
from typing import Literal

__all__ = ["MISSING", "Unit", "coordinate", "exact", "percent", "plain", "shown", "tick"]

Unit = Literal["number", "percent", "count", "text"]

MISSING = "–"
MINUS = "\u2212"


def plain(value: float | None, decimals: int = 3) -> str:
    """A number with a true minus sign; `–` where it is missing.

    >>> plain(-0.12345), plain(1234.5, 0), plain(None), plain(-1e-9)
    ('−0.123', '1,234', '–', '0.000')
    """  # noqa: RUF002
    if value is None or not math.isfinite(value):
        return MISSING
    if abs(value) >= 1e6:
        return f"{value:.3g}".replace("-", MINUS).replace("e+0", "e").replace("e+", "e")
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text.replace("-", MINUS)


def percent(value: float | None, decimals: int = 2) -> str:
    """A share as percent.

    >>> percent(0.1234), percent(None)
    ('12.34%', '–')
    """  # noqa: RUF002
    text = plain(None if value is None else float(value) * 100, decimals)
    return text if text == MISSING else text + "%"


def shown(value: object, unit: Unit, decimals: int) -> str:
    """A cell of a table."""
    if value is None:
        return MISSING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if unit == "count":
        return plain(value, 0)
    return percent(value, decimals) if unit == "percent" else plain(value, decimals)


def tick(value: float, step: float, unit: Unit) -> str:
    """The label of a tick, with the decimals that the distance of ticks needs."""
    scale = 100 if unit == "percent" else 1
    decimals = max(0, -math.floor(math.log10(step) + math.log10(scale) + 1e-9)) if step > 0 else 2
    if decimals and round(step * scale * 10**decimals, 6) % 1:
        decimals += 1
    return (percent if unit == "percent" else plain)(value, min(decimals, 8))


def coordinate(value: float) -> str:
    """A whole coordinate: charts are 400 wide, and a report has thousands of marks.

    >>> coordinate(3.2), coordinate(-0.2), coordinate(-12.96)
    ('3', '0', '-13')
    """
    return str(round(value))


def exact(value: object) -> str | None:
    """Six significant digits for sorting; None where it is missing."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return f"{value:.6g}"
