"""What all tests share: Hypothesis profiles, and the folder of real data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from factorloom.engine.executor.native import interpreter
from factorloom.expressions.registry import OPERATORS

interpreter.BUDGET.left = 0  # kernels are what is tested, but for `test_interpreter.py`

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("quick", deadline=None, derandomize=True, max_examples=25, suppress_health_check=QUIET)
settings.register_profile("fuzz", deadline=None, max_examples=2_000, suppress_health_check=QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real market data beside the repository, or where FACTORLOOM_DATA says; tests skip where there is none."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FACTORLOOM_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there (set FACTORLOOM_DATA)")
    return folder


@pytest.fixture
def forget_operators() -> Iterator[None]:
    """Operators that a test declares leave the language after it."""
    before = dict(OPERATORS)
    yield
    OPERATORS.clear()
    OPERATORS.update(before)
