"""What operators on windows and cross-sections give in exact arithmetic.

Sums and products are fractions; roots and logarithms have 50 digits. `RULES` is the table of what `test_digits.py`
measures, and relative to what; `SCALES` says why.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from decimal import Context, Decimal
from fractions import Fraction
from itertools import accumulate
from statistics import median
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import factorloom as fl
from factorloom.expressions.operator import find

Array = npt.NDArray[np.float64]
Cells = list[Fraction | None]
Truth = Callable[["Sample", int], Fraction | None]
Scale = Callable[["Sample", int, "Rule", Fraction], Fraction]

WINDOW, ENOUGH = 20, 4
DIGITS = Context(prec=50)
NORMAL_MAD = Fraction(1.482602218505602)
EXPOSURE, WEIGHT = np.random.default_rng(12).normal(0, 1, WINDOW), np.random.default_rng(13).uniform(1, 9, WINDOW)
"""What the members of a cross-section have besides `x` and `y`."""


def root(value: Fraction) -> Fraction:
    return Fraction(DIGITS.sqrt(_decimal(value)))


def log(value: Fraction) -> Fraction:
    return Fraction(DIGITS.ln(_decimal(value)))


def _decimal(value: Fraction) -> Decimal:
    return DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


class Sample:
    """The last bars of two series, `None` where a value is missing, or one cross-section; what is before it, too."""

    def __init__(self, x: Cells, y: Cells, before: Sample | None = None) -> None:
        self.x, self.y, self.before = x, y, before

    @functools.cached_property
    def values(self) -> list[Fraction]:
        return [value for value in self.x if value is not None]

    @functools.cached_property
    def absolute(self) -> Sample:
        """The same for `|x|`."""
        return Sample([value and abs(value) for value in self.x], self.y, self.before and self.before.absolute)

    @functools.cached_property
    def centred(self) -> Sample:
        return Sample([None if value is None else value - self.mean for value in self.x], self.y)

    @functools.cached_property
    def mean(self) -> Fraction:
        return sum(self.values, Fraction(0)) / len(self.values)

    @functools.cached_property
    def variance(self) -> Fraction:
        return moment(self, 2) * len(self.values) / (len(self.values) - 1)

    @functools.cached_property
    def std(self) -> Fraction:
        return root(self.variance)

    @functools.cached_property
    def median(self) -> Fraction:
        return median(self.values)

    @functools.cached_property
    def mad(self) -> Fraction:
        return median(abs(value - self.median) for value in self.values)

    @functools.cached_property
    def on_y(self) -> Line:
        return Line(self.x, self.y)

    @functools.cached_property
    def on_time(self) -> Line:
        return Line(self.x, [Fraction(place) for place in range(WINDOW)])

    @functools.cached_property
    def on_past(self) -> Line:
        """On itself one bar before."""
        return Line(self.x, self.before.x if self.before else [None] * WINDOW)

    @functools.cached_property
    def seen(self) -> tuple[int, Fraction, Fraction]:
        """How many values there were so far, their sum, and their product."""
        count, total, product = self.before.seen if self.before else (0, Fraction(0), Fraction(1))
        now = self.x[-1]
        return (count, total, product) if now is None else (count + 1, total + now, product * now)

    @functools.cached_property
    def residuals(self) -> list[Fraction | None]:
        """What a weighted regression on `y`, another exposure and an intercept leaves of `x`."""
        rows: list[list[Fraction] | None] = [
            None if x is None or y is None else [Fraction(1), y, Fraction(other), x]
            for x, y, other in zip(self.x, self.y, EXPOSURE.tolist(), strict=True)
        ]
        return residuals_of(rows)


@functools.cache
def moment(s: Sample, power: int) -> Fraction:
    """A central moment."""
    return sum(((value - s.mean) ** power for value in s.values), Fraction(0)) / len(s.values)


@functools.cache
def faded(s: Sample, window: int) -> tuple[Fraction, Fraction, Fraction]:
    """Exponentially weighted mean, mean of squares, and sum of squared weights."""
    mean, squares, weights = faded(s.before, window) if s.before else (Fraction(0), Fraction(0), Fraction(0))
    now, new = s.x[-1], Fraction(2, window + 1)
    if now is None:
        return mean, squares, weights
    if s.seen[0] == 1:
        return now, now * now, Fraction(1)
    old = 1 - new
    return old * mean + new * now, old * squares + new * now * now, old * old * weights + new * new


class Line:
    """Least squares of `x` on `y`, where both are present."""

    def __init__(self, x: Cells, y: Cells) -> None:
        self.x_now, self.y_now = x[-1], y[-1]
        pairs = [(a, b) for a, b in zip(x, y, strict=True) if a is not None and b is not None]
        self.n = len(pairs)
        if not self.n:
            return
        self.largest = max(abs(a) for a, _ in pairs)
        self.mean_x, self.mean_y = (sum(side, Fraction(0)) / self.n for side in zip(*pairs, strict=True))
        apart = [(a - self.mean_x, b - self.mean_y) for a, b in pairs]
        self.xx, self.yy, self.xy = (
            sum((pair[i] * pair[j] for pair in apart), Fraction(0)) / (self.n - 1 or 1)
            for i, j in ((0, 0), (1, 1), (0, 1))
        )

    @functools.cached_property
    def steep(self) -> Fraction:
        return root(self.xx / self.yy)

    def parts(self, is_intercept: bool) -> Fraction:
        """The size of what a point of the line is made of."""
        y = Fraction(0) if is_intercept or self.y_now is None else self.y_now
        return self.largest + self.steep * abs(y - self.mean_y)

    def at(self, y: Fraction | None) -> Fraction | None:
        return None if y is None else self.mean_x + self.xy / self.yy * (y - self.mean_y)

    def value(self, name: str) -> Fraction | None:
        if name == "cov":
            return self.xy
        if name in ("corr", "rsquared"):
            both = self.xx * self.yy
            return (self.xy / root(both) if name == "corr" else self.xy**2 / both) if both else None
        if not self.yy:
            return None
        fitted = self.at(self.y_now)
        return {
            "slope": self.xy / self.yy,
            "intercept": self.at(Fraction(0)),
            "fitted": fitted,
            "residual": None if self.x_now is None or fitted is None else self.x_now - fitted,
        }[name]


def residuals_of(rows: list[list[Fraction] | None], size: int = 3) -> list[Fraction | None]:
    """What regressors, the first `size` of every row, leave of its last, by elimination in the normal equations."""
    there = [(row, Fraction(WEIGHT[k])) for k, row in enumerate(rows) if row]
    if len(there) <= size:
        return [None] * len(rows)
    table = [[sum((w * r[i] * r[j] for r, w in there), Fraction(0)) for j in range(size + 1)] for i in range(size)]
    for i in range(size):
        for other in range(size):
            if table[i][i] and other != i:
                share = table[other][i] / table[i][i]
                table[other] = [a - share * b for a, b in zip(table[other], table[i], strict=True)]
    # A regressor that those before it explain has nothing left, and changes nothing.
    found = [table[i][size] / table[i][i] if table[i][i] else Fraction(0) for i in range(size)]
    return [row and row[size] - sum(map(Fraction.__mul__, row, found), Fraction(0)) for row in rows]  # type: ignore[misc]


def samples(x: Array, y: Array) -> Iterator[Sample]:
    """The window of every bar, padded where the series is young."""
    start: Cells = [None] * WINDOW
    a, b = (start + [None if math.isnan(v) else Fraction(v) for v in side.tolist()] for side in (x, y))
    before = None
    for i in range(x.size):
        before = Sample(a[i + 1 : i + 1 + WINDOW], b[i + 1 : i + 1 + WINDOW], before)
        yield before


# --- what is true --------------------------------------------------------------------------------------------------


class Rule(NamedTuple):
    """An operator's call, what it gives for the member `k` of a sample (the last one: now), and the size of 1 there."""

    call: str
    truth: Truth
    scale: str

    @property
    def operator(self) -> str:
        return self.call.partition("(")[0]

    @property
    def factor(self) -> fl.Factor:
        asks = "min_samples" in find(self.operator).signature.parameters
        return fl.parse(f"{self.call[:-1]}, min_samples={ENOUGH})" if asks else self.call)

    @property
    def is_cross(self) -> bool:
        return self.operator.startswith("cs_")

    @property
    def is_unbounded(self) -> bool:
        return find(self.operator).unbounded


def of_values(find_: Callable[[Sample], Fraction | None], *, now: bool = False) -> Truth:
    """What needs enough values of `x`, and `now` the current one."""
    return lambda s, k: find_(s) if len(s.values) >= ENOUGH and not (now and s.x[k] is None) else None


def of_line(line: Callable[[Sample], Line], value: str) -> Truth:
    return lambda s, _: line(s).value(value) if line(s).n >= ENOUGH else None


def of_member(find_: Callable[[Sample, Fraction], Fraction | None]) -> Truth:
    """What every present member of a section has."""

    def truth(s: Sample, k: int) -> Fraction | None:
        member = s.x[k]
        return None if member is None or len(s.values) < 2 else find_(s, member)

    return truth


def of_all(find_: Callable[[Sample], Fraction | None]) -> Truth:
    return of_member(lambda s, _: find_(s))


def of_pair(find_: Callable[[Fraction, Fraction], Fraction], periods: int) -> Truth:
    """What needs the current value and an older one."""

    def truth(s: Sample, _: int) -> Fraction | None:
        new, old = s.x[-1], s.x[-1 - periods]
        return None if new is None or old is None else find_(new, old)

    return truth


def of_seen(find_: Callable[[Sample], Fraction]) -> Truth:
    return lambda s, _: find_(s) if s.seen[0] >= ENOUGH else None


def weighted(weight: Callable[[Sample], Iterable[Fraction | None]]) -> Truth:
    def truth(s: Sample, _: int) -> Fraction | None:
        pairs = [(v, w) for v, w in zip(s.x, weight(s), strict=True) if v is not None and w is not None]
        total = sum((w for _, w in pairs), Fraction(0))
        return sum((v * w for v, w in pairs), Fraction(0)) / total if len(pairs) >= ENOUGH and total else None

    return truth


def skewness(s: Sample) -> Fraction | None:
    n, second = len(s.values), moment(s, 2)
    return root(Fraction(n * (n - 1))) / (n - 2) * moment(s, 3) / (second * root(second)) if second else None


def kurtosis(s: Sample) -> Fraction | None:
    n, second = len(s.values), moment(s, 2)
    share = Fraction(n - 1, (n - 2) * (n - 3))
    return share * ((n + 1) * moment(s, 4) / second**2 - 3 * (n - 1)) if second else None


def between(s: Sample, q: float) -> tuple[Fraction, Fraction, Fraction]:
    """The two values beside a quantile, and its place from the lower to the upper one."""
    order, place = sorted(s.values), Fraction(q) * (len(s.values) - 1)
    below = math.floor(place)
    return order[below], order[min(below + 1, len(order) - 1)], place - below


def quantile(s: Sample, q: float) -> Fraction:
    low, high, share = between(s, q)
    return low + (high - low) * share


def entropy(s: Sample, bins: int = 10) -> Fraction:
    low, high = min(s.values), max(s.values)
    if low == high:
        return Fraction(0)
    places = [min(math.floor((value - low) * bins / (high - low)), bins - 1) for value in s.values]
    shares = [Fraction(places.count(place), len(places)) for place in set(places)]
    return -sum((share * log(share) for share in shares), Fraction(0))


def drawdown(s: Sample) -> Fraction:
    values = s.absolute.values
    return min(value / peak for value, peak in zip(values, accumulate(values, max), strict=True)) - 1


def range_of_sums(s: Sample) -> Fraction:
    sums = list(accumulate(s.centred.values))
    return max(sums) - min(sums)


def left_by_y(s: Sample, _: int) -> Fraction | None:
    """What a line leaves of the current value, and the mean where there is no line."""
    x, y, line = s.x[-1], s.y[-1], s.on_y
    if x is None or y is None or line.n < ENOUGH:
        return None
    return line.value("residual") if line.yy else x - line.mean_x


def place_in_range(s: Sample) -> Fraction | None:
    low, high = min(s.values), max(s.values)
    assert s.x[-1] is not None
    return (s.x[-1] - low) / (high - low) if high > low else None


def score(s: Sample, member: Fraction | None) -> Fraction | None:
    assert member is not None
    return (member - s.mean) / s.std if s.std else None


def robust_score(s: Sample, member: Fraction) -> Fraction | None:
    return (member - s.median) / (NORMAL_MAD * s.mad) if s.mad else None


def total(s: Sample) -> Fraction:
    return sum(s.values, Fraction(0))


def faded_std(s: Sample, window: int) -> Fraction:
    mean, squares, weights = faded(s, window)
    return root((squares - mean * mean) / (1 - weights))


def in_doubles(find_: Callable[[Sample], Fraction]) -> Truth:
    """What is missing where it overflows."""
    return lambda s, _: value if s.x[-1] is not None and abs(value := find_(s)) <= sys.float_info.max else None


# --- what is measured, and relative to what ------------------------------------------------------------------------

ITSELF, ONE, MORE, SAME = "itself", "1", "1 + itself", "the same of |x|"
NEIGHBOUR, FARTHEST = "the larger value beside it", "the largest distance from the mean"
SPREAD, SPREADS, STEEP, LINE = "std(x)", "std(x) * std(y)", "std(x) / std(y)", "the parts of the line"

QUANTILES = {"ts_quantile": 0.3, "ts_median": 0.5}
SCALES: dict[str, tuple[Scale, str]] = {
    ITSELF: (
        lambda s, k, rule, true: abs(true),
        "Terms of one sign, or differences of two values: nothing cancels in between.",
    ),
    ONE: (
        lambda *_: Fraction(1),
        "A pure number, made of values over their own spread, peak or number, that may cancel to 0.",
    ),
    MORE: (lambda s, k, rule, true: 1 + abs(true), "The same, where it may also be large."),
    SAME: (
        lambda s, k, rule, true: rule.truth(s.absolute, k) or Fraction(0),
        "A sum of values of both signs cancels; this is what it would be if it did not.",
    ),
    NEIGHBOUR: (
        lambda s, k, rule, true: max(map(abs, between(s, QUANTILES[rule.operator])[:2])),
        "It is interpolated between two values of the window, which may have both signs. No other value counts.",
    ),
    FARTHEST: (
        lambda s, k, rule, true: max(abs(value - s.mean) for value in s.values),
        "One value may be the mean; the level counts for nothing.",
    ),
    SPREAD: (
        lambda s, k, rule, true: root(line_of(s, rule).xx),
        "A good fit leaves little; the level counts for nothing.",
    ),
    SPREADS: (lambda s, k, rule, true: root(s.on_y.xx * s.on_y.yy), "Uncorrelated inputs cancel to 0."),
    STEEP: (
        lambda s, k, rule, true: line_of(s, rule).steep,
        "The slope if the correlation were 1; uncorrelated inputs cancel to 0. `y` of a trend is time.",
    ),
    LINE: (
        lambda s, k, rule, true: line_of(s, rule).parts("intercept" in rule.call),
        "`max(|x|) + std(x) / std(y) * |y - mean(y)|`, with the `y` where the line is read, 0 for an intercept: the "
        "mean, and the way from it along the line.",
    ),
}
LINES = {"slope": STEEP, "intercept": LINE, "fitted": LINE, "residual": SPREAD, "rsquared": ONE}


def line_of(s: Sample, rule: Rule) -> Line:
    return s.on_time if rule.operator == "ts_trend" else s.on_y


RULES = (
    Rule("ts_sum(x, 20)", of_values(total), SAME),
    Rule("ts_mean(x, 20)", of_values(lambda s: s.mean), SAME),
    Rule("ts_product(x, 20)", of_values(lambda s: math.prod(s.values, start=Fraction(1))), ITSELF),
    Rule("ts_var(x, 20)", of_values(lambda s: s.variance), ITSELF),
    Rule("ts_std(x, 20)", of_values(lambda s: s.std), ITSELF),
    Rule("ts_skew(x, 20)", of_values(skewness), ONE),
    Rule("ts_kurt(x, 20)", of_values(kurtosis), ONE),
    Rule("ts_zscore(x, 20)", of_values(lambda s: score(s, s.x[-1]), now=True), ONE),
    Rule("ts_scale(x, 20)", of_values(place_in_range, now=True), ITSELF),
    Rule("ts_mad(x, 20)", of_values(lambda s: s.mad), ITSELF),
    Rule("ts_mad(x, 20, around='mean')", of_values(lambda s: total(s.centred.absolute) / len(s.values)), ITSELF),
    Rule("ts_quantile(x, 20, q=0.3)", of_values(lambda s: quantile(s, 0.3)), NEIGHBOUR),
    Rule("ts_median(x, 20)", of_values(lambda s: s.median), NEIGHBOUR),
    Rule("ts_entropy(x, 20)", of_values(entropy), ONE),
    Rule("ts_drawdown(abs(x), 20)", of_values(drawdown), ONE),
    Rule("ts_range_of_sums(x, 20)", of_values(range_of_sums), ITSELF),
    Rule("ts_decay_linear(x, 20)", weighted(lambda s: map(Fraction, range(1, WINDOW + 1))), SAME),
    Rule("ts_decay_exp(x, 20)", weighted(lambda s: (Fraction(2**k) for k in range(WINDOW))), SAME),
    Rule("ts_wma(x, abs(y), 20)", weighted(lambda s: (y and abs(y) for y in s.y)), SAME),
    Rule("ts_cov(x, y, 20)", of_line(lambda s: s.on_y, "cov"), SPREADS),
    Rule("ts_corr(x, y, 20)", of_line(lambda s: s.on_y, "corr"), ONE),
    Rule("ts_beta(x, y, 20)", of_line(lambda s: s.on_y, "slope"), STEEP),
    Rule("ts_autocorr(x, 20)", of_line(lambda s: s.on_past, "corr"), ONE),
    *(Rule(f"ts_trend(x, 20, value='{v}')", of_line(lambda s: s.on_time, v), scale) for v, scale in LINES.items()),
    *(Rule(f"ts_regression(x, y, 20, value='{v}')", of_line(lambda s: s.on_y, v), scale) for v, scale in LINES.items()),
    Rule("ts_residual(x, y, window=20)", left_by_y, SPREAD),
    Rule("ts_delta(x, 3)", of_pair(lambda new, old: new - old, 3), ITSELF),
    Rule("ts_pct_change(x, 3)", of_pair(lambda new, old: new / old - 1, 3), MORE),
    Rule("ts_log_return(abs(x), 3)", of_pair(lambda new, old: log(abs(new / old)), 3), MORE),
    Rule("ts_cumsum(x)", in_doubles(lambda s: s.seen[1]), SAME),
    Rule("ts_cumprod(x)", in_doubles(lambda s: s.seen[2]), ITSELF),
    *(Rule(f"ts_ema(x, {n})", of_seen(lambda s, n=n: faded(s, n)[0]), SAME) for n in (4, 20)),  # type: ignore[misc]
    *(Rule(f"ts_ewm_std(x, {n})", of_seen(lambda s, n=n: faded_std(s, n)), ITSELF) for n in (4, 20)),  # type: ignore[misc]
    Rule("cs_sum(x)", of_all(total), SAME),
    Rule("cs_mean(x)", of_all(lambda s: s.mean), SAME),
    Rule("cs_demean(x)", of_member(lambda s, member: member - s.mean), FARTHEST),
    Rule("cs_std(x)", of_all(lambda s: s.std), ITSELF),
    Rule("cs_zscore(x)", of_member(score), ONE),
    Rule("cs_robust_zscore(x)", of_member(robust_score), MORE),
    Rule("cs_scale(x)", of_member(lambda s, member: member / total(s.absolute)), ITSELF),
    Rule("cs_residual(x, y, z, weight=w)", lambda s, k: s.residuals[k], SPREAD),
)
ORDER_ONLY = {
    "ts_argmax": "ts_argmax(x, 20)",
    "ts_argmin": "ts_argmin(x, 20, ties='newest')",
    "ts_bars_since": "ts_bars_since(x > y)",
    "ts_count": "ts_count(x, 20)",
    "ts_cummax": "ts_cummax(x)",
    "ts_cummin": "ts_cummin(x)",
    "ts_delay": "ts_delay(x, 3)",
    "ts_fill_forward": "ts_fill_forward(x)",
    "ts_hump": "ts_hump(x, threshold=1)",
    "ts_last": "ts_last(x, 3)",
    "ts_lead": "ts_lead(x, 3)",
    "ts_max": "ts_max(x, 20)",
    "ts_min": "ts_min(x, 20)",
    "ts_rank": "ts_rank(x, 20)",
}
"""Operators that give one of their values, a place or a number: nothing is rounded."""
