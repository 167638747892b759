"""Fixtures of the store tests: a store in a new file, and a small market."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from factorloom.engine.bars.market import simulate
from factorloom.storage.store import Store, open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A path for a store."""
    return tmp_path / "market"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An empty store."""
    with open_store(path) as store:
        yield store


@pytest.fixture(scope="session")
def bars() -> pl.DataFrame:
    """Thirty symbols over a year."""
    return simulate(symbols=30, years=1)


@pytest.fixture
def loaded(store: Store, bars: pl.DataFrame) -> Store:
    """A store with the dataset `demo`."""
    store.load("demo", bars)
    return store
