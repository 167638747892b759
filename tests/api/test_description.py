"""The OpenAPI description of the service: all routes and their error responses."""

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


def test_openapi_has_the_errors_of_every_route(client: Client) -> None:
    described = client.get("/schema/openapi.json").json()
    for path, verbs in described["paths"].items():
        for verb, operation in verbs.items():
            errors = {code: response["content"] for code, response in operation["responses"].items() if code >= "400"}
            expected = {"500"} if path == "/health/live" else {"500", "503"}
            if verb == "post":
                expected |= {"400", "404", "413"}
            assert expected <= set(errors), (path, verb)
            for content in errors.values():
                assert content == {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}, (path, verb)


JSON_TYPES = {"string": str, "integer": int, "null": type(None), "array": list, "object": dict}


def conforms(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value conforms to a JSON schema, for the keywords in the schema of a problem; no unknown properties."""
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


@pytest.mark.parametrize(("verb", "path", "arguments", "status"), WRONG)
def test_request_errors_match(client: Client, verb: str, path: str, arguments: dict[str, Any], status: int) -> None:
    assert_described(client, verb, path, arguments, status)


@pytest.mark.parametrize(("error", "status"), [(ZeroDivisionError, 500), (StoreError, 503)])
def test_internal_errors_are_as_described(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: type[Exception], status: int
) -> None:
    def fail(self: Store) -> pl.DataFrame:
        raise error("gone")

    monkeypatch.setattr(Store, "datasets", fail)
    with TestClient(create_app(store), raise_server_exceptions=False) as client:
        for path in ("/health/ready", "/v1/datasets", "/v1/datasets/{name}"):
            assert_described(client, "get", path, {}, status)


def assert_described(client: Client, verb: str, path: str, arguments: dict[str, Any], status: int) -> None:
    """A request gets this error status and a body as described by OpenAPI."""
    response = client.request(verb, path, **arguments)
    assert (response.status_code, response.headers["content-type"]) == (status, PROBLEM)
    described = client.get("/schema/openapi.json").json()
    content = described["paths"][path][verb]["responses"][str(status)]["content"]
    name = content[PROBLEM]["schema"]["$ref"].removeprefix("#/components/schemas/")
    assert conforms(response.json(), described["components"]["schemas"][name]), response.text
