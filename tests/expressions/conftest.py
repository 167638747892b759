"""What tests of the language share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _forget(forget_operators: None) -> None:
    """Every test may declare operators."""
