"""The style factors: what they promise about themselves, and their values against plain pandas."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import factorloom as fl
from factorloom.expressions.library import Entry, styles
from factorloom.expressions.parse import parse

ROOT = Path(__file__).parents[2]
BARS = {"open", "high", "low", "close", "volume"}
GIVEN = (
    "book_to_price",
    "earnings_yield",
    "sales_to_price",
    "cash_flow_to_price",
    "dividend_yield",
    "return_on_equity",
)
GIVEN += ("gross_profitability", "accruals", "asset_growth", "debt_to_equity")
"""Styles that are a column."""
every_style = pytest.mark.parametrize(("name", "style"), styles().entries.items(), ids=list(styles()))


@every_style
def test_a_style_knows_only_the_past_and_says_where_it_comes_from(name: str, style: Entry) -> None:
    assert style.factor.lookahead == 0
    assert not style.factor.unbounded
    assert style.direction in (-1, 1)
    assert set(style.factor.columns) <= BARS | {"market_cap", *GIVEN}
    assert any(character.isdigit() for character in style.source)
    assert style.family in {"momentum", "reversal", "risk", "liquidity", "size", "value", "quality"}
    assert parse(str(style.factor)) is style.factor


def test_the_styles_are_the_same_objects_each_time() -> None:
    kept = styles()
    assert all(factor is kept[name] for name, factor in styles().items())
    assert len(set(kept.values())) == len(kept) >= 30


def test_the_longest_look_back_is_three_years() -> None:
    lookbacks = {name: factor.lookback for name, factor in styles().items()}
    assert lookbacks.pop("reversal_36_12") == 756
    assert lookbacks.pop("downside_beta_252") == 503
    assert max(lookbacks.values()) == 252


@pytest.mark.parametrize("symbols", [["A"], ["A", "B", "C"]], ids=["one-symbol", "all-symbols"])
def test_a_missing_bar_makes_no_style_missing_for_long(symbols: list[str]) -> None:
    """Those with a window of 63 bars or more need two thirds of it; the longest of the others has 50 bars."""
    rng, bars = np.random.default_rng(3), 1200
    dates = pl.date_range(pl.date(2015, 1, 1), pl.date(2024, 1, 1), eager=True).head(bars)
    parts = []
    for symbol in ("A", "B", "C"):
        walk = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, bars)))
        prices = {"open": walk * rng.uniform(0.99, 1.01, bars), "high": walk * 1.02, "low": walk * 0.98, "close": walk}
        others = {name: rng.uniform(1, 2, bars) for name in ("volume", "market_cap", *GIVEN)}
        parts.append(pl.DataFrame({"symbol": [symbol] * bars, "date": dates, **prices, **others}))
    whole = pl.concat(parts)
    gone = pl.col("symbol").is_in(symbols) & (pl.col("date") == dates[900])
    gaps = whole.with_columns(pl.when(~gone).then(pl.col(name)).alias(name) for name in whole.columns[2:])
    before, after = (fl.Panel.from_frame(frame).compute(styles()) for frame in (whole, gaps))
    first = pl.col("symbol") == "A"
    for name in styles():
        lost = after.filter(first)[name].null_count() - before.filter(first)[name].null_count()
        assert 0 <= lost <= 50, name


def test_the_example_models_are_made_of_styles() -> None:
    known = {style.factor: style.direction for style in styles().entries.values()}
    for path in (ROOT / "examples" / "models").glob("*.toml"):
        for name, part in tomllib.loads(path.read_text(encoding="utf-8"))["factors"].items():
            factor = parse(part["expression"])
            assert factor in known, f"{path.name}: {name}"
            assert known[factor] == part.get("direction", 1), f"{path.name}: {name}"


# --- values -------------------------------------------------------------------------------------------------


def market(symbols: int = 5, bars: int = 800) -> pl.DataFrame:
    """Random walks with a common part, a gap in the prints, a day without volume, and a late listing."""
    rng = np.random.default_rng(11)
    common = rng.normal(0, 0.01, bars)
    days = [datetime.date(2023, 1, 2) + datetime.timedelta(n) for n in range(bars)]
    parts = []
    for number in range(symbols):
        close = 20 * np.exp(np.cumsum((0.5 + number / 4) * common + rng.normal(0, 0.01, bars)))
        open_ = close * np.exp(rng.normal(0, 0.01, bars))
        if number == 1:
            close[150] = np.nan
        volume = rng.integers(1_000, 9_000, bars).astype(float)
        volume[280] = 0.0 if number == 2 else volume[280]
        part = pl.DataFrame(
            {
                "symbol": f"S{number}",
                "date": days,
                "open": open_,
                "high": np.fmax(open_, close) * 1.01,
                "low": np.fmin(open_, close) * 0.99,
                "close": close,
                "volume": volume,
                "market_cap": close * 1e6,
                **{name: rng.normal(0.5, 0.1, bars) for name in GIVEN},
            }
        )
        parts.append(part.tail(100) if number == symbols - 1 else part)
    return pl.concat(parts)


def plain(bars: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The styles as frames of dates by symbols. Each column runs over the symbol's own bars."""
    wide = {name: bars.pivot(index="date", columns="symbol", values=name) for name in bars.columns[2:]}
    o, h, lo, c, v = (wide[name] for name in ("open", "high", "low", "close", "volume"))
    r = c / c.shift(1) - 1
    market_return = r.where(r.isna(), r.mean(axis=1), axis=0)
    dollars = c * v

    def corr(symbol: str) -> pd.Series:
        return r[symbol].rolling(21).corr(market_return[symbol])

    def downside_beta(symbol: str) -> pd.Series:
        x, y = r[symbol], market_return[symbol]
        fell = y < y.rolling(252, min_periods=168).mean()
        both = x.notna() & y.notna() & fell
        a, b = x.where(both), y.where(both)
        return a.rolling(252, min_periods=63).cov(b) / b.rolling(252, min_periods=63).var()

    def beta(symbol: str) -> pd.Series:
        x, y = r[symbol], market_return[symbol]
        return x.rolling(252, min_periods=168).cov(y) / y.rolling(252, min_periods=168).var()

    correlation = pd.DataFrame({symbol: corr(symbol) for symbol in c.columns})
    rises = (o > c.shift(1)).astype("boolean").mask(o.isna() | c.shift(1).isna())
    falls = (c < o).astype("boolean").mask(o.isna() | c.isna())
    tug = (rises & falls).astype("Float64").astype(float)
    impact = (r.abs() / dollars).replace(np.inf, np.nan).rolling(21).mean()
    return {
        "momentum_12_1": c.shift(21) / c.shift(252) - 1,
        "momentum_6_1": c.shift(21) / c.shift(126) - 1,
        "high_52w": c / h.rolling(252, min_periods=168).max(),
        "seasonality": c.shift(231) / c.shift(252) - 1,
        "moving_average_distance": c.rolling(21).mean() / c.rolling(200, min_periods=134).mean() - 1,
        "reversal_5d": c / c.shift(5) - 1,
        "reversal_21d": c / c.shift(21) - 1,
        "reversal_36_12": c.shift(252) / c.shift(756) - 1,
        "overnight_tug_of_war": tug.rolling(21).sum(),
        "volatility_20d": r.rolling(20).std(),
        "volatility_252d": r.rolling(252, min_periods=168).std(),
        "parkinson_volatility_21d": (np.log(h / lo) ** 2).rolling(21).mean().div(4 * np.log(2)) ** 0.5,
        "idiosyncratic_volatility": r.rolling(21).std() * (1 - correlation**2) ** 0.5,
        "beta_252": pd.DataFrame({symbol: beta(symbol) for symbol in c.columns}),
        "downside_beta_252": pd.DataFrame({symbol: downside_beta(symbol) for symbol in c.columns}),
        "max_return_21d": r.rolling(21).max(),
        "skewness_63d": r.rolling(63, min_periods=42).skew(),
        "amihud_illiquidity": np.log(impact),
        "dollar_volume": np.log(dollars.rolling(21).mean()),
        "dollar_volume_variability": dollars.rolling(252, min_periods=168).std()
        / dollars.rolling(252, min_periods=168).mean(),
        "zero_volume_days": (v == 0).astype(float).where(v.notna()).rolling(252, min_periods=168).mean(),
        "abnormal_volume": v.rolling(5).mean() / v.rolling(50).mean() - 1,
        "turnover": (dollars / wide["market_cap"]).rolling(21).mean(),
        "size": np.log(wide["market_cap"]),
        **{name: wide[name] for name in GIVEN},
    }


@pytest.fixture(scope="module")
def bars() -> pl.DataFrame:
    return market()


@pytest.fixture(scope="module")
def computed(bars: pl.DataFrame) -> pl.DataFrame:
    return fl.Panel.from_frame(bars).compute(styles())


@pytest.fixture(scope="module")
def expected(bars: pl.DataFrame) -> dict[str, pd.DataFrame]:
    return plain(bars.to_pandas())


@every_style
def test_values_agree_with_pandas(
    name: str, style: Entry, computed: pl.DataFrame, expected: dict[str, pd.DataFrame]
) -> None:
    found = computed.pivot("symbol", index="date", values=name, sort_columns=True).sort("date")
    ours = found.select(expected[name].columns.to_list()).to_numpy()
    theirs = expected[name].to_numpy(dtype=float)
    assert (np.isnan(ours) == np.isnan(theirs)).all()
    assert np.isfinite(theirs).any()
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.nanmax(np.abs(theirs)))
