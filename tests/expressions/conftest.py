"""What tests of the language share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from factorloom.expressions.registry import OPERATORS


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Operators that a test declares leave the language after it."""
    before = dict(OPERATORS)
    yield
    OPERATORS.clear()
    OPERATORS.update(before)
