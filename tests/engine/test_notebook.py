"""Pieces for notebooks are small, well-formed and escaped; Altair's charts are made from the tables."""

from __future__ import annotations

import importlib
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.plan.passes import make_plan
from factorloom.engine.research.report.notebook import evaluation_html
from factorloom.engine.research.report.plot import Plots
from factorloom.expressions.errors import MissingLibraryError, UnknownFactorError
from factorloom.expressions.notebook import pairs_html, table_html, text_html
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


def html(shown: Any) -> str:
    """What a notebook shows of an object."""
    return check(shown._repr_html_())


def test_a_factor_is_a_small_tree() -> None:
    piece = html(fl.cs_rank(fl.ts_mean(fl.col("close"), 5) / fl.col("open")))
    assert "lookback 4 bars" in piece
    assert re.findall(r"<b>(.*?)</b>", piece)[:2] == ["Factor", "cs_rank"]
    assert "ts_mean" in piece and "close" in piece and "look-ahead" not in piece and "unbounded" not in piece
    assert "look-ahead 2 bars" in html(fl.ts_lead(fl.close, 2)) and "unbounded memory" in html(fl.ts_cumsum(fl.close))
    assert "<li>col(&#x27;&lt;b&gt;&#x27;)" in html(-fl.col("<b>"))
    deep = fl.col("close")
    for _ in range(200):
        deep = fl.ts_delta(deep, 1)
    assert len(html(deep)) < 3_000 and "…" in html(deep)
    wide = fl.close
    for _ in range(40):  # 2 ** 40 nodes as text
        wide = wide + wide * 2
    assert len(html(wide)) < 10_000


def test_panels_models_and_plans() -> None:
    panel = fl.example()
    panel.notes = ("one bar had a price of <0",)
    piece = html(panel)
    assert f'<td class="t">{panel.rows}' in piece and f"{panel.dates[0]} to {panel.dates[-1]}" in piece
    assert "note 1" in piece and "price of &lt;0" in piece
    empty = html(fl.Panel(panel.table.clear()))
    assert "dates" in empty and " to " not in empty
    model = fl.ScoreModel("calm", {"a": "close < open", "b": fl.ScoreFactor(fl.close, weight=2, direction=-1)})
    piece = html(model)
    assert "Score model calm" in piece and "needs 1 of 2 factors" in piece and "winsorised by mad 3" in piece
    assert "close &lt; open" in piece and "-0.6667" in piece and "+0.3333" in piece
    factors = {"<i>": fl.cs_rank(fl.close < fl.open_)}
    piece = html(make_plan(factors))
    assert "1 factor: &lt;i&gt;" in piece and "stage 1" in piece and "cs_rank" in piece
    explained = panel.explain(factors)
    assert explained in html(explained).replace("&lt;", "<").replace("&gt;", ">")
    assert "rank" in html(panel.explain(fl.cs_rank(fl.close), form="polars"))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_of_any_kind_stays_text(text: str) -> None:
    assert {element.tag for element in ET.fromstring(check(text_html(text))).iter()} == {"div", "pre"}
    for piece in (pairs_html(text, {text: text}), table_html(text, text, [text], [[text]])):
        assert set(re.findall(r"<(\w+)", check(piece))) <= {"div", "b", "small", "table", "tr", "th", "td"}


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
