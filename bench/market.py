"""Simulated bars for benchmarks: any size, the same on every run, sorted as they are made.

A dense market has every symbol on every date. A ragged one has what real data has: symbols that list late or end
early, dates that a symbol skips, and bars of a halted symbol, which have a volume of 0 and no price.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["Market", "make"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

GROUPS = {"sector": 11, "industry": 60, "subindustry": 150}
"""How many there are; every industry lies in one sector, and every subindustry in one industry."""
PORTFOLIOS = ("mkt", "smb", "hml")
LATE, EARLY = 0.04, 0.02
"""Shares of symbols that list late and that end early."""
GAP, HALT = 5e-3, 5e-4
"""Chances that a symbol skips a date, and that it is halted on one."""


class Market(msgspec.Struct, frozen=True):
    """The size and the kind of a market."""

    symbols: int
    bars: int
    ragged: bool = True

    def __str__(self) -> str:
        return f"{self.symbols:,} symbols x {self.bars:,} bars, {'ragged' if self.ragged else 'dense'}"


def make(market: Market, seed: int = 7) -> pl.DataFrame:
    """Bars by (symbol, date), as the factor libraries read them.

    Of each bar `open high low close volume vwap amount cap`; of each date, the same for all symbols,
    `benchmark_open benchmark_close mkt smb hml`; and the categories `sector industry subindustry`.

    >>> make(Market(symbols=2, bars=3, ragged=False))["symbol"].to_list()
    ['S00000', 'S00000', 'S00000', 'S00001', 'S00001', 'S00001']
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    there = _there(rng, market) if market.ragged else np.ones((market.symbols, market.bars), np.bool_)
    counts = there.sum(axis=1)
    keys = [
        _named("symbol", "S{:05}", np.repeat(np.arange(market.symbols), counts), market.symbols),
        pl.Series("date", np.broadcast_to(_weekdays(market.bars), there.shape)[there]),
    ]
    sector = rng.integers(0, GROUPS["sector"], market.symbols)
    bars = pl.DataFrame([*keys, *_columns(rng, market, there)])
    shares = np.repeat(np.round(np.exp(18 + rng.standard_normal(market.symbols))), counts)
    return bars.with_columns(
        *_groups(rng, sector, counts),
        cap=pl.col("close") * shares,
        **{name: pl.Series(np.broadcast_to(x, there.shape)[there]) for name, x in _daily(rng, market.bars).items()},
    )


def _groups(
    rng: np.random.Generator, sector: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> Iterator[pl.Series]:
    """The categories of every bar, from those of the symbols."""
    code, above = sector, GROUPS["sector"]
    for name, count in GROUPS.items():
        if name != "sector":
            code = (code + above * rng.integers(0, -(-count // above), code.size)) % count
        above = count
        yield _named(name, f"{name} {{:03}}", np.repeat(code, counts), count).cast(pl.Categorical)


def _daily(rng: np.random.Generator, bars: int) -> dict[str, Array]:
    """What belongs to a date: an index, and the returns of three portfolios."""
    returned = 0.01 * rng.standard_normal((3, bars))
    index = 1000 * np.exp(np.cumsum(returned[0]))
    start = index * np.exp(0.003 * rng.standard_normal(bars))
    return {"benchmark_open": start, "benchmark_close": index, **dict(zip(PORTFOLIOS, returned, strict=True))}


def _there(rng: np.random.Generator, market: Market) -> Mask:
    """Which symbol has a bar on which date."""
    days = np.arange(market.bars)
    first = np.where(rng.random(market.symbols) < LATE, rng.integers(0, market.bars, market.symbols), 0)
    last = np.where(rng.random(market.symbols) < EARLY, rng.integers(first, market.bars), market.bars - 1)
    listed = (days >= first[:, None]) & (days <= last[:, None])
    skipped: Mask = rng.random((market.symbols, market.bars), np.float32) < GAP
    skipped[np.arange(market.symbols), first] = False
    return listed & ~skipped


def _columns(rng: np.random.Generator, market: Market, there: Mask) -> list[pl.Series]:
    """Prices in cents along random walks, high and low around them, whole volumes."""
    rows = int(there.sum())
    close = _walk(rng, market)[there]
    start = np.exp(0.004 * rng.standard_normal(rows)) * close
    high = np.maximum(start, close) * (1 + 0.005 * rng.random(rows))
    low = np.minimum(start, close) * (1 - 0.005 * rng.random(rows))
    volume = np.round(np.exp(12 + 0.6 * rng.standard_normal(rows)))
    vwap = (high + low + 2 * close) / 4
    halted = rng.random(rows, np.float32) < HALT if market.ragged else np.zeros(rows, np.bool_)
    volume[halted] = 0
    amount = volume * vwap
    prices = {"open": start, "high": high, "low": low, "close": close}
    return [
        *(_price(name, np.round(values, 2), halted) for name, values in prices.items()),
        pl.Series("volume", volume),
        _price("vwap", vwap, halted),
        pl.Series("amount", amount),
    ]


def _walk(rng: np.random.Generator, market: Market) -> Array:
    """A price per symbol and day, the returns of which are 2% a day."""
    steps = rng.standard_normal((market.symbols, market.bars))
    steps *= 0.02
    steps[:, 0] += np.log(20 + 180 * rng.random(market.symbols))
    np.cumsum(steps, axis=1, out=steps)
    np.clip(steps, np.log(1.0), np.log(10_000.0), out=steps)
    return np.exp(steps, out=steps)


def _price(name: str, values: Array, halted: Mask) -> pl.Series:
    values[halted] = np.nan
    return pl.Series(name, values, nan_to_null=True)


def _named(name: str, form: str, codes: npt.NDArray[np.int64], count: int) -> pl.Series:
    return pl.Series(name, [form.format(code) for code in range(count)]).gather(codes)


def _weekdays(count: int) -> npt.NDArray[np.datetime64]:
    first = np.datetime64("2010-01-01", "D")
    days = np.arange(first, first + np.timedelta64(2 * count + 7, "D"))
    return days[np.is_busday(days)][:count]
