"""ArcticDB after many daily appends, as the peer."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl

from factorloom.bench.store.figure import Figure, figure, timed
from factorloom.bench.store.market import Market, disk
from factorloom.engine.panel import Panel

__all__ = ["arctic"]

NAME = "values"


def arctic(market: Market, bars: pl.DataFrame, folder: Path) -> Iterator[Figure]:
    """A full read of all values after daily appends, and the disk, beside one write."""
    if find_spec("arcticdb") is None or find_spec("pandas") is None:
        yield Figure(what="ArcticDB", value=0, unit="", note="arcticdb is not installed")
        return
    values = Panel.from_frame(bars).compute(market.factors).sort("date", "symbol")
    days = [_frame(day) for day in values.partition_by("date", maintain_order=True)]
    market.log(f"ArcticDB: {len(days)} daily appends")
    appended, once = (_library(folder / name) for name in ("daily", "once"))
    runs = [timed(lambda day=day: appended.append(NAME, day, prune_previous_versions=True)) for day in days]  # type: ignore[misc]
    once.write(NAME, _frame(values), prune_previous_versions=True)
    edge = max(1, len(runs) // 4)
    yield figure("ArcticDB: one of the first daily appends", runs[:edge], note="values only, which are at hand")
    yield figure("ArcticDB: one of the last", runs[-edge:], "the first", runs[:edge])
    repeats = range(market.options.repeats)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it sets an option that pandas gives up
        fresh, late = ([timed(lambda each=each: each.read(NAME)) for _ in repeats] for each in (once, appended))  # type: ignore[misc]
    yield figure("ArcticDB: full read after daily appends", late, "written at once", fresh)
    size, other = disk(folder / "daily"), disk(folder / "once")
    yield Figure(
        what="ArcticDB: disk after daily appends", value=size, unit="B", of="written at once", ratio=size / other
    )


def _library(folder: Path) -> Any:
    folder.mkdir(parents=True)
    client = importlib.import_module("arcticdb").Arctic(f"lmdb://{folder}?map_size=16GB")
    return client.get_library("bench", create_if_missing=True)


def _frame(values: pl.DataFrame) -> Any:
    """The values of some days, indexed by date."""
    return values.with_columns(pl.col("date").cast(pl.Datetime("ns"))).to_pandas().set_index("date")
