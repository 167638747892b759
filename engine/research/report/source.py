"""What a report reads: the tables of an evaluation, cut by factor and horizon and laid along its dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["Array", "Evaluated", "Source", "column", "trailing_mean", "trailing_std", "value_of"]

Array = NDArray[np.float64]

DATED = ("ic", "quantile_returns_by_date", "long_short", "turnover", "autocorrelation", "coverage")
TABLES = (
    "summary",
    "ic_by_group",
    "ic_by_year",
    "ic_decay",
    "quantile_returns",
    "correlation",
    "alpha_beta",
    "tails",
    "dropped",
    *DATED,
)


class Evaluated(Protocol):
    """Whatever has the tables and attributes of an `Evaluation`."""

    @property
    def factors(self) -> Sequence[str]: ...
    @property
    def horizons(self) -> Sequence[int]: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...
    @property
    def summary(self) -> pl.DataFrame: ...
    @property
    def ic(self) -> pl.DataFrame: ...
    @property
    def health(self) -> pl.DataFrame: ...


class Source:
    """The tables of an evaluation, cut once and then looked up.

    Attributes
    ----------
    tables : dict of str to polars.DataFrame
        Every table by name; those along dates have a column `place`, the number of the date among all dates.
    dates : polars.Series
        All dates of the tables, in order.
    points : int
        The most points that a line is drawn with: fewer where there are many sheets.
    smooth : int
        The most points of a trailing mean.
    """

    def __init__(self, evaluation: Evaluated) -> None:
        self.evaluation = evaluation
        self.factors = [str(name) for name in evaluation.factors]
        self.horizons = [int(horizon) for horizon in evaluation.horizons]
        found = {name: getattr(evaluation, name, None) for name in TABLES}
        self.tables: dict[str, pl.DataFrame] = {name: table for name, table in found.items() if table is not None}
        dated = [self.tables[name]["date"] for name in DATED if name in self.tables]
        self.dates = pl.concat([dates for dates in dated if len(dates)] or dated).unique().drop_nulls().sort()
        for name in DATED:
            if name in self.tables:
                place = self.dates.search_sorted(self.tables[name]["date"]).cast(pl.Int64)
                self.tables[name] = self.tables[name].with_columns(place=place)
        sheets = max(1, len(self.factors) * len(self.horizons))
        self.points = max(64, min(360, 4_200 // sheets))
        self.smooth = self.points * 3 // 4
        self._cut: dict[tuple[str, ...], dict[tuple[object, ...], pl.DataFrame]] = {}
        self._rows: dict[tuple[str, ...], dict[tuple[object, ...], NDArray[np.int64]]] = {}
        self._columns: dict[tuple[str, str], Array] = {}
        self._trailing: dict[tuple[object, ...], Array] = {}
        self._quantiles: dict[tuple[str, int], list[int]] = {}

    def part(self, name: str, *key: object) -> pl.DataFrame:
        """The rows of a table for a factor, a horizon and a quantile, or as many of these as are given."""
        table = self.tables.get(name)
        if table is None:
            return pl.DataFrame()
        by = ("factor", "horizon", "quantile")[: len(key)]
        if (name, *by) not in self._cut:
            self._cut[name, *by] = table.partition_by(by, as_dict=True, maintain_order=True)
        rows = self._cut[name, *by].get(key)
        return table.clear() if rows is None else rows

    def series(self, name: str, field: str, *key: object) -> Array:
        """A column of such rows along all dates, NaN where there is none."""
        values = np.full(len(self.dates), np.nan)
        table = self.tables.get(name)
        if table is None:
            return values
        by = ("factor", "horizon", "quantile")[: len(key)]
        if (name, *by) not in self._rows:
            self._rows[name, *by] = _rows_by_key(table, by)
        rows = self._rows[name, *by].get(key)
        if rows is not None:
            values[self._column(name, "place")[rows].astype(np.int64)] = self._column(name, field)[rows]
        return values

    def trailing(self, name: str, field: str, *key: object) -> Array:
        """The trailing mean of such a column."""
        if (name, field, *key) not in self._trailing:
            self._trailing[name, field, *key] = trailing_mean(self.series(name, field, *key), self.window)
        return self._trailing[name, field, *key]

    def _column(self, name: str, field: str) -> Array:
        if (name, field) not in self._columns:
            self._columns[name, field] = column(self.tables[name], field)
        return self._columns[name, field]

    def quantiles(self, factor: str, horizon: int) -> list[int]:
        key = (factor, horizon)
        if key not in self._quantiles:
            rows = self.part("quantile_returns", factor, horizon)
            self._quantiles[key] = sorted(set(rows["quantile"].to_list()) - {None}) if rows.height else []
        return self._quantiles[key]

    def summary_of(self, factor: str, horizon: int) -> dict[str, Any]:
        """The row of the summary, empty where there is none."""
        rows = self.part("summary", factor, horizon)
        return rows.row(0, named=True) if rows.height else {}

    @cached_property
    def per_year(self) -> float:
        """Dates per year, counted."""
        if len(self.dates) < 3:
            return float(max(len(self.dates), 1))
        days: float = (self.dates[-1] - self.dates[0]).total_seconds() / 86_400
        return (len(self.dates) - 1) / max(days, 1e-9) * 365.25

    @cached_property
    def months(self) -> NDArray[np.int64]:
        """The month of every date, counted from that of the year 0."""
        year, month = (getattr(self.dates.dt, part)().cast(pl.Int64).to_numpy() for part in ("year", "month"))
        counted: NDArray[np.int64] = year * 12 + month - 1
        return counted

    @cached_property
    def window(self) -> int:
        """Dates in a trailing mean: a quarter of a year, at most a quarter of the dates, at least three."""
        return max(3, min(round(self.per_year / 4), len(self.dates) // 4))

    @cached_property
    def date_labels(self) -> list[list[str]]:
        """The dates as text from coarse to fine, for ticks."""
        if not len(self.dates):
            return []
        forms = ["%Y", "%Y-%m", "%m-%d"] + ["%d %H:00", "%H:%M"] * (self.dates.dtype != pl.Date)
        return [self.dates.dt.to_string(form).to_list() for form in forms]

    @property
    def span(self) -> str:
        """The first and the last date."""
        return f"{self.dates[0]} to {self.dates[-1]}" if len(self.dates) else "no dates"


def _rows_by_key(table: pl.DataFrame, by: Sequence[str]) -> dict[tuple[object, ...], NDArray[np.int64]]:
    """The numbers of the rows of each key."""
    groups = table.select(by).with_row_index("row").group_by(by, maintain_order=True).agg("row")
    ends = np.cumsum(groups["row"].list.len().to_numpy())[:-1]
    rows = groups["row"].explode().to_numpy().astype(np.int64) if groups.height else np.empty(0, np.int64)
    return dict(zip(groups.select(by).rows(), np.split(rows, ends), strict=True)) if groups.height else {}


def column(rows: pl.DataFrame, field: str) -> Array:
    """A column as Float64, NaN for missing and for what is not finite."""
    if field not in rows.columns:
        return np.full(rows.height, np.nan)
    values = rows[field].cast(pl.Float64).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)


def value_of(row: Mapping[str, Any], field: str) -> float:
    """A field of a row as a number, NaN for missing."""
    value = row.get(field)
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else float("nan")


def trailing_mean(values: Array, window: int) -> Array:
    """The mean of the last `window` values, where half of them are present."""
    return _series(values).rolling_mean(window, min_samples=max(2, window // 2)).to_numpy()


def trailing_std(values: Array, window: int) -> Array:
    """The standard deviation of the last `window` values, where half of them are present."""
    return _series(values).rolling_std(window, min_samples=max(2, window // 2)).to_numpy()


def _series(values: Array) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64, nan_to_null=True)
