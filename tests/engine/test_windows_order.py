"""Extremes, orders and paths over windows longer than the conformance test draws, beside pandas and NumPy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest

import factorloom as fl
from factorloom.expressions.errors import ParameterError, WindowError
from tests.oracle import assert_same, to_array

Array = np.ndarray
Rolling = pd.api.typing.Rolling

BARS = 150
RNG = np.random.default_rng(5)
WALK = 100 * np.exp(np.cumsum(RNG.normal(0, 0.02, BARS)))
SERIES = {
    "a walk": WALK,
    "a walk with gaps": np.where(RNG.random(BARS) < 0.2, np.nan, WALK),
    "ties with gaps": np.where(RNG.random(BARS) < 0.2, np.nan, RNG.integers(1, 5, BARS).astype(float)),
    "falling": WALK[::-1].cumsum()[::-1],
}


def panel_of(x: Array) -> fl.Panel:
    days = [date(2020, 1, 1) + timedelta(days=k) for k in range(x.size)]
    frame = pl.DataFrame({"symbol": ["A"] * x.size, "date": days, "x": pl.Series(x).fill_nan(None)})
    return fl.Panel.from_frame(frame)


def values_of(factor: fl.Factor, x: Array, engine: str = "numba") -> Array:
    return to_array(panel_of(x).compute(value=factor, engine=engine)["value"])  # type: ignore[arg-type]


def by_window(function: Callable[[Array], float]) -> Callable[[Rolling], pd.Series]:
    return lambda rolling: rolling.apply(function, raw=True)


def entropy(x: Array) -> float:
    shares = np.histogram(x[~np.isnan(x)], 10)[0] / (~np.isnan(x)).sum()
    return -sum(share * np.log(share) for share in shares if share)


def deepest_fall(x: Array) -> float:
    there = x[~np.isnan(x)]
    return min(there[i:].min() / there[i] - 1 for i in range(there.size))


ORACLES: dict[str, Callable[[Rolling], pd.Series]] = {
    "ts_max(x, {})": lambda rolling: rolling.max(),
    "ts_min(x, {})": lambda rolling: rolling.min(),
    "ts_argmax(x, {})": by_window(lambda x: x.size - 1 - np.nanargmax(x)),
    "ts_argmin(x, {})": by_window(lambda x: x.size - 1 - np.nanargmin(x)),
    "ts_argmax(x, {}, ties='newest')": by_window(lambda x: np.nanargmax(x[::-1])),
    "ts_argmin(x, {}, ties='newest')": by_window(lambda x: np.nanargmin(x[::-1])),
    "ts_argmax(x, {}, origin='start')": by_window(np.nanargmax),
    "ts_argmin(x, {}, origin='start')": by_window(np.nanargmin),
    "ts_rank(x, {})": lambda rolling: rolling.rank(pct=True),
    "ts_quantile(x, {}, q=0.3)": lambda rolling: rolling.quantile(0.3),
    "ts_quantile(x, {}, q=1)": lambda rolling: rolling.max(),
    "ts_quantile(x, {}, q=0)": lambda rolling: rolling.min(),
    "ts_median(x, {})": lambda rolling: rolling.median(),
    "ts_mad(x, {})": by_window(lambda x: np.nanmedian(np.abs(x - np.nanmedian(x)))),
    "ts_mad(x, {}, around='mean')": by_window(lambda x: np.nanmean(np.abs(x - np.nanmean(x)))),
    "ts_drawdown(x, {})": by_window(deepest_fall),
    "ts_entropy(x, {})": by_window(entropy),
}


@pytest.mark.parametrize("window", [1, 8, 9, 33, 200])
@pytest.mark.parametrize("name", SERIES)
def test_windows_of_any_length_agree_with_pandas(name: str, window: int) -> None:
    x, enough = SERIES[name], (window + 1) // 2
    rolling = pd.Series(x).rolling(window, min_periods=enough)
    factors = {text: fl.parse(text.format(window).replace(")", f", min_samples={enough})")) for text in ORACLES}
    values = panel_of(x).compute(factors)
    for text, oracle in ORACLES.items():
        assert_same(to_array(values[text]), oracle(rolling).to_numpy(), str(factors[text]))


def test_a_place_from_the_start_has_a_text_and_a_bounded_memory() -> None:
    factor = fl.ts_argmax(fl.close, 20, origin="start")
    assert fl.parse(str(factor)) is factor
    assert factor.lookback == 19
    assert not factor.unbounded


def test_a_limit_bounds_the_memory_of_a_filled_value() -> None:
    filled = fl.ts_fill_forward(fl.close, limit=3)
    assert filled is fl.ts_last(fl.close, 4)
    assert (filled.lookback, filled.unbounded) == (3, False)
    assert fl.ts_fill_forward(fl.close).unbounded
    assert fl.parse(str(fl.ts_fill_forward(fl.close))) is fl.ts_fill_forward(fl.close)
    x = np.array([1.0, np.nan, np.nan, np.nan, np.nan, 2.0])
    assert_same(values_of(fl.ts_fill_forward(fl.col("x"), limit=3), x), np.array([1.0, 1.0, 1.0, 1.0, np.nan, 2.0]))
    with pytest.raises(WindowError, match="limit must be at least 1"):
        fl.ts_fill_forward(fl.close, limit=0)


@pytest.mark.parametrize("q", [-0.1, 1.1])
def test_a_quantile_beyond_the_window_is_refused(q: float) -> None:
    with pytest.raises(ParameterError, match="q must be between 0 and 1"):
        fl.ts_quantile(fl.close, 20, q=q)


@pytest.mark.parametrize("window", [2, 20])
def test_a_weighted_deviation_is_that_of_pandas_at_any_level(window: int) -> None:
    steps = np.round(RNG.normal(0, 2**12, BARS)) / 2**12  # at 1e8 still exact
    x = np.where(RNG.random(BARS) < 0.2, np.nan, steps)
    weighted = pd.Series(x).ewm(span=window, adjust=False, ignore_na=True, min_periods=window)
    for engine in ("numba", "polars"):
        values = values_of(fl.ts_ewm_std(fl.col("x"), window), x, engine)
        assert_same(values, weighted.std().to_numpy(), engine)
        assert_same(values_of(fl.ts_ewm_std(fl.col("x"), window), 1e8 + x, engine), values, engine)


@pytest.mark.parametrize("engine", ["numba", "polars"])
def test_a_spread_beyond_float64_has_no_histogram(engine: str) -> None:
    x = np.array([1.0, 2.0, -1.7e308, 1.7e308, 3.0, 3.0, 4.0])
    values = values_of(fl.ts_entropy(fl.col("x"), 2), x, engine)
    assert np.isnan(values).tolist() == [True, False, False, True, False, False, False]
    assert values[5] == 0


@pytest.mark.parametrize("engine", ["numba", "polars"])
def test_a_drawdown_needs_positive_values(engine: str) -> None:
    x = np.array([4.0, 2.0, 0.0, 1.0, 3.0, -1.0, 2.0, 1.0])
    values = values_of(fl.ts_drawdown(fl.col("x"), 2), x, engine)
    assert_same(values, np.array([np.nan, -0.5, np.nan, np.nan, 0.0, np.nan, np.nan, -0.5]), engine)
