"""What a report reads: the tables of an evaluation, cut by factor and horizon and laid along its dates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["Array", "Evaluated", "Row", "Source", "column", "numbers", "trailing_mean", "value_of"]

Array = NDArray[np.float64]
Row = dict[str, Any]

KEYS = ("factor", "horizon", "quantile")

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
        self._rows: dict[tuple[str, ...], dict[tuple[object, ...], list[Row]]] = {}
        self._keys: dict[tuple[str, ...], tuple[dict[tuple[object, ...], int], NDArray[np.int64]]] = {}
        self._laid: dict[tuple[str, ...], Array] = {}
        self._trailing: dict[tuple[str, ...], Array] = {}

    def rows(self, name: str, *key: object) -> list[Row]:
        """The rows of a table for a factor, a horizon and a quantile, or as many of these as are given."""
        by = KEYS[: len(key)]
        if (name, *by) not in self._rows:
            found = self._rows[name, *by] = {}
            for row in self.tables[name].iter_rows(named=True) if name in self.tables else ():
                found.setdefault(tuple(map(row.get, by)), []).append(row)
        return self._rows[name, *by].get(key, [])

    def series(self, name: str, field: str, *key: object) -> Array:
        """A column of such rows along all dates, NaN where there is none."""
        return self._along(self._matrix(name, field, len(key)), name, key)

    def trailing(self, name: str, field: str, *key: object) -> Array:
        """The trailing mean of such a column."""
        by = (name, field, *KEYS[: len(key)])
        if by not in self._trailing:
            self._trailing[by] = trailing_mean(self._matrix(name, field, len(key)), self.window)
        return self._along(self._trailing[by], name, key)

    def _along(self, found: Array, name: str, key: tuple[object, ...]) -> Array:
        number = self._numbered(name, len(key))[0].get(key) if name in self.tables else None
        return np.full(len(self.dates), np.nan) if number is None else found[number]

    def _matrix(self, name: str, field: str, depth: int) -> Array:
        """A column along all dates, a row for each key."""
        by = (name, field, *KEYS[:depth])
        if by not in self._laid:
            if name not in self.tables:
                return np.empty((0, len(self.dates)))
            known, of_rows = self._numbered(name, depth)
            values = self._laid[by] = np.full((len(known), len(self.dates)), np.nan)
            values[of_rows, self.tables[name]["place"].to_numpy()] = column(self.tables[name], field)
        return self._laid[by]

    def _numbered(self, name: str, depth: int) -> tuple[dict[tuple[object, ...], int], NDArray[np.int64]]:
        """A number for each key of a table, and those of all rows; a run of equal keys is looked at once."""
        by = KEYS[:depth]
        if (name, *by) not in self._keys:
            keys = self.tables[name].select(by)
            other = pl.any_horizontal(pl.col(by).ne_missing(pl.col(by).shift())) | (pl.int_range(pl.len()) == 0)
            first = np.flatnonzero(keys.select(other).to_series().to_numpy())
            known: dict[tuple[object, ...], int] = {}
            found = [known.setdefault(key, len(known)) for key in keys[first].rows()]
            lengths = np.diff(first, append=keys.height)
            self._keys[name, *by] = known, np.repeat(np.array(found, np.int64), lengths)
        return self._keys[name, *by]

    def quantiles(self, factor: str, horizon: int) -> list[int]:
        """The quantiles of a factor, lowest first."""
        return sorted({row["quantile"] for row in self.rows("quantile_returns", factor, horizon)} - {None})

    @cached_property
    def spreads(self) -> dict[tuple[str, int], tuple[Array, Array]]:
        """Trailing mean and standard deviation of the top minus the bottom quantile, by factor and horizon."""
        ends = {(f, h): found for f in self.factors for h in self.horizons if len(found := self.quantiles(f, h)) > 1}
        by_date = "quantile_returns_by_date", "mean"
        spreads = [
            self.series(*by_date, *key, quantiles[-1]) - self.series(*by_date, *key, quantiles[0])
            for key, quantiles in ends.items()
        ]
        values = np.array(spreads).reshape(len(spreads), len(self.dates))
        means, deviations = trailing_mean(values, self.window), trailing_std(values, self.window)
        return {key: (means[place], deviations[place]) for place, key in enumerate(ends)}

    @cached_property
    def groups(self) -> list[str]:
        """All groups by name."""
        rows = self.tables.get("ic_by_group", pl.DataFrame())
        return sorted(map(str, rows["group"].drop_nulls().unique())) if rows.height else []

    def summary_of(self, factor: str, horizon: int) -> Row:
        """The row of the summary, empty where there is none."""
        rows = self.rows("summary", factor, horizon)
        return rows[0] if rows else {}

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


def numbers(rows: Sequence[Row], field: str) -> Array:
    """A field of rows, NaN for missing and for what is not finite."""
    return np.array([value_of(row, field) for row in rows], dtype=np.float64)


def column(rows: pl.DataFrame, field: str) -> Array:
    """A column as Float64, NaN for missing and for what is not finite."""
    if field not in rows.columns:
        return np.full(rows.height, np.nan)
    values = rows[field].cast(pl.Float64).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)


def value_of(row: Mapping[str, Any], field: str) -> float:
    """A field of a row as a number, NaN for missing."""
    value = row.get(field)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan


def trailing_mean(values: Array, window: int) -> Array:
    """The mean of the last `window` values of each row, where half of them are present."""
    return _rolled(values, pl.all().rolling_mean(window, min_samples=max(2, window // 2)))


def trailing_std(values: Array, window: int) -> Array:
    """The standard deviation of the last `window` values of each row, where half of them are present."""
    return _rolled(values, pl.all().rolling_std(window, min_samples=max(2, window // 2)))


def _rolled(values: Array, rolled: pl.Expr) -> Array:
    if not values.size:
        return values
    rows = [pl.Series(f"{place}", row, dtype=pl.Float64, nan_to_null=True) for place, row in enumerate(values)]
    return pl.DataFrame(rows).select(rolled).to_numpy().T
