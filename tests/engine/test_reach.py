"""A value that differs after a change of bars is one that the change can touch."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.bars.selection import Mask
from factorloom.engine.plan.reach import Reach
from factorloom.engine.testing.bars import CATEGORIES
from factorloom.engine.testing.strategies import SOURCES, calls, columns, factors, panels
from factorloom.expressions.operator import Operator

KEYS = ["symbol", "date"]
NUMBERS = ("close", "open", "volume")

STAGED = (
    fl.ts_mean(fl.close, 3, min_samples=1),
    fl.ts_delay(fl.close, 2),
    fl.ts_lead(fl.close, 2),
    fl.ts_lead_dates(fl.close, 2),
    fl.ts_lead_dates(fl.cs_rank(fl.close), 2, last=True) - fl.ts_lead_dates(fl.close, 1),
    fl.ts_mean(fl.cs_rank(fl.ts_delta(fl.close, 2)), 3, min_samples=1),
    fl.group_demean(fl.cs_rank(fl.ts_sum(fl.cs_rank(fl.volume), 2)), "sector"),
    fl.ts_delay(fl.group_sum(fl.ts_lead(fl.close, 2), "sector"), 3),
    fl.cs_rank(fl.ts_ema(fl.close, 3)) - fl.open_,
    fl.cs_rank(fl.ts_sum(fl.lit(1), 3, min_samples=1)),
)


@st.composite
def changes(draw: st.DrawFn, panel: fl.Panel) -> fl.Panel:
    """Other values in some cells, fewer bars and more: of the same symbols and dates, and of others."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = {what: draw(st.sampled_from([0.0, 0.05, 0.3])) for what in (*NUMBERS, "sector", "deleted", "inserted")}

    def some(what: str, bars: pl.DataFrame) -> pl.Series:
        return pl.Series(rng.random(bars.height) < share[what])

    old = plain(panel.frame)
    revised = old.with_columns(
        pl.when(some(name, old)).then(pl.Series(_numbers(rng, old.height))).otherwise(name).alias(name)
        for name in NUMBERS
    ).with_columns(pl.when(some("sector", old)).then(_words(rng, old.height)).otherwise("sector").alias("sector"))
    days = pl.Series("date", [date(2024, 1, 1) + timedelta(days=day) for day in range(36)])
    names = pl.Series("symbol", [*panel.symbols, "S00", "T"])
    free = names.to_frame().join(days.to_frame(), how="cross").join(old, on=KEYS, how="anti").sort(KEYS)
    more = free.filter(some("inserted", free) & pl.Series(rng.random(free.height) < 0.3))
    more = more.with_columns(
        *(pl.Series(name, _numbers(rng, more.height)) for name in NUMBERS), sector=_words(rng, more.height)
    )
    kept = revised.filter(~some("deleted", old))
    return fl.Panel.from_frame(pl.concat([kept if kept.height else revised, more.select(revised.columns)]))


def _numbers(rng: np.random.Generator, size: int) -> np.ndarray:
    return np.where(rng.random(size) < 0.2, np.nan, np.round(rng.normal(0, 3, size), 1))


def _words(rng: np.random.Generator, size: int) -> pl.Series:
    return pl.Series([CATEGORIES[place] for place in rng.integers(0, len(CATEGORIES), size)], dtype=pl.String)


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame with text as text: the categories of two panels cannot be compared."""
    return frame.with_columns(pl.col(pl.Enum).cast(pl.String))


def reach_of(old: fl.Panel, new: fl.Panel) -> Reach:
    """What differs between two panels, told as `Reach` wants it."""
    number = pl.int_range(pl.len()).over("symbol").alias("number")
    bars, before = plain(new.frame).with_columns(number), plain(old.frame).with_columns(number)
    gone, come = before.join(bars, on=KEYS, how="anti"), bars.join(before, on=KEYS, how="anti")
    both = bars.join(before, on=KEYS, how="left", suffix=" before", maintain_order="left").join(
        gone.group_by("symbol").agg(pl.col("date").max().alias("gone")), on="symbol", how="left", maintain_order="left"
    )
    is_cut = (number == pl.len().over("symbol") - 1) & (pl.col("gone") > pl.col("date")).fill_null(False)
    differs = {name: pl.col(name).ne_missing(pl.col(f"{name} before")) for name in (*new.columns, "number")}
    differs[""] = differs.pop("number") | is_cut
    changed = {name: both.select(rows).to_series().to_numpy() for name, rows in differs.items()}
    dates, lost = new.dates.to_list(), [day for day in old.dates if day not in new.dates.to_list()]
    nexts = [*dates[1:], date.max]
    calendar = [
        day not in old.dates.to_list() or any(day < each < after for each in lost)
        for day, after in zip(dates, nexts, strict=True)
    ]
    touched = new.dates.is_in(pl.concat([gone, come])["date"].implode()).to_numpy()
    return Reach(new, changed, touched, np.array(calendar, np.bool_))


def assert_reached(old: fl.Panel, new: fl.Panel, *wanted: fl.Factor) -> None:
    """Values that differ to the last bit, and rows that are new, are reached."""
    named = {str(place): factor for place, factor in enumerate(wanted)}
    before, after = (plain(panel.compute(named)) for panel in (old, new))
    both = after.join(before.with_columns(known=True), on=KEYS, how="left", suffix=" before", maintain_order="left")
    reach = reach_of(old, new)
    for name, factor in named.items():
        differs = pl.col(name).ne_missing(pl.col(f"{name} before")) | pl.col("known").is_null()
        missed = both.select(differs).to_series().to_numpy() & ~reach.rows(factor)
        assert not missed.any(), f"{factor} differs on rows {np.flatnonzero(missed)[:5]}"


@settings(deadline=None)
@given(panel=panels(), wanted=st.lists(factors(4), min_size=1, max_size=3), data=st.data())
def test_every_value_that_differs_is_reached(panel: fl.Panel, wanted: list[fl.Factor], data: st.DataObject) -> None:
    assert_reached(panel, data.draw(changes(panel)), *wanted, *STAGED)


@pytest.mark.parametrize("operator", [op for op in fl.operators() if op.name not in SOURCES], ids=lambda op: op.name)
@settings(deadline=None, max_examples=5)
@given(data=st.data())
def test_every_operator_reaches_far_enough(operator: Operator[...], data: st.DataObject) -> None:
    panel = data.draw(panels())
    factor = data.draw(calls(operator, columns))
    assert_reached(panel, data.draw(changes(panel)), factor, fl.cs_sum(factor), fl.ts_delay(factor, 1))


@settings(deadline=None)
@given(panel=panels(), wanted=factors(4), data=st.data())
def test_a_day_that_is_appended_reaches_nothing_before_it(
    panel: fl.Panel, wanted: fl.Factor, data: st.DataObject
) -> None:
    cut = data.draw(st.sampled_from(panel.dates.to_list()))
    whole = fl.Panel.from_frame(panel.frame.filter(pl.col("date") <= cut))
    early = fl.Panel.from_frame(panel.frame.filter(pl.col("date") < cut))
    reached = reach_of(early, whole).rows(wanted)
    last = (whole.frame["date"] == cut).to_numpy()
    assert (reached >= last).all()
    assert wanted.lookahead or (reached == last).all()


@st.composite
def whole_panels(draw: st.DrawFn) -> tuple[fl.Panel, Mask, np.random.Generator]:
    """A ragged panel without missing numbers and with two symbols on every date, and some of its rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    keys = pl.DataFrame({"symbol": [f"S{number}" for number in range(draw(st.integers(2, 6)))]}).join(
        pl.DataFrame({"date": [date(2024, 1, 1) + timedelta(days=day) for day in range(draw(st.integers(1, 14)))]}),
        how="cross",
    )
    kept = keys.filter(pl.col("symbol").is_in(["S0", "S1"]) | pl.Series(rng.random(keys.height) < 0.7))
    bars = kept.with_columns(close=pl.Series(rng.normal(0, 1, kept.height)), sector=_words(rng, kept.height))
    panel = fl.Panel.from_frame(bars)
    return panel, rng.random(panel.rows) < draw(st.sampled_from([0.0, 0.03, 0.3])), rng


TIGHT = (
    fl.close,
    fl.ts_mean(fl.close, 3, min_samples=1),
    fl.ts_delay(fl.close, 2),
    fl.ts_delay(fl.ts_sum(fl.close, 2, min_samples=1), 1),
    fl.ts_cumsum(fl.close),
    fl.cs_rank(fl.close),
    fl.cs_sum(fl.close),
    fl.ts_sum(fl.cs_sum(fl.close), 2, min_samples=1),
    fl.group_sum(fl.close, "sector"),
)
"""Where no number is missing, every bar that these read counts."""


def on(factor: fl.Factor, name: str) -> fl.Factor:
    """The factor on another column."""
    return factor.rebuild(lambda node: fl.col(name) if node is fl.close else None)


DRAWS = [str(draw) for draw in range(30)]
ON_DRAWS = {f"{factor} {draw}": on(factor, draw) for factor in TIGHT for draw in DRAWS}


@settings(deadline=None)
@given(whole_panels())
def test_nothing_else_is_reached(drawn: tuple[fl.Panel, Mask, np.random.Generator]) -> None:
    """Numbers that change by random amounts change all that is reached, in one draw or another."""
    panel, changed, rng = drawn
    moved = [(pl.col("close") + np.where(changed, rng.normal(0, 5, panel.rows), 0)).alias(draw) for draw in DRAWS]
    before = panel.compute(*TIGHT)
    after = fl.Panel.from_frame(panel.frame.with_columns(moved)).compute(ON_DRAWS)
    reach = Reach(panel, {"close": changed}, np.zeros(panel.dates.len(), np.bool_))
    for factor in TIGHT:
        differs = pl.any_horizontal(pl.col(f"{factor} {draw}").ne_missing(before[str(factor)]) for draw in DRAWS)
        np.testing.assert_array_equal(reach.rows(factor), after.select(differs).to_series().to_numpy(), str(factor))


TEN = pl.DataFrame({"date": pl.date_range(date(2024, 1, 1), date(2024, 1, 10), eager=True), "close": np.arange(10.0)})


def ten_bars(*, without: tuple[int, ...] = ()) -> fl.Panel:
    """Ten bars of A, without some, and ten of B."""
    kept = TEN.filter(~pl.int_range(pl.len()).is_in(without))
    return fl.Panel.from_frame(pl.concat([kept.with_columns(symbol=pl.lit("A")), TEN.with_columns(symbol=pl.lit("B"))]))


A, B = range(10), range(10, 20)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (fl.close, [A[4]]),
        (fl.lit(1), [A[4]]),
        (fl.cs_rank(fl.close), [A[4], B[4]]),
        (fl.ts_delay(fl.close, 1), [*A[4:]]),
        (fl.ts_mean(fl.cs_rank(fl.close), 3), [*A[4:], *B[4:7]]),
    ],
    ids=str,
)
def test_a_bar_that_comes_moves_later_ones_and_changes_no_numbers_of_theirs(
    factor: fl.Factor, expected: list[int]
) -> None:
    reach = reach_of(ten_bars(without=(4,)), ten_bars())
    assert np.flatnonzero(reach.rows(factor)).tolist() == expected


def test_a_bar_comes_and_a_later_one_goes() -> None:
    """Bars after both have their old number; windows that end there do not hold the same bars."""
    old, new = ten_bars(without=(2,)), ten_bars(without=(6,))
    assert_reached(old, new, *STAGED[:3])
    reach = reach_of(old, new)
    assert np.flatnonzero(reach.rows(fl.ts_mean(fl.close, 3))).tolist() == [*A[2:8]]
    assert np.flatnonzero(reach.rows(fl.ts_delay(fl.close, 1))).tolist() == [*A[2:7]]


def test_the_last_bars_go() -> None:
    """Only what looks ahead can tell, and what goes across a date that another symbol still has."""
    old, new = ten_bars(), ten_bars(without=(8, 9))
    assert_reached(old, new, *STAGED[:3])
    reach = reach_of(old, new)
    assert np.flatnonzero(reach.rows(fl.close)).tolist() == []
    assert np.flatnonzero(reach.rows(fl.ts_lead(fl.close, 2))).tolist() == [A[5], A[6], A[7]]
    assert np.flatnonzero(reach.rows(fl.cs_rank(fl.close))).tolist() == [16, 17]


def test_no_bars_reach_nothing() -> None:
    empty = fl.Panel.from_frame(fl.example().frame.clear())
    none = np.zeros(0, np.bool_)
    reach = Reach(empty, {"close": none, "": none}, none)
    for factor in (fl.close, fl.ts_ema(fl.cs_rank(fl.close), 3), fl.group_rank(fl.close, "sector")):
        assert reach.rows(factor).size == 0
