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

__all__ = ["Rows", "assembled", "selected", "selected_bars", "wanted_days"]

TOGETHER = 8
"""So many columns are one piece of work for a thread."""


class Rows(NamedTuple):
    """The selected bars by symbol and date.

    Attributes
    ----------
    picked
        The keys as numbers.
    days
        The day of each.
    shown
        The keys as a caller sees them.
    whole
        The days that are selected, where these are the bars of all symbols on them.
    """

    picked: Picked
    days: Index
    shown: pl.DataFrame
    whole: Index | None


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
    whole = view.days[wanted] if view.daily and selection.symbols is None else None
    return Rows(picked, days, keys.with_columns(text_of(keys["symbol"])), whole)


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


def assembled(view: View, rows: Rows, entries: Entries, digests: Sequence[str], wanted: Days) -> dict[str, pl.Series]:
    """The values of the selected bars, by digest of factor."""
    values: dict[str, Array] = {}
    for some in entries.alike(digests):
        values |= zip(some, _gathered(view, rows, some, entries.choose(some[0], wanted)), strict=True)
    return _as_series({digest: values[digest] for digest in digests}, rows.days.size)


def _gathered(view: View, rows: Rows, digests: Sequence[str], parts: Sequence[tuple[Entry, int, int]]) -> list[Array]:
    """The values of factors that are in the same entries, missing as NaN."""
    size = rows.days.size
    places = _places(rows.days, parts)
    covered = sum(place.size for place in places) == size
    whole = [np.empty(size) if covered else np.full(size, np.nan) for _ in digests]
    for part, place in zip(parts, places, strict=True):
        if not place.size:
            continue
        found = part[0].gather(digests, _local(view, part, rows, place))
        first, stop = int(place[0]), int(place[-1]) + 1
        where = slice(first, stop) if stop - first == place.size else place

        def put(columns: range, found: Sequence[Array] = found, where: Index | slice = where) -> None:
            for column in columns:
                values = found[column]
                if values.size == size and values.flags.owndata:
                    whole[column] = values
                else:  # what is not aligned takes three times as long
                    whole[column][where] = values if values.flags.aligned else values.copy()

        groups = [range(start, min(start + TOGETHER, len(digests))) for start in range(0, len(digests), TOGETHER)]
        for_each_of(put, groups, TOGETHER * place.size)
    return whole


def _as_series(values: Mapping[str, Array], size: int) -> dict[str, pl.Series]:
    """Columns of so many values each, missing as null."""
    if not values or size * len(values) <= ALONE:
        return as_frame(values).to_dict() if values else {}
    made: dict[str, pl.Series] = {}

    def work(digest: str) -> None:
        made[digest] = as_series(digest, values[digest])

    for_each(work, values, Observer())
    return made


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


def _local(view: View, part: tuple[Entry, int, int], rows: Rows, place: Index) -> Index | slice:
    """Where the selected bars that are read from an entry stand among its bars."""
    entry, first, last = part
    if place.size == entry.rows:
        return slice(0, entry.rows)
    if rows.whole is not None:
        found, size = view.rows_on(*entry.days, rows.whole[(rows.whole >= first) & (rows.whole <= last)])
    else:
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
