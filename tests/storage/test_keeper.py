"""Small results wait in memory, and are written together."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

from factorloom.expressions.parse import parse
from factorloom.storage.keeper import WAITING, StoreWarning
from factorloom.storage.lock import locked
from factorloom.storage.store import Store, open_store
from tests.storage.process import start

TWICE = {"twice": parse("close * 2")}


def files(store: Store) -> int:
    """Files of values, without what SQL would write before it looks."""
    return len(store._backing.catalog().cache)


def test_results_are_written_when_there_are_many(loaded: Store) -> None:
    for number in range(WAITING - 1):
        loaded.compute("demo", x=parse(f"close * {number + 2}.0"))
    assert files(loaded) == 0
    before = loaded._backing.catalog().number
    loaded.compute("demo", TWICE | {"x": parse("close * 1.5")})
    assert files(loaded) > 0
    assert loaded._backing.catalog().number == before + 1
    loaded.compute("demo", x=parse("close * 3.0"))
    assert loaded.counters.misses == WAITING


def test_another_store_of_the_process_finds_them_and_keeps_them(path: Path, bars: pl.DataFrame) -> None:
    with open_store(path) as one, open_store(path) as other:
        one.load("demo", bars)
        values = one.compute("demo", TWICE)
        assert other.compute("demo", TWICE).equals(values)
        assert (other.counters.hits, other.counters.misses) == (1, 0)
        one.close()
        assert files(other) == 1
    with open_store(path, read_only=True) as third:
        assert third.compute("demo", TWICE).equals(values)
        assert third.counters.misses == 0


@pytest.mark.skipif(sys.platform == "win32", reason="the helper speaks to processes by pipes of POSIX")
def test_a_store_that_is_never_closed_writes_them_at_exit(path: Path, bars: pl.DataFrame) -> None:
    with open_store(path) as store:
        store.load("demo", bars)
    process = start('store = open_store(path); say(store.compute("demo", twice="close * 2").height)', path)
    out, said = process.communicate()
    assert (out.strip(), process.returncode) == (str(bars.height), 0), said
    with open_store(path, read_only=True) as store:
        assert files(store) == 1
        store.compute("demo", TWICE)
        assert store.counters.misses == 0


def test_what_cannot_be_written_stays_and_is_written_later(path: Path, bars: pl.DataFrame) -> None:
    with open_store(path, wait=0) as store:
        store.load("demo", bars)
        values = store.compute("demo", TWICE)
        with locked(store._backing.folder, wait=0), pytest.warns(StoreWarning, match="computed but not kept"):
            store.prewarm("demo", TWICE)
        store.clear()
        assert store.compute("demo", TWICE).equals(values)
        assert store.counters.misses == 1
        assert files(store) == 1


def test_restated_bars_do_not_meet_values_that_wait(loaded: Store, bars: pl.DataFrame) -> None:
    old = loaded.compute("demo", TWICE)
    loaded.load("demo", bars.head(1).with_columns(close=pl.lit(77.0)))
    new = loaded.compute("demo", TWICE)
    assert new.filter(pl.col("twice") == 154.0).height == 1
    assert loaded.compute("demo", TWICE, as_of=1).equals(old)
