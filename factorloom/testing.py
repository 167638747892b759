"""For tests of your own factors and indicators: checks of what is promised, and Hypothesis strategies.

from factorloom.testing import check_factor, each_factor
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from factorloom.engine.testing.check import (
    check_factor as check_factor,
    check_factors as check_factors,
    check_indicator as check_indicator,
)
from factorloom.engine.testing.mark import each_factor as each_factor

if TYPE_CHECKING:
    from factorloom.engine.testing.strategies import calls as calls, factors as factors, panels as panels

__all__ = ["calls", "check_factor", "check_factors", "check_indicator", "each_factor", "factors", "panels"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module 'factorloom.testing' has no attribute {name!r}")
        try:
            from factorloom.engine.testing import strategies
        except ModuleNotFoundError as error:
            if error.name != "hypothesis":
                raise
            from factorloom.expressions.errors import MissingLibraryError

            hint = "pip install 'factorloom[testing]'"
            raise MissingLibraryError("the strategies need Hypothesis, which is not installed", hint=hint) from error
        return getattr(strategies, name)
