"""Tables of an evaluation from a frame of bars, the plain way: what health checks read, without the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from factorloom.engine.research.health import HealthInputs, panel_facts

KEYS = ["factor", "horizon"]


def labelled(bars: pl.DataFrame, horizons: Sequence[int], entry_lag: int = 1) -> pl.DataFrame:
    """Bars by symbol and date, with the date's number and forward returns; a halted symbol leaves at its last price."""
    coded = bars.sort("symbol", "date").with_columns(code=pl.col("date").rank("dense").cast(pl.Int64) - 1)
    prices = coded.select("symbol", "code", price="close")
    last = coded["code"].max()
    for horizon in horizons:
        coded = (
            coded.with_columns(entry_code=pl.col("code") + entry_lag, exit_code=pl.col("code") + entry_lag + horizon)
            .join(prices.rename({"code": "entry_code", "price": "entry"}), on=["symbol", "entry_code"], how="left")
            .sort("exit_code")
            .join_asof(
                prices.rename({"code": "exit_code", "price": "exit"}).sort("exit_code"),
                on="exit_code",
                by="symbol",
                check_sortedness=False,
            )
            .with_columns(
                pl.when(pl.col("exit_code") <= last)
                .then(pl.col("exit") / pl.col("entry") - 1)
                .alias(f"label_{horizon}")
            )
            .drop("entry_code", "exit_code", "entry", "exit")
        )
    return coded.sort("symbol", "date")


def inputs_of(
    bars: pl.DataFrame, factors: Sequence[str], horizons: Sequence[int] = (1, 5), quantiles: int = 5, **settings: Any
) -> HealthInputs:
    """Inputs of health checks from bars with factors as columns."""
    entry_lag = settings.get("entry_lag", 1)
    table = labelled(bars, horizons, entry_lag)
    parts = []
    for factor in factors:
        for horizon in horizons:
            part = table.select("date", "sector", x=factor, y=f"label_{horizon}").filter(pl.col("x").is_not_null())
            bucket = 1 + ((pl.col("x").rank("min") - 1) / pl.len() * quantiles).floor().cast(pl.Int64)
            part = part.with_columns(quantile=bucket.over("date")).drop_nulls("y")
            parts.append(part.with_columns(factor=pl.lit(factor), horizon=pl.lit(horizon, pl.Int64)))
    rows = pl.concat(parts)
    year = pl.col("date").dt.year().alias("year")
    ic = _ic(rows, [*KEYS, "date"])
    by_group = (
        _ic(rows, [*KEYS, "sector", "date"])
        .group_by(*KEYS, "sector")
        .agg(pl.col("rank_ic").mean().alias("rank_ic_mean"), pl.col("names").sum())
    )
    means = rows.group_by(*KEYS, "quantile", "date").agg(mean=pl.col("y").mean(), names=pl.len())
    outer = means.pivot(on="quantile", index=[*KEYS, "date"], values="mean")
    top, bottom = (
        pl.col(name) if name in outer.columns else pl.lit(None, pl.Float64) for name in (str(quantiles), "1")
    )
    gross = top - bottom
    present = [
        table.group_by("date").agg(factor=pl.lit(name), eligible=pl.len(), present=pl.col(name).is_not_null().sum())
        for name in factors
    ]
    offsets = np.append(0, table.group_by("symbol", maintain_order=True).len()["len"].cum_sum().to_numpy())
    return HealthInputs(
        ic=ic,
        ic_by_group=by_group.rename({"sector": "group"}),
        ic_by_year=ic.group_by(*KEYS, year).agg(dates=pl.len(), rank_ic_mean=pl.col("rank_ic").mean()),
        quantile_returns_by_date=means,
        long_short=outer.select(*KEYS, "date", gross=gross / pl.col("horizon")),
        coverage=pl.concat(present).select("factor", "date", "eligible", "present"),
        facts=panel_facts(
            table["code"].to_numpy(),
            offsets,
            table["close"].cast(pl.Float64).to_numpy(),
            {name: table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in factors},
            {horizon: table[f"label_{horizon}"].fill_null(np.nan).to_numpy() for horizon in horizons},
            entry_lag=entry_lag,
            quantiles=quantiles,
        ),
        settings={"quantiles": quantiles, **settings},
    )


def _ic(rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    ranked = pl.corr(pl.col("x").rank(), pl.col("y").rank()).fill_nan(None)
    table = rows.group_by(keys).agg(names=pl.len(), rank_ic=ranked)
    return table.with_columns(pl.when(pl.col("names") >= 3).then("rank_ic")).sort(keys)
