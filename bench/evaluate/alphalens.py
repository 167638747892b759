"""alphalens-reloaded: the tables of its full tear sheet for one factor, without drawing it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from factorloom.bench.evaluate.options import Options
from factorloom.expressions.factor import Factor

__all__ = ["steps"]


def steps(bars: pl.DataFrame, factors: Mapping[str, Factor], options: Options) -> dict[str, Callable[[], Any]]:
    """What is timed: labels, quantiles, correlations, returns and turnover of the first factor."""
    warnings.simplefilter("ignore")
    from alphalens import performance, utils

    name = next(iter(factors))
    table = bars.select("date", "symbol", "close", name).to_pandas()
    prices = table.pivot(index="date", columns="symbol", values="close")
    prices.index = prices.index.astype("datetime64[ns]")
    factor = table.astype({"date": "datetime64[ns]"}).set_index(["date", "symbol"])[name].dropna()

    def summary() -> Any:
        data = utils.get_clean_factor_and_forward_returns(
            factor, prices, quantiles=options.quantiles, periods=options.horizons, max_loss=1.0
        )
        numbers = [
            performance.factor_information_coefficient(data),
            performance.mean_return_by_quantile(data),
            performance.mean_return_by_quantile(data, by_date=True),
            performance.factor_returns(data),
            performance.factor_alpha_beta(data),
        ]
        for horizon in options.horizons:
            numbers.append(performance.factor_rank_autocorrelation(data, horizon))
            for quantile in range(1, options.quantiles + 1):
                numbers.append(performance.quantile_turnover(data["factor_quantile"], quantile, horizon))
        return numbers

    return {"summary": summary}
