"""Exact results of operators on windows and cross-sections.

Sums and products are fractions; square roots and logarithms have 50 digits. `RULES` lists what `test_digits.py`
measures and what the errors are relative to; `SCALES` gives the reasons.
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
Exact = Callable[["Sample", int], Fraction | None]
Scale = Callable[["Sample", int, "Rule", Fraction], Fraction]

WINDOW, MIN_SAMPLES = 20, 4
DIGITS = Context(prec=50)
NORMAL_MAD = Fraction(1.482602218505602)
EXPOSURE, WEIGHT = np.random.default_rng(12).normal(0, 1, WINDOW), np.random.default_rng(13).uniform(1, 9, WINDOW)
"""Columns of a cross-section besides `x` and `y`."""


def root(value: Fraction) -> Fraction:
    return Fraction(DIGITS.sqrt(_decimal(value)))


def log(value: Fraction) -> Fraction:
    return Fraction(DIGITS.ln(_decimal(value)))


def _decimal(value: Fraction) -> Decimal:
    return DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


class Sample:
    """A window of two series or one cross-section, `None` where a value is missing, with the previous window."""

    def __init__(self, x: Cells, y: Cells, previous: Sample | None = None) -> None:
        self.x, self.y, self.previous = x, y, previous

    @functools.cached_property
    def values(self) -> list[Fraction]:
        return [value for value in self.x if value is not None]

    @functools.cached_property
    def absolute(self) -> Sample:
        """The same sample with `|x|`."""
        return Sample([value and abs(value) for value in self.x], self.y, self.previous and self.previous.absolute)

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
        return Line(self.x, [Fraction(position) for position in range(WINDOW)])

    @functools.cached_property
    def on_past(self) -> Line:
        """On `x` one bar earlier."""
        return Line(self.x, self.previous.x if self.previous else [None] * WINDOW)

    @functools.cached_property
    def history(self) -> tuple[int, Fraction, Fraction]:
        """Number, sum and product of all values up to the current bar."""
        count, total, product = self.previous.history if self.previous else (0, Fraction(0), Fraction(1))
        current = self.x[-1]
        return (count, total, product) if current is None else (count + 1, total + current, product * current)

    @functools.cached_property
    def residuals(self) -> list[Fraction | None]:
        """Residuals of a weighted regression of `x` on `y`, another exposure and an intercept."""
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
def ewm_moments(s: Sample, window: int) -> tuple[Fraction, Fraction, Fraction]:
    """Exponentially weighted mean, mean of squares, and sum of squared weights."""
    start = (Fraction(0), Fraction(0), Fraction(0))
    mean, squares, weights = ewm_moments(s.previous, window) if s.previous else start
    x, alpha = s.x[-1], Fraction(2, window + 1)
    if x is None:
        return mean, squares, weights
    if s.history[0] == 1:
        return x, x * x, Fraction(1)
    beta = 1 - alpha
    return beta * mean + alpha * x, beta * squares + alpha * x * x, beta * beta * weights + alpha * alpha


class Line:
    """Least-squares line of `x` on `y`, over the bars where both are present."""

    def __init__(self, x: Cells, y: Cells) -> None:
        self.x_now, self.y_now = x[-1], y[-1]
        pairs = [(a, b) for a, b in zip(x, y, strict=True) if a is not None and b is not None]
        self.n = len(pairs)
        if not self.n:
            return
        self.largest = max(abs(a) for a, _ in pairs)
        self.mean_x, self.mean_y = (sum(side, Fraction(0)) / self.n for side in zip(*pairs, strict=True))
        centred = [(a - self.mean_x, b - self.mean_y) for a, b in pairs]
        self.xx, self.yy, self.xy = (
            sum((pair[i] * pair[j] for pair in centred), Fraction(0)) / (self.n - 1 or 1)
            for i, j in ((0, 0), (1, 1), (0, 1))
        )

    @functools.cached_property
    def slope_scale(self) -> Fraction:
        """The slope if the correlation were 1."""
        return root(self.xx / self.yy)

    def size(self, is_intercept: bool) -> Fraction:
        """The size of the terms of a point on the line."""
        y = Fraction(0) if is_intercept or self.y_now is None else self.y_now
        return self.largest + self.slope_scale * abs(y - self.mean_y)

    def point(self, y: Fraction | None) -> Fraction | None:
        return None if y is None else self.mean_x + self.xy / self.yy * (y - self.mean_y)

    def value(self, name: str) -> Fraction | None:
        if name == "cov":
            return self.xy
        if name in ("corr", "rsquared"):
            both = self.xx * self.yy
            return (self.xy / root(both) if name == "corr" else self.xy**2 / both) if both else None
        if not self.yy:
            return None
        fitted = self.point(self.y_now)
        return {
            "slope": self.xy / self.yy,
            "intercept": self.point(Fraction(0)),
            "fitted": fitted,
            "residual": None if self.x_now is None or fitted is None else self.x_now - fitted,
        }[name]


def residuals_of(rows: list[list[Fraction] | None], size: int = 3) -> list[Fraction | None]:
    """Residuals of the last column on the first `size` columns, by elimination in the normal equations."""
    present = [(row, Fraction(WEIGHT[k])) for k, row in enumerate(rows) if row]
    if len(present) <= size:
        return [None] * len(rows)
    table = [[sum((w * r[i] * r[j] for r, w in present), Fraction(0)) for j in range(size + 1)] for i in range(size)]
    for i in range(size):
        for other in range(size):
            if table[i][i] and other != i:
                ratio = table[other][i] / table[i][i]
                table[other] = [a - ratio * b for a, b in zip(table[other], table[i], strict=True)]
    # A column that depends on those before it has a pivot of 0 and gets the coefficient 0.
    coefficients = [table[i][size] / table[i][i] if table[i][i] else Fraction(0) for i in range(size)]
    return [row and row[size] - sum(map(Fraction.__mul__, row, coefficients), Fraction(0)) for row in rows]  # type: ignore[misc]


def samples(x: Array, y: Array) -> Iterator[Sample]:
    """The window of every bar, padded with missing values at the start of the series."""
    start: Cells = [None] * WINDOW
    a, b = (start + [None if math.isnan(v) else Fraction(v) for v in side.tolist()] for side in (x, y))
    previous = None
    for i in range(x.size):
        previous = Sample(a[i + 1 : i + 1 + WINDOW], b[i + 1 : i + 1 + WINDOW], previous)
        yield previous


# --- exact results --------------------------------------------------------------------------------------------------


class Rule(NamedTuple):
    """A call of an operator, its exact result for member `k` of a sample (-1: the current bar), and its scale."""

    call: str
    exact: Exact
    scale: str

    @property
    def operator(self) -> str:
        return self.call.partition("(")[0]

    @property
    def factor(self) -> fl.Factor:
        takes_min_samples = "min_samples" in find(self.operator).signature.parameters
        return fl.parse(f"{self.call[:-1]}, min_samples={MIN_SAMPLES})" if takes_min_samples else self.call)

    @property
    def is_cross(self) -> bool:
        return self.operator.startswith("cs_")

    @property
    def is_unbounded(self) -> bool:
        return find(self.operator).unbounded


def of_values(result: Callable[[Sample], Fraction | None], *, current: bool = False) -> Exact:
    """A result that needs `MIN_SAMPLES` values of `x` and, with `current`, the current one."""
    return lambda s, k: result(s) if len(s.values) >= MIN_SAMPLES and not (current and s.x[k] is None) else None


def of_line(line: Callable[[Sample], Line], value: str) -> Exact:
    return lambda s, _: line(s).value(value) if line(s).n >= MIN_SAMPLES else None


def of_member(result: Callable[[Sample, Fraction], Fraction | None]) -> Exact:
    """A result of every present member of a cross-section."""

    def exact(s: Sample, k: int) -> Fraction | None:
        member = s.x[k]
        return None if member is None or len(s.values) < 2 else result(s, member)

    return exact


def of_section(result: Callable[[Sample], Fraction | None]) -> Exact:
    return of_member(lambda s, _: result(s))


def of_pair(result: Callable[[Fraction, Fraction], Fraction], periods: int) -> Exact:
    """A result that needs the current value and an earlier one."""

    def exact(s: Sample, _: int) -> Fraction | None:
        new, old = s.x[-1], s.x[-1 - periods]
        return None if new is None or old is None else result(new, old)

    return exact


def of_history(result: Callable[[Sample], Fraction]) -> Exact:
    return lambda s, _: result(s) if s.history[0] >= MIN_SAMPLES else None


def weighted(weight: Callable[[Sample], Iterable[Fraction | None]]) -> Exact:
    def exact(s: Sample, _: int) -> Fraction | None:
        pairs = [(v, w) for v, w in zip(s.x, weight(s), strict=True) if v is not None and w is not None]
        total = sum((w for _, w in pairs), Fraction(0))
        return sum((v * w for v, w in pairs), Fraction(0)) / total if len(pairs) >= MIN_SAMPLES and total else None

    return exact


def skewness(s: Sample) -> Fraction | None:
    n, second = len(s.values), moment(s, 2)
    return root(Fraction(n * (n - 1))) / (n - 2) * moment(s, 3) / (second * root(second)) if second else None


def kurtosis(s: Sample) -> Fraction | None:
    n, second = len(s.values), moment(s, 2)
    factor = Fraction(n - 1, (n - 2) * (n - 3))
    return factor * ((n + 1) * moment(s, 4) / second**2 - 3 * (n - 1)) if second else None


def neighbours(s: Sample, q: float) -> tuple[Fraction, Fraction, Fraction]:
    """The values below and above a quantile, and its position between them, from 0 to 1."""
    ascending, position = sorted(s.values), Fraction(q) * (len(s.values) - 1)
    below = math.floor(position)
    return ascending[below], ascending[min(below + 1, len(ascending) - 1)], position - below


def quantile(s: Sample, q: float) -> Fraction:
    low, high, position = neighbours(s, q)
    return low + (high - low) * position


def entropy(s: Sample, bins: int = 10) -> Fraction:
    low, high = min(s.values), max(s.values)
    if low == high:
        return Fraction(0)
    codes = [min(math.floor((value - low) * bins / (high - low)), bins - 1) for value in s.values]
    frequencies = [Fraction(codes.count(code), len(codes)) for code in set(codes)]
    return -sum((p * log(p) for p in frequencies), Fraction(0))


def drawdown(s: Sample) -> Fraction:
    values = s.absolute.values
    return min(value / peak for value, peak in zip(values, accumulate(values, max), strict=True)) - 1


def range_of_sums(s: Sample) -> Fraction:
    sums = list(accumulate(s.centred.values))
    return max(sums) - min(sums)


def residual_on_y(s: Sample, _: int) -> Fraction | None:
    """The residual of the current value on `y`; for a constant `y` its difference from the mean."""
    x, y, line = s.x[-1], s.y[-1], s.on_y
    if x is None or y is None or line.n < MIN_SAMPLES:
        return None
    return line.value("residual") if line.yy else x - line.mean_x


def position_in_range(s: Sample) -> Fraction | None:
    low, high = min(s.values), max(s.values)
    assert s.x[-1] is not None
    return (s.x[-1] - low) / (high - low) if high > low else None


def zscore(s: Sample, member: Fraction | None) -> Fraction | None:
    assert member is not None
    return (member - s.mean) / s.std if s.std else None


def robust_zscore(s: Sample, member: Fraction) -> Fraction | None:
    return (member - s.median) / (NORMAL_MAD * s.mad) if s.mad else None


def total(s: Sample) -> Fraction:
    return sum(s.values, Fraction(0))


def ewm_std(s: Sample, window: int) -> Fraction:
    mean, squares, weights = ewm_moments(s, window)
    return root((squares - mean * mean) / (1 - weights))


def unless_overflow(result: Callable[[Sample], Fraction]) -> Exact:
    """A result that is missing if it overflows Float64."""
    return lambda s, _: value if s.x[-1] is not None and abs(value := result(s)) <= sys.float_info.max else None


# --- rules and scales ------------------------------------------------------------------------

RESULT, ONE, ONE_PLUS_RESULT, RESULT_OF_ABS = "the result", "1", "1 + the result", "the result for |x|"
NEIGHBOUR, LARGEST_DEVIATION = "the larger neighbour", "the largest deviation from the mean"
STD, STD_PRODUCT, STD_RATIO, LINE = "std(x)", "std(x) * std(y)", "std(x) / std(y)", "the terms of the line"

QUANTILES = {"ts_quantile": 0.3, "ts_median": 0.5}
SCALES: dict[str, tuple[Scale, str]] = {
    RESULT: (
        lambda s, k, rule, exact: abs(exact),
        "A sum of terms of one sign, or a difference of two values: no intermediate result cancels.",
    ),
    ONE: (
        lambda *_: Fraction(1),
        "A pure number, because values are divided by their own spread, peak or count. It may cancel to 0.",
    ),
    ONE_PLUS_RESULT: (lambda s, k, rule, exact: 1 + abs(exact), "As above, but the result may also be large."),
    RESULT_OF_ABS: (
        lambda s, k, rule, exact: rule.exact(s.absolute, k) or Fraction(0),
        "A sum of values of both signs may cancel; this is its size without cancellation.",
    ),
    NEIGHBOUR: (
        lambda s, k, rule, exact: max(map(abs, neighbours(s, QUANTILES[rule.operator])[:2])),
        "The result is interpolated between two values of the window, which may have opposite signs.",
    ),
    LARGEST_DEVIATION: (
        lambda s, k, rule, exact: max(abs(value - s.mean) for value in s.values),
        "A value may be equal to the mean; the level must not matter.",
    ),
    STD: (
        lambda s, k, rule, exact: root(line_of(s, rule).xx),
        "After a good fit the residual is small; the level must not matter.",
    ),
    STD_PRODUCT: (lambda s, k, rule, exact: root(s.on_y.xx * s.on_y.yy), "Uncorrelated inputs cancel to 0."),
    STD_RATIO: (
        lambda s, k, rule, exact: line_of(s, rule).slope_scale,
        "The slope if the correlation were 1; uncorrelated inputs cancel to 0. For a trend, `y` is time.",
    ),
    LINE: (
        lambda s, k, rule, exact: line_of(s, rule).size("intercept" in rule.call),
        "`max(|x|) + std(x) / std(y) * |y - mean(y)|`, where `y` is the point at which the line is evaluated (0 for an "
        "intercept): the size of the mean, and of the step from it along the line.",
    ),
}
LINES = {"slope": STD_RATIO, "intercept": LINE, "fitted": LINE, "residual": STD, "rsquared": ONE}


def line_of(s: Sample, rule: Rule) -> Line:
    return s.on_time if rule.operator == "ts_trend" else s.on_y


RULES = (
    Rule("ts_sum(x, 20)", of_values(total), RESULT_OF_ABS),
    Rule("ts_mean(x, 20)", of_values(lambda s: s.mean), RESULT_OF_ABS),
    Rule("ts_product(x, 20)", of_values(lambda s: math.prod(s.values, start=Fraction(1))), RESULT),
    Rule("ts_var(x, 20)", of_values(lambda s: s.variance), RESULT),
    Rule("ts_std(x, 20)", of_values(lambda s: s.std), RESULT),
    Rule("ts_skew(x, 20)", of_values(skewness), ONE),
    Rule("ts_kurt(x, 20)", of_values(kurtosis), ONE),
    Rule("ts_zscore(x, 20)", of_values(lambda s: zscore(s, s.x[-1]), current=True), ONE),
    Rule("ts_scale(x, 20)", of_values(position_in_range, current=True), RESULT),
    Rule("ts_mad(x, 20)", of_values(lambda s: s.mad), RESULT),
    Rule("ts_mad(x, 20, around='mean')", of_values(lambda s: total(s.centred.absolute) / len(s.values)), RESULT),
    Rule("ts_quantile(x, 20, q=0.3)", of_values(lambda s: quantile(s, 0.3)), NEIGHBOUR),
    Rule("ts_median(x, 20)", of_values(lambda s: s.median), NEIGHBOUR),
    Rule("ts_entropy(x, 20)", of_values(entropy), ONE),
    Rule("ts_drawdown(abs(x), 20)", of_values(drawdown), ONE),
    Rule("ts_range_of_sums(x, 20)", of_values(range_of_sums), RESULT),
    Rule("ts_decay_linear(x, 20)", weighted(lambda s: map(Fraction, range(1, WINDOW + 1))), RESULT_OF_ABS),
    Rule("ts_decay_exp(x, 20)", weighted(lambda s: (Fraction(2**k) for k in range(WINDOW))), RESULT_OF_ABS),
    Rule("ts_wma(x, abs(y), 20)", weighted(lambda s: (y and abs(y) for y in s.y)), RESULT_OF_ABS),
    Rule("ts_cov(x, y, 20)", of_line(lambda s: s.on_y, "cov"), STD_PRODUCT),
    Rule("ts_corr(x, y, 20)", of_line(lambda s: s.on_y, "corr"), ONE),
    Rule("ts_beta(x, y, 20)", of_line(lambda s: s.on_y, "slope"), STD_RATIO),
    Rule("ts_autocorr(x, 20)", of_line(lambda s: s.on_past, "corr"), ONE),
    *(Rule(f"ts_trend(x, 20, value='{v}')", of_line(lambda s: s.on_time, v), scale) for v, scale in LINES.items()),
    *(Rule(f"ts_regression(x, y, 20, value='{v}')", of_line(lambda s: s.on_y, v), scale) for v, scale in LINES.items()),
    Rule("ts_residual(x, y, window=20)", residual_on_y, STD),
    Rule("ts_delta(x, 3)", of_pair(lambda new, old: new - old, 3), RESULT),
    Rule("ts_pct_change(x, 3)", of_pair(lambda new, old: new / old - 1, 3), ONE_PLUS_RESULT),
    Rule("ts_log_return(abs(x), 3)", of_pair(lambda new, old: log(abs(new / old)), 3), ONE_PLUS_RESULT),
    Rule("ts_cumsum(x)", unless_overflow(lambda s: s.history[1]), RESULT_OF_ABS),
    Rule("ts_cumprod(x)", unless_overflow(lambda s: s.history[2]), RESULT),
    *(Rule(f"ts_ema(x, {n})", of_history(lambda s, n=n: ewm_moments(s, n)[0]), RESULT_OF_ABS) for n in (4, 20)),  # type: ignore[misc]
    *(Rule(f"ts_ewm_std(x, {n})", of_history(lambda s, n=n: ewm_std(s, n)), RESULT) for n in (4, 20)),  # type: ignore[misc]
    Rule("cs_sum(x)", of_section(total), RESULT_OF_ABS),
    Rule("cs_mean(x)", of_section(lambda s: s.mean), RESULT_OF_ABS),
    Rule("cs_demean(x)", of_member(lambda s, member: member - s.mean), LARGEST_DEVIATION),
    Rule("cs_std(x)", of_section(lambda s: s.std), RESULT),
    Rule("cs_zscore(x)", of_member(zscore), ONE),
    Rule("cs_robust_zscore(x)", of_member(robust_zscore), ONE_PLUS_RESULT),
    Rule("cs_scale(x)", of_member(lambda s, member: member / total(s.absolute)), RESULT),
    Rule("cs_residual(x, y, z, weight=w)", lambda s, k: s.residuals[k], STD),
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
    "ts_lead_dates": "ts_lead_dates(x, 3)",
    "ts_max": "ts_max(x, 20)",
    "ts_min": "ts_min(x, 20)",
    "ts_rank": "ts_rank(x, 20)",
    "ts_share_below": "ts_share_below(x, 20)",
}
"""Operators that return an input value, a position or a count: nothing is rounded."""
