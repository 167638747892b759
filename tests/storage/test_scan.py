"""Lazy results of a store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import polars as pl
import pytest

import factorloom as fl
from factorloom.storage import scan as module
from factorloom.storage.store import Store

FACTORS = {"x": fl.ts_mean(fl.close, 2), "y": fl.cs_rank(fl.close)}
LAST = dt.date(2024, 1, 4)


@pytest.fixture
def store() -> Iterator[Store]:
    with fl.open_store(":memory:") as opened:
        opened.load("us", fl.example().frame.drop("sector"))
        yield opened


def test_one_column_of_one_date_is_read(store: Store) -> None:
    query = store.scan("us", FACTORS).filter(pl.col("date") == LAST).select("symbol", "x")
    assert query.collect().equals(store.compute("us", FACTORS, dates=LAST).select("symbol", "x"))
    before = store.counters
    query.collect()
    after = store.counters
    assert (after.hits - before.hits, after.misses - before.misses) == (1, 0)
    store.scan("us", z=fl.returns, w=fl.close).select("z").collect()
    assert store.counters.misses == after.misses + 1


@pytest.mark.parametrize("rows", [1, 3, 10**6])
def test_it_has_the_values_of_compute(store: Store, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", rows)
    assert store.scan("us", FACTORS).collect().equals(store.compute("us", FACTORS))
    assert store.scan("us", FACTORS).head(4).collect().equals(store.compute("us", FACTORS).head(4))
    assert store.scan("us", FACTORS).select("date").collect().equals(store.compute("us", FACTORS).select("date"))


def test_expressions_of_polars_are_found_in_the_cache_again(store: Store) -> None:
    store.compute("us", pl.col("close").rolling_mean(2).alias("mean"))
    before = store.counters.misses
    store.compute("us", mean=fl.ts_mean(fl.close, 2))
    assert store.counters.misses == before


def test_a_scan_of_a_changed_dataset_is_refused(store: Store) -> None:
    query = store.scan("us", FACTORS)
    store.load("us", pl.DataFrame({"symbol": ["Z"], "date": [LAST], "close": [1.0]}))
    with pytest.raises(fl.errors.StoreError, match="was changed since"):
        query.collect()


def test_unknown_names_are_refused_at_once(store: Store) -> None:
    with pytest.raises(fl.errors.DatasetError):
        store.scan("uk", FACTORS)
    with pytest.raises(fl.errors.ParameterError, match="no symbol"):
        store.scan("us", FACTORS, symbols="X")
