"""Bring kept values up to date: of what a later version has changed, only the cells that it reaches are computed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Array, Index, as_array
from factorloom.engine.bars.selection import Mask
from factorloom.engine.plan.reach import Reach, lacks_bars, needed_rows
from factorloom.engine.plan.request import make_request
from factorloom.engine.result import value_blocks
from factorloom.engine.runtime.progress import default_observer
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.storage.change import Change
from factorloom.storage.digest import days_of
from factorloom.storage.entry import Basis, Entry
from factorloom.storage.view import BAR, View
from factorloom.storage.write import Made

__all__ = ["Refreshed", "refresh"]

MOST = 0.5
"""Where more of the values are reached, all are computed anew: that is as fast."""


class Refreshed(NamedTuple):
    """Values that hold again, and how many of them were computed for it."""

    made: Made
    cells: int


Compute = Callable[[View, Mapping[str, Factor], int, int], Iterator[Made]]


def refresh(
    old: View,
    new: View,
    entries: Sequence[tuple[Entry, Sequence[str]]],
    factors: Mapping[str, Factor],
    compute: Compute,
) -> Iterator[Refreshed]:
    """Refresh entries that belong to an old version, each for some of its factors.

    Parameters
    ----------
    compute
        Computes factors on all bars from one day to another.
    """
    columns = sorted({name for entry, _ in entries for name in entry.basis.columns if name in new.columns})
    first = min(entry.basis.first_day for entry, _ in entries)
    last = max(entry.basis.last_day for entry, _ in entries)
    change = Change(old, new, columns, first, last)
    if not change.bars.rows:
        return
    days = days_of(change.bars.table["date"])
    inside = [np.flatnonzero((days >= entry.days[0]) & (days <= entry.days[1])) for entry, _ in entries]
    reached = _reached(change, factors, entries, inside)
    values = _computed(new, change, reached, factors, days, compute)
    for (entry, digests), rows in zip(entries, inside, strict=True):
        if some := [digest for digest in digests if digest in values]:
            yield _patched(old, new, entry, some, rows, reached, values, change)


def _reached(
    change: Change,
    factors: Mapping[str, Factor],
    entries: Sequence[tuple[Entry, Sequence[str]]],
    inside: Sequence[Index],
) -> dict[str, Index]:
    """The rows on which each factor is to be computed; those of which too much is reached are left out."""
    reach = Reach(change.bars, change.changed, change.dates, change.calendar)
    held: dict[str, list[int]] = {}
    for place, (_, digests) in enumerate(entries):
        for digest in digests:
            held.setdefault(digest, []).append(place)
    within: dict[tuple[int, ...], Mask] = {}
    found = {}
    for digest, places in held.items():
        key = tuple(places)
        if key not in within:
            within[key] = np.zeros(change.bars.rows, np.bool_)
            for place in places:
                within[key][inside[place]] = True
        rows = np.flatnonzero(reach.rows(factors[digest]) & within[key])
        if rows.size <= MOST * np.count_nonzero(within[key]):
            found[digest] = rows
    return found


def _computed(
    view: View,
    change: Change,
    reached: Mapping[str, Index],
    factors: Mapping[str, Factor],
    days: Index,
    compute: Compute,
) -> dict[str, Array]:
    """The values on the reached rows, by factor; factors that reach the same rows are computed together."""
    groups: dict[bytes, list[str]] = {}
    for digest, rows in reached.items():
        groups.setdefault(hashlib.blake2b(rows.tobytes()).digest(), []).append(digest)
    found: dict[str, Array] = {}
    for digests in groups.values():
        rows = reached[digests[0]]
        if not rows.size:
            found |= dict.fromkeys(digests, np.empty(0))
            continue
        across = {d: factors[d] for d in digests if factors[d].axis not in (Axis.CELL, Axis.TIME)}
        along = {d: factors[d] for d in digests if d not in across}
        if along:
            found |= _scattered(change, along, rows)
        if across:
            found |= _on_dates(view, across, rows, days, compute)
    return found


def _on_dates(
    view: View, factors: Mapping[str, Factor], rows: Index, days: Index, compute: Compute
) -> dict[str, Array]:
    """Values of whole dates, those on which any row is reached."""
    found = {digest: np.full(rows.size, np.nan) for digest in factors}
    known = view.days
    touched = np.isin(known, np.unique(days[rows]))
    edges = np.flatnonzero(np.diff(touched, prepend=False, append=False))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        for made in compute(view, factors, int(known[start]), int(known[stop - 1])):
            place = np.flatnonzero((days >= made.first_day) & (days <= made.last_day))
            mine, there = _among(place, rows)
            for digest in factors:
                found[digest][there] = made.values[digest][mine]
    return found


def _among(places: Index, rows: Index) -> tuple[Index, Index]:
    """Which of some places are among some rows, both sorted: their numbers in the one and in the other."""
    at = np.searchsorted(places, rows)
    there = at < places.size
    there[there] = places[at[there]] == rows[there]
    return at[there], np.flatnonzero(there)


def _scattered(change: Change, factors: Mapping[str, Factor], cells: Index) -> dict[str, Array]:
    """Values of cells anywhere, of factors that look along time alone: each stretch of bars as a symbol of its own."""
    size = change.bars.rows
    mask = np.zeros(size, np.bool_)
    mask[cells] = True
    back = max(min(factor.lookback, size) for factor in factors.values())
    ahead = max(min(factor.lookahead, size) for factor in factors.values())
    if any(factor.unbounded for factor in factors.values()):
        back = size
    needed = _widened(mask, back, ahead, change.bars.by_symbol)
    rows = np.flatnonzero(needed)
    starts = np.zeros(size + 1, np.bool_)
    starts[change.bars.by_symbol] = True
    breaks = np.concatenate([[True], (np.diff(rows) > 1) | starts[rows[1:]]])
    runs = np.cumsum(breaks) - 1
    names = pl.Series([f"{number:010}" for number in range(int(runs[-1]) + 1)], dtype=pl.String)
    symbols = pl.Series("symbol", names.cast(pl.Enum(names)).gather(runs))
    table = change.bars.table.filter(pl.Series(needed)).with_columns(symbols)
    numbers = change.frame[BAR].gather(rows[breaks]).cast(pl.Int64).to_numpy()
    bars = Bars(table, numbers, lambda: change.bars.dates_left[rows])
    plan = make_request(bars, dict(factors), (), {})
    chosen = mask[rows]
    if lacks_bars(plan, bars, chosen):
        return {}
    part = needed_rows(plan, bars, chosen)
    (frame,) = value_blocks(plan, bars.part(part), None, "numba", None, default_observer())
    wanted = chosen[part]
    return {digest: np.asarray(as_array(frame[digest])[wanted], np.float64) for digest in factors}


def _widened(mask: Mask, back: int, ahead: int, offsets: Index) -> Mask:
    """Rows, and so many rows of the symbol before and after each."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    first, last = edges[::2], edges[1::2]
    symbol = np.searchsorted(offsets, first, side="right") - 1
    final = np.searchsorted(offsets, last - 1, side="right") - 1
    steps = np.zeros(mask.size + 1, np.int64)
    np.add.at(steps, np.maximum(first - back, offsets[symbol]), 1)
    np.add.at(steps, np.minimum(last + ahead, offsets[final + 1]), -1)
    wide: Mask = np.cumsum(steps[:-1]) > 0
    return wide


def _patched(
    old: View,
    new: View,
    entry: Entry,
    digests: Sequence[str],
    inside: Index,
    reached: Mapping[str, Index],
    values: Mapping[str, Array],
    change: Change,
) -> Refreshed:
    """The values of an entry, with those that are reached in place of the old ones."""
    keys = change.frame.select("symbol", "date")[inside]
    place = _places(old, entry, keys)
    cells = 0
    patched = {}
    for digest, before in zip(digests, entry.gather(digests, slice(0, entry.rows)), strict=True):
        kept = before.copy()
        if place is not None:
            kept = np.full(keys.height, np.nan)
            kept[place >= 0] = before[place[place >= 0]]
        local, there = _among(inside, reached[digest])
        kept[local] = values[digest][there]
        cells += local.size
        patched[digest] = kept
    names = [name for name in entry.basis.columns if name in new.columns]
    basis = Basis.of(new, names, entry.basis.first_day, entry.basis.last_day)
    return Refreshed(Made(*entry.days, basis, keys, patched), cells)


def _places(old: View, entry: Entry, keys: pl.DataFrame) -> Index | None:
    """Where each bar stands among those of an entry, -1 if it is new; None where all are the same."""
    known = old.keys(*entry.days).select(pl.col("symbol").cast(pl.String), "date").with_row_index("\0row")
    wanted = keys.with_columns(pl.col("symbol").cast(pl.String))
    if known.select("symbol", "date").equals(wanted):
        return None
    joined = wanted.join(known, on=["symbol", "date"], how="left", maintain_order="left")
    return joined["\0row"].cast(pl.Int64).fill_null(-1).to_numpy()
