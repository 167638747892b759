"""Responses in the format that the client accepts: JSON, or an Arrow stream."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import polars as pl
from litestar import Request, Response
from litestar.exceptions import HTTPException

__all__ = ["ARROW", "JSON", "respond"]

ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"


def respond(request: Request[Any, Any, Any], frame: pl.DataFrame, as_json: Callable[[], Any]) -> Response[Any]:
    """A response with a frame as an Arrow stream, or with the result of `as_json`."""
    accepted = request.accept.best_match([JSON, ARROW], default=None)
    if accepted is None:
        raise HTTPException(f"responses are {JSON} or {ARROW}", status_code=406)
    if accepted == JSON:
        return Response(as_json(), media_type=JSON)
    sink = BytesIO()
    frame.write_ipc_stream(sink, compat_level=pl.CompatLevel.oldest())
    return Response(sink.getvalue(), media_type=ARROW)
