"""Values of a factor as a small table of dates by symbols, for notebooks and examples."""

from __future__ import annotations

import polars as pl

__all__ = ["as_table"]


def as_table(values: pl.DataFrame, symbol: str, date: str) -> str:
    """The column `value` as text, `-` for missing."""
    table = values.pivot(symbol, index=date, values="value", sort_columns=True).sort(date)
    columns = [[name, *map(_cell, table[name])] for name in table.columns]
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for key, *cells in zip(*columns, strict=True):
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([key.ljust(widths[0] + 1), *padded]))
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return str(round(value, 3) + 0.0) if isinstance(value, float) else str(value)
