"""A panel in less memory: columns of Float32, text as codes; values are those of the same numbers in Float64."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars import selectors as cs
from polars.testing import assert_frame_equal

import factorloom as fl
from factorloom.engine.bars.category import encode, text_of
from factorloom.engine.executor.native import tile
from factorloom.engine.panel import Engine
from factorloom.engine.testing.strategies import factors, panels
from factorloom.expressions.errors import ArgumentError, BarsError

TEXT = st.lists(st.sampled_from(["A", "B", "", "ü", "BRK.B", "10", "9", None]), max_size=40)
LARGE = float(2.0**127)


@pytest.mark.parametrize("engine", ["numba", "polars"])
@given(panel=panels(), wanted=st.lists(factors(), min_size=1, max_size=3), tile_rows=st.sampled_from([3, 16_384]))
def test_float32_columns_give_the_values_of_the_same_numbers(
    engine: Engine, panel: fl.Panel, wanted: list[fl.Factor], tile_rows: int
) -> None:
    narrow = fl.Panel.from_frame(panel.frame.cast({cs.float(): pl.Float32}))
    wide = fl.Panel.from_frame(narrow.frame.cast({cs.float(): pl.Float64}))
    assert narrow.frame.schema["close"] == pl.Float32
    named = {str(number): factor for number, factor in enumerate(wanted)} | {"close itself": fl.close}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tile, "TILE_ROWS", tile_rows)
        values = narrow.compute(named, engine=engine)
    assert_frame_equal(values, wide.compute(named, engine=engine), check_exact=True)
    assert values.schema["symbol"] == pl.String
    assert values.schema["close itself"] == pl.Float64
    days = panel.dates[0], panel.dates[-1] if panel.dates.len() < 3 else panel.dates[-2]
    part = narrow.compute(named, dates=days, engine=engine)
    assert_frame_equal(part, wide.compute(named, dates=days, engine=engine), check_exact=True)


@given(panel=panels())
def test_any_frame_can_be_held_as_float32_or_float64(panel: fl.Panel) -> None:
    narrow = fl.Panel.from_frame(panel.frame, dtype="float32")
    assert narrow.frame.equals(fl.Panel.from_frame(panel.frame.cast({cs.float(): pl.Float32})).frame)
    wide = fl.Panel.from_frame(narrow.frame, dtype="float64")
    assert wide.frame.equals(narrow.frame.cast({cs.float(): pl.Float64}))
    assert fl.Panel.from_frame(wide.frame).frame.schema["close"] == pl.Float64
    with pytest.raises(ArgumentError, match="dtype must be 'float64' or 'float32', got 'int8'"):
        fl.Panel.from_frame(panel.frame, dtype="int8")  # type: ignore[arg-type]


def test_what_float32_cannot_hold_is_missing() -> None:
    frame = pl.DataFrame(
        {"symbol": ["A"] * 3, "date": [date(2024, 1, n) for n in (1, 2, 3)], "close": [1.0, 1e300, LARGE]}
    )
    panel = fl.Panel.from_frame(frame, dtype="float32")
    assert panel.frame["close"].to_list() == [1.0, None, LARGE]
    more = frame.with_columns(date=pl.col("date") + timedelta(days=3))
    assert panel.append(more).frame["close"].to_list() == [1.0, None, LARGE] * 2
    assert panel.append(more).frame.schema["close"] == pl.Float32
    assert panel.compute(x=fl.close * 4)["x"].to_list() == [4.0, None, 4 * LARGE]


@given(text=TEXT, times=st.sampled_from([1, 9]))
def test_codes_stand_for_the_text_in_its_order(text: list[str | None], times: int) -> None:
    values = pl.Series("sector", [value for value in text for _ in range(times)], dtype=pl.String)
    codes = encode(values)
    assert codes.dtype == pl.Enum(sorted({value for value in text if value is not None}))
    assert codes.to_physical().dtype == pl.UInt8
    assert text_of(codes).equals(values, check_names=True, null_equal=True)
    for kind in (pl.Categorical, pl.Enum(["9", "ü", "unused", "BRK.B", "", "A", "10", "B"])):
        again = encode(values.cast(kind))
        assert again.dtype == codes.dtype
        assert again.equals(codes, null_equal=True)


def test_codes_take_the_smallest_type() -> None:
    for count, kind in ((255, pl.UInt8), (300, pl.UInt16), (70_000, pl.UInt32)):
        assert encode(pl.Series([str(n) for n in range(count)])).to_physical().dtype == kind


def test_further_bars_may_bring_symbols_and_categories() -> None:
    panel = fl.example()
    days = [date(2024, 1, 5)] * 3
    more = pl.DataFrame({"symbol": ["B", "AA", "Z"], "date": days, "sector": ["bank", None, "tech"]})
    more = more.with_columns(pl.lit(1.0).alias(name) for name in panel.columns if name != "sector")
    grown = panel.append(more)
    text = pl.concat([frame.select(panel.frame.columns).cast({pl.Enum: pl.String}) for frame in (panel.frame, more)])
    assert_frame_equal(grown.frame, fl.Panel.from_frame(text).frame)
    assert grown.symbols.to_list() == ["A", "AA", "B", "C", "Z"]
    assert grown.compute(x=fl.group_count(fl.close, "sector"), dates="2024-01-05")["x"].to_list() == [None, 1.0, 1.0]
    with pytest.raises(BarsError, match=r"3 bars of 3 not after the last one of their symbol: \(AA, 2024"):
        grown.append(more)
