"""The part of a store's public interface that loads attributes and universes, valid from one day to another."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from factorloom.engine.bars.key import read_dates, read_symbols
from factorloom.engine.bars.name import find_column, find_key
from factorloom.engine.bars.read import read_table
from factorloom.engine.bars.source import SourceTable
from factorloom.expressions.errors import BarsError, ParameterError
from factorloom.storage.attribute import read_attributes, refuse_shared_columns
from factorloom.storage.catalog import check_name
from factorloom.storage.dataset import next_version, record_version, seen
from factorloom.storage.part import Part
from factorloom.storage.runs import Run
from factorloom.storage.table import FROM, TO
from factorloom.storage.tables import end_table, merge_table, write_table
from factorloom.storage.universe import MEMBER

__all__ = ["Dated"]


class Dated(Part):
    """Attributes and universes of a dataset."""

    def load_attributes(
        self,
        dataset: str,
        source: object,
        *,
        symbol: str = "symbol",
        valid_from: str = FROM,
        valid_to: str = TO,
        columns: Mapping[str, str] | None = None,
    ) -> int:
        """Merge attributes of symbols, such as sectors, that may change over time; returns the version.

        Text columns are joined to each bar as they hold on its date. Rows are merged by symbol and first day.

        Parameters
        ----------
        source
            A table with a row for each symbol and stretch of time.
        symbol, valid_from, valid_to
            The columns with the symbols, and with the first and last day on which a row holds, both included. A missing
            day, or column, is without end; a row without a last day holds until the next one of its symbol begins.
        columns
            New names of columns: `{"sector": "GICS Sector"}`.

        Raises
        ------
        DatasetError, BarsError, UnknownColumnError
            There is no such dataset; a row ends before it starts, or overlaps another of its symbol; a column is not
            there, or is one of the bars.

        Examples
        --------
        >>> import factorloom as fl, polars as pl
        >>> groups = pl.DataFrame({"symbol": ["A", "A"], "valid_from": [None, "2024-01-04"], "industry": ["x", "y"]})
        >>> with fl.open_store(":memory:") as store:
        ...     report = store.load("tiny", fl.example())
        ...     version = store.load_attributes("tiny", groups)
        ...     print(store.panel("tiny", symbols="A")["industry"].to_list())
        ['x', 'x', 'y']
        """
        table = read_table(source, {})
        spans, rest = _spans(table, valid_from, valid_to)
        frame = read_attributes(rest, symbol=symbol, columns=columns or {}, unique=False)
        new = pl.concat([frame.select("symbol"), spans, frame.drop("symbol")], how="horizontal")
        return self._merge(dataset, "attributes", "", new)

    def load_universe(
        self,
        dataset: str,
        name: str,
        source: object,
        *,
        symbol: str = "symbol",
        valid_from: str = FROM,
        valid_to: str = TO,
    ) -> int:
        """Merge the members of a universe, such as an index; returns the version.

        A universe is a column `in_<name>` of every panel: 1 on bars of members, else 0. `compute`, `scan` and `score`
        take `universe=`.

        Parameters
        ----------
        name
            The name: lower-case letters, digits and `_`.
        source, symbol, valid_from, valid_to
            As for `load_attributes`: a row for each stretch of membership; a symbol may come back.

        Raises
        ------
        DatasetError, BarsError, UnknownColumnError
            As for `load_attributes`.

        Examples
        --------
        >>> import factorloom as fl, polars as pl
        >>> members = pl.DataFrame({"symbol": ["A", "B"], "valid_from": ["2024-01-03", None]})
        >>> with fl.open_store(":memory:") as store:
        ...     report = store.load("tiny", fl.example())
        ...     version = store.load_universe("tiny", "index", members)
        ...     ranks = store.compute("tiny", rank=fl.cs_rank(fl.close), universe="index", dates="2024-01-02")
        ...     print(ranks.select("symbol", "rank").rows())
        [('A', None), ('B', 1.0)]
        """
        check_name(name, "universe")
        table = read_table(source, {})
        spans, rest = _spans(table, valid_from, valid_to)
        key = find_key(rest.frame, "symbol", symbol, rest.name)
        symbols, _ = read_symbols(rest.frame[key], rest.frame)
        frame = pl.DataFrame([symbols.cast(pl.String).alias("symbol"), *spans])
        return self._merge(dataset, "universe", name, frame.with_columns(pl.lit(1.0).alias(MEMBER + name)))

    def _merge(self, dataset: str, kind: str, name: str, new: pl.DataFrame) -> int:
        self._backing.check_open()
        run = Run("load", check_name(dataset))
        repeated = new.select("symbol", FROM).is_duplicated()
        if repeated.any():
            symbols = new["symbol"].filter(repeated).unique(maintain_order=True).head(3).to_list()
            raise BarsError(f"rows of the {kind} repeat a symbol and first day: {', '.join(symbols)}")
        with self._backing.publishing() as draft:
            self._backing.dataset(dataset, draft.before)
            view = self._backing.view(dataset, None, draft.before)
            merged = merge_table(view.tables, kind, name, new)
            refuse_shared_columns(list(view.types), merged.table.columns)
            others = [each for each in view.tables if (each.kind, each.name) != (kind, name)]
            for other in others:
                refuse_shared_columns(other.columns, merged.table.columns)
            version = view.version
            if merged.changed:
                version = next_version(draft, dataset)
                end_table(draft, dataset, kind, name, version)
                write_table(self._backing, draft, dataset, merged.table, version)
                tables = [*others, merged.table]
                tables.sort(key=lambda each: (each.kind, each.name))
                record_version(draft, dataset, seen(self._backing, draft, dataset, version, tables), kind, None)
        self._journal.record(run, version, merged.inserted + merged.updated + merged.unchanged)
        return version


def _spans(table: SourceTable, valid_from: str, valid_to: str) -> tuple[pl.DataFrame, SourceTable]:
    """The first and last days of the rows, and the table without them."""
    frame, spans = table.frame, []
    for name, given in ((FROM, valid_from), (TO, valid_to)):
        if not isinstance(given, str):
            raise ParameterError(f"{name} must be the name of a column, got {given!r}")
        if given == name and given not in frame.columns:
            spans.append(pl.Series(name, [None] * frame.height, dtype=pl.Date))
            continue
        column = find_column(frame, given, table.name)
        spans.append(_days(frame[column], frame).alias(name))
        frame = frame.drop(column)
    return pl.DataFrame(spans), table._replace(frame=frame)


def _days(column: pl.Series, frame: pl.DataFrame) -> pl.Series:
    """Days, missing where there is none."""
    missing = column.is_null()
    if column.dtype == pl.String:
        missing |= column.str.strip_chars() == ""
    known = column.filter(~missing)
    if not known.len():
        return pl.Series([None] * column.len(), dtype=pl.Date)
    days = read_dates(known, frame.filter(~missing)).dates.cast(pl.Date)
    places = (~missing).cast(pl.Int64).cum_sum() - 1
    return days.gather(places.clip(0)).set(missing, None)
