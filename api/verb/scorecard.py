"""Scores as a table to read, with the largest contributions of each symbol as text."""

from __future__ import annotations

import polars as pl

from factorloom.engine.research.model import CONTRIBUTION

__all__ = ["scorecard"]

MAX_SHOWN = 3


def scorecard(scores: pl.DataFrame, largest: int = MAX_SHOWN) -> pl.DataFrame:
    """One row per symbol: its score, its largest contributions, and the reason if it has no score.

    >>> import factorloom as fl
    >>> model = fl.ScoreModel("cheap", {"price": fl.ScoreFactor(fl.close, direction=-1)})
    >>> scorecard(fl.score(fl.example(), model)).select("rank", "symbol", "largest contributions").row(0)
    (1, 'C', 'price +0.67')
    """
    texts = [_format_contributions(row, largest) for row in scores.iter_rows(named=True)]
    return scores.select(
        "date", "rank", "symbol", pl.col("score").round(4), pl.col("percentile").round(4)
    ).with_columns(pl.Series("largest contributions", texts, dtype=pl.String), scores["reason"])


def _format_contributions(row: dict[str, object], largest: int) -> str:
    parts = [(name.removeprefix(CONTRIBUTION), part) for name, part in row.items() if name.startswith(CONTRIBUTION)]
    known = [(name, part) for name, part in parts if isinstance(part, float)]
    return ", ".join(f"{name} {part:+.2f}" for name, part in sorted(known, key=lambda pair: -abs(pair[1]))[:largest])
