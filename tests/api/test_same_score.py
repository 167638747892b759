"""One score, whichever door it comes out of."""

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
from factorloom.api.app import create_app
from factorloom.storage.store import open_store

Scores = dict[str, tuple[float | None, int | None, float | None, str | None, float | None, float | None]]
PARTS = ("momentum", "calm")


def by_symbol(rows: list[dict[str, Any]], part: Callable[[dict[str, Any], str], float | None]) -> Scores:
    return {
        row["symbol"]: (
            row["score"], row["rank"], row["percentile"], row["reason"], part(row, PARTS[0]), part(row, PARTS[1])
        )
        for row in rows
    }  # fmt: skip


def column(row: dict[str, Any], name: str) -> float | None:
    value: float | None = row[f"contribution_{name}"]
    return value


def test_python_command_line_sql_and_http_give_the_same_score(
    store_path: Path, model_file: Path, market: pl.DataFrame, command: Callable[..., tuple[int, str, str]]
) -> None:
    model = fl.ScoreModel.from_toml(model_file)
    panel = fl.Panel.from_frame(market)
    python = by_symbol(fl.score(panel, model).to_dicts(), column)
    with open_store(store_path) as store:
        assert by_symbol(store.score("us", model).to_dicts(), column) == python
        rows = store.sql("select * from scores.us where model = 'small'").to_dicts()
        assert by_symbol(rows, lambda row, name: row["contributions"][name]) == python
        with TestClient(create_app(store)) as client:
            body = {"dataset": "us", "model": tomllib.loads(model_file.read_text())}
            served = client.post("/v1/score", json=body).json()
        assert by_symbol(served["rows"], lambda row, name: row["contributions"][name]) == python
        assert served["model_digest"] == model.digest
    code, out, _ = command("score", "us", model_file, "--store", store_path, "--format", "json")
    assert code == 0
    assert by_symbol(json.loads(out), column) == python
    assert len({score for score, *_ in python.values()}) > 30


def ask(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert server.poll() is None, "the server ended"
        try:
            ask(f"{url}/health/ready")
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
            served = ask(f"{url}/v1/score", {"dataset": "us", "model": tomllib.loads(model_file.read_text())})
        finally:
            server.terminate()
            server.wait(30)
    expected = fl.score(fl.Panel.from_frame(market), fl.ScoreModel.from_toml(model_file))
    assert [row["symbol"] for row in served["rows"]] == expected["symbol"].to_list()
    assert [row["score"] for row in served["rows"]] == expected["score"].to_list()
    assert '"path": "/v1/score", "status": 200' in log.read_text()
    with open_store(store_path) as store:
        assert store.sql("select count(*) as n from scores.us")["n"][0] == expected.height
