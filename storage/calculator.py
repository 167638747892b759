"""Values of factors of a dataset: what is at hand is read, what is missing is computed, day by day, and kept."""

from __future__ import annotations

import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Index
from factorloom.engine.bars.selection import Selection
from factorloom.engine.panel import Engine, Panel
from factorloom.engine.plan.reach import needed_rows
from factorloom.engine.plan.request import make_request
from factorloom.engine.result import value_blocks
from factorloom.engine.runtime.limit import limit, room
from factorloom.engine.runtime.progress import default_observer
from factorloom.expressions.errors import MemoryLimitError, StoreError, plural
from factorloom.expressions.factor import Factor
from factorloom.storage.backing import Backing
from factorloom.storage.catalog import CacheFile, Catalog
from factorloom.storage.digest import days_of
from factorloom.storage.drop import drop_files
from factorloom.storage.entry import FOREVER, Basis, Days, Entries, Entry, FileEntry
from factorloom.storage.gather import assembled, wanted_days
from factorloom.storage.keeper import keeper_of
from factorloom.storage.panel import between, empty_panel, needed_bars, panel_of
from factorloom.storage.refresh import refresh
from factorloom.storage.runs import Run
from factorloom.storage.segment import DamagedError
from factorloom.storage.selections import Selections
from factorloom.storage.tier import Tiers
from factorloom.storage.view import View
from factorloom.storage.write import Made, arrays_of

__all__ = ["Calculator"]

KEPT: Engine = "numba"
"""The engine whose values are kept: engines agree to 1e-9, and what is kept never depends on who asked first."""

BLOCK, BLOCK_ROWS = 32, 1 << 14
"""Values are computed and kept for all days of a block, so that the next day asked for is there: of so many calendar
days, or twice, four times ... as many, until a block holds so many bars."""

GAP = 90
"""Stretches of days that are no further apart, in calendar days, are computed as one."""

SHARE = 4
"""A result may take this part of the memory that is left; a larger one is computed in several stretches of days."""

BUSY: set[tuple[str, str, str]] = set()
DONE = threading.Condition()
"""The factors that threads of this process are computing, by store and dataset."""

MAX_CHECKED = 100_000
MAX_PANELS = 2


class Calculator:
    """Computes factors for one store object."""

    def __init__(self, backing: Backing, tiers: Tiers) -> None:
        self._backing = backing
        self._tiers = tiers
        self.keeper = keeper_of(backing, tiers)
        self._panels: OrderedDict[int, Panel] = OrderedDict()
        self.selections = Selections(tiers)
        self._checked: set[tuple[Hashable, str]] = set()
        self._damaged: set[str] = set()
        self._entries: OrderedDict[tuple[int, str, int, int], Entries] = OrderedDict()
        self._lock = threading.Lock()

    def panel(self, view: View) -> Panel:
        """The panel of all bars of a view; the last ones are kept."""
        key = view.stamp
        with self._lock:
            panel = self._panels.pop(key, None)
        panel = panel_of(view.bars()) if panel is None else panel
        with self._lock:
            self._panels[key] = panel
            while len(self._panels) > MAX_PANELS:
                self._panels.popitem(last=False)
        return panel

    def compute(
        self,
        run: Run,
        catalog: Catalog,
        view: View,
        factors: Mapping[str, Factor],
        selection: Selection,
        engine: Engine = KEPT,
    ) -> pl.DataFrame:
        """The values of the selected bars, by symbol and date; kept ones that are damaged are computed again."""
        while True:
            try:
                values = self._compute(run, catalog, view, factors, selection, engine)
                break
            except DamagedError as error:
                if not self._ignored(error.file):
                    raise
        if run.misses:
            self._drop_damaged()
        return values

    def _ignored(self, file: str) -> bool:
        """Do without a damaged file of values; False for any other file."""
        if file in self._damaged or file not in {row.file for row in self._backing.catalog().cache}:
            return False
        sys.stderr.write(f"factorloom: values in {file} are damaged, and are computed again\n")
        with self._lock:
            self._damaged.add(file)
            self._entries.clear()
        return True

    def _drop_damaged(self) -> None:
        """Take damaged files of values out of the store, once what SQL shows of them is stored anew."""
        if self._backing.read_only or not self._damaged:
            return
        with suppress(StoreError):
            self.keeper.write(self._backing, self._tiers)
            catalog = self._backing.catalog()
            damaged = [row for row in catalog.cache if row.file in self._damaged]
            if gone := [row.file for row in damaged if self._is_replaced(catalog, row)]:
                drop_files(self._backing, gone)

    def _is_replaced(self, catalog: Catalog, damaged: CacheFile) -> bool:
        """Whether other files hold the saved factors of a damaged one, in all versions that it belongs to."""
        saved = {each.digest for each in catalog.factors if each.dataset == damaged.dataset} & set(damaged.factors)
        rows = [row for row in catalog.cache if row.dataset == damaged.dataset and row.file not in self._damaged]
        for version in [each.version for each in catalog.versions if each.dataset == damaged.dataset and saved]:
            view = self._backing.view(damaged.dataset, version, catalog)
            if FileEntry(self._backing.files, damaged).basis.fits(view):
                entries = Entries(view, [FileEntry(self._backing.files, row) for row in rows])
                days = (view.days >= damaged.first_day) & (view.days <= damaged.last_day)
                if any((days & ~entries.covered(digest)).any() for digest in saved):
                    return False
        return True

    def _compute(
        self,
        run: Run,
        catalog: Catalog,
        view: View,
        factors: Mapping[str, Factor],
        selection: Selection,
        engine: Engine,
    ) -> pl.DataFrame:
        wanted = wanted_days(view, selection)
        by_digest = {factor.digest: factor for factor in factors.values()}
        self._check(view, factors)
        rows = self.selections.rows(view, selection, wanted)
        _refuse_too_large(rows.days.size, len(by_digest))
        if engine != KEPT:
            entries = Entries(view, ())
            for made in self._made(run, view, by_digest, wanted, engine):
                entries.add(made.entry(view))
            values = assembled(view, rows, entries, list(by_digest), wanted)
        else:
            values = self.selections.get(view, selection, wanted, self.entries(catalog, view), list(by_digest))
            run.hits += len(values)
            if cold := {digest: factor for digest, factor in by_digest.items() if digest not in values}:
                found = self._filled(run, catalog, view, cold, wanted)
                read = assembled(view, rows, found, list(cold), wanted)
                self.selections.put(view, selection, wanted, found, read)
                values |= read
        return rows.shown.hstack([values[factor.digest].alias(name) for name, factor in factors.items()])

    def _check(self, view: View, factors: Mapping[str, Factor]) -> None:
        """Refuse factors that the columns of a view cannot give; what was once right is not checked again."""
        keys = {(view.kinds, factor.digest) for factor in factors.values()}
        if factors and not keys <= self._checked:
            check(view, factors)
            if len(self._checked) > MAX_CHECKED:
                self._checked.clear()
            self._checked |= keys

    def fill(self, run: Run, catalog: Catalog, view: View, factors: Mapping[str, Factor]) -> None:
        """Compute what is missing on all days, and keep it, in stretches of days that fit into memory."""
        self._check(view, factors)
        by_digest = {factor.digest: factor for factor in factors.values()}
        for first, last in self._portions(view, int(view.days[0]), int(view.days[-1]), len(by_digest)):
            days = (view.days >= first) & (view.days <= last)
            while True:
                try:
                    self._filled(run, self._backing.catalog(), view, by_digest, days)
                    break
                except DamagedError as error:
                    if not self._ignored(error.file):
                        raise
        self.keeper.write(self._backing, self._tiers)
        self._drop_damaged()

    def forget(self) -> None:
        """Let go of everything in memory."""
        self.selections.forget()
        self.keeper.forget()
        with self._lock:
            self._panels.clear()
            self._entries.clear()

    def entries(self, catalog: Catalog, view: View) -> Entries:
        """What is at hand for a view."""
        key = catalog.number, view.dataset, view.version, self.keeper.count
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        memory = self.keeper.entries(view.dataset)
        rows = [
            row
            for row in catalog.cache
            if (row.dataset, row.dtype) == (view.dataset, self._tiers.dtype) and row.file not in self._damaged
        ]
        found: list[Entry] = [*(FileEntry(self._backing.files, row) for row in rows), *memory]
        entries = Entries(view, found)
        with self._lock:
            self._entries[key] = entries
            while len(self._entries) > MAX_PANELS:
                self._entries.popitem(last=False)
        return entries

    def _filled(self, run: Run, catalog: Catalog, view: View, factors: Mapping[str, Factor], wanted: Days) -> Entries:
        """Entries that hold the wanted days of all factors; what is missing is computed, each factor by one caller."""
        while True:
            entries = self.entries(catalog, view)
            if not (missing := _missing(entries, factors, wanted)):
                run.hits += max(0, len(factors) - run.misses)
                return entries
            with self._claimed(view.dataset, missing) as alone:
                catalog = self._backing.catalog()
                if not alone:  # another thread has just computed some of it
                    continue
                entries = self.entries(catalog, view)
                made = self._refreshed(run, catalog, view, factors, wanted, entries)
                if missing := _missing(entries, factors, wanted):
                    made += self._made(run, view, {each: factors[each] for each in missing}, wanted, KEPT, entries)
                if made:
                    self.keeper.keep(self._backing, self._tiers, view, made)
                run.hits += max(0, len(factors) - run.misses)
                return entries

    def _refreshed(
        self, run: Run, catalog: Catalog, view: View, factors: Mapping[str, Factor], wanted: Days, entries: Entries
    ) -> list[Made]:
        """What becomes of values of other versions, where only a part of them is reached by what has changed."""
        stale = {id(each): each for digest in factors for each in entries.stale.get(digest, ())}
        if not stale:
            return []
        versions = {each.version for each in catalog.versions if each.dataset == view.dataset}
        found: dict[int, list[tuple[Entry, list[str]]]] = {}
        taken: dict[str, Days] = {digest: ~wanted | entries.covered(digest) for digest in factors}
        for entry in sorted(stale.values(), key=lambda each: abs(each.version - view.version)):
            if entry.version not in versions:
                continue
            span = (view.days >= entry.days[0]) & (view.days <= entry.days[1])
            some = [d for d in entry.factors if d in factors and (span & ~taken[d]).any()]
            if some and entry.basis.fits(self._backing.view(view.dataset, entry.version, catalog)):
                found.setdefault(entry.version, []).append((entry, some))
                for digest in some:
                    taken[digest] = taken[digest] | span
        made = []
        computed: set[str] = set()
        for version, some_entries in found.items():
            old = self._backing.view(view.dataset, version, catalog)
            compute = partial(self._computed, run, engine=KEPT)
            for each in refresh(old, view, some_entries, factors, compute):
                made.append(each.made)
                entries.add(each.made.entry(view))
                run.cells += each.cells
                if each.cells:
                    computed |= each.made.values.keys()
        run.misses += len(computed)
        return made

    @contextmanager
    def _claimed(self, dataset: str, digests: Sequence[str]) -> Iterator[bool]:
        """Claim factors; False after waiting for another caller that had claimed one of them."""
        claims = {(self._backing.folder.name, dataset, digest) for digest in digests}
        with DONE:
            alone = not BUSY & claims
            if alone:
                BUSY.update(claims)
            else:
                DONE.wait_for(lambda: not BUSY & claims)
        try:
            yield alone
        finally:
            if alone:
                with DONE:
                    BUSY.difference_update(claims)
                    DONE.notify_all()

    def _made(
        self,
        run: Run,
        view: View,
        factors: Mapping[str, Factor],
        wanted: Days,
        engine: Engine,
        entries: Entries | None = None,
    ) -> list[Made]:
        """Compute what is missing, factors that lack the same days together."""
        run.misses += len(factors)
        made: list[Made] = []
        groups: dict[tuple[bytes, bool, bool], list[str]] = {}
        for some in [list(factors)] if entries is None else entries.alike(factors):
            need = wanted if entries is None else missing_blocks(view, wanted, entries.covered(some[0]))
            days = need.tobytes()
            for digest in some:
                key = days, factors[digest].unbounded, factors[digest].lookahead > 0
                groups.setdefault(key, []).append(digest)
        for (chosen, _, _), digests in groups.items():
            together = {digest: factors[digest] for digest in digests}
            for first, last in stretches(view.days, np.frombuffer(chosen, np.bool_)):
                made += self._computed(run, view, together, first, last, engine)
        if entries is not None:
            for each in made:
                entries.add(each.entry(view))
        return made

    def _computed(
        self, run: Run, view: View, factors: Mapping[str, Factor], first_day: int, last_day: int, engine: Engine = KEPT
    ) -> Iterator[Made]:
        """Compute factors on all bars from one day to another, in stretches of days that fit into memory."""
        whole = self.panel(view) if self._is_most(view, first_day, last_day) else None
        for first, last in self._portions(view, first_day, last_day, len(factors)):
            bars = needed_bars(view, factors, first, last) if whole is None else whole
            chosen = between(bars, first, last)
            plan = make_request(bars, dict(factors), (), {})
            rows = needed_rows(plan, bars, chosen)
            reach_days = days_of(bars.table["date"].filter(pl.Series(rows)))
            observer, begin = default_observer(), time.perf_counter()
            (frame,) = value_blocks(plan, bars, chosen, engine, None, observer)
            seconds = time.perf_counter() - begin
            self._tiers.cost.update(dict.fromkeys(factors, seconds / max(1, frame.height * len(factors))))
            run.kernel_runs += observer.kernels
            run.cells += frame.height * len(factors)
            values = arrays_of(frame, list(factors), self._tiers.dtype if engine == KEPT else "float64")
            columns = sorted({column for factor in factors.values() for column in factor.columns})
            ahead = any(factor.lookahead for factor in factors.values())
            until = FOREVER if ahead else int(reach_days.max())  # a bar that comes after the last one is read too
            basis = Basis.of(view, columns, int(reach_days.min()), until)
            yield Made(first, last, basis, frame.select("symbol", "date"), values)

    def _is_most(self, view: View, first_day: int, last_day: int) -> bool:
        """Whether so much of the bars is needed that the panel of all is as good, and worth keeping."""
        first, last = np.searchsorted(view.days, [first_day, last_day + 1])
        return bool((last - first) * 2 >= view.days.size)

    def _portions(self, view: View, first_day: int, last_day: int, factors: int) -> Iterator[tuple[int, int]]:
        """Stretches of days whose values fit into a share of the memory."""
        days = view.days[(view.days >= first_day) & (view.days <= last_day)]
        rows = sum(each.rows for each in view.segments if each.last_day >= first_day and each.first_day <= last_day)
        count = max(1, min(days.size, -(-rows * factors * 8 * SHARE // max(1, room()))))
        for part in np.array_split(days, count):
            yield int(part[0]), int(part[-1])


def _missing(entries: Entries, factors: Mapping[str, Factor], wanted: Days) -> list[str]:
    """The factors whose values are not all at hand."""
    return [digest for digest in factors if (wanted & ~entries.covered(digest)).any()]


def _refuse_too_large(rows: int, factors: int) -> None:
    """Refuse a result that the process can never hold."""
    need, most = rows * factors * 8, limit()
    if need > most:
        raise MemoryLimitError(
            f"{plural(factors, 'factor')} on {rows:,} bars are {need / 2**20:,.0f} MiB; "
            f"the process may use {most / 2**20:,.0f} MiB in all",
            hint="ask for fewer factors or dates, or write them block by block: store.scan(...).sink_parquet(path)",
        )


def check(view: View, factors: Mapping[str, Factor]) -> None:
    """Refuse factors that the columns of a view cannot give."""
    make_request(empty_panel(view), dict(factors), (), {})


def missing_blocks(view: View, wanted: Days, covered: Days) -> Days:
    """The days to compute: those that are wanted and not at hand, and what their blocks lack besides."""
    size = BLOCK
    span = int(view.days[-1] - view.days[0]) + 1
    while size < span and view.rows * size < BLOCK_ROWS * span:
        size *= 2
    blocks = view.days // size if size < span else np.zeros_like(view.days)
    needed = np.isin(blocks, np.unique(blocks[wanted & ~covered]))
    need: Days = needed & ~covered
    return need


def stretches(days: Index, need: Days) -> Iterator[tuple[int, int]]:
    """The first and last day of each stretch of needed days; small gaps between them are computed too."""
    numbers = days[need]
    if numbers.size:
        breaks = np.flatnonzero(np.diff(numbers) > GAP)
        for start, stop in zip([0, *(breaks + 1)], [*breaks, numbers.size - 1], strict=True):
            yield int(numbers[start]), int(numbers[stop])
