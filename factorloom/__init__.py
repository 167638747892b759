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

from factorloom.expressions import errors as errors, library as library
from factorloom.expressions.axis import Axis as Axis
from factorloom.expressions.column import (
    amount as amount,
    close as close,
    high as high,
    low as low,
    missing as missing,
    open_ as open_,
    returns as returns,
    volume as volume,
    vwap as vwap,
)
from factorloom.expressions.declaration import indicator as indicator
from factorloom.expressions.errors import FactorloomError as FactorloomError
from factorloom.expressions.factor import Factor as Factor
from factorloom.expressions.operator import Operator as Operator, col as col, lit as lit
from factorloom.expressions.operators import *
from factorloom.expressions.parameter import MinSamples as MinSamples, Periods as Periods, Window as Window
from factorloom.expressions.parse import operators as operators, parse as parse
from factorloom.expressions.polars.read import from_polars as from_polars
from factorloom.expressions.polars.write import to_polars as to_polars
from factorloom.expressions.trial import check_indicator as check_indicator

if TYPE_CHECKING:
    from factorloom.engine.example import example as example
    from factorloom.engine.panel import Panel as Panel
    from factorloom.engine.prepare import prepare as prepare
    from factorloom.engine.research.label import forward_return as forward_return
    from factorloom.engine.research.evaluation.evaluate import evaluate as evaluate
    from factorloom.engine.research.evaluation.evaluation import Evaluation as Evaluation
    from factorloom.engine.research.explain import explain_score as explain_score
    from factorloom.engine.research.explanation import ScoreExplanation as ScoreExplanation
    from factorloom.engine.research.model import (
        Fit as Fit,
        ScoreFactor as ScoreFactor,
        ScoreModel as ScoreModel,
        Winsorize as Winsorize,
    )
    from factorloom.engine.research.portfolio.backtest import Backtest as Backtest, backtest as backtest
    from factorloom.engine.research.portfolio.bridge import (
        from_alphalens as from_alphalens,
        to_alphalens as to_alphalens,
    )
    from factorloom.engine.research.portfolio.weights import Weights as Weights, weights as weights
    from factorloom.engine.research.fit.walk import fit_weights as fit_weights
    from factorloom.engine.research.score import score as score
    from factorloom.engine.runtime.observer import Observer as Observer
    from factorloom.engine.runtime.setting import configure as configure
    from factorloom.storage.backup import restore_store as restore_store
    from factorloom.storage.checkup import check_store as check_store
    from factorloom.storage.store import Store as Store, open_store as open_store
    from factorloom.storage.tier import CacheLimits as CacheLimits

    __version__: str

_LATER = {
    "Backtest": "factorloom.engine.research.portfolio.backtest",
    "Fit": "factorloom.engine.research.model",
    "Evaluation": "factorloom.engine.research.evaluation.evaluation",
    "Observer": "factorloom.engine.runtime.observer",
    "Panel": "factorloom.engine.panel",
    "ScoreExplanation": "factorloom.engine.research.explanation",
    "ScoreFactor": "factorloom.engine.research.model",
    "ScoreModel": "factorloom.engine.research.model",
    "CacheLimits": "factorloom.storage.tier",
    "Store": "factorloom.storage.store",
    "check_store": "factorloom.storage.checkup",
    "Weights": "factorloom.engine.research.portfolio.weights",
    "Winsorize": "factorloom.engine.research.model",
    "backtest": "factorloom.engine.research.portfolio.backtest",
    "configure": "factorloom.engine.runtime.setting",
    "fit_weights": "factorloom.engine.research.fit.walk",
    "evaluate": "factorloom.engine.research.evaluation.evaluate",
    "example": "factorloom.engine.example",
    "explain_score": "factorloom.engine.research.explain",
    "forward_return": "factorloom.engine.research.label",
    "from_alphalens": "factorloom.engine.research.portfolio.bridge",
    "open_store": "factorloom.storage.store",
    "prepare": "factorloom.engine.prepare",
    "restore_store": "factorloom.storage.backup",
    "score": "factorloom.engine.research.score",
    "to_alphalens": "factorloom.engine.research.portfolio.bridge",
    "weights": "factorloom.engine.research.portfolio.weights",
}

# Type checkers cannot read a computed list: to them, what is imported as itself or by a star is public.
if not TYPE_CHECKING:
    from factorloom.expressions.operators import __all__ as _operator_names

    __all__ = [
        "Axis",
        "Backtest",
        "CacheLimits",
        "Evaluation",
        "Factor",
        "FactorloomError",
        "MinSamples",
        "Observer",
        "Operator",
        "Panel",
        "Periods",
        "ScoreExplanation",
        "ScoreFactor",
        "ScoreModel",
        "Store",
        "Weights",
        "Window",
        "Winsorize",
        "amount",
        "backtest",
        "check_indicator",
        "check_store",
        "close",
        "col",
        "configure",
        "errors",
        "evaluate",
        "example",
        "explain_score",
        "forward_return",
        "from_alphalens",
        "from_polars",
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
        "prepare",
        "restore_store",
        "returns",
        "score",
        "to_alphalens",
        "to_polars",
        "volume",
        "vwap",
        "weights",
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
