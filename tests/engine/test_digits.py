"""Windows hold their digits: at any level, after any outlier, wherever the series starts, checked in fractions."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from math import isqrt

import numpy as np
import polars as pl
import pytest

import factorloom as fl

WINDOW, BARS = 20, 120
RNG = np.random.default_rng(11)
NOISE, OTHER = RNG.normal(0, 1, BARS), RNG.normal(0, 1, BARS)
OUTLIER = np.where(np.arange(BARS) == 40, 1e12, NOISE)
SERIES = {
    "level 1e8": 1e8 + NOISE,
    "an outlier of 1e12": OUTLIER,
    "first bar an outlier": np.where(np.arange(BARS) == 0, 1e12, NOISE),
    "1e-8 and 1e8 in turn": np.where(np.arange(BARS) % 2, 1e8, 1e-8),
    "small steps at 1e8": 1e8 + np.cumsum(NOISE) * 1e-3,
    "a level that jumps": np.where(np.arange(BARS) < 60, 1e8, 1e-3) + NOISE,
}


def exact(operator: str, x: list[Fraction], y: list[Fraction]) -> Fraction | None:
    n, mean_x, mean_y = len(x), sum(x) / len(x), sum(y) / len(y)
    xx, yy = sum((a - mean_x) ** 2 for a in x), sum((b - mean_y) ** 2 for b in y)
    xy = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return {
        "ts_mean": lambda: mean_x,
        "ts_std": lambda: root(xx / (n - 1)),
        "ts_zscore": lambda: (x[-1] - mean_x) / root(xx / (n - 1)) if xx else None,
        "ts_beta": lambda: xy / yy if yy else None,
        "ts_corr": lambda: xy / root(xx * yy) if xx and yy else None,
    }[operator]()


def root(value: Fraction) -> Fraction:
    scale = 10**40
    return Fraction(isqrt(int(value * scale * scale)), scale)


def panel_of(x: np.ndarray, y: np.ndarray) -> fl.Panel:
    days = [date(2020, 1, 1) + timedelta(days=k) for k in range(len(x))]
    return fl.Panel.from_frame(pl.DataFrame({"symbol": ["A"] * len(x), "date": days, "x": x, "y": y}))


@pytest.mark.parametrize("start", [0, 7, 33])
@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("operator", ["ts_mean", "ts_std", "ts_zscore", "ts_beta", "ts_corr"])
def test_windows_hold_their_digits(operator: str, name: str, start: int) -> None:
    x, y = SERIES[name][start:], OTHER[start:]
    inputs = "x, y" if operator in ("ts_beta", "ts_corr") else "x"
    factor = fl.parse(f"{operator}({inputs}, {WINDOW})")
    a, b = [Fraction(v) for v in x.tolist()], [Fraction(v) for v in y.tolist()]
    windows = [(a[i - WINDOW + 1 : i + 1], b[i - WINDOW + 1 : i + 1]) for i in range(WINDOW - 1, len(a))]
    expected = [exact(operator, *window) for window in windows]
    for engine in ("numba", "polars"):
        values = panel_of(x, y).compute(value=factor, engine=engine)["value"].to_list()[WINDOW - 1 :]  # type: ignore[arg-type]
        for value, true, (wx, wy) in zip(values, expected, windows, strict=True):
            scale = tolerance(operator, true, wx, wy)
            assert abs(Fraction(value) - true) <= scale, f"{factor} on {name} by {engine}: {value} for {float(true)}"


def tolerance(operator: str, true: Fraction | None, x: list[Fraction], y: list[Fraction]) -> Fraction:
    """1e-9 of the value; of the largest possible value where the inputs cancel (a mean or a covariance near 0)."""
    assert true is not None
    if operator in ("ts_corr", "ts_zscore"):
        return Fraction(1, 10**9)
    if operator == "ts_mean":
        return max(abs(v) for v in x) / 10**9
    if operator == "ts_beta":
        spread_x = exact("ts_std", x, y)
        spread_y = exact("ts_std", y, x)
        assert spread_x is not None
        assert spread_y is not None
        return spread_x / spread_y / 10**9
    return abs(true) / 10**9


@pytest.mark.parametrize("level", [0.1, 1e8 / 3, 1e-12])
def test_a_constant_is_a_constant_to_the_last_digit(level: float) -> None:
    panel = panel_of(np.full(50, level), OTHER[:50])
    for engine in ("numba", "polars"):
        values = panel.compute(
            mean=fl.ts_mean(fl.col("x"), 20),
            std=fl.ts_std(fl.col("x"), 20),
            score=fl.ts_zscore(fl.col("x"), 20),
            corr=fl.ts_corr(fl.col("x"), fl.col("y"), 20),
            skew=fl.ts_skew(fl.col("x"), 20),
            engine=engine,  # type: ignore[arg-type]
        )[19:]
        assert values["mean"].unique().to_list() == [level]
        assert values["std"].unique().to_list() == [0.0]
        assert values.select("score", "corr", "skew").null_count().row(0) == (31, 31, 31)
