"""Stages of plain expressions of Polars, and how they are applied to a frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import polars as pl

from factorloom.expressions.errors import ArgumentError

__all__ = ["PolarsStages"]

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

ROW = "_row"

FINITE = ".is_finite()).then("


class PolarsStages:
    """The stages of some factors as expressions of Polars; iterate over it for the expressions of each stage.

    Attributes
    ----------
    symbol, date
        The key columns that the expressions name.
    names
        The columns that `apply` adds.
    """

    def __init__(self, stages: Sequence[tuple[pl.Expr, ...]], names: tuple[str, ...], symbol: str, date: str) -> None:
        self._stages, self.names, self.symbol, self.date = tuple(stages), names, symbol, date

    def __iter__(self) -> Iterator[tuple[pl.Expr, ...]]:
        return iter(self._stages)

    def __len__(self) -> int:
        return len(self._stages)

    def __str__(self) -> str:
        lines = [f"bars.sort({self.symbol!r}, {self.date!r})"]
        for stage in self._stages:
            lines.append("  .with_columns")
            lines += [f"    {each.meta.output_name()} = {_shown(each.meta.undo_aliases())}" for each in stage]
        return "\n".join(lines)

    def apply(self, frame: Frame) -> Frame:
        """The frame with a column for each factor; the order of its rows and its other columns stay as they are.

        Raises
        ------
        ArgumentError
            Where the frame has a column whose name is used for a step.

        Examples
        --------
        >>> import factorloom as fl
        >>> stages = (fl.cs_rank(fl.close) - 0.5).to_polars(name="rank")
        >>> stages.apply(fl.example().frame)["rank"].to_list()[:2]
        [0.0, 0.16666666666666663]
        """
        columns = frame.collect_schema().names()
        made: list[str] = [each.meta.output_name() for stage in self._stages for each in stage]
        taken = sorted({ROW, *made}.difference(self.names).intersection(columns))
        if taken:
            raise ArgumentError(f"the frame has columns that steps are called: {', '.join(taken)}", hint="rename them")
        result = frame.lazy().with_row_index(ROW).sort(self.symbol, self.date, maintain_order=True)
        for stage in self._stages:
            result = result.with_columns(stage)
        result = result.sort(ROW).select(*(name for name in columns if name not in self.names), *self.names)
        return result.collect(engine="in-memory") if isinstance(frame, pl.DataFrame) else result


def _shown(expression: pl.Expr) -> str:
    """An expression as text, without making null what is not finite: every step ends so."""
    text = str(expression)
    inner = text.removeprefix(".when(").removesuffix(").otherwise(null)")
    half = inner[: (len(inner) - len(FINITE)) // 2]
    return half if inner == half + FINITE + half else text
