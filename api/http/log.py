"""Logs on stderr, with one line per request: text on a terminal, otherwise one JSON object per line."""

from __future__ import annotations

import logging
import sys
import time
import uuid

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["configure", "log", "log_requests"]

log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    logging.getLogger("factorloom.api"),
    processors=[structlog.contextvars.merge_contextvars, structlog.stdlib.render_to_log_kwargs],
    wrapper_class=structlog.stdlib.BoundLogger,
)
"""The log of the service, on top of the standard library's `logging`; silent unless that is configured."""

REQUEST_ID = b"x-request-id"


def configure(level: int = logging.INFO) -> None:
    """Write the logs of Factorloom in this process to stderr."""
    readable = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    plain: list[structlog.typing.Processor] = [structlog.processors.format_exc_info]
    last = [readable] if sys.stderr.isatty() else [*plain, structlog.processors.JSONRenderer()]
    handler = logging.StreamHandler(sys.stderr)
    clean = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[clean, *last]))
    logger = logging.getLogger("factorloom")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False


def log_requests(app: ASGIApp) -> ASGIApp:
    """Add an id to every request and its response, and log the status and duration."""

    async def logged(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        identity, started, status = uuid.uuid4().hex[:16], time.perf_counter(), 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                message["headers"] = [*message["headers"], (REQUEST_ID, identity.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request=identity):
            await app(scope, receive, send_with_id)
            duration = round((time.perf_counter() - started) * 1000, 2)
            log.info("answered", method=scope.get("method"), path=scope["path"], status=status, milliseconds=duration)

    return logged
