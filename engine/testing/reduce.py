"""The smallest bars on which a promise is still broken, and the code that shows it."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from factorloom.engine.testing.bars import columns_of
from factorloom.engine.testing.promise import Case, Finding, Promise
from factorloom.expressions.errors import FactorloomError
from factorloom.expressions.factor import Factor
from factorloom.expressions.indicator import Indicator

__all__ = ["reduced", "written"]

TRIES = 400
SEEDS = 4


def reduced(case: Case, promise: Promise, finding: Finding) -> tuple[Case, Finding]:
    """The case with as few symbols, bars and digits as still break the promise."""
    factor = case.factors[finding.name]
    read = [name for names in columns_of([factor]) for name in names]
    case, tries = Case(case.bars.select("symbol", "date", *read), {finding.name: factor}, case.seed), 0
    finding = promise(case) or finding
    progress = True
    while progress and tries < TRIES:
        progress = False
        for bars in _smaller(case.bars):
            tries += 1
            found = _still(bars, case, promise)
            if found is not None:
                case, finding = found
                progress = True
                break
            if tries >= TRIES:
                break
    return case, finding


def _still(bars: pl.DataFrame, case: Case, promise: Promise) -> tuple[Case, Finding] | None:
    """The promise is drawn several times, for its dates and symbols are other ones on other bars."""
    for seed in range(case.seed, case.seed + SEEDS):
        smaller = Case(bars, case.factors, seed)
        try:
            finding = promise(smaller)
        except FactorloomError:
            continue
        if finding is not None:
            return smaller, finding
    return None


def _smaller(bars: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Smaller bars: fewer symbols, fewer dates, fewer bars, fewer digits."""
    symbols = bars["symbol"].unique(maintain_order=True).to_list()
    if len(symbols) > 1:
        for symbol in symbols:
            yield bars.filter(pl.col("symbol") == symbol)
        for symbol in symbols:
            yield bars.filter(pl.col("symbol") != symbol)
    dates = bars["date"].unique().sort()
    size = dates.len() // 2
    while size:
        yield bars.filter(pl.col("date").is_in(dates[size:].implode()))
        yield bars.filter(pl.col("date").is_in(dates[:-size].implode()))
        size //= 2
    if bars.height > 1 and bars.height <= 40:
        for row in range(bars.height):
            yield bars.filter(pl.int_range(pl.len()) != row)
    for column in bars.columns[2:]:
        if bars.schema[column].is_float():
            for digits in (0, 2):
                plain = bars.with_columns(pl.col(column).round(digits))
                if not plain.equals(bars):
                    yield plain


def written(case: Case, finding: Finding, promise: str) -> str:
    """Python code that can be pasted, and shows both values."""
    (factor,) = case.factors.values()
    lines = [
        "import datetime",
        "",
        "import polars as pl",
        "import factorloom as fl",
        "",
        "bars = pl.DataFrame(",
        "    {",
    ]
    lines += [f"        {name!r}: {_series(case.bars[name])}," for name in case.bars.columns]
    lines += [
        "    }",
        ")",
        f"factor = fl.parse({str(factor)!r}){_imported(factor)}",
        "panel = fl.Panel.from_frame(bars)",
    ]
    place = f"{finding.symbol} on {finding.date}"
    lines += ["print(panel.compute(x=factor))"] + [f"print({finding.code})"] * (finding.code is not None)
    lines += [f"# {promise}: for {place} it is {finding.expected}, and {finding.found} by {finding.how}"]
    return "\n".join(lines)


def _series(column: pl.Series) -> str:
    if column.dtype.is_float() and column.null_count() == column.len():
        return f"pl.Series([None] * {column.len()}, dtype=pl.Float64)"
    return repr(column.to_list())


def _imported(factor: Factor) -> str:
    modules = sorted({node.operator.module for node in factor.walk() if isinstance(node.operator, Indicator)})
    return f"  # import {', '.join(modules)} first" if modules else ""
