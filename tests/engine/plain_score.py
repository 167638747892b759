"""Scores computed with pandas alone, and strategies for the frames and models to compare."""

from __future__ import annotations

import datetime
import math

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import strategies as st

from factorloom.engine.research.model import ScoreFactor, ScoreModel, Winsorize

NAMES = ("alpha", "beta", "gamma", "delta")
DAY = datetime.date(2024, 1, 2)


def plain_scores(frame: pl.DataFrame, model: ScoreModel) -> pd.DataFrame:
    """Score and contributions by (date, symbol), without any code of Factorloom."""
    table = pd.DataFrame({name: frame[name].to_numpy() for name in frame.columns if name != "sector"})
    table["sector"] = frame["sector"].to_list() if "sector" in frame.columns else "all"
    days = [plain_day(day.reset_index(drop=True), model) for _, day in table.groupby("date")]
    return pd.concat(days).set_index(["date", "symbol"]).sort_index()


def plain_day(day: pd.DataFrame, model: ScoreModel) -> pd.DataFrame:
    z = pd.DataFrame({name: plain_z(day, name, model) for name in model.factors})
    weights = pd.Series({name: part.weight for name, part in model.factors.items()})
    signs = pd.Series({name: part.direction for name, part in model.factors.items()})
    present = z.notna()
    parts = (z * weights * signs).div(present.mul(weights).sum(axis=1), axis=0)
    needed = model.min_factors or math.ceil(len(weights) / 2)
    parts[present.sum(axis=1) < needed] = np.nan
    out = parts.add_prefix("contribution_")
    out["score"] = parts.sum(axis=1, min_count=1)
    return pd.concat([day[["date", "symbol"]], out], axis=1)


def plain_z(day: pd.DataFrame, name: str, model: ScoreModel) -> pd.Series:
    raw = day[name].astype(float)
    z = pd.Series(np.nan, index=raw.index)
    groups = day["sector"] if model.neutralize else pd.Series("all", index=day.index)
    for group in groups.dropna().unique():
        inside = plain_winsorize(raw[groups == group], model.winsorize)
        mad = (inside - inside.median()).abs().median()
        if mad > 0:
            z[inside.index] = (inside - inside.median()) / (1.482602218505602 * mad)
    return z


def plain_winsorize(x: pd.Series, rule: Winsorize | None) -> pd.Series:
    if rule is None or x.count() < 2:
        return x
    if rule.method == "quantile":
        return x.clip(x.quantile(rule.limit), x.quantile(1 - rule.limit))
    middle, spread = x.mean(), x.std()
    if rule.method == "mad":
        middle = x.median()
        spread = 1.482602218505602 * (x - middle).abs().median()
    if x.nunique() == 1 or spread == 0:
        return x
    return x.clip(middle - rule.limit * spread, middle + rule.limit * spread)


def agree(actual: pl.DataFrame, expected: pd.DataFrame) -> None:
    found = actual.to_pandas().set_index(["date", "symbol"]).sort_index()
    assert list(found.index) == list(expected.index)
    for name in expected.columns:
        a, b = found[name].to_numpy(dtype=float), expected[name].to_numpy(dtype=float)
        assert (np.isnan(a) == np.isnan(b)).all(), name
        scale = max(1.0, np.nanmax(np.abs(b), initial=0.0))
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * scale, err_msg=name)


values = st.one_of(
    st.none(),
    st.integers(-2, 2).map(float),
    st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: round(x, 2)),
    st.sampled_from([0.1, 0.1, 0.1, 1e6]),
)


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """Raw factors of a few dates, with missing values, ties, constants, tiny and unknown sectors."""
    keys = []
    for day in range(draw(st.integers(1, 2))):
        keys += [(DAY + datetime.timedelta(day), f"S{n:02}") for n in range(draw(st.integers(1, 9)))]
    keys = draw(st.permutations(keys))
    columns = {name: draw(st.lists(values, min_size=len(keys), max_size=len(keys))) for name in NAMES}
    sector = st.sampled_from(["x", "x", "y", "z", None])
    columns["sector"] = draw(st.lists(sector, min_size=len(keys), max_size=len(keys)))
    return pl.DataFrame(
        {"date": [day for day, _ in keys], "symbol": [symbol for _, symbol in keys], **columns},
        schema_overrides=dict.fromkeys(NAMES, pl.Float64) | {"sector": pl.String},
    )


@st.composite
def models(draw: st.DrawFn) -> ScoreModel:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    weights = st.floats(0.01, 10, allow_subnormal=False)
    return ScoreModel(
        "drawn",
        {name: ScoreFactor(name, draw(weights), draw(st.sampled_from([-1, 1]))) for name in names},
        winsorize=draw(
            st.sampled_from(
                [None, Winsorize(), Winsorize("mad", 1.0), Winsorize("std", 1.5), Winsorize("quantile", 0.1)]
            )
        ),
        neutralize=draw(st.sampled_from([None, "sector"])),
        min_factors=draw(st.one_of(st.none(), st.integers(1, len(names)))),
    )


def market(symbols: int = 24, bars: int = 320) -> pl.DataFrame:
    """Random walks in four sectors; the last symbol lists too late for a year of history."""
    rng = np.random.default_rng(3)
    days = [datetime.date(2023, 1, 2) + datetime.timedelta(n) for n in range(bars)]
    parts = []
    for number in range(symbols):
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01 + 0.001 * number, bars)))
        open_ = close * np.exp(rng.normal(0, 0.005, bars))
        part = pl.DataFrame(
            {
                "symbol": f"S{number:02}",
                "date": days,
                "open": open_,
                "high": np.maximum(open_, close) * 1.01,
                "low": np.minimum(open_, close) * 0.99,
                "close": close,
                "volume": rng.integers(1_000, 9_000, bars),
                "sector": ["tech", "energy", "bank", "food"][number % 4],
            }
        )
        parts.append(part.tail(40) if number == symbols - 1 else part)
    return pl.concat(parts)
