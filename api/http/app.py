"""The Litestar application."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from litestar import Litestar
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, SwaggerRenderPlugin
from litestar.openapi.spec import Tag

from factorloom.api.http.log import log_requests
from factorloom.api.http.problem import HANDLERS as PROBLEMS
from factorloom.api.http.route import HANDLERS as ROUTES
from factorloom.storage.store import Store, open_store

__all__ = ["create_app"]

MAX_BODY = 1_000_000
STORE_VARIABLE = "FACTORLOOM_STORE"

DESCRIPTION = """
Equity factors, computed and scored over the datasets of one store.

Factors are sent as text, such as `cs_rank(ts_pct_change(close, 20))`; models as JSON with the keys of their TOML form.
Errors are `application/problem+json` with the position of the error and a hint.
"""
TAGS = [
    Tag("data", "The datasets of the store."),
    Tag("factors", "Check and compute factors."),
    Tag("scores", "Weighted composites with their contributions."),
    Tag("health", "For monitoring."),
]


def create_app(store: Store | str | os.PathLike[str] | None = None) -> Litestar:
    """Create the application for a store.

    Parameters
    ----------
    store
        An open store, which the application does not close, or the path of one, which is open while the application
        runs. The default is the path in the environment variable FACTORLOOM_STORE, or `factorloom-store`.

    Examples
    --------
    >>> from factorloom.api.http.app import create_app
    >>> sorted(route.path for route in create_app("market").routes if route.path.startswith("/v1"))[:2]
    ['/v1/datasets', '/v1/datasets/{name:str}']
    """
    source = os.environ.get(STORE_VARIABLE, "factorloom-store") if store is None else store

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        if isinstance(source, Store):
            app.state.store = source
            yield
            return
        with open_store(Path(source)) as opened:
            app.state.store = opened
            yield

    return Litestar(
        ROUTES,
        lifespan=[lifespan],
        middleware=[log_requests],
        logging_config=None,
        exception_handlers=PROBLEMS,
        request_max_body_size=MAX_BODY,
        openapi_config=OpenAPIConfig(
            title="Factorloom",
            version=version("factorloom"),
            description=DESCRIPTION,
            tags=TAGS,
            path="/schema",
            render_plugins=[SwaggerRenderPlugin(), JsonRenderPlugin()],
        ),
    )
