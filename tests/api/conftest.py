"""Fixtures of the interface tests: a small market in a store, an HTTP client, and a command runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from litestar.testing import TestClient

from factorloom.api.cli import command as cli
from factorloom.api.http.app import create_app
from factorloom.engine.bars.market import simulate
from factorloom.engine.runtime.progress import LINE
from factorloom.storage.store import Store, open_store

MODEL = """
name = "small"
neutralize = "sector"

[factors.momentum]
expression = "ts_delay(close, 5) / ts_delay(close, 60) - 1"
weight = 2

[factors.calm]
expression = "ts_std(returns, 20)"
direction = -1
"""


@pytest.fixture(scope="session")
def market() -> pl.DataFrame:
    return simulate(symbols=60, years=1)


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "small.toml"
    path.write_text(MODEL)
    return path


@pytest.fixture
def store_path(tmp_path: Path, market: pl.DataFrame) -> Path:
    path = tmp_path / "market.duckdb"
    with open_store(path) as store:
        store.load("us", market.drop("sector"), attributes=market.select("symbol", "sector").unique())
    return path


@pytest.fixture
def store(store_path: Path) -> Iterator[Store]:
    with open_store(store_path) as opened:
        yield opened


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:  # type: ignore[type-arg]
    with TestClient(create_app(store)) as opened:
        yield opened


Result = tuple[int, str, str]


@pytest.fixture
def command(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Result]:
    """Run a command in this process; returns its exit code, stdout and stderr, but for the line about compiling."""

    def run(*argv: object) -> Result:
        capfdbinary.readouterr()
        code = cli.run([str(word) for word in argv])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode().replace(f"{LINE}\n", "")

    return run
