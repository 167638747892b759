"""Averages, bands, stops, prices and statistics: beside TA-Lib on real and simulated bars, and worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import factorloom as fl
from factorloom.expressions.library.ta import band, overlap, price, statistic, volatility
from factorloom.expressions.library.ta.registry import entries
from factorloom.expressions.parse import parse
from tests.oracle import assert_same, to_array

Array = npt.NDArray[np.float64]

FAMILIES = ("overlap", "band", "price", "statistic")
ENTRIES = {name: entry for name, entry in entries().items() if entry.family in FAMILIES}
FACTORS = {name: entry.factor for name, entry in ENTRIES.items()}
COLUMNS = ("open", "high", "low", "close", "volume")
BANDS = ("UPPER", "MIDDLE", "LOWER")

SINGLE = (
    *(
        "SMA",
        "EMA",
        "RMA",
        "WMA",
        "VWMA",
        "TRIMA",
        "DEMA",
        "TEMA",
        "T3",
        "ZLEMA",
        "HMA",
        "KAMA",
        "MIDPOINT",
        "MIDPRICE",
    ),
    *("SAR", "AVGPRICE", "MEDPRICE", "TYPPRICE", "WCLPRICE", "AVGDEV", "BETA", "CORREL", "LINEARREG"),
    *("LINEARREG_ANGLE", "LINEARREG_INTERCEPT", "LINEARREG_SLOPE", "PERCENTILE", "PERCENTRANK", "STDDEV", "TSF", "VAR"),
)
OUTPUTS = {
    **{name: (name,) for name in SINGLE},
    **{name: tuple(f"{name}_{part}" for part in BANDS) for name in ("ACCBANDS", "BBANDS", "DONCHIAN", "KC")},
    "HA": ("HA_OPEN", "HA_HIGH", "HA_LOW", "HA_CLOSE"),
    "SUPERTREND": ("SUPERTREND", "SUPERTREND_DIRECTION"),
}
"""Our names of the outputs of each function of TA-Lib."""

WARM_UP = {"KC_UPPER": 250, "KC_LOWER": 250}
"""Bars after the first value until both agree: TA-Lib starts the range of this channel from the bars just before the
first value of the average, and not, as its ATR does by itself, from the first bars."""

OTHERS: dict[str, tuple[fl.Factor, str, dict[str, float]]] = {
    "an odd window": (overlap.trima(window=7), "TRIMA", {"timeperiod": 7}),
    "a short KAMA": (overlap.kama(window=10), "KAMA", {"timeperiod": 10}),
    "half of an odd window": (overlap.hma(window=9), "HMA", {"timeperiod": 9}),
    "the lag of an even window": (overlap.zlema(window=14), "ZLEMA", {"timeperiod": 14}),
    "no lag": (overlap.zlema(window=2), "ZLEMA", {"timeperiod": 2}),
    "a milder T3": (overlap.t3(window=8, factor=0.4), "T3", {"timeperiod": 8, "vfactor": 0.4}),
    "an impatient SAR": (band.sar(acceleration=0.05, maximum=0.12), "SAR", {"acceleration": 0.05, "maximum": 0.12}),
    "a SAR that starts too fast": (band.sar(acceleration=0.3), "SAR", {"acceleration": 0.3, "maximum": 0.2}),
    "a tight SuperTrend": (band.supertrend(deviations=0.5)[0], "SUPERTREND", {"multiplier": 0.5}),
    "a low percentile": (statistic.percentile(percent=10), "PERCENTILE", {"percentile": 10.0}),
    "the smallest": (statistic.percentile(percent=0), "PERCENTILE", {"percentile": 0.0}),
    "two deviations": (statistic.stddev(window=9, deviations=2.0), "STDDEV", {"timeperiod": 9, "nbdev": 2.0}),
    "a longer line": (statistic.tsf(window=40), "TSF", {"timeperiod": 40}),
    "a short percent rank": (statistic.percentrank(window=3), "PERCENTRANK", {"timeperiod": 3}),
}


def simulate(symbols: int, bars: int, tick: float = 0.0) -> pl.DataFrame:
    """Random walks; with a tick prices are rounded to it, so that values tie."""
    rng = np.random.default_rng(11)
    parts = []
    for number in range(symbols):
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, bars)))
        opened = close * np.exp(rng.normal(0, 0.01, bars))
        top = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.01, bars)))
        bottom = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.01, bars)))
        columns = dict(zip(COLUMNS, (opened, top, bottom, close, np.exp(rng.normal(10, 1, bars))), strict=True))
        columns = {k: np.round(x / tick) * tick if tick and k != "volume" else x for k, x in columns.items()}
        dates = pl.date_range(pl.date(2000, 1, 1), pl.date(2040, 1, 1), eager=True).head(bars)
        parts.append(pl.DataFrame({"symbol": f"S{number}", "date": dates, **columns}))
    return pl.concat(parts)


@pytest.fixture(scope="module", params=["walk", "ticks", "spx", "nifty"])
def panel(request: pytest.FixtureRequest) -> fl.Panel:
    if request.param in ("walk", "ticks"):
        return fl.Panel.from_frame(simulate(3, 1000, tick=0.5 if request.param == "ticks" else 0.0))
    return fl.Panel.from_frame(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def values(panel: fl.Panel) -> pl.DataFrame:
    return panel.compute(FACTORS)


def by_talib(talib: Any, panel: fl.Panel, name: str, **parameters: float) -> list[Array]:
    """The outputs of a function of TA-Lib, symbol by symbol."""
    parts = []
    for bars in panel.frame.partition_by("symbol", maintain_order=True):
        outputs = talib.Function(name)({column: bars[column].to_numpy() for column in COLUMNS}, **parameters)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        parts.append(
            [np.where(np.isnan(outputs[0]), np.nan, output) for output in outputs]
        )  # whole numbers have no NaN
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


@pytest.mark.parametrize("name", OUTPUTS)
def test_as_talib(talib: Any, panel: fl.Panel, values: pl.DataFrame, name: str) -> None:
    for output, expected in zip(OUTPUTS[name], by_talib(talib, panel, name), strict=True):
        found = to_array(values[output])
        assert (np.isnan(found) == np.isnan(expected)).all(), output
        bar = panel.frame.select(pl.int_range(pl.len()).over("symbol")).to_series().to_numpy()
        warm = bar >= FACTORS[output].lookback + WARM_UP.get(output, 0)
        assert_same(found[warm], expected[warm], output)


@pytest.mark.parametrize("case", OTHERS)
def test_as_talib_with_other_parameters(talib: Any, panel: fl.Panel, case: str) -> None:
    factor, name, parameters = OTHERS[case]
    expected = by_talib(talib, panel, name, **parameters)[0]
    assert_same(to_array(panel.compute(value=factor)["value"]), expected, case)


def test_all_of_talib_is_there() -> None:
    """What is not compared with TA-Lib is what TA-Lib lacks."""
    assert set(FACTORS) - {output for outputs in OUTPUTS.values() for output in outputs} == {
        *("ALMA", "ALLIGATOR_JAW", "ALLIGATOR_TEETH", "ALLIGATOR_LIPS", "ATR_STOP", "ATR_STOP_DIRECTION"),
        *("CHANDELIER_LONG", "CHANDELIER_SHORT", "ENVELOPE_LOWER", "ENVELOPE_MIDDLE", "ENVELOPE_UPPER"),
        *("ICHIMOKU_KIJUN", "ICHIMOKU_SENKOU_A", "ICHIMOKU_SENKOU_B", "ICHIMOKU_TENKAN", "MCGINLEY"),
        *("STARC_LOWER", "STARC_MIDDLE", "STARC_UPPER", "VOLATILITY_STOP"),
    }


LATER = {"VOLATILITY_STOP"}
"""Missing longer than the lookback: until the first trend, a guess, has ended."""
EARLIER = {"HA_OPEN", "HA_HIGH", "HA_LOW"}
"""There on the first bar, which has no last bar to look back to."""


@pytest.mark.parametrize("name", FACTORS)
def test_the_first_value_comes_when_the_lookback_is_filled(name: str) -> None:
    bars = simulate(1, 400)
    missing = np.isnan(to_array(fl.Panel.from_frame(bars).compute(value=FACTORS[name])["value"]))
    lookback = 0 if name in EARLIER else FACTORS[name].lookback
    first = int(missing.argmin())
    assert first >= lookback if name in LATER else first == lookback
    assert missing[:first].all() and not missing[first:].any()


@pytest.mark.parametrize("name", FACTORS)
def test_five_bars_are_too_few_or_just_enough(name: str) -> None:
    found = to_array(fl.Panel.from_frame(simulate(1, 5)).compute(value=FACTORS[name])["value"])
    lookback = 0 if name in EARLIER else FACTORS[name].lookback
    if name not in LATER:
        assert np.isnan(found).tolist() == [bar < lookback for bar in range(5)]


HALT, BARS = 400, 1000
TWICE = {"KC_UPPER", "KC_LOWER", "STARC_UPPER", "STARC_LOWER", "CHANDELIER_LONG", "CHANDELIER_SHORT", "ZLEMA"}
"""They average what is missing on two bars, the halt and where the bar of the halt is the earlier one of two: the true
range has no last close there. What is left of that fades."""
STOPS = {"SUPERTREND", "SUPERTREND_DIRECTION", "ATR_STOP", "ATR_STOP_DIRECTION", "VOLATILITY_STOP"}
"""Stops that such a small difference may turn a bar earlier or later."""


@pytest.mark.parametrize("name", FACTORS)
def test_a_missing_bar_heals(name: str) -> None:
    """What remembers all of the past goes on as if that bar had not been; the others as if it had been there."""
    factor, bars = FACTORS[name], simulate(1, BARS)
    blank = pl.when(pl.int_range(pl.len()) != HALT).then(pl.col(COLUMNS))
    found, whole, without = (
        to_array(fl.Panel.from_frame(each).compute(value=factor)["value"])
        for each in (bars.with_columns(blank), bars, bars.filter(pl.int_range(pl.len()) != HALT))
    )
    if not factor.unbounded:
        assert_same(found[HALT + factor.lookback + 1 :], whole[HALT + factor.lookback + 1 :], name)
        assert np.isnan(found[HALT : HALT + factor.lookback + 1]).any()
    elif name in STOPS:
        assert not np.isnan(found[-100:]).any()
    else:
        after = HALT + 400 if name in TWICE else HALT + 1 + 60
        assert_same(found[after:], without[after - 1 :], name)


def test_averages_of_averages_skip_a_missing_bar_at_once() -> None:
    bars = simulate(1, 300)
    names = ["DEMA", "TEMA", "T3", "KAMA", "MCGINLEY", "SAR", "HA_OPEN", "HA_HIGH", "HA_LOW", "HA_CLOSE"]
    factors = {name: FACTORS[name] for name in names}
    blank = pl.when(pl.int_range(pl.len()) != 200).then(pl.col(COLUMNS))
    found = fl.Panel.from_frame(bars.with_columns(blank)).compute(factors)
    without = fl.Panel.from_frame(bars.filter(pl.int_range(pl.len()) != 200)).compute(factors)
    for name in names:
        assert found[name][200] is None
        assert_same(to_array(found[name])[201:], to_array(without[name])[200:], name)


@pytest.mark.parametrize("name", ENTRIES)
def test_everything_is_told_and_can_be_written(name: str) -> None:
    entry = ENTRIES[name]
    assert entry.meaning and entry.source
    assert entry.factor.lookahead == 0
    assert parse(str(entry.factor)) is entry.factor


# What TA-Lib lacks, worked out by hand.


def on(factor: fl.Factor, **columns: list[float | None]) -> list[float | None]:
    size = len(next(iter(columns.values())))
    dates = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 12, 31), eager=True).head(size)
    bars = pl.DataFrame({"symbol": "A", "date": dates, **columns}, schema_overrides=dict.fromkeys(columns, pl.Float64))
    return fl.Panel.from_frame(bars).compute(value=factor)["value"].to_list()


def near(expected: list[float | None]) -> list[Any]:
    return [None if value is None else pytest.approx(value, rel=1e-12) for value in expected]


def test_alma_is_a_bell_of_weights() -> None:
    """Three bars, offset 1 and width 1: the newest weighs 1, the one before exp(-1/2), the oldest exp(-2)."""
    weights = [math.exp(-2), math.exp(-0.5), 1.0]
    expected = (1 * weights[0] + 5 * weights[1] + 6 * weights[2]) / sum(weights)
    assert on(overlap.alma(window=3, offset=1.0, sigma=3.0), close=[1, 5, 6]) == near([None, None, expected])


def test_mcginley_follows_faster_downwards() -> None:
    factor = overlap.mcginley(window=10)
    assert on(factor, close=[100, 110])[1] == pytest.approx(100 + 10 / (6 * 1.1**4))
    assert on(factor, close=[100, 90])[1] == pytest.approx(100 - 10 / (6 * 0.9**4))
    assert on(factor, close=[100, 10, 10]) == near([None, 10, 10])
    assert on(factor, close=[100, -1, 110]) == near([None, None, 100 + 10 / (6 * 1.1**4)])


def test_the_alligator_is_drawn_later() -> None:
    lips = overlap.alligator(fl.close, lips=2)[2]
    assert on(lips, close=[1, 3, 8, 0, 0, 0]) == near([None] * 4 + [2, 5])


def test_the_cloud_is_that_of_earlier_bars() -> None:
    high, low = [2.0, 4, 9, 9, 9], [0.0, 2, 5, 5, 5]
    tenkan, kijun, a, b = band.ichimoku(tenkan=1, kijun=2, senkou=3)
    assert on(tenkan, high=high, low=low) == near([1, 3, 7, 7, 7])
    assert on(kijun, high=high, low=low) == near([None, 2, 5.5, 7, 7])
    assert on(a, high=high, low=low) == near([None, None, None, (3 + 2) / 2, (7 + 5.5) / 2])
    assert on(b, high=high, low=low) == near([None, None, None, None, (9 + 0) / 2])


def test_an_envelope_is_a_share_of_the_mean() -> None:
    upper, middle, lower = band.envelope(window=2, percent=10)
    close = [10.0, 30.0]
    assert [on(each, close=close)[1] for each in (upper, middle, lower)] == near([22, 20, 18])


FLAT = {"high": [11.0, 11, 11, 12], "low": [9.0, 9, 9, 10], "close": [10.0, 10, 10, 11]}
"""Bars with a true range of 2."""


def test_average_ranges_around_a_mean() -> None:
    upper, middle, lower = band.starc(window=2, atr_window=2)
    assert on(upper, **FLAT) == near([None, None, 14, 14.5])
    assert on(middle, **FLAT) == near([None, 10, 10, 10.5])
    assert on(lower, **FLAT) == near([None, None, 6, 6.5])


def test_chandeliers_hang_from_the_extremes() -> None:
    long, short = band.chandelier(window=2, deviations=1.5)
    assert on(long, **FLAT) == near([None, None, 11 - 3, 12 - 3])
    assert on(short, **FLAT) == near([None, None, 9 + 3, 9 + 3])


def test_a_trailing_stop_only_closes_in_until_it_is_crossed() -> None:
    prices = {"upper": [12.0, 14, 13, 9, 8], "lower": [8.0, 10, 9, 5, 4], "close": [10.0, 12, 11, 7, 6]}
    bands = (fl.col("upper"), fl.col("lower"), fl.close)
    assert on(fl.ts_trailing_stop(*bands), **prices) == [8, 10, 10, 9, 8]
    assert on(fl.ts_trailing_stop(*bands, value="direction"), **prices) == [1, 1, 1, -1, -1]


def test_the_stop_of_true_ranges_hangs_from_the_close() -> None:
    stop, direction = band.atr_stop(window=2, deviations=1.0)
    bars = {"high": [11.0, 11, 11, 7], "low": [9.0, 9, 9, 5], "close": [10.0, 10, 10, 6]}
    # the last true range is 10 - 5, the average (2 + 5) / 2, and the upper band comes down to 6 + 3.5
    assert on(stop, **bars) == near([None, None, 8, 9.5])
    assert on(direction, **bars) == [None, None, 1, -1]


def test_the_volatility_stop_shows_once_it_was_crossed() -> None:
    stop = fl.ts_volatility_stop(fl.close, fl.col("distance"))
    close, distance = [10.0, 11, 12, 9, 8, 9, 12], [None, None, 2.0, 2, 2, 3, 1]
    # rising to 12, it stands at 10 and is crossed at 9; then it falls: 9 + 2, 8 + 2, 8 + 3 and crossed at 12
    assert on(stop, close=close, distance=distance) == [None, None, None, None, 11, 10, 11]


def test_keltner_starts_its_range_earlier_than_talib(talib: Any) -> None:
    """TA-Lib's first range is the mean of the ten bars up to the first value; the difference fades."""
    panel = fl.Panel.from_frame(simulate(1, 300))
    upper, middle, _lower = by_talib(talib, panel, "KC")
    spread = fl.ts_mean(volatility.trange(), 10)
    parts = dict(zip(("upper", "middle", "lower"), band.kc(), strict=True))
    found = {
        name: to_array(panel.compute(value=factor)["value"]) for name, factor in {**parts, "spread": spread}.items()
    }
    assert_same(found["middle"], middle, "middle")
    assert (upper - middle)[19] == pytest.approx(2 * found["spread"][19], rel=1e-12)
    apart = (np.abs(found["upper"] - upper) / middle)[19:]
    assert apart[0] > 1e-4 and (apart[200:] < 1e-9).all()
    at_once = band.kc(window=11, atr_window=10)[0]
    expected = by_talib(talib, panel, "KC", timeperiod=11, atrperiod=10)[0]
    assert_same(to_array(panel.compute(value=at_once)["value"])[10:], expected[10:], "both from bar 11 on")


def test_a_share_below_counts_neither_equals_nor_itself() -> None:
    found = on(fl.ts_share_below(fl.close, 3), close=[1, 2, 2, 2, 5, None, 1, 1, 1, 2])
    assert found == near([None, None, None, 1 / 3, 1, None, None, None, None, 1])


def test_a_share_below_may_need_fewer_values() -> None:
    """Only the values before the current one count, of those that are present."""
    found = on(fl.ts_share_below(fl.close, 3, min_samples=2), close=[1, 2, 2, 2, 5, None, 1, 1, 1, 2])
    assert found == near([None, None, 1 / 2, 1 / 3, 1, None, 0, 0, 0, 1])


def test_one_missing_value_does_not_silence_a_long_share() -> None:
    close: list[float | None] = [float(value) for value in range(40)]
    close[20] = None
    assert sum(value is None for value in on(fl.ts_share_below(fl.close, 15), close=close)) == 15 + 16
    assert sum(value is None for value in on(fl.ts_share_below(fl.close, 15, min_samples=14), close=close)) == 14 + 1


def test_an_efficiency_of_nothing_is_one() -> None:
    """Where nothing changed in the window, KAMA moves at its fastest: as TA-Lib."""
    found = on(fl.ts_kama(fl.close, 2, 2, 30), close=[1, 1, 2, 2, 2])
    swift = (2 / 3) ** 2
    third = 1 + swift
    fourth = third + swift * (2 - third)
    assert found == near([None, None, third, fourth, fourth + swift * (2 - fourth)])


def test_prices_of_a_bar() -> None:
    bar: dict[str, list[float | None]] = {"open": [10.0], "high": [14.0], "low": [8.0], "close": [13.0]}
    made = (price.avgprice(), price.medprice(), price.typprice(), price.wclprice())
    assert [on(each, **bar)[0] for each in made] == near([11.25, 11, 35 / 3, 12])
