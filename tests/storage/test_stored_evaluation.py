"""Evaluations of a store equal those of a panel, at any version, and count what was ever tried."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import factorloom as fl
from factorloom.engine.research.evaluation.evaluation import Evaluation
from factorloom.expressions.errors import ArgumentError, DatasetError, LookaheadError, ParameterError
from factorloom.storage.store import Store, open_store

MOMENTUM = fl.ts_pct_change(fl.close, 20)
FACTORS = {"momentum": MOMENTUM, "rank": fl.cs_rank(fl.ts_mean(fl.volume, 5))}
ASKED: dict[str, Any] = {"horizons": (1, 5), "group": "sector", "costs_bps": 10, "halted": -0.3}
TABLES = (
    *("summary", "ic", "ic_by_group", "ic_by_year", "ic_decay", "quantile_returns", "quantile_returns_by_date"),
    *("long_short", "turnover", "autocorrelation", "coverage", "correlation", "alpha_beta", "tails", "dropped"),
)


def check(found: Evaluation, expected: Evaluation) -> None:
    """All tables are equal, but for the deflated Sharpe ratio where more was tried."""
    tried = found.settings["trials"] != expected.settings["trials"]
    for name in TABLES:
        pair = [getattr(each, name) for each in (found, expected)]
        if name == "summary" and tried:
            pair = [each.drop("deflated_sharpe") for each in pair]
        assert_frame_equal(*pair, rel_tol=1e-12, abs_tol=1e-15)


@pytest.fixture
def half(bars: pl.DataFrame) -> pl.DataFrame:
    """Half of the symbols are members all the time, and one leaves."""
    symbols = bars["symbol"].unique().sort()[:16]
    leaves = pl.Series([dt.date(2025, 6, 30)] + [None] * 15, dtype=pl.Date)
    return pl.DataFrame({"symbol": symbols, "valid_from": [dt.date(2025, 1, 1)] * 16, "valid_to": leaves})


def test_a_store_says_what_a_panel_says(loaded: Store) -> None:
    expected = fl.evaluate(loaded.panel("demo"), FACTORS, **ASKED)
    check(loaded.evaluate("demo", FACTORS, **ASKED), expected)
    check(fl.evaluate(loaded, FACTORS, dataset="demo", **ASKED), expected)  # values that are kept by now
    part: dict[str, Any] = {**ASKED, "start": "2025-03-01", "end": "2025-09-30"}
    check(loaded.evaluate("demo", FACTORS, **part), fl.evaluate(loaded.panel("demo"), FACTORS, **part))


def test_a_universe_is_all_that_cross_sections_see(loaded: Store, half: pl.DataFrame) -> None:
    loaded.load_universe("demo", "half", half)
    member = fl.col("in_half")
    seen = {"momentum": MOMENTUM, "rank": fl.cs_rank(fl.where(member, fl.ts_mean(fl.volume, 5)))}
    found = fl.evaluate(loaded, FACTORS, dataset="demo", universe="half", **ASKED)
    check(found, fl.evaluate(loaded.panel("demo"), seen, universe=member, **ASKED))
    members = loaded.panel("demo").frame.group_by("date").agg(pl.col("in_half").sum().cast(pl.Int64)).sort("date")
    assert found.coverage.filter(pl.col("factor") == "rank")["eligible"].to_list() == members["in_half"].to_list()
    assert members["in_half"][0] > members["in_half"][-1] > 0
    with pytest.raises(ArgumentError, match="name of a universe"):
        fl.evaluate(loaded, FACTORS, dataset="demo", universe=member)
    with pytest.raises(ParameterError, match="did you mean 'half'"):
        fl.evaluate(loaded, FACTORS, dataset="demo", universe="halv")


def test_versions_after_an_append_and_a_restatement(store: Store, bars: pl.DataFrame) -> None:
    last = bars["date"].max()
    store.load("demo", bars.filter(pl.col("date") < last))
    first = store.evaluate("demo", FACTORS, **ASKED)
    store.load("demo", bars.filter(pl.col("date") == last))
    longer = store.evaluate("demo", FACTORS, **ASKED)
    assert longer.dates.len() == first.dates.len() + 1
    check(longer, fl.evaluate(store.panel("demo"), FACTORS, **ASKED))
    day = bars["date"].unique().sort()[100]
    store.load("demo", bars.filter(pl.col("date") == day).with_columns(pl.col("close") * 1.02))
    restated = store.evaluate("demo", FACTORS, **ASKED)
    check(restated, fl.evaluate(store.panel("demo"), FACTORS, **ASKED))
    assert not restated.ic.equals(longer.ic)
    check(store.evaluate("demo", FACTORS, as_of=1, **ASKED), first)
    check(fl.evaluate(store, FACTORS, dataset="demo", as_of=2, **ASKED), longer)


def test_nothing_is_computed_twice(loaded: Store) -> None:
    loaded.evaluate("demo", FACTORS, **ASKED)
    before = loaded.counters.cells
    loaded.evaluate("demo", FACTORS, **ASKED)
    assert loaded.counters.cells == before
    assert loaded.sql("SELECT verb, rows FROM catalog.runs")[-1].row(0) == ("evaluate", 4)


def trials(store: Store) -> list[tuple[Any, ...]]:
    return store.sql("SELECT name, text, times FROM catalog.trials WHERE dataset = 'demo' ORDER BY name").rows()


def test_every_factor_that_was_tried_counts_once(loaded: Store, bars: pl.DataFrame) -> None:
    assert trials(loaded) == []
    first = loaded.evaluate("demo", {"momentum": MOMENTUM}, horizons=5)
    assert first.settings["trials"] == 1
    found = loaded.evaluate("demo", {"again": MOMENTUM, **{f"r{n}": fl.ts_pct_change(fl.close, n) for n in (3, 5)}})
    assert found.settings["trials"] == 3
    assert trials(loaded) == [
        ("momentum", "ts_pct_change(close, 20)", 2),
        ("r3", "ts_pct_change(close, 3)", 1),
        ("r5", "ts_pct_change(close, 5)", 1),
    ]
    later = loaded.evaluate("demo", {"momentum": MOMENTUM}, horizons=5)
    assert later.settings["trials"] == 3
    assert later.summary["deflated_sharpe"][0] < first.summary["deflated_sharpe"][0]
    loaded.load("other", bars)
    assert loaded.evaluate("other", {"momentum": MOMENTUM}).settings["trials"] == 1
    loaded.drop("other")
    assert loaded.sql("SELECT dataset FROM catalog.trials")["dataset"].unique().to_list() == ["demo"]
    loaded.drop("demo")
    loaded.load("demo", bars)
    assert trials(loaded) == []


def test_what_fails_before_it_runs_is_not_counted(loaded: Store) -> None:
    for arguments, error in (
        ({"factors": {"x": fl.ts_lead(fl.close, 1)}}, LookaheadError),
        ({"factors": FACTORS, "quantiles": 1}, ParameterError),
        ({"factors": FACTORS, "universe": "nobody"}, ParameterError),
        ({"factors": {"a": fl.close, "A": fl.open_}}, ParameterError),
        ({}, ParameterError),
    ):
        with pytest.raises(error):
            loaded.evaluate("demo", **arguments)  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="did you mean 'demo'"):
        fl.evaluate(loaded, FACTORS, dataset="demos")
    with pytest.raises(ArgumentError, match="name the dataset of the store"):
        fl.evaluate(loaded, FACTORS)
    with pytest.raises(ArgumentError, match="got 3"):
        fl.evaluate(loaded, FACTORS, dataset=3)  # type: ignore[arg-type]
    assert trials(loaded) == []


def test_a_store_that_is_read_only_adds_to_what_is_counted(path: Path, bars: pl.DataFrame) -> None:
    with open_store(path) as store:
        store.load("demo", bars)
        store.evaluate("demo", {"momentum": MOMENTUM})
    with open_store(path, read_only=True) as store:
        found = store.evaluate("demo", FACTORS, **ASKED)
        check(found, fl.evaluate(store.panel("demo"), FACTORS, **ASKED))
        assert found.settings["trials"] == 2
        assert store.evaluate("demo", {"new": fl.volume, "old": MOMENTUM}).settings["trials"] == 2
        assert len(trials(store)) == 1


def test_saved_factors_are_evaluated_unasked(loaded: Store) -> None:
    loaded.save("demo", FACTORS)
    check(fl.evaluate(loaded, dataset="demo", **ASKED), fl.evaluate(loaded.panel("demo"), FACTORS, **ASKED))


def test_an_observer_cancels(loaded: Store) -> None:
    class Impatient(fl.Observer):
        def advance(self) -> None:
            self.cancel()
            super().advance()

    with pytest.raises(fl.errors.CancelledError):
        fl.evaluate(loaded, FACTORS, dataset="demo", observer=Impatient(), **ASKED)
