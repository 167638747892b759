"""Labels of a store: an append completes some, a restatement reaches few, and dates that are gone are not counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import polars as pl
import pytest

from factorloom.engine.research.label import forward_return
from factorloom.expressions.factor import Factor
from factorloom.storage.store import Store

LABELS: dict[str, Factor] = {
    "next": forward_return(1),
    "week": forward_return(5, halted=-0.3),
    "month": forward_return(21, excess="sector"),
    "bars": forward_return(5, exit="bar"),
}


def check(store: Store, labels: Mapping[str, Factor] = LABELS) -> pl.DataFrame:
    """Values, new or kept, equal those of a panel; so do those of some symbols and dates."""
    panel = store.panel("demo")
    whole = store.compute("demo", labels)
    assert whole.equals(panel.compute(labels))
    days, names = panel.dates, panel.symbols
    part = {"symbols": names[0], "start": days[days.len() // 2], "end": days[-1]}
    assert store.compute("demo", labels, **part).equals(panel.compute(labels, **part))  # type: ignore[arg-type]
    return whole


@pytest.fixture
def cells(store: Store) -> list[int]:
    return [0]


def computed(store: Store, seen: list[int]) -> int:
    """How many cells were computed since the last call."""
    before, seen[0] = seen[0], store.counters.cells
    return seen[0] - before


def test_an_append_completes_labels_and_computes_few(store: Store, bars: pl.DataFrame, cells: list[int]) -> None:
    days = bars["date"].unique().sort()
    store.load("demo", bars.filter(pl.col("date") < days[-1]))
    before = check(store, {"week": LABELS["week"]})
    all_cells = computed(store, cells)
    store.load("demo", bars.filter(pl.col("date") == days[-1]))
    after = check(store, {"week": LABELS["week"]})
    assert 0 < computed(store, cells) < all_cells / 10
    complete = days[-7]
    assert before.filter(pl.col("date") == complete)["week"].null_count() == before.filter(date=complete).height
    assert after.filter(pl.col("date") == complete)["week"].null_count() < before.filter(date=complete).height


def test_a_restated_price_reaches_the_labels_that_read_it(store: Store, bars: pl.DataFrame, cells: list[int]) -> None:
    store.load("demo", bars)
    check(store)
    computed(store, cells)
    some = bars.filter(pl.col("symbol") == bars["symbol"][0])[100]
    store.load("demo", some.with_columns(pl.col("close") * 2))
    check(store, {"next": LABELS["next"], "week": LABELS["week"]})
    assert computed(store, cells) <= 2 * (7 + 3)


def test_a_date_that_only_one_symbol_has_comes_and_goes(store: Store, bars: pl.DataFrame) -> None:
    """Whoever has no bar on it counts it too: in the middle, and where it makes the last labels complete."""
    store.load("demo", bars)
    check(store)
    days = bars["date"].unique().sort()
    friday = next(day for day in days[20:] if day + dt.timedelta(1) not in days)
    rare = bars.filter(pl.col("symbol") == bars["symbol"][0])[:3].with_columns(
        symbol=pl.lit("RARE"),
        date=pl.Series([friday + dt.timedelta(1), days[-1] + dt.timedelta(2), days[-1] + dt.timedelta(3)]),
    )
    assert not rare["date"].is_in(days.implode()).any()
    store.load("demo", rare)
    longer = check(store)
    store.drop("demo", symbols=["RARE"])
    shorter = check(store)
    assert not shorter["next"].equals(longer.filter(pl.col("symbol") != "RARE")["next"])
    version = store.version("demo") - 1
    assert store.compute("demo", LABELS, as_of=version).equals(longer)


def test_lazy_labels_of_a_store(loaded: Store) -> None:
    expected = check(loaded)
    query = loaded.scan("demo", LABELS).filter(pl.col("symbol") == "FIRST").select("date", "month").collect()
    assert query.equals(expected.filter(pl.col("symbol") == "FIRST").select("date", "month"))
