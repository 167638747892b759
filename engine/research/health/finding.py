"""A finding of a health check, and what the checks look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np
import polars as pl

from factorloom.engine.research.health.facts import PanelFacts
from factorloom.engine.research.inference import newey_west
from factorloom.engine.research.series import Array, Counts

__all__ = ["KEYS", "LEVELS", "ByDate", "Finding", "HealthInputs", "Level", "by_date", "graded"]

KEYS = ["factor", "horizon"]
"""A result is of one factor at one horizon."""

Level: TypeAlias = Literal["info", "warning", "fault"]
LEVELS: tuple[Level, ...] = ("fault", "warning", "info")
"""A fault makes the result unusable until it is explained; a warning says what to distrust; the worst comes first."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check has found.

    Attributes
    ----------
    name, level
        Of the check, and how bad it is.
    factor, horizon
        Which result is concerned; None: all of them.
    text
        In words: what was found, and what to do.
    figure
        The number that the check compared.
    """

    name: str
    level: Level
    text: str
    figure: float
    factor: str | None = None
    horizon: int | None = None


TABLES = (
    *("ic", "ic_by_group", "ic_by_year", "quantile_returns_by_date"),
    *("long_short", "coverage", "correlation", "dropped"),
)


class ByDate(NamedTuple):
    """One series of dates for each factor and horizon."""

    keys: list[tuple[str, int]]
    horizons: Counts
    values: Array
    """(dates, series); missing is NaN."""

    def columns(self) -> Iterator[tuple[str, int, Array]]:
        """Factor, horizon and present values of each series."""
        for (factor, horizon), column in zip(self.keys, self.values.T, strict=True):
            yield factor, horizon, column[~np.isnan(column)]


def by_date(table: pl.DataFrame, value: str) -> ByDate:
    """A column of a table of factor, horizon and date as a matrix."""
    if table.is_empty():
        return ByDate([], np.empty(0, dtype=np.int64), np.empty((0, 0)))
    keys = table.select(KEYS).unique(maintain_order=True).with_row_index("place")
    dates = table["date"].unique().sort()
    place = table.select(KEYS).join(keys, on=KEYS, how="left", maintain_order="left")["place"].to_numpy()
    values = np.full((dates.len(), keys.height), np.nan)
    values[np.asarray(dates.search_sorted(table["date"])), place] = table[value].cast(pl.Float64).to_numpy()
    return ByDate(list(keys.select(KEYS).iter_rows()), keys["horizon"].cast(pl.Int64).to_numpy(), values)


@dataclass(frozen=True, kw_only=True)
class HealthInputs:
    """Tables of an evaluation, and facts of its panel. Whatever is left out is not checked.

    Attributes
    ----------
    ic, ic_by_group, ic_by_year, quantile_returns_by_date, long_short, coverage, correlation, dropped
        As `Evaluation` has them.
    facts
        From `panel_facts`.
    settings
        Arguments of the evaluation; `entry_lag`, `quantiles` are read.
    """

    ic: pl.DataFrame = field(default_factory=pl.DataFrame)
    ic_by_group: pl.DataFrame = field(default_factory=pl.DataFrame)
    ic_by_year: pl.DataFrame = field(default_factory=pl.DataFrame)
    quantile_returns_by_date: pl.DataFrame = field(default_factory=pl.DataFrame)
    long_short: pl.DataFrame = field(default_factory=pl.DataFrame)
    coverage: pl.DataFrame = field(default_factory=pl.DataFrame)
    correlation: pl.DataFrame = field(default_factory=pl.DataFrame)
    dropped: pl.DataFrame = field(default_factory=pl.DataFrame)
    facts: PanelFacts | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, evaluation: object, facts: PanelFacts | None = None) -> HealthInputs:
        """Inputs from an object that has the tables and `settings` as attributes."""
        named = {name: getattr(evaluation, name) for name in (*TABLES, "settings")}
        return cls(facts=facts, **named)

    @cached_property
    def rank_ics(self) -> ByDate:
        """Rank ICs by date."""
        return by_date(self.ic, "rank_ic")

    @cached_property
    def rank_ic_t(self) -> Array:
        """Newey-West t of the mean of each column of `rank_ics`."""
        return newey_west(self.rank_ics.values, horizon=self.rank_ics.horizons).t


def graded(figure: float, fault: float) -> Level:
    """A fault beyond a threshold, a warning up to it."""
    return "fault" if figure > fault else "warning"
