"""What differs between two versions of a dataset, and which values it touches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.selection import Mask
from factorloom.storage.digest import days_of
from factorloom.storage.panel import panel_of
from factorloom.storage.view import BAR, View

__all__ = ["Change", "changed_bars"]

KEYS = ["symbol", "date"]
OLD = "\0"


class Change:
    """The bars of a new version on a stretch of days, with what is different from an old one.

    Attributes
    ----------
    bars
        The new bars.
    changed
        By column, the rows with another value; under `""` those that are new or have another number, and the last rows
        before bars that are gone.
    dates
        For each date of the bars, whether a bar came or went.
    calendar
        For each date of the bars, whether it is new, or is the last one before dates that are gone.
    columns
        The columns that were compared.
    """

    def __init__(self, old: View, new: View, columns: Sequence[str], first_day: int, last_day: int) -> None:
        self.columns = list(columns)
        frame = new.bars(first_day, last_day, self.columns)
        self.frame = frame
        self.bars: Bars = panel_of(frame)
        self.changed: dict[str, Mask] = {}
        differing = changed_days(old, new, self.columns, first_day, last_day)
        self._compare(old, frame, differing)

    def _compare(self, old: View, frame: pl.DataFrame, days: Sequence[int]) -> None:
        rows = np.flatnonzero(np.isin(days_of(frame["date"]), days))
        after = _text(frame[rows]).with_columns(pl.Series("\0row", rows))
        before = _bars_on(old, days, self.columns)
        both = after.join(before, on=KEYS, how="left", maintain_order="left")
        moved = both[BAR].ne_missing(both[OLD + BAR])
        self.changed[""] = self._mask(both, moved)
        for name in self.columns:
            self.changed[name] = self._mask(both, both[name].ne_missing(both[OLD + name]))
        gone = before.join(after.select(KEYS), on=KEYS, how="anti")
        came = both.filter(both[OLD + BAR].is_null())
        touched = pl.concat([gone["date"], came["date"]]).unique()
        self.dates: Mask = self.bars.dates.is_in(touched.implode()).to_numpy()
        self.calendar = _calendar(self.bars.dates, came["date"], gone["date"], after["date"], before["date"])
        if gone.height:
            keys = _text(frame).select(KEYS).with_row_index("\0row")
            last = gone.sort("date").join_asof(
                keys.sort("date"), on="date", by="symbol", strategy="backward", check_sortedness=False
            )
            self.changed[""][last["\0row"].drop_nulls().to_numpy()] = True

    def _mask(self, both: pl.DataFrame, differs: pl.Series) -> Mask:
        mask = np.zeros(self.frame.height, np.bool_)
        mask[both["\0row"].filter(differs).to_numpy()] = True
        return mask


def _calendar(dates: pl.Series, came: pl.Series, gone: pl.Series, after: pl.Series, before: pl.Series) -> Mask:
    """The dates that are new, and the last ones before dates that are gone: `came` without bars before, and so on."""
    mask: Mask = dates.is_in(came.filter(~came.is_in(before.implode())).implode()).to_numpy().copy()
    lost = gone.filter(~gone.is_in(after.implode()))
    places = np.asarray(dates.search_sorted(lost), np.int64) - 1
    mask[places[places >= 0]] = True
    return mask


def changed_days(old: View, new: View, columns: Sequence[str], first_day: int, last_day: int) -> list[int]:
    """The days on which keys or columns of two versions differ."""
    known = [view.days[(view.days >= first_day) & (view.days <= last_day)] for view in (old, new)]
    days = np.union1d(*known)
    differs = np.zeros(days.size, np.bool_)
    for name in ("", *columns):
        found = []
        for view in (old, new):
            values = np.zeros(days.size, np.uint64)
            place = np.searchsorted(view.days, days)
            inside = place < view.days.size
            inside[inside] = view.days[place[inside]] == days[inside]
            if name == "" or name in view.columns:
                values[inside] = view.day_digests(name)[place[inside]]
            found.append(values)
        differs |= found[0] != found[1]
    return [int(day) for day in days[differs]]


def changed_bars(old: View, new: View) -> pl.DataFrame:
    """Every bar that is not the same in two versions: `symbol`, `date`, `change`, and the columns that differ."""
    columns = [name for name in new.columns if name in old.columns]
    added = [name for name in new.columns if name not in old.columns]
    first = int(min(old.days[0], new.days[0]))
    last = int(max(old.days[-1], new.days[-1]))
    days = changed_days(old, new, [*columns, *added], first, last)
    after = _bars_on(new, days, new.columns).rename({OLD + BAR: BAR} | {OLD + name: name for name in new.columns})
    before = _bars_on(old, days, columns)
    both = after.join(before, on=KEYS, how="full", coalesce=True)
    came, went = both[OLD + BAR].is_null(), both[BAR].is_null()
    differs = {name: both[name].ne_missing(both[OLD + name]) for name in columns}
    differs |= {name: both[name].is_not_null() for name in added}
    kinds = pl.select(
        pl.when(came).then(pl.lit("inserted")).when(went).then(pl.lit("deleted")).otherwise(pl.lit("updated"))
    )
    listed = pl.DataFrame([mask.cast(pl.Int8).alias(name) for name, mask in differs.items()])
    named = listed.select(
        pl.concat_list(pl.when(pl.col(name) == 1).then(pl.lit(name)) for name in differs).list.drop_nulls()
        if differs
        else pl.lit([], pl.List(pl.String))
    ).to_series()
    frame = both.select(KEYS).with_columns(kinds.to_series().alias("change"), named.alias("columns"))
    changed = pl.Series(np.zeros(both.height, np.bool_)) | came | went
    for mask in differs.values():
        changed |= mask
    return frame.filter(changed).sort(KEYS)


def _bars_on(view: View, days: Sequence[int], columns: Sequence[str]) -> pl.DataFrame:
    """The bars of some days, symbols as text, other columns under prefixed names."""
    known = [name for name in columns if name in view.columns]
    frame = view.bars(min(days), max(days), known) if days else view.bars(1, 0, known)
    frame = frame.filter(pl.Series(np.isin(days_of(frame["date"]), days)))
    lacking = [pl.lit(None).alias(OLD + name) for name in columns if name not in known]
    renamed = {name: OLD + name for name in (BAR, *known)}
    return _text(frame).select(*KEYS, BAR, *known).rename(renamed).with_columns(lacking)


def _text(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("symbol").cast(pl.String))
