"""Bars cut into segments: where new bars go, which segments change, and when small ones are merged.

A segment holds whole days, about `TARGET` bars. A load rewrites the segments in which it changes a bar, and writes new
ones for days that no segment holds. A day at the end becomes a segment of its own; small ones at the end are merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import KEYS, Index
from factorloom.storage.catalog import BarSegment
from factorloom.storage.digest import days_of
from factorloom.storage.upsert import Upsert, upsert
from factorloom.storage.view import BAR, SINCE, View, joined

__all__ = ["Piece", "Pieces", "are_enough", "cut_days", "joined_pieces", "rows_per_segment"]

TARGET = 1 << 17
FEWEST_DAYS = 16
MERGED = 4
"""So many small segments of about one size become one."""
TINY = 1 << 14
"""Segments with fewer bars are merged whatever their sizes: to write them anew costs little."""


class Piece(NamedTuple):
    """Bars of a stretch of days: a segment that stays, or new bars to be written.

    Attributes
    ----------
    segment
        The stored segment, None for new bars.
    frame
        The bars to be written, None where the segment stays.
    since
        The version from which on the new segment holds: an earlier one where it only joins segments that stay.
    pure
        Whether it holds no bar that was different before.
    """

    first_day: int
    last_day: int
    segment: BarSegment | None
    frame: pl.DataFrame | None
    since: int = 0
    pure: bool = False


class Pieces:
    """The bars of the next version, as the pieces of the one before and what has changed.

    Attributes
    ----------
    inserted, updated, unchanged, deleted
        Bars by what was done with them.
    changed
        Whether any bar or column differs.
    touched
        The first and last day of the bars that were merged.
    """

    def __init__(self, view: View | None, counts: pl.DataFrame, version: int) -> None:
        self._view = view
        self._counts = counts.select("symbol", "bars")
        self._version = version
        segments = [] if view is None else view.segments
        self._pieces = [_stored(each) for each in segments]
        self._first_new: int | None = None
        self.inserted = self.updated = self.unchanged = self.deleted = 0
        self.changed = False
        self.touched = (0, 0)
        self._inserted: list[pl.DataFrame] = []
        self._changed: list[pl.DataFrame] = []

    @property
    def appended(self) -> pl.DataFrame | None:
        """The keys of all bars that are new; None where others were deleted."""
        return None if self.deleted or not self._inserted else pl.concat(self._inserted)

    @property
    def changed_keys(self) -> pl.DataFrame | None:
        """The keys of all bars that are new or differ; None where there are none."""
        return pl.concat(self._changed) if self._changed else None

    def merge(self, new: pl.DataFrame) -> None:
        """Merge bars by key; `new` has symbols as Enum, and no repeated key."""
        days = days_of(new["date"])
        self.touched = (int(days.min()), int(days.max()))
        firsts = np.array([piece.first_day for piece in self._pieces], np.int64)
        lasts = np.array([piece.last_day for piece in self._pieces], np.int64)
        place = np.searchsorted(firsts, days, side="right") - 1
        inside = (place >= 0) & (days <= lasts[place]) if firsts.size else np.zeros(days.size, np.bool_)
        pieces = list(self._pieces)
        for number in np.unique(place[inside]).tolist():
            pieces[number] = self._upsert(pieces[number], new.filter(pl.Series(inside & (place == number))))
        if not inside.all():
            loose = new.filter(pl.Series(~inside))
            gaps = place[~inside]
            for gap in np.unique(gaps).tolist():
                pieces += self._new(self._numbered(loose.filter(pl.Series(gaps == gap))))
            self._inserted.append(loose.select(KEYS).cast({"symbol": pl.String}))
            self._changed.append(self._inserted[-1])
            self.inserted += loose.height
            self.changed = True
            first = int(days[~inside].min())
            self._first_new = first if self._first_new is None else min(self._first_new, first)
        self._pieces = sorted(pieces, key=lambda piece: piece.first_day)

    def delete(self, condition: pl.Expr) -> None:
        """Leave out the bars that meet a condition on symbol and date."""
        assert self._view is not None
        pieces = []
        for piece in self._pieces:
            frame = self._frame(piece)
            kept = frame.filter(~condition)
            if kept.height < frame.height:
                self.deleted += frame.height - kept.height
                self.changed = True
                self._first_new = piece.first_day if self._first_new is None else min(self._first_new, piece.first_day)
                piece = piece._replace(segment=None, frame=kept, since=self._version, pure=False)
            if piece.frame is None or kept.height:
                pieces.append(piece)
        self._pieces = pieces

    def finish(self) -> list[Piece]:
        """All pieces, bars numbered, large ones cut and small ones at the end merged."""
        pieces = self._renumbered() if self._first_new is not None else self._pieces
        cut: list[Piece] = []
        for piece in pieces:
            if piece.frame is None:
                cut.append(piece)
            else:
                cut += [_piece(part, piece.since, pure=piece.pure) for part in _cut(piece.frame)]
        return self._tail_merged(cut)

    def _upsert(self, piece: Piece, new: pl.DataFrame) -> Piece:
        old = self._frame(piece)
        merged = self._merged(old, new)
        self.inserted += merged.inserted
        self.updated += merged.updated
        self.unchanged += merged.unchanged
        if not merged.changed:
            return piece
        self.changed = True
        touched = merged.frame.filter(pl.col(SINCE) == self._version).select(KEYS)
        self._changed.append(touched.cast({"symbol": pl.String}))
        if merged.inserted:
            added = merged.frame.filter(pl.col(BAR).is_null()).select(KEYS).cast({"symbol": pl.String})
            self._inserted.append(added)
            first = int(days_of(added["date"]).min())
            self._first_new = first if self._first_new is None else min(self._first_new, first)
        return Piece(piece.first_day, piece.last_day, None, merged.frame, self._version)

    def _new(self, frame: pl.DataFrame) -> list[Piece]:
        return [_piece(part, self._version, pure=True) for part in _cut(frame)]

    def _merged(self, old: pl.DataFrame, new: pl.DataFrame) -> Upsert:
        old, new = (
            old.with_columns(pl.col("symbol").cast(pl.String)),
            new.with_columns(pl.col("symbol").cast(pl.String)),
        )
        merged = upsert(old, _typed(new, old), KEYS, since=(SINCE, self._version))
        names = merged.frame["symbol"]
        return merged._replace(frame=merged.frame.with_columns(names.cast(pl.Enum(names.unique().sort()))))

    def _numbered(self, new: pl.DataFrame) -> pl.DataFrame:
        """New bars with the columns of stored ones; their numbers come later."""
        return new.with_columns(pl.lit(0, pl.Int32).alias(BAR), pl.lit(self._version, pl.Int32).alias(SINCE))

    def _frame(self, piece: Piece) -> pl.DataFrame:
        if piece.frame is not None:
            return piece.frame
        assert self._view is not None
        assert piece.segment is not None
        return self._view.stored(piece.first_day, piece.last_day)

    def _renumbered(self) -> list[Piece]:
        """The number of each bar among those of its symbol, from the first day on which that may have changed."""
        first = self._first_new
        assert first is not None
        later = [piece for piece in self._pieces if piece.last_day >= first]
        counts = self._before(later)
        done = [piece for piece in self._pieces if piece.last_day < first]
        for piece in later:
            frame = self._frame(piece)
            text = frame["symbol"].cast(pl.String).to_frame()
            base = text.join(counts, on="symbol", how="left", maintain_order="left")["bars"].fill_null(0)
            place = text.select(pl.int_range(pl.len()).over("symbol")).to_series()
            numbers = (base + place).cast(pl.Int32).alias(BAR)
            if piece.frame is not None:
                piece = piece._replace(frame=frame.with_columns(numbers))
            elif not numbers.equals(frame[BAR]):
                whole = frame.with_columns(numbers)
                piece = Piece(piece.first_day, piece.last_day, None, whole, self._version)
            done.append(piece)
            counts = _added(counts, text)
        return done

    def _before(self, later: Sequence[Piece]) -> pl.DataFrame:
        """How many bars each symbol has before these pieces."""
        if self._view is None:
            return self._counts
        first = min(piece.first_day for piece in later)
        old = [
            self._view.stored(each.first_day, each.last_day) for each in self._view.segments if each.last_day >= first
        ]
        counts = self._counts
        for frame in old:
            counts = _added(counts, frame.select(pl.col("symbol").cast(pl.String)), sign=-1)
        return counts

    def _tail_merged(self, pieces: list[Piece]) -> list[Piece]:
        """Small pieces at the end as one, where there are many of about one size."""
        target = rows_per_segment(pieces)
        small = len(pieces)
        while small and _rows(pieces[small - 1]) < target // 2:  # a cut piece has more
            small -= 1
        for start in range(small, len(pieces) - 1):
            tail = pieces[start:]
            if are_enough(list(map(_rows, tail)), target):
                return [*pieces[:start], _as_one(tail, [self._frame(piece) for piece in tail], self._version)]
        return pieces


def joined_pieces(view: View) -> list[Piece]:
    """The pieces of a view, small neighbours as one where none of them holds a bar that was different before."""
    runs: list[list[Piece]] = []
    target = rows_per_segment([_stored(each) for each in view.segments])
    for segment in view.segments:
        fits = segment.pure and segment.rows < target // 2
        if fits and runs and _is_pure(runs[-1][0]) and sum(map(_rows, runs[-1])) + segment.rows <= target:
            runs[-1].append(_stored(segment))
        else:
            runs.append([_stored(segment)])
    frames = ([view.stored(piece.first_day, piece.last_day) for piece in run] if len(run) > 1 else [] for run in runs)
    return [_as_one(run, some, view.version) if some else run[0] for run, some in zip(runs, frames, strict=True)]


def are_enough(rows: Sequence[int], target: int) -> bool:
    """Whether segments of so many bars each are better one: several, or all that a segment should hold, none of which
    has more bars than the others together; and several tiny ones."""
    largest = max(rows)
    alike = largest < TINY or 2 * largest <= sum(rows)
    return alike and (len(rows) >= MERGED or sum(rows) >= target)


def rows_per_segment(pieces: Sequence[Piece]) -> int:
    """About so many bars a segment should hold: at least some days of all symbols."""
    days = sum(
        1 if piece.first_day == piece.last_day else (piece.last_day - piece.first_day) * 5 // 7 + 1 for piece in pieces
    )
    return max(TARGET, FEWEST_DAYS * sum(map(_rows, pieces)) // max(1, days))


def cut_days(days: Index, target: int | None = None) -> Iterator[Index | slice]:
    """The rows of bars in stretches of whole days, of about `target` bars each."""
    known, counts = np.unique(days, return_counts=True)
    target = target or max(TARGET, FEWEST_DAYS * days.size // max(1, known.size))
    number = max(1, round(days.size / target))
    if number == 1:
        yield slice(0, days.size)
        return
    ends = np.cumsum(counts)
    part = np.minimum((ends - 1) * number // days.size, number - 1)
    parts = part[np.searchsorted(known, days)]
    for each in range(number):
        rows = np.flatnonzero(parts == each)
        if rows.size:
            yield rows


def _cut(frame: pl.DataFrame) -> list[pl.DataFrame]:
    return [frame[rows] for rows in cut_days(days_of(frame["date"]))]


def _piece(frame: pl.DataFrame, since: int, *, pure: bool) -> Piece:
    days = days_of(frame["date"])
    return Piece(int(days.min()), int(days.max()), None, frame, since, pure)


def _rows(piece: Piece) -> int:
    return piece.segment.rows if piece.segment is not None else piece.frame.height if piece.frame is not None else 0


def _stored(segment: BarSegment) -> Piece:
    return Piece(segment.first_day, segment.last_day, segment, None)


def _is_pure(piece: Piece) -> bool:
    return piece.pure if piece.segment is None else piece.segment.pure


def _as_one(pieces: Sequence[Piece], frames: Sequence[pl.DataFrame], version: int) -> Piece:
    """Pieces that follow one another as one; earlier versions see it too where no bar was different before."""
    pure = all(map(_is_pure, pieces))
    since = min(piece.since if piece.segment is None else piece.segment.from_version for piece in pieces)
    return _piece(joined(_aligned(frames)), since if pure else version, pure=pure)


def _added(counts: pl.DataFrame, symbols: pl.DataFrame, sign: int = 1) -> pl.DataFrame:
    more = symbols.group_by("symbol").len("bars").with_columns(pl.col("bars").cast(pl.Int64) * sign)
    return pl.concat([counts, more]).group_by("symbol").agg(pl.col("bars").sum())


def _typed(new: pl.DataFrame, old: pl.DataFrame) -> pl.DataFrame:
    """A column without values takes the type of the stored one."""
    wrong = [name for name in new.columns if name in old.columns and new.schema[name] != old.schema[name]]
    return new.with_columns(pl.col(name).cast(old.schema[name]) for name in wrong if name not in KEYS)


def _aligned(frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Frames with the columns of all of them, missing where one lacks a column."""
    kinds: dict[str, pl.DataType] = {}
    for frame in frames:
        for name, kind in frame.schema.items():
            if name not in kinds or frame[name].null_count() < frame.height:
                kinds[name] = kind
    aligned = []
    for frame in frames:
        lacking = [pl.lit(None, kind).alias(name) for name, kind in kinds.items() if name not in frame.columns]
        wrong = [name for name in frame.columns if name not in KEYS and frame.schema[name] != kinds[name]]
        whole = frame.with_columns(*lacking, *(pl.col(name).cast(kinds[name]) for name in wrong))
        aligned.append(whole.select(list(kinds)))
    return aligned
