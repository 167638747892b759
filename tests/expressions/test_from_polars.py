"""Expressions of Polars read as factors, against Polars itself.

Each expression is built twice: as a user writes it, and for Polars to run, with what is not finite made missing after
every step, as it is here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factorloom as fl
from tests.oracle import assert_same, to_array

COLUMNS = "close", "open", "volume"


@dataclass
class Both:
    """An expression as it is written, and as Polars is to run it."""

    written: pl.Expr
    plain: pl.Expr

    def map(self, function: Callable[..., pl.Expr], *others: Both) -> Both:
        written = function(self.written, *(other.written for other in others))
        plain = function(self.plain, *(other.plain for other in others))
        return Both(written, clean(plain))


def clean(x: pl.Expr) -> pl.Expr:
    number = x.cast(pl.Float64)
    return pl.when(number.is_finite()).then(number)


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """Up to four symbols with gaps, ties and missing values; the last has one bar."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 1, draw(st.integers(2, 25))), eager=True)
    parts = []
    for symbol in "ABCD"[: draw(st.integers(1, 4))]:
        kept = days.filter(pl.Series(rng.random(days.len()) < 0.8)) if symbol != "D" else days.head(1)
        kept = kept if kept.len() else days.tail(1)
        n = kept.len()
        values = {name: np.round(rng.normal(10, 3, n) * 2) / 2 for name in COLUMNS}
        part = pl.DataFrame({"symbol": [symbol] * n, "date": kept, **values})
        holes = [pl.when(pl.Series(rng.random(n) > 0.15)).then(pl.col(name)).alias(name) for name in COLUMNS]
        parts.append(part.with_columns(*holes, sector=pl.lit("tech" if symbol in "AB" else "energy")))
    return pl.concat(parts)


leaves = st.sampled_from([Both(pl.col(name), pl.col(name)) for name in COLUMNS])

CELL: list[Callable[[pl.Expr, pl.Expr], pl.Expr]] = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    lambda x, y: (x > y).cast(pl.Int8),
    lambda x, y: ((x > y) & (y > 9) | ~(x == 10)).cast(pl.Float64),
    lambda x, y: ((x > y) ^ (y > 9)).cast(pl.Float64),
    lambda x, y: pl.when(x > y).then(x).when(y > 10).then(2).otherwise(None),
    lambda x, y: x.cast(pl.Int32),
    lambda x, y: x.cast(pl.Boolean).cast(pl.Int64),
    lambda x, y: x.fill_null(y),
    lambda x, y: x.fill_null(0),
    lambda x, y: pl.coalesce(x, y, 3),
    lambda x, y: x.is_null().cast(pl.Int8),
    lambda x, y: x.is_not_null() * y,
    lambda x, y: x.clip(8, 11),
    lambda x, y: x.clip(y, 11),
    lambda x, y: x.clip(lower_bound=y),
    lambda x, y: x.clip(upper_bound=y),
    lambda x, y: (x - 10).abs() - (-y),
    lambda x, y: x.log() + y.log10() + x.log1p(),
    lambda x, y: (x / 10).exp(),
    lambda x, y: x.sqrt() + (x - y).cbrt(),
    lambda x, y: (x - 10).sign() * (y - 10).tanh(),
    lambda x, y: (x / 3).round(1),
    lambda x, y: (x / 2).round(0, mode="half_away_from_zero"),
    lambda x, y: (x / 3).floor() + (y / 3).ceil(),
    lambda x, y: x**2 + 2**y + x.pow(0.5),
    lambda x, y: pl.min_horizontal(x, y) + pl.max_horizontal(x, y, 9),
    lambda x, y: pl.sum_horizontal(x, y) + pl.mean_horizontal(x, y),
    lambda x, y: pl.sum_horizontal(x, y, ignore_nulls=False),
    lambda x, y: pl.any_horizontal(x > 10, y > 10).cast(pl.Int8),
    lambda x, y: pl.all_horizontal(x > 10, y > 10).cast(pl.Int8),
    lambda x, y: x.is_in([9.5, 10.0]).cast(pl.Int8),
    lambda x, y: x.is_in([9.5, None], nulls_equal=True).cast(pl.Int8),
    lambda x, y: x.is_between(9, 11, closed="left").cast(pl.Int8),
    lambda x, y: x.replace_strict({9.5: 1, 10.0: 2}, default=None),
    lambda x, y: x.replace_strict({9.5: 1, 10.0: 2}, default=y),
    lambda x, y: x.replace({9.5: 1.0, 10.0: 2.0}),
    lambda x, y: x.eq_missing(y).cast(pl.Int8) + x.ne_missing(10).cast(pl.Int8),
    lambda x, y: x.fill_nan(None) + x.is_finite() + x.is_nan(),
    lambda x, y: pl.concat_list(x, y).list.arg_max(),
]

TIME: list[Callable[[pl.Expr, int, int], pl.Expr]] = [
    lambda x, n, k: x.shift(n),
    lambda x, n, k: x.shift(n, fill_value=3),
    lambda x, n, k: x.shift(-n),
    lambda x, n, k: x.diff(n),
    lambda x, n, k: x.pct_change(n),
    lambda x, n, k: x.rolling_mean(n, min_samples=k),
    lambda x, n, k: x.rolling_sum(n, min_samples=k),
    lambda x, n, k: x.rolling_min(n, min_samples=k),
    lambda x, n, k: x.rolling_max(n, min_samples=k),
    lambda x, n, k: x.rolling_median(n, min_samples=k),
    lambda x, n, k: x.rolling_quantile(0.3, interpolation="linear", window_size=n, min_samples=k),
    lambda x, n, k: x.rolling_quantile(0.3, window_size=n, min_samples=k),
    lambda x, n, k: x.rolling_rank(n, min_samples=k),
    lambda x, n, k: x.rolling_rank(n, "min", min_samples=k),
    lambda x, n, k: x.rolling_var(n, min_samples=k),
    lambda x, n, k: x.rolling_var(n, min_samples=k, ddof=0),
    lambda x, n, k: x.rolling_var(n, min_samples=k, ddof=2),
    lambda x, n, k: x.ewm_mean(span=n),
    lambda x, n, k: x.ewm_mean(span=n, adjust=False),
    lambda x, n, k: x.ewm_mean(span=n, adjust=False, ignore_nulls=True, min_samples=k),
    lambda x, n, k: x.ewm_mean(alpha=0.3, adjust=True, ignore_nulls=True, min_samples=k),
    lambda x, n, k: x.ewm_std(half_life=n, min_samples=k),
    lambda x, n, k: x.ewm_var(com=n, adjust=False),
    lambda x, n, k: x.cum_sum(),
    lambda x, n, k: (x / 10).cum_prod(),
    lambda x, n, k: x.cum_min() + x.cum_max(),
    lambda x, n, k: x.cum_count(),
    lambda x, n, k: x.forward_fill(n),
    lambda x, n, k: x.forward_fill() + x.fill_null(strategy="zero"),
    lambda x, n, k: x.rle_id(),
    lambda x, n, k: pl.concat_list([x.shift(i) for i in range(n)]).list.arg_max(),
    lambda x, n, k: pl.concat_list([x.shift(i) for i in range(n)]).list.arg_min(),
]

CROSS: list[Callable[[pl.Expr], pl.Expr]] = [
    *[lambda x, m=m, d=d: x.rank(m, descending=d) for m in ("average", "min", "max", "dense") for d in (False, True)],
    lambda x: x.rank() / pl.len(),
    lambda x: x.rank() / x.count(),
    lambda x: x.mean(),
    lambda x: x.median(),
    lambda x: x.sum(),
    lambda x: x.min(),
    lambda x: x.max(),
    lambda x: x.std(),
    lambda x: x.var(),
    lambda x: x.fill_null(10).std(0),  # of no values Polars gives 0 or null, as the type of the key is
    lambda x: x.var(2),
    lambda x: x.count(),
    lambda x: pl.len(),
    lambda x: x.null_count(),
    lambda x: x.quantile(0.3),
    lambda x: x.quantile(0.5, "linear"),
    lambda x: x.n_unique(),
    lambda x: (x > 10).any().cast(pl.Int8) + (x > 10).all().cast(pl.Int8),
    lambda x: x - x.mean(),
    lambda x: x / x.sum(),
    lambda x: (x - x.min()) / (x.max() - x.min()),
    lambda x: (x - x.median()).abs().median(),
    lambda x: x.filter(x > 9).mean(),
    lambda x: pl.when(x.rank() > 2).then(x).otherwise(x.mean()),
]


def cells(inner: st.SearchStrategy[Both]) -> st.SearchStrategy[Both]:
    return st.tuples(st.sampled_from(CELL), inner, inner).map(lambda it: it[1].map(it[0], it[2]))


@st.composite
def along_time(draw: st.DrawFn, inner: st.SearchStrategy[Both]) -> Both:
    n = draw(st.integers(1, 5))
    k, function = draw(st.integers(1, n)), draw(st.sampled_from(TIME))
    return draw(inner).map(lambda x: function(x, n, k))


def across(inner: st.SearchStrategy[Both]) -> st.SearchStrategy[Both]:
    return st.tuples(st.sampled_from(CROSS), inner).map(lambda it: Both(it[0](it[1].written), it[0](it[1].plain)))


cell_wise = st.recursive(leaves, cells, max_leaves=4)
time_wise = st.recursive(leaves, lambda inner: cells(inner) | along_time(inner) | along_time(inner), max_leaves=3)


def compare(frame: pl.DataFrame, written: pl.Expr, expected: pl.Series) -> None:
    factor = fl.from_polars(written)
    panel = fl.Panel.from_frame(frame)
    for engine in ("numba", "polars"):
        got = to_array(panel.compute(value=factor, engine=engine)["value"])  # type: ignore[arg-type]
        right = expected.to_numpy()
        scale = float(np.abs(right[np.isfinite(right)]).max(initial=1))
        assert_same(got, right, f"{written} in {engine}", scale)


@given(frame=frames(), both=cell_wise)
def test_values_of_a_bar(frame: pl.DataFrame, both: Both) -> None:
    compare(frame, both.written, frame.select(value=both.plain)["value"])


@given(frame=frames(), both=time_wise, bare=st.booleans())
def test_along_time(frame: pl.DataFrame, both: Both, bare: bool) -> None:
    expected = frame.select(value=both.plain.over("symbol"))["value"]
    compare(frame, both.written if bare else both.written.over("symbol"), expected)


@given(frame=frames(), both=across(cell_wise), by=st.sampled_from([["date"], ["date", "sector"]]))
def test_across_symbols(frame: pl.DataFrame, both: Both, by: list[str]) -> None:
    compare(frame, both.written.over(by), frame.select(value=clean(both.plain.over(by)))["value"])


@given(frame=frames(), inner=time_wise, function=st.sampled_from(CROSS))
def test_windows_in_windows_are_staged(
    frame: pl.DataFrame, inner: Both, function: Callable[[pl.Expr], pl.Expr]
) -> None:
    staged = frame.with_columns(inner=inner.plain.over("symbol"))
    staged = staged.with_columns(ranked=clean(function(pl.col("inner")).over("date")))
    expected = staged.select(value=pl.col("ranked").rolling_mean(3, min_samples=1).over("symbol"))["value"]
    compare(frame, function(inner.written).over("date").rolling_mean(3, min_samples=1), expected)


MOMENTS: list[Callable[[pl.Expr, pl.Expr, int, int], pl.Expr]] = [
    lambda x, y, n, k: x.rolling_std(n, min_samples=k),
    lambda x, y, n, k: x.rolling_std(n, min_samples=k, ddof=0),
    lambda x, y, n, k: x.rolling_skew(n, min_samples=max(k, 3)),
    lambda x, y, n, k: x.rolling_kurtosis(n, min_samples=max(k, 4)),
    lambda x, y, n, k: x.rolling_kurtosis(n, fisher=False, min_samples=max(k, 4)),
    lambda x, y, n, k: pl.rolling_cov(x, y, window_size=n, min_samples=k),
    lambda x, y, n, k: pl.rolling_cov(x, y, window_size=n, min_samples=k, ddof=0),
    lambda x, y, n, k: pl.rolling_corr(x, y, window_size=n, min_samples=max(k, 2)),
]


@given(seed=st.integers(0, 10**6), n=st.integers(4, 8), data=st.data(), function=st.sampled_from(MOMENTS))
def test_rolling_moments(seed: int, n: int, data: st.DataObject, function: Callable[..., pl.Expr]) -> None:
    """Of values that all differ: of equal ones Polars gives what rounding leaves, and here there is none."""
    rng = np.random.default_rng(seed)
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 1, 20), eager=True)
    frame = pl.DataFrame({"symbol": ["A"] * 20, "date": days, "x": rng.normal(5, 2, 20), "y": rng.normal(3, 1, 20)})
    k = data.draw(st.integers(1, n))
    expression = function(pl.col("x"), pl.col("y"), n, k)
    compare(frame, expression, frame.select(value=clean(expression.over("symbol")))["value"])


@given(seed=st.integers(0, 10**6))
def test_pairs_with_missing_values_are_those_of_pandas(seed: int) -> None:
    """The bars that have both values count."""
    rng = np.random.default_rng(seed)
    values = {name: np.where(rng.random(20) < 0.2, np.nan, rng.normal(5, 2, 20)) for name in "xy"}
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 1, 20), eager=True)
    frame = pl.DataFrame({"symbol": ["A"] * 20, "date": days, **values}, nan_to_null=True)
    both = pd.DataFrame(values)
    both = both.where(both.notna().all(axis=1))
    for ddof in (0, 1):
        expected = both["x"].rolling(5, min_periods=2).cov(both["y"], ddof=ddof)
        expression = pl.rolling_cov("x", "y", window_size=5, min_samples=2, ddof=ddof)
        compare(frame, expression, pl.Series(expected.to_numpy(), nan_to_null=True))


def test_a_constant_of_text_is_no_number() -> None:
    with pytest.raises(fl.errors.ExpressionError, match="may only be grouped by"):
        fl.from_polars(pl.col("sector") == "tech")
