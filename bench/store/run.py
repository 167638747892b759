"""The benchmark of the store: its parts, and the report of their figures."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from factorloom.bench.machine import Machine, describe
from factorloom.bench.store.append import append
from factorloom.bench.store.as_of import as_of
from factorloom.bench.store.daily import daily
from factorloom.bench.store.day import day
from factorloom.bench.store.figure import Figure
from factorloom.bench.store.large import large
from factorloom.bench.store.market import Market
from factorloom.bench.store.options import Options
from factorloom.bench.store.readers import readers
from factorloom.bench.store.restate import restate
from factorloom.bench.store.storing import storing
from factorloom.expressions.errors import ArgumentError

__all__ = ["PARTS", "Report", "run"]

PARTS: Mapping[str, Callable[[Market], Iterator[Figure]]] = {
    "storing": storing,
    "append": append,
    "daily": daily,
    "restate": restate,
    "as-of": as_of,
    "day": day,
    "readers": readers,
    "large": large,
}


class Report(msgspec.Struct, kw_only=True):
    """All figures, by part."""

    machine: Machine
    options: Options
    parts: dict[str, list[Figure]] = {}


def run(
    options: Options,
    log: Callable[[str], None] = lambda message: None,
    done: Callable[[str, list[Figure]], None] = lambda part, figures: None,
) -> Report:
    """Run the parts that are chosen, and tell of each that is done."""
    chosen = list(PARTS) if options.part == "all" else options.part.split(",")
    for name in chosen:
        if name not in PARTS:
            raise ArgumentError(f"part must be all or some of {', '.join(PARTS)}; got {name!r}")
    report = Report(machine=describe(), options=options)
    with tempfile.TemporaryDirectory(prefix="factorloom-bench-", dir=options.folder) as folder:
        market = Market(options, Path(folder), log)
        for name in (name for name in PARTS if name in chosen):
            log(f"part {name}")
            report.parts[name] = list(PARTS[name](market))
            done(name, report.parts[name])
            _clear(market)
    return report


def _clear(market: Market) -> None:
    """Delete what a part has written, but for the store that others start from."""
    for path in market.folder.iterdir():
        if path.is_dir() and path.name != "base":
            shutil.rmtree(path)
