"""Candlestick patterns: beside TA-Lib on real bars and on bars made to hold every pattern, and worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import factorloom as fl
from factorloom.expressions.library.ta import candle, candles
from factorloom.expressions.library.ta.registry import entries
from factorloom.expressions.parse import parse
from tests.oracle import to_array

Array = npt.NDArray[np.float64]

ENTRIES = {name: entry for name, entry in entries().items() if name.startswith("CDL")}
FACTORS = {name: entry.factor for name, entry in ENTRIES.items()}
PRICES = ("open", "high", "low", "close")

RISE, FALL, BOTH = (100,), (-100,), (-100, 100)
VALUES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("CDLDOJI", "CDLDRAGONFLYDOJI", "CDLGRAVESTONEDOJI", "CDLLONGLEGGEDDOJI", "CDLTAKURI"), RISE),
    **dict.fromkeys(("CDLBELTHOLD", "CDLCLOSINGMARUBOZU", "CDLHIGHWAVE", "CDLLONGLINE", "CDLMARUBOZU"), BOTH),
    **dict.fromkeys(("CDLSHORTLINE", "CDLSPINNINGTOP", "CDLDOJISTAR", "CDLKICKING"), BOTH),
    **dict.fromkeys(("CDL3INSIDE", "CDL3OUTSIDE"), BOTH),
    **dict.fromkeys(("CDLENGULFING", "CDLHARAMI", "CDLHARAMICROSS"), (-100, -80, 80, 100)),
    **dict.fromkeys(("CDLHAMMER", "CDLINVERTEDHAMMER", "CDLMATCHINGLOW", "CDLPIERCING"), RISE),
    **dict.fromkeys(("CDLMORNINGSTAR", "CDLMORNINGDOJISTAR", "CDL3WHITESOLDIERS"), RISE),
    **dict.fromkeys(("CDLHANGINGMAN", "CDLSHOOTINGSTAR", "CDLDARKCLOUDCOVER"), FALL),
    **dict.fromkeys(("CDLEVENINGSTAR", "CDLEVENINGDOJISTAR", "CDL3BLACKCROWS"), FALL),
}
"""What each pattern can be where it is there."""

EARLIER = {"CDLHAMMER", "CDLHANGINGMAN", "CDLINVERTEDHAMMER", "CDLSHOOTINGSTAR"}
EARLIER |= {"CDLENGULFING", "CDL3OUTSIDE", "CDL3BLACKCROWS"}
"""TA-Lib leaves out the first bar that has all it looks at."""

OTHERS: dict[str, tuple[fl.Factor, str, float]] = {
    "a light cloud": (candles.cdldarkcloudcover(penetration=0.25), "CDLDARKCLOUDCOVER", 0.25),
    "a high morning": (candles.cdlmorningstar(penetration=0.75), "CDLMORNINGSTAR", 0.75),
    "an evening at the edge": (candles.cdleveningstar(penetration=0.0), "CDLEVENINGSTAR", 0.0),
    "a high morning doji": (candles.cdlmorningdojistar(penetration=0.5), "CDLMORNINGDOJISTAR", 0.5),
    "a deep evening doji": (candles.cdleveningdojistar(penetration=1.0), "CDLEVENINGDOJISTAR", 1.0),
}


def simulate(symbols: int, bars: int) -> pl.DataFrame:
    """Bars in ticks of a quarter, of which all sums are exact: runs of one colour, gaps, few sizes and many ties."""
    rng = np.random.default_rng(5)
    shape = (symbols, bars)
    turns = np.where(rng.random(shape) < 0.3, -1, 1)
    colour = np.cumprod(turns, axis=1)
    move = colour * rng.choice([0, 1, 2, 4, 8, 10, 16], shape)
    gap = colour * rng.choice([-6, -2, -1, -1, 0, 2, 8, 18], shape)
    close = 20_000 + np.cumsum(gap + move, axis=1)
    opened = close - move
    top = np.maximum(opened, close) + rng.choice([0, 0, 0, 1, 3, 10], shape)
    bottom = np.minimum(opened, close) - rng.choice([0, 0, 0, 1, 3, 10], shape)
    columns = {name: x.ravel() / 4 for name, x in zip(PRICES, (opened, top, bottom, close), strict=True)}
    dates = pl.date_range(pl.date(2000, 1, 1), pl.date(2040, 1, 1), eager=True).head(bars)
    symbol = pl.Series([f"S{number:03}" for number in range(symbols)])
    keys = pl.DataFrame({"symbol": symbol}).join(pl.DataFrame({"date": dates}), how="cross")
    return keys.with_columns(pl.Series(name, x) for name, x in columns.items())


@pytest.fixture(scope="module", params=["ticks", "spx", "nifty"])
def panel(request: pytest.FixtureRequest) -> fl.Panel:
    ticks = request.param == "ticks"
    return fl.Panel.from_frame(simulate(500, 400) if ticks else request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def values(panel: fl.Panel) -> pl.DataFrame:
    return panel.compute(FACTORS)


def by_talib(talib: Any, panel: fl.Panel, name: str, **parameters: float) -> Array:
    """A pattern of TA-Lib, symbol by symbol; missing before its first value, where TA-Lib writes 0."""
    parts = []
    for bars in panel.frame.partition_by("symbol", maintain_order=True):
        function = talib.Function(name)
        part = function({price: bars[price].to_numpy() for price in PRICES}, **parameters).astype(np.float64)
        part[: function.lookback] = np.nan
        parts.append(part)
    return np.concatenate(parts)


def assert_equal(found: Array, expected: Array) -> None:
    there = ~np.isnan(expected)
    np.testing.assert_array_equal(found[there], expected[there])


@pytest.mark.parametrize("name", FACTORS)
def test_as_talib(talib: Any, panel: fl.Panel, values: pl.DataFrame, name: str) -> None:
    """Equal on every bar, real ones too: no comparison there is so close that the order of a sum decides it."""
    assert_equal(to_array(values[name]), by_talib(talib, panel, name))
    assert FACTORS[name].lookback == talib.Function(name).lookback - (name in EARLIER)


@pytest.mark.parametrize("case", OTHERS)
def test_as_talib_with_another_penetration(talib: Any, panel: fl.Panel, case: str) -> None:
    factor, name, penetration = OTHERS[case]
    found, expected = (
        to_array(panel.compute(value=factor)["value"]),
        by_talib(talib, panel, name, penetration=penetration),
    )
    assert_equal(found, expected)
    assert (expected != by_talib(talib, panel, name)).any()


@pytest.fixture(scope="module")
def made() -> pl.DataFrame:
    return fl.Panel.from_frame(simulate(500, 400)).compute(FACTORS)


@pytest.mark.parametrize("name", FACTORS)
def test_every_pattern_occurs_with_all_its_values(made: pl.DataFrame, name: str) -> None:
    counts = dict(made[name].drop_nulls().value_counts().iter_rows())
    assert set(counts) == {0, *VALUES[name]}
    assert min(counts.values()) >= 5
    assert not np.signbit(to_array(made[name].filter(made[name] == 0))).any(), "a negative zero"


@pytest.mark.parametrize("name", FACTORS)
def test_missing_until_all_that_it_looks_at_is_there(name: str) -> None:
    found = fl.Panel.from_frame(simulate(1, 40)).compute(value=FACTORS[name])["value"]
    assert found.is_null().to_list() == [bar < FACTORS[name].lookback for bar in range(40)]


HALT = 100


@pytest.mark.parametrize("name", FACTORS)
def test_a_missing_bar_is_missed_while_it_is_looked_at(name: str) -> None:
    """The bar itself, and those that have it before them or in an average; no bar after them."""
    bars, factor = simulate(1, 200), FACTORS[name]
    blank = bars.with_columns(pl.when(pl.int_range(pl.len()) != HALT).then(pl.col(PRICES)))
    whole, found = (fl.Panel.from_frame(each).compute(value=factor)["value"] for each in (bars, blank))
    looked_at = pl.int_range(200, eager=True).is_between(HALT, HALT + factor.lookback)
    assert found.equals(whole.zip_with(~looked_at, pl.Series([None] * 200, dtype=pl.Float64)))


WITHOUT_AVERAGES = {"CDLENGULFING", "CDL3OUTSIDE"}


@pytest.mark.parametrize("name", FACTORS)
def test_talib_writes_zero_where_ours_is_missing(talib: Any, name: str) -> None:
    """In the warm-up; and for ever after a missing price, where an average of earlier bars is read."""
    bars, function = simulate(1, 4000), talib.Function(name)
    blank = bars.with_columns(pl.when(pl.int_range(pl.len()) != HALT).then(pl.col(PRICES)))
    whole, found = (function({price: each[price].to_numpy() for price in PRICES}) for each in (bars, blank))
    assert not found[: function.lookback].any()
    after = slice(HALT + FACTORS[name].lookback + 1, None)
    assert whole[after].any()
    assert found[after].any() == (name in WITHOUT_AVERAGES)


@pytest.mark.parametrize("name", FACTORS)
def test_every_price_can_be_another_column(name: str) -> None:
    module = candle if hasattr(candle, name.lower()) else candles
    factor = getattr(module, name.lower())(*(fl.col(f"{price}_adjusted") for price in PRICES))
    assert {str(node) for node in factor.walk() if node.operator.name == "col"} <= {f"{p}_adjusted" for p in PRICES}


@pytest.mark.parametrize("name", ENTRIES)
def test_everything_is_told_and_can_be_written(name: str) -> None:
    entry = ENTRIES[name]
    assert entry.meaning and entry.source.startswith(f"TA-Lib, {name}")
    assert entry.factor.lookahead == 0 and not entry.factor.unbounded
    assert parse(str(entry.factor)) is entry.factor


# Worked out by hand.

PLAIN = [(10.0, 13.0, 9.0, 12.0)] * 10
"""White bars of which the body is 2 long, the shadows 1 each, and the whole 4."""


def after_plain(factor: fl.Factor, *bars: tuple[float, float, float, float]) -> list[float | None]:
    """The value on some bars that come after ten plain ones."""
    dates = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 12, 31), eager=True).head(10 + len(bars))
    rows = pl.DataFrame([*PLAIN, *bars], schema=list(PRICES), orient="row").with_columns(
        dates.alias("date"), symbol=pl.lit("A")
    )
    return fl.Panel.from_frame(rows).compute(value=factor)["value"].to_list()[10:]


def test_a_doji_has_at_most_a_tenth_of_the_mean_range_as_its_body() -> None:
    doji = candle.cdldoji()
    assert after_plain(doji, (10, 11, 9, 10)) == [100]
    assert after_plain(doji, (10, 11, 9, 10.375)) == [100]
    assert after_plain(doji, (10, 11, 9, 10.5)) == [0]
    # the first bar widens the mean of the ten before the second from 4 to 5
    assert after_plain(doji, (12, 18, 4, 13), (10, 11, 9, 10.5)) == [0, 100]


def test_an_engulfing_body_reaches_further_on_both_sides_or_shares_one_end() -> None:
    engulfing = candles.cdlengulfing()
    black = (12.0, 13.0, 9.0, 10.0)
    assert after_plain(engulfing, black, (9.5, 14, 9, 13)) == [0, 100]
    assert after_plain(engulfing, black, (10, 14, 9, 13)) == [0, 80]
    assert after_plain(engulfing, black, (10, 14, 9, 12)) == [0, 0]
    assert after_plain(engulfing, black, (13, 14, 9, 9.5)) == [0, 0]
    assert after_plain(engulfing, (13, 14, 9, 9.5)) == [-100]


def test_a_morning_star_comes_back_into_the_first_body() -> None:
    star = candles.cdlmorningstar()
    black, below = (20.0, 20.0, 10.0, 10.0), (9.0, 9.5, 8.0, 8.5)
    assert after_plain(star, black, below, (9, 14, 9, 13.5)) == [None, None, 100]
    assert after_plain(star, black, below, (9, 14, 9, 13)) == [None, None, 0]
    assert after_plain(star, black, (10.5, 11, 8, 8.5), (9, 14, 9, 13.5)) == [None, None, 0]
    assert after_plain(candles.cdlmorningstar(penetration=0.25), black, below, (9, 14, 9, 13)) == [None, None, 100]


def test_a_hammer_hangs_near_the_last_low() -> None:
    """Near is a fifth of the mean range of five bars, 0.8, from the low of 9."""
    assert after_plain(candles.cdlhammer(), (9.75, 10, 7, 10)) == [100]
    assert after_plain(candles.cdlhammer(), (10, 10.25, 7, 10.25)) == [0]
    assert after_plain(candles.cdlhangingman(), (12.25, 12.5, 9, 12.5)) == [-100]
    assert after_plain(candles.cdlhangingman(), (12, 12.25, 9, 12.25)) == [0]
