"""A finding of a health check, and what the checks look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import msgspec
import polars as pl

from factorloom.engine.research.health.facts import PanelFacts

__all__ = ["LEVELS", "Finding", "HealthInputs", "Level", "graded"]

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


def graded(figure: float, fault: float) -> Level:
    """A fault beyond a threshold, a warning up to it."""
    return "fault" if figure > fault else "warning"
