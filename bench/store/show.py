"""The figures of a store as printed tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from factorloom.bench.store.figure import Figure

__all__ = ["show"]

WIDTH = 120
NAMES = {
    "storing": "storing and reading",
    "append": "append one day",
    "daily": "many daily appends",
    "restate": "restating 0.1% of the bars",
    "as-of": "reads as of an earlier version",
    "day": "a research day, replayed",
    "readers": "four readers beside a writer",
    "large": "a large market, year by year",
}


def show(part: str, figures: Sequence[Figure]) -> None:
    """Print the figures of a part on stdout, under its name or any other title."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    table = Table(box=box.SIMPLE_HEAD, title=NAMES.get(part, part), title_justify="left", pad_edge=False)
    for name in ("what", "wall or value", "CPU", "ratio", "to", "limit", "kept", "note"):
        is_text = name in ("what", "to", "note")
        table.add_column(name, justify="left" if is_text else "right", overflow="fold")
    for each in figures:
        table.add_row(*_cells(each))
    console.print(table)


def _cells(each: Figure) -> tuple[str, ...]:
    unit = "" if each.ratio is not None else each.unit
    limit = "" if each.limit is None else f"{'≥' if each.at_least else '≤'} {_shown(each.limit, unit)}"
    return (
        each.what,
        _shown(each.value, each.unit) if each.unit else "",
        "" if each.cpu is None else _shown(each.cpu, "s"),
        "" if each.ratio is None else f"{each.ratio:.3g}",
        each.of,
        limit,
        "" if each.kept is None else "yes" if each.kept else "no",
        each.note,
    )


def _shown(value: float, unit: str) -> str:
    """A number with its unit.

    >>> _shown(0.0123, "s"), _shown(2.5e9, "B"), _shown(0.93, "%"), _shown(1234, "n")
    ('12.3 ms', '2,500.0 MB', '93.0%', '1,234')
    """
    if unit == "s":
        return f"{value * 1e3:.3g} ms" if abs(value) < 1 else f"{value:.3g} s"
    if unit == "B":
        return f"{value / 1e6:,.1f} MB"
    if unit == "%":
        return f"{value:.1%}"
    return f"{value:,.0f}" if unit == "n" else f"{value:.3g}"
