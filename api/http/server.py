"""Run the application under Granian, with one worker, which keeps what it has read in memory."""

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
        The port is in use or invalid, or the address does not belong to this machine.
    """
    address, port = find_address(host, port)
    os.environ[STORE_VARIABLE] = str(store.resolve())
    Granian(
        "factorloom.api.http.server:make_app",
        factory=True,
        address=address,
        port=port,
        interface=Interfaces.ASGI,
        workers=1,
    ).serve()


def find_address(host: str, port: int) -> tuple[str, int]:
    """The IP address of `host`, and `port`, or a free port for 0; an error if another program listens there.

    Granian would share a port in use, and each program would get half of the requests. The probe therefore listens
    without SO_REUSEPORT, and also on IPv4 if the server would.
    """
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not 0 <= port <= 65_535:
        raise ArgumentError(
            f"cannot listen on {shown}: a port must be from 0 to 65535", hint="choose another port with --port"
        )
    try:
        family, *_, found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        with socket.create_server((found[0], port, *found[2:]), family=family, dualstack_ipv6=both) as probe:
            return str(found[0]), int(probe.getsockname()[1])
    except OSError as error:
        reason = "the port is in use" if error.errno == errno.EADDRINUSE else error
        raise ArgumentError(
            f"cannot listen on {shown}: {reason}",
            hint="choose another port with --port, or another address of this machine with --host",
        ) from None


def make_app():  # type: ignore[no-untyped-def]
    """Create the application in the worker process."""
    configure()
    return create_app()
