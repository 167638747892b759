"""Stages in batches, ranks kept as whole numbers, and outputs that wait in a file: less memory, the same values."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import factorloom as fl
from factorloom.bench.workload import Workload, make_bars
from factorloom.engine.executor.choose import Engine, choose
from factorloom.engine.executor.fit import bytes_of, fit
from factorloom.engine.executor.native.rank import rank_type
from factorloom.engine.executor.native.spill import SpillFile
from factorloom.engine.panel import Panel
from factorloom.engine.plan.passes import make_plan
from factorloom.engine.plan.plan import Plan, Room
from factorloom.expressions.factor import Factor

ALPHAS = dict(fl.library.alpha101())
PANEL = Panel.from_frame(make_bars(Workload(23, 260)))


def run(plan: Plan, panel: Panel, engine: Engine) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(block.values) for block in choose(engine).run(plan, panel, fl.Observer())])


def plan_within(factors: dict[str, Factor], columns: float, streamed: bool, rank_bytes: int = 2) -> Plan:
    return make_plan(factors, streamed=streamed, room=Room(8 * columns, rank_bytes))


@settings(max_examples=15)
@given(st.sets(st.sampled_from(sorted(ALPHAS)), min_size=1, max_size=25), st.integers(0, 12), st.booleans())
def test_batches_change_no_value(names: set[str], columns: int, streamed: bool) -> None:
    factors = {name: ALPHAS[name] for name in sorted(names)}
    whole = run(plan_within(factors, math.inf, False), PANEL, "numba")
    split = run(plan_within(factors, columns, streamed), PANEL, "numba")
    assert split.equals(whole)


def test_batches_of_polars_stages_change_no_value() -> None:
    factors = {name: ALPHAS[name] for name in ("alpha003", "alpha036", "alpha060")}
    whole = run(plan_within(factors, math.inf, False), PANEL, "polars")
    for streamed in (False, True):
        split = run(plan_within(factors, 0, streamed), PANEL, "polars")
        assert_frame_equal(split, whole, rel_tol=0, abs_tol=1e-9)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("columns", [60, 40, 30])
def test_what_waits_stays_within_the_room(columns: int, streamed: bool) -> None:
    whole, split = plan_within(ALPHAS, math.inf, streamed), plan_within(ALPHAS, columns, streamed)
    assert whole.waiting_bytes > 8 * columns >= split.waiting_bytes
    assert bool(split.on_disk) == (streamed and columns < 50)
    steps = [sum(len(stage.nodes) for stage in plan.stages) for plan in (whole, split)]
    assert steps[1] < 1.2 * steps[0]


def test_results_wait_in_a_file_only_where_a_limit_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("factorloom.engine.executor.fit.LEAST", 0)
    executor, streamed = choose("numba"), plan_within(ALPHAS, math.inf, True)
    free = fit(streamed, executor, PANEL, None)
    assert len(free.stages) > len(streamed.stages)
    assert not free.on_disk
    needs = executor.memory(free, PANEL)
    tight = fit(streamed, executor, PANEL, int(sum(needs.values()) - needs["between stages"] / 3))
    assert tight.on_disk


@pytest.mark.parametrize("streamed", [False, True])
def test_batches_that_share_nothing_need_little_where_a_caller_asks_for_it(streamed: bool) -> None:
    names = [name for name in ALPHAS if "cs_rank" in str(ALPHAS[name])][:20]
    factors = {name: ALPHAS[name] for name in names}
    slow, fast = (make_plan(factors, streamed=streamed, room=Room(0, 2, may_be_slow=slow)) for slow in (True, False))
    assert slow.anew
    assert not fast.anew
    assert slow.waiting_bytes < fast.waiting_bytes


def test_a_plan_with_room_is_left_alone() -> None:
    whole = plan_within(ALPHAS, math.inf, False)
    assert len(plan_within(ALPHAS, whole.waiting_bytes / 8, False).stages) == len(whole.stages)


@given(st.lists(st.sampled_from([1.0, 2.0, 2.0, 5.0, None]), min_size=1, max_size=40))
def test_ranks_that_wait_are_the_same_to_the_last_bit(closes: list[float | None]) -> None:
    dates = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 1, 2), eager=True)
    bars = [(f"S{k:02}", day, close) for k, close in enumerate(closes) for day in dates]
    panel = Panel.from_frame(
        pl.DataFrame(bars, {"symbol": pl.String, "date": pl.Date, "close": pl.Float64}, orient="row")
    )
    rank = fl.cs_rank(fl.close)
    values = panel.compute(direct=rank, waiting=fl.ts_mean(rank, 1), twice=fl.cs_demean(fl.ts_mean(rank, 1) + 0 * rank))
    assert values["waiting"].equals(values["direct"])
    present = [close for close in closes if close is not None]
    if present:
        order = sorted(present)
        expected = [
            None if c is None else (order.index(c) + 1 + order.index(c) + order.count(c)) / 2 / len(order)
            for c in closes
        ]
        assert values.filter(pl.col("date") == dates[0])["direct"].to_list() == expected


def test_ranks_of_many_symbols_wait_in_more_bytes() -> None:
    size = 33_000
    close = np.random.default_rng(7).permutation(size).astype(float)
    symbols = pl.Series([f"S{k:05}" for k in range(size)])
    frame = pl.DataFrame({"symbol": symbols, "date": pl.Series([0] * size).cast(pl.Date), "close": close})
    panel = Panel.from_frame(frame)
    assert rank_type(panel) == "uint32"
    assert rank_type(PANEL) == "uint16"
    values = panel.compute(waiting=fl.ts_mean(fl.cs_rank(fl.close), 1))["waiting"]
    assert np.array_equal(values.to_numpy(), (close + 1) / size)


def test_a_limit_that_cannot_be_met_is_refused_before_anything_runs() -> None:
    observer = fl.Observer()
    with pytest.raises(fl.errors.MemoryLimitError, match=r"needs \d+ MiB beyond the panel, and may take 1 MiB"):
        PANEL.compute(ALPHAS, memory=2**20, observer=observer)
    assert observer.kernels == 0
    assert isinstance(fl.errors.MemoryLimitError("x"), MemoryError)


def test_a_limit_splits_stages_and_leaves_values_as_they_are() -> None:
    whole = PANEL.compute(ALPHAS)
    needs = choose("numba").memory(plan_within(ALPHAS, math.inf, False), PANEL)
    limit = int(sum(needs.values()) - needs["between stages"] / 2)
    counts = [PANEL.explain(ALPHAS, memory=size).count("\nstage ") for size in (None, limit)]
    assert counts[0] < counts[1]
    assert PANEL.compute(ALPHAS, memory=limit).equals(whole)
    blocks = list(PANEL.blocks(ALPHAS, memory=limit))
    assert pl.concat(blocks).equals(whole)


@pytest.mark.parametrize(
    ("text", "size"), [(5, 5), ("6 GB", 6 * 10**9), ("1.5mib", 3 * 2**19), (" 7 ", 7), ("2 KiB", 2048)]
)
def test_sizes(text: int | str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "", "GB", "5 parsecs", "-3 MB", None])
def test_wrong_sizes(wrong: object) -> None:
    with pytest.raises(fl.errors.ArgumentError, match="memory must be"):
        bytes_of(wrong)  # type: ignore[arg-type]


def test_a_full_folder_is_named() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    file = SpillFile([fl.close], 4)
    file.write(fl.close, np.arange(2.0), 2)
    back = np.empty(2)
    file.read(fl.close, back, 2)
    assert back.tolist() == [0.0, 1.0]
    file.close()
    file._file = os.fdopen(os.open("/dev/full", os.O_RDWR), "r+b", buffering=0)
    with pytest.raises(fl.errors.MemoryLimitError, match="cannot be written: No space left"):
        file.write(fl.close, np.arange(2.0), 0)
    file.close()
