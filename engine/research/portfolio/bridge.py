"""To and from the tables of other libraries, all of pandas: wide returns for skfolio, long factors of alphalens."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import polars as pl

from factorloom.engine.panel import Panel
from factorloom.engine.research.portfolio.grid import Grid, keyed
from factorloom.engine.research.series import Array
from factorloom.expressions.errors import ArgumentError, BarsError, MissingLibraryError

__all__ = ["from_alphalens", "to_alphalens", "wide"]

KEYS = ("date", "asset")


def to_alphalens(
    scores: pl.DataFrame | pl.LazyFrame,
    prices: Panel | pl.DataFrame | pl.LazyFrame,
    *,
    factor: str = "score",
    price: str = "close",
) -> tuple[Any, Any]:
    """A factor and prices as `alphalens.utils.get_clean_factor_and_forward_returns` takes them.

    Parameters
    ----------
    scores
        `symbol, date` and a column of numbers; rows without a number are left out.
    prices
        A panel, or a table `symbol, date` and prices.
    factor, price
        The columns.

    Returns
    -------
    tuple
        A pandas Series with the index (date, asset), named `factor`, and a pandas DataFrame of prices, dates by
        symbols. Dates are timestamps.

    Raises
    ------
    MissingLibraryError
        pandas is not installed.
    UnknownColumnError, BarsError, ArgumentError
        As for `fl.weights`.

    Examples
    --------
    >>> import factorloom as fl
    >>> values = fl.example().compute(score=fl.close)
    >>> factor, prices = fl.to_alphalens(values, fl.example())
    >>> factor.index.names, prices.shape
    (FrozenList(['date', 'asset']), (3, 3))
    """
    pandas = _pandas()
    table = keyed("scores", scores, factor)
    numbers = table.select("date", "symbol", pl.col(factor).cast(pl.Float64))
    numbers = numbers.filter(pl.col(factor).is_finite())
    days, names = _timestamps(pandas, numbers["date"]), pandas.Index(numbers["symbol"].to_list(), dtype=object)
    index = pandas.MultiIndex.from_arrays([days, names], names=list(KEYS))
    bars = keyed("prices", prices, price)
    grid = Grid.of(bars)
    return (
        pandas.Series(numbers[factor].to_numpy().copy(), index=index, name="factor"),
        wide(grid.dates, grid.symbols, grid.matrix(bars, price)),
    )


def from_alphalens(factor_data: Any) -> pl.DataFrame:
    """A factor of alphalens as scores: the table that `fl.weights` takes.

    Parameters
    ----------
    factor_data
        A pandas Series with the index (date, asset), or a DataFrame such as
        `get_clean_factor_and_forward_returns` gives, with a column `factor`; other columns are kept.

    Returns
    -------
    polars.DataFrame
        `symbol, date, score`, and the other columns, by date and symbol. Dates are Date where all are at midnight,
        else Datetime; a time zone is left out, its own clock kept.

    Raises
    ------
    MissingLibraryError
        pandas is not installed.
    ArgumentError, BarsError
        It is neither of the two, has no such index, no column `factor`, or repeats a key.

    Examples
    --------
    >>> import factorloom as fl
    >>> factor, _ = fl.to_alphalens(fl.example().compute(score=fl.close), fl.example())
    >>> fl.from_alphalens(factor).row(0)
    ('A', datetime.date(2024, 1, 2), 10.0)
    """
    pandas = _pandas()
    if isinstance(factor_data, pandas.Series):
        factor_data = factor_data.to_frame("factor")
    if not isinstance(factor_data, pandas.DataFrame):
        raise ArgumentError(
            f"factor_data must be a Series or DataFrame of pandas, got {type(factor_data).__name__}",
            hint="what alphalens.utils.get_clean_factor_and_forward_returns returns",
        )
    index = factor_data.index
    if index.nlevels != 2 or not isinstance(index.levels[0], pandas.DatetimeIndex):
        raise BarsError("factor_data must have an index of two levels, (date, asset), the first of timestamps")
    if "factor" not in factor_data.columns:
        raise BarsError("factor_data has no column 'factor'")
    stamps = pandas.DatetimeIndex(index.get_level_values(0)).tz_localize(None)
    dates = pl.Series("date", stamps.to_numpy().astype("datetime64[us]"))
    if (dates == dates.dt.truncate("1d")).all():
        dates = dates.cast(pl.Date)
    symbols = pl.Series("symbol", [str(each) for each in index.get_level_values(1)], dtype=pl.String)
    rest = {str(name): _column(factor_data[name]) for name in factor_data.columns}
    scores = rest.pop("factor").cast(pl.Float64)
    others = {name: column for name, column in rest.items() if name not in ("symbol", "date", "score")}
    return keyed("factor_data", pl.DataFrame({"symbol": symbols, "date": dates, "score": scores, **others}))


def wide(dates: pl.Series, symbols: pl.Series, values: Array) -> Any:
    """A matrix as a frame of pandas with timestamps by symbols."""
    pandas = _pandas()
    columns = pandas.Index(symbols.to_list(), dtype=object, name="asset")
    return pandas.DataFrame(values.copy(), index=_timestamps(pandas, dates).rename("date"), columns=columns)


def _timestamps(pandas: Any, dates: pl.Series) -> Any:
    return pandas.DatetimeIndex(dates.cast(pl.Datetime("us")).to_numpy().astype("datetime64[ns]"))


def _column(series: Any) -> pl.Series:
    """A column of pandas: numbers, or text for all else."""
    if series.dtype.kind in "iufb":
        return pl.Series(series.to_numpy(), nan_to_null=True)
    missing = np.asarray(series.isna())
    texts = [None if gone else str(each) for each, gone in zip(series, missing, strict=True)]
    return pl.Series(texts, dtype=pl.String)


def _pandas() -> Any:
    try:
        return importlib.import_module("pandas")
    except ImportError as error:
        raise MissingLibraryError("pandas is not installed", hint="pip install 'factorloom[pandas]'") from error
