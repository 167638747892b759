"""The service's description of itself: all its routes, and how each refuses."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from litestar.testing import TestClient

from factorloom.api.http.app import create_app
from factorloom.expressions.errors import StoreError
from factorloom.storage.store import Store

PROBLEM = "application/problem+json"
Client = TestClient  # type: ignore[type-arg]


def test_openapi_names_every_path(client: Client) -> None:
    described = client.get("/schema/openapi.json").json()
    assert set(described["paths"]) == {
        "/health/live",
        "/health/ready",
        "/v1/datasets",
        "/v1/datasets/{name}",
        "/v1/factors/validate",
        "/v1/query",
        "/v1/score",
    }
    assert client.get("/schema").status_code == 200


def test_openapi_tells_how_every_route_refuses(client: Client) -> None:
    described = client.get("/schema/openapi.json").json()
    for path, verbs in described["paths"].items():
        for verb, operation in verbs.items():
            refusals = {code: answer["content"] for code, answer in operation["responses"].items() if code >= "400"}
            expected = {"500"} if path == "/health/live" else {"500", "503"}
            if verb == "post":
                expected |= {"400", "404", "413"}
            assert expected <= set(refusals), (path, verb)
            for content in refusals.values():
                assert content == {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}, (path, verb)


JSON_TYPES = {"string": str, "integer": int, "null": type(None), "array": list, "object": dict}


def conforms(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value is what a schema says, as far as the schema of a problem goes; no property may be unknown."""
    if "oneOf" in schema:
        return sum(conforms(value, one) for one in schema["oneOf"]) == 1
    if not isinstance(value, JSON_TYPES[schema["type"]]):
        return False
    if isinstance(value, list):
        return all(conforms(item, schema["items"]) for item in value)
    if isinstance(value, dict):
        known = schema["properties"]
        return set(schema["required"]) <= set(value) <= set(known) and all(conforms(value[k], known[k]) for k in value)
    return True


HTML = {"headers": {"accept": "text/html"}}
WRONG: list[tuple[str, str, dict[str, Any], int]] = [
    ("get", "/v1/datasets/{name}", {}, 404),  # nothing is called {name}
    ("post", "/v1/factors/validate", {"json": {"factors": {"m": "1 + ts_std(close, 1)"}}}, 400),
    ("post", "/v1/factors/validate", {"json": {"factor": {}}}, 400),
    ("post", "/v1/factors/validate", {"json": {"factors": {"m": "close"}, "dataset": "uk"}}, 404),
    ("post", "/v1/query", {"content": b"["}, 400),
    ("post", "/v1/query", {"content": b" " * 2_000_000}, 413),
    ("post", "/v1/query", {"json": {"dataset": "uk", "factors": {"m": "close"}}}, 404),
    ("post", "/v1/query", {"json": {"dataset": "us", "factors": {"m": "close"}}, **HTML}, 406),
    ("post", "/v1/score", {"json": {"dataset": "us", "model": {}}}, 400),
    ("post", "/v1/score", {"content": b" " * 2_000_000}, 413),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "path", "asked", "status"), WRONG)
def test_refusals_are_as_described(client: Client, verb: str, path: str, asked: dict[str, Any], status: int) -> None:
    assert_described(client, verb, path, asked, status)


@pytest.mark.parametrize(("fault", "status"), [(ZeroDivisionError, 500), (StoreError, 503)])
def test_faults_of_ours_are_as_described(
    store: Store, monkeypatch: pytest.MonkeyPatch, fault: type[Exception], status: int
) -> None:
    def fail(self: Store) -> pl.DataFrame:
        raise fault("gone")

    monkeypatch.setattr(Store, "datasets", fail)
    with TestClient(create_app(store), raise_server_exceptions=False) as client:
        for path in ("/health/ready", "/v1/datasets", "/v1/datasets/{name}"):
            assert_described(client, "get", path, {}, status)


def assert_described(client: Client, verb: str, path: str, asked: dict[str, Any], status: int) -> None:
    """A request is refused with this status, and with what the description says of it."""
    answer = client.request(verb, path, **asked)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    described = client.get("/schema/openapi.json").json()
    content = described["paths"][path][verb]["responses"][str(status)]["content"]
    name = content[PROBLEM]["schema"]["$ref"].removeprefix("#/components/schemas/")
    assert conforms(answer.json(), described["components"]["schemas"][name]), answer.text
