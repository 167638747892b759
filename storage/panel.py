"""Bars of a view as panels to compute on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from factorloom.engine.bars.category import encode
from factorloom.engine.bars.selection import Mask
from factorloom.engine.panel import Panel
from factorloom.engine.plan.reach import lacks_bars
from factorloom.engine.plan.request import make_request
from factorloom.expressions.factor import Factor
from factorloom.storage.digest import days_of
from factorloom.storage.view import BAR, SINCE, View

__all__ = ["between", "empty_panel", "needed_bars", "panel_of"]


def empty_panel(view: View) -> Panel:
    """A panel with the columns of a view, without bars."""
    return panel_of(view.bars(1, 0))


def panel_of(frame: pl.DataFrame) -> Panel:
    """Bars of a view as a panel: text as categories, each symbol with the number of its first bar."""
    text = [encode(column) for column in frame.iter_columns() if column.dtype == pl.String]
    panel = Panel(frame.drop(BAR, SINCE).with_columns(text))
    panel._first_bars = frame[BAR].gather(panel.by_symbol[:-1]).cast(pl.Int64).to_numpy()
    return panel


def needed_bars(view: View, factors: Mapping[str, Factor], first_day: int, last_day: int) -> Panel:
    """A panel of the bars from which the values of some days are computed: first few, then more, until they do."""
    columns = sorted({column for factor in factors.values() for column in factor.columns})
    ahead = any(factor.lookahead for factor in factors.values())
    unbounded = any(factor.unbounded for factor in factors.values())
    back = max(factor.lookback for factor in factors.values()) + 1
    place = int(np.searchsorted(view.days, first_day))
    while True:
        start = 0 if unbounded else max(0, place - back)
        panel = panel_of(view.bars(int(view.days[start]), None if ahead else last_day, columns or None))
        plan = make_request(panel, dict(factors), (), {})
        if start == 0 or not lacks_bars(plan, panel, between(panel, first_day, last_day)):
            return panel
        back *= 3


def between(bars: Panel, first_day: int, last_day: int) -> Mask:
    """The rows from one day to another."""
    days = days_of(bars.table["date"])
    chosen: Mask = (days >= first_day) & (days <= last_day)
    return chosen
