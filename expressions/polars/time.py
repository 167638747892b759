"""What functions of Polars along the bars of a symbol mean in our operators.

Rolling moments keep more digits here than in Polars. What no operator of ours equals is left to Polars, with the bars
that it needs known from its options.
"""

from __future__ import annotations

from collections.abc import Callable

from factorloom.expressions.column import missing
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import lit
from factorloom.expressions.operators import (
    fill,
    is_missing,
    logical_not,
    polars_history,
    polars_time,
    sqrt,
    ts_corr,
    ts_count,
    ts_cov,
    ts_cummax,
    ts_cummin,
    ts_cumprod,
    ts_cumsum,
    ts_decay_linear,
    ts_delay,
    ts_delta,
    ts_ema,
    ts_fill_forward,
    ts_kurt,
    ts_lead,
    ts_max,
    ts_mean,
    ts_min,
    ts_pct_change,
    ts_quantile,
    ts_rank,
    ts_skew,
    ts_std,
    ts_sum,
    ts_var,
    where,
)
from factorloom.expressions.polars.call import Call
from factorloom.expressions.polars.tree import Unread

__all__ = ["TIME"]

ONLY_PAST = "a factor may only know the past; labels are made with ts_lead or a negative shift"


def _shift(call: Call) -> Factor:
    return _moved(call.x, call.whole(1, "n"))


def _moved(x: Factor, bars: int) -> Factor:
    if bars == 0:
        return x
    return ts_delay(x, bars) if bars > 0 else ts_lead(x, -bars)


def _shift_and_fill(call: Call) -> Factor:
    bars = call.whole(1, "n")
    outside = is_missing(_moved(is_missing(call.x), bars))
    return where(outside, call.inputs[2], _moved(call.x, bars)) if bars else call.x


def _diff(call: Call) -> Factor:
    if call.options != "Ignore":
        raise Unread("diff(null_behavior='drop') changes the number of rows", call.tree)
    bars = call.whole(1, "n")
    return ts_delta(call.x, bars) if bars > 0 else call.x - _moved(call.x, bars)


def _pct_change(call: Call) -> Factor:
    bars = call.whole(1, "n")
    return ts_pct_change(call.x, bars) if bars > 0 else call.x / _moved(call.x, bars) - 1


def _rolling(call: Call) -> Factor:
    function, options = call.options["function"], call.options["options"]
    window, least = options["window_size"], options["min_periods"]
    if options["center"]:
        raise Unread(f"{call.name}(center=True) looks ahead", call.tree, ONLY_PAST)
    if window < 1:
        raise Unread(f"window_size of {call.name} must be at least 1, got {window}", call.tree)
    if least > window:
        raise Unread(f"min_samples of {call.name} must be at most {window}, the window, got {least}", call.tree)
    if options["weights"] is not None:
        return _weighted(call, window, options["weights"])
    if isinstance(function, dict):
        return _pair(call, window, function["CorrCov"])
    return ROLLING[function](call, window, max(least, 1), options["fn_params"] or {})


def _weighted(call: Call, window: int, weights: list[float]) -> Factor:
    if call.name == "rolling_mean" and weights == [weights[0] * (k + 1) for k in range(window)]:
        return ts_decay_linear(call.x, window)
    raise Unread(
        f"{call.name} with weights has no operator",
        call.tree,
        "weights 1, 2, ... of rolling_mean are ts_decay_linear; others can be written as a sum of shifts",
    )


def _spread(call: Call, window: int, least: int, params: dict[str, dict[str, int]]) -> Factor:
    ddof = params.get("Var", {"ddof": 1})["ddof"]
    variance = _rescaled(ts_var, call.x, window, least, ddof) if ddof != 1 else None
    if variance is None:
        made = ts_var if call.name == "rolling_var" else ts_std
        return made(call.x, window, min_samples=max(least, 2)) if window > 1 else _never(call.x)
    return variance if call.name == "rolling_var" else sqrt(variance)


def _rescaled(made: Callable[..., Factor], x: Factor, window: int, least: int, ddof: int) -> Factor:
    """A sample variance with another `ddof`; a single value has none but with `ddof=0`, where it has 0."""
    count, several = ts_count(x, window), missing
    if window > max(ddof, 1):
        value = made(x, window, min_samples=max(least, 2))
        if least >= window:
            return value * ((window - 1) / (window - ddof))
        several = value * (count - 1) / where(count > ddof, count - ddof, missing)
    return several if ddof or least > 1 else fill(several, where(count == 1, 0, missing))


def _count(x: Factor, window: int, least: int) -> Factor:
    """How many values a window has, where it has enough."""
    return lit(window) if least >= window else ts_count(x, window)


def _never(x: Factor) -> Factor:
    """A factor that is always missing, of the bars that `x` has."""
    return where(is_missing(x) >= 0, missing, x)


def _skew(call: Call, window: int, least: int, params: dict[str, dict[str, bool]]) -> Factor:
    if window < 3:
        raise Unread("rolling_skew needs a window of at least 3", call.tree)
    n, adjusted = _count(call.x, window, least), ts_skew(call.x, window, min_samples=max(least, 3))
    return adjusted * (n - 2) / sqrt(n * (n - 1)) if params.get("Skew", {"bias": True})["bias"] else adjusted


def _kurtosis(call: Call, window: int, least: int, params: dict[str, dict[str, bool]]) -> Factor:
    if window < 4:
        raise Unread("rolling_kurtosis needs a window of at least 4", call.tree)
    given = params.get("Kurtosis", {"fisher": True, "bias": True})
    n, value = _count(call.x, window, least), ts_kurt(call.x, window, min_samples=max(least, 4))
    if given["bias"]:
        value = (value * (n - 2) * (n - 3) / (n - 1) - 6) / (n + 1)
    return value if given["fisher"] else value + 3


def _quantile(call: Call, window: int, least: int, params: dict[str, dict[str, float | str]]) -> Factor:
    given = params["Quantile"]
    if not 0 <= float(given["prob"]) <= 1:
        raise Unread(f"quantile of {call.name} must be between 0 and 1, got {given['prob']}", call.tree)
    if given["method"] == "Linear":
        return ts_quantile(call.x, window, q=given["prob"], min_samples=least)  # type: ignore[arg-type]
    return polars_time(call.x, expression=call.as_text(), lookback=window - 1)


def _rank(call: Call, window: int, least: int, params: dict[str, dict[str, str]]) -> Factor:
    method = params["Rank"]["method"]
    if method == "Average":
        return ts_rank(call.x, window, min_samples=least) * _count(call.x, window, least)
    if method == "Random":
        raise Unread("rolling_rank(method='random') is not a function of the bars", call.tree)
    return polars_time(call.x, expression=call.as_text(), lookback=window - 1)


def _pair(call: Call, window: int, given: dict[str, dict[str, int | None]]) -> Factor:
    options, (x, y) = given["corr_cov_options"], call.inputs
    least = max(int(options["min_periods"] or 1), 1)
    if window < 2:
        raise Unread(f"window_size of {call.name} must be at least 2, got {window}", call.tree)
    if given["is_corr"]:
        return ts_corr(x, y, window, min_samples=max(least, 2))
    ddof = options["ddof"]
    if ddof == 1:
        return ts_cov(x, y, window, min_samples=max(least, 2))
    both = where(is_missing(y), missing, x)
    count = _count(both, window, least)
    several = ts_cov(x, y, window, min_samples=max(least, 2)) * (count - 1) / (count - int(ddof or 0))
    return several if ddof or least > 1 else fill(several, where(count == 1, 0, missing))


ROLLING: dict[str, Callable[..., Factor]] = {
    "Mean": lambda call, window, least, _: ts_mean(call.x, window, min_samples=least),
    "Sum": lambda call, window, least, _: ts_sum(call.x, window, min_samples=least),
    "Min": lambda call, window, least, _: ts_min(call.x, window, min_samples=least),
    "Max": lambda call, window, least, _: ts_max(call.x, window, min_samples=least),
    "Median": lambda call, window, least, _: ts_quantile(call.x, window, q=0.5, min_samples=least),
    "Var": _spread,
    "Std": _spread,
    "Skew": _skew,
    "Kurtosis": _kurtosis,
    "Quantile": _quantile,
    "Rank": _rank,
}


def _ewm(call: Call) -> Factor:
    given = call.options["options"]
    window = 2 / given["alpha"] - 1
    is_ours = not given["adjust"] and given["ignore_nulls"] and abs(window - round(window)) < 1e-9 and window >= 1
    if call.name == "ewm_mean" and is_ours:
        average = ts_ema(call.x, round(window), min_samples=max(given["min_periods"], 1))
        return where(is_missing(call.x), missing, average)
    return polars_history(call.x, expression=call.as_text())


def _cumulated(made: Callable[[Factor], Factor]) -> Callable[[Call], Factor]:
    def read(call: Call) -> Factor:
        if call.options["reverse"]:
            raise Unread(f"{call.name}(reverse=True) looks ahead", call.tree, ONLY_PAST)
        return made(call.x)

    return read


def _fill(call: Call) -> Factor:
    ((kind, limit),) = call.options.items() if isinstance(call.options, dict) else ((call.options, None),)
    if kind == "Forward":
        return ts_fill_forward(call.x, limit=limit) if limit != 0 else call.x
    if kind in ("Zero", "One"):
        return fill(call.x, float(kind == "One"))
    if kind == "Backward":
        raise Unread("backward_fill looks ahead", call.tree, ONLY_PAST)
    raise Unread(
        f"fill_null(strategy={kind.lower()!r}) fills from the whole history of a symbol, which looks ahead",
        call.tree,
        "fill with a value across symbols: .fill_null(pl.col(...).median().over('date'))",
    )


TIME: dict[str, Callable[[Call], Factor]] = {
    "shift": _shift,
    "shift_and_fill": _shift_and_fill,
    "diff": _diff,
    "pct_change": _pct_change,
    **{f"rolling_{name.lower()}": _rolling for name in (*ROLLING, "corr", "cov")},
    "ewm_mean": _ewm,
    "ewm_std": _ewm,
    "ewm_var": _ewm,
    "cum_sum": _cumulated(ts_cumsum),
    "cum_prod": _cumulated(ts_cumprod),
    "cum_min": _cumulated(ts_cummin),
    "cum_max": _cumulated(ts_cummax),
    "cum_count": _cumulated(lambda x: ts_cumsum(logical_not(is_missing(x)))),
    "fill_null_with_strategy": _fill,
    "rle_id": lambda call: polars_history(call.x, expression=call.as_text()),
}
"""Functions that go along the bars of a symbol, by name."""
