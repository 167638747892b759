"""Simulated bars for benchmarks: of any size, sorted, and the same on every run.

In a dense workload every symbol has a bar on every date. A ragged one resembles real data: symbols list late or are
delisted early, miss some dates, and have bars while they are halted, with a volume of 0 and no prices.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["Workload", "make_bars"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

CATEGORIES = {"sector": 11, "industry": 60, "subindustry": 150}
"""Number of categories; every industry is in one sector, and every subindustry in one industry."""
PORTFOLIOS = ("mkt", "smb", "hml")
LATE, EARLY = 0.04, 0.02
"""Fractions of symbols that list late, and that are delisted early."""
GAP, HALT = 5e-3, 5e-4
"""Probabilities that a symbol misses a date, and that it is halted on one."""


class Workload(msgspec.Struct, frozen=True):
    """The bars to simulate: how many symbols and dates, ragged or dense."""

    symbols: int
    bars: int
    ragged: bool = True

    def __str__(self) -> str:
        return f"{self.symbols:,} symbols x {self.bars:,} bars, {'ragged' if self.ragged else 'dense'}"


def make_bars(workload: Workload, seed: int = 7) -> pl.DataFrame:
    """Bars by (symbol, date), with the columns that the factor libraries read.

    Per bar `open high low close volume vwap amount cap`; per date, the same for all symbols,
    `benchmark_open benchmark_close mkt smb hml`; per symbol the categories `sector industry subindustry`.

    >>> make_bars(Workload(symbols=2, bars=3, ragged=False))["symbol"].to_list()
    ['S00000', 'S00000', 'S00000', 'S00001', 'S00001', 'S00001']
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    present = _present(rng, workload) if workload.ragged else np.ones((workload.symbols, workload.bars), np.bool_)
    counts = present.sum(axis=1)
    keys = [
        _labels("symbol", "S{:05}", np.repeat(np.arange(workload.symbols), counts), workload.symbols),
        pl.Series("date", np.broadcast_to(_weekdays(workload.bars), present.shape)[present]),
    ]
    sector = rng.integers(0, CATEGORIES["sector"], workload.symbols)
    bars = pl.DataFrame([*keys, *_prices(rng, workload, present)])
    shares = np.repeat(np.round(np.exp(18 + rng.standard_normal(workload.symbols))), counts)
    return bars.with_columns(
        *_categories(rng, sector, counts),
        cap=pl.col("close") * shares,
        **{
            name: pl.Series(np.broadcast_to(x, present.shape)[present])
            for name, x in _by_date(rng, workload.bars).items()
        },
    )


def _categories(
    rng: np.random.Generator, sector: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> Iterator[pl.Series]:
    """The categories of every bar; those of a symbol never change."""
    code, parents = sector, CATEGORIES["sector"]
    for name, count in CATEGORIES.items():
        if name != "sector":
            code = (code + parents * rng.integers(0, -(-count // parents), code.size)) % count
        parents = count
        yield _labels(name, f"{name} {{:03}}", np.repeat(code, counts), count).cast(pl.Categorical)


def _by_date(rng: np.random.Generator, bars: int) -> dict[str, Array]:
    """Columns that depend only on the date: an index, and the returns of three portfolios."""
    returns = 0.01 * rng.standard_normal((3, bars))
    index = 1000 * np.exp(np.cumsum(returns[0]))
    open_ = index * np.exp(0.003 * rng.standard_normal(bars))
    return {"benchmark_open": open_, "benchmark_close": index, **dict(zip(PORTFOLIOS, returns, strict=True))}


def _present(rng: np.random.Generator, workload: Workload) -> Mask:
    """Which symbols have a bar on which dates."""
    days = np.arange(workload.bars)
    first = np.where(rng.random(workload.symbols) < LATE, rng.integers(0, workload.bars, workload.symbols), 0)
    last = np.where(rng.random(workload.symbols) < EARLY, rng.integers(first, workload.bars), workload.bars - 1)
    listed = (days >= first[:, None]) & (days <= last[:, None])
    skipped: Mask = rng.random((workload.symbols, workload.bars), np.float32) < GAP
    skipped[np.arange(workload.symbols), first] = False
    return listed & ~skipped


def _prices(rng: np.random.Generator, workload: Workload, present: Mask) -> list[pl.Series]:
    """Prices and volumes: random walks rounded to cents, and whole volumes."""
    rows = int(present.sum())
    close = _walk(rng, workload)[present]
    open_ = np.exp(0.004 * rng.standard_normal(rows)) * close
    high = np.maximum(open_, close) * (1 + 0.005 * rng.random(rows))
    low = np.minimum(open_, close) * (1 - 0.005 * rng.random(rows))
    volume = np.round(np.exp(12 + 0.6 * rng.standard_normal(rows)))
    vwap = (high + low + 2 * close) / 4
    halted = rng.random(rows, np.float32) < HALT if workload.ragged else np.zeros(rows, np.bool_)
    volume[halted] = 0
    amount = volume * vwap
    prices = {"open": open_, "high": high, "low": low, "close": close}
    return [
        *(_price(name, np.round(values, 2), halted) for name, values in prices.items()),
        pl.Series("volume", volume),
        _price("vwap", vwap, halted),
        pl.Series("amount", amount),
    ]


def _walk(rng: np.random.Generator, workload: Workload) -> Array:
    """Close prices by symbol and date, with a volatility of 2% a day."""
    steps = rng.standard_normal((workload.symbols, workload.bars))
    steps *= 0.02
    steps[:, 0] += np.log(20 + 180 * rng.random(workload.symbols))
    np.cumsum(steps, axis=1, out=steps)
    np.clip(steps, np.log(1.0), np.log(10_000.0), out=steps)
    return np.exp(steps, out=steps)


def _price(name: str, values: Array, halted: Mask) -> pl.Series:
    values[halted] = np.nan
    return pl.Series(name, values, nan_to_null=True)


def _labels(name: str, template: str, codes: npt.NDArray[np.int64], count: int) -> pl.Series:
    return pl.Series(name, [template.format(code) for code in range(count)]).gather(codes)


def _weekdays(count: int) -> npt.NDArray[np.datetime64]:
    first = np.datetime64("2010-01-01", "D")
    days = np.arange(first, first + np.timedelta64(2 * count + 7, "D"))
    return days[np.is_busday(days)][:count]
