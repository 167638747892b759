"""Memory is used again when nobody holds it, and never before."""

from __future__ import annotations

import gc
from datetime import date

import numpy as np
import polars as pl
import pytest

import factorloom as fl
from factorloom.engine import memory

LARGE = memory.SMALL // 8


def test_memory_comes_back_when_the_last_view_is_gone() -> None:
    before = memory.idle()
    array = memory.borrow(LARGE, "float64")
    view = array[::2]
    array[:] = 1.0
    del array
    assert memory.idle() <= before
    assert (view == 1.0).all()
    idle = memory.idle()
    del view
    assert memory.idle() > idle
    again = memory.borrow(LARGE, "float64")
    assert memory.idle() == idle
    assert again.size == LARGE


def test_idle_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_memory", lambda: 5 * memory.SMALL)
    arrays = [memory.borrow(LARGE, "float64") for _ in range(4)]
    arrays.clear()
    assert 0 < memory.idle() <= 2.5 * memory.SMALL


def test_a_frame_keeps_its_values_while_others_come_and_go() -> None:
    bars, symbols = 700, 800
    days = pl.date_range(date(2020, 1, 1), date(2020, 1, 1) + pl.duration(days=bars - 1), eager=True)
    close = np.arange(float(bars * symbols))
    frame = pl.DataFrame(
        {"symbol": np.repeat([f"S{n:04}" for n in range(symbols)], bars), "date": pl.concat([days] * symbols)}
    )
    panel = fl.Panel.from_frame(frame.with_columns(close=close))
    first = panel.compute(x=fl.close * 2)["x"]
    tail = first.slice(1000)
    del first
    for factor in (fl.close * 3, fl.close * 4):
        panel.compute(x=factor)
        gc.collect()
    assert (tail.to_numpy() == close[1000:] * 2).all()
