"""The application behind Granian: one worker, because one process may write a store."""

from __future__ import annotations

import os
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces

from factorloom.api.app import STORE_VARIABLE, create_app
from factorloom.api.log import configure

__all__ = ["make_app", "serve"]


def serve(store: Path, host: str, port: int) -> None:
    """Serve until interrupted."""
    os.environ[STORE_VARIABLE] = str(store.resolve())
    Granian(
        "factorloom.api.server:make_app",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=1,
    ).serve()


def make_app():  # type: ignore[no-untyped-def]
    """The application in the worker's process."""
    configure()
    return create_app()
