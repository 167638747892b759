"""Stages of plain expressions of Polars, and how they are applied to a frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from factorloom.expressions.errors import ArgumentError, UnknownColumnError, suggest

__all__ = ["PolarsStages"]

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

HIDDEN = "\0"
"""How the columns begin that `apply` adds or renames for a while."""

ROW = f"{HIDDEN}row"

WIDTH = 120
"""Characters of an expression that are shown."""


@dataclass(frozen=True, eq=False, repr=False)
class PolarsStages:
    """The stages of some factors as expressions of Polars; iterate over it for the expressions of each stage.

    Each stage is one `with_columns` on rows sorted by symbol and date. The expressions are plain: written down with
    `expr.meta.serialize`, they run where Factorloom is not installed.

    Attributes
    ----------
    stages
        The expressions, each under the name of the column that it makes. The last stage gives the factors their names.
    names
        The columns that `apply` adds.
    symbol, date
        The key columns that the expressions name.
    shown
        For each step what is printed: its expression without the end that all have, and its meaning as a factor.
    """

    stages: tuple[tuple[pl.Expr, ...], ...]
    names: tuple[str, ...]
    symbol: str
    date: str
    shown: Mapping[str, tuple[pl.Expr, str]]

    def __iter__(self) -> Iterator[tuple[pl.Expr, ...]]:
        return iter(self.stages)

    def __len__(self) -> int:
        return len(self.stages)

    def __repr__(self) -> str:
        return f"<PolarsStages: {len(self)} stages that give {', '.join(self.names)}>"

    def __str__(self) -> str:
        lines = [f"bars.sort({self.symbol!r}, {self.date!r})  # every step is Float64, and null where it is not finite"]
        for stage in self.stages:
            lines += [".with_columns(", *map(self._line, stage), ")"]
        return "\n".join(lines)

    def _line(self, expression: pl.Expr) -> str:
        name = expression.meta.output_name()
        step, meaning = self.shown.get(name, (expression.meta.undo_aliases(), ""))
        text = str(step)
        text = text if len(text) <= WIDTH else f"{text[:WIDTH]} …"
        return f"    {name} = {text}," + (f"  # {meaning}" if meaning else "")

    def apply(self, frame: Frame) -> Frame:
        """The frame with a column for each factor; the order of its rows and its other columns stay as they are.

        Parameters
        ----------
        frame
            One row for each symbol and date, in any order. A lazy frame stays lazy.

        Raises
        ------
        UnknownColumnError
            Where the frame lacks a key, or a column that a factor reads.

        Examples
        --------
        >>> import factorloom as fl
        >>> stages = (fl.cs_rank(fl.close) - 0.5).to_polars(name="rank")
        >>> stages.apply(fl.example().frame)["rank"].to_list()[:2]
        [0.0, 0.16666666666666663]
        """
        if not isinstance(frame, pl.DataFrame | pl.LazyFrame):
            raise ArgumentError(f"stages are applied to a frame of Polars, got {type(frame).__name__}")
        columns = frame.collect_schema().names()
        made = self._made()
        for name in self._read(made):
            if name not in columns:
                raise UnknownColumnError(f"the frame has no column {name!r}", hint=suggest(name, columns))
        aside = {name: f"{HIDDEN}{name}" for name in columns if name in made}
        rows = frame.lazy().rename(aside).with_row_index(ROW).sort(self.symbol, self.date)
        for stage in self.stages:
            rows = rows.with_columns(stage)
        kept = [pl.col(aside.get(name, name)).alias(name) for name in columns]
        result = rows.sort(ROW).select(*kept, *(name for name in self.names if name not in columns))
        return result.collect(engine="in-memory") if isinstance(frame, pl.DataFrame) else result

    def _made(self) -> set[str]:
        """The columns of the steps in between."""
        return {each.meta.output_name() for stage in self.stages[:-1] for each in stage}

    def _read(self, made: set[str]) -> list[str]:
        """The columns of the frame that are read."""
        read = (name for stage in self.stages for each in stage for name in each.meta.root_names())
        return [name for name in dict.fromkeys((self.symbol, self.date, *read)) if name not in made]
