"""The application behind Granian: one worker, because one process may write a store."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces

from factorloom.api.http.app import STORE_VARIABLE, create_app
from factorloom.api.http.log import configure
from factorloom.expressions.errors import ArgumentError

__all__ = ["make_app", "serve"]


def serve(store: Path, host: str, port: int) -> None:
    """Serve until interrupted.

    Raises
    ------
    ArgumentError
        Where the port is taken or there is none, or the address is not of this machine.
    """
    address, port = free_address(host, port)
    os.environ[STORE_VARIABLE] = str(store.resolve())
    Granian(
        "factorloom.api.http.server:make_app",
        factory=True,
        address=address,
        port=port,
        interface=Interfaces.ASGI,
        workers=1,
    ).serve()


def free_address(host: str, port: int) -> tuple[str, int]:
    """The IP address of `host`, and `port`, or a free one for 0; refused where another program listens.

    The server would share a port that is in use, and each get half the requests. Hence the probe: it listens, without
    SO_REUSEPORT, on IPv4 too where the server would.
    """
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not 0 <= port <= 65_535:
        raise ArgumentError(
            f"cannot listen on {shown}: a port is from 0 to 65535", hint="name another port with --port"
        )
    try:
        family, *_, place = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        with socket.create_server((place[0], port, *place[2:]), family=family, dualstack_ipv6=both) as probe:
            return str(place[0]), int(probe.getsockname()[1])
    except OSError as error:
        reason = "another program does" if error.errno == errno.EADDRINUSE else error
        raise ArgumentError(
            f"cannot listen on {shown}: {reason}",
            hint="name another port with --port, or another address of this machine with --host",
        ) from None


def make_app():  # type: ignore[no-untyped-def]
    """The application in the worker's process."""
    configure()
    return create_app()
