"""`ScoreExplanation`: why a symbol has its score, as frames, text, HTML and a picture."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from factorloom.engine.research.waterfall import Part, waterfall
from factorloom.expressions.markup import Markup, shortened, tag
from factorloom.expressions.notebook import piece

__all__ = ["ScoreExplanation"]

TEXTS = ("factor", "group", "expression", "missing", "note")
WIDTH = 40
"""Characters of a cell of text."""


@dataclass(frozen=True, repr=False, eq=False)
class ScoreExplanation:
    """Why a symbol has its score on a date.

    Attributes
    ----------
    symbol : str
    date : datetime.date
    model : str
        The name of the model.
    score, rank, percentile, reason
        As in the table of `fl.score`; `reason` says why there is no score.
    of : int
        How many symbols have a score on the date.
    before : datetime.date or None
        The date to which the changes are compared; None where there is no earlier one.
    factors : polars.DataFrame
        One row per factor: `factor`; `group`, where the model has groups; `expression`; what the steps made of its
        value, `raw`, `winsorized`, `standardized`, `neutral` (where the model has exposures) and `rotated` (where it
        makes factors orthogonal); `direction`; `weight`, the share of the model; `share`, the weight as it counts for
        this symbol; `weighed`, where the model has exposures: `direction * share * z` before contributions are once
        more taken free of them; `contribution`; and `missing`: why the factor has no value to weigh.
    changes : polars.DataFrame
        One row per factor: the contributions `before` and `after`, and `after - before`, where missing ones count as
        0, as the sum of `value`, what the symbol's own inputs changed, `universe`, what the other symbols and their
        values did, and `weight`, what other weights did. `note` says what was missing on which date. Where the symbol
        has no bar on one of the dates, all of the change is `value`. Without an earlier date there are no rows.
    """

    symbol: str
    date: datetime.date
    model: str
    score: float | None
    rank: int | None
    percentile: float | None
    reason: str | None
    of: int
    before: datetime.date | None
    factors: pl.DataFrame
    changes: pl.DataFrame

    def to_svg(self) -> str:
        """A waterfall from 0 through each contribution, the largest first, to the score, as one element of SVG."""
        return str(self._picture)

    @property
    def _picture(self) -> Markup:
        columns = self.factors.select("factor", "contribution", "missing").rows()
        parts = [Part(name, value, "" if value is not None else why or "no score") for name, value, why in columns]
        return waterfall(self._title, parts, Part("score", self.score, self.reason or ""))

    @property
    def _title(self) -> str:
        return f"{self.symbol} on {self.date}, {self.model}"

    @property
    def _facts(self) -> str:
        if self.score is None:
            return f"no score: {self.reason}"
        return f"score {_cell(self.score)}, rank {self.rank} of {self.of}, percentile {self.percentile:.3f}"

    @property
    def _tables(self) -> list[tuple[str, list[list[str]]]]:
        """The tables to show, each with its title."""
        factors = self.factors.drop("expression", "weight")
        found = [("", _lines(factors, ("contribution",)))]
        if self.before is not None:
            sums = ("before", "after", "value", "universe", "weight")
            found.append((f"since {self.before}", _lines(self.changes, sums)))
        return found

    def __str__(self) -> str:
        blocks = [f"{self._title}: {self._facts}"]
        for title, lines in self._tables:
            blocks.append("\n".join([*([title] if title else []), *_aligned(lines)]))
        return "\n\n".join(blocks)

    def __repr__(self) -> str:
        return f"<ScoreExplanation: {self._title}: {self._facts}>"

    def _repr_html_(self) -> str:
        tables = [
            tag("div", tag("small", title), tag("table", *(_html_row(line, lines[0]) for line in lines)))
            for title, lines in self._tables
        ]
        return piece(tag("b", self._title), " ", tag("small", self._facts), tables[0], self._picture, *tables[1:])


def _lines(frame: pl.DataFrame, summed: Sequence[str]) -> list[list[str]]:
    """The cells of a table with a last row of sums; columns of text that are empty are left out."""
    kept = frame.select(each for each in frame if each.name not in TEXTS or each.null_count() < frame.height)
    kept = kept.with_columns(pl.col(pl.String).fill_null(""))
    sums = [_cell(kept[name].sum()) if name in summed else "" for name in kept.columns]
    return [kept.columns, *(list(map(_cell, row)) for row in kept.rows()), ["sum", *sums[1:]]]


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value + 0.0:.6g}" if isinstance(value, float) else shortened(str(value), WIDTH)


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Cells in columns, texts to the left and numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = [name in TEXTS for name in lines[0]]
    rows = (zip(line, widths, left, strict=True) for line in lines)
    return ["  ".join(c.ljust(w) if text else c.rjust(w) for c, w, text in row).rstrip() for row in rows]


def _html_row(cells: Sequence[str], names: Sequence[str]) -> Markup:
    element = "th" if cells is names else "td"
    return tag(
        "tr",
        *(tag(element, c, class_="t" if name in TEXTS else None) for c, name in zip(cells, names, strict=True)),
    )
