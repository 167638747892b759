"""What is wrong with bars: the checks, and the report that a load gives back.

A check counts and shows; it never repairs. The report describes the dataset as it stands after the load.
"""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl

__all__ = ["EXTREME", "QualityReport", "check"]

EXTREME = 0.5
"""A close this far, as a fraction, from the close before is an extreme move."""

SHOWN = 20
"""Most examples kept per finding."""

PRICES = ("open", "high", "low", "close")


class QualityReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a load did, and the dirt in the dataset as it now stands.

    Attributes
    ----------
    dataset, version, changed
        The dataset, its version after the load, and whether the load changed anything.
    rows, symbols, start, end
        Size and range of the dataset.
    inserted, updated, unchanged, dropped
        What became of the rows of the source; `dropped` repeated a key.
    infinite
        Infinities of the source that became missing, by column.
    missing
        Missing values by column, for columns that have any.
    high_low_violations
        Bars with high < low, or with the open or close outside [low, high].
    nonpositive_prices, zero_volume, negative_volume
        Bars with a price at or below zero; with volume 0; with volume below 0.
    extreme_moves
        Bars whose close is more than 50% away from the symbol's last close before it.
    late_listings, early_endings
        Symbols that start after the first date of the dataset; that end before its last.
    incomplete_symbols
        Symbols without a bar on every date: late, early or with gaps.
    missing_bars
        Dates of the dataset between a symbol's first and last bar on which the symbol has no bar.
    without_attributes
        Symbols without a row in the attributes; None when the dataset has no attributes.
    examples
        Up to 20 cases of each finding that has any.
    notes
        Columns left out, time zones taken off.
    """

    dataset: str
    version: int
    changed: bool
    rows: int
    symbols: int
    start: dt.date
    end: dt.date
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    dropped: int = 0
    infinite: dict[str, int] = {}
    missing: dict[str, int] = {}
    high_low_violations: int = 0
    nonpositive_prices: int = 0
    zero_volume: int = 0
    negative_volume: int = 0
    extreme_moves: int = 0
    late_listings: int = 0
    early_endings: int = 0
    incomplete_symbols: int = 0
    missing_bars: int = 0
    without_attributes: int | None = None
    examples: dict[str, list[dict[str, Any]]] = {}
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The report in types that JSON knows; dates become ISO text."""
        result: dict[str, Any] = msgspec.to_builtins(self)
        return result

    def render(self) -> str:
        """The report as a few lines of text."""
        head = f"{self.dataset}, version {self.version}: {self.rows:,} bars of {self.symbols:,} symbols"
        lines = [f"{head}, {self.start} to {self.end}"]
        return "\n".join(lines + [f"  {label:<14} {text}" for label, text in self._lines() if text])

    def __str__(self) -> str:
        return self.render()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.render())}</pre>"

    def _lines(self) -> list[tuple[str, str]]:
        loaded = f"{self.inserted:,} inserted, {self.updated:,} updated, {self.unchanged:,} unchanged"
        volume = _counted({"zero": self.zero_volume, "negative": self.negative_volume})
        listing = {"start late": self.late_listings, "end early": self.early_endings}
        return [
            ("loaded", loaded + ("" if self.changed else " (nothing changed)")),
            ("duplicates", f"{self.dropped:,} dropped" if self.dropped else ""),
            ("missing", _counted(self.missing)),
            ("infinite", _counted(self.infinite)),
            ("high/low", self._found("high_low_violations", "outside their own range")),
            ("prices", self._found("nonpositive_prices", "at or below zero")),
            ("volume", volume),
            ("extreme moves", self._found("extreme_moves", f"beyond {EXTREME:.0%}")),
            ("listing", _counted(listing)),
            ("gaps", self._found("missing_bars", "symbol-days without a bar")),
            ("incomplete", self._found("incomplete_symbols", "symbols lack a bar on some date")),
            ("attributes", self._found("without_attributes", "symbols have none")),
            *(("note", note) for note in self.notes),
        ]

    def _found(self, finding: str, what: str) -> str:
        count = getattr(self, finding)
        if not count:
            return ""
        cases = [" ".join(str(case[key]) for key in ("symbol", "date") if key in case) for case in self._cases(finding)]
        more = ", …" if count > len(cases) else ""
        return f"{count:,} {what}" + (f": {', '.join(cases)}{more}" if cases else "")

    def _cases(self, finding: str) -> list[dict[str, Any]]:
        return self.examples.get(finding, [])[:4]


def check(bars: pl.DataFrame, attributes: pl.DataFrame | None) -> dict[str, Any]:
    """The findings in sorted bars, as fields of a `QualityReport`."""
    calendar = _calendar(bars)
    cases: dict[str, pl.DataFrame] = {**_bad_bars(bars), **_bad_symbols(calendar)}
    if attributes is not None:
        cases["without_attributes"] = calendar.select("symbol").join(attributes, on="symbol", how="anti").sort("symbol")
    missing = bars.null_count().row(0, named=True)
    return {
        "rows": bars.height,
        "symbols": calendar.height,
        "start": bars["date"].min(),
        "end": bars["date"].max(),
        "missing": {name: count for name, count in missing.items() if count},
        "missing_bars": int(calendar["gaps"].sum()),
        "examples": {
            name: found.head(SHOWN).to_dicts()
            for name, found in {**cases, "missing_bars": _gaps(calendar)}.items()
            if found.height
        },
        **{name: found.height for name, found in cases.items()},
    }


def _bad_bars(bars: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The bars at fault, finding by finding, with the numbers that show it."""
    prices = [name for name in PRICES if name in bars.columns]
    shown = ["symbol", "date", *prices]
    priced = bars.select(shown)
    found = {"high_low_violations": _where_any(priced, _outside(prices))}
    found["nonpositive_prices"] = _where_any(priced, [pl.col(name) <= 0 for name in prices])
    if "volume" in bars.columns:
        volumes = bars.select("symbol", "date", "volume")
        found["zero_volume"] = volumes.filter(pl.col("volume") == 0)
        found["negative_volume"] = volumes.filter(pl.col("volume") < 0)
    if "close" in bars.columns:
        found["extreme_moves"] = _extreme(bars.select("symbol", "date", "close"))
    return found


def _outside(prices: Sequence[str]) -> list[pl.Expr]:
    """High below low, or open or close beyond either; a missing price is outside nothing."""
    above = [("open", "high"), ("close", "high"), ("low", "high"), ("low", "open"), ("low", "close")]
    return [pl.col(less) > pl.col(more) for less, more in above if less in prices and more in prices]


def _extreme(closes: pl.DataFrame) -> pl.DataFrame:
    before = pl.col("close").forward_fill().shift(1).over("symbol")
    return (
        closes.with_columns(previous=before)
        .filter(pl.col("previous") > 0)
        .with_columns(move=pl.col("close") / pl.col("previous") - 1)
        .filter(pl.col("move").abs() > EXTREME)
    )


def _calendar(bars: pl.DataFrame) -> pl.DataFrame:
    """One row per symbol: its first and last date, what it lacks between them, and the dataset's own."""
    days = bars.select(pl.col("date").unique().sort()).with_row_index("day")
    spans = bars.select("symbol", "date").join(days, on="date").group_by("symbol")
    return (
        spans.agg(
            first=pl.col("date").min(),
            last=pl.col("date").max(),
            begin=pl.col("day").min().cast(pl.Int64),
            finish=pl.col("day").max().cast(pl.Int64),
            bars=pl.len().cast(pl.Int64),
        )
        .with_columns(gaps=pl.col("finish") - pl.col("begin") + 1 - pl.col("bars"), days=pl.lit(days.height))
        .sort("symbol")
    )


def _bad_symbols(calendar: pl.DataFrame) -> dict[str, pl.DataFrame]:
    shown = ["symbol", "first", "last", "bars"]
    return {
        "late_listings": calendar.filter(pl.col("begin") > 0).select(shown),
        "early_endings": calendar.filter(pl.col("finish") < pl.col("days") - 1).select(shown),
        "incomplete_symbols": calendar.filter(pl.col("bars") < pl.col("days")).select(shown),
    }


def _gaps(calendar: pl.DataFrame) -> pl.DataFrame:
    return calendar.filter(pl.col("gaps") > 0).select("symbol", "gaps").sort("gaps", "symbol", descending=[True, False])


def _where_any(bars: pl.DataFrame, conditions: Sequence[pl.Expr]) -> pl.DataFrame:
    """The bars that meet a condition; none where there is none, for Polars refuses a filter that is a literal alone."""
    return bars.filter(pl.any_horizontal(conditions)) if conditions else bars.clear()


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
