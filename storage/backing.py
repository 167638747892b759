"""What all parts of an open store share: its folder, its catalogues, its open files, and views of its datasets."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from factorloom.engine.bars.selection import Selection, refuse_absent_dates, refuse_unknown_symbols
from factorloom.expressions.errors import DatasetError, ParameterError, StoreError, suggest
from factorloom.storage.catalog import Catalog, Dataset, TableFile, check_name, now
from factorloom.storage.entry import Entries, FileEntry
from factorloom.storage.folder import Folder
from factorloom.storage.publish import Catalogs, Draft
from factorloom.storage.published import datasets_changed, drop_views, write_views
from factorloom.storage.reader import BarReader
from factorloom.storage.relation import relations
from factorloom.storage.segment import SUMS, DamagedError, SegmentFiles
from factorloom.storage.sql import Cursor
from factorloom.storage.table import DatedTable, read_table_file
from factorloom.storage.view import View

__all__ = ["AsOf", "Backing", "refuse_unknown"]

Result = TypeVar("Result")

AsOf = int | str | dt.date | None
"""A version of a dataset, or a time: what was known then. None is the newest version."""

GRACE = dt.timedelta(minutes=10)
"""Files that are not needed any more are deleted after this time: other processes may be reading them."""

TRIES = 5
KEPT = 8
"""Views that are kept."""


class Backing:
    """One open store, shared by the parts of a `Store`."""

    def __init__(self, folder: Folder, *, read_only: bool, wait: float) -> None:
        self.folder = folder
        self.read_only = read_only
        self.wait = wait
        self.files = SegmentFiles(folder)
        self.reader = BarReader(self.files)
        self.catalogs = Catalogs(folder, self._write_views)
        self.closed = False
        self.unreadable: set[str] = set()
        self._process = os.getpid()
        self._views: OrderedDict[tuple[int, str, int], View] = OrderedDict()
        self._tables: OrderedDict[str, DatedTable] = OrderedDict()
        self._lock = threading.Lock()
        if not read_only and not folder.current.exists():
            self.catalogs.create()
        self.catalogs.newest()

    @property
    def is_written_here(self) -> bool:
        """Whether this process may write to it now."""
        return not (self.read_only or self.closed) and self._process == os.getpid()

    def check_open(self) -> None:
        """Refuse work on a closed store, or in a forked process."""
        if self._process != os.getpid():
            raise StoreError(
                f"the store {self.folder.name} was open in the parent process when this process was forked",
                hint="start processes with the method 'spawn', and open the store in each of them",
            )
        if self.closed:
            raise StoreError(f"the store {self.folder.name} is closed", hint="open it again with open_store")

    def catalog(self) -> Catalog:
        """The newest catalogue."""
        return self.newest()[0]

    def newest(self) -> tuple[Catalog, Path]:
        """The newest catalogue and its file."""
        self.check_open()
        return self.catalogs.newest()

    def on_newest(self, work: Callable[[Catalog], Result]) -> Result:
        """Work on the newest catalogue, and again where a file of it was merged away in the meantime."""
        for _ in range(TRIES):
            catalog = self.catalog()
            try:
                return work(catalog)
            except DamagedError:
                if self.catalog().number == catalog.number:
                    raise
        return work(self.catalog())

    @contextmanager
    def publishing(self, *, wait: float | None = None) -> Iterator[Draft]:
        """Change the catalogue; refused where the store is open for reading only."""
        self.check_open()
        if self.read_only:
            raise StoreError(f"the store {self.folder.name} is open for reading only", hint="open it without read_only")
        with self.catalogs.publishing(wait=self.wait if wait is None else wait) as draft:
            yield draft

    def dataset(self, name: str, catalog: Catalog | None = None) -> Dataset:
        """A dataset; an unknown one is an error with a suggestion."""
        check_name(name)
        known = (catalog or self.catalog()).datasets
        if name not in known:
            raise DatasetError(
                f"the store has no dataset {name!r}",
                hint=suggest(name, known) or "the store is empty: load a dataset first",
            )
        return known[name]

    def view(self, name: str, as_of: AsOf = None, catalog: Catalog | None = None) -> View:
        """A dataset as it was known in a version, or at a time."""
        catalog = catalog or self.catalog()
        entry = self.dataset(name, catalog)
        version = entry.version if as_of is None else version_at(catalog, entry, as_of)
        key = catalog.number, name, version
        with self._lock:
            if key in self._views:
                self._views.move_to_end(key)
                return self._views[key]
        view = self._view(name, version, catalog)
        with self._lock:
            self._views[key] = view
            while len(self._views) > KEPT:
                self._views.popitem(last=False)
        return view

    def table(self, entry: TableFile) -> DatedTable:
        """A dated table, read once."""
        with self._lock:
            if entry.file in self._tables:
                return self._tables[entry.file]
        table = read_table_file(self.files, entry)
        with self._lock:
            self._tables[entry.file] = table
            while len(self._tables) > 4 * KEPT:
                self._tables.popitem(last=False)
        return table

    def saved_entries(self, catalog: Catalog, view: View) -> Entries:
        """The files with values of saved factors that hold for a view, damaged ones too."""
        saved = {each.digest for each in catalog.factors if each.dataset == view.dataset}
        rows = [row for row in catalog.cache if row.dataset == view.dataset and not saved.isdisjoint(row.factors)]
        return Entries(view, [FileEntry(self.files, row) for row in rows])

    def _view(self, name: str, version: int, catalog: Catalog) -> View:
        segments = [each for each in catalog.segments if each.dataset == name]
        tables = [each for each in catalog.tables if each.dataset == name]
        return View(
            name,
            version,
            [each for each in segments if holds(each.from_version, each.to_version, version)],
            [self.table(each) for each in tables if holds(each.from_version, each.to_version, version)],
            self.reader,
        )

    def _write_views(self, cursor: Cursor, before: Catalog, after: Catalog) -> None:
        """Bring the views of a catalogue that is being published up to date, and delete what is long unused."""
        moved = after.root != str(self.folder.root)
        if moved:
            cursor.execute("DELETE FROM catalog.meta WHERE key = 'root'")
            cursor.execute("INSERT INTO catalog.meta VALUES ('root', ?)", [str(self.folder.root)])
        self.remove_unused(cursor, after, before=now() - GRACE)
        for name in (before.datasets.keys() - after.datasets.keys()) | self.unreadable:
            drop_views(cursor, name)
        for name in after.datasets if moved else datasets_changed(before, after):
            if name in self.unreadable:
                continue
            try:
                view = self._view(name, after.datasets[name].version, after)
            except StoreError:  # a dated table is damaged
                drop_views(cursor, name)
                continue
            write_views(cursor, self.folder, name, relations(after, view, self.saved_entries(after, view)))

    def remove_unused(self, cursor: Cursor, catalog: Catalog, *, before: dt.datetime) -> int:
        """Delete the files that nothing has needed since some time; returns their bytes."""
        freed = 0
        for file, since in catalog.unused.items():
            if since <= before:
                for path in (self.folder.segment(file), self.folder.segment(file + SUMS)):
                    with suppress(OSError):
                        freed += path.stat().st_size
                        path.unlink()
                cursor.execute("DELETE FROM catalog.unused WHERE file = ?", [file])
        return freed

    def close(self) -> None:
        """Close all files."""
        self.closed = True
        self.files.close()
        if self._process == os.getpid():
            self.catalogs.close()
        if not self.folder.lasting:
            shutil.rmtree(self.folder.root, ignore_errors=True)


def holds(first: int, last: int | None, version: int) -> bool:
    """Whether something that holds from one version to before another belongs to a version."""
    return first <= version and (last is None or version < last)


def version_at(catalog: Catalog, entry: Dataset, as_of: AsOf) -> int:
    """The version that a caller names by its number, or by a time at which it was the newest one."""
    known = [each for each in catalog.versions if each.dataset == entry.name]
    if isinstance(as_of, bool) or not isinstance(as_of, int | str | dt.date):
        raise ParameterError(f"as_of must be a version or a time, got {as_of!r}", hint="for example as_of=3")
    if isinstance(as_of, int):
        if as_of not in {each.version for each in known}:
            raise ParameterError(
                f"dataset {entry.name!r} has no version {as_of}",
                hint=f"it has the versions {known[0].version} to {known[-1].version}",
            )
        return as_of
    moment = _moment(as_of)
    found = [each.version for each in known if each.known_at <= moment]
    if not found:
        raise ParameterError(
            f"nothing was known of dataset {entry.name!r} at {as_of}",
            hint=f"its first kept version is of {known[0].known_at:%Y-%m-%d %H:%M:%S} UTC",
        )
    return found[-1]


def refuse_unknown(view: View, selection: Selection) -> None:
    """Refuse symbols and dates that have no bars in a view."""
    if selection.symbols is not None and not view.holds(selection.symbols):
        refuse_unknown_symbols(selection.symbols, view.symbols)
    if selection.dates is not None:
        known = view.dates if view.daily else view.moments(selection.dates)
        refuse_absent_dates(selection.dates, known, view.dates)


def _moment(given: str | dt.date) -> dt.datetime:
    """A time in UTC without a zone; a day is meant to its end."""
    value: dt.date
    try:
        value = dt.datetime.fromisoformat(given) if isinstance(given, str) else given
        if isinstance(given, str) and len(given.strip()) == 10:
            value = dt.date.fromisoformat(given.strip())
    except ValueError as error:
        raise ParameterError(
            f"as_of is no time: {given!r}", hint="for example 2024-12-31 or 2024-12-31T18:00"
        ) from error
    if not isinstance(value, dt.datetime):
        return dt.datetime.combine(value, dt.time.max)
    return value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
