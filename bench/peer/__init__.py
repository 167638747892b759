"""The engines that are timed, all behind one interface, each in a module of its own.

A module has a class `Engine`. Made with bars and a number of threads, it takes the bars in its own layout; `has` tells
whether it knows a factor; `ready` gives the function whose time counts; `frame` turns what that function returns into
a frame of `symbol`, `date` and a column per factor. Peers are optional: nothing imports a module here but the process
that times it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

import polars as pl

from factorloom.expressions.factor import Factor

__all__ = ["OURS", "PEERS", "Engine", "NotRunnableError", "Peer", "installed", "load"]


class Engine(Protocol):
    """An engine that holds bars.

    Attributes
    ----------
    parts
        Seconds of its work that it can tell apart, such as planning or compiling.
    note
        What must be known to read its figures.
    """

    parts: dict[str, float]
    note: str

    def __init__(self, bars: pl.DataFrame, threads: int) -> None: ...

    def has(self, name: str, factor: Factor) -> bool: ...

    def ready(self, factors: Mapping[str, Factor]) -> Callable[[], Any]: ...

    def frame(self, result: Any) -> pl.DataFrame: ...


class Peer(NamedTuple):
    """Where an engine is found: its module here, the package it needs, and the sets it has."""

    module: str
    package: str
    sets: tuple[str, ...]


class NotRunnableError(Exception):
    """An engine is installed but cannot run here."""


OURS = "factorloom"
PEERS = {
    OURS: Peer("ours", "factorloom", ("alpha158", "alpha101", "gtja191", "operators")),
    "qweave": Peer("qweave", "qweave", ("alpha158", "alpha101", "gtja191")),
    "kunquant": Peer("kunquant", "KunQuant", ("alpha158", "alpha101")),
    "polars-ta": Peer("polars_ta", "polars_ta", ("alpha101",)),
    "polars": Peer("polars", "polars", ("operators",)),
}


def installed(name: str) -> bool:
    """Whether the package of an engine is there."""
    return find_spec(PEERS[name].package) is not None


def load(name: str) -> type[Engine]:
    """The class of an engine whose package is there."""
    made: type[Engine] = import_module(f"factorloom.bench.peer.{PEERS[name].module}").Engine
    return made
