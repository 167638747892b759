"""A stand-in for an evaluation: random tables with the columns of the real one, for tests of what reads them."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from factorloom.engine.research.health import Finding, Level, findings_frame

REASONS = ("outside dates", "outside universe", "no factor value", "no entry price", "no exit yet", "no group")
DECAY = (1, 2, 3, 5, 10, 21, 42, 63)
SCHEMAS: dict[str, str] = {
    "summary": (
        "dates coverage ic_mean ic_std icir ic_t ic_p rank_ic_mean rank_ic_std rank_icir rank_ic_t rank_ic_p rank_ic_q "
        "rank_ic_low rank_ic_high hit_rate monotonicity spread spread_t long_short_return long_short_net "
        "long_short_sharpe long_short_drawdown deflated_sharpe turnover autocorrelation half_life alpha beta lags"
    ),
    "ic": "date ic rank_ic names",
    "ic_by_group": "group dates names ic_mean ic_std rank_ic_mean rank_ic_std rank_ic_t",
    "ic_by_year": "year dates ic_mean rank_ic_mean rank_ic_std rank_icir hit_rate",
    "ic_decay": "dates ic_mean rank_ic_mean rank_ic_t",
    "quantile_returns": "quantile dates names mean std_error excess hit_rate",
    "quantile_returns_by_date": "quantile date mean names cumulative",
    "long_short": "date gross cost net turnover cumulative_gross cumulative_net drawdown",
    "turnover": "quantile date turnover",
    "autocorrelation": "date autocorrelation",
    "alpha_beta": "alpha alpha_t beta beta_t r_squared",
    "tails": "quantile names p01 p05 p95 p99 worst best skew crash_rate",
    "dropped": "reason rows",
}
"""The columns of the tables after factor and horizon."""

COUNTS = ("dates", "names", "quantile", "year", "lags", "rows", "horizon", "eligible", "present")
TEXTS = ("factor", "group", "reason", "factor_a", "factor_b")


def dtype_of(name: str) -> Any:
    if name in TEXTS:
        return pl.String
    if name == "date":
        return pl.Date
    return pl.Int64 if name in COUNTS else pl.Float64


@dataclass
class PlainEvaluation:
    """Tables and attributes as `Evaluation` has them."""

    factors: list[str]
    horizons: list[int]
    tables: dict[str, pl.DataFrame]
    health: pl.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> pl.DataFrame:
        try:
            return self.__dict__["tables"][name]
        except KeyError:
            raise AttributeError(name) from None


def evaluation(
    factors: list[str] | None = None,
    horizons: tuple[int, ...] = (1, 5),
    dates: int = 90,
    *,
    quantiles: int = 5,
    groups: tuple[str, ...] = ("Energy", "Health Care", "Utilities"),
    missing: float = 0.02,
    seed: int = 0,
) -> PlainEvaluation:
    """Tables of random numbers; a share `missing` of all statistics is null."""
    random = np.random.default_rng(seed)
    factors = ["momentum", "value"] if factors is None else factors
    days = trading_days(dates)
    rows: dict[str, list[pl.DataFrame]] = {name: [] for name in SCHEMAS}
    for factor, horizon in itertools.product(factors, horizons):
        strength = random.normal(0.015, 0.02)
        for name, columns in _one(random, strength, horizon, days, quantiles, groups).items():
            frame = pl.DataFrame(columns).with_columns(
                pl.lit(factor, pl.String).alias("factor"), pl.lit(horizon, pl.Int64).alias("horizon")
            )
            rows[name].append(frame)
    tables = {name: _table(name, parts, missing, random) for name, parts in rows.items()}
    tables["coverage"] = _coverage(factors, days, random)
    tables["correlation"] = _correlation(factors, random)
    settings = {"horizons": list(horizons), "quantiles": quantiles, "price": "close", "entry_lag": 1, "costs_bps": 5.0}
    health = pl.concat(
        [
            finding("one_date", "fault", "momentum: without 2020-03-16 the mean has the other sign."),
            finding("thin_coverage", "warning", "value: on 12 dates fewer than half of the names."),
            finding("overlap", "info", "Returns of horizon 5 overlap; Newey-West lags account for it."),
        ]
    )
    return PlainEvaluation(list(factors), list(horizons), tables, health, settings)


def finding(name: str, level: Level, text: str) -> pl.DataFrame:
    """A finding as a frame."""
    return findings_frame([Finding(name=name, level=level, text=text, figure=0.0)])


def trading_days(count: int) -> list[dt.date]:
    day, found = dt.date(2013, 2, 8), []
    while len(found) < count:
        if day.weekday() < 5:
            found.append(day)
        day += dt.timedelta(days=1)
    return found


def _one(
    random: np.random.Generator,
    strength: float,
    horizon: int,
    days: list[dt.date],
    quantiles: int,
    groups: tuple[str, ...],
) -> dict[str, dict[str, Any]]:
    count = len(days)
    rank_ic = random.normal(strength, 0.12, count)
    level = np.arange(1, quantiles + 1)
    center = 0.0003 * horizon + strength * 0.008 * (level - (quantiles + 1) / 2)
    means = random.normal(center[:, None], 0.008 * math.sqrt(horizon), (quantiles, count))
    cumulative = np.cumprod(1 + means / horizon, axis=1) - 1
    gross = (means[-1] - means[0]) / horizon
    cost = np.full(count, 0.0001)
    wealth = np.cumprod(1 + gross - cost)
    years = sorted({day.year for day in days})
    held = np.repeat(level, count)
    n = len(years)
    return {
        "summary": {key: [value] for key, value in _summary(random, rank_ic, horizon, gross, cost).items()},
        "ic": {"date": days, "ic": rank_ic * 0.9, "rank_ic": rank_ic, "names": [470] * count},
        "ic_by_group": {
            "group": list(groups),
            **_spread(random, len(groups), "ic_mean", "rank_ic_mean", "rank_ic_t"),
            **{key: [0.15] * len(groups) for key in ("ic_std", "rank_ic_std")},
            **{key: [count] * len(groups) for key in ("dates", "names")},
        },
        "ic_by_year": {
            "year": years,
            "dates": [count // n] * n,
            **_spread(random, n, "ic_mean", "rank_ic_mean", "rank_icir"),
            "rank_ic_std": [0.12] * n,
            "hit_rate": [0.55] * n,
        },
        "ic_decay": {
            "horizon_": list(DECAY),
            "dates": [count] * len(DECAY),
            "rank_ic_mean": [strength * math.sqrt(h) / 2 for h in DECAY],
            "ic_mean": [strength / 2] * len(DECAY),
            "rank_ic_t": [strength * 100] * len(DECAY),
        },
        "quantile_returns": {
            "quantile": level,
            "dates": [count] * quantiles,
            "names": [94] * quantiles,
            "mean": means.mean(axis=1),
            "std_error": means.std(axis=1) / math.sqrt(count),
            "excess": means.mean(axis=1) - means.mean(),
            "hit_rate": (means > 0).mean(axis=1),
        },
        "quantile_returns_by_date": {
            "quantile": held,
            "date": days * quantiles,
            "mean": means.ravel(),
            "names": [94] * held.size,
            "cumulative": cumulative.ravel(),
        },
        "long_short": {
            "date": days,
            "gross": gross,
            "cost": cost,
            "net": gross - cost,
            "turnover": random.uniform(0.05, 0.2, count),
            "cumulative_gross": np.cumprod(1 + gross) - 1,
            "cumulative_net": wealth - 1,
            "drawdown": wealth / np.maximum.accumulate(wealth) - 1,
        },
        "turnover": {
            "quantile": held,
            "date": days * quantiles,
            "turnover": random.beta(2, 12, held.size),
        },
        "autocorrelation": {"date": days, "autocorrelation": 1 - random.beta(2, 40, count)},
        "alpha_beta": {key: [random.normal()] for key in ("alpha", "alpha_t", "beta", "beta_t", "r_squared")},
        "tails": {
            "quantile": level,
            "names": [94 * count] * quantiles,
            **{
                key: np.full(quantiles, p) * math.sqrt(horizon) + random.normal(0, 0.002, quantiles)
                for key, p in (
                    ("p01", -0.05),
                    ("p05", -0.025),
                    ("p95", 0.025),
                    ("p99", 0.05),
                    ("worst", -0.3),
                    ("best", 0.35),
                )
            },
            "skew": random.normal(0, 1, quantiles),
            "crash_rate": random.uniform(0, 0.01, quantiles),
        },
        "dropped": {
            "reason": ["input", *REASONS, "used"],
            "rows": [619_040, 0, 1_200, 9_000, 310, 505 * horizon, 0, 608_530 - 505 * horizon],
        },
    }


def _spread(random: np.random.Generator, count: int, *names: str) -> dict[str, Any]:
    return {name: random.normal(0.02, 0.03, count) for name in names}


def _summary(
    random: np.random.Generator, rank_ic: np.ndarray, horizon: int, gross: np.ndarray, cost: np.ndarray
) -> dict[str, Any]:
    count, mean = rank_ic.size, float(rank_ic.mean())
    deviation = float(rank_ic.std()) + 1e-9
    t = mean / deviation * math.sqrt(count)
    known = {
        "dates": count, "coverage": 0.97, "rank_ic_mean": mean, "rank_ic_std": deviation, "rank_icir": mean / deviation,
        "rank_ic_t": t, "rank_ic_p": math.erfc(abs(t) / math.sqrt(2)), "rank_ic_q": math.erfc(abs(t) / 2),
        "rank_ic_low": mean - 2 * deviation / math.sqrt(count), "rank_ic_high": mean + 2 * deviation / math.sqrt(count),
        "hit_rate": float((rank_ic > 0).mean()), "monotonicity": 0.9, "spread": 0.001 * horizon, "turnover": 0.14,
        "long_short_return": float(gross.mean() * 252), "long_short_net": float((gross - cost).mean() * 252),
        "long_short_drawdown": -0.123, "deflated_sharpe": 0.83, "autocorrelation": 0.95, "half_life": 31.2,
        "lags": max(horizon - 1, 4),
    }  # fmt: skip
    rest = {name: float(random.normal(0, 0.5)) for name in SCHEMAS["summary"].split() if name not in known}
    return known | rest


def _table(name: str, parts: list[pl.DataFrame], missing: float, random: np.random.Generator) -> pl.DataFrame:
    columns = ["factor", "horizon", *SCHEMAS[name].split()]
    if not parts:
        return pl.DataFrame(schema={column: dtype_of(column) for column in columns})
    whole = pl.concat(parts)
    if "horizon_" in whole.columns:
        whole = whole.with_columns(horizon=pl.col("horizon_")).unique(["factor", "horizon"], maintain_order=True)
    whole = whole.select(pl.col(column).cast(dtype_of(column)) for column in columns)
    hidden = [
        pl.when(pl.Series(random.random(whole.height) >= missing)).then(pl.col(column)).alias(column)
        for column in columns
        if dtype_of(column) == pl.Float64
    ]
    return whole.with_columns(hidden)


def _coverage(factors: list[str], days: list[dt.date], random: np.random.Generator) -> pl.DataFrame:
    parts = [
        pl.DataFrame({"factor": [factor] * len(days), "date": days, "eligible": [500] * len(days)}).with_columns(
            present=pl.Series(np.minimum(500, 400 + np.arange(len(days)) + random.integers(0, 20, len(days))))
        )
        for factor in factors
    ]
    schema = {"factor": pl.String, "date": pl.Date, "eligible": pl.Int64, "present": pl.Int64}
    whole = pl.concat(parts) if parts else pl.DataFrame(schema=schema)
    return whole.with_columns(coverage=pl.col("present") / pl.col("eligible"))


def _correlation(factors: list[str], random: np.random.Generator) -> pl.DataFrame:
    pairs = list(itertools.product(factors, repeat=2))
    values = [1.0 if a == b else math.tanh(random.normal(0, 0.5)) for a, b in pairs]
    return pl.DataFrame(
        {"factor_a": [a for a, _ in pairs], "factor_b": [b for _, b in pairs], "values": values, "ics": values[::-1]},
        schema={"factor_a": pl.String, "factor_b": pl.String, "values": pl.Float64, "ics": pl.Float64},
    )
