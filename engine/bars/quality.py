"""Check the quality of bars, and report the findings of a load.

A check counts and gives examples; it never repairs. Bars are checked when they are loaded, symbols and their calendar
as they are in the dataset after the load.
"""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl

__all__ = ["EXTREME", "QualityReport", "calendar_of", "check"]

EXTREME = 0.5
"""A relative change of the close beyond this is an extreme move."""

MAX_EXAMPLES = 20
"""Examples kept per finding."""

PRICES = ("open", "high", "low", "close")

ROUNDING = 1e-9
"""Adjusted prices differ by rounding: a difference below this fraction is none."""


class QualityReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a load changed, the size of the dataset after it, and the quality of the loaded bars.

    Attributes
    ----------
    dataset, version, changed
        The name of the dataset, its version after the load, and whether the load changed it.
    rows, symbols, start, end
        Size and dates of the dataset.
    changed_from, changed_to, changed_symbols
        The first and last date of the bars that are new or differ, None where there are none, and of how many symbols
        they are. `Store.diff` lists these bars.
    inserted, updated, unchanged, dropped
        Rows of the source by what was done with them; `dropped` rows repeated a key.
    infinite
        Infinities in the source that became missing, by column.
    missing
        Missing values of the loaded bars by column, for columns with any.
    high_low_violations
        Bars with high < low, or with open or close outside [low, high].
    nonpositive_prices, zero_volume, negative_volume
        Bars with a price at or below zero; with zero volume; with negative volume.
    extreme_moves
        Bars whose close is more than 50% away from the symbol's previous close.
    late_listings, early_endings
        Symbols that start after the first date of the dataset; that end before its last date.
    incomplete_symbols
        Symbols that lack a bar on some date of the dataset.
    missing_bars
        Bars that symbols lack between their first and last bar, on dates of the dataset.
    without_attributes
        Symbols without attributes; None if the dataset has no attributes.
    examples
        Up to 20 examples of each finding, by name.
    notes
        Dropped columns, removed time zones.
    """

    dataset: str
    version: int
    changed: bool
    rows: int
    symbols: int
    start: dt.date
    end: dt.date
    changed_from: dt.date | None = None
    changed_to: dt.date | None = None
    changed_symbols: int = 0
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
        """The report in JSON types; dates are ISO text."""
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
        volume = _format_counts({"zero": self.zero_volume, "negative": self.negative_volume})
        listing = {"start late": self.late_listings, "end early": self.early_endings}
        return [
            ("loaded", loaded + ("" if self.changed else " (nothing changed)")),
            ("duplicates", f"{self.dropped:,} dropped" if self.dropped else ""),
            ("missing", _format_counts(self.missing)),
            ("infinite", _format_counts(self.infinite)),
            ("high/low", self._format_finding("high_low_violations", "outside their own range")),
            ("prices", self._format_finding("nonpositive_prices", "at or below zero")),
            ("volume", volume),
            ("extreme moves", self._format_finding("extreme_moves", f"beyond {EXTREME:.0%}")),
            ("listing", _format_counts(listing)),
            ("gaps", self._format_finding("missing_bars", "symbol-days without a bar")),
            ("incomplete", self._format_finding("incomplete_symbols", "symbols lack a bar on some date")),
            ("attributes", self._format_finding("without_attributes", "symbols have no attributes")),
            *(("note", note) for note in self.notes),
        ]

    def _format_finding(self, finding: str, what: str) -> str:
        count = getattr(self, finding)
        if not count:
            return ""
        examples = self.examples.get(finding, [])[:4]
        shown = [" ".join(str(row[key]) for key in ("symbol", "date") if key in row) for row in examples]
        more = ", …" if count > len(shown) else ""
        return f"{count:,} {what}" + (f": {', '.join(shown)}{more}" if shown else "")


def check(
    bars: pl.DataFrame, loaded: pl.DataFrame, calendar: pl.DataFrame, attributes: pl.DataFrame | None
) -> dict[str, Any]:
    """Run the checks; returns the fields of a `QualityReport`.

    Parameters
    ----------
    bars
        Sorted bars: those that were loaded, and some before them.
    loaded
        The keys of the loaded bars, of which findings are reported.
    calendar
        The symbols of the dataset, from `calendar_of`.
    attributes
        Their attributes, if there are any.
    """
    found = _check_bars(bars)
    if bars.height > loaded.height:
        found = {name: _of(frame, loaded) for name, frame in found.items()}
        bars = _of(bars, loaded)
    findings: dict[str, pl.DataFrame] = {**found, **_check_symbols(calendar)}
    if attributes is not None:
        findings["without_attributes"] = (
            calendar.select("symbol").join(attributes, on="symbol", how="anti").sort("symbol")
        )
    missing = bars.null_count().row(0, named=True)
    return {
        "rows": int(calendar["bars"].sum()),
        "symbols": calendar.height,
        "start": calendar["first"].min(),
        "end": calendar["last"].max(),
        "missing": {name: count for name, count in missing.items() if count},
        "missing_bars": int(calendar["gaps"].sum()),
        "examples": {
            name: found.head(MAX_EXAMPLES).to_dicts()
            for name, found in {**findings, "missing_bars": _gaps(calendar)}.items()
            if found.height
        },
        **{name: found.height for name, found in findings.items()},
    }


def calendar_of(symbols: pl.DataFrame, dates: pl.Series) -> pl.DataFrame:
    """One row per symbol: first and last date, and the number of bars, gaps and dates of the dataset.

    Parameters
    ----------
    symbols
        `symbol`, `first`, `last` and `bars` of each symbol.
    dates
        All dates of the dataset, sorted.
    """
    places = [dates.search_sorted(symbols[end]).cast(pl.Int64).alias(f"{end}_day") for end in ("first", "last")]
    gaps = pl.col("last_day") - pl.col("first_day") + 1 - pl.col("bars")
    return symbols.with_columns(places).with_columns(gaps=gaps, days=pl.lit(dates.len())).sort("symbol")


def _of(found: pl.DataFrame, loaded: pl.DataFrame) -> pl.DataFrame:
    return found.join(loaded, on=["symbol", "date"], how="semi", maintain_order="left")


def _check_bars(bars: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The bars of each finding, with the values concerned."""
    prices = [name for name in PRICES if name in bars.columns]
    shown = ["symbol", "date", *prices]
    priced = bars.select(shown)
    found = {"high_low_violations": _filter_any(priced, _outside(prices))}
    found["nonpositive_prices"] = _filter_any(priced, [pl.col(name) <= 0 for name in prices])
    if "volume" in bars.columns:
        volumes = bars.select("symbol", "date", "volume")
        found["zero_volume"] = volumes.filter(pl.col("volume") == 0)
        found["negative_volume"] = volumes.filter(pl.col("volume") < 0)
    if "close" in bars.columns:
        found["extreme_moves"] = _extreme(bars.select("symbol", "date", "close"))
    return found


def _outside(prices: Sequence[str]) -> list[pl.Expr]:
    """Conditions for high < low, and open or close outside [low, high]; false if a price is missing."""
    above = [("open", "high"), ("close", "high"), ("low", "high"), ("low", "open"), ("low", "close")]
    pairs = ((pl.col(less), pl.col(more)) for less, more in above if less in prices and more in prices)
    return [less - more > ROUNDING * more.abs() for less, more in pairs]


def _extreme(closes: pl.DataFrame) -> pl.DataFrame:
    before = pl.col("close").forward_fill().shift(1).over("symbol")
    return (
        closes.with_columns(previous=before)
        .filter(pl.col("previous") > 0)
        .with_columns(move=pl.col("close") / pl.col("previous") - 1)
        .filter(pl.col("move").abs() > EXTREME)
    )


def _check_symbols(calendar: pl.DataFrame) -> dict[str, pl.DataFrame]:
    shown = ["symbol", "first", "last", "bars"]
    return {
        "late_listings": calendar.filter(pl.col("first_day") > 0).select(shown),
        "early_endings": calendar.filter(pl.col("last_day") < pl.col("days") - 1).select(shown),
        "incomplete_symbols": calendar.filter(pl.col("bars") < pl.col("days")).select(shown),
    }


def _gaps(calendar: pl.DataFrame) -> pl.DataFrame:
    return calendar.filter(pl.col("gaps") > 0).select("symbol", "gaps").sort("gaps", "symbol", descending=[True, False])


def _filter_any(bars: pl.DataFrame, conditions: Sequence[pl.Expr]) -> pl.DataFrame:
    """The bars that meet any condition. Without conditions none; Polars refuses a filter that is only a literal."""
    return bars.filter(pl.any_horizontal(conditions)) if conditions else bars.clear()


def _format_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
