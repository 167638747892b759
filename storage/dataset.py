"""Load bars and attributes into a dataset, and read them back as the frame of a panel."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import polars as pl
import polars.selectors as cs

from factorloom.engine.bars.layout import KEYS
from factorloom.engine.bars.quality import QualityReport, check
from factorloom.engine.bars.read import BarTable, ReadOptions, Stored, convert
from factorloom.engine.bars.selection import Selection
from factorloom.engine.bars.source import SourceTable
from factorloom.expressions.errors import BarsError, StoreError
from factorloom.storage import cache, catalog, stored_score
from factorloom.storage.attribute import join_attributes, read_attributes, refuse_shared_columns, split_columns
from factorloom.storage.catalog import Dataset
from factorloom.storage.sql import Cursor, by_key, condition, fetch, table
from factorloom.storage.upsert import Upsert, upsert

__all__ = ["Source", "load", "read_panel", "read_schema"]

ALL_BARS = Selection()


class Source(msgspec.Struct, frozen=True):
    """The tables and options of a load."""

    bars: SourceTable
    attributes: SourceTable | None
    options: ReadOptions


def read_panel(cursor: Cursor, entry: Dataset, selection: Selection = ALL_BARS) -> pl.DataFrame:
    """The selected bars with their attributes, by symbol and date."""
    bars = _read(cursor, "bars", entry.name, selection)
    if not bars.height:
        raise StoreError(
            f"dataset {entry.name!r} has no bars in {selection}",
            hint=f"its bars are from {entry.start} to {entry.end}",
        )
    return join_attributes(by_key(bars), _stored(cursor, "attributes", entry.name))


def read_schema(cursor: Cursor, entry: Dataset) -> pl.DataFrame:
    """The frame of a panel of these bars and attributes, without rows."""
    nothing = Selection(symbols=())
    bars = _read(cursor, "bars", entry.name, nothing)
    return join_attributes(bars, _stored(cursor, "attributes", entry.name, nothing))


def load(cursor: Cursor, name: str, source: Source) -> QualityReport:
    """Merge a source into a dataset and report; writes nothing if nothing changed."""
    columns = source.options.get("columns") or {}
    bar_columns, attribute_columns = split_columns(columns, source.bars, source.attributes)
    old = _stored(cursor, "bars", name)
    bars = convert(
        source.bars,
        {**source.options, "columns": bar_columns},
        dtype="float64",
        stored=None if old is None else Stored.of(old),
    )
    if not bars.frame.height:
        raise BarsError("no bars to load", hint="the source has no rows")
    merged = upsert(*_of_one_type(old, bars), KEYS)
    attributes = _attributes(cursor, name, source, attribute_columns)
    all_attributes = attributes.frame if attributes else _stored(cursor, "attributes", name)
    refuse_shared_columns(merged.frame.columns, all_attributes.columns if all_attributes is not None else [])
    changed = merged.changed or (attributes is not None and attributes.changed)
    report = QualityReport(
        dataset=name,
        version=_version(cursor, name) + changed,
        changed=changed,
        inserted=merged.inserted,
        updated=merged.updated,
        unchanged=merged.unchanged,
        dropped=bars.dropped,
        infinite=bars.infinite,
        notes=bars.notes,
        **check(merged.frame, all_attributes),
    )
    if changed:
        _write(cursor, report, merged, attributes, all_attributes)
    return report


def _of_one_type(old: pl.DataFrame | None, bars: BarTable) -> tuple[pl.DataFrame | None, pl.DataFrame]:
    """Stored and new bars with text as String; a column without values takes the type of the other."""
    new = bars.frame.with_columns(cs.enum().cast(pl.String))
    if old is None:
        return None, new
    for name in set(old.columns) & set(new.columns) - set(KEYS):
        if old.schema[name] != new.schema[name]:
            if new[name].null_count() == new.height:
                new = new.cast({name: old.schema[name]})
            else:
                assert old[name].null_count() == old.height, "values of another kind are refused before"
                old = old.cast({name: new.schema[name]})
    return old, new


def _attributes(cursor: Cursor, name: str, source: Source, columns: Mapping[str, str]) -> Upsert | None:
    if source.attributes is None:
        return None
    new = read_attributes(source.attributes, symbol=source.options.get("symbol", "symbol"), columns=columns)
    return upsert(_stored(cursor, "attributes", name), new, ["symbol"])


def _write(
    cursor: Cursor,
    report: QualityReport,
    merged: Upsert,
    attributes: Upsert | None,
    all_attributes: pl.DataFrame | None,
) -> None:
    name = report.dataset
    if merged.changed:
        _replace(cursor, "bars", name, merged.frame)
    if attributes is not None and attributes.changed:
        _replace(cursor, "attributes", name, attributes.frame)
    columns = [*merged.frame.columns, *(all_attributes.columns if all_attributes is not None else [])]
    entry = Dataset(
        name=name,
        version=report.version,
        symbols=report.symbols,
        rows=report.rows,
        start=report.start,
        end=report.end,
        columns=[column for column in columns if column not in KEYS],
        loaded_at=catalog.now(),
    )
    catalog.record(cursor, entry)
    stored_score.create(cursor, name, daily=merged.frame.schema["date"] == pl.Date)
    cache.clear(cursor, entry)


def _version(cursor: Cursor, name: str) -> int:
    entry = catalog.find(cursor, name)
    return entry.version if entry else 0


def _stored(cursor: Cursor, schema: str, name: str, selection: Selection = ALL_BARS) -> pl.DataFrame | None:
    return _read(cursor, schema, name, selection) if catalog.exists(cursor, schema, name) else None


def _read(cursor: Cursor, schema: str, name: str, selection: Selection) -> pl.DataFrame:
    """Rows of a stored table. They are in the stored order, by key, unless symbols are selected."""
    chosen, terms = condition(selection, "stored")
    query = f"SELECT * FROM {table(schema, name)} AS stored WHERE {chosen}"
    return fetch(cursor, query, terms)


def _replace(cursor: Cursor, schema: str, name: str, frame: pl.DataFrame) -> None:
    cursor.register("incoming", frame)
    cursor.execute(f"CREATE OR REPLACE TABLE {table(schema, name)} AS SELECT * FROM incoming")
    cursor.unregister("incoming")
