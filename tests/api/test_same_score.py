"""Scores are equal through every interface."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from litestar.testing import TestClient

import factorloom as fl
from factorloom.api.http.app import create_app
from factorloom.storage.store import open_store

BALANCED = Path(__file__).parents[2] / "examples" / "models" / "balanced.toml"
PREFIX = "contribution_"
Command = Callable[..., tuple[int, str, str]]
Scores = dict[str, tuple[object, ...]]


def by_symbol(rows: list[dict[str, Any]]) -> Scores:
    """The scores by symbol, from rows with a column per contribution or with all contributions in one column."""
    names = ("score", "rank", "percentile", "quantile", "coverage", "reason")
    return {row["symbol"]: (*(row[name] for name in names), *_parts(row)) for row in rows}


def _parts(row: dict[str, Any]) -> list[tuple[str, float | None]]:
    flat = {name.removeprefix(PREFIX): part for name, part in row.items() if name.startswith(PREFIX)}
    return sorted((flat or row["contributions"]).items())


def assert_one_score(dataset: str, panel: fl.Panel, model_file: Path, path: Path, command: Command) -> None:
    """Python, the store, SQL, HTTP and the command line give identical scores."""
    model = fl.ScoreModel.from_toml(model_file)
    python = by_symbol(fl.score(panel, model).to_dicts())
    with open_store(path) as store:
        assert by_symbol(store.score(dataset, model).to_dicts()) == python
        stored = store.sql(f"select * from scores.{dataset} where model_digest = ?", [model.digest])
        assert by_symbol(stored.to_dicts()) == python
        with TestClient(create_app(store)) as client:
            body = {"dataset": dataset, "model": tomllib.loads(model_file.read_text())}
            served = client.post("/v1/score", json=body).json()
    assert by_symbol(served["rows"]) == python
    assert served["model_digest"] == model.digest
    code, out, _ = command("score", dataset, model_file, "--store", path, "--format", "json")
    assert code == 0
    assert by_symbol(json.loads(out)) == python
    assert len({row[0] for row in python.values()}) > 30


def test_on_a_simulated_market(store_path: Path, model_file: Path, market: pl.DataFrame, command: Command) -> None:
    assert_one_score("us", fl.Panel.from_frame(market), model_file, store_path, command)


def test_on_real_bars(data_folder: Path, tmp_path: Path, command: Command) -> None:
    """The S&P 500 file, loaded on the command line."""
    path, prices = tmp_path / "sp500.duckdb", data_folder / "prices" / "sp500_2013_2018.parquet"
    sectors = data_folder / "reference" / "sp500_gics_sectors.csv"
    words = ("load", "sp500", prices, "--attributes", sectors, "--map.sector", "GICS Sector", "--store", path)
    code, out, err = command(*words)
    assert (code, err) == (0, "")
    assert "619,040 bars of 505 symbols, 2013-02-08 to 2018-02-07" in out
    names = pl.read_csv(sectors).select(symbol="Symbol", sector="GICS Sector")
    bars = pl.read_parquet(prices).join(names, on="symbol", how="left")
    assert_one_score("sp500", fl.Panel.from_frame(bars), BALANCED, path, command)


def fetch(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())


def wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert server.poll() is None, "the server ended"
        try:
            fetch(f"{url}/health/ready")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    pytest.fail("the server never became ready")


@pytest.mark.skipif(sys.platform == "win32", reason="the server is stopped with a signal")
def test_a_real_server(store_path: Path, model_file: Path, market: pl.DataFrame, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-m", "factorloom", "serve", "--port", str(port), "--store", str(store_path)]
    log = tmp_path / "log"
    with log.open("wb") as sink:
        server = subprocess.Popen([sys.executable, *words], stdout=sink, stderr=sink, env=os.environ)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_ready(url, server)
            served = fetch(f"{url}/v1/score", {"dataset": "us", "model": tomllib.loads(model_file.read_text())})
        finally:
            server.terminate()
            server.wait(30)
    expected = fl.score(fl.Panel.from_frame(market), fl.ScoreModel.from_toml(model_file))
    assert [row["symbol"] for row in served["rows"]] == expected["symbol"].to_list()
    assert [row["score"] for row in served["rows"]] == expected["score"].to_list()
    assert '"path": "/v1/score", "status": 200' in log.read_text()
    with open_store(store_path) as store:
        assert store.sql("select count(*) as n from scores.us")["n"][0] == expected.height
