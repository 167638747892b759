"""Load dated tables: merge attributes, or the membership in a universe, into what is stored, and write the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from factorloom.expressions.errors import BarsError
from factorloom.storage.backing import Backing
from factorloom.storage.catalog import TableFile, replace_row
from factorloom.storage.publish import Draft
from factorloom.storage.segment import write_rows
from factorloom.storage.table import FROM, TO, DatedTable
from factorloom.storage.upsert import upsert

__all__ = ["Merged", "end_table", "merge_table", "write_table"]


class Merged(NamedTuple):
    """A dated table with what was merged into it."""

    table: DatedTable
    inserted: int
    updated: int
    unchanged: int
    changed: bool


def merge_table(tables: Sequence[DatedTable], kind: str, name: str, new: pl.DataFrame) -> Merged:
    """Merge rows by symbol and first day; rows of one symbol must not overlap.

    Raises
    ------
    BarsError
        A row ends before it starts, or overlaps another of its symbol.
    """
    old = next((table.frame for table in tables if table.kind == kind and table.name == name), None)
    merged = upsert(old, new, ["symbol", FROM])
    refuse_overlaps(merged.frame, kind)
    table = DatedTable(kind, name, merged.frame)
    return Merged(table, merged.inserted, merged.updated, merged.unchanged, merged.changed)


def refuse_overlaps(frame: pl.DataFrame, kind: str) -> None:
    """Refuse rows that end before they start, or that hold on one day for one symbol.

    A row of attributes without an end holds until the next one of its symbol begins.
    """
    first = pl.col(FROM).fill_null(pl.date(1, 1, 1))
    last = pl.col(TO).fill_null(pl.date(9999, 12, 31))
    if (wrong := frame.filter(last < first)).height:
        raise BarsError(f"a row of the {kind} ends before it starts: {_shown(wrong)}", hint="check its dates")
    spans = frame.select("symbol", first.alias(FROM), TO if kind == "attributes" else last.alias(TO)).sort(
        "symbol", FROM
    )
    overlap = spans.filter((pl.col("symbol") == pl.col("symbol").shift()) & (pl.col(FROM) <= pl.col(TO).shift()))
    if overlap.height:
        raise BarsError(
            f"rows of the {kind} overlap: {_shown(overlap)}", hint="end each row on the day before the next one begins"
        )


def write_table(backing: Backing, draft: Draft, dataset: str, table: DatedTable, version: int) -> None:
    """Write a table for this and later versions."""
    end_table(draft, dataset, table.kind, table.name, version)
    columns = table.columns
    arrow = table.frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    written = write_rows(backing.folder, backing.folder.new_segment(dataset, table.kind), arrow)
    backing.folder.settle(backing.folder.segment(dataset))
    kinds = ["number" if table.frame.schema[name].is_numeric() else "text" for name in columns]
    entry = TableFile(
        *(written.file, dataset, table.kind, table.name, table.frame.height, written.bytes, written.check),
        from_version=version,
        to_version=None,
        columns=columns,
        types=kinds,
    )
    replace_row(draft.cursor, "tables", entry)


def end_table(draft: Draft, dataset: str, kind: str, name: str, version: int) -> None:
    """A table holds no longer from this version on."""
    draft.cursor.execute(
        """UPDATE catalog.tables SET to_version = ?
        WHERE dataset = ? AND kind = ? AND name = ? AND to_version IS NULL""",
        [version, dataset, kind, name],
    )


def _shown(frame: pl.DataFrame) -> str:
    rows = [
        f"{symbol} from {first} to {last}" for symbol, first, last in frame.select("symbol", FROM, TO).head(3).rows()
    ]
    return ", ".join(rows)
