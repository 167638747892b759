"""Correlations at many horizons."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from factorloom.engine.bars.layout import Array
from factorloom.engine.research.evaluation.cells import Source, cells_of
from factorloom.engine.research.evaluation.loop.place import IC, RANK_IC
from factorloom.engine.research.evaluation.measured import Measured, measured
from factorloom.engine.research.evaluation.setting import Settings
from factorloom.engine.runtime.observer import Observer
from factorloom.expressions.factor import Factor

__all__ = ["DECAY", "decayed"]

DECAY = (1, 2, 3, 5, 10, 21, 42, 63)
"""Horizons of `ic_decay`."""


def decayed(source: Source, factors: Mapping[str, Factor], settings: Settings, known: Measured) -> tuple[Array, Array]:
    """IC and rank IC by (factor, horizon, date) at the horizons of `DECAY`; those that are known are not repeated."""
    ics = np.empty((2, len(factors), len(DECAY), known.numbers.shape[-1]))
    _fill(ics, settings.horizons, known)
    if others := tuple(each for each in DECAY if each not in settings.horizons):
        cells = cells_of(source, settings, others, Observer(), log=settings.log)
        found = measured(source, factors, cells, settings.quantiles, settings.neutral, Observer())
        _fill(ics, others, found)
    return ics[0], ics[1]


def _fill(ics: Array, horizons: tuple[int, ...], found: Measured) -> None:
    for place, horizon in enumerate(horizons):
        if horizon in DECAY:
            ics[:, :, DECAY.index(horizon)] = [found.numbers[:, place, each] for each in (IC, RANK_IC)]
