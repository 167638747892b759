"""Long tiles: threads share the outputs of a stage, or cut it where no operator looks along time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import factorloom as fl
from factorloom.engine.executor.native import parts as long_parts
from factorloom.engine.executor.native import tile
from factorloom.engine.executor.native.parts import divide
from factorloom.engine.plan.plan import Emit, Keep, Run
from factorloom.engine.testing.strategies import factors, panels

many = st.lists(factors(), min_size=1, max_size=5)


@given(panel=panels(), wanted=many, threads=st.integers(2, 4), tile_rows=st.sampled_from([3, 16_384]))
def test_outputs_that_threads_share_are_the_same(
    panel: fl.Panel, wanted: list[fl.Factor], threads: int, tile_rows: int
) -> None:
    named = {str(number): factor for number, factor in enumerate(wanted)}
    whole = panel.compute(named)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_parts, "LONG_ROWS", 0)
        patch.setattr(long_parts, "LONG_PARTS", 1 if tile_rows == 3 else 4)
        patch.setattr(tile, "TILE_ROWS", tile_rows)
        patch.setattr(long_parts, "processors", lambda: threads)
        shared = panel.compute(named)
        narrow = panel.compute(named, dtype="float32")
    assert_frame_equal(shared, whole, check_exact=True)
    assert_frame_equal(narrow, panel.compute(named, dtype="float32"), check_exact=True)


@given(panel=panels(), wanted=many, count=st.integers(1, 4))
def test_parts_make_every_output_once(panel: fl.Panel, wanted: list[fl.Factor], count: int) -> None:
    for stage in panel.plan({str(number): factor for number, factor in enumerate(wanted)}).stages:
        parts = divide(stage, count)
        assert 1 <= len(parts) <= count
        for kind in (Emit, Keep):
            made = [item for part in parts for item in part.instructions if isinstance(item, kind)]
            assert sorted(made, key=str) == sorted((x for x in stage.instructions if isinstance(x, kind)), key=str)
        assert {run.step for part in parts for run in part.steps} == {run.step for run in stage.steps}
        for part in parts:
            assert [x for x in part.instructions if isinstance(x, Run)] == list(part.steps)


def test_outputs_are_dealt_out_evenly_and_what_they_share_stays_together() -> None:
    factors = {f"{op.name} {n}": op(fl.close, n) for n in range(2, 10) for op in (fl.ts_mean, fl.ts_std)}
    (stage,) = fl.example().plan(factors).stages
    parts = divide(stage, 2)
    assert sorted(len(part.emits) for part in parts) == [8, 8]
    assert sum(len(part.steps) for part in parts) == len(stage.steps)


@pytest.mark.parametrize("cell_wise", [True, False])
def test_only_what_looks_along_time_needs_whole_symbols(cell_wise: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile, "TILE_ROWS", 2)
    monkeypatch.setattr(tile, "BLOCK_ROWS", 2)
    panel = fl.example()
    factor = fl.close / fl.open_ if cell_wise else fl.ts_mean(fl.close, 2)
    (stage,) = panel.plan(x=factor).stages
    bounds = tile.tiles_of(stage, panel).bounds.tolist()
    assert bounds == ([0, 2, 4, 6, 8] if cell_wise else [0, 3, 6, 8])
    assert np.diff(panel.by_symbol).tolist() == [3, 3, 2]
    monkeypatch.undo()
    assert panel.compute(x=factor).height == panel.rows
