"""What a version knows of a few symbols, found by counting, is what all of its keys say."""

from __future__ import annotations

import datetime as dt
import tempfile

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from factorloom.expressions.errors import ParameterError
from factorloom.expressions.parse import parse
from factorloom.storage import segment
from factorloom.storage.keys import Picked
from factorloom.storage.store import open_store
from factorloom.storage.view import EPOCH, View

NAMES = ["A", "B", "BB", "Ü", "é", "z", "𝄞"]
FIRST = dt.date(2021, 3, 1)


def ragged(seed: int, *, moments: bool) -> pl.DataFrame:
    """Bars of symbols that list late and miss days; with several times of a day, or none."""
    rng = np.random.Generator(np.random.PCG64(seed))
    days = [FIRST + dt.timedelta(days=day) for day in range(40)]
    dates = [dt.datetime.combine(day, dt.time(hour)) for day in days for hour in (0, 10, 23)] if moments else days
    rows = [(name, date) for name in NAMES for date in dates[rng.integers(0, 30) :] if rng.random() < 0.8]
    bars = pl.DataFrame(rows, schema=["symbol", "date"], orient="row")
    return bars.with_columns(close=pl.Series(rng.random(bars.height)))


@pytest.mark.parametrize("moments", [False, True])
@settings(max_examples=8)
@given(indexed=st.booleans(), data=st.data())
def test_a_few_symbols_stand_where_all_keys_have_them(moments: bool, indexed: bool, data: st.DataObject) -> None:
    """Over segments of any days, cut anywhere, with symbols that some of them lack; also of files without an index."""
    bars = ragged(data.draw(st.integers(0, 99)), moments=moments)
    cuts = sorted(data.draw(st.sets(st.integers(1, 39), max_size=4)))
    day = (pl.col("date").cast(pl.Date) - FIRST).dt.total_days()
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as folder,
        open_store(f"{folder}/store") as store,
    ):
        if not indexed:
            patch.setattr(segment, "notes_of", lambda symbols: {})
        for first, last in zip([0, *cuts], [*cuts, 40], strict=True):
            if (some := bars.filter(day.is_between(first, last, closed="left"))).height:
                store.load("bars", some)
        view = store._backing.view("bars", None)
        for _ in range(15):
            compare(view, *sorted(data.draw(st.tuples(*[st.integers(-2, 42)] * 2))), data)


def test_a_symbol_after_256_others() -> None:
    """Codes are then as large as their type allows."""
    names = [f"S{number:03d}" for number in range(256)]
    bars = pl.DataFrame({"symbol": names, "date": [FIRST] * 256, "close": np.arange(256.0)})
    with open_store(":memory:") as store:
        store.load("bars", bars)
        day, view = FIRST.toordinal() - EPOCH, store._backing.view("bars", None)
        assert view.keys(day, day, ["S255", "T"])["symbol"].to_list() == ["S255"]
        assert view.rows_of(day, day, Picked.of(view.keys(day, day, ["S255"])))[0].tolist() == [255]


def test_the_hint_of_an_absent_moment_knows_all_days() -> None:
    moments = [dt.datetime(2021, 1, day, 10) for day in range(1, 11)]
    with open_store(":memory:") as store:
        store.load("bars", pl.DataFrame({"symbol": ["A"] * 10, "date": moments, "close": np.arange(10.0)}))
        with pytest.raises(ParameterError, match=r"no bars on 2021-03-01 10:00:00\n.* earlier date is 2021-01-10"):
            store.compute("bars", {"c": parse("close")}, dates=[dt.datetime(2021, 3, 1, 10)])


def compare(view: View, first: int, last: int, data: st.DataObject) -> None:
    """Keys and places of a few symbols from one day to another."""
    first, last = (FIRST.toordinal() - EPOCH + day for day in (first, last))
    names = data.draw(st.lists(st.sampled_from([*NAMES, "absent", ""]), min_size=1))
    whole = view.keys(first, last).with_row_index("row")
    wanted = whole.filter(pl.col("symbol").cast(pl.String).is_in(names))
    keys = view.keys(first, last, names)
    assert_frame_equal(keys.cast({"symbol": pl.String}), wanted.drop("row").cast({"symbol": pl.String}))
    bars = view.bars(first, last).filter(pl.col("symbol").cast(pl.String).is_in(names))
    some = view.bars(first, last, symbols=names)
    assert_frame_equal(some.cast({"symbol": pl.String}), bars.cast({"symbol": pl.String}))
    if keys.height:
        assert keys["symbol"].dtype == pl.Enum(wanted["symbol"].cast(pl.String).unique().sort())
        places, size = view.rows_of(first, last, Picked.of(keys))
        assert places.tolist() == wanted["row"].to_list()
        assert size == whole.height
