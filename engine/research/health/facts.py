"""What health checks need to know of the bars themselves, beside the tables of an evaluation.

Counts use every bar. Whatever compares factors with returns uses a sample of evenly spaced dates, so that hundreds of
factors take little time and memory, and returns of neighbouring sampled dates barely overlap. Each sampled date is a
row of a matrix, its symbols are the columns, and one ranking of a factor serves all comparisons.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.quality import EXTREME
from factorloom.engine.research.inference import newey_west
from factorloom.engine.research.series import Array, finite

__all__ = ["STEPS", "PanelFacts", "panel_facts"]

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SAMPLE = 60
"""Dates sampled: a mean rank IC over 60 dates has a standard error of about 0.02."""
STEPS = (0, 1, 2, 3, 4, 5)
"""Single returns that factors are compared with: step k leads from k - 1 to k market dates after the factor's date."""
GONE = 5
"""Market dates without a bar at the end of the panel after which a symbol counts as having left."""
STALE_SYMBOL = 0.2
PENNY, LOWEST = 5.0, 0.1

OF_STEPS = {
    "factor": pl.String,
    "step": pl.Int64,
    "dates": pl.Int64,
    "rank_ic_mean": pl.Float64,
    "rank_ic_t": pl.Float64,
}
OF_HALTED = {"horizon": pl.Int64, "rows": pl.Int64, "halted": pl.Float64}
OF_LOW = {
    **{name: OF_STEPS.get(name, pl.Int64) for name in ("factor", "horizon", "dates")},
    **dict.fromkeys(("low", "spread", "spread_t", "spread_without"), pl.Float64),
}


@dataclass(frozen=True, kw_only=True)
class PanelFacts:
    """Facts of the bars behind an evaluation.

    Attributes
    ----------
    symbols, left, symbol_years
        Eligible symbols; those without an eligible bar in the last five market dates; their years of bars.
    unchanged, stale_symbols
        Share of bars whose price is exactly the symbol's previous one; symbols with more than 20% of them.
    jumps
        Bars whose price is more than 50% away from the symbol's previous one.
    steps : factor, step, dates, rank_ic_mean, rank_ic_t
        Rank IC with the return from `step - 1` to `step` market dates after the factor's date, over sampled dates.
    low_prices : factor, horizon, dates, low, spread, spread_t, spread_without
        Share of low-priced symbols in the outer quantiles, and the spread with them and without them. Low: below 5, or
        in the lowest tenth of the date; only the latter where more than half of the symbols would be low.
    halted : horizon, rows, halted
        Labels whose symbol has no price on the exit date, as a share of those with a price on the entry date.
    """

    symbols: int = 0
    left: int = 0
    symbol_years: float = 0.0
    unchanged: float = 0.0
    stale_symbols: int = 0
    jumps: int = 0
    steps: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=OF_STEPS))
    low_prices: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=OF_LOW))
    halted: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=OF_HALTED))


@dataclass(frozen=True)
class _Places:
    """Where the price of any symbol on any market date stands."""

    keys: Ints
    prices: Array
    dates: int

    def find(self, rows: Ints, ahead: int) -> Array:
        """Prices `ahead` market dates after some bars, NaN without one."""
        target, date = self.keys[rows] + ahead, self.keys[rows] % self.dates + ahead
        place = np.minimum(rows + ahead, len(self.keys) - 1)
        elsewhere = self.keys[place] != target
        place[elsewhere] = np.minimum(np.searchsorted(self.keys, target[elsewhere]), len(self.keys) - 1)
        there = (date >= 0) & (date < self.dates) & (self.keys[place] == target)
        return np.where(there, self.prices[place], np.nan)


def panel_facts(
    date_codes: npt.ArrayLike,
    offsets: npt.ArrayLike,
    prices: Array,
    factors: Mapping[str, Array],
    labels: Mapping[int, Array],
    *,
    entry_lag: int = 1,
    quantiles: int = 5,
    per_year: float = 252.0,
    eligible: Flags | None = None,
    sample: int = SAMPLE,
) -> PanelFacts:
    """Facts of bars in panel order: by symbol, then date.

    Parameters
    ----------
    date_codes, offsets
        The market date of each bar, from 0, and where each symbol's bars start, with the number of bars at the end: as
        `Bars.date_codes` and `Bars.by_symbol` have them.
    prices, factors, labels
        One value per bar: price, factors by name, forward returns by horizon; missing is NaN.
    entry_lag, quantiles, per_year
        As in the evaluation.
    eligible
        Which bars are in the universe; default: all.
    sample
        Dates that factors are compared on, evenly spaced.
    """
    if not len(prices):
        return PanelFacts()
    codes, starts = np.asarray(date_codes).astype(np.int64), np.asarray(offsets).astype(np.int64)
    symbol = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    known = np.ones(len(codes), dtype=bool) if eligible is None else eligible
    price = np.where(prices > 0, prices, np.nan)
    last = int(codes.max())
    final = np.full(len(starts) - 1, -1)
    np.maximum.at(final, symbol[known], codes[known])
    pairs, same = _unchanged(symbol, price, known)
    by_symbol = [np.bincount(symbol[1:][which], minlength=len(final)) for which in (same, pairs)]
    places = _Places(symbol * (last + 1) + codes, price, last + 1)
    rows = _sampled(codes, known, last - entry_lag - min(labels, default=1), sample)
    steps, low_prices = _compared(places, rows, factors, labels, quantiles)
    with np.errstate(all="ignore"):
        moved = np.abs(price[1:][pairs] / price[:-1][pairs] - 1)
    return PanelFacts(
        symbols=int((final >= 0).sum()),
        left=int(((final >= 0) & (final < final.max(initial=0) - GONE)).sum()),
        symbol_years=float(known.sum() / per_year),
        unchanged=float(same.sum() / max(int(pairs.sum()), 1)),
        stale_symbols=int((by_symbol[0] > STALE_SYMBOL * by_symbol[1]).sum()),
        jumps=int((moved > EXTREME).sum()),
        steps=steps,
        low_prices=low_prices,
        halted=_halted(places, rows, labels, entry_lag, last),
    )


def _unchanged(symbol: Ints, price: Array, known: Flags) -> tuple[Flags, Flags]:
    """Which bars, from the second, have a previous price of their symbol; and where it is the same."""
    pairs = (symbol[1:] == symbol[:-1]) & known[1:] & ~np.isnan(price[1:]) & ~np.isnan(price[:-1])
    return pairs, pairs & (price[1:] == price[:-1])


def _sampled(codes: Ints, known: Flags, latest: int, sample: int) -> Ints:
    """Rows of the eligible bars of evenly spaced dates, one date a row, -1 where a date has fewer."""
    inside = codes[known & (codes <= max(latest, 0))]
    ends = (int(inside.min()), int(inside.max())) if len(inside) else (0, 0)
    chosen = np.unique(np.linspace(*ends, min(sample, ends[1] - ends[0] + 1)).astype(np.int64))
    rows = np.flatnonzero(known & np.isin(codes, chosen))
    rows = rows[np.argsort(codes[rows], kind="stable")]
    date = np.searchsorted(chosen, codes[rows])
    starts = np.searchsorted(date, np.arange(len(chosen)))
    place = np.arange(len(rows)) - starts[date]
    table = np.full((len(chosen), int(place.max(initial=0)) + 1), -1)
    table[date, place] = rows
    return table


def _cells(values: Array, rows: Ints) -> Array:
    """The values of sampled bars; NaN for none."""
    return finite(np.where(rows >= 0, values[rows], np.nan))


def _compared(
    places: _Places, rows: Ints, factors: Mapping[str, Array], labels: Mapping[int, Array], quantiles: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables `steps` and `low_prices`; factors are read one at a time."""
    steps, spreads = _Steps(places, rows), _Spreads(places.prices, rows, labels)
    ics = np.empty((len(rows), len(factors), len(STEPS)))
    returns = np.empty((2, len(rows), len(factors), len(labels)))
    shares = np.empty((len(factors), len(labels)))
    for place, values in enumerate(factors.values()):
        ranks = _ranks(_cells(values, rows))
        ics[:, place] = steps.of(ranks)
        returns[:, :, place], shares[place] = spreads.of(ranks, quantiles)
    columns = [finite(each).reshape(len(rows), -1) for each in (ics, *returns)]
    found, spread, without = (newey_west(each, 0) for each in columns)
    dates, spread_dates = ((~np.isnan(each)).sum(axis=0) for each in columns[:2])
    low = finite(shares).ravel()
    return (
        _frame(OF_STEPS, _crossed(factors, STEPS), dates, found.mean, found.t),
        _frame(OF_LOW, _crossed(factors, labels), spread_dates, low, spread.mean, spread.t, without.mean),
    )


class _Steps:
    """Rank ICs with single returns, among the symbols that have both; each side is ranked among its own."""

    def __init__(self, places: _Places, rows: Ints) -> None:
        prices = [places.find(rows, step) for step in (STEPS[0] - 1, *STEPS)]
        with np.errstate(all="ignore"):
            returns = [after / before - 1 for before, after in itertools.pairwise(prices)]
        ranks = np.stack([_centred(_ranks(np.where(rows >= 0, each, np.nan))) for each in returns], axis=2)
        self.present, self.ranks = (~np.isnan(ranks)).astype(np.float64), np.nan_to_num(ranks)
        self.squares = self.ranks**2

    def of(self, ranks: Array) -> Array:
        """(dates, steps)."""
        x, held = np.nan_to_num(_centred(ranks))[:, None], ~np.isnan(ranks)[:, None] * 1.0
        with np.errstate(all="ignore"):
            ics: Array = (x @ self.ranks) / np.sqrt((x**2 @ self.present) * (held @ self.squares))
        return ics[:, 0]


class _Spreads:
    """Spreads between the outer quantiles, with and without low-priced symbols."""

    def __init__(self, prices: Array, rows: Ints, labels: Mapping[int, Array]) -> None:
        high = ~_low(_cells(prices, rows))[:, :, None]
        empty = np.empty((*rows.shape, 0))
        returns = np.stack([_cells(values, rows) for values in labels.values()], axis=2) if labels else empty
        present, returns = ~np.isnan(returns), np.nan_to_num(returns)
        self.table = np.concatenate([returns, returns * high, present, present & high], axis=2)

    def of(self, ranks: Array, quantiles: int) -> tuple[Array, Array]:
        """(with and without, dates, horizons), and the share of low-priced symbols by horizon."""
        with np.errstate(all="ignore"):
            sums = (_outer(ranks, quantiles) @ self.table).reshape(len(ranks), 2, 2, 2, -1)
            counts = sums[:, :, 1].sum(axis=(0, 1))
            means = sums[:, :, 0] / sums[:, :, 1]
            return np.moveaxis(means[:, 0] - means[:, 1], 1, 0), 1 - counts[1] / counts[0]


def _halted(places: _Places, rows: Ints, labels: Mapping[int, Array], entry_lag: int, last: int) -> pl.DataFrame:
    flat = rows[rows >= 0]
    counts = []
    for horizon in labels:
        complete = flat[places.keys[flat] % places.dates + entry_lag + horizon <= last]
        entered = complete[~np.isnan(places.find(complete, entry_lag))]
        gone = np.isnan(places.find(entered, entry_lag + horizon)).sum()
        counts.append((horizon, len(entered), gone / len(entered) if len(entered) else None))
    return pl.DataFrame(counts, schema=OF_HALTED, orient="row")


def _low(price: Array) -> Flags:
    """Whether a price is low, on each date."""
    present = (~np.isnan(price)).sum(axis=1, keepdims=True)
    lowest, penny = _ranks(price) <= LOWEST * present, price < PENNY
    low: Flags = lowest | (penny & (2 * penny.sum(axis=1, keepdims=True) <= present))
    return low


def _outer(ranks: Array, quantiles: int) -> Array:
    """Which symbols the top and the bottom quantile of each date hold, (dates, 2, symbols)."""
    present = (~np.isnan(ranks)).sum(axis=1, keepdims=True)
    return np.stack([ranks > present * (1 - 1 / quantiles), ranks <= present / quantiles], axis=1).astype(np.float64)


def _centred(ranks: Array) -> Array:
    """Ranks of each date less their mean."""
    middle: Array = ((~np.isnan(ranks)).sum(axis=1, keepdims=True) + 1) / 2
    return ranks - middle


def _ranks(values: Array) -> Array:
    """Average ranks along each row; NaN stays."""
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    place = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    edge = np.ones((len(values), values.shape[1] + 1), dtype=bool)
    edge[:, 1:-1] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(edge[:, :-1], place, 0), axis=1)
    last = np.minimum.accumulate(np.where(edge[:, 1:], place, values.shape[1])[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty_like(values)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=1)
    return np.where(np.isnan(values), np.nan, ranks)


def _crossed(factors: Iterable[str], others: Iterable[int]) -> tuple[list[str], list[int]]:
    """Two key columns: each factor with each of the others."""
    pairs = list(itertools.product(factors, others))
    return [factor for factor, _ in pairs], [other for _, other in pairs]


def _frame(schema: Mapping[str, type[pl.DataType]], keys: tuple[list[str], list[int]], *values: Array) -> pl.DataFrame:
    columns: tuple[list[str] | list[int] | Array, ...] = (*keys, *values)
    named = zip(schema.items(), columns, strict=True)
    return pl.DataFrame([pl.Series(name, column, kind, nan_to_null=True) for (name, kind), column in named])
