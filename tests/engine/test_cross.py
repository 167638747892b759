"""Operators across symbols against independent oracles: pandas, NumPy, the standard library and exact fractions."""

from __future__ import annotations

import itertools
import math
from datetime import date
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import types

import factorloom as fl
from factorloom.engine.runtime.jit import loop
from factorloom.expressions.factor import Factor
from factorloom.expressions.operators.loop.sort import MEMBER, order_section, room_of, sort_section
from factorloom.expressions.operators.loop.tie import tied, tied_column
from tests.oracle import to_array

Array = npt.NDArray[np.float64]
SIZES = [1, 2, 3, 31, 32, 33, 199, 200, 599, 600, 4095, 4096, 5000]
SHAPES = ["normal", "ties", "pairs", "level", "outlier", "close", "wild", "nearly", "dense", "cluster", "zeros"]
VALUES = types.Array(types.float64, 1, "C")
WORDS = types.Array(types.uint64, 1, "C")
rank, sort = loop(types.int64(VALUES, VALUES, WORDS))(order_section), loop(types.void(VALUES, VALUES))(sort_section)


def values(shape: str, size: int) -> Array:
    rng = np.random.default_rng(size)
    x: Array = {
        "normal": lambda: rng.normal(0, 1, size),
        "ties": lambda: rng.integers(-3, 4, size).astype(float),
        "pairs": lambda: np.repeat(rng.normal(0, 1, size), 2)[:size],
        "level": lambda: 1e8 + rng.normal(0, 1, size),
        "outlier": lambda: np.where(np.arange(size) % 700 == 1, 1e12, 1e8 + rng.normal(0, 1, size)),
        "close": lambda: rng.choice([0.3, 0.1 + 0.2, 0.1], size),
        "wild": lambda: rng.choice([-1e300, -2.0, -5e-324, -0.0, 0.0, 5e-324, 1e-300, 1e300], size),
        "dense": lambda: rng.normal(0, 1, size) ** 9,
        "cluster": lambda: np.where(rng.random(size) < 0.9, 1 + rng.normal(0, 1e-12, size), rng.normal(0, 1, size)),
        "zeros": lambda: np.where(rng.random(size) < 0.3, 0.0, np.exp(rng.normal(0, 3, size))),
        "nearly": lambda: np.arange(size) + np.where(rng.random(size) < 0.02, rng.normal(0, 50, size), 0),
    }[shape]()
    return np.where(rng.random(size) < 0.1, np.nan, x)


def section(**columns: Array | list[str | None]) -> fl.Panel:
    """One date, as many symbols as the columns have values."""
    symbols = [f"S{place:05d}" for place in range(len(next(iter(columns.values()))))]
    frame = pl.DataFrame({"symbol": symbols, "date": [date(2024, 1, 2)] * len(symbols), **columns})
    return fl.Panel.from_frame(frame)


def over(factor: Factor, **columns: Array | list[str | None]) -> Array:
    return to_array(section(**columns).compute(value=factor)["value"])


X, Y, Z = fl.col("x"), fl.col("y"), fl.col("z")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_members_are_put_in_order_and_ties_keep_theirs(shape: str, size: int) -> None:
    assert_ordered(values(shape, size))


@pytest.mark.parametrize("each", [1, 2, 60])
def test_the_room_for_ordering_is_enough(each: int) -> None:
    """Step by step in Python, which refuses to write beyond it: compiled code would not."""
    x = np.repeat(np.random.default_rng(each).normal(0, 1, 6000 // each), each)
    assert order_section(x, np.empty(6000), np.empty(room_of(6000), np.uint64)) == 6000


@given(arrays(np.float64, st.integers(0, 200), elements=st.floats(allow_infinity=False)))
def test_any_members_are_put_in_order(x: Array) -> None:
    assert_ordered(x)


def assert_ordered(x: Array) -> None:
    doubled, ascending, room = np.empty(x.size), np.empty(x.size), np.empty(room_of(x.size), np.uint64)
    assert rank(x, doubled, room) == np.count_nonzero(~np.isnan(x))
    sort(x, ascending)
    members = (room[: x.size] & MEMBER).astype(np.int64)
    np.testing.assert_array_equal(np.sort(members), np.arange(x.size))
    np.testing.assert_array_equal(doubled[members], np.sort(doubled))
    np.testing.assert_array_equal(doubled / 2, pd.Series(tied(x)).rank())
    np.testing.assert_array_equal(ascending, np.sort(x))


@given(arrays(np.float64, st.integers(0, 50), elements=st.floats(allow_infinity=False)))
def test_neighbours_that_agree_in_forty_bits_tie(x: Array) -> None:
    keys = tied(x)
    in_polars = pl.DataFrame({"x": x}).select(x=tied_column(pl.col("x").fill_nan(None)))["x"]
    np.testing.assert_array_equal(keys, to_array(in_polars))
    order = np.argsort(x)[: np.count_nonzero(~np.isnan(x))]
    for low, high in itertools.pairwise(order):
        gap = Fraction(x[high]) - Fraction(x[low])
        assert gap * (2**40 - 1) <= abs(Fraction(x[high])) or keys[low] < keys[high]
        assert gap * (2**40 + 1) >= abs(Fraction(x[high])) > 0 or keys[low] == keys[high] or abs(x[high]) < 1e-290


def test_sums_in_another_order_tie() -> None:
    x = np.array([0.1 + 0.2, 0.3, 0.3 + 1e-11, -0.0, 0.0, 5e-324, 1e308, 1e307])
    np.testing.assert_array_equal(over(fl.cs_rank(X, method="ordinal"), x=x), [4.5, 4.5, 6, 1.5, 1.5, 3, 8, 7])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_ranks_are_those_of_pandas(shape: str, size: int) -> None:
    x = values(shape, size)
    keys = pd.Series(tied(x))
    np.testing.assert_array_equal(over(fl.cs_rank(X, method="ordinal"), x=x), keys.rank())
    np.testing.assert_allclose(over(fl.cs_rank(X), x=x), keys.rank(pct=True), rtol=1e-15)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_medians_and_limits_are_those_of_numpy(shape: str, size: int) -> None:
    x = values(shape, size)
    low = np.sort(x)[(np.isfinite(x).sum() - 1) // 2]
    middle, apart = np.nanmedian(x), (x - low) - np.nanmedian(x - low)
    spread = 1.482602218505602 * np.nanmedian(np.abs(apart))
    spread = 0.0 if spread < 2.0**-45 * abs(middle) else spread  # rounding noise
    np.testing.assert_array_equal(over(fl.cs_median(X), x=x), np.where(np.isnan(x), np.nan, middle))
    with np.errstate(over="ignore"):
        score = apart / spread if spread > 0 else np.full(size, np.nan)
    score = np.where(np.isfinite(score), score, np.nan)
    np.testing.assert_allclose(over(fl.cs_robust_zscore(X), x=x), score, rtol=1e-12)
    held = np.clip(x, middle - 2 * spread, middle + 2 * spread) if spread > 0 else x
    np.testing.assert_allclose(over(fl.cs_winsorize(X, limit=2), x=x), held, rtol=1e-12)
    low, high = np.nanquantile(x, [0.1, 0.9])
    held = over(fl.cs_winsorize(X, limit=0.1, method="quantile"), x=x)
    np.testing.assert_allclose(held, np.clip(x, low, high), rtol=1e-12)


@pytest.mark.parametrize("bins", [2, 3, 5, 10])
@pytest.mark.parametrize("size", [2, 5, 6, 7, 10, 11, 99, 1000, 1001])
def test_quantile_bins_are_those_of_pandas(size: int, bins: int) -> None:
    x = np.random.default_rng(size).permutation(size) * 1.5
    found = over(fl.cs_quantile_bin(X, bins=bins), x=x)
    np.testing.assert_array_equal(found, pd.qcut(x, bins, labels=False) + 1)
    sizes = np.bincount(found.astype(int), minlength=bins + 1)[1:]
    assert sizes.max() - sizes.min() <= 1


def test_ties_share_the_bin_of_their_mean_rank() -> None:
    x = np.array([0.0, 0, 0, 0, 0, 0, 7, 8, 9, np.nan, 10, 11])
    expected = [2.0, 2, 2, 2, 2, 2, 3, 4, 4, np.nan, 5, 5]
    np.testing.assert_array_equal(over(fl.cs_quantile_bin(X), x=x), np.array(expected, float))
    np.testing.assert_array_equal(over(fl.cs_quantile_bin(X), x=np.full(4, 0.1)), [3, 3, 3, 3])
    np.testing.assert_array_equal(over(fl.cs_quantile_bin(X, bins=4), x=np.array([0.1])), [2])


@pytest.mark.parametrize("size", [1, 2, 9, 10, 5000])
def test_normal_scores_are_quantiles_of_the_normal_distribution(size: int) -> None:
    x = np.random.default_rng(size).permutation(size).astype(float)
    scores = over(fl.cs_normal_score(X), x=x)[np.argsort(x)]
    expected = [NormalDist().inv_cdf((rank - 0.5) / size) for rank in range(1, size + 1)]
    np.testing.assert_allclose(scores, expected, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(scores, -scores[::-1])


def test_normal_scores_of_known_shares() -> None:
    """Abramowitz & Stegun (1964), table 26.5, and the usual limits of confidence."""
    scores = over(fl.cs_normal_score(X), x=np.arange(20.0))
    assert scores[19] == pytest.approx(1.959963984540054, rel=1e-15)
    assert over(fl.cs_normal_score(X), x=np.arange(100.0))[99] == pytest.approx(2.575829303548901, rel=1e-15)
    assert over(fl.cs_normal_score(X), x=np.arange(2.0))[1] == pytest.approx(0.6744897501960817, rel=1e-15)


@pytest.mark.parametrize("shape", ["normal", "ties", "level", "outlier"])
@pytest.mark.parametrize("size", [2, 3, 4, 5, 50, 701])
def test_moments_hold_their_digits(shape: str, size: int) -> None:
    x = np.nan_to_num(values(shape, size), nan=0.5)
    x[0] = x[1] + 1
    exact = [Fraction(value) for value in x.tolist()]
    mean = sum(exact) / size
    spread = math.sqrt(sum((value - mean) ** 2 for value in exact) / (size - 1))
    apart = np.array([float(value - mean) for value in exact])
    np.testing.assert_allclose(over(fl.cs_mean(X), x=x), float(mean), rtol=1e-13)
    np.testing.assert_allclose(over(fl.cs_sum(X), x=x), float(mean * size), rtol=1e-13)
    np.testing.assert_allclose(over(fl.cs_std(X), x=x), spread, rtol=1e-12)
    np.testing.assert_allclose(over(fl.cs_demean(X), x=x), apart, atol=1e-12 * spread)
    np.testing.assert_allclose(over(fl.cs_zscore(X), x=x), apart / spread, atol=1e-12)
    np.testing.assert_allclose(over(fl.cs_scale(X), x=x), x / float(sum(map(abs, exact))), rtol=1e-13)


@pytest.mark.parametrize("name", ["cs_std", "cs_demean", "cs_mean", "cs_sum", "cs_min", "cs_max", "cs_median"])
@pytest.mark.parametrize("size", [1, 2, 5, 10, 41])
def test_constants_are_exact(name: str, size: int) -> None:
    missing = name == "cs_std" and size == 1
    expected = {"cs_std": np.nan if missing else 0.0, "cs_demean": 0.0, "cs_sum": size * 0.1}.get(name, 0.1)
    np.testing.assert_array_equal(over(fl.parse(f"{name}(x)"), x=np.full(size, 0.1)), np.full(size, expected))


def fitted(x: Array, columns: list[Array], weight: Array) -> Array:
    """Residuals by NumPy's least squares."""
    root = np.sqrt(weight)
    design = np.column_stack(columns)
    found = np.linalg.lstsq(design * root[:, None], x * root, rcond=None)[0]
    return x - design @ found


def regression(size: int, level: float = 0.0) -> dict[str, Array]:
    rng = np.random.default_rng(size)
    y, z = rng.normal(0, 1, size), rng.normal(0, 1, size)
    x = 0.5 * y - 2 * z + rng.normal(0, 1, size)
    return {name: level + column for name, column in {"x": x, "y": y, "z": z}.items()}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("size", [5, 8, 50, 1001])
def test_residuals_are_those_of_least_squares(size: int, intercept: bool, weighted: bool) -> None:
    data = regression(size)
    weight = np.random.default_rng(1).uniform(0.1, 9, size) if weighted else np.ones(size)
    factor = fl.cs_residual(X, Y, Z, weight=fl.col("w") if weighted else 1.0, intercept=intercept)
    columns = [data["y"], data["z"]] + [np.ones(size)] * intercept
    expected = fitted(data["x"], columns, weight)
    np.testing.assert_allclose(over(factor, w=weight, **data), expected, rtol=1e-9, atol=1e-11)


def test_residuals_hold_their_digits_at_a_high_level() -> None:
    data = regression(300, level=1e8)
    low = {name: column - 1e8 for name, column in data.items()}
    expected = fitted(low["x"], [low["y"], low["z"], np.ones(300)], np.ones(300))
    np.testing.assert_allclose(over(fl.cs_residual(X, Y, Z), **data), expected, atol=1e-11)


def test_who_lacks_something_takes_no_part() -> None:
    data = regression(60)
    weight = np.ones(60)
    data["x"][3] = data["y"][10] = data["z"][20] = weight[30] = np.nan
    weight[40], weight[41] = 0.0, -1.0
    there = np.ones(60, bool)
    there[[3, 10, 20, 30, 40, 41]] = False
    kept = {name: column[there] for name, column in data.items()}
    expected = np.full(60, np.nan)
    expected[there] = fitted(kept["x"], [kept["y"], kept["z"], np.ones(there.sum())], np.ones(there.sum()))
    found = over(fl.cs_residual(X, Y, Z, weight=fl.col("w")), w=weight, **data)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("level", [0.0, 1e8])
def test_exposures_that_others_explain_change_nothing(level: float) -> None:
    data = regression(40, level)
    for again in (Y, 3 * Y + 7, fl.lit(0.1) + 0 * Y, fl.lit(5.0)):
        found = over(fl.cs_residual(X, Y, again), **data)
        np.testing.assert_allclose(found, over(fl.cs_residual(X, Y), **data), atol=1e-9)
    np.testing.assert_allclose(
        over(fl.cs_residual(X, fl.lit(1), fl.lit(2)), **data), over(fl.cs_demean(X), **data), atol=1e-12
    )


@pytest.mark.parametrize("level", [0.0, 1e8])
def test_nothing_is_left_of_what_is_explained(level: float) -> None:
    data = regression(40, level)
    for factor in (Y, 2 * Y - 3 * Z + 5, fl.lit(0.1) + 0 * Y):
        np.testing.assert_array_equal(over(fl.cs_residual(factor, Y, Z), **data), np.zeros(40))


def test_a_section_needs_more_members_than_coefficients() -> None:
    for size, intercept, enough in [(3, True, False), (4, True, True), (2, False, False), (3, False, True)]:
        found = over(fl.cs_residual(X, Y, Z, intercept=intercept), **regression(size))
        assert np.isnan(found).all() != enough


def sectors(size: int) -> list[str | None]:
    return [None if place == 7 else "abc"[place % 3] if place else "alone" for place in range(size)]


@pytest.mark.parametrize("engine", ["numba", "polars"])
def test_neutral_values_are_those_of_dummies(engine: str) -> None:
    data, sector = regression(60, level=100.0), sectors(60)
    data["y"][20] = data["x"][21] = np.nan
    there = np.ones(60, bool)
    there[[7, 20, 21]] = False
    dummies = [np.array([name == one for name in sector], float)[there] for one in ("a", "b", "c", "alone")]
    expected = np.full(60, np.nan)
    expected[there] = fitted(
        data["x"][there], [data["y"][there], data["z"][there], *dummies], np.ones(int(there.sum()))
    )
    factor = fl.cs_neutralize(X, Y, Z, by="g")
    found = section(g=sector, **data).compute(value=factor, engine=engine)["value"]  # type: ignore[arg-type]
    np.testing.assert_allclose(to_array(found), expected, atol=1e-11)
    assert fl.parse(str(factor)) is factor
    assert fl.parse("cs_neutralize(x, y, z, by=g)") is factor


def test_regressions_within_categories_have_coefficients_of_their_own() -> None:
    data, sector = regression(60), sectors(60)
    expected = np.full(60, np.nan)
    for one in "abc":
        rows = np.array([name == one for name in sector])
        expected[rows] = fitted(data["x"][rows], [data["y"][rows], np.ones(rows.sum())], np.ones(rows.sum()))
    found = over(fl.group_residual(X, Y, by="g"), g=sector, **data)
    np.testing.assert_allclose(found, expected, atol=1e-11)
