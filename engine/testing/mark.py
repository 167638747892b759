"""A pytest mark that makes one test of each factor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from factorloom.engine.plan.request import OneFactor, named_factors
from factorloom.expressions.errors import MissingLibraryError

if TYPE_CHECKING:
    import pytest

__all__ = ["each_factor"]


def each_factor(factors: Mapping[str, OneFactor] | Iterable[OneFactor]) -> pytest.MarkDecorator:
    """A mark for a test that takes `factor`: it runs once for each factor, under its name.

    >>> import factorloom as fl
    >>> from factorloom.testing import check_factor, each_factor
    >>> @each_factor({"gap": fl.open_ / fl.ts_delay(fl.close, 1) - 1})
    ... def test_promises(factor):
    ...     check_factor(factor)
    """
    try:
        import pytest
    except ImportError as error:
        raise MissingLibraryError("pytest is not installed", hint="pip install 'factorloom[testing]'") from error
    wanted = named_factors(factors if isinstance(factors, Mapping) else list(factors), (), {})
    return pytest.mark.parametrize("factor", [pytest.param(value, id=name) for name, value in wanted.items()])
