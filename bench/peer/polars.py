"""Polars: the operators that it also has, each as one eager `.over()`, as its users write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from factorloom.bench.sets import arguments
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import find

__all__ = ["Engine"]

Form = Callable[..., pl.Expr]

TIME: dict[str, Form] = {
    "ts_corr": lambda x, y, n: pl.rolling_corr(x, y, window_size=n),
    "ts_count": lambda x, n: x.is_not_null().cast(pl.Float64).rolling_sum(n, min_samples=1),
    "ts_cov": lambda x, y, n: pl.rolling_cov(x, y, window_size=n),
    "ts_cummax": lambda x: x.cum_max(),
    "ts_cummin": lambda x: x.cum_min(),
    "ts_cumprod": lambda x: x.cum_prod(),
    "ts_cumsum": lambda x: x.cum_sum(),
    "ts_decay_linear": lambda x, n: x.fill_null(np.nan).rolling_mean(n, weights=np.arange(1.0, n + 1).tolist()),
    "ts_delay": lambda x, n: x.shift(n),
    "ts_delta": lambda x, n: x.diff(n),
    "ts_ema": lambda x, n: x.ewm_mean(span=n, adjust=False, ignore_nulls=True, min_samples=n),
    "ts_fill_forward": lambda x: x.forward_fill(),
    "ts_kurt": lambda x, n: x.rolling_kurtosis(n, bias=False),
    "ts_lead": lambda x, n: x.shift(-n),
    "ts_log_return": lambda x, n: x.log().diff(n),
    "ts_max": lambda x, n: x.rolling_max(n),
    "ts_mean": lambda x, n: x.rolling_mean(n),
    "ts_median": lambda x, n: x.rolling_median(n),
    "ts_min": lambda x, n: x.rolling_min(n),
    "ts_pct_change": lambda x, n: x.pct_change(n),
    "ts_quantile": lambda x, n: x.rolling_quantile(0.5, interpolation="linear", window_size=n),
    "ts_rank": lambda x, n: x.rolling_rank(n) / n,
    "ts_skew": lambda x, n: x.rolling_skew(n, bias=False),
    "ts_std": lambda x, n: x.rolling_std(n),
    "ts_sum": lambda x, n: x.rolling_sum(n),
    "ts_var": lambda x, n: x.rolling_var(n),
    "ts_zscore": lambda x, n: (x - x.rolling_mean(n)) / x.rolling_std(n),
}
CROSS: dict[str, Form] = {
    "count": lambda x: pl.when(x.is_not_null()).then(x.count()),
    "demean": lambda x: x - x.mean(),
    "max": lambda x: pl.when(x.is_not_null()).then(x.max()),
    "mean": lambda x: pl.when(x.is_not_null()).then(x.mean()),
    "median": lambda x: pl.when(x.is_not_null()).then(x.median()),
    "min": lambda x: pl.when(x.is_not_null()).then(x.min()),
    "rank": lambda x: x.rank() / x.count(),
    "robust_zscore": lambda x: (x - x.median()) / ((x - x.median()).abs().median() * 1.482602218505602),
    "scale": lambda x: x / x.abs().sum(),
    "std": lambda x: pl.when(x.is_not_null()).then(x.std()),
    "sum": lambda x: pl.when(x.is_not_null()).then(x.sum()),
    "zscore": lambda x: (x - x.mean()) / x.std(),
}
FORMS = TIME | CROSS


class Engine:
    """`select` with one windowed expression."""

    def __init__(self, bars: pl.DataFrame, threads: int) -> None:
        self.phases: dict[str, float] = {}
        self.note = ""
        self.bars = bars.with_columns(pl.col("symbol").set_sorted())

    def supports(self, name: str, factor: Factor) -> bool:
        return _base_name(name) in FORMS

    def prepare(self, factors: Mapping[str, Factor]) -> Callable[[], pl.DataFrame]:
        columns = [_form(name).alias(name) for name in factors]
        return lambda: self.bars.select("symbol", "date", *columns)

    def to_frame(self, result: pl.DataFrame) -> pl.DataFrame:
        return result


def _form(name: str) -> pl.Expr:
    """An operator on the columns that it is timed on."""
    values = list(arguments(find(name)).values())
    columns = [pl.col(str(value)) for value in values if isinstance(value, Factor)]
    windows = [value for value in values if isinstance(value, int)]
    keys = ["symbol"] if name in TIME else ["date", *(value for value in values if isinstance(value, str))]
    return FORMS[_base_name(name)](*columns, *windows).over(keys)


def _base_name(name: str) -> str:
    """The name without `cs_` or `group_`: both have the same form."""
    return name.removeprefix("cs_").removeprefix("group_")
