"""Stored scores: read what a scoring needs, and write the table `scores.<dataset>`."""

from __future__ import annotations

import datetime as dt

import polars as pl

from factorloom.engine.bars.selection import Selection, read_date
from factorloom.engine.research.model import ScoreModel
from factorloom.expressions.errors import UnknownColumnError, suggest
from factorloom.storage.catalog import Dataset, refuse_unknown
from factorloom.storage.sql import Cursor, condition, fetch, quote, table, value

__all__ = ["create", "read_groups", "scored_date", "write"]


def create(cursor: Cursor, name: str, *, daily: bool) -> None:
    """Create the score table of a dataset, if missing."""
    cursor.execute(
        f"""CREATE TABLE IF NOT EXISTS {table("scores", name)} (
            model VARCHAR, model_digest VARCHAR, version BIGINT, date {"DATE" if daily else "TIMESTAMP"},
            symbol VARCHAR, score DOUBLE, rank BIGINT, percentile DOUBLE, reason VARCHAR,
            contributions MAP(VARCHAR, DOUBLE)
        )"""
    )


def scored_date(cursor: Cursor, entry: Dataset, date: object) -> dt.date:
    """The date to score, by default the last; of a plain day the last bars. A date without bars is an error."""
    bars = table("bars", entry.name)
    if date is None:
        last: dt.date = value(cursor, f"SELECT max(date) FROM {bars}")
        return last
    chosen = Selection(dates=(read_date("date", date),))
    refuse_unknown(cursor, entry, chosen)
    where, terms = condition(chosen, "bars")
    found: dt.date = value(cursor, f"SELECT max(date) FROM {bars} AS bars WHERE {where}", terms)
    return found


def read_groups(cursor: Cursor, entry: Dataset, column: str | None, date: dt.date) -> pl.DataFrame:
    """The symbols of the bars of a date, with a column of the bars or attributes if one is named."""
    bars, selected = f"{table('bars', entry.name)} AS bars", ""
    if column is not None:
        if column not in entry.columns:
            raise UnknownColumnError(
                f"dataset {entry.name!r} has no column {column!r}", hint=suggest(column, entry.columns)
            )
        selected = f", {quote(column)}"
        if not _has_column(cursor, "bars", entry.name, column):
            bars += f" LEFT JOIN {table('attributes', entry.name)} AS attributes USING (symbol)"
    return fetch(cursor, f"SELECT symbol{selected} FROM {bars} WHERE bars.date = $date", {"date": date})


def write(cursor: Cursor, entry: Dataset, model: ScoreModel, scores: pl.DataFrame) -> None:
    """Store the scores of one date; they replace those of the same model, dataset version and date."""
    target = table("scores", entry.name)
    terms = {"model": model.name, "digest": model.digest, "version": entry.version}
    cursor.execute(
        f"""DELETE FROM {target}
        WHERE model = $model AND model_digest = $digest AND version = $version AND date = $date""",
        {**terms, "date": scores["date"][0]},
    )
    parts = ", ".join(f"'{name}': {quote(f'contribution_{name}')}" for name in model.factors)
    cursor.register("scored", scores)
    cursor.execute(
        f"""INSERT INTO {target}
        SELECT $model, $digest, $version, date, symbol, score, rank, percentile, reason, MAP {{{parts}}}
        FROM scored""",
        terms,
    )
    cursor.unregister("scored")


def _has_column(cursor: Cursor, schema: str, name: str, column: str) -> bool:
    query = """SELECT count(*) FROM information_schema.columns
        WHERE table_schema = ? AND table_name = ? AND column_name = ?"""
    return bool(value(cursor, query, [schema, name, column]))
