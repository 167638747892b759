"""Windows of moments, lines and weights beside the formulas of pandas and Qlib."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest

import factorloom as fl

WINDOW, BARS = 20, 120
RNG = np.random.default_rng(5)
NOISE, OTHER = RNG.normal(0, 1, BARS), RNG.normal(0, 1, BARS)
GAPS = RNG.random(BARS) < 0.3
BAR = np.arange(BARS)


def panel_of(**columns: np.ndarray) -> fl.Panel:
    size = len(next(iter(columns.values())))
    days = [date(2020, 1, 1) + timedelta(days=k) for k in range(size)]
    return fl.Panel.from_frame(pl.DataFrame({"symbol": ["A"] * size, "date": days, **columns}))


def values(text: str, engine: str = "numba", **columns: np.ndarray) -> np.ndarray:
    frame = panel_of(**columns).compute(value=fl.parse(text), engine=engine)  # type: ignore[arg-type]
    return frame["value"].fill_null(np.nan).to_numpy()


@pytest.mark.parametrize("bars", [1, 2, 5, 19, 20, 21, 40, 41, 60])
@pytest.mark.parametrize("window", [4, 5, 20, 252])
def test_moments_are_those_of_pandas_at_any_length(bars: int, window: int) -> None:
    x, y = np.where(GAPS, np.nan, NOISE)[:bars], OTHER[:bars]
    enough = min(4, window)
    rolling = pd.Series(x).rolling(window, min_periods=enough)
    expected = {
        "ts_var(x": rolling.var(),
        "ts_skew(x": rolling.skew(),
        "ts_kurt(x": rolling.kurt(),
        "ts_cov(x, y": rolling.cov(pd.Series(y)),
    }
    for call, series in expected.items():
        found = values(f"{call}, {window}, min_samples={enough})", x=x, y=y)
        np.testing.assert_allclose(found, series.to_numpy(), rtol=1e-9, atol=1e-12, err_msg=call)


def test_the_trend_gives_what_qlib_calls_slope_rsquare_and_resi() -> None:
    x = 100 + np.cumsum(NOISE)
    time = np.arange(1.0, WINDOW + 1)
    slope, rsquare, resi = [], [], []
    for i in range(WINDOW - 1, BARS):
        window = x[i - WINDOW + 1 : i + 1]
        b, a = np.polyfit(time, window, 1)
        slope.append(b)
        rsquare.append(np.corrcoef(time, window)[0, 1] ** 2)
        resi.append(window[-1] - (a + b * WINDOW))
    for value, expected in {"slope": slope, "rsquared": rsquare, "residual": resi}.items():
        found = values(f"ts_trend(x, {WINDOW}, value='{value}')", x=x)[WINDOW - 1 :]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10, err_msg=value)


def test_a_young_symbol_has_the_places_of_the_full_window() -> None:
    x = np.array([3.0, 5.0, 4.0])
    intercepts = values("ts_trend(x, 5, value='intercept', min_samples=2)", x=x)
    slope, at_first = np.polyfit([2.0, 3.0, 4.0], x, 1)
    assert np.isnan(intercepts[0])
    assert intercepts[2] == pytest.approx(at_first, abs=1e-12)
    assert values("ts_trend(x, 5, value='fitted', min_samples=2)", x=x)[2] == pytest.approx(at_first + 4 * slope)


def test_a_fit_without_error_explains_everything_and_a_constant_nothing() -> None:
    straight, constant = 3.0 * BAR + 7, np.full(BARS, 0.1)
    for engine in ("numba", "polars"):
        assert set(values("ts_trend(x, 20, value='rsquared')", engine, x=straight)[19:]) == {1.0}
        assert set(values("ts_trend(x, 20, value='residual')", engine, x=straight)[19:]) == {0.0}
        assert set(values("ts_trend(x, 20)", engine, x=constant)[19:]) == {0.0}
        assert np.isnan(values("ts_trend(x, 20, value='rsquared')", engine, x=constant)).all()
        assert np.isnan(values("ts_regression(y, x, 20)", engine, x=constant, y=NOISE)).all()
        assert set(values("ts_cov(y, x, 20)", engine, x=constant, y=NOISE)[19:]) == {0.0}


@pytest.mark.parametrize("text", ["ts_decay_linear(x, 20)", "ts_decay_exp(x, 20, decay=0.9)", "ts_mean(x, 20)"])
def test_a_weighted_mean_of_a_constant_is_that_constant(text: str) -> None:
    assert set(values(text, x=np.full(BARS, 0.1))[19:]) == {0.1}


def test_a_product_forgets_a_zero_and_keeps_its_sign() -> None:
    x = np.where(BAR % 7 == 0, -1.0, 2.0)
    x[30] = 0.0
    found = values("ts_product(x, 5)", x=x)
    assert (found[30:35] == 0).all()
    others = [*range(4, 30), *range(35, BARS)]
    assert [found[i] for i in others] == [float(np.prod(x[i - 4 : i + 1])) for i in others]


def test_a_bad_print_without_volume_weighs_nothing() -> None:
    x, volume = np.where(BAR == 50, 1e12, 100 + NOISE), np.where(BAR == 50, 0.0, 10.0)
    found = values("ts_wma(x, w, 20)", x=x, w=volume)
    clean = np.where(BAR == 50, np.nan, x)
    expected = pd.Series(clean).rolling(20, min_periods=19).mean().to_numpy()
    np.testing.assert_allclose(found[19:], expected[19:], rtol=1e-12)


def test_autocorrelation_and_scale_are_those_of_pandas() -> None:
    x = pd.Series(np.where(GAPS, np.nan, NOISE))
    lagged = x.rolling(20, min_periods=5).corr(x.shift(2))
    np.testing.assert_allclose(values("ts_autocorr(x, 20, lag=2, min_samples=5)", x=x.to_numpy())[21:], lagged[21:])
    low, high = x.rolling(20, min_periods=5).min(), x.rolling(20, min_periods=5).max()
    np.testing.assert_allclose(values("ts_scale(x, 20, min_samples=5)", x=x.to_numpy()), (x - low) / (high - low))
