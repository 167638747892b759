"""Evaluations at the edges: results beyond all numbers, all money lost, perfect leaks, arguments that nobody means."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import factorloom as fl
from factorloom.engine.research.evaluation.portfolio import compounded
from factorloom.expressions.errors import ArgumentError, FactorloomError, ParameterError
from factorloom.storage.store import Store, open_store

TABLES = (
    *("summary", "ic", "ic_by_group", "ic_by_year", "ic_decay", "quantile_returns", "quantile_returns_by_date"),
    *("long_short", "turnover", "autocorrelation", "coverage", "correlation", "alpha_beta", "tails", "dropped"),
)
DAYS = [datetime.date(2023, 12, 20) + datetime.timedelta(day) for day in range(12)]
FACTORS = {"x": fl.col("x"), "minus": -fl.col("x")}


def bars(symbols: int = 10, days: list[Any] = DAYS, **columns: pl.Expr) -> pl.DataFrame:
    """Bars of every symbol on every date, with random prices and values; `columns` replace some."""
    random = np.random.default_rng(0)
    rows = [(f"S{symbol}", day) for symbol in range(symbols) for day in days]
    walks = np.cumsum(random.normal(0, 0.02, (symbols, len(days))), axis=1)
    frame = pl.DataFrame(rows, schema=["symbol", "date"], orient="row").with_columns(
        close=pl.Series(10 * np.exp(walks).ravel()),
        x=pl.Series(random.normal(size=len(rows))),
        weight=pl.Series(random.random(len(rows))),
        inside=pl.lit(1.0),
        sector=pl.Series([("a", "b", "c")[symbol % 3] for symbol in range(symbols) for _ in days]),
    )
    return frame.with_columns(**columns)


DAY = pl.col("date").dt.day()
NUMBER = pl.col("symbol").str.slice(1).cast(pl.Int64)
MINUTES = [datetime.datetime(2024, 1, 1 + bar // 4, 10 + bar % 4) for bar in range(12)]


def on_even_days(value: float) -> pl.Expr:
    return pl.when(DAY % 2 == 0).then(pl.lit(value)).otherwise("close").alias("close")


def of_one(column: str, value: float) -> pl.Expr:
    return pl.when(pl.col("symbol") == "S1").then(pl.lit(value)).otherwise(column)


EDGES = {
    "prices of 1e300": bars(close=on_even_days(1e300)),
    "prices of 1e-300": bars(close=on_even_days(1e-300)),
    "returns of 1e308": bars(close=on_even_days(1e308)),
    "the smallest number": bars(close=on_even_days(5e-324)),
    "returns of 1e307 alternate": bars(close=pl.when(DAY % 2 == 0).then(2e-307).otherwise(3.0)),
    "squares that overflow": bars(close=pl.when((DAY + NUMBER) % 2 == 0).then(1e-154).otherwise(1.0)),
    "prices of 0": bars(close=pl.lit(0.0)),
    "constant prices": bars(close=pl.lit(7.0)),
    "infinite values": bars(x=of_one("x", math.inf)),
    "largest values": bars(x=pl.col("x").sign() * 1.7976931348623157e308),
    "infinite weights": bars(weight=of_one("weight", math.inf)),
    "huge weights": bars(weight=pl.lit(1e308)),
    "nobody inside": bars(inside=pl.lit(0.0)),
    "inside on some dates": bars(inside=(DAY % 3 == 0).cast(pl.Float64)),
    "one stock on a date": bars().filter((pl.col("date") != DAYS[4]) | (pl.col("symbol") == "S3")),
    "one cell": bars(1, DAYS[:1]),
    "32 bits": bars().with_columns(pl.selectors.float().cast(pl.Float32)),
    "bars in a day": bars(days=MINUTES),
    "a time zone": bars(days=MINUTES).with_columns(pl.col("date").dt.replace_time_zone("Asia/Kolkata")),
}  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "all": {
        "group": "sector",
        "universe": "inside",
        "weights": "weight",
        "neutral": True,
        "costs_bps": 10_000,
        "quantiles": 50,
        "horizons": (1, 3, 10**9),
        "entry_lag": 0,
    },
}
BETWEEN = {
    ("long_short", "drawdown"): (-1, 0),
    ("long_short", "cumulative_net"): (-1, math.inf),
    ("quantile_returns_by_date", "cumulative"): (-1, math.inf),
    ("summary", "long_short_drawdown"): (-1, 0),
    ("ic", "ic"): (-1, 1),
    ("turnover", "turnover"): (0, 1),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("edge", EDGES)
def test_nothing_is_infinite_or_warns_and_everything_is_drawn(edge: str, way: str, tmp_path: Path) -> None:
    panel = fl.Panel.from_frame(EDGES[edge])
    found = fl.evaluate(panel, FACTORS, **WAYS[way])
    for table in [*(getattr(found, name) for name in TABLES), found.events(before=2, after=2)]:
        for column in table.select(pl.selectors.float()):
            assert column.drop_nulls().is_finite().all(), column.name
    for (name, column), (low, high) in BETWEEN.items():
        values = getattr(found, name)[column].drop_nulls()
        assert values.is_between(low, high).all(), (name, column)
    rows = found.dropped.pivot("reason", index=["factor", "horizon"], values="rows")
    assert (rows["input"] == rows.drop("factor", "horizon", "input").sum_horizontal()).all()
    assert found.ic.schema["date"] == panel.frame.schema["date"]
    assert "<svg" in found.to_html(tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert found._repr_html_()


def test_what_is_lost_stays_lost() -> None:
    returns = np.array([0.5, -1.25, 0.5, np.nan, 3.0, -2.0])
    assert compounded(returns).tolist() == [0.5, -1.0, -1.0, -1.0, -1.0, -1.0]


def test_returns_less_the_mean_of_their_group_exceed_zero_not_the_market() -> None:
    rising = bars(close=pl.col("close") * 1.5 ** (DAY - 20))
    table = fl.evaluate(fl.Panel.from_frame(rising), FACTORS, group="sector", neutral=True, horizons=(1,), quantiles=2)
    returns = table.quantile_returns
    assert returns["excess"].to_list() == pytest.approx(returns["mean"].to_list())


@pytest.mark.parametrize("entry_lag", [0, 1])
def test_a_perfect_leak_that_no_date_varies_is_found(entry_lag: int) -> None:
    days = [DAYS[0] + datetime.timedelta(day) for day in range(40)]
    leaking = bars(30, days).with_columns(next=(pl.col("close").shift(-1) / pl.col("close")).over("symbol"))
    found = fl.evaluate(fl.Panel.from_frame(leaking), {"leak": fl.col("next")}, entry_lag=entry_lag, horizons=(1,))
    faults = found.health.filter(factor="leak", level="fault")["name"].to_list()
    assert "knows_a_return" in faults


PANEL = fl.Panel.from_frame(bars())
BAD: list[dict[str, Any]] = [
    {"horizons": (10**19,)},
    {"horizons": b"5"},
    {"horizons": np.array("x")},
    {"horizons": object()},
    {"horizons": True},
    {"entry_lag": 10**30},
    {"entry_lag": "1"},
    {"quantiles": 10**30},
    {"quantiles": 5.0},
    {"costs_bps": 10**400},
    {"costs_bps": 1e308},
    {"costs_bps": "5"},
    {"halted": 10**400},
    {"halted": math.nan},
    {"neutral": 1},
    {"price": fl.close},
    {"price": "sector"},
    {"group": ["sector"]},
    {"factors": {"\ud800": fl.close}},
    {"factors": {1: fl.close}},
]


@pytest.mark.parametrize("arguments", BAD, ids=[f"{next(iter(each))}-{place}" for place, each in enumerate(BAD)])
def test_bad_arguments_are_named_with_a_hint(arguments: dict[str, Any]) -> None:
    with pytest.raises(FactorloomError) as error:
        fl.evaluate(PANEL, **({"factors": FACTORS} | arguments))
    assert "hint: " in str(error.value)


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    found = fl.evaluate(PANEL, FACTORS, horizons=np.int64(2), entry_lag=np.int32(1))  # type: ignore[arg-type]
    assert found.horizons == (2,) and found.events(before=np.int64(1), after=0).height  # type: ignore[arg-type]


def test_events_are_within_reason_and_files_have_names(tmp_path: Path) -> None:
    found = fl.evaluate(PANEL, FACTORS)
    for name, value in (("before", 10**9), ("after", 10**19), ("after", -1)):
        with pytest.raises(ParameterError, match=name):
            found.events(**{name: value})
    with pytest.raises(ArgumentError, match="no file"):
        found.to_html(f"{tmp_path}/a\0b.html")


def test_what_is_refused_is_no_trial(tmp_path: Path) -> None:
    refused: list[dict[str, Any]] = [
        {"start": "2050-01-01"},
        {"end": "1990-01-01"},
        {"horizons": (0,)},
        {"price": "clos"},
        {"universe": "none"},
        {"factors": {"f": fl.forward_return(1)}},
    ]
    with open_store(tmp_path / "store") as store:
        store.load("demo", bars())
        for each in refused:
            with pytest.raises(FactorloomError):
                store.evaluate("demo", **({"factors": FACTORS} | each))
            assert not trials(store)
        store.evaluate("demo", FACTORS)
        assert trials(store) == [("minus", 1), ("x", 1)]


def trials(store: Store) -> list[tuple[Any, ...]]:
    return store.sql("SELECT name, times FROM catalog.trials ORDER BY name").rows()
