"""The application behind Granian: one worker, because one process may write a store."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces

from factorloom.api.app import STORE_VARIABLE, create_app
from factorloom.api.log import configure
from factorloom.expressions.errors import ArgumentError

__all__ = ["make_app", "serve"]


def serve(store: Path, host: str, port: int) -> None:
    """Serve until interrupted.

    Raises
    ------
    ArgumentError
        Where the address is taken, or not one of this machine.
    """
    check_free(host, port)
    os.environ[STORE_VARIABLE] = str(store.resolve())
    Granian(
        "factorloom.api.server:make_app",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=1,
    ).serve()


def check_free(host: str, port: int) -> None:
    """Refuse an address that is in use: a server could share its port with another, and each get half the requests."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        raise ArgumentError(
            f"cannot listen on {host}:{port}: {'another program does' if taken else error}",
            hint="name another port with --port" if taken else "name an address of this machine with --host",
        ) from None


def make_app():  # type: ignore[no-untyped-def]
    """The application in the worker's process."""
    configure()
    return create_app()
