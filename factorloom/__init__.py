"""Factorloom: a columnar engine for equity factors in pure Python.

    import factorloom as fl

    momentum = fl.ts_delay(fl.close, 21) / fl.ts_delay(fl.close, 252) - 1
    panel = fl.Panel.from_frame(bars)
    values = panel.compute(momentum=fl.cs_rank(momentum))

Here are the public names. Expressions are loaded at once; the engine, the store and the service when first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from factorloom.expressions import errors, library
from factorloom.expressions.axis import Axis
from factorloom.expressions.column import amount, close, high, low, missing, open_, returns, volume, vwap
from factorloom.expressions.errors import FactorloomError
from factorloom.expressions.factor import Factor
from factorloom.expressions.indicator import check_indicator, indicator
from factorloom.expressions.operator import Operator, col, lit
from factorloom.expressions.operators import *
from factorloom.expressions.operators import __all__ as _operator_names
from factorloom.expressions.parameter import MinSamples, Periods, Window
from factorloom.expressions.parse import operators, parse

if TYPE_CHECKING:
    from factorloom.engine.panel import Panel, example
    from factorloom.engine.research.model import ScoreFactor, ScoreModel, Winsorize
    from factorloom.engine.research.score import score
    from factorloom.engine.runtime.observer import Observer
    from factorloom.engine.runtime.thread import configure
    from factorloom.storage.store import Store, open_store

    __version__: str

_LATER = {
    "Observer": "factorloom.engine.runtime.observer",
    "Panel": "factorloom.engine.panel",
    "ScoreFactor": "factorloom.engine.research.model",
    "ScoreModel": "factorloom.engine.research.model",
    "Store": "factorloom.storage.store",
    "Winsorize": "factorloom.engine.research.model",
    "configure": "factorloom.engine.runtime.thread",
    "example": "factorloom.engine.panel",
    "open_store": "factorloom.storage.store",
    "score": "factorloom.engine.research.score",
}

__all__ = [
    "Axis",
    "Factor",
    "FactorloomError",
    "MinSamples",
    "Observer",
    "Operator",
    "Panel",
    "Periods",
    "ScoreFactor",
    "ScoreModel",
    "Store",
    "Window",
    "Winsorize",
    "amount",
    "check_indicator",
    "close",
    "col",
    "configure",
    "errors",
    "example",
    "high",
    "indicator",
    "library",
    "lit",
    "low",
    "missing",
    "open_",
    "open_store",
    "operators",
    "parse",
    "returns",
    "score",
    "volume",
    "vwap",
]
__all__ += _operator_names


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("factorloom")
    if name not in _LATER:
        raise AttributeError(f"module 'factorloom' has no attribute {name!r}")
    return getattr(importlib.import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
