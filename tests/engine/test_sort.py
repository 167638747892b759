"""Sorting bars by whole-number keys: the same order as Polars' own sort, in every kind of table."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from factorloom.engine.bars.category import encode
from factorloom.engine.bars.sort import sort_bars
from factorloom.engine.panel import Panel
from factorloom.expressions.errors import BarsError

SYMBOLS = st.sampled_from(["A", "B", "AA", "a", "", "Ü", "é", "10", "9", "BRK.B"])
DATES = {
    "days": st.integers(0, 40).map(lambda day: date(2020, 1, 1) + timedelta(days=day)),
    "far days": st.sampled_from([date(1, 1, 1), date(1969, 12, 31), date(2020, 1, 1), date(9999, 12, 31)]),
    "moments": st.integers(0, 10**6).map(lambda n: datetime(2020, 1, 1) + timedelta(microseconds=n * 977)),
}


@pytest.mark.parametrize("kind", DATES)
@given(data=st.data())
def test_rows_are_sorted_as_polars_sorts_them(kind: str, data: st.DataObject) -> None:
    """Repeated keys keep their order; missing values stay with their row."""
    keys = data.draw(st.lists(st.tuples(SYMBOLS, DATES[kind]), max_size=60))
    frame = pl.DataFrame(
        {
            "symbol": pl.Series([symbol for symbol, _ in keys], dtype=pl.String),
            "date": pl.Series([day for _, day in keys], dtype=pl.Datetime("us") if kind == "moments" else pl.Date),
            "close": pl.Series([None if n % 7 == 3 else float(n) for n in range(len(keys))], dtype=pl.Float64),
            "sector": pl.Series([None if n % 5 == 2 else f"s{n % 3}" for n in range(len(keys))], dtype=pl.String),
        }
    )
    found = sort_bars(frame.with_columns(encode(frame["symbol"])), "symbol", "date")
    assert_frame_equal(found.cast({"symbol": pl.String}), frame.sort("symbol", "date", maintain_order=True))


@pytest.mark.parametrize("order", ["sorted", "by date", "shuffled", "dates descending", "one symbol"])
def test_large_tables_are_sorted(order: str) -> None:
    """Above 50,000 rows, where Polars takes other paths."""
    rng = np.random.default_rng(1)
    count = 1 if order == "one symbol" else 100
    days = pl.date_range(date(2020, 1, 1), date(2020, 1, 1) + timedelta(days=80_000 // count - 1), eager=True)
    frame = pl.DataFrame({"symbol": np.repeat([f"S{n}" for n in range(count)], days.len())}).with_columns(
        date=pl.concat([days] * count), close=pl.Series(rng.random(80_000))
    )
    frame = frame.filter(pl.Series(rng.random(80_000) > 0.1)).sort("symbol", "date")
    given_order = {
        "sorted": frame,
        "by date": frame.sort("date", "symbol"),
        "shuffled": frame.sample(fraction=1, shuffle=True, seed=3),
        "dates descending": frame.sort("symbol", "date", descending=[False, True]),
        "one symbol": frame.reverse(),
    }[order]
    found = sort_bars(given_order.with_columns(encode(given_order["symbol"])), "symbol", "date")
    assert_frame_equal(found.cast({"symbol": pl.String}), frame)


@pytest.mark.parametrize("symbols", [pl.String, pl.Categorical, pl.Int64])
def test_moments_of_any_zone_are_sorted(symbols: type[pl.DataType]) -> None:
    """The hour that comes twice in autumn is two moments, not a repeated key, on a clock that does not repeat it."""
    start = datetime(2024, 10, 26, 22, tzinfo=UTC)
    moments = pl.Series([start + timedelta(minutes=30 * n) for n in range(12)]).dt.convert_time_zone("Europe/Berlin")
    frame = pl.DataFrame({"symbol": ["10", "9"] * 12, "date": moments.append(moments), "close": np.arange(24.0)})
    frame = frame.with_columns(date=pl.col("date").sort())
    shuffled = frame.with_columns(pl.col("symbol").cast(symbols)).sample(fraction=1, shuffle=True, seed=2)
    with pytest.raises(BarsError, match=r"is repeated in 4 bars: .*\n.*time_zone='UTC'"):
        Panel.from_frame(shuffled)
    expected = frame.with_columns(pl.col("date").dt.convert_time_zone("UTC").dt.replace_time_zone(None))
    assert_frame_equal(Panel.from_frame(shuffled, time_zone="UTC").frame, expected.sort("symbol", "date"))
