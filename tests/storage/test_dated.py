"""Attributes and universes that change over time, and what their cross-sections see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.panel import Panel
from factorloom.engine.research.model import ScoreModel
from factorloom.expressions.errors import BarsError, DatasetError, FactorloomError, ParameterError, UnknownColumnError
from factorloom.expressions.parse import parse
from factorloom.storage.store import Store, open_store

START = dt.date(2024, 1, 1)
SYMBOLS = ["A", "B", "C", "D"]
BARS = pl.DataFrame(
    [
        {"symbol": symbol, "date": START + dt.timedelta(day), "close": float(10 * number + day * (number - 1.5))}
        for number, symbol in enumerate(SYMBOLS)
        for day in range(12)
    ]
)
FACTORS = {
    "mean": parse("ts_mean(close, 3)"),
    "rank": parse("cs_rank(ts_mean(close, 3))"),
    "within": parse("group_rank(close, sector)"),
    "smooth": parse("ts_mean(cs_rank(close), 2)"),
}
SECTORS = pl.DataFrame({"symbol": SYMBOLS, "sector": ["x", "x", "y", "y"]})

spans = st.lists(
    st.tuples(st.sampled_from(SYMBOLS), st.none() | st.integers(0, 11), st.none() | st.integers(0, 11)), max_size=6
)


def members(rows: list[tuple[str, int | None, int | None]]) -> pl.DataFrame:
    schema = {"symbol": pl.String, "valid_from": pl.Date, "valid_to": pl.Date}
    days = [(s, *(None if n is None else START + dt.timedelta(n) for n in (a, b))) for s, a, b in rows]
    return pl.DataFrame(days, schema=schema, orient="row")


def apart(rows: list[tuple[str, int | None, int | None]]) -> bool:
    """Whether no row ends before it starts, and none overlaps another."""
    days = [(symbol, -1 if a is None else a, 99 if b is None else b) for symbol, a, b in rows]
    held = [(symbol, day) for symbol, first, last in days for day in range(first, last + 1)]
    return all(first <= last for _, first, last in days) and len(set(held)) == len(held)


@given(rows=spans)
def test_membership_is_that_of_each_day(rows: list[tuple[str, int | None, int | None]]) -> None:
    with open_store(":memory:") as store:
        store.load("demo", BARS, attributes=SECTORS)
        if not apart(rows):
            with pytest.raises(BarsError, match=r"overlap|ends before it starts|repeat"):
                store.load_universe("demo", "index", members(rows))
            assert store.version("demo") == 1
            return
        store.load_universe("demo", "index", members(rows))
        days = [(s, -1 if a is None else a, 99 if b is None else b) for s, a, b in rows]
        inside = [any(s == bar[0] and a <= (bar[1] - START).days <= b for s, a, b in days) for bar in BARS.iter_rows()]
        panel = store.panel("demo")
        assert panel["in_index"].to_list() == [float(each) for each in inside]
        found = store.compute("demo", FACTORS, universe="index")
        member = pl.Series(inside)
        alone = Panel.from_frame(panel.frame.with_columns(pl.when(member).then("close").alias("inner")))
        expected = alone.compute(
            mean=FACTORS["mean"],
            rank=parse("cs_rank(where(in_index, ts_mean(close, 3)))"),
            within=parse("group_rank(inner, sector)"),
            smooth=parse("ts_mean(cs_rank(inner), 2)"),
        ).with_columns(pl.when(member).then(pl.col(name)).alias(name) for name in FACTORS)
        assert found.equals(expected)
        assert store.compute("demo", FACTORS, universe="index").equals(expected)


def test_a_symbol_that_comes_back_and_one_that_leaves(store: Store) -> None:
    store.load("demo", BARS)
    store.load_universe("demo", "index", members([("A", None, 2), ("A", 5, None), ("B", 0, 6)]))
    inside = store.panel("demo").frame.filter(pl.col("in_index") == 1)
    assert inside.filter(symbol="A")["date"].dt.day().to_list() == [1, 2, 3, 6, 7, 8, 9, 10, 11, 12]
    assert store.compute("demo", mean=FACTORS["mean"]).filter(symbol="B")["mean"].null_count() == 2
    assert store.sql("SELECT * FROM universes.demo ORDER BY ALL").height == 3


def test_the_membership_of_the_sp500(store: Store, data_folder: Path) -> None:
    table = pl.read_csv(data_folder / "reference" / "sp500_membership.csv")
    days = pl.date_range(dt.date(2015, 1, 1), dt.date(2015, 1, 31), eager=True)
    symbols = sorted(set(table["ticker"]))
    bars = pl.DataFrame({"symbol": symbols}).join(pl.DataFrame({"date": days}), how="cross").with_columns(close=1.0)
    store.load("us", bars)
    store.load_universe("us", "sp500", table, symbol="ticker", valid_from="start_date", valid_to="end_date")
    first = pl.col("start_date").str.to_date()
    last = pl.col("end_date").str.to_date().fill_null(dt.date(2030, 1, 1))
    day = dt.date(2015, 1, 14)
    expected = set(table.filter(first <= day, last >= day)["ticker"])
    counted = store.panel("us", dates=day).frame.filter(pl.col("in_sp500") == 1)
    assert set(counted["symbol"]) == expected
    assert 490 < len(expected) < 520


def test_attributes_hold_from_their_first_day(store: Store) -> None:
    store.load("demo", BARS, attributes=SECTORS)
    moved = pl.DataFrame({"symbol": ["A"], "valid_from": ["2024-01-05"], "sector": ["y"]})
    before = store.compute("demo", FACTORS)
    assert store.load_attributes("demo", moved) == 2
    sectors = store.panel("demo").frame.filter(symbol="A")["sector"].to_list()
    assert sectors == ["x"] * 4 + ["y"] * 8
    hits = store.counters.hits
    after = store.compute("demo", FACTORS)
    assert after.equals(store.panel("demo").compute(FACTORS))
    assert store.counters.hits - hits == 3  # only one of them reads the sector
    changed = after.filter(pl.Series(before["within"].ne_missing(after["within"])))
    assert changed["date"].min() >= dt.date(2024, 1, 5)
    assert store.compute("demo", FACTORS, as_of=1).equals(before)
    assert store.load_attributes("demo", moved) == 2
    assert store.sql("SELECT * FROM attributes.demo").columns == ["symbol", "valid_from", "valid_to", "sector"]


def test_scores_within_a_universe(store: Store) -> None:
    store.load("demo", BARS)
    store.load_universe("demo", "index", members([("A", None, None), ("C", None, None)]))
    model = ScoreModel("m", {"x": parse("close")})
    scores = store.score("demo", model, universe="index")
    assert sorted(scores["symbol"]) == ["A", "C"]
    assert store.sql("SELECT symbol FROM scores.demo ORDER BY 1")["symbol"].to_list() == ["A", "C"]


def test_scans_take_a_universe(store: Store) -> None:
    store.load("demo", BARS, attributes=SECTORS)
    store.load_universe("demo", "index", members([("A", None, None), ("B", 3, None)]))
    lazy = store.scan("demo", FACTORS, universe="index")
    assert lazy.collect().equals(store.compute("demo", FACTORS, universe="index"))


BAD: list[tuple[Callable[[Store], object], type[Exception], str]] = [
    (lambda s: s.compute("demo", x="close", universe="idnex"), ParameterError, "did you mean 'index'"),
    (lambda s: s.scan("demo", x="close", universe="none"), ParameterError, "no universe 'none'"),
    (lambda s: s.load_universe("demo", "Bad Name", members([])), DatasetError, "not a valid universe name"),
    (lambda s: s.load_universe("dmeo", "index", members([("A", 0, 1)])), DatasetError, "did you mean 'demo'"),
    (lambda s: s.load_universe("demo", "index", members([("A", 5, 1)])), BarsError, "ends before it starts"),
    (lambda s: s.load_universe("demo", "index", members([("A", 0, 9), ("A", 5, 11)])), BarsError, "overlap"),
    (lambda s: s.load_universe("demo", "index", members([("A", 3, 3), ("A", 3, 3)])), BarsError, "repeat a symbol"),
    (lambda s: s.load_universe("demo", "x", pl.DataFrame({"a": [1]})), UnknownColumnError, "symbol"),
    (lambda s: s.load_universe("demo", "x", members([]), valid_from="soon"), UnknownColumnError, "soon"),
    (lambda s: s.load_attributes("demo", SECTORS.rename({"sector": "close"})), BarsError, "must hold numbers"),
    (lambda s: s.load_attributes("demo", SECTORS.rename({"sector": "CLOSE"})), FactorloomError, "close|CLOSE"),
    (lambda s: s.load_attributes("demo", SECTORS.rename({"sector": "in_index"})), BarsError, "both have a column"),
    (lambda s: s.load_attributes("demo", SECTORS.with_columns(valid_from=pl.lit("soon"))), FactorloomError, "soon"),
    (lambda s: s.compute("demo", x="close", as_of=99), ParameterError, "no version 99"),
    (lambda s: s.compute("demo", x="close", as_of="1999-01-01"), ParameterError, "nothing was known"),
    (lambda s: s.compute("demo", x="close", as_of="soon"), ParameterError, "is no time"),
    (lambda s: s.panel("demo", as_of=1.5), ParameterError, "must be a version or a time"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_what_is_wrong_is_refused_and_changes_nothing(store: Store, number: int) -> None:
    store.load("demo", BARS)
    store.load_universe("demo", "index", members([("A", None, None)]))
    call, error, message = BAD[number]
    with pytest.raises(error, match=message):
        call(store)
    assert store.version("demo") == 2
    assert store.panel("demo").columns == ("close", "in_index")


def test_as_of_a_time_and_a_version(store: Store) -> None:
    store.load("demo", BARS)
    first = store.sql("SELECT known_at FROM catalog.versions").item()
    store.load("demo", BARS.with_columns(pl.col("close") + 1))
    for as_of in (1, first, first.isoformat(), first.replace(tzinfo=dt.UTC)):
        assert store.panel("demo", as_of=as_of).frame.equals(BARS)
        assert store.sql("SELECT sum(close) FROM bars.demo", as_of=as_of).item() == BARS["close"].sum()
        assert store.score("demo", fl.ScoreModel("m", {"x": parse("close")}), as_of=as_of).height == 4
    assert store.sql("SELECT count(*) FROM scores.demo").item() == 0
    assert store.panel("demo", as_of=dt.date.today()).frame["close"].sum() == BARS["close"].sum() + BARS.height
    times: Any = store.sql("SELECT version, kind, inserted, updated FROM catalog.versions").rows()
    assert times == [(1, "load", 48, 0), (2, "load", 0, 48)]
