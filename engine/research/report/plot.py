"""Charts of Altair from the tables of an evaluation: `evaluation.plot.ic("momentum")`."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import polars as pl

from factorloom.expressions.errors import MissingLibraryError, UnknownFactorError, suggest

__all__ = ["Plots", "Plotted"]

LIMIT = 5_000
"""Rows that Altair draws; longer tables are thinned to every second date, third, ..."""


class Plotted(Protocol):
    """The tables that are drawn."""

    @property
    def factors(self) -> Any: ...
    @property
    def ic(self) -> pl.DataFrame: ...
    @property
    def ic_decay(self) -> pl.DataFrame: ...
    @property
    def quantile_returns(self) -> pl.DataFrame: ...
    @property
    def quantile_returns_by_date(self) -> pl.DataFrame: ...
    @property
    def long_short(self) -> pl.DataFrame: ...
    @property
    def correlation(self) -> pl.DataFrame: ...


class Plots:
    """Charts of an evaluation, to be shown in a notebook, changed further, or saved.

    Every method needs Altair, which `pip install 'factorloom[report]'` brings, and gives an `altair.Chart`.

    Raises
    ------
    MissingLibraryError
        Where Altair is not installed.
    UnknownFactorError
        Where the evaluation has no such factor.
    """

    def __init__(self, evaluation: Plotted) -> None:
        self._evaluation = evaluation

    def ic(self, factor: str) -> Any:
        """Rank IC by date, a panel for each horizon."""
        alt, rows = _altair(), self._rows("ic", factor)
        chart = alt.Chart(_thin(rows.select("horizon", "date", "rank_ic"))).mark_line(strokeWidth=1, color="#0072b2")
        encoded = chart.encode(x=_dates(alt), y=alt.Y("rank_ic:Q", title="rank IC"))
        return encoded.properties(width=640, height=120, title=factor).facet(row=alt.Row("horizon:O"))

    def quantiles(self, factor: str) -> Any:
        """Mean return by quantile, with one standard error."""
        alt, rows = _altair(), self._rows("quantile_returns", factor)
        ends = rows.with_columns(low=pl.col("mean") - pl.col("std_error"), high=pl.col("mean") + pl.col("std_error"))
        base = alt.Chart(ends).encode(x=alt.X("quantile:O"))
        bars = base.mark_bar().encode(y=alt.Y("mean:Q", title="mean return"), color=_by_quantile(alt))
        errors = base.mark_rule().encode(y=alt.Y("low:Q", title="mean return"), y2="high:Q")
        layers = alt.layer(bars, errors).properties(width=180, height=160, title=factor)
        return layers.facet(column=alt.Column("horizon:O")).resolve_scale(y="independent")

    def cumulative(self, factor: str, horizon: int | None = None) -> Any:
        """Cumulative return by quantile, at the first horizon unless another is named."""
        alt, rows = _altair(), _at(self._rows("quantile_returns_by_date", factor), horizon)
        chart = alt.Chart(_thin(rows.select("quantile", "date", "cumulative"))).mark_line(strokeWidth=1.5)
        value = alt.Y("cumulative:Q", title="cumulative return", axis=alt.Axis(format="%"))
        return chart.encode(x=_dates(alt), y=value, color=_by_quantile(alt)).properties(width=640, title=factor)

    def long_short(self, factor: str, horizon: int | None = None) -> Any:
        """Cumulative long-short return before and after costs."""
        alt, rows = _altair(), _at(self._rows("long_short", factor), horizon)
        names = {"cumulative_gross": "gross", "cumulative_net": "net"}
        long = rows.select("date", *names).rename(names).unpivot(index="date", variable_name="of", value_name="value")
        chart = alt.Chart(_thin(long)).mark_line(strokeWidth=1.5)
        value = alt.Y("value:Q", title="cumulative return", axis=alt.Axis(format="%"))
        color = alt.Color("of:N", title=None, scale=alt.Scale(domain=["gross", "net"], range=["#56a5d8", "#0072b2"]))
        return chart.encode(x=_dates(alt), y=value, color=color).properties(width=640, title=factor)

    def decay(self, factor: str) -> Any:
        """Mean rank IC by horizon."""
        alt, rows = _altair(), self._rows("ic_decay", factor)
        chart = alt.Chart(rows.select("horizon", "rank_ic_mean")).mark_bar(color="#0072b2")
        return chart.encode(x="horizon:O", y=alt.Y("rank_ic_mean:Q", title="mean rank IC")).properties(title=factor)

    def correlation(self) -> Any:
        """Rank correlation of the values of all factors."""
        alt = _altair()
        color = alt.Color(
            "values:Q", title=None, scale=alt.Scale(domain=[-1, 0, 1], range=["#c85200", "#f1f3f5", "#0072b2"])
        )
        x, y = alt.X("factor_a:N", title=None), alt.Y("factor_b:N", title=None)
        return alt.Chart(self._evaluation.correlation).mark_rect().encode(x=x, y=y, color=color)

    def _rows(self, table: str, factor: str) -> pl.DataFrame:
        names = [str(name) for name in self._evaluation.factors]
        if factor not in names:
            raise UnknownFactorError(f"the evaluation has no factor {factor!r}", hint=suggest(str(factor), names))
        rows: pl.DataFrame = getattr(self._evaluation, table)
        return rows.filter(pl.col("factor") == factor)


def _altair() -> Any:
    try:
        return importlib.import_module("altair")
    except ImportError as error:
        raise MissingLibraryError("Altair is not installed", hint="pip install 'factorloom[report]'") from error


def _at(rows: pl.DataFrame, horizon: int | None) -> pl.DataFrame:
    """The rows of a horizon, of the first one where None."""
    wanted = rows["horizon"].min() if horizon is None else horizon
    return rows.filter(pl.col("horizon") == wanted)


def _thin(rows: pl.DataFrame) -> pl.DataFrame:
    every = rows.height // LIMIT + 1
    dates = rows["date"].unique().sort().gather_every(every)
    return rows.filter(pl.col("date").is_in(dates.implode()))


def _dates(alt: Any) -> Any:
    return alt.X("date:T", title=None)


def _by_quantile(alt: Any) -> Any:
    return alt.Color("quantile:O", scale=alt.Scale(scheme="blueorange", reverse=True))
