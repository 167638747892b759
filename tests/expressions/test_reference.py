"""The reference page is the code's own."""

from __future__ import annotations

from pathlib import Path

from factorloom.expressions.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == reference(), "run: factorloom operators --format markdown -o docs/operators.md"
