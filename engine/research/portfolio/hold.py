"""What is held from date to date: weights that drift with prices, and are set anew on trades.

With `p` the prices of the dates, `h` the weights at the end of a date, and `w` those decided, on each date `d`:

    r[i]     = p[i, d] / p[i, d - 1] - 1
    gross    = sum of h[i, d - 1] * r[i]                         cash earns nothing
    drifted  = h[i, d - 1] * (1 + r[i]) / (1 + gross)
    traded   = sum of |w[i] - drifted[i]|  on a trade, else 0     turnover is half of it
    net      = gross - costs_bps / 10000 * traded
    h[i, d]  = w[i] on a trade, else drifted[i]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from factorloom.engine.research.portfolio.grid import Codes, carry
from factorloom.engine.research.series import Array, total

__all__ = ["Held", "carried", "hold", "last_priced"]


@dataclass(frozen=True)
class Held:
    """By date, and by date and symbol."""

    gross: Array
    traded: Array
    cost: Array
    weights: Array
    """At the end of the date."""
    contributions: Array
    """Weight at the end of the date before times the return of the symbol."""
    ruined: int | None
    """The date on which everything was lost; nothing is held from then on."""

    @cached_property
    def before(self) -> Array:
        """Weights at the end of the date before."""
        return np.vstack([np.zeros_like(self.weights[:1]), self.weights[:-1]])


def hold(prices: Array, trades: Mapping[int, Array], costs_bps: float) -> Held:
    """Hold the weights of the trades, by the number of their date.

    Parameters
    ----------
    prices
        (dates, symbols), carried over gaps; NaN before the first.
    trades
        The weights, (symbols,), from the end of a date on; the first date with one starts the portfolio.
    costs_bps
        Of what is traded, in hundredths of a percent.
    """
    dates, symbols = prices.shape
    gross, traded, cost = np.zeros(dates), np.zeros(dates), np.zeros(dates)
    weights, contributions = np.zeros((dates, symbols)), np.zeros((dates, symbols))
    held = np.zeros(symbols)
    with np.errstate(all="ignore"):
        returns = np.zeros((dates, symbols))
        np.divide(prices[1:], prices[:-1], out=returns[1:])
        returns[1:] -= 1
    returns[~np.isfinite(returns)] = 0.0
    for day in range(dates):
        if held.any():
            np.multiply(held, returns[day], out=contributions[day])
            gross[day] = total(contributions[day])
            held = (held + contributions[day]) / (1 + gross[day]) if gross[day] > -1 else np.zeros(symbols)
        wanted = trades.get(day)
        if wanted is not None and gross[day] > -1:
            traded[day] = total(np.abs(wanted - held))
            cost[day] = costs_bps / 1e4 * traded[day]
            held = wanted
        if gross[day] - cost[day] <= -1:
            return Held(gross, traded, cost, weights, contributions, day)
        weights[day] = held
    return Held(gross, traded, cost, weights, contributions, None)


def last_priced(prices: Array) -> Codes:
    """The last date on which each symbol has a price, -1 for none."""
    known = ~np.isnan(prices)
    last: Codes = np.where(known.any(axis=0), len(prices) - 1 - np.argmax(known[::-1], axis=0), -1)
    return last


def carried(prices: Array, ends: float | None) -> Array:
    """Prices with the last one carried over missing ones; after a symbol's last price, that and its final return."""
    filled: Array = carry(prices, ~np.isnan(prices))
    if ends is not None:
        filled = np.where(np.arange(len(prices))[:, None] > last_priced(prices), filled * (1 + ends), filled)
    return filled
