"""Load bars and attributes into a dataset, and read them back as the frame of a panel."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import polars as pl

from factorloom.expressions.errors import BarsError, StoreError
from factorloom.storage import cache, catalog, stored_score
from factorloom.storage.attribute import join_attributes, read_attributes, refuse_shared_columns, split_columns
from factorloom.storage.bars import KEYS, CheckedBars, Duplicates, conform
from factorloom.storage.catalog import Dataset
from factorloom.storage.quality import QualityReport, check
from factorloom.storage.reading import SourceTable
from factorloom.storage.selection import Selection
from factorloom.storage.sql import Cursor, by_key, fetch, table
from factorloom.storage.upsert import Upsert, upsert

__all__ = ["Source", "load", "read_panel"]

ALL_BARS = Selection()


class Source(msgspec.Struct, frozen=True):
    """The tables and options of a load."""

    bars: SourceTable
    attributes: SourceTable | None
    symbol: str
    date: str
    columns: Mapping[str, str]
    duplicates: Duplicates


def read_panel(cursor: Cursor, entry: Dataset, selection: Selection = ALL_BARS) -> pl.DataFrame:
    """The selected bars with their attributes, by symbol and date."""
    bars = _read(cursor, "bars", entry.name, selection)
    if not bars.height:
        raise StoreError(
            f"dataset {entry.name!r} has no bars in {selection}",
            hint=f"its bars are from {entry.start} to {entry.end}",
        )
    return join_attributes(by_key(bars), _stored(cursor, "attributes", entry.name))


def load(cursor: Cursor, name: str, source: Source) -> QualityReport:
    """Merge a source into a dataset and report; writes nothing if nothing changed."""
    bar_columns, attribute_columns = split_columns(source.columns, source.bars, source.attributes)
    old = _stored(cursor, "bars", name)
    bars = _conform(source, bar_columns, old)
    merged = upsert(old, bars.frame, KEYS)
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


def _conform(source: Source, columns: Mapping[str, str], old: pl.DataFrame | None) -> CheckedBars:
    bars = conform(
        source.bars,
        symbol=source.symbol,
        date=source.date,
        columns=columns,
        stored={} if old is None else old.schema,
        duplicates=source.duplicates,
    )
    return bars if old is None else msgspec.structs.replace(bars, frame=_match_dates(bars.frame, old))


def _match_dates(new: pl.DataFrame, old: pl.DataFrame) -> pl.DataFrame:
    """Convert dates to the type of the dataset; datetimes are refused in a dataset of dates."""
    if new.schema["date"] != pl.Date and old.schema["date"] == pl.Date:
        raise BarsError(
            "these bars have a time of day, but those of the dataset do not", hint="load them into another dataset"
        )
    return new.with_columns(pl.col("date").cast(old.schema["date"]))


def _attributes(cursor: Cursor, name: str, source: Source, columns: Mapping[str, str]) -> Upsert | None:
    if source.attributes is None:
        return None
    new = read_attributes(source.attributes, symbol=source.symbol, columns=columns)
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


def _stored(cursor: Cursor, schema: str, name: str) -> pl.DataFrame | None:
    return _read(cursor, schema, name, ALL_BARS) if catalog.exists(cursor, schema, name) else None


def _read(cursor: Cursor, schema: str, name: str, selection: Selection) -> pl.DataFrame:
    """Rows of a stored table. They are in the stored order, by key, unless symbols are selected."""
    condition, terms = selection.where("stored")
    query = f"SELECT * FROM {table(schema, name)} AS stored WHERE {condition}"
    return fetch(cursor, query, terms)


def _replace(cursor: Cursor, schema: str, name: str, frame: pl.DataFrame) -> None:
    cursor.register("incoming", frame)
    cursor.execute(f"CREATE OR REPLACE TABLE {table(schema, name)} AS SELECT * FROM incoming")
    cursor.unregister("incoming")
