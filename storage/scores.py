"""Stored scores: files of some dates of one model; newer scores of a date take the place of older ones.

Many dates are cut into one file per month. No two files of a model overlap: where newer scores fall between the dates
of an older file, the two become one file.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from factorloom.engine.research.fit.dated import WEIGHT
from factorloom.engine.research.model import CONTRIBUTION, ScoreModel
from factorloom.storage import catalog
from factorloom.storage.backing import Backing
from factorloom.storage.catalog import ModelVersion, ScoreFile, replace_row
from factorloom.storage.publish import Draft
from factorloom.storage.segment import write_rows
from factorloom.storage.view import View

__all__ = ["write_scores"]


def write_scores(
    backing: Backing, view: View, model: ScoreModel, scores: pl.DataFrame, weights: pl.DataFrame | None
) -> None:
    """Store scores, in place of those of the same model and dates, and the weights that were fitted for them."""
    months = scores.group_by(pl.col("date").dt.truncate("1mo").alias("month"), maintain_order=True)
    parts = [_table(view, model, part) for _, part in months]
    written = [_write(backing, view.dataset, model, part) for part in parts]
    with backing.publishing() as draft:
        for row, part in zip(written, parts, strict=True):
            _publish(backing, draft, model, row, part)
        _record_model(draft, view, model)
        if weights is not None:
            _write_weights(draft, view, model, weights)


def _record_model(draft: Draft, view: View, model: ScoreModel) -> None:
    """Enter that a version of a model has scored."""
    version = {"dataset": view.dataset, "model": model.name, "digest": model.digest}
    query = "SELECT first_at FROM catalog.models WHERE dataset = ? AND model = ? AND digest = ?"
    found = draft.cursor.execute(query, list(version.values())).fetchall()
    now = catalog.now()
    row = ModelVersion(**version, document=model.to_toml(), first_at=found[0][0] if found else now, last_at=now)
    replace_row(draft.cursor, "models", row, **version)


def _publish(backing: Backing, draft: Draft, model: ScoreModel, row: ScoreFile, table: pa.Table) -> None:
    """Enter a new file of scores, and its table; files that it overlaps go, and leave it the dates that it lacks."""
    dates = table["date"].unique()
    kept = []
    for old in draft.before.scores:
        if (old.dataset, old.model) != (row.dataset, row.model) or old.last < row.first or row.last < old.first:
            continue
        draft.cursor.execute("DELETE FROM catalog.scores WHERE file = ?", [old.file])
        draft.unuse(old.file)
        if row.dates > 1 or old.dates > 1:
            before = backing.files.open(old.file, old.size, old.check).table()
            kept.append(before.filter(pc.invert(pc.is_in(before["date"], dates))))
    if any(each.num_rows for each in kept):
        draft.unuse(row.file, at_once=True)
        row = _write(backing, row.dataset, model, pa.concat_tables([table, *kept]).sort_by("date"))
    replace_row(draft.cursor, "scores", row)


def _write(backing: Backing, dataset: str, model: ScoreModel, table: pa.Table) -> ScoreFile:
    """A file with some scores, sorted by date."""
    written = write_rows(backing.folder, backing.folder.new_segment(dataset, "scores"), table)
    dates = table["date"]
    return ScoreFile(
        *(written.file, dataset, model.name, pc.max(table["version"]).as_py()),
        *(_moment(dates[0].as_py()), _moment(dates[-1].as_py()), len(dates.unique()), table.num_rows),
        size=written.bytes,
        check=written.check,
        scored_at=catalog.now(),
    )


def _write_weights(draft: Draft, view: View, model: ScoreModel, weights: pl.DataFrame) -> None:
    """Enter fitted weights, a row per fit and factor, in place of those of the same model and dates."""
    names = [f"{WEIGHT}{name}" for name in model.factors]
    keys = ["date", "first", "last"]
    long = weights.with_columns(pl.col(keys).cast(pl.Datetime("us"))).unpivot(
        names, index=[*keys, "dates", "rows", "alpha"], variable_name="factor", value_name="weight"
    )
    frame = long.select(
        pl.lit(view.dataset).alias("dataset"),
        pl.lit(model.name).alias("model"),
        pl.lit(model.digest).alias("digest"),
        pl.lit(view.version).alias("version"),
        *(*keys, "dates", "rows", "alpha"),
        pl.col("factor").str.strip_prefix(WEIGHT),
        "weight",
    )
    draft.cursor.register("fitted", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    draft.cursor.execute(
        "DELETE FROM catalog.weights WHERE dataset = ? AND model = ? AND date IN (SELECT date FROM fitted)",
        [view.dataset, model.name],
    )
    draft.cursor.execute("INSERT INTO catalog.weights SELECT * FROM fitted")
    draft.cursor.unregister("fitted")


def _moment(date: dt.date) -> dt.datetime:
    return date if isinstance(date, dt.datetime) else dt.datetime.combine(date, dt.time())


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
        *("date", "symbol", "score", "rank", "percentile", "quantile", "coverage", "reason"),
    )
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.append_column("contributions", pa.MapArray.from_arrays(offsets, keys, parts))
