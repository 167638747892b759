"""The pages of the libraries are the code's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorloom.expressions.library import LIBRARIES
from factorloom.expressions.library.page import page

FOLDER = Path(__file__).parents[2] / "docs" / "library"


@pytest.mark.parametrize("name", LIBRARIES)
def test_the_page_is_current(name: str) -> None:
    wanted = page(LIBRARIES[name]())
    command = f"factorloom library {name} --format markdown -o docs/library/{name}.md"
    assert (FOLDER / f"{name}.md").read_text() == wanted, f"run: {command}"


def test_every_page_has_a_library() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == set(LIBRARIES)
