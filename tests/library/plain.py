"""What the functions of published factor formulas mean, computed one window and one cross-section at a time, slowly.

A `Column` is one value per bar, in (symbol, date) order, missing as NaN; `Axes` knows which bars belong to a symbol and
which to a date. Operators and functions carry the names the papers use, so a formula reads like its source. Windows
count the symbol's own bars, need every value present, and fractional windows are rounded down. Nothing of factorloom is
used here, so agreement with it is evidence.

>>> axes = Axes(["A", "A", "A", "B", "B"], [1, 2, 3, 2, 3])
>>> x = axes.column([1, 2, 4, 3, 3])
>>> rank(x).values
array([1. , 0.5, 1. , 1. , 0.5])
>>> delta(x, 1).values
array([nan,  1.,  2., nan,  0.])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
WINDOWED = 2**17
"""So many values of windows are looked at together: what the caches of a processor hold."""


class Axes:
    """The bars of every symbol and of every date, by row number.

    Parameters
    ----------
    symbol, date
        The keys of every bar, sorted by (symbol, date).
    noise
        Puts off by 1e-12 whatever depends on the order in which numbers are added. A cell that moves more than that
        hangs on rounding, as the rank of one of two equal correlations does, and says nothing about a formula.
    """

    def __init__(self, symbol: npt.ArrayLike, date: npt.ArrayLike, noise: np.random.Generator | None = None) -> None:
        self.rows = len(np.asarray(symbol))
        self.noise = noise
        self.symbol = np.unique(np.asarray(symbol), return_inverse=True)[1]
        self.date = np.unique(np.asarray(date), return_inverse=True)[1]
        self.by_symbol, self.by_date = _rows_of(self.symbol), _rows_of(self.date)
        self.place = np.arange(self.rows) - np.searchsorted(self.symbol, self.symbol)
        """Of every bar among those of its symbol, from 0 on."""

    def column(self, values: npt.ArrayLike) -> Column:
        """One value per bar, or one number for all of them."""
        return Column(np.broadcast_to(np.asarray(values, dtype=np.float64), self.rows), self)

    def put_off(self, values: Array, size: npt.ArrayLike) -> Array:
        """The values, off by a little of the size of what they were added from if there is noise."""
        return values if self.noise is None else values + 1e-12 * self.noise.uniform(-1, 1, values.shape) * size


def _rows_of(codes: Rows) -> list[Rows]:
    return np.split(codes.argsort(kind="stable"), np.bincount(codes).cumsum()[:-1])


class Column:
    """One value per bar; what is not finite is missing, and a missing side makes the result missing.

    Comparisons give 1, 0 or missing; `&`, `|` and `~` follow Kleene's logic, any value but 0 being true.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: npt.ArrayLike, axes: Axes) -> None:
        array = np.asarray(values, dtype=np.float64)
        self.values: Array = np.where(np.isfinite(array), array, np.nan)
        self.axes = axes

    def cell(self, meaning: Callable[..., Array | npt.NDArray[np.bool_]], *others: Column | float) -> Column:
        """Apply to this column and the others, cell by cell, where all of them are present."""
        inputs = [self.values, *[self._align(other) for other in others]]
        with np.errstate(all="ignore"):
            values = np.asarray(meaning(*inputs), dtype=np.float64)
        return Column(np.where(np.isnan(inputs).any(axis=0), np.nan, values), self.axes)

    def _align(self, other: Column | float) -> Array:
        return other.values if isinstance(other, Column) else self.axes.column(other).values

    def __add__(self, other: Column | float) -> Column:
        return self.cell(np.add, other)

    __radd__ = __add__

    def __sub__(self, other: Column | float) -> Column:
        return self.cell(np.subtract, other)

    def __rsub__(self, other: float) -> Column:
        return self.axes.column(other) - self

    def __mul__(self, other: Column | float) -> Column:
        return self.cell(np.multiply, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Column | float) -> Column:
        return self.cell(np.divide, other)

    def __rtruediv__(self, other: float) -> Column:
        return self.axes.column(other) / self

    def __pow__(self, other: Column | float) -> Column:
        return self.cell(np.power, other)

    def __rpow__(self, other: float) -> Column:
        return self.axes.column(other) ** self

    def __neg__(self) -> Column:
        return self.cell(np.negative)

    def __lt__(self, other: Column | float) -> Column:
        return self.cell(np.less, other)

    def __le__(self, other: Column | float) -> Column:
        return self.cell(np.less_equal, other)

    def __gt__(self, other: Column | float) -> Column:
        return self.cell(np.greater, other)

    def __ge__(self, other: Column | float) -> Column:
        return self.cell(np.greater_equal, other)

    def __eq__(self, other: Column | float) -> Column:  # type: ignore[override]
        return self.cell(np.equal, other)

    def __and__(self, other: Column) -> Column:
        false = (self.values == 0) | (other.values == 0)
        missing = np.isnan(self.values) | np.isnan(other.values)
        return Column(np.where(false, 0.0, np.where(missing, np.nan, 1.0)), self.axes)

    def __or__(self, other: Column) -> Column:
        return ~(~self & ~other)

    def __invert__(self) -> Column:
        return self == 0


# One value per cell.


def where(condition: Column, yes: Column | float, no: Column | float) -> Column:
    """`condition ? yes : no`; missing where the condition is."""
    branch = np.where(condition.values != 0, condition._align(yes), condition._align(no))
    return Column(np.where(np.isnan(condition.values), np.nan, branch), condition.axes)


def min(x: Column, y: Column | float) -> Column:
    """The smaller of two values."""
    return x.cell(np.minimum, y)


def max(x: Column, y: Column | float) -> Column:
    """The larger of two values."""
    return x.cell(np.maximum, y)


def abs(x: Column) -> Column:
    return x.cell(np.abs)


def sign(x: Column) -> Column:
    return x.cell(np.sign)


def log(x: Column) -> Column:
    return x.cell(np.log)


def signedpower(x: Column, a: Column | float) -> Column:
    """The power of the size, with the sign kept."""
    return sign(x) * abs(x) ** a


# One cross-section of present values.


def by_date(meaning: Callable[[Array], Array], x: Column) -> Column:
    """Apply to the present values of every date."""
    out = np.full(x.axes.rows, np.nan)
    for rows in x.axes.by_date:
        present = rows[~np.isnan(x.values[rows])]
        with np.errstate(all="ignore"):
            out[present] = meaning(x.values[present])
    return Column(out, x.axes)


def rank(x: Column) -> Column:
    """Mean rank among the date's present values, divided by their number.

    1 for the smallest; neighbours in order that agree in 40 bits share the mean of their ranks.
    """
    rows = np.lexsort((x.values, x.axes.date))
    rows = rows[~np.isnan(x.values[rows])]
    dates, ascending, out = x.axes.date[rows], x.values[rows], np.full(x.axes.rows, np.nan)
    is_apart = (np.diff(ascending) > 2.0**-40 * np.abs(ascending[1:])) | (np.diff(dates) > 0)
    firsts = np.flatnonzero(np.append(True, is_apart))
    sizes = np.append(firsts[1:], rows.size) - firsts
    before, upto = np.searchsorted(dates, dates), np.searchsorted(dates, dates, side="right")
    out[rows] = ((firsts + (sizes + 1) / 2).repeat(sizes) - before) / (upto - before)
    return Column(out, x.axes)


def _mean_rank(value: Array, among: Array) -> Array:
    """1 for the smallest; equal values share the mean of their ranks."""
    return (among < value).sum(axis=-1) + ((among == value).sum(axis=-1) + 1) / 2


def _tied(values: Array) -> Array:
    """The values of each row, neighbours in order that agree in 40 bits made equal."""
    order = values.argsort(axis=-1)
    ascending = np.take_along_axis(values, order, axis=-1)
    starts = np.zeros(order.shape, np.int64)  # of the run of neighbours that each is in
    is_apart = np.diff(ascending, axis=-1) > 2.0**-40 * np.abs(ascending[..., 1:])
    starts[..., 1:] = np.maximum.accumulate(np.where(is_apart, np.arange(1, order.shape[-1]), 0), axis=-1)
    made = np.take_along_axis(ascending, starts, axis=-1)
    return np.take_along_axis(made, order.argsort(axis=-1), axis=-1)


def scale(x: Column, a: float = 1) -> Column:
    """Sizes on the date add up to `a`."""
    return by_date(lambda v: v * a / np.abs(v).sum(), x)


def indneutralize(x: Column, groups: Sequence[object]) -> Column:
    """Less the mean of the bar's group on the date; missing for a bar without a group."""
    codes = {group: code for code, group in enumerate(dict.fromkeys(groups)) if group is not None and group == group}
    code, out = np.array([codes.get(group, -1) for group in groups]), np.full(x.axes.rows, np.nan)
    rows = np.flatnonzero((code >= 0) & ~np.isnan(x.values))
    values, keys = x.values[rows], np.stack([x.axes.date[rows], code[rows]])
    member = np.unique(keys, axis=1, return_inverse=True)[1]
    mean = np.bincount(member, values) / np.bincount(member)
    lowest, highest = np.full(mean.size, np.inf), np.full(mean.size, -np.inf)
    np.minimum.at(lowest, member, values)
    np.maximum.at(highest, member, values)
    out[rows] = x.axes.put_off(values - mean[member], (highest - lowest)[member])
    return Column(out, x.axes)


# One symbol's own bars.


def by_symbol(meaning: Callable[..., Array], *columns: Column) -> Column:
    """Apply to all bars of every symbol, oldest first."""
    out = np.full(columns[0].axes.rows, np.nan)
    for rows in columns[0].axes.by_symbol:
        out[rows] = meaning(*[x.values[rows] for x in columns])
    return Column(out, columns[0].axes)


def moving(
    meaning: Callable[..., Array], d: float, *columns: Column, size: Callable[..., Array] | None = None
) -> Column:
    """Apply to every window of `d` bars that lacks no value: from (window, bar), oldest first, to one per window.

    `size` is what a value's rounding is a small part of, if it rounds.
    """
    d = math.floor(d)
    axes, out = columns[0].axes, np.full(columns[0].axes.rows, np.nan)
    lacking = np.append(0, np.isnan([x.values for x in columns]).any(axis=0).cumsum())
    firsts = np.flatnonzero((lacking[d:] == lacking[:-d]) & (axes.place[d - 1 :] >= d - 1))
    for some in np.array_split(firsts, math.ceil(firsts.size * d / WINDOWED)) if firsts.size else ():
        windows = [sliding_window_view(x.values, d)[some] for x in columns]
        with np.errstate(all="ignore"):
            values = meaning(*windows)
            out[some + d - 1] = values if size is None else axes.put_off(values, size(*windows))
    return Column(out, axes)


def delay(x: Column, d: float) -> Column:
    """The value `d` bars ago."""
    before = np.append(np.full(math.floor(d), np.nan), x.values)[: x.axes.rows]
    return Column(np.where(x.axes.place < math.floor(d), np.nan, before), x.axes)


def delta(x: Column, d: float) -> Column:
    """The value less that of `d` bars ago."""
    return x - delay(x, d)


def sum(x: Column, d: float) -> Column:
    return moving(lambda w: w.sum(axis=1), d, x, size=_spread)


def mean(x: Column, d: float) -> Column:
    return moving(lambda w: w.mean(axis=1), d, x, size=_spread)


def product(x: Column, d: float) -> Column:
    return moving(lambda w: w.prod(axis=1), d, x, size=lambda w: w.prod(axis=1) * (_spread(w) > 0))


def ts_min(x: Column, d: float) -> Column:
    return moving(lambda w: w.min(axis=1), d, x)


def ts_max(x: Column, d: float) -> Column:
    return moving(lambda w: w.max(axis=1), d, x)


def ts_argmin(x: Column, d: float) -> Column:
    """Position of the smallest value, 1 for the oldest bar, `d` for the newest; of those that tie, the oldest."""
    return ts_argmax(-x, d)


def ts_argmax(x: Column, d: float) -> Column:
    """Position of the largest value, 1 for the oldest bar, `d` for the newest; of those that tie, the oldest."""

    def first(w: Array) -> Array:
        largest = w.max(axis=1, keepdims=True)
        return (w >= largest - 2.0**-40 * np.abs(largest)).argmax(axis=1) + 1

    return moving(first, d, x)


def ts_rank(x: Column, d: float) -> Column:
    """Mean rank of the newest value in the window, divided by the window."""

    def last(w: Array) -> Array:
        tied = _tied(w)
        return _mean_rank(tied[:, -1:], tied) / w.shape[1]

    return moving(last, d, x)


def decay_linear(x: Column, d: float) -> Column:
    """Mean weighted 1 (oldest) to `d` (newest)."""

    def weighted(w: Array) -> Array:
        weights = np.arange(1, w.shape[1] + 1)
        return (w * weights).sum(axis=1) / weights.sum()

    return moving(weighted, d, x, size=_spread)


def covariance(x: Column, y: Column, d: float) -> Column:
    """Sample covariance (divisor `d` - 1)."""

    def meaning(v: Array, w: Array) -> Array:
        return (_centred(v) * _centred(w)).sum(axis=1) / (v.shape[1] - 1)

    return moving(meaning, d, x, y, size=_spread)


def stddev(x: Column, d: float) -> Column:
    """Sample deviation (divisor `d` - 1), exactly 0 in a constant window."""
    return moving(lambda w: np.sqrt((_centred(w) ** 2).sum(axis=1) / (w.shape[1] - 1)), d, x, size=_spread)


def correlation(x: Column, y: Column, d: float) -> Column:
    """Pearson's, in [-1, 1]; missing where a side is constant in the window."""

    def pearson(v: Array, w: Array) -> Array:
        v, w = _unit(_centred(v)), _unit(_centred(w))
        return np.clip((v * w).sum(axis=1), -1, 1)

    def line(v: Array, w: Array) -> Array:
        """Through two points."""
        slope = np.sign(np.diff(v)) * np.sign(np.diff(w))
        return np.where(slope != 0, slope, np.nan)[:, 0]

    if math.floor(d) == 2:
        return moving(line, d, x, y)
    return moving(pearson, d, x, y, size=lambda v, w: np.ones(len(v)))


def _unit(w: Array) -> Array:
    """Every window at length 1; missing where it is all 0."""
    scaled = w / np.abs(w).max(axis=1, keepdims=True)
    return scaled / np.sqrt((scaled**2).sum(axis=1, keepdims=True))


def _centred(w: Array) -> Array:
    """Every window less its mean: exactly 0 where it is constant, although a mean may round."""
    constant = w.max(axis=1, keepdims=True) == w.min(axis=1, keepdims=True)
    return np.where(constant, 0.0, w - w.mean(axis=1, keepdims=True))


def _spread(*windows: Array) -> Array:
    """How far values lie from their window's mean, at most, multiplied over the inputs."""
    return np.prod([np.abs(_centred(w)).max(axis=1) for w in windows], axis=0)
