"""The Guotai Junan factors: against the report written out in plain NumPy, and what was repaired in it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pytest

import factorloom as fl
from factorloom.bench.workload import Workload, make_bars
from factorloom.expressions.library.gtja191 import NOTES, gtja191
from factorloom.expressions.parse import parse
from tests.library.plain_gtja191 import GTJA191, Bars
from tests.library.rounding import assert_the_same_but_for_rounding
from tests.oracle import to_array

Array = npt.NDArray[np.float64]

LIBRARY = gtja191()
BARS = 400


@pytest.fixture(scope="module")
def panel() -> fl.Panel:
    """One symbol, nothing missing, and prices in whole units that often repeat."""
    rng = np.random.default_rng(191)
    close = 60 + np.cumsum(rng.integers(-2, 3, BARS))
    bench = 1000 * np.exp(np.cumsum(0.01 * rng.standard_normal(BARS)))
    columns = {
        "open": close + rng.integers(-1, 2, BARS),
        "high": close + rng.integers(1, 4, BARS),
        "low": close - rng.integers(1, 4, BARS),
        "close": close,
        "volume": rng.integers(100, 200, BARS),
        "benchmark_close": bench,
        "benchmark_open": bench * np.exp(0.003 * rng.standard_normal(BARS)),
        **{name: 0.01 * rng.standard_normal(BARS) for name in ("mkt", "smb", "hml")},
    }
    columns["vwap"] = (columns["high"] + columns["low"]) / 2
    columns["amount"] = columns["vwap"] * columns["volume"]
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 1) + pl.duration(days=BARS - 1), eager=True)
    return fl.Panel.from_frame(pl.DataFrame({"symbol": ["A"] * BARS, "date": days, **columns}))


def values(panel: fl.Panel, *names: str) -> list[Array]:
    table = panel.compute(LIBRARY.select(*names))
    return [table[name].fill_null(np.nan).to_numpy() for name in names]


def column(panel: fl.Panel, name: str) -> Array:
    return panel.frame[name].cast(pl.Float64).to_numpy()


def close_to(values: Array, expected: Array) -> None:
    assert np.isfinite(expected).any()
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-9 * float(np.nanmax(np.abs(expected))))


# --- what holds for all -------------------------------------------------------------------------------------


def test_all_191_are_there_in_order() -> None:
    assert list(LIBRARY) == [f"gtja{number:03}" for number in range(1, 192)]
    assert len(set(LIBRARY.values())) == 191
    assert {name for name, entry in LIBRARY.entries.items() if entry.note} == set(NOTES)


def test_no_formula_looks_ahead_and_every_text_parses_back() -> None:
    for name, factor in LIBRARY.items():
        assert factor.lookahead == 0, name
        assert parse(str(factor)) is factor, name


# --- against the report in plain NumPy ----------------------------------------------------------------------


def ragged() -> pl.DataFrame:
    """A simulated market with more dirt: prints that are missing, bars without trade, prices that often repeat."""
    rng = np.random.default_rng(11)
    bars = make_bars(Workload(symbols=25, bars=420))
    coarse = pl.col("symbol").rank("dense") % 3 == 0

    def spoilt(name: str) -> pl.Expr:
        price = pl.when(coarse).then(pl.col(name).round()).otherwise(name)
        return pl.when(pl.Series(rng.random(bars.height) < 5e-4)).then(None).otherwise(price).alias(name)

    idle = pl.Series(rng.random(bars.height) < 2e-3)
    traded = (pl.when(idle).then(0.0).otherwise(name).alias(name) for name in ("volume", "amount"))
    return bars.with_columns(*map(spoilt, ("open", "high", "low", "close", "vwap")), *traded)


def check(bars: pl.DataFrame) -> None:
    """All factors have the values that the formulas of the report have."""
    panel = fl.Panel.from_frame(bars)
    values, frame = panel.compute(LIBRARY), panel.frame.with_columns(pl.col("symbol", "date").rank("dense")).to_pandas()
    exact = Bars(frame)
    for name, formula in GTJA191.items():
        expected = formula(exact).values
        assert np.isfinite(expected).any(), name
        assert_the_same_but_for_rounding(
            to_array(values[name]), expected, lambda noise, it=formula: it(Bars(frame, noise)).values, name
        )


def test_simulated_bars() -> None:
    check(ragged())


def test_real_bars(sp500: pl.DataFrame) -> None:
    symbols, first = sp500["symbol"].unique().sort()[::4], sp500["date"].unique().sort()[-330]
    check(sp500.filter(pl.col("symbol").is_in(symbols.implode()), pl.col("date") >= first))


# --- operators that no other library has --------------------------------------------------------------------


def test_sma_starts_at_the_first_value_and_shows_after_n(panel: fl.Panel) -> None:
    volume, (smoothed,) = column(panel, "volume"), values(panel, "gtja081")
    expected, average = np.full(BARS, np.nan), volume[0]
    for i in range(1, BARS):
        average = (2 * volume[i] + (21 - 2) * average) / 21
        expected[i] = average if i >= 20 else np.nan
    close_to(smoothed, expected)


def test_wma_weighs_a_bar_nine_tenths_of_the_next(panel: fl.Panel) -> None:
    close, weights = column(panel, "close"), 0.9 ** np.arange(12)[::-1]
    moved = 100 * (close[6:] / close[3:-3] + close[6:] / close[:-6] - 2)
    close_to(values(panel, "gtja027")[0][-1:], np.array([weights @ moved[-12:] / weights.sum()]))


def test_highday_and_lowday_count_back_to_the_oldest_extreme(panel: fl.Panel) -> None:
    high, low = column(panel, "high"), column(panel, "low")
    top, bottom, both = values(panel, "gtja177", "gtja103", "gtja133")
    tied = 0
    for i in range(19, BARS):
        highs, lows = high[i - 19 : i + 1], low[i - 19 : i + 1]
        assert top[i] == pytest.approx((highs.argmax() + 1) / 20 * 100)
        assert bottom[i] == pytest.approx((lows.argmin() + 1) / 20 * 100)
        tied += (highs == highs.max()).sum() > 1
    assert tied > 20
    close_to(both, top - bottom)


def test_the_residual_of_030_is_that_of_the_newest_bar(panel: fl.Panel) -> None:
    close = pd.Series(column(panel, "close"))
    returns, squared = close.pct_change().to_numpy(), []
    exposures = np.column_stack([np.ones(BARS), *(column(panel, name) for name in ("mkt", "smb", "hml"))])
    for last in range(BARS - 20, BARS):
        window = slice(last - 59, last + 1)
        slopes = np.linalg.lstsq(exposures[window], returns[window], rcond=None)[0]
        squared.append((returns[last] - exposures[last] @ slopes) ** 2)
    weights = 0.9 ** np.arange(20)[::-1]
    close_to(values(panel, "gtja030")[0][-1:], np.array([weights @ np.array(squared) / weights.sum()]))


def test_the_regression_of_149_takes_the_bars_on_which_the_benchmark_fell(panel: fl.Panel) -> None:
    close, bench = pd.Series(column(panel, "close")), pd.Series(column(panel, "benchmark_close"))
    moves = pd.DataFrame({"x": bench.pct_change(), "y": close.pct_change()}).tail(252)
    fallen = moves[moves["x"] < 0]
    assert 100 < len(fallen) < 152
    close_to(values(panel, "gtja149")[0][-1:], np.polyfit(fallen["x"], fallen["y"], 1)[:1])


def test_self_of_143_is_the_value_before(panel: fl.Panel) -> None:
    close, (product,) = column(panel, "close"), values(panel, "gtja143")
    value = 1.0
    for i in range(1, BARS):
        value *= close[i] / close[i - 1] - 1 if close[i] > close[i - 1] else 1
        assert product[i] == pytest.approx(value, rel=1e-9, abs=1e-300)
    assert np.isnan(product[0])


# --- repairs ------------------------------------------------------------------------------------------------


def test_028_is_three_k_less_two_d(panel: fl.Panel) -> None:
    j, k, d = values(panel, "gtja028", "gtja057", "gtja096")
    close_to(j, 3 * k - 2 * d)


def test_050_is_the_share_of_rises_less_that_of_falls(panel: fl.Panel) -> None:
    difference, falls, rises = values(panel, "gtja050", "gtja049", "gtja051")
    close_to(difference, rises - falls)
    close_to(falls + rises, np.where(np.isnan(falls), np.nan, 1.0))


def test_052_compares_with_the_low(panel: fl.Panel) -> None:
    high, low, close = (pd.Series(column(panel, name)) for name in ("high", "low", "close"))
    before = ((high + low + close) / 3).shift()
    up, down = ((x.clip(lower=0)).rolling(26).sum() for x in (high - before, before - low))
    close_to(values(panel, "gtja052")[0], (up / down * 100).to_numpy())


def test_078_is_the_commodity_channel_index_with_the_deviation_of_the_close(panel: fl.Panel) -> None:
    high, low, close = (pd.Series(column(panel, name)) for name in ("high", "low", "close"))
    typical = (high + low + close) / 3
    mean = typical.rolling(12).mean()
    expected = (typical - mean) / (0.015 * (close - mean).abs().rolling(12).mean())
    close_to(values(panel, "gtja078")[0], expected.to_numpy())


def test_127_is_the_ulcer_index_of_12_bars(panel: fl.Panel) -> None:
    close = pd.Series(column(panel, "close"))
    fall = 100 * (close / close.rolling(12).max() - 1)
    close_to(values(panel, "gtja127")[0], ((fall**2).rolling(12).mean() ** 0.5).to_numpy())


def test_146_divides_by_an_average_of_squared_averages(panel: fl.Panel) -> None:
    returns = pd.Series(column(panel, "close")).pct_change()
    smooth = returns.ewm(alpha=2 / 61, adjust=False, min_periods=61).mean()
    square = (smooth**2).ewm(alpha=1 / 60, adjust=False, min_periods=60).mean()
    expected = (returns - smooth).rolling(20).mean() * (returns - smooth) / square
    close_to(values(panel, "gtja146")[0], expected.to_numpy())


def test_158_is_the_range_over_the_close_after_the_warm_up(panel: fl.Panel) -> None:
    high, low, close = (column(panel, name) for name in ("high", "low", "close"))
    close_to(values(panel, "gtja158")[0], np.where(np.arange(BARS) < 14, np.nan, (high - low) / close))


@pytest.mark.parametrize(("name", "window"), [("gtja165", 48), ("gtja183", 24)])
def test_rescaled_range(panel: fl.Panel, name: str, window: int) -> None:
    close = pd.Series(column(panel, "close"))

    def rescaled(x: Array) -> float:
        return float(np.ptp(np.cumsum(x - x.mean())) / x.std(ddof=1))

    close_to(values(panel, name)[0], close.rolling(window).apply(rescaled, raw=True).to_numpy())


def test_166_is_the_skewness_of_returns_with_a_minus(panel: fl.Panel) -> None:
    returns = pd.Series(column(panel, "close")).pct_change()
    close_to(values(panel, "gtja166")[0], -returns.rolling(20).skew().to_numpy())


def test_186_is_the_mean_of_two_172(panel: fl.Panel) -> None:
    adxr, adx = values(panel, "gtja186", "gtja172")
    close_to(adxr, (adx + np.concatenate([np.full(6, np.nan), adx[:-6]])) / 2)


def test_190_squares_both_distances_from_the_mean_growth(panel: fl.Panel) -> None:
    close = pd.Series(column(panel, "close"))
    apart = close.pct_change() - ((close / close.shift(19)) ** (1 / 20) - 1)
    last = apart.tail(20)
    above, below = last[last > 0], last[last < 0]
    expected = np.log((len(above) - 1) * (below**2).sum() / (len(below) * (above**2).sum()))
    close_to(values(panel, "gtja190")[0][-1:], np.array([expected]))
