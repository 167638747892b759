"""Faults that were found by trying to break panels, limits of memory, and selections."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

import factorloom as fl
from factorloom.bench.workload import Workload, make_bars
from factorloom.engine.executor.choose import choose
from factorloom.engine.executor.fit import bytes_of, fit, needs
from factorloom.engine.executor.native import stage as stages
from factorloom.engine.executor.native import tile
from factorloom.engine.executor.native.parts import divide
from factorloom.engine.plan.passes import make_plan
from factorloom.engine.plan.plan import Orientation, Room, Stage
from factorloom.expressions.errors import ArgumentError, BarsError, ParameterError

BARS = pl.DataFrame({"symbol": ["A"], "date": [date(2024, 1, 2)], "close": [1.0], "sector": ["tech"]})
RANKS = {
    "a": fl.ts_mean(fl.cs_rank(fl.close), 2),
    "b": fl.cs_rank(fl.ts_mean(fl.close, 2)),
    "c": fl.cs_rank(fl.close),
}


def test_a_stage_without_outputs_is_one_part() -> None:
    stage = Stage(Orientation.DATE, ())
    assert divide(stage, 4) == [stage]


def test_many_symbols_on_one_date_within_a_limit() -> None:
    size = 300_000
    symbols = pl.select(pl.int_range(size).cast(pl.String).str.zfill(6)).to_series()
    close = pl.select((pl.int_range(size) % 977).cast(pl.Float64)).to_series()
    panel = fl.Panel.from_frame(pl.DataFrame({"symbol": symbols, "date": ["2024-01-02"] * size, "close": close}))
    fl.configure(threads=2)
    try:
        whole = panel.compute(RANKS)
        with pytest.raises(fl.errors.MemoryLimitError) as caught:
            panel.blocks(RANKS, memory=1)
        found = re.search(r"needs (\d+) MiB", str(caught.value))
        assert found
        assert pl.concat(panel.blocks(RANKS, memory=f"{found[1]} MiB")).equals(whole)
    finally:
        fl.configure()


@pytest.mark.parametrize("streamed", [False, True])
def test_batches_that_share_nothing_compute_no_output_again(streamed: bool) -> None:
    plan = make_plan(RANKS, streamed=streamed, room=Room(0, 2))
    dates = [stage for stage in plan.stages if stage.orientation is Orientation.DATE]
    assert dates
    assert all(stage.keeps for stage in dates)


@pytest.mark.parametrize("streamed", [False, True])
def test_what_is_said_to_be_needed_is_enough(streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, rows in (("TILE_ROWS", 512), ("BLOCK_ROWS", 2048)):
        monkeypatch.setattr(tile, name, rows)
    monkeypatch.setattr("factorloom.engine.executor.native.machine.BLOCK_ROWS", 2048)
    monkeypatch.setattr(stages, "processors", lambda: 1)
    monkeypatch.setattr("factorloom.engine.executor.native.machine.processors", lambda: 1)
    alphas, gtja = dict(fl.library.alpha101()), dict(fl.library.gtja191())
    factors = {n: alphas[n] for n in ("alpha030", "alpha012")} | {n: gtja[n] for n in ("gtja125", "gtja162")}
    panel = fl.Panel.from_frame(make_bars(Workload(40, 300)), dtype="float32")
    plan = make_plan(factors, streamed=streamed)
    executor = choose("numba", plan)
    total = sum(needs(plan, executor, panel).values())
    for share in (0.01, 0.2, 0.4, 0.5):
        with pytest.raises(fl.errors.MemoryLimitError) as caught:
            fit(plan, executor, panel, int(total * share))
        found = re.search(r"needs ([\d,]+) (bytes|MiB)", str(caught.value))
        assert found
        enough = int(found[1].replace(",", "")) * (2**20 if found[2] == "MiB" else 1)
        assert sum(needs(fit(plan, executor, panel, enough), executor, panel).values()) <= enough


@pytest.mark.parametrize("size", [10**400, "9" * 400 + " gb"])
def test_huge_limits_are_none(size: Any) -> None:
    assert fl.example().compute(RANKS, memory=size).equals(fl.example().compute(RANKS))


@pytest.mark.parametrize("size", ["0", "0 GB", "0.4"])
def test_limits_below_one_byte_are_refused(size: str) -> None:
    with pytest.raises(ArgumentError, match="memory must be a positive number"):
        bytes_of(size)


@pytest.mark.parametrize("keys", [{"symbol": "date"}, {"symbol": 1}, {"date": None}])
def test_keys_that_are_no_two_names_are_refused(keys: Any) -> None:
    with pytest.raises(ArgumentError, match=r"two columns|must be text"):
        fl.Panel.from_frame(BARS, **keys)


def test_further_bars_without_any_category() -> None:
    more = pl.DataFrame({"symbol": ["C"], "date": ["2024-01-03"], "close": [2.0], "sector": [None]})
    assert fl.Panel.from_frame(BARS).append(more).frame["sector"].to_list() == ["tech", None]


@pytest.mark.parametrize("kind", [pl.Datetime("ms"), pl.Datetime("us", "UTC")])
def test_days_and_moments_do_not_mix(kind: pl.DataType) -> None:
    midnight, noon = (BARS.with_columns(date=pl.Series([datetime(2025, 1, 1, h)]).cast(kind)) for h in (0, 12))
    days = fl.Panel.from_frame(BARS)
    assert days.append(midnight).dates[-1] == date(2025, 1, 1)
    with pytest.raises(BarsError, match="but those before have none: 2025-01-01 12:00:00 in row 1"):
        days.append(noon)
    moments = fl.Panel.from_frame(noon)
    later = midnight.with_columns(pl.col("date").dt.offset_by("1d"))
    assert moments.append(later).dates.to_list() == [datetime(2025, 1, 1, 12), datetime(2025, 1, 2)]
    with pytest.raises(BarsError, match="have no time of day, but those before have one: 2025-01-03 in row 1"):
        moments.append(BARS.with_columns(date=pl.lit("2025-01-03")))


def test_frames_in_parts_become_one() -> None:
    parts = fl.Panel.from_frame(pl.concat([BARS.with_columns(symbol=pl.lit(s)) for s in "ABC"], rechunk=False))
    later = parts.append(BARS.with_columns(symbol=pl.lit("D")))
    assert parts.table.n_chunks("all") == later.table.n_chunks("all") == [1, 1, 1, 1]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_zoned_dates_are_selected(unit: Any) -> None:
    days = pl.Series([datetime(2024, 3, 9, 5), datetime(2024, 3, 10, 5), datetime(2024, 3, 11, 4)])
    kind = pl.Datetime(unit, "America/New_York")
    panel = fl.Panel.from_frame(pl.DataFrame({"symbol": ["A"] * 3, "date": days.cast(kind), "close": [1.0, 2.0, 3.0]}))
    assert panel.dates.to_list() == [date(2024, 3, day) for day in (9, 10, 11)]
    cases: list[tuple[dict[str, Any], int]] = [
        ({"dates": "2024-03-10"}, 1),
        ({"start": "2024-03-10"}, 2),
        ({"start": date(2024, 3, 9), "end": datetime(2024, 3, 10, 23)}, 2),
        ({"start": "0001-01-01", "end": "9999-12-31"}, 3),
    ]
    for selection, height in cases:
        assert panel.compute(x=fl.close, **selection).height == height
    with pytest.raises(ParameterError, match="has a time zone"):
        panel.compute(x=fl.close, dates=datetime(2024, 3, 10, 5, tzinfo=UTC))


def test_blocks_of_some_dates_are_those_of_compute() -> None:
    panel = fl.Panel.from_frame(make_bars(Workload(40, 300)))
    factor = dict(fl.library.alpha101())["alpha083"]
    other = dict(fl.library.alpha101())["alpha088"]
    part: dict[str, Any] = {"start": date(2010, 11, 16), "end": date(2010, 11, 29), "symbols": ["S00039"]}
    whole = panel.compute({"a": factor, "b": other}, **part)
    assert pl.concat(panel.blocks({"a": factor, "b": other}, **part)).equals(whole)
