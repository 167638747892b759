"""Simulate the daily bars of a market, reproducibly, for examples, tests and the demo.

Returns are the sum of a market, a sector and an idiosyncratic return, each with volatility clustering and fat tails.
Fundamentals change once a quarter. Some symbols list late or end early; some bars and prices are missing.
"""

from __future__ import annotations

import datetime as dt
import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.errors import ParameterError

__all__ = ["SECTORS", "simulate"]

Array = npt.NDArray[np.float64]

SECTORS = {
    "Industrials": 15,
    "Financials": 14,
    "Information Technology": 14,
    "Health Care": 13,
    "Consumer Discretionary": 11,
    "Consumer Staples": 8,
    "Real Estate": 7,
    "Utilities": 6,
    "Materials": 5,
    "Communication Services": 4,
    "Energy": 3,
}
"""Sectors and the percentage of symbols in each."""

LATE_SHARE, EARLY_SHARE = 0.08, 0.03
"""Fractions of symbols that list late and that end early."""

GAP_PROBABILITY, HOLE_PROBABILITY = 5e-4, 1e-4
"""Probabilities that a bar is missing, and that its open, or its high and low, are missing."""

QUARTER = 63
CONSONANTS, VOWELS = "BDLMNRSTVZ", "AEIO"
MAX_SYMBOLS = 10_000


class Prices(NamedTuple):
    """One row per day and one column per symbol."""

    open: Array
    high: Array
    low: Array
    close: Array


def simulate(symbols: int = 500, years: int = 5, seed: int = 7, end: dt.date = dt.date(2025, 12, 31)) -> pl.DataFrame:
    """Daily bars of a simulated market.

    Parameters
    ----------
    symbols, years
        Number of symbols, and of years up to `end`; every weekday is a date.
    seed
        Seed of the random numbers. The same arguments give the same market.
    end
        The last day.

    Returns
    -------
    polars.DataFrame
        `symbol, date, open, high, low, close, volume, vwap, sector, shares_outstanding, market_cap,
        book_to_price, earnings_yield, return_on_equity`, by symbol and date.

    Raises
    ------
    ParameterError
        A size is out of range.

    Examples
    --------
    >>> bars = simulate(symbols=3, years=1)
    >>> bars["symbol"].n_unique(), bars["date"].max()
    (3, datetime.date(2025, 12, 31))
    """
    _check("symbols", symbols, MAX_SYMBOLS)
    _check("years", years, 100)
    rng = np.random.Generator(np.random.PCG64(seed))
    days = _weekdays(years, end)
    sector = np.sort(rng.choice(len(SECTORS), symbols, p=_shares()))
    rng.shuffle(sector)
    profitability = rng.standard_normal(symbols)
    size = rng.standard_normal(symbols)
    returns, volatility = _returns(rng, len(days), sector, profitability, size)
    prices = _prices(rng, returns, volatility)
    columns = {
        **prices._asdict(),
        **_trading(rng, prices, returns, volatility, size),
        **_fundamentals(rng, prices.close, profitability),
    }
    columns["market_cap"] = np.round(prices.close * columns["shares_outstanding"])
    columns["volume"] = np.maximum(np.round(columns["volume"] * columns["shares_outstanding"]), 100)
    return _frame(rng, days, sector, columns)


def _check(name: str, value: object, maximum: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= maximum:
        raise ParameterError(f"{name} must be an integer from 1 to {maximum:,}, got {value!r}")


def _weekdays(years: int, end: dt.date) -> npt.NDArray[np.datetime64]:
    last = np.datetime64(end + dt.timedelta(days=1), "D")
    days = np.arange(last - np.timedelta64(365 * years + years // 4, "D"), last)
    return days[np.is_busday(days)]


def _shares() -> Array:
    weights: Array = np.array(list(SECTORS.values()), dtype=np.float64)
    return weights / float(weights.sum())


def _returns(
    rng: np.random.Generator, days: int, sector: npt.NDArray[np.int64], profitability: Array, size: Array
) -> tuple[Array, Array]:
    """Log returns, and the idiosyncratic volatility of each symbol."""
    symbols, sectors = len(sector), len(SECTORS)
    volatility = 0.016 * np.exp(0.3 * rng.standard_normal(symbols) - 0.15 * size)
    shocks = _clustered(rng, days, np.concatenate([[0.009], np.full(sectors, 0.006), volatility]))
    beta = 1 + 0.35 * rng.standard_normal(symbols)
    drift = 0.0003 + 0.0002 * profitability - volatility**2 / 2
    return drift + beta * shocks[:, :1] + shocks[:, 1 + sector] + shocks[:, 1 + sectors :], volatility


def _clustered(rng: np.random.Generator, days: int, scale: Array) -> Array:
    """GARCH(1, 1) shocks from Student's t distribution with 5 degrees of freedom."""
    drawn = np.clip(rng.standard_t(5, (days, len(scale))) * np.sqrt(3 / 5), -7, 7)
    variance = np.ones(len(scale))
    for day in range(days):
        drawn[day] *= np.sqrt(variance)
        variance = np.minimum(0.04 + 0.07 * drawn[day] ** 2 + 0.89 * variance, 25)
    shocks: Array = drawn * scale
    return shocks


def _prices(rng: np.random.Generator, returns: Array, volatility: Array) -> Prices:
    """Prices in whole cents; the open is near the previous close."""
    first = np.exp(4.2 + 0.8 * rng.standard_normal(returns.shape[1]))
    path = np.log(first) + np.cumsum(returns, axis=0)
    previous = np.vstack([np.log(first), path[:-1]])
    noise = rng.standard_normal((3, *returns.shape)) * volatility
    opening = previous + 0.4 * returns + 0.3 * noise[0]
    open_, close = _cents(opening), _cents(path)
    high = np.maximum(_cents(np.maximum(opening, path) + 0.5 * np.abs(noise[1])), np.maximum(open_, close))
    low = np.minimum(_cents(np.minimum(opening, path) - 0.5 * np.abs(noise[2])), np.minimum(open_, close))
    return Prices(open_, high, low, close)


def _cents(logarithm: Array) -> Array:
    prices: Array = np.maximum(np.round(np.exp(logarithm), 2), 0.01)
    return prices


def _trading(
    rng: np.random.Generator, prices: Prices, returns: Array, volatility: Array, size: Array
) -> dict[str, Array]:
    """Volume as a fraction of shares outstanding, larger with larger returns; shares change once a quarter."""
    noise = rng.standard_normal(returns.shape)
    turnover = np.exp(-5.3 + 0.35 * noise + 0.35 * np.minimum(np.abs(returns) / volatility, 6))
    issued = np.cumsum(0.004 * rng.standard_normal((_quarters(returns), returns.shape[1])), axis=0)
    shares = np.round(np.exp(20.0 + 1.2 * size - 0.5 * np.log(prices.close[0]) + issued[_quarter(returns)]), -3)
    weight = rng.uniform(0.3, 0.7, returns.shape)
    vwap = np.round(prices.low + weight * (prices.high - prices.low), 4)
    return {"volume": turnover, "vwap": vwap, "shares_outstanding": shares}


def _fundamentals(rng: np.random.Generator, close: Array, profitability: Array) -> dict[str, Array]:
    """Ratios of quarterly book value and earnings per share to the daily close."""
    steps = rng.standard_normal((_quarters(close), len(profitability)))
    roe = 0.13 + 0.07 * profitability
    returned = np.empty_like(steps)
    for quarter, step in enumerate(steps):
        roe = roe + 0.15 * (0.13 + 0.07 * profitability - roe) + 0.02 * step
        returned[quarter] = roe
    start = close[0] * np.exp(-1.1 - 0.25 * profitability + 0.5 * rng.standard_normal(len(profitability)))
    book = start * np.exp(np.cumsum(0.6 * np.clip(returned, -0.5, 0.5) / 4, axis=0))
    now = _quarter(close)
    return {
        "book_to_price": np.round(book[now] / close, 6),
        "earnings_yield": np.round((book * returned)[now] / close, 6),
        "return_on_equity": np.round(returned[now], 6),
    }


def _quarter(values: Array) -> npt.NDArray[np.int64]:
    return np.arange(len(values)) // QUARTER


def _quarters(values: Array) -> int:
    return -(-len(values) // QUARTER)


def _frame(
    rng: np.random.Generator,
    days: npt.NDArray[np.datetime64],
    sector: npt.NDArray[np.int64],
    columns: dict[str, Array],
) -> pl.DataFrame:
    """The bars as a frame, by symbol and date, without the missing ones."""
    symbols = len(sector)
    exists = _listed(rng, len(days), symbols).T
    holes = rng.random((2, symbols, len(days)))[:, exists] < HOLE_PROBABILITY
    names = pl.Series(_names(rng, symbols))
    sectors = pl.Series([list(SECTORS)[number] for number in sector])
    row, column = np.nonzero(exists)
    values = {name: pl.Series(name, table.T[exists]) for name, table in columns.items()}
    frame = pl.DataFrame(
        [
            names[row].alias("symbol"),
            pl.Series("date", days[column]),
            sectors[row].alias("sector"),
            *values.values(),
        ]
    )
    return frame.with_columns(
        pl.when(~pl.lit(pl.Series(holes[0]))).then("open").alias("open"),
        pl.when(~pl.lit(pl.Series(holes[1]))).then("high").alias("high"),
        pl.when(~pl.lit(pl.Series(holes[1]))).then("low").alias("low"),
        pl.col("volume", "shares_outstanding", "market_cap").cast(pl.Int64),
    ).select(ORDER)


ORDER = (
    *("symbol", "date", "open", "high", "low", "close", "volume", "vwap", "sector"),
    *("shares_outstanding", "market_cap", "book_to_price", "earnings_yield", "return_on_equity"),
)


def _listed(rng: np.random.Generator, days: int, symbols: int) -> npt.NDArray[np.bool_]:
    """A mask of the bars that exist: from a symbol's listing to its end, with rare gaps."""
    order = rng.permutation(symbols)
    late, early = round(LATE_SHARE * symbols), round(EARLY_SHARE * symbols)
    first, last = np.zeros(symbols, dtype=np.int64), np.full(symbols, days - 1)
    first[order[:late]] = rng.integers(days // 20 + 1, days * 9 // 10, late)
    last[order[late : late + early]] = rng.integers(days // 5, days - 1, early)
    day = np.arange(days)[:, None]
    gap = (rng.random((days, symbols)) < GAP_PROBABILITY) & (day > first) & (day < last)
    return (day >= first) & (day <= last) & ~gap


def _names(rng: np.random.Generator, count: int) -> list[str]:
    """Distinct pronounceable symbols, in alphabetical order."""
    letters = (CONSONANTS, VOWELS, CONSONANTS, VOWELS, CONSONANTS)
    words = ["".join(word) for word in itertools.product(*letters[: 4 if count <= 1_000 else 5])]
    return [words[place] for place in np.sort(rng.choice(len(words), count, replace=False))]
