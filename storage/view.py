"""A dataset as it was known in one version: its bars by stretches of days, and digests of what each day holds."""

from __future__ import annotations

import bisect
import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.layout import KEYS, Index
from factorloom.engine.bars.sort import sort_bars
from factorloom.storage.catalog import BarSegment
from factorloom.storage.digest import Hashes, days_of, digest_text, row_hashes, sum_by_day, value_hashes
from factorloom.storage.keys import DAY, Keys, Numbered, Picked, Stretch, found_in, places_of
from factorloom.storage.reader import BarReader
from factorloom.storage.table import DatedTable

__all__ = ["BAR", "SINCE", "View", "day_of", "digests_of"]

BAR, SINCE = "__bar", "__since"
"""The columns of a file with the number of a bar among those of its symbol, and of the version that brought it."""

KEPT_KEYS = 256
"""For so many stretches of days it is kept where the bars of symbols are."""

KEPT_NUMBERS = 1 << 24
"""Of so many bars the keys are kept as numbers."""

MANY = 50
"""More symbols than these are chosen by one pass over the bars."""

SEARCHES = 200
"""Up to so many searches, of a symbol in a segment, are faster than numbers for all keys."""

EPOCH = dt.date(1970, 1, 1).toordinal()


class View:
    """One version of a dataset.

    Attributes
    ----------
    dataset, version
    segments
        The segments with bars of this version, by day.
    tables
        The dated tables of this version.
    """

    def __init__(
        self,
        dataset: str,
        version: int,
        segments: Sequence[BarSegment],
        tables: Sequence[DatedTable],
        reader: BarReader,
    ) -> None:
        self.dataset = dataset
        self.version = version
        self.segments = sorted(segments, key=lambda segment: segment.first_day)
        self.tables = tables
        self._reader = reader
        self._lock = threading.Lock()
        self._numbered: OrderedDict[tuple[int, int], Numbered] = OrderedDict()
        self._kept_stretches: OrderedDict[tuple[int, int], list[Stretch]] = OrderedDict()

    @property
    def daily(self) -> bool:
        """Whether bars have no time of day."""
        return self.segments[0].daily

    @cached_property
    def types(self) -> dict[str, str]:
        """`"number"` or `"text"` for each column of the bars, or "" where it has no values."""
        found: dict[str, str] = {}
        for segment in self.segments:
            for name, kind in zip(segment.columns, segment.types, strict=True):
                found[name] = found.get(name) or kind
        return found

    @cached_property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """The columns of a panel and what they hold."""
        added = ((name, f"{table.kind} {table.frame.schema[name]}") for table in self.tables for name in table.columns)
        return (("", str(self.daily)), *self.types.items(), *added)

    @property
    def columns(self) -> list[str]:
        """The columns of a panel, without keys."""
        return [*self.types, *(name for table in self.tables for name in table.columns)]

    @cached_property
    def stamp(self) -> int:
        """What tells this version from every other one that this process has seen."""
        files = (*(segment.file for segment in self.segments), *(table.file for table in self.tables))
        return hash((self.dataset, self.version, files))

    @property
    def rows(self) -> int:
        """About how many bars there are."""
        return sum(segment.rows for segment in self.segments)

    @cached_property
    def days(self) -> Index:
        """The numbers of the days that have bars."""
        return np.concatenate([days for days, _ in self._contents]).astype(np.int64)

    @cached_property
    def dates(self) -> pl.Series:
        """The days that have bars."""
        return pl.Series("date", self.days).cast(pl.Int32).cast(pl.Date)

    @cached_property
    def symbols(self) -> pl.Series:
        """The distinct symbols as text, sorted."""
        names = [self._names(segment) for segment in self.segments]
        return pl.concat(names).unique().sort()

    def holds(self, symbols: Iterable[str]) -> bool:
        """Whether all of these have bars; the last segments are read first, and often no others."""
        missing = set(symbols)
        for segment in reversed(self.segments):
            names = self._names(segment)
            missing -= set(names.to_list()) if len(missing) > MANY else {each for each in missing if _has(names, each)}
            if not missing:
                return True
        return False

    def _names(self, segment: BarSegment) -> pl.Series:
        """The symbols of a segment in this version, sorted."""
        if segment.newest > self.version:
            frame = self._reader.frame(segment, [SINCE]).filter(pl.col(SINCE) <= self.version)
            return frame["symbol"].unique().cast(pl.String).sort()
        return self._reader.keys(segment).names

    def moments(self, days: Iterable[dt.date]) -> pl.Series:
        """The distinct dates of the bars on these days."""
        numbers = {day.toordinal() - EPOCH for day in days}
        none = self.keys(1, 0)["date"]
        return pl.concat([none, *(self.keys(day, day)["date"].unique() for day in numbers)]).unique().sort()

    def digest(self, columns: Iterable[str], first_day: int, last_day: int) -> int:
        """The digest of the keys and of some columns from one day to another, both included."""
        first, last = np.searchsorted(self.days, [first_day, last_day + 1])
        total = 0
        for name in ("", *columns):
            sums = self._sums(name)
            total += (int(sums[last]) - int(sums[first])) * int(digest_text([name])[0] | np.uint64(1))
        return total % 2**64

    def day_digests(self, name: str) -> Hashes:
        """The digest of a column, or of the keys (named ""), on each day."""
        for table in self.tables:
            if name in table.columns:
                return table.digests(name, self.days)
        parts = [digests.get(name, np.zeros(days.size, np.uint64)) for days, digests in self._contents]
        return np.concatenate(parts)

    def bars(
        self,
        first_day: int | None = None,
        last_day: int | None = None,
        columns: Sequence[str] | None = None,
        symbols: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """The bars from one day to another by symbol and date, with `BAR` and the columns of dated tables."""
        frame = self.stored(first_day, last_day, columns, symbols)
        for table in self.tables:
            if wanted := [name for name in table.columns if columns is None or name in columns]:
                frame = table.join(frame, wanted)
        return frame

    def stored(
        self,
        first_day: int | None = None,
        last_day: int | None = None,
        columns: Sequence[str] | None = None,
        symbols: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """The bars as they are in the files, without dated tables; of all symbols, or of some."""
        wanted = [name for name in self.types if columns is None or name in columns]
        return self._stored(first_day, last_day, [BAR, SINCE, *wanted], symbols)

    def keys(
        self, first_day: int | None = None, last_day: int | None = None, symbols: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """The keys of the bars alone."""
        if symbols is not None and len(set(symbols)) <= MANY:
            first = int(self.days[0]) if first_day is None else first_day
            last = int(self.days[-1]) if last_day is None else last_day
            if stretches := self._stretches(first, last):
                return self._keys_of(stretches, sorted(set(symbols)))
        return self._stored(first_day, last_day, [], symbols)

    def _keys_of(self, stretches: Sequence[Stretch], symbols: Sequence[str]) -> pl.DataFrame:
        every = found_in(stretches, symbols)
        found = {symbol: dates for symbol, (_, dates) in every.items() if dates.size}
        dates = pl.Series("date", np.concatenate([*found.values()] or [np.empty(0, np.int64)]))
        names = pl.Series("symbol", list(found), pl.Enum(list(found)))
        sizes = np.array([each.size for each in found.values()], np.int64)
        moments = dates.cast(pl.Int32).cast(pl.Date) if self.daily else dates.cast(pl.Int64).cast(pl.Datetime("us"))
        return pl.DataFrame([names.gather(np.repeat(np.arange(len(found)), sizes)), moments])

    def _stretches(self, first_day: int, last_day: int) -> list[Stretch]:
        """The keys from one day to another by segment; none where some bars of a segment belong to later versions."""
        with self._lock:
            found = self._kept_stretches.pop((first_day, last_day), None)
        if found is None:
            segments = self._between(first_day, last_day)
            if any(segment.newest > self.version for segment in segments):
                return []
            day = 1 if self.daily else DAY
            found = [Stretch(self._reader.keys(each), each, first_day, last_day, day) for each in segments]
        with self._lock:
            self._kept_stretches[first_day, last_day] = found
            while len(self._kept_stretches) > KEPT_KEYS:
                self._kept_stretches.popitem(last=False)
        return found

    def _between(self, first_day: int | None, last_day: int | None) -> list[BarSegment]:
        """The segments that have days from one to another."""
        return [
            segment
            for segment in self.segments
            if (first_day is None or segment.last_day >= first_day)
            and (last_day is None or segment.first_day <= last_day)
        ]

    def _stored(
        self, first_day: int | None, last_day: int | None, columns: Sequence[str], symbols: Sequence[str] | None
    ) -> pl.DataFrame:
        frames = [
            self._part(segment, first_day, last_day, columns, symbols) for segment in self._between(first_day, last_day)
        ]
        if not frames:
            frames = [self._part(self.segments[0], 1, 0, columns, None)]
        return joined(frames)

    def _part(
        self,
        segment: BarSegment,
        first_day: int | None,
        last_day: int | None,
        columns: Sequence[str],
        symbols: Sequence[str] | None,
    ) -> pl.DataFrame:
        is_cut = segment.newest > self.version
        there = [name for name in columns if name in (BAR, SINCE, *segment.columns)]
        frame = self._reader.frame(segment, [*there, SINCE] if is_cut and SINCE not in there else there)
        if symbols is not None:
            frame = _of_symbols(frame, self._reader.keys(segment), symbols)
        if is_cut:
            frame = frame.filter(pl.col(SINCE) <= self.version)
        key = pl.col("date")
        if first_day is not None and first_day > segment.first_day:
            frame = frame.filter(key >= day_of(first_day))
        if last_day is not None and last_day < segment.last_day:
            frame = frame.filter(key < day_of(last_day + 1))
        kinds = {"text": pl.String(), "number": pl.Float64(), "": pl.Float64()}
        shown = [
            pl.col(name)
            if name in (BAR, SINCE)
            else (pl.col(name) if name in there else pl.lit(None).alias(name)).cast(kinds[self.types[name]])
            for name in columns
        ]
        return frame.select(*KEYS, *shown)

    def rows_of(self, first_day: int, last_day: int, keys: Picked) -> tuple[Index, int]:
        """Where some bars stand among all from one day to another, and how many these are; both are sorted."""
        few = keys.names.len() * len(self._between(first_day, last_day)) <= SEARCHES
        known = (first_day, last_day) in self._numbered
        if few and not known and (stretches := self._stretches(first_day, last_day)):
            return places_of(stretches, keys), sum(each.rows for each in stretches)
        found = self._numbers(first_day, last_day)
        return found.places(keys), found.numbers.size

    def rows_on(self, first_day: int, last_day: int, days: Index) -> tuple[Index, int]:
        """The same for all bars on some days, where bars have no time of day."""
        found = self._numbers(first_day, last_day)
        return found.places_on(days), found.numbers.size

    def _numbers(self, first_day: int, last_day: int) -> Numbered:
        """The keys from one day to another as numbers; the last ones are kept."""
        with self._lock:
            found = self._numbered.pop((first_day, last_day), None)
        if found is None:
            found = Numbered(self.keys(first_day, last_day))
        with self._lock:
            self._numbered[first_day, last_day] = found
            sizes = [each.numbers.size for each in self._numbered.values()]
            while len(self._numbered) > 1 and (len(self._numbered) > KEPT_KEYS or sum(sizes) > KEPT_NUMBERS):
                self._numbered.popitem(last=False)
                del sizes[0]
        return found

    @cached_property
    def _contents(self) -> list[tuple[npt.NDArray[np.int32], dict[str, Hashes]]]:
        """Days and digests of each segment, as this version sees it."""
        found = []
        for segment in self.segments:
            if segment.newest <= self.version:
                found.append((segment.day_numbers(), segment.digests()))
            else:
                frame = self._reader.frame(segment, [BAR, SINCE, *segment.columns]).filter(
                    pl.col(SINCE) <= self.version
                )
                if frame.height:
                    found.append(digests_of(frame))
        return found

    def _sums(self, name: str) -> Hashes:
        if name not in self._kept_sums:
            self._kept_sums[name] = np.concatenate([np.zeros(1, np.uint64), np.cumsum(self.day_digests(name))])
        return self._kept_sums[name]

    @cached_property
    def _kept_sums(self) -> dict[str, Hashes]:
        return {}


def _has(names: pl.Series, symbol: str) -> bool:
    """Whether a symbol is among sorted names: some of them are looked at."""
    place = bisect.bisect_left(names, symbol)
    return place < len(names) and bool(names[place] == symbol)


def _of_symbols(frame: pl.DataFrame, keys: Keys, symbols: Sequence[str]) -> pl.DataFrame:
    """The bars of some symbols, of all bars of a segment; of a few, other symbols are no categories any more."""
    wanted = sorted(set(symbols))
    if len(wanted) > MANY:
        codes = np.flatnonzero(keys.names.is_in(pl.Series(wanted, dtype=pl.String).implode()).to_numpy())
        return frame.filter(frame["symbol"].to_physical().is_in(codes.tolist()))
    stretches = {symbol: keys.find(symbol) for symbol in wanted}
    parts = {symbol: frame.slice(start, stop - start) for symbol, (_, start, stop) in stretches.items() if start < stop}
    some = pl.concat(parts.values()) if parts else frame.clear()
    return some.with_columns(some["symbol"].cast(pl.String).cast(pl.Enum(list(parts))))


def joined(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Frames of bars as one, by symbol and date."""
    if len(frames) == 1:
        return frames[0]
    names = pl.concat([frame["symbol"].dtype.categories for frame in frames]).unique().sort()  # type: ignore[attr-defined]
    kind = pl.Enum(names)
    return sort_bars(pl.concat([frame.with_columns(_recoded(frame["symbol"], kind)) for frame in frames]), *KEYS)


def _recoded(symbols: pl.Series, kind: pl.Enum) -> pl.Series:
    """An Enum with more categories; several times as fast as a cast."""
    assert isinstance(symbols.dtype, pl.Enum)
    return symbols.dtype.categories.cast(kind).gather(symbols.to_physical()).alias("symbol")


def digests_of(frame: pl.DataFrame) -> tuple[npt.NDArray[np.int32], dict[str, Hashes]]:
    """The days of some bars, and the digests by day of their keys, named "", and of each column."""
    days = days_of(frame["date"])
    order = np.argsort(days, kind="stable")
    known, starts = np.unique(days[order], return_index=True)
    rows = row_hashes(frame["symbol"], frame["date"])
    digests = {"": sum_by_day(value_hashes(rows, frame[BAR]), order, starts)}
    for name in frame.columns:
        if name not in (*KEYS, BAR, SINCE):
            digests[name] = sum_by_day(value_hashes(rows, frame[name]), order, starts)
    return known.astype(np.int32), digests


def day_of(number: int) -> dt.date:
    """The date of the number of a day."""
    return dt.date.fromordinal(int(number) + EPOCH)
