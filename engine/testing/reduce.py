"""The smallest bars on which a promise is still broken, and the code that shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import polars as pl

from factorloom.engine.testing.bars import columns_of
from factorloom.engine.testing.promise import Case, Finding, Promise
from factorloom.expressions.errors import FactorloomError
from factorloom.expressions.factor import Factor
from factorloom.expressions.indicator import Indicator

__all__ = ["reduced", "written"]

Breaks: TypeAlias = Callable[[pl.DataFrame], bool]

TRIES = 200
FEW = 4
"""On so few dates, other ones are drawn too."""
SEEDS = 4


def reduced(case: Case, promise: Promise, finding: Finding) -> tuple[Case, Finding]:
    """The case with as few symbols, dates, bars and digits as still break the promise."""
    factor = case.factors[finding.name]
    read = [name for names in columns_of([factor]) for name in names]
    smallest = Case(case.bars.select("symbol", "date", *read), {finding.name: factor}, case.seed, case.moments)
    finding = promise(smallest) or finding
    tries = 0

    def breaks(bars: pl.DataFrame) -> bool:
        nonlocal smallest, finding, tries
        if bars.is_empty() or tries >= TRIES:
            return False
        tries += 1
        found = _still(smallest.on(bars), promise)
        if found is not None:
            smallest, finding = found
        return found is not None

    before = None
    while before is not smallest:
        before = smallest
        for step in (_fewer_symbols, _fewer_dates, _fewer_bars, _plainer_dates, _plainer_numbers):
            step(smallest.bars, breaks)
    return smallest, finding


def _still(case: Case, promise: Promise) -> tuple[Case, Finding] | None:
    """The case that breaks the promise, with the dates that it has, or where these are few with others."""
    try:
        found = promise(case)
        if found is not None or case.panel.dates.len() > FEW:
            return None if found is None else (case, found)
        for seed in range(SEEDS):
            drawn = case.drawn_from(seed)
            found = promise(drawn)
            if found is not None:
                return drawn, found
    except FactorloomError:
        pass  # some factors refuse such bars
    return None


def _fewer_symbols(bars: pl.DataFrame, breaks: Breaks) -> None:
    symbols = bars["symbol"].unique(maintain_order=True).to_list()
    if len(symbols) > 1 and not any(breaks(bars.filter(pl.col("symbol") == symbol)) for symbol in symbols):
        for symbol in symbols:
            fewer = bars.filter(pl.col("symbol") != symbol)
            bars = fewer if breaks(fewer) else bars


def _fewer_dates(bars: pl.DataFrame, breaks: Breaks) -> None:
    """Without the first or last half, quarter and so on, and at last without any one of some dates."""
    size = bars["date"].n_unique() // 2
    while size:
        dates = bars["date"].unique().sort()
        parts = [dates[first : first + size] for first in range(0, dates.len(), size)]
        for part in parts if len(parts) <= 12 else (parts[0], parts[-1]):
            fewer = bars.filter(~pl.col("date").is_in(part.implode()))
            bars = fewer if breaks(fewer) else bars
        size //= 2


def _fewer_bars(bars: pl.DataFrame, breaks: Breaks) -> None:
    if bars["symbol"].n_unique() > 1 and bars.height <= 40:
        for row in reversed(range(bars.height)):
            fewer = bars.filter(pl.int_range(pl.len()) != row)
            bars = fewer if breaks(fewer) else bars


def _plainer_dates(bars: pl.DataFrame, breaks: Breaks) -> None:
    """Days that follow one another, without times of day and zones."""
    number = pl.col("date").rank("dense").cast(pl.Int64) - 1
    plainer = bars.with_columns(date=pl.date(2024, 1, 1) + number * pl.duration(days=1))
    if not plainer.equals(bars):
        breaks(plainer)


def _plainer_numbers(bars: pl.DataFrame, breaks: Breaks) -> None:
    """All the same, or their places in order, or rounded: the first of these that serves."""
    for name in (name for name, kind in bars.schema.items() if kind.is_float()):
        x = pl.col(name)
        same, place = pl.lit(1.0).alias(name), x.rank("dense").cast(pl.Float64)
        for plain in (same, place.fill_null(1.0), place, x.round(0), x.round(2)):
            plainer = bars.with_columns(plain)
            if plainer.equals(bars):
                break
            if breaks(plainer):
                bars = plainer
                break


def written(case: Case, finding: Finding, promise: str) -> str:
    """Python code that can be pasted, and shows both values."""
    (factor,) = case.factors.values()
    lines = [
        "import datetime",
        "",
        "import polars as pl",
        "import factorloom as fl",
        *_imported(factor),
        "",
        "bars = pl.DataFrame(",
        "    {",
    ]
    lines += [f"        {name!r}: {_series(case.bars[name])}," for name in case.bars.columns]
    lines += [
        "    }",
        ")",
        f"factor = fl.parse({str(factor)!r})",
        "panel = fl.Panel.from_frame(bars)",
    ]
    place = f"{finding.symbol} on {finding.date}"
    lines += ["print(panel.compute(x=factor))", f"print({finding.how})"]
    lines += [f"# {promise}: {place} is {finding.expected} in the first, and {finding.found} in the second"]
    return "\n".join(lines)


def _series(column: pl.Series) -> str:
    if column.dtype.is_float() and column.null_count() == column.len():
        return f"pl.Series([None] * {column.len()}, dtype=pl.Float64)"
    first = column[0]
    if column.n_unique() == 1:
        return f"[{first!r}] * {column.len()}"
    if column.dtype == pl.Date and column.equals(pl.date_range(first, column[-1], eager=True)):
        return f"pl.date_range({first!r}, {column[-1]!r}, eager=True)"
    zone = getattr(column.dtype, "time_zone", None)
    if zone is not None:
        return f"pl.Series({column.dt.replace_time_zone(None).to_list()!r}).dt.replace_time_zone({zone!r})"
    return repr(column.to_list())


def _imported(factor: Factor) -> list[str]:
    """Where the indicators are declared; what a notebook or a script declares cannot be imported."""
    used = [node.operator for node in factor.walk() if isinstance(node.operator, Indicator)]
    known = sorted({op.module for op in used if not op.module.startswith("factorloom.")} - {"__main__"})
    here = sorted({op.family for op in used if op.module == "__main__"})
    return [f"import {module}" for module in known] + [f"# {family} is declared before this" for family in here]
