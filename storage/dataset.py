"""Load bars into a dataset, and delete bars from it: each makes a version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import polars.selectors as cs

from factorloom.engine.bars.layout import KEYS
from factorloom.engine.bars.number import Kind
from factorloom.engine.bars.quality import QualityReport, calendar_of, check
from factorloom.engine.bars.read import ReadOptions, Stored, convert
from factorloom.engine.bars.source import SourceTable
from factorloom.expressions.errors import BarsError
from factorloom.storage import catalog
from factorloom.storage.attribute import read_attributes, refuse_shared_columns, split_columns
from factorloom.storage.backing import Backing
from factorloom.storage.catalog import BarSegment, Dataset, VersionEntry, replace_row
from factorloom.storage.pieces import Piece, Pieces
from factorloom.storage.publish import Draft
from factorloom.storage.segment import write_bars
from factorloom.storage.sql import Cursor
from factorloom.storage.table import DatedTable, static_table
from factorloom.storage.tables import merge_table, write_table
from factorloom.storage.upsert import check_same_case
from factorloom.storage.view import BAR, SINCE, View, day_of, digests_of

__all__ = ["Source", "load", "next_version", "record_version", "seen", "symbols_of", "write_pieces"]

CONTEXT = 15
"""Days before the loaded bars that are read to compare their closes with."""


class Source(NamedTuple):
    """The tables and options of a load."""

    bars: SourceTable
    attributes: SourceTable | None
    options: ReadOptions


def load(backing: Backing, name: str, source: Source) -> QualityReport:
    """Merge a source into a dataset, and publish the next version unless nothing changed."""
    bar_columns, attribute_columns = split_columns(source.options.get("columns") or {}, source.bars, source.attributes)
    options: ReadOptions = {**source.options, "columns": bar_columns}
    new_attributes = None
    if source.attributes is not None:
        new_attributes = read_attributes(
            source.attributes, symbol=source.options.get("symbol", "symbol"), columns=attribute_columns
        )
    known, bars = None, None
    while True:
        found = backing.catalog()
        view = backing.view(name, None, found) if name in found.datasets else None
        if bars is None or known != _kinds(view):
            known = _kinds(view)
            bars = convert(source.bars, options, dtype="float64", stored=known and Stored(*known))
            if not bars.frame.height:
                raise BarsError("no bars to load", hint="the source has no rows")
        with backing.publishing() as draft:
            now = backing.view(name, None, draft.before) if name in draft.before.datasets else None
            if _kinds(now) != known:  # another process has loaded other columns in the meantime
                continue
            frame = bars.frame.with_columns(cs.enum().exclude("symbol").cast(pl.String))
            return _merge(backing, draft, name, now, frame, new_attributes, bars)


def _merge(
    backing: Backing,
    draft: Draft,
    name: str,
    view: View | None,
    frame: pl.DataFrame,
    new_attributes: pl.DataFrame | None,
    read: Any,
) -> QualityReport:
    version = next_version(draft, name)
    if view is not None:
        check_same_case(list(view.types), frame.columns)
    if clash := [each for each in frame.columns if each in (BAR, SINCE)]:
        raise BarsError(f"a column cannot be named {clash[0]!r}", hint="rename it with columns=")
    pieces = Pieces(view, symbols_of(draft.cursor, name), version)
    pieces.merge(_as_stored(frame, view))
    attributes = None
    tables = [] if view is None else list(view.tables)
    if new_attributes is not None:
        attributes = merge_table(tables, "attributes", "", static_table(new_attributes))
        tables = [each for each in tables if each.kind != "attributes"] + [attributes.table]
    for table in tables:
        refuse_shared_columns([*frame.columns, *(view.types if view else ())], table.columns)
    changed = pieces.changed or (attributes is not None and attributes.changed)
    new_view = view
    if changed:
        if pieces.changed:
            write_pieces(backing, draft, name, pieces.finish(), version)
        if attributes is not None and attributes.changed:
            write_table(backing, draft, name, attributes.table, version)
        new_view = seen(backing, draft, name, version, tables)
        record_version(draft, name, new_view, "load", pieces)
    assert new_view is not None
    return _report(draft.cursor, new_view, frame, pieces, tables, read, changed=changed)


def next_version(draft: Draft, name: str) -> int:
    """The number of the version that comes next."""
    return draft.before.datasets[name].version + 1 if name in draft.before.datasets else 1


def write_pieces(backing: Backing, draft: Draft, name: str, pieces: Sequence[Piece], version: int) -> None:
    """Write the new segments, and end those that they replace."""
    stays = {piece.segment.file for piece in pieces if piece.segment is not None}
    new = [piece for piece in pieces if piece.segment is None]
    for old in draft.before.segments:
        if old.dataset != name or old.to_version is not None or old.file in stays:
            continue
        heirs = [each for each in new if each.first_day <= old.last_day and each.last_day >= old.first_day]
        if heirs and all(each.since <= old.from_version for each in heirs):  # only joined with others: nothing to keep
            draft.cursor.execute("DELETE FROM catalog.segments WHERE file = ?", [old.file])
            draft.unuse(old.file)
        else:
            draft.cursor.execute("UPDATE catalog.segments SET to_version = ? WHERE file = ?", [version, old.file])
    for piece in new:
        assert piece.frame is not None
        replace_row(draft.cursor, "segments", write_segment(backing, name, piece, version))
    backing.folder.settle(backing.folder.segment(name))


def write_segment(backing: Backing, name: str, piece: Piece, version: int) -> BarSegment:
    """Write the bars of a piece to a file."""
    frame = piece.frame
    assert frame is not None
    columns = [each for each in frame.columns if each not in (*KEYS, BAR, SINCE)]
    days, digests = digests_of(frame)
    text = frame.with_columns(pl.col("symbol").cast(pl.String)).select(*KEYS, BAR, SINCE, *columns)
    table = text.to_arrow(compat_level=pl.CompatLevel.oldest())
    written = write_bars(backing.folder, backing.folder.new_segment(name, "bars"), table)
    return BarSegment(
        *(written.file, name, int(days[0]), int(days[-1]), frame.height, written.bytes, written.check),
        from_version=piece.since,
        to_version=None,
        newest=int(frame[SINCE].max()),  # type: ignore[arg-type]
        pure=piece.pure,
        daily=frame.schema["date"] == pl.Date,
        columns=columns,
        types=[kind_of_column(frame[each]) for each in columns],
        days=days.tobytes(),
        hashes=np.concatenate([digests[each] for each in ("", *columns)]).tobytes(),
    )


def record_version(draft: Draft, name: str, view: View, kind: str, pieces: Pieces | None, source: str = "") -> None:
    """Record the version that a view shows as the newest one."""
    if pieces is not None and pieces.changed:
        _record_symbols(draft.cursor, name, view, pieces)
    ((symbols, rows),) = draft.cursor.execute(
        "SELECT count(*), coalesce(sum(bars), 0)::BIGINT FROM catalog.symbols WHERE dataset = ?", [name]
    ).fetchall()
    start, end = (day_of(view.days[0]), day_of(view.days[-1]))
    known_at = catalog.now()
    last = max((each.known_at for each in draft.before.versions if each.dataset == name), default=known_at)
    counts = (pieces.inserted, pieces.updated, pieces.deleted) if pieces is not None else (0, 0, 0)
    entry = VersionEntry(name, view.version, kind, max(known_at, last), source, *counts, rows, symbols)
    replace_row(draft.cursor, "versions", entry)
    dataset = Dataset(name, view.version, symbols, rows, start, end, view.columns, entry.known_at)
    replace_row(draft.cursor, "datasets", dataset, name=name)


def symbols_of(cursor: Cursor, name: str) -> pl.DataFrame:
    """The symbols of the newest version with their first and last dates and how many bars they have."""
    query = "SELECT symbol, first, last, bars FROM catalog.symbols WHERE dataset = $name"
    return pl.DataFrame(cursor.sql(query, params={"name": name}).pl())


def kind_of_column(values: pl.Series) -> str:
    """`"number"` or `"text"`, or "" without values."""
    return "" if values.null_count() == values.len() else "text" if values.dtype == pl.String else "number"


def _record_symbols(cursor: Cursor, name: str, view: View, pieces: Pieces) -> None:
    """Bring the table of symbols up to date: for what was appended by adding, else from all keys."""
    if not (pieces.inserted or pieces.deleted):
        return
    if (added := pieces.appended) is not None:
        old = symbols_of(cursor, name)
        spans = pl.concat([old, _spans(added)]).group_by("symbol")
        frame = spans.agg(pl.col("first").min(), pl.col("last").max(), pl.col("bars").sum())
    else:
        frame = _spans(view.keys())
    cursor.execute("DELETE FROM catalog.symbols WHERE dataset = ?", [name])
    cursor.register("spans", frame.sort("symbol"))
    cursor.execute("INSERT INTO catalog.symbols SELECT $name, * FROM spans", {"name": name})
    cursor.unregister("spans")


def _spans(frame: pl.DataFrame) -> pl.DataFrame:
    keys = frame.select(pl.col("symbol").cast(pl.String), pl.col("date").to_physical().cast(pl.Int64))
    return keys.group_by("symbol").agg(
        first=pl.col("date").min(), last=pl.col("date").max(), bars=pl.len().cast(pl.Int64)
    )


def seen(backing: Backing, draft: Draft, name: str, version: int, tables: Sequence[DatedTable]) -> View:
    """The view of a version that is not published yet."""
    rows = draft.cursor.execute("FROM catalog.segments WHERE dataset = ? AND to_version IS NULL", [name]).fetchall()
    return View(name, version, [BarSegment(*row) for row in rows], tables, backing.reader)


def _kinds(view: View | None) -> tuple[Mapping[str, Kind | None], bool] | None:
    if view is None:
        return None
    kinds: dict[str, Any] = {name: kind or None for name, kind in view.types.items()}
    return kinds, view.daily


def _as_stored(frame: pl.DataFrame, view: View | None) -> pl.DataFrame:
    """New bars whose columns without values have the type of the stored ones."""
    kinds = {"text": pl.String(), "number": pl.Float64(), "": None}
    wanted = {name: kinds[kind] for name, kind in (view.types if view else {}).items() if name in frame.columns}
    return frame.with_columns(
        pl.col(name).cast(kind)
        for name, kind in wanted.items()
        if kind is not None and frame.schema[name] != kind and frame[name].null_count() == frame.height
    )


def _report(
    cursor: Cursor,
    view: View,
    loaded: pl.DataFrame,
    pieces: Pieces,
    tables: Iterable[DatedTable],
    read: Any,
    *,
    changed: bool,
) -> QualityReport:
    """What a load did: sizes of the dataset, and findings in the loaded bars."""
    first, last = pieces.touched
    if view.rows == loaded.height:  # there is nothing else
        bars = loaded.cast({"symbol": pl.String})
    else:
        bars = view.stored(first - CONTEXT, last).drop(BAR, SINCE).cast({"symbol": pl.String})
    if view.daily:
        spans = symbols_of(cursor, view.dataset).with_columns(pl.col("first", "last").cast(pl.Int32).cast(pl.Date))
        calendar = calendar_of(spans, view.dates)
    else:
        whole = view.keys()
        spans = _spans(whole).with_columns(pl.col("first", "last").cast(whole.schema["date"]))
        calendar = calendar_of(spans, whole["date"].unique().sort())
    attributes = next((table.frame for table in tables if table.kind == "attributes"), None)
    keys = pieces.changed_keys
    return QualityReport(
        changed_from=None if keys is None else keys["date"].sort()[0],
        changed_to=None if keys is None else keys["date"].sort()[-1],
        changed_symbols=0 if keys is None else keys["symbol"].n_unique(),
        dataset=view.dataset,
        version=view.version,
        changed=changed,
        inserted=pieces.inserted,
        updated=pieces.updated,
        unchanged=pieces.unchanged,
        dropped=read.dropped,
        infinite=read.infinite,
        notes=read.notes,
        **check(bars, loaded.select(KEYS).cast({"symbol": pl.String}), calendar, attributes),
    )
