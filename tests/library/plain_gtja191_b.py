"""The variables and the functions that the Guotai Junan report defines and other papers do not, on `plain`.

Functions carry the report's names in lower case: `sma` is a recursion and no simple mean, `wma` has weights 0.9^i.
Where the report says `MAX(A, n)`, `MIN(A, n)`, `MEAN`, `MA`, `STD`, `CORR`, `COVIANCE` or `PROD`, see `plain`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.library.plain import (
    Array,
    Axes,
    Column,
    abs,
    by_symbol,
    delay,
    max,
    mean,
    min,
    moving,
    stddev,
    sum,
    ts_argmax,
    ts_argmin,
    ts_max,
    ts_min,
    where,
)


class Bars:
    """The inputs of the formulas.

    Parameters
    ----------
    frame
        Columns `symbol date open high low close volume vwap amount`, and for the formulas that read them
        `benchmark_open benchmark_close mkt smb hml`; sorted by (symbol, date).
    noise
        As in `Axes`.
    """

    def __init__(self, frame: pd.DataFrame, noise: np.random.Generator | None = None) -> None:
        axes = Axes(frame["symbol"], frame["date"], noise)
        self.open, self.high, self.low, self.close, self.volume, self.vwap, self.amount = (
            axes.column(frame[name]) for name in ("open", "high", "low", "close", "volume", "vwap", "amount")
        )
        self.benchmark_open, self.benchmark_close, self.mkt, self.smb, self.hml = (
            axes.column(frame.get(name, float("nan")))
            for name in ("benchmark_open", "benchmark_close", "mkt", "smb", "hml")
        )
        self.ret = self.close / delay(self.close, 1) - 1
        self.typical = (self.high + self.low + self.close) / 3

    @property
    def dtm(self) -> Column:
        """How far a bar that opens higher runs up."""
        before = delay(self.open, 1)
        return where(self.open <= before, 0, max(self.high - self.open, self.open - before))

    @property
    def dbm(self) -> Column:
        """How far a bar that opens lower runs down."""
        before = delay(self.open, 1)
        return where(self.open >= before, 0, max(self.open - self.low, self.open - before))

    @property
    def tr(self) -> Column:
        """The true range."""
        before = delay(self.close, 1)
        return max(max(self.high - self.low, abs(self.high - before)), abs(self.low - before))

    @property
    def hd(self) -> Column:
        return self.high - delay(self.high, 1)

    @property
    def ld(self) -> Column:
        return delay(self.low, 1) - self.low


def sma(x: Column, n: int, m: int) -> Column:
    """`Y[t] = (m * x[t] + (n - m) * Y[t-1]) / n` over the present values, the first of which is the first Y.

    Missing until `n` values were present; a bar without a value keeps the last Y.
    """

    cells = x.axes.place, x.axes.symbol
    bars = np.full(np.max(cells, axis=1) + 1, np.nan)
    bars[cells] = x.values
    seen = (~np.isnan(bars)).cumsum(axis=0)
    y = np.full_like(bars, np.nan)
    y[0] = bars[0]
    for t in range(1, len(bars)):
        moved = np.where(seen[t - 1] == 0, bars[t], (m * bars[t] + (n - m) * y[t - 1]) / n)
        y[t] = np.where(np.isnan(bars[t]), y[t - 1], moved)
    shown, largest = np.where(seen >= n, y, np.nan), np.fmax.accumulate(np.abs(bars))
    return Column(x.axes.put_off(shown[cells], largest[cells]), x.axes)


def wma(x: Column, n: int) -> Column:
    """Mean weighted 0.9^i, `i` bars before now."""
    weights = 0.9 ** np.arange(n - 1, -1, -1)
    return moving(lambda w: (w * weights).sum(axis=1) / weights.sum(), n, x, size=_largest)


def count(condition: Column, n: int) -> Column:
    """How many of `n` bars meet the condition."""
    return sum(where(condition, 1, 0), n)


def sumif(x: Column, n: int, condition: Column) -> Column:
    """The sum over those of `n` bars that meet the condition."""
    return sum(where(condition, x, 0), n)


def highday(x: Column, n: int) -> Column:
    """Bars since the largest value of `n`, 0 where it is the newest; of those that tie, the oldest."""
    return n - ts_argmax(x, n)


def lowday(x: Column, n: int) -> Column:
    """Bars since the smallest value of `n`, 0 where it is the newest; of those that tie, the oldest."""
    return n - ts_argmin(x, n)


def regbeta(x: Column, n: int) -> Column:
    """Slope of the least squares line through `n` values at 1, 2 .. n: the report's `REGBETA(A, SEQUENCE(n))`."""
    steps = np.arange(1, n + 1) - (n + 1) / 2
    return moving(lambda w: (_centred(w) * steps).sum(axis=1) / (steps**2).sum(), n, x, size=_largest)


def filtered_beta(y: Column, x: Column, n: int, condition: Column, least: int = 2) -> Column:
    """Slope of y on x over those of the last `n` bars that meet the condition: `REGBETA` of two `FILTER`s.

    A bar that lacks y, x or the condition is left out like one that does not meet it. Missing where fewer than `least`
    bars are left, and where x is one value on all of them; a young symbol has what bars it has.
    """

    def slopes(kept: Array, v: Array, w: Array) -> Array:
        used = (kept == 1) & ~np.isnan(v) & ~np.isnan(w)
        out = np.full(v.size, np.nan)
        for end in range(1, v.size + 1):
            first = end - n if end > n else 0
            chosen = np.flatnonzero(used[first:end]) + first
            if chosen.size >= least and np.ptp(w[chosen]) > 0:
                a, b = v[chosen] - v[chosen].mean(), w[chosen] - w[chosen].mean()
                out[end - 1] = (a * b).sum() / (b**2).sum()
        return x.axes.put_off(out, np.abs(out))

    return by_symbol(slopes, condition, y, x)


def regresi(y: Column, x1: Column, x2: Column, x3: Column, n: int) -> Column:
    """What the least squares of `n` bars, with an intercept, leave of the newest y."""

    def residuals(left: Array, *right: Array) -> Array:
        directions = np.linalg.qr(np.stack([np.ones_like(left), *right], axis=2)).Q
        explained = np.einsum("wbk,wb->wk", directions, left)
        return left[:, -1] - (directions[:, -1] * explained).sum(axis=1)

    return moving(residuals, n, y, x1, x2, x3, size=lambda *w: _largest(w[0]))


def rescaled_range(x: Column, n: int) -> Column:
    """Range of the running sum of deviations from the mean of `n` bars, divided by their deviation (divisor n - 1)."""

    def ratio(w: Array) -> Array:
        path = np.cumsum(_centred(w), axis=1)
        return (path.max(axis=1) - path.min(axis=1)) / np.sqrt((_centred(w) ** 2).sum(axis=1) / (n - 1))

    return moving(ratio, n, x, size=lambda w: np.ones(len(w)))


def skewness(x: Column, n: int) -> Column:
    """Sample skewness, `n (n-1)^1.5 sum(d^3) / ((n-1) (n-2) sum(d^2)^1.5)` with d the deviation from the mean."""

    def ratio(w: Array) -> Array:
        cubes, squares = (_centred(w) ** 3).sum(axis=1), (_centred(w) ** 2).sum(axis=1)
        return n * (n - 1) ** 1.5 * cubes / ((n - 1) * (n - 2) * squares**1.5)

    return moving(ratio, n, x, size=lambda w: np.ones(len(w)))


def scan(condition: Column, x: Column) -> Column:
    """`condition ? x * SELF : SELF`, SELF being the value of the bar before, and 1 before the first.

    A bar without a condition, as the first is, has no value, and SELF stays what it was.
    """

    def recursion(met: Array, factors: Array) -> Array:
        return np.where(np.isnan(met), np.nan, np.cumprod(np.where(met == 1, factors, 1.0)))

    return by_symbol(recursion, condition, x)


# What several formulas have in common.


def growth(x: Column, d: int) -> Column:
    return (x - delay(x, d)) / delay(x, d)


def off_mean(b: Bars, d: int) -> Column:
    return (b.close - mean(b.close, d)) / mean(b.close, d)


def place(b: Bars) -> Column:
    """The report's `((CLOSE-LOW)-(HIGH-CLOSE))/(HIGH-LOW)`."""
    return ((b.close - b.low) - (b.high - b.close)) / (b.high - b.low)


def pressure(b: Bars, d: int) -> Column:
    """003 and 059."""
    before = delay(b.close, 1)
    reach = where(b.close > before, min(b.low, before), max(b.high, before))
    return sum(where(b.close == before, 0, b.close - reach), d)


def ease(b: Bars) -> Column:
    """009 and 068."""
    middle = (b.high + b.low) / 2 - (delay(b.high, 1) + delay(b.low, 1)) / 2
    return middle * (b.high - b.low) / b.volume


def upward(b: Bars) -> Column:
    """Volatility of the bars that rise: 023 and 174."""
    return sma(where(b.close > delay(b.close, 1), stddev(b.close, 20), 0), 20, 1)


def downward(b: Bars) -> Column:
    """Volatility of the bars that do not: 023 and 160."""
    return sma(where(b.close <= delay(b.close, 1), stddev(b.close, 20), 0), 20, 1)


def k(b: Bars) -> Column:
    """The K of KDJ: 028, 057 and 096."""
    lowest = ts_min(b.low, 9)
    return sma((b.close - lowest) / (ts_max(b.high, 9) - lowest) * 100, 3, 1)


def williams(b: Bars) -> Column:
    return (ts_max(b.high, 6) - b.close) / (ts_max(b.high, 6) - ts_min(b.low, 6)) * 100


def signed_volume(b: Bars, d: int) -> Column:
    before = delay(b.close, 1)
    return sum(where(b.close > before, b.volume, where(b.close < before, -b.volume, 0)), d)


def falls(b: Bars) -> Column:
    """The moves of the bars of 12 that go down: 049, 050 and 051."""
    return sum(where(b.high + b.low >= delay(b.high, 1) + delay(b.low, 1), 0, _move(b)), 12)


def climbs(b: Bars) -> Column:
    """The moves of the bars of 12 that go up: 049, 050 and 051."""
    return sum(where(b.high + b.low <= delay(b.high, 1) + delay(b.low, 1), 0, _move(b)), 12)


def _move(b: Bars) -> Column:
    return max(abs(b.high - delay(b.high, 1)), abs(b.low - delay(b.low, 1)))


def swing(b: Bars) -> Column:
    """055 and 137."""
    close, start, low = delay(b.close, 1), delay(b.open, 1), delay(b.low, 1)
    above, below, across, body = abs(b.high - close), abs(b.low - close), abs(b.high - low), abs(close - start)
    size = where(
        (above > below) & (above > across),
        above + below / 2 + body / 4,
        where((below > across) & (below > above), below + above / 2 + body / 4, across + body / 4),
    )
    return 16 * (b.close - close + (b.close - b.open) / 2 + close - start) / size * max(above, below)


def rises(x: Column, n: int) -> Column:
    """The report's RSI: 063, 067, 079, 102 and 162."""
    return sma(max(x - delay(x, 1), 0), n, 1) / sma(abs(x - delay(x, 1)), n, 1) * 100


def gain(b: Bars) -> Column:
    change = b.close - delay(b.close, 1)
    return sum(where(change > 0, change, 0), 12)


def loss(b: Bars) -> Column:
    change = b.close - delay(b.close, 1)
    return sum(where(change < 0, abs(change), 0), 12)


def triple(x: Column) -> Column:
    return sma(sma(sma(x, 13, 2), 13, 2), 13, 2)


def long_less_short(x: Column) -> Column:
    """152 and 169."""
    return mean(delay(x, 1), 12) - mean(delay(x, 1), 26)


def adx(b: Bars) -> Column:
    """172 and 186."""
    down = sum(where((b.ld > 0) & (b.ld > b.hd), b.ld, 0), 14) * 100 / sum(b.tr, 14)
    up = sum(where((b.hd > 0) & (b.hd > b.ld), b.hd, 0), 14) * 100 / sum(b.tr, 14)
    return mean(abs(down - up) / (down + up) * 100, 6)


def macd(x: Column) -> Column:
    """089 and 155."""
    return sma(x, 13, 2) - sma(x, 27, 2)


def _centred(w: Array) -> Array:
    """Every window less its mean: exactly 0 where it is constant, although a mean may round."""
    return np.where(np.ptp(w, axis=1, keepdims=True) == 0, 0.0, w - w.mean(axis=1, keepdims=True))


def _largest(w: Array) -> Array:
    """The largest size in every window."""
    return np.abs(w).max(axis=1)
