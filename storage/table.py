"""Dated tables: attributes of symbols and membership in universes, each row valid from one day to another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Index
from factorloom.storage.catalog import TableFile
from factorloom.storage.digest import Hashes, digest_text, mix
from factorloom.storage.segment import SegmentFiles

__all__ = ["FROM", "TO", "DatedTable", "read_table_file", "static_table"]

FROM, TO = "valid_from", "valid_to"
"""The first and the last day on which a row holds; missing is without end."""


class DatedTable:
    """One table of one version.

    Attributes
    ----------
    name
        Of a universe; "" for attributes.
    columns
        What it adds to bars.
    frame : polars.DataFrame
        `symbol`, `valid_from`, `valid_to`, and the columns as text; a universe has one of numbers.
    """

    def __init__(self, kind: str, name: str, frame: pl.DataFrame, file: str = "") -> None:
        self.file = file
        self.kind = kind
        self.name = name
        self.frame = frame
        self.columns = [column for column in frame.columns if column not in ("symbol", FROM, TO)]
        self.dated = bool(frame[FROM].null_count() < frame.height or frame[TO].null_count() < frame.height)

    def join(self, bars: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
        """Bars with these columns, as they hold on the date of each bar; outside a universe it is 0."""
        added = self._joined(bars, columns)
        if self.kind == "universe":
            added = added.with_columns(pl.col(columns).fill_null(0.0))
        return bars.hstack(added.get_columns())

    def digests(self, name: str, days: Index) -> Hashes:
        """The digest of a column on each of these days: of all rows that hold then, whether they have bars or not."""
        hashes = mix(digest_text(self.frame["symbol"].to_list()) + mix(digest_text(_texts(self.frame[name]))))
        none = np.iinfo(np.int32)
        first = self.frame[FROM].to_physical().fill_null(none.min).to_numpy()
        last = self.frame[TO].to_physical().fill_null(none.max - 1).to_numpy()
        steps = np.zeros(days.size + 1, np.uint64)
        np.add.at(steps, np.searchsorted(days, first), hashes)
        np.subtract.at(steps, np.searchsorted(days, last + 1), hashes)
        return np.cumsum(steps[:-1]) * np.uint64(0x9E3779B97F4A7C15) + days.astype(np.uint64)

    def _joined(self, bars: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
        keys = bars.select(pl.col("symbol").cast(pl.String), pl.col("date").cast(pl.Date))
        table = self.frame.select("symbol", FROM, TO, *columns)
        if not self.dated:
            return keys.join(table, on="symbol", how="left", maintain_order="left").select(columns)
        table = table.with_columns(pl.col(FROM).fill_null(pl.date(1, 1, 1))).sort("symbol", FROM)
        keys = keys.with_row_index("\0row").sort("date")
        found = keys.join_asof(
            table.sort(FROM), left_on="date", right_on=FROM, by="symbol", strategy="backward", check_sortedness=False
        ).sort("\0row")
        holds = found[TO].is_null() | (found["date"] <= found[TO])
        return found.select(pl.when(holds).then(pl.col(name)).otherwise(None).alias(name) for name in columns)


def read_table_file(files: SegmentFiles, entry: TableFile) -> DatedTable:
    """The table in a file."""
    table = files.open(entry.file, entry.size, entry.check).table()
    return DatedTable(entry.kind, entry.name, pl.DataFrame(pl.from_arrow(table)), entry.file)


def static_table(frame: pl.DataFrame) -> pl.DataFrame:
    """A table that holds on all days."""
    always = [pl.lit(None, pl.Date).alias(name) for name in (FROM, TO)]
    return frame.select("symbol", *always, *(name for name in frame.columns if name != "symbol"))


def _texts(values: pl.Series) -> list[str]:
    return [repr(value) for value in values.to_list()]
