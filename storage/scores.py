"""Stored scores: one file for each model and date; a newer one of the same model and date takes its place."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pyarrow as pa

from factorloom.engine.bars.selection import Selection, read_date
from factorloom.engine.research.model import CONTRIBUTION, ScoreModel
from factorloom.expressions.errors import UnknownColumnError, suggest
from factorloom.storage import catalog
from factorloom.storage.backing import Backing, refuse_unknown
from factorloom.storage.catalog import ScoreFile, replace_row
from factorloom.storage.gather import selected, wanted_days
from factorloom.storage.segment import write_bars
from factorloom.storage.view import View, day_of

__all__ = ["read_groups", "scored_date", "write_scores"]


def scored_date(view: View, date: object) -> dt.date:
    """The date to score, by default the last; of a plain day the last bars. A date without bars is an error."""
    if date is None:
        last = day_of(view.days[-1])
    else:
        last = read_date("date", date)
        refuse_unknown(view, Selection(dates=(last,)))
    if view.daily:
        return last.date() if isinstance(last, dt.datetime) else last
    chosen = Selection(dates=(last,))
    found: dt.date = selected(view, chosen, wanted_days(view, chosen)).keys["date"].max()  # type: ignore[assignment]
    return found


def read_groups(view: View, column: str | None, date: dt.date) -> pl.DataFrame:
    """The symbols of the bars of a date, with a column of the bars or of a dated table if one is named."""
    if column is not None and column not in view.columns:
        raise UnknownColumnError(
            f"dataset {view.dataset!r} has no column {column!r}", hint=suggest(column, view.columns)
        )
    day = date.toordinal() - dt.date(1970, 1, 1).toordinal()
    frame = view.bars(day, day, [] if column is None else [column]).filter(pl.col("date") == date)
    return frame.select(pl.col("symbol").cast(pl.String), *([] if column is None else [column]))


def write_scores(backing: Backing, view: View, model: ScoreModel, scores: pl.DataFrame) -> None:
    """Store the scores of one date in place of those of the same model and date."""
    written = write_bars(
        backing.folder, backing.folder.new_segment(view.dataset, "scores"), _table(view, model, scores)
    )
    date = scores["date"][0]
    moment = date if isinstance(date, dt.datetime) else dt.datetime.combine(date, dt.time())
    row = ScoreFile(
        *(written.file, view.dataset, model.name, model.digest, view.version, moment, scores.height),
        size=written.bytes,
        check=written.check,
        scored_at=catalog.now(),
    )
    with backing.publishing() as draft:
        for old in draft.before.scores:
            if (old.dataset, old.model, old.date) == (view.dataset, model.name, moment):
                draft.cursor.execute("DELETE FROM catalog.scores WHERE file = ?", [old.file])
                draft.unuse(old.file)
        replace_row(draft.cursor, "scores", row)


def _table(view: View, model: ScoreModel, scores: pl.DataFrame) -> pa.Table:
    """The scores as they are stored, contributions as a map."""
    names = list(model.factors)
    values = scores.select(f"{CONTRIBUTION}{name}" for name in names)
    parts = pa.array(values.to_numpy().ravel(), from_pandas=True)
    keys = pa.array(names * scores.height, pa.large_string())
    offsets = pa.array(np.arange(scores.height + 1, dtype=np.int32) * len(names))
    frame = scores.select(
        pl.lit(model.name).alias("model"),
        pl.lit(model.digest).alias("model_digest"),
        pl.lit(view.version, pl.Int32).alias("version"),
        "date",
        "symbol",
        "score",
        pl.col("rank").cast(pl.Int64),
        "percentile",
        "reason",
    )
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.append_column("contributions", pa.MapArray.from_arrays(offsets, keys, parts))
