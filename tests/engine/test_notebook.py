"""Pieces for notebooks are small, well-formed and escaped; Altair's charts are made from the tables."""

from __future__ import annotations

import importlib
import re
import xml.etree.ElementTree as ET
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.research.report.notebook import (
    evaluation_html,
    factor_html,
    frame_html,
    pairs_html,
    panel_html,
    text_html,
)
from factorloom.engine.research.report.plot import Plots
from factorloom.expressions.errors import MissingLibraryError, UnknownFactorError
from tests.engine.random_evaluation import evaluation


def check(piece: str) -> str:
    assert piece.startswith('<div class="factorloom">') and piece.endswith("</div>")
    assert "<script" not in piece and " style=" not in piece and "://" not in piece
    assert piece.count("<style>") == 1
    return re.sub(r"<style>.*?</style>", "", piece)


def test_an_evaluation_shows_its_overview() -> None:
    piece = check(evaluation_html(evaluation(["momentum", "<b>"], (1, 5))))
    assert "2 factors, 2 horizons" in piece and "momentum" in piece and "&lt;b&gt;" in piece
    assert piece.count("<tr>") == 5
    assert "the first 60 of 80 rows" in evaluation_html(evaluation([f"f{n}" for n in range(40)], (1, 5), 10))


def test_a_factor_is_a_small_tree() -> None:
    piece = check(factor_html(fl.cs_rank(fl.ts_mean(fl.col("close"), 5) / fl.col("open"))))
    assert "lookback 4 bars" in piece
    assert re.findall(r"<b>(.*?)</b>", piece)[:2] == ["Factor", "cs_rank"]
    assert "ts_mean" in piece and "close" in piece and "look-ahead" not in piece
    deep = fl.col("close")
    for _ in range(200):
        deep = fl.ts_delta(deep, 1)
    assert len(factor_html(deep)) < 5_000 and "…" in factor_html(deep)


def test_frames_panels_pairs_and_text() -> None:
    frame = pl.DataFrame({"symbol": ["A", "<i>"], "score": [1.23456, None], "rank": [1, 2]})
    piece = check(frame_html("Scores", frame))
    assert "1.235" in piece and "&lt;i&gt;" in piece and "–" in piece
    panel = fl.example()
    notes = ["one bar had a price of <0"]
    piece = check(panel_html(len(panel), panel.symbols.len(), panel.dates, panel.columns, notes))
    assert "note 1" in piece and "price of &lt;0" in piece
    assert "dates" in panel_html(0, 0, [], [], [])
    assert "&lt;x&gt;" in check(pairs_html("Model", {"name": "<x>"}))
    assert "a &lt; b" in check(text_html("Plan", "a < b"))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_of_any_kind_stays_text(text: str) -> None:
    piece = check(text_html(text, text))
    assert {element.tag for element in ET.fromstring(piece).iter()} == {"div", "b", "pre"}


def test_without_altair_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingLibraryError, match=r"factorloom\[report\]"):
        Plots(evaluation()).ic("momentum")


def test_charts_of_altair() -> None:
    pytest.importorskip("altair", reason="altair comes with the extra report")
    plots = Plots(evaluation(["momentum", "value"], (1, 5), 60))
    charts = [plots.ic, plots.quantiles, plots.cumulative, plots.long_short, plots.decay]
    for chart in [*(draw("momentum") for draw in charts), plots.correlation()]:
        assert chart.to_dict()["$schema"]
    with pytest.raises(UnknownFactorError, match="momentum"):
        plots.ic("momentun")
