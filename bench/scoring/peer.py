"""Scores of one date as a user of pandas, and of Polars, writes them: clip at 3 MAD, robust z, mean, rank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

__all__ = ["PEERS"]

SCALE = 1.482602218505602
"""The standard deviation of a normal distribution by its median absolute deviation."""
LIMIT = 3.0


def with_pandas(frame: pl.DataFrame, names: Sequence[str]) -> Callable[[], pl.Series]:
    """Scores, ranks and contributions by pandas; its frame is made before the clock starts."""
    table = frame.to_pandas()

    def run() -> pl.Series:
        x = table[list(names)]
        middle = x.median()
        spread = SCALE * (x - middle).abs().median()
        clipped = x.clip(middle - LIMIT * spread, middle + LIMIT * spread, axis=1)
        middle = clipped.median()
        spread = SCALE * (clipped - middle).abs().median()
        z = (clipped - middle) / spread.where(spread > 0)
        count = z.notna().sum(axis=1)
        contributions = z.div(count, axis=0).where(count >= -(-len(names) // 2))
        out: Any = table[["symbol", "date"]].assign(score=contributions.sum(axis=1, min_count=1))
        out["rank"] = out["score"].rank(method="min", ascending=False)
        out["percentile"] = out["score"].rank(pct=True)
        out = out.join(contributions).sort_values("score", ascending=False, na_position="last")
        return pl.Series(out["score"].to_numpy(), nan_to_null=True)

    return run


def with_polars(frame: pl.DataFrame, names: Sequence[str]) -> Callable[[], pl.Series]:
    """Scores, ranks and contributions by expressions of Polars."""

    def robust(x: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
        return x.median(), SCALE * (x - x.median()).abs().median()

    def run() -> pl.Series:
        clipped = []
        for name in names:
            middle, spread = robust(pl.col(name))
            clipped.append(pl.col(name).clip(middle - LIMIT * spread, middle + LIMIT * spread))
        z = []
        for name in names:
            middle, spread = robust(pl.col(name))
            z.append(pl.when(spread > 0).then((pl.col(name) - middle) / spread).alias(name))
        count = pl.sum_horizontal(pl.col(name).is_not_null() for name in names)
        contributions = [pl.when(count >= -(-len(names) // 2)).then(pl.col(name) / count).alias(name) for name in names]
        out = (
            frame.lazy()
            .with_columns(clipped)
            .with_columns(z)
            .with_columns(contributions)
            .with_columns(score=pl.when(pl.any_horizontal(pl.col(names).is_not_null())).then(pl.sum_horizontal(names)))
            .with_columns(
                rank=pl.col("score").rank("min", descending=True),
                percentile=pl.col("score").rank() / pl.col("score").count(),
            )
            .sort("score", descending=True, nulls_last=True)
            .collect()
        )
        return out["score"]

    return run


PEERS: dict[str, Callable[[pl.DataFrame, Sequence[str]], Callable[[], pl.Series]]] = {
    "pandas": with_pandas,
    "polars": with_polars,
}
"""What makes the run of each peer from the values of factors on one date."""
