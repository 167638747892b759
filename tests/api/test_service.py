"""The service: responses, errors, and an event loop that is never blocked."""

from __future__ import annotations

import concurrent.futures
import io
import json
import threading
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar.testing import TestClient

from factorloom.api.http import route
from factorloom.api.http.app import create_app
from factorloom.api.http.response import ARROW
from factorloom.api.http.schema import MAX_FACTORS
from factorloom.expressions.parse import parse
from factorloom.storage.store import Store

PROBLEM = "application/problem+json"
Client = TestClient  # type: ignore[type-arg]


def refused(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith(PROBLEM)
    problem: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "instance"} <= set(problem)
    assert problem["status"] == status
    return problem


def test_datasets(client: Client) -> None:
    entry = client.get("/v1/datasets").json()["datasets"][0]
    assert (entry["name"], entry["version"], entry["symbols"]) == ("us", 1, 60)
    assert client.get("/v1/datasets/us").json() == entry
    assert refused(client.get("/v1/datasets/uss"), 404)["hint"] == "did you mean 'us'?"


def test_health_and_root(client: Client) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready"}
    assert client.get("/", follow_redirects=False).headers["location"] == "/schema"
    assert len(client.get("/health/live").headers["x-request-id"]) == 16


def test_not_ready_when_the_store_is_gone(store: Store) -> None:
    with TestClient(create_app(store)) as client:
        store.close()
        refused(client.get("/health/ready"), 503)
        assert client.get("/health/live").status_code == 200


def test_a_model_has_no_more_factors_than_a_request(client: Client) -> None:
    def body(count: int, text: str) -> dict[str, Any]:
        factors = {f"f{n}": {"expression": text.format(n + 2)} for n in range(count)}
        return {"dataset": "us", "model": {"name": "many", "factors": factors}}

    assert client.post("/v1/score", json=body(MAX_FACTORS, "ts_delay(close, {})")).status_code == 200
    for text in ("ts_delay(close, {})", "not parsed"):
        problem = refused(client.post("/v1/score", json=body(MAX_FACTORS + 1, text)), 400)
        assert problem["detail"] == "the model has 101 factors: more than 100"
        assert "factorloom score" in problem["hint"]


def test_validate_describes_a_factor(client: Client) -> None:
    body = {"factors": {"m": "ts_ema(close,20)/close-1"}, "dataset": "us"}
    assert client.post("/v1/factors/validate", json=body).json()["factors"]["m"] == {
        "expression": "ts_ema(close, 20) / close - 1",
        "digest": parse("ts_ema(close, 20) / close - 1").digest,
        "axis": "time",
        "lookback": 19,
        "lookahead": 0,
        "unbounded": True,
        "columns": ["close"],
    }


def test_validate_gives_the_position_of_an_error(client: Client) -> None:
    problem = refused(client.post("/v1/factors/validate", json={"factors": {"m": "1 + ts_std(close, 1)"}}), 400)
    assert problem["type"] == "urn:factorloom:window-error"
    assert problem["position"] == 18
    assert problem["shown"][1].index("^") == 5 + 18


def test_query_in_json_and_arrow(client: Client, store: Store) -> None:
    symbol = store.panel("us").symbols[3]
    text, start = "cs_rank(ts_pct_change(close, 20))", "2025-12-01"
    body = {"dataset": "us", "factors": {"m": text}, "symbols": [symbol], "start": start}
    table = client.post("/v1/query", json=body).json()
    expected = store.compute("us", {"m": parse(text)}, symbols=[symbol], start=start)
    assert table["rows"] == expected.height > 0
    assert table["columns"]["m"] == expected["m"].to_list()
    assert table["columns"]["date"] == [day.isoformat() for day in expected["date"]]
    response = client.post("/v1/query", json=body, headers={"accept": ARROW})
    assert response.headers["content-type"] == ARROW
    assert pl.read_ipc_stream(io.BytesIO(response.content)).equals(expected)


def test_missing_is_null(client: Client) -> None:
    body = {"dataset": "us", "factors": {"m": "close / (close - close)"}, "start": "2025-12-31"}
    values = client.post("/v1/query", json=body).json()["columns"]["m"]
    assert set(values) == {None}


def model_of(factor: object) -> dict[str, object]:
    return {"name": "m", "factors": {"a": factor}}


DEEP = "(" * 9_000 + "close" + ")" * 9_000
BAD: list[tuple[str, dict[str, Any], int, str]] = [
    ("/v1/query", {"dataset": "uk", "factors": {"m": "close"}}, 404, "no dataset 'uk'"),
    ("/v1/query", {"dataset": "../etc", "factors": {"m": "close"}}, 404, "not a valid dataset name"),
    ("/v1/query", {"dataset": "us", "factors": {"m": "ts_lead(close, 5)"}}, 400, "looks ahead: ts_lead"),
    ("/v1/query", {"dataset": "us", "factors": {"m": "clsoe"}}, 400, "no column 'clsoe'"),
    ("/v1/query", {"dataset": "us", "factors": {"m": "sector"}}, 400, "holds categories"),
    ("/v1/query", {"dataset": "us", "factors": {"m": DEEP}}, 400, "nested too deep"),
    ("/v1/query", {"dataset": "us", "factors": {"m": "abs(" * 10_000}}, 400, "too long"),
    ("/v1/query", {"dataset": "us", "factors": {"m": "ts_mean(close, 99999)"}}, 400, "at most 5,000"),
    ("/v1/query", {"dataset": "us", "factors": {"symbol": "close"}}, 400, "not a valid factor name"),
    ("/v1/query", {"dataset": "us", "factors": {}}, 400, "factors"),
    ("/v1/query", {"dataset": "us", "factors": {f"f{k}": "close" for k in range(101)}}, 400, "factors"),
    ("/v1/query", {"dataset": "us", "factors": {"m": "close"}, "symbols": ["NOBODY"]}, 400, "no symbol 'NOBODY'"),
    ("/v1/query", {"dataset": "us", "factors": {"m": "close"}, "start": "soon"}, 400, "must be a date"),
    ("/v1/query", {"dataset": "us", "factors": {"m": "close"}, "strat": "2025-01-01"}, 400, "strat"),
    ("/v1/query", {"dataset": "us", "factors": {"m": 3}}, 400, "str"),
    ("/v1/query", {"factors": {"m": "close"}}, 400, "dataset"),
    ("/v1/score", {"dataset": "us", "model": {}}, 400, "$.name: missing"),
    ("/v1/score", {"dataset": "us", "model": model_of({"expresion": "close"})}, 400, "$.factors.a.expresion"),
    ("/v1/score", {"dataset": "us", "model": model_of("ts_lead(close, 1)")}, 400, "looks ahead"),
    ("/v1/score", {"dataset": "us", "model": model_of("close"), "date": "2025-12-28"}, 400, "no bars on 2025-12-28"),
    ("/v1/factors/validate", {"factors": {"m": "close", "n": "__import__('os')"}}, 400, "unknown operator"),
    ("/v1/factors/validate", {"factors": {"m": "clsoe"}, "dataset": "us"}, 400, "no column 'clsoe'"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "message"), BAD, ids=[f"{p} {m}" for p, _, _, m in BAD])
def test_bad_requests(client: Client, path: str, body: dict[str, Any], status: int, message: str) -> None:
    problem = refused(client.post(path, json=body), status)
    assert message in problem["detail"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"not json", 400),
        (b"", 400),
        (b"[" * 100_000, 400),
        (b'{"dataset": "us"', 400),
        (b"\xff\xfe", 400),
        (b" " * 2_000_000, 413),
    ],
)
def test_bodies_that_cannot_be_read(client: Client, content: bytes, status: int) -> None:
    refused(client.post("/v1/query", content=content, headers={"content-type": "application/json"}), status)


def test_other_problems(client: Client) -> None:
    refused(client.get("/v2/query"), 404)
    refused(client.get("/v1/query"), 405)
    body = {"dataset": "us", "factors": {"m": "close"}, "start": "2025-12-31"}
    refused(client.post("/v1/query", json=body, headers={"accept": "text/html"}), 406)


def test_responses_that_are_too_large_are_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "MAX_CELLS", 1_000)
    body = {"dataset": "us", "factors": {"m": "close"}}
    assert "more than 1,000 values" in refused(client.post("/v1/query", json=body), 400)["detail"]


def test_an_internal_error_reveals_no_details(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Store) -> pl.DataFrame:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(Store, "datasets", fail)
    with TestClient(create_app(client.app.state.store), raise_server_exceptions=False) as quiet:
        problem = refused(quiet.get("/v1/datasets"), 500)
    assert "secret" not in json.dumps(problem)


def test_the_event_loop_is_free_while_a_computation_runs(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The computation waits for the response to another request, so it can only end if the event loop is free."""
    started, responded = threading.Event(), threading.Event()
    compute = Store.compute

    def slow(self: Store, *args: Any, **kwargs: Any) -> pl.DataFrame:
        started.set()
        assert responded.wait(60)
        return compute(self, *args, **kwargs)

    monkeypatch.setattr(Store, "compute", slow)
    body = {"dataset": "us", "factors": {"m": "close"}, "start": "2025-12-31"}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.post, "/v1/query", json=body)
        assert started.wait(60)
        assert client.get("/health/live").status_code == 200
        responded.set()
        assert waiting.result().status_code == 200


def test_a_response_has_the_version_of_its_values(
    client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load is committed during the computation: the values are computed again, on the new bars."""
    compute, loads = Store.compute, iter([7.0])
    last = store.panel("us").frame.tail(1).select("symbol", "date")

    def overtaken(self: Store, *args: Any, **kwargs: Any) -> pl.DataFrame:
        values = compute(self, *args, **kwargs)
        for close in loads:
            self.load("us", last.with_columns(close=pl.lit(close)))
        return values

    monkeypatch.setattr(Store, "compute", overtaken)
    body = {"dataset": "us", "factors": {"m": "close"}, "symbols": [last["symbol"][0]], "start": str(last["date"][0])}
    table = client.post("/v1/query", json=body).json()
    assert (table["version"], table["columns"]["m"]) == (2, [7.0])


def test_many_clients_at_once(client: Client) -> None:
    bodies = [
        {"dataset": "us", "factors": {"m": f"ts_mean(close, {2 + k % 4})"}, "start": "2025-12-31"} for k in range(24)
    ]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda body: client.post("/v1/query", json=body), bodies))
    assert [response.status_code for response in responses] == [200] * 24
    for k in range(4):
        assert len({response.text for response in responses[k::4]}) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "dataset": st.sampled_from(["us", "uk", ""]) | json_values,
        "factors": st.dictionaries(
            st.text(max_size=5), st.sampled_from(["close", "cs_rank(volume)", ")("]) | json_values, max_size=2
        )
        | json_values,
        "model": json_values,
        "symbols": json_values,
        "start": st.sampled_from(["2025-12-31"]) | json_values,
        "end": json_values,
        "date": json_values,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(["/v1/query", "/v1/score", "/v1/factors/validate"]), body=bodies | json_values)
def test_no_body_breaks_the_service(client: Client, path: str, body: Any) -> None:
    response = client.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert response.status_code in (200, 400, 404), response.text


def test_exact_dates(client: TestClient[Any]) -> None:
    query = {"dataset": "us", "factors": {"x": "close"}, "dates": ["2025-12-30", "2025-12-31"]}
    found = client.post("/v1/query", json=query).json()
    assert set(found["columns"]["date"]) == {"2025-12-30", "2025-12-31"}
    refused = client.post("/v1/query", json={**query, "dates": ["2025-12-28"]})
    assert (refused.status_code, refused.json()["detail"]) == (400, "no bars on 2025-12-28")


def test_a_body_that_is_not_utf8_is_a_bad_request(client: TestClient[Any]) -> None:
    body = '{"dataset": "us", "factors": {"x": "close"}, "symbols": ["é"]}'.encode("latin-1")
    response = client.post("/v1/query", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert "not UTF-8" in response.json()["detail"]
