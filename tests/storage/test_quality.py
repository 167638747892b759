"""The counts of the quality report, against plain loops and against known defects of real data."""

from __future__ import annotations

import datetime as dt
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factorloom.engine.bars import quality
from factorloom.engine.bars.quality import EXTREME, QualityReport, calendar_of
from factorloom.storage.store import Store

PRICES = ["open", "high", "low", "close"]
START = dt.date(2024, 1, 1)

cells = st.none() | st.sampled_from([-1.0, 0.0, 1.0, 1.4, 1.5, 1.6, 2.0, 3.0, 5.0])
rows = st.fixed_dictionaries(dict.fromkeys([*PRICES, "volume"], cells))
tables = st.dictionaries(st.tuples(st.sampled_from("ABC"), st.integers(0, 6)), rows, min_size=1)


def frame(table: dict[tuple[str, int], dict[str, float | None]]) -> pl.DataFrame:
    schema: dict[str, Any] = {
        "symbol": pl.String,
        "date": pl.Date,
        **dict.fromkeys([*PRICES, "volume"], pl.Float64),
    }
    records = [{"symbol": s, "date": START + dt.timedelta(d), **row} for (s, d), row in table.items()]
    return pl.DataFrame(records, schema=schema).sort("symbol", "date")


def check(bars: pl.DataFrame, attributes: pl.DataFrame | None) -> dict[str, Any]:
    """The findings in bars that are all of a dataset."""
    ends = {"first": pl.col("date").min(), "last": pl.col("date").max(), "bars": pl.len().cast(pl.Int64)}
    calendar = calendar_of(bars.group_by("symbol").agg(**ends), bars["date"].unique().sort())
    return quality.check(bars, bars.select("symbol", "date"), calendar, attributes)


def bad_range(row: dict[str, Any]) -> bool:
    low, high = row["low"], row["high"]
    if low is not None and high is not None and high < low:
        return True
    ends = [row[name] for name in ("open", "close") if row[name] is not None]
    return any((high is not None and end > high) or (low is not None and end < low) for end in ends)


def count_extremes(bars: list[dict[str, Any]]) -> int:
    count = 0
    last: dict[str, float] = {}
    for row in bars:
        before, close = last.get(row["symbol"]), row["close"]
        if close is not None:
            count += before is not None and before > 0 and abs(close / before - 1) > EXTREME
            last[row["symbol"]] = close
    return count


def count_listing(bars: list[dict[str, Any]]) -> dict[str, int]:
    calendar = sorted({row["date"] for row in bars})
    counts = dict.fromkeys(["late_listings", "early_endings", "incomplete_symbols", "missing_bars"], 0)
    for symbol in {row["symbol"] for row in bars}:
        days = sorted(row["date"] for row in bars if row["symbol"] == symbol)
        counts["late_listings"] += days[0] > calendar[0]
        counts["early_endings"] += days[-1] < calendar[-1]
        counts["incomplete_symbols"] += len(days) < len(calendar)
        counts["missing_bars"] += sum(days[0] < day < days[-1] and day not in days for day in calendar)
    return counts


@given(tables, st.sets(st.sampled_from("ABCD")))
def test_counts_agree_with_plain_loops(table: dict[tuple[str, int], Any], known: set[str]) -> None:
    bars = frame(table)
    plain = bars.to_dicts()
    attributes = pl.DataFrame({"symbol": sorted(known)}, schema={"symbol": pl.String})
    expected = {
        "rows": len(plain),
        "symbols": len({row["symbol"] for row in plain}),
        "start": min(row["date"] for row in plain),
        "end": max(row["date"] for row in plain),
        "missing": {name: count for name in [*PRICES, "volume"] if (count := sum(row[name] is None for row in plain))},
        "high_low_violations": sum(map(bad_range, plain)),
        "nonpositive_prices": sum(any(row[n] is not None and row[n] <= 0 for n in PRICES) for row in plain),
        "zero_volume": sum(row["volume"] == 0 for row in plain),
        "negative_volume": sum(row["volume"] is not None and row["volume"] < 0 for row in plain),
        "extreme_moves": count_extremes(plain),
        "without_attributes": len({row["symbol"] for row in plain} - known),
        **count_listing(plain),
    }
    found = check(bars, attributes)
    assert {name: found[name] for name in expected} == expected
    for name, cases in found["examples"].items():
        assert 1 <= len(cases) <= found[name]


STANDARD_COLUMNS = ["open", "high", "low", "close", "volume", "vwap", "amount"]
SUBSETS = [list(part) for size in range(1, 8) for part in combinations(STANDARD_COLUMNS, size)]


@pytest.fixture(scope="module")
def many() -> pl.DataFrame:
    """Sixty thousand bars; every column has missing, zero and negative values."""
    random = np.random.default_rng(3)
    values = {name: random.integers(-1, 60, 60_000).astype(float) for name in STANDARD_COLUMNS}
    frame = pl.DataFrame(values).with_columns(pl.when(pl.col(STANDARD_COLUMNS) < 59).then(pl.col(STANDARD_COLUMNS)))
    dates = pl.date_range(START, START + dt.timedelta(599), eager=True)
    symbols = np.repeat([f"S{number:02}" for number in range(100)], 600)
    return frame.with_columns(symbol=symbols, date=pl.concat([dates] * 100)).select("symbol", "date", *STANDARD_COLUMNS)


def test_bars_with_any_of_the_standard_columns_are_checked(many: pl.DataFrame) -> None:
    assert len(SUBSETS) == 127
    plain = {name: many[name].to_numpy() for name in STANDARD_COLUMNS}  # missing is NaN, and compares as false
    for subset in SUBSETS:
        found = check(many.select("symbol", "date", *subset), None)
        prices = [plain[name] for name in PRICES if name in subset]
        above = [("open", "high"), ("close", "high"), ("low", "high"), ("low", "open"), ("low", "close")]
        pairs = [plain[less] > plain[more] for less, more in above if {less, more} <= set(subset)]
        assert found["nonpositive_prices"] == np.sum(np.any([price <= 0 for price in prices], axis=0)), subset
        assert found["high_low_violations"] == np.sum(np.any(pairs, axis=0)), subset
        assert found["missing"].keys() == set(subset)
        assert found.get("zero_volume", 0) == np.sum(plain["volume"] == 0) * ("volume" in subset)


@pytest.mark.parametrize("subset", [["close"], ["volume"], ["vwap", "amount"], ["open", "low"], ["high", "volume"]])
def test_many_bars_with_few_columns_are_loaded(subset: list[str], many: pl.DataFrame, store: Store) -> None:
    for frame in (many, many.with_columns(pl.col(STANDARD_COLUMNS) + 1)):
        report = store.load("few", frame.select("symbol", "date", *subset))
        assert report.rows == 60_000
    assert store.panel("few").frame.columns == ["symbol", "date", *subset]


def test_missing_columns_are_not_checked() -> None:
    found = check(frame({("A", 1): {"close": -1.0}}).select("symbol", "date", "close"), None)
    assert found["nonpositive_prices"] == 1
    assert "zero_volume" not in found
    assert "without_attributes" not in found


def test_the_report_as_text_and_json(loaded: Store, bars: pl.DataFrame) -> None:
    report = loaded.load("demo", bars)
    assert str(report) == report.render() == repr(report)
    first, second, *_ = report.render().splitlines()
    assert first.startswith(f"demo, version 1: {bars.height:,} bars of 30 symbols, 20")
    assert second.split() == [
        "loaded",
        "0",
        "inserted,",
        "0",
        "updated,",
        f"{bars.height:,}",
        "unchanged",
        "(nothing",
        "changed)",
    ]
    assert json.loads(json.dumps(report.to_dict()))["start"] == str(report.start)
    assert report._repr_html_().startswith("<pre>demo")


def test_html_is_escaped(store: Store) -> None:
    report = store.load("x", pl.DataFrame({"symbol": ["<b>"], "date": ["2024-01-02"], "close": [-1.0]}))
    assert "<b>" not in report._repr_html_()


def test_known_defects_of_the_sp500(store: Store, data_folder: Path) -> None:
    report = store.load(
        "sp500",
        data_folder / "prices" / "sp500_2013_2018.parquet",
        columns={"sector": "GICS Sector", "industry": "GICS Sub-Industry"},
        attributes=data_folder / "reference" / "sp500_gics_sectors.csv",
    )
    assert (report.rows, report.inserted, report.symbols) == (619_040, 619_040, 505)
    assert (report.start, report.end) == (dt.date(2013, 2, 8), dt.date(2018, 2, 7))
    assert report.missing == {"open": 11, "high": 8, "low": 8}
    assert report.high_low_violations == 12
    shown = report.examples["high_low_violations"]
    assert {"symbol": "LNT", "date": dt.date(2016, 5, 19), "open": 35.19, "close": 17.87}.items() <= shown[6].items()
    assert report.zero_volume == 4
    assert report.missing_bars == 51
    assert report.late_listings == 29
    assert report.incomplete_symbols == 35  # 29 late listings and 6 symbols with gaps
    assert report.extreme_moves == 7
    assert report.nonpositive_prices == report.negative_volume == report.early_endings == report.dropped == 0
    assert report.without_attributes == 150
    assert store.panel("sp500").frame["sector"].null_count() > 0
    assert isinstance(report, QualityReport)


def test_real_bars_of_another_market(store: Store, data_folder: Path) -> None:
    report = store.load("nifty", data_folder / "prices" / "nifty50_2015_2021.parquet", columns={"amount": "value"})
    assert (report.rows, report.symbols) == (85_305, 50)
    assert "M%26M" in store.panel("nifty").symbols
    assert report.extreme_moves > 0


def test_adjusted_prices_that_differ_by_rounding_are_no_finding() -> None:
    rng = np.random.default_rng(0)
    close = rng.uniform(1, 100, 2000).round(2)
    adjusted = (close * rng.uniform(0.5, 1, 2000)).round(6)
    high = close * (adjusted / close)
    assert (adjusted > high).any()
    days = pl.date_range(START, START + dt.timedelta(1999), eager=True)
    bars = pl.DataFrame({"symbol": "A", "date": days, "high": high, "close": adjusted})
    assert check(bars, None)["high_low_violations"] == 0
    assert check(bars.with_columns(close=pl.col("close") * 1.001), None)["high_low_violations"] == 2000
