"""Forward returns: what a factor is to foretell, as factors that look ahead.

A return is computed on the bar of the entry, from what comes after it, and then brought back by the lag of the entry.
So what a symbol did before the entry never counts, and all that is taken from a cross-section is that of one date.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Literal, TypeAlias

import polars as pl

from factorloom.expressions.errors import ArgumentError, ParameterError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col
from factorloom.expressions.operators import (
    cs_demean,
    cs_sum,
    fill,
    group_demean,
    is_missing,
    ts_last,
    ts_lead,
    ts_lead_dates,
    where,
)
from factorloom.expressions.operators.cell.function import log as logarithm
from factorloom.expressions.parameter import Count
from factorloom.expressions.registry import READERS

__all__ = ["Price", "forward_return"]

Price: TypeAlias = Factor | pl.Expr | str
"""A factor, an expression of Polars, or the name of a column."""

EXITS = ("date", "bar")
HALTED = ("last", "missing")
MARKET = "market"


def forward_return(
    horizon: int,
    entry_lag: int = 1,
    price: Price = "close",
    exit: Literal["date", "bar"] = "date",
    *,
    halted: Literal["last", "missing"] | float = "last",
    log: bool = False,
    excess: Price | None = None,
    entry_price: Price | None = None,
) -> Factor:
    """The return from an entry after the date of a bar to an exit `horizon` dates later: a label, for it looks ahead.

    With the dates of the market (the distinct dates of the panel) counted as `d`, and `p` the price of a symbol,

        forward_return(d) = p(d + entry_lag + horizon) / p(d + entry_lag) - 1

    A symbol without a bar or a price on the date of the entry has no label. Where the panel ends before the exit the
    label is missing, whatever `halted` says: it is not complete. Returns of neighbouring dates overlap by
    `horizon - 1` dates. A price that is not positive is missing.

    Parameters
    ----------
    horizon
        Dates of the market from entry to exit, at least 1. Gaps of a symbol do not shorten it.
    entry_lag
        Dates from that of the bar to the entry. With 0 one trades at the price of the bar that the factor has seen.
    price
        The price of the exit, and of the entry unless `entry_price` is given: the name of a column, or a factor.
    exit
        `"bar"` counts the bars of each symbol instead of dates, for entry and exit. What was halted is then held longer
        than the others, and a symbol that was delisted has no label on its last bars.
    halted
        The return of a symbol that has no price on the date of the exit: `"last"` takes the last one from the entry on
        (0 where the entry's own was the last), `"missing"` gives none, and a number, such as -0.3, is the return itself
        (of which `log=True` takes the logarithm too).
    log
        The logarithm of `p(exit) / p(entry)`.
    excess
        What is taken off: `"market"`, the mean of the labels of the date; the name of any other column, which must hold
        categories, the mean of the labels of its category on the date; or a factor such as `fl.col("index")`, the
        level of a benchmark, its return from the date of the entry to that of the exit. A symbol without a bar there
        takes that benchmark return from the other symbols, as the mean of the date.
    entry_price
        The price of the entry where it is another one, such as `"open"` or `"vwap"`: on the date of the entry, so that
        with `entry_lag=1` one buys at the open of the next day.

    Returns
    -------
    Factor
        Float64, a ratio: 0.1 is 10 percent. It looks `entry_lag + horizon` bars ahead, and what refuses factors that
        look ahead (scores, the service) refuses it.

    Raises
    ------
    WindowError
        Where `horizon` is less than 1, or `entry_lag` less than 0.
    ParameterError
        Where `exit` or `halted` has no such meaning, or a return is below -1.
    ArgumentError
        Where an argument has another type.

    Examples
    --------
    >>> import factorloom as fl
    >>> print(fl.example().show(fl.forward_return(1, entry_lag=0)))
    date             A      B    C
    2024-01-02     0.1  -0.05    -
    2024-01-03   0.091  0.158  0.4
    2024-01-04       -      -    -
    >>> print(fl.forward_return(5, exit="bar", halted="missing"))
    ts_lead(ts_lead(where(close > 0, close, missing), 5) / where(close > 0, close, missing) - 1, 1)
    """
    periods, lag = (
        int(Count(least).check(name, value, {}))
        for name, value, least in (("horizon", horizon, 1), ("entry_lag", entry_lag, 0))
    )
    _check(exit, halted, log)
    lead = ts_lead_dates if exit == "date" else ts_lead
    sold = _positive("price", price)
    paid = sold if entry_price is None else _positive("entry_price", entry_price)

    def change(later: Factor, earlier: Factor) -> Factor:
        return logarithm(later / earlier) if log else later / earlier - 1

    there = lead(sold, periods)
    if halted == "missing":
        made = change(there, paid)
    elif halted == "last":
        made = change(_last(sold, periods, exit), paid)
    else:
        given = math.log1p(halted) if log else float(halted)
        lost = where((paid > 0) & _is_over(sold, paid, periods, exit), given)
        made = where(is_missing(there), lost, change(there, paid))
    if excess is not None and not isinstance(excess, str):
        level = _positive("excess", excess)
        made = made - _of_benchmark(change(lead(level, periods), level), exit)
    return _without_mean(lead(made, lag) if lag else made, excess)


def _check(exit: object, halted: object, log: object) -> None:
    if exit not in EXITS:
        raise ParameterError(f"exit must be 'date' or 'bar', got {exit!r}", hint=suggest(str(exit), EXITS))
    if not isinstance(log, bool):
        raise ArgumentError(f"log must be True or False, got {log!r}")
    if isinstance(halted, str):
        if halted not in HALTED:
            raise ParameterError(
                f"halted must be 'last', 'missing' or a return, got {halted!r}", hint=suggest(halted, HALTED)
            )
        return
    if isinstance(halted, bool) or not isinstance(halted, Real):
        raise ArgumentError(f"halted must be 'last', 'missing' or a return, got {halted!r}")
    given = float(halted)
    if not (math.isfinite(given) and (given > -1 if log else given >= -1)):
        least = "greater than -1, to have a logarithm" if log else "at least -1"
        raise ParameterError(
            f"halted must be a return, {least}, got {halted!r}", hint="it is a ratio: -0.3 is a loss of 30 percent"
        )


def _factor(name: str, value: object) -> Factor:
    for kind, read in READERS.items():
        value = read(value) if isinstance(value, kind) else value
    if isinstance(value, str) and value:
        return col(value)
    if isinstance(value, Factor):
        return value
    raise ArgumentError(f"{name} must be the name of a column or a factor, got {value!r}")


def _positive(name: str, value: object) -> Factor:
    """A price; what is not positive is missing."""
    price = _factor(name, value)
    return where(price > 0, price)


def _last(price: Factor, periods: int, exit: str) -> Factor:
    """The last price from the bar of the entry until the exit."""
    if exit == "date":
        return ts_lead_dates(price, periods, last=True)
    return ts_lead(ts_last(price, periods + 1), periods)


def _is_over(sold: Factor, paid: Factor, periods: int, exit: str) -> Factor:
    """1 where a position that was entered on a bar comes to its exit, and missing where the panel ends before."""
    return (ts_lead_dates(paid, periods, last=True) if exit == "date" else ts_lead(is_missing(sold) + 1, periods)) > 0


def _of_benchmark(change: Factor, exit: str) -> Factor:
    """The return of a benchmark on the bar of the entry, also of symbols that have no bar at the exit."""
    if exit == "bar":
        return change
    return fill(change, cs_sum(fill(change, 0)) / cs_sum(1 - is_missing(change)))


def _without_mean(label: Factor, excess: object) -> Factor:
    """Labels without the mean of the date, or of the category, where excess is text."""
    if not isinstance(excess, str):
        return label
    if not excess:
        raise ArgumentError("excess must be 'market', the name of a column or a factor, got ''")
    return cs_demean(label) if excess == MARKET else group_demean(label, by=excess)
