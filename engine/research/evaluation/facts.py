"""Facts of the bars behind an evaluation, for its health checks, and notes on what is odd about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, ValuesView

import numpy as np

from factorloom.engine.bars.layout import Array
from factorloom.engine.research.evaluation.cells import Cells, Source
from factorloom.engine.research.evaluation.measured import batches
from factorloom.engine.research.evaluation.setting import Settings
from factorloom.engine.research.health import Finding, PanelFacts, panel_facts
from factorloom.expressions.errors import plural
from factorloom.expressions.factor import Factor

__all__ = ["facts_of", "notes_of"]


class _Columns(Mapping[str, Array]):
    """Values of factors that are computed while they are read, some at a time."""

    def __init__(self, source: Source, factors: Mapping[str, Factor]) -> None:
        self._source, self._factors = source, factors

    def __getitem__(self, name: str) -> Array:
        ((values,),) = (found.values() for found in batches(self._source, {name: self._factors[name]}))
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._factors)

    def __len__(self) -> int:
        return len(self._factors)

    def values(self) -> ValuesView[Array]:
        """In the order of the names."""
        found = batches(self._source, self._factors)
        return (values for columns in found for values in columns.values())  # type: ignore[return-value]


def facts_of(
    source: Source, factors: Mapping[str, Factor], cells: Cells, settings: Settings, per_year: float
) -> PanelFacts:
    """Facts of all bars that are cells."""
    bars = source.bars
    eligible = np.zeros(bars.rows, np.bool_)
    eligible[cells.rows] = True
    labels = {}
    for horizon, values in zip(cells.horizons.tolist(), cells.labels, strict=True):
        labels[horizon] = np.full(bars.rows, np.nan)
        labels[horizon][cells.rows] = values
    return panel_facts(
        bars.date_codes,
        bars.by_symbol,
        np.asarray(bars.array(settings.price), np.float64),
        _Columns(source, factors),
        labels,
        entry_lag=settings.entry_lag,
        quantiles=settings.quantiles,
        per_year=per_year if np.isfinite(per_year) else 252.0,
        eligible=eligible,
    )


def notes_of(cells: Cells, settings: Settings) -> list[Finding]:
    """What is odd about the input: prices that are not positive, horizons without any complete label."""
    found = []
    if cells.unpriced:
        prices = plural(cells.unpriced, "price")
        text = f"{prices} in {settings.price!r} not positive: counted as missing"
        found.append(Finding(name="prices", level="warning", text=text, figure=float(cells.unpriced)))
    never = [str(h) for h, known in zip(cells.horizons, cells.complete, strict=True) if not known.any()]
    if never:
        text = f"no label is complete at {', '.join(never)} market dates: the bars end before"
        found.append(Finding(name="horizons", level="warning", text=text, figure=float(len(never))))
    return found
