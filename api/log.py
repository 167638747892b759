"""Logs on stderr: readable on a terminal, one JSON object a line elsewhere; one line for every request."""

from __future__ import annotations

import logging
import sys
import time
import uuid

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["configure", "log_requests"]

log = structlog.get_logger("factorloom.api")
REQUEST_ID = b"x-request-id"


def configure(level: int = logging.INFO) -> None:
    """Send the logs of this process to stderr, those of libraries included."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    readable = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    last = readable if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]
        )
    )
    root = logging.getLogger("factorloom")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False


def log_requests(app: ASGIApp) -> ASGIApp:
    """Give every request an id, which its answer carries too, and log how it ended and how long it took."""

    async def logged(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        identity, started, status = uuid.uuid4().hex[:16], time.perf_counter(), 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (REQUEST_ID, identity.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request=identity):
            await app(scope, receive, send_with_id)
            milliseconds = round((time.perf_counter() - started) * 1000, 2)
            log.info(
                "answered", method=scope.get("method"), path=scope["path"], status=status, milliseconds=milliseconds
            )

    return logged
