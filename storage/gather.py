"""Which bars of a view a caller selects, and their values from what is at hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from factorloom.engine.bars.category import text_of
from factorloom.engine.bars.layout import Array, Index, as_frame, as_series
from factorloom.engine.bars.selection import Selection, next_day
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import ALONE, for_each, for_each_of
from factorloom.expressions.errors import StoreError
from factorloom.storage.digest import days_of
from factorloom.storage.entry import Days, Entries, Entry
from factorloom.storage.keys import Picked
from factorloom.storage.view import View

__all__ = ["Rows", "assembled", "frame_of", "selected", "selected_bars", "wanted_days"]


class Rows(NamedTuple):
    """The selected bars by symbol and date: keys, these as numbers, the day of each, and the keys as they are shown."""

    keys: pl.DataFrame
    picked: Picked
    days: Index
    shown: pl.DataFrame


def wanted_days(view: View, selection: Selection) -> Days:
    """For each day of a view, whether it is selected."""
    wanted = np.ones(view.days.size, np.bool_)
    dates = view.dates
    if selection.start is not None:
        first = _day(selection.start)
        wanted &= (dates >= first).to_numpy()
        if view.daily and isinstance(selection.start, dt.datetime) and selection.start.time() > dt.time():
            wanted &= (dates != first).to_numpy()
    if selection.end is not None:
        wanted &= (dates <= _day(selection.end)).to_numpy()
    if selection.dates is not None:
        wanted &= dates.is_in([_day(day) for day in selection.dates]).to_numpy()
    return wanted


def selected(view: View, selection: Selection, wanted: Days) -> Rows:
    """The keys of the selected bars."""
    if not wanted.any():
        keys = view.keys(1, 0)
    else:
        days = view.days[wanted]
        keys = view.keys(int(days[0]), int(days[-1]), selection.symbols)
    condition = _condition(view, selection)
    keys = keys if condition is None else keys.filter(condition)
    picked = Picked.of(keys)
    days = picked.dates if view.daily else days_of(keys["date"])
    return Rows(keys, picked, days, keys.with_columns(text_of(keys["symbol"])))


def selected_bars(view: View, selection: Selection, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The selected bars, all columns or some, with those of dated tables."""
    wanted = wanted_days(view, selection)
    days = view.days[wanted]
    frame = view.bars(int(days[0]), int(days[-1]), columns, selection.symbols) if days.size else view.bars(1, 0)
    condition = _condition(view, selection)
    frame = frame if condition is None else frame.filter(condition)
    if not frame.height:
        raise StoreError(
            f"dataset {view.dataset!r} has no bars in {selection}",
            hint=f"its bars are from {view.dates[0]} to {view.dates[-1]}",
        )
    return frame


def assembled(view: View, rows: Rows, entries: Entries, digests: Sequence[str], wanted: Days) -> dict[str, Array]:
    """The values of the selected bars, by digest of factor, missing as NaN."""
    size = rows.keys.height
    whole: dict[str, Array] = {}
    for some in entries.alike(digests):
        parts = entries.choose(some[0], wanted)
        places = _places(rows.days, parts)
        covered = sum(place.size for place in places) == size
        small = covered and len(some) * size <= ALONE
        block = np.empty((len(some), size)) if small and len(parts) > 1 else None
        for (entry, *_), place in zip(parts, places, strict=True):
            if not place.size:
                continue
            found = entry.gather(some, _local(view, entry, rows, place))
            if block is not None:
                block[:, place] = found
                continue

            def put(item: tuple[str, Array], place: Index = place, covered: bool = covered) -> None:
                digest, values = item
                if place.size == size:
                    whole[digest] = values if values.flags.owndata else values.copy()
                    return
                if digest not in whole:
                    whole[digest] = np.empty(size) if covered else np.full(size, np.nan)
                whole[digest][place] = values

            for_each_of(put, list(zip(some, found, strict=True)), place.size)
        if block is not None:
            whole.update(zip(some, block, strict=True))
    return {digest: whole[digest] if digest in whole else np.full(size, np.nan) for digest in digests}


def frame_of(keys: pl.DataFrame, values: Mapping[str, Array]) -> pl.DataFrame:
    """Keys with a column for each name, missing as null."""
    if keys.height * len(values) <= ALONE:
        return keys.hstack(as_frame(values)) if values else keys
    made: dict[str, pl.Series] = {}

    def work(name: str) -> None:
        made[name] = as_series(name, values[name])

    for_each(work, values, Observer())
    return keys.hstack([made[name] for name in values])


def _places(days: Index, parts: Sequence[tuple[Entry, int, int]]) -> list[Index]:
    """The rows of each part, in order."""
    if not parts:
        return []
    if len(parts) == 1:
        return [np.arange(days.size)]
    ends = np.array([last for _, _, last in parts])
    numbers = np.searchsorted(ends, days).astype(np.uint16)
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.cumsum(np.bincount(numbers, minlength=len(parts)))[:-1])


def _local(view: View, entry: Entry, rows: Rows, place: Index) -> Index | slice:
    """Where the selected bars stand among those of an entry."""
    if place.size == entry.rows:
        return slice(0, entry.rows)
    picked = rows.picked if place.size == rows.days.size else rows.picked.at(place)
    found, size = view.rows_of(*entry.days, picked)
    if size != entry.rows:
        raise StoreError(f"values of {entry.rows} bars do not fit the {size} of {view.dataset!r}")
    return found


def _day(moment: dt.date) -> dt.date:
    return moment.date() if isinstance(moment, dt.datetime) else moment


def _condition(view: View, selection: Selection) -> pl.Expr | None:
    """What else selects bars within the days that are read."""
    key, conditions = pl.col("date"), []
    if not view.daily and selection.start is not None:
        conditions.append(key >= selection.start)
    if not view.daily and selection.end is not None:
        after = next_day(selection.end)
        conditions.append(key <= selection.end if after is None else key < after)
    if selection.dates is not None:
        days = [day for day in selection.dates if not isinstance(day, dt.datetime)]
        moments = [day for day in selection.dates if isinstance(day, dt.datetime)]
        conditions.append(key.cast(pl.Date).is_in(days) | key.cast(pl.Datetime("us")).is_in(moments))
    if not conditions:
        return None
    return pl.all_horizontal(conditions)
