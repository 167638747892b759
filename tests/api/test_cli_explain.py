"""`factorloom explain-score`: text, the table of factors and the picture, and its errors."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import factorloom as fl
from factorloom.storage.store import Store

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def expected(store: Store, model_file: Path) -> fl.ScoreExplanation:
    symbol = store.panel("us").symbols[3]
    return store.explain_score("us", fl.ScoreModel.from_toml(model_file), symbol)


def test_an_explanation_is_text_a_table_or_a_picture(
    command: Command, store_path: Path, model_file: Path, expected: fl.ScoreExplanation, tmp_path: Path
) -> None:
    words = ("explain-score", "us", model_file, expected.symbol, "--store", store_path)
    assert command(*words) == (0, f"{expected}\n", "")
    code, out, _ = command(*words, "--format", "json")
    assert code == 0
    assert_frame_equal(pl.read_json(io.StringIO(out), schema=expected.factors.schema), expected.factors)
    code, out, _ = command(*words, "--format", "csv")
    assert code == 0
    assert pl.read_csv(io.StringIO(out))["contribution"].to_list() == expected.factors["contribution"].to_list()
    assert command(*words, "-o", tmp_path / "why.svg")[:2] == (0, "")
    assert (tmp_path / "why.svg").read_text(encoding="utf-8") == expected.to_svg()
    ET.parse(tmp_path / "why.svg")
    assert command(*words, "-o", tmp_path / "why.txt")[0] == 0
    assert (tmp_path / "why.txt").read_text(encoding="utf-8") == f"{expected}\n"


def test_dates_reach_the_explanation(command: Command, store_path: Path, model_file: Path, store: Store) -> None:
    symbol = store.panel("us").symbols[0]
    given = ("--date", "2025-06-06", "--before", "2025-05-02", "--as-of", "1", "--store", store_path)
    code, out, _ = command("explain-score", "us", model_file, symbol, *given)
    assert code == 0
    assert out.startswith(f"{symbol} on 2025-06-06, small: ") and "since 2025-05-02" in out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["ZZZZZ"], "no symbol 'ZZZZZ'"),
        (["{symbol}", "--date", "2025-06-07"], "the nearest earlier date is 2025-06-06"),
        (["{symbol}", "-o", "why.xyz"], "stands for no format"),
        (["{symbol}", "-o", "missing/why.svg"], "the folder"),
    ],
)
def test_what_cannot_be_explained(
    command: Command, store_path: Path, model_file: Path, store: Store, more: list[str], message: str
) -> None:
    words = [word.format(symbol=store.panel("us").symbols[0]) for word in more]
    code, out, err = command("explain-score", "us", model_file, *words, "--store", store_path)
    assert (code, out) == (2, "") and message in err
