"""The engines that are timed, Factorloom among them: one module each, all with the same interface.

Each module has a class `Engine`, which follows the protocol below. The other engines are optional dependencies, so a
module is imported only by the process that times its engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

import polars as pl

from factorloom.expressions.factor import Factor

__all__ = ["ENGINES", "OURS", "Engine", "EngineInfo", "NotRunnableError", "is_installed", "load_engine"]


class Engine(Protocol):
    """An engine with bars loaded in its own layout.

    Attributes
    ----------
    phases
        Seconds of each phase that it can time, such as planning or compiling.
    note
        A remark that explains its figures.
    """

    phases: dict[str, float]
    note: str

    def __init__(self, bars: pl.DataFrame, threads: int) -> None: ...

    def supports(self, name: str, factor: Factor) -> bool:
        """Whether it can compute a factor."""

    def prepare(self, factors: Mapping[str, Factor]) -> Callable[[], Any]:
        """The function to time: it computes the factors."""

    def to_frame(self, result: Any) -> pl.DataFrame:
        """The result of that function as `symbol`, `date` and one column per factor."""


class EngineInfo(NamedTuple):
    """An engine's module in this package, the package that it needs, and the sets that it can compute."""

    module: str
    package: str
    sets: tuple[str, ...]


class NotRunnableError(Exception):
    """An engine that is installed but cannot run on this machine."""


OURS = "factorloom"
LIBRARIES = ("alpha158", "alpha101", "gtja191")
ENGINES = {
    OURS: EngineInfo(
        "ours", "factorloom", ("alpha158", "alpha101", "gtja191", "operators", "column", "rank", "styles")
    ),
    "qweave": EngineInfo("qweave", "qweave", LIBRARIES),
    "kunquant": EngineInfo("kunquant", "KunQuant", ("alpha158", "alpha101")),
    "polars-ta": EngineInfo("polars_ta", "polars_ta", ("alpha101",)),
    "polars": EngineInfo("polars", "polars", ("operators",)),
}


def is_installed(name: str) -> bool:
    """Whether the package of an engine is installed."""
    return find_spec(ENGINES[name].package) is not None


def load_engine(name: str) -> type[Engine]:
    """The class of an engine that is installed."""
    engine: type[Engine] = import_module(f"factorloom.bench.peer.{ENGINES[name].module}").Engine
    return engine
