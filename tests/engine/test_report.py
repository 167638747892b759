"""The report is one well-formed file that needs no network, whatever the tables hold and factors are called."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import math
import re
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from factorloom.engine.research.report import page, write_report
from factorloom.engine.research.report.download import csv_text
from factorloom.engine.research.report.scale import date_ticks, fitted, sampled, thinned, ticks
from factorloom.expressions.errors import ArgumentError, FileError
from factorloom.expressions.markup import escape, tag
from tests.engine.random_evaluation import PlainEvaluation, evaluation, finding

VOID = {"meta", "input", "br", "hr", "link"}
MAY_END_ALONE = {"dd", "dt", "li", "tbody", "td", "th", "thead", "tr"}
HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</style><b>",
    "=cmd()",
    "]]>&amp;",
    "\u202eevil",
]


class Reader(HTMLParser):
    """Elements with their attributes, and text; what is not closed in order is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self.open[-1] in MAY_END_ALONE and self.open[-1] != tag:
            self.open.pop()
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.setdefault(self.open[-1] if self.open else "", []).append(data)


def drawings(text: str) -> list[ET.Element]:
    return [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]


def check(text: str) -> Reader:
    """What holds for every page."""
    reader = Reader(text)
    names = {name for name, _ in reader.elements}
    assert names.isdisjoint({"iframe", "object", "embed", "form", "img", "base", "link"})
    identities = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(identities) == len(set(identities))
    for name, attributes in reader.elements:
        assert "style" not in attributes and not any(key.startswith("on") for key in attributes)
        assert "src" not in attributes
        target = attributes.get("href")
        assert target is None or (target.startswith("#") and target[1:] in identities), name
        assert attributes.get("for") is None or attributes["for"] in identities
    for each in drawings(text):
        for mark in each.iter():
            for value in (mark.get("d"), mark.get("transform"), mark.get("x"), mark.get("y"), mark.get("data-y")):
                assert not re.search(r"nan|inf", value or ""), value
    visible = re.sub(r"<(script|style).*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r">[^<]*\b(nan|inf|None)\b[^<]*<", visible)
    return reader


def inline(text: str, name: str) -> list[str]:
    return re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)


def test_the_policy_allows_the_style_and_the_script_by_hash_and_nothing_else() -> None:
    text = page(evaluation())
    reader = check(text)
    policy = next(a["content"] for _, a in reader.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    found = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert found["default-src"] == "'none'" and found["base-uri"] == "'none'" and found["form-action"] == "'none'"
    for name in ("style", "script"):
        (content,) = inline(text, name)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert found[f"{name}-src"] == f"'sha256-{digest}'"
    assert set(found) == {"default-src", "style-src", "script-src", "base-uri", "form-action"}


def test_nothing_is_fetched_and_nothing_is_evaluated() -> None:
    text = page(evaluation())
    assert set(re.findall(r"\w+://[^\s\"'<)]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"url\(|@import|\beval\(|new Function|innerHTML|document\.write|fetch\(|import\(", text)


def test_every_factor_and_horizon_has_its_row_its_sheet_and_its_charts() -> None:
    found = evaluation(["a", "b", "c"], (1, 5))
    reader = check(page(found))
    sheets = [attributes for name, attributes in reader.elements if name == "section" and attributes.get("class")]
    panels = [a for _, a in reader.elements if str(a.get("class", "")).startswith("panel ")]
    assert len(sheets) == 3 and len(panels) == 6
    assert reader.words["h2"].count("a ") == 1
    titles = reader.words["b"]
    for title in ("Mean return by quantile", "Cumulative return by quantile", "Rank IC by date", "Tails by quantile"):
        assert titles.count(title) == 6
    for title in ("Turnover", "Autocorrelation", "Coverage", "Decay of rank IC"):
        assert titles.count(title) == 3
    assert "no value to draw" not in reader.words.get("p", [])


def test_the_same_evaluation_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = (write_report(evaluation(), tmp_path / name) for name in ("a.html", "b.html"))
    assert one.read_bytes() == other.read_bytes() == page(evaluation()).encode()


def test_twenty_factors_at_three_horizons_fit_into_one_and_a_half_megabytes() -> None:
    groups = ("Communication Services", "Consumer Discretionary", "Information Technology", *"ABCDEFGH")
    names = [f"a_name_of_usual_length_{number}" for number in range(20)]
    assert len(page(evaluation(names, (1, 5, 21), 1258, groups=groups)).encode()) < 1_500_000


names = st.text(st.characters(exclude_categories=[]), min_size=1, max_size=30) | st.sampled_from(HOSTILE)


@settings(max_examples=15)
@given(st.lists(names, min_size=1, max_size=2, unique=True), names)
@example(HOSTILE[:3], HOSTILE[3])
@example(HOSTILE[3:], HOSTILE[0])
def test_names_are_text_whatever_they_hold(factors: list[str], group: str) -> None:
    found = evaluation([name.encode(errors="replace").decode() for name in factors], (1,), 30, groups=("x",))
    group = group.encode(errors="replace").decode()
    found.tables["ic_by_group"] = found.tables["ic_by_group"].with_columns(group=pl.lit(group))
    found.settings["note"] = factors[0]
    found.health = finding(factors[0], "warning", factors[-1])
    text = page(found, title=factors[0])
    reader, harmless = check(text), check(page(evaluation(["a", "b"][: len(factors)], (1,), 30, groups=("x",))))
    kinds = {name for name, _ in reader.elements}
    assert kinds == {name for name, _ in harmless.elements}
    assert len(inline(text, "script")) == 1
    text.encode()


@given(st.text(st.characters(exclude_categories=[])))
def test_escaped_text_reads_back(text: str) -> None:
    written = tag("text", text, x=text)
    element = ET.fromstring(written)
    kept = escape(text).encode().decode()
    assert "<" not in kept and '"' not in kept
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    found = "".join(letter if letter.isprintable() else " " for letter in element.text or "")
    assert found.replace("\ufffd", " ") == plain.replace("\ufffd", " ").replace("\r\n", " ") or "\r" in text


@pytest.mark.parametrize("dates", [1, 2, 3, 70])
@pytest.mark.parametrize("missing", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("quantiles", [1, 2, 12])
def test_poor_tables_are_drawn(dates: int, missing: float, quantiles: int) -> None:
    found = evaluation(["only"], (1, 300), dates, quantiles=quantiles, missing=missing, groups=())
    check(page(found))


@pytest.mark.parametrize("value", [0.0, 1e-300, -1e12, 1e300, math.inf, math.nan])
def test_constants_and_extremes_are_drawn(value: float) -> None:
    found = evaluation(["only"], (1,), 40)
    for name, table in found.tables.items():
        found.tables[name] = table.with_columns(pl.col(pl.Float64) * 0 + value)
    check(page(found))


def test_empty_tables_are_drawn() -> None:
    found = evaluation(["a", "b"], (1, 5), 30)
    found.tables = {name: table.clear() for name, table in found.tables.items()}
    assert "no dates" in page(found)
    check(page(found))
    check(page(evaluation([], (), 10)))


def test_findings_are_listed() -> None:
    found = evaluation(dates=10)
    found.health = pl.concat([finding("b_c", "fault", "grave"), finding("a", "info", "a trifle")])
    text = page(found)
    assert text.index("grave") < text.index("a trifle") and "b c" in text
    found.health = found.health.clear()
    assert "No finding." in page(found)


def test_dates_with_a_time_of_day_are_drawn() -> None:
    found = evaluation(["a"], (1,), 60)
    for name, table in found.tables.items():
        if "date" in table.columns:
            hours = pl.int_range(pl.len()).over("date") * 0
            found.tables[name] = table.with_columns(
                pl.col("date").cast(pl.Datetime("us")) + pl.duration(hours=9 + hours)
            )
    check(page(found))


def downloaded(text: str) -> dict[str, str]:
    blocks = re.findall(r'<data value="(.*?)" data-name="(.*?)"', text)
    return {name: zlib.decompress(base64.b64decode(value)).decode() for value, name in blocks}


def test_tables_travel_with_the_page() -> None:
    found = evaluation()
    tables = downloaded(page(found))
    assert {"summary", "quantile_returns", "tails", "dropped", "ic_by_year"} <= tables.keys()
    rows = list(csv.DictReader(io.StringIO(tables["summary"])))
    assert [row["factor"] for row in rows] == found.summary["factor"].to_list()
    for row, value in zip(rows, found.summary["rank_ic_mean"], strict=True):
        assert (
            row["rank_ic_mean"] == "" if value is None else float(row["rank_ic_mean"]) == pytest.approx(value, rel=1e-5)
        )


def test_a_spreadsheet_runs_no_name_as_a_formula() -> None:
    table = pl.DataFrame({"factor": ["=1+1", "+a", "-b", "@c", "\td", "fine", None], "value": [-1.0] * 7})
    rows = list(csv.DictReader(io.StringIO(csv_text(table), newline="")))
    assert [row["factor"] for row in rows] == ["'=1+1", "'+a", "'-b", "'@c", "'\td", "fine", ""]
    assert {row["value"] for row in rows} == {"-1.0"}


def test_a_report_is_refused_where_it_cannot_stand(tmp_path: Path) -> None:
    found = evaluation(dates=10)
    with pytest.raises(ArgumentError, match="is a folder"):
        write_report(found, tmp_path)
    with pytest.raises(ArgumentError, match="does not exist"):
        write_report(found, tmp_path / "none" / "a.html")
    with pytest.raises(ArgumentError, match="must be a path"):
        write_report(found, 3)  # type: ignore[arg-type]
    with pytest.raises(FileError, match="cannot be written"):
        write_report(found, tmp_path / ("a" * 300 + ".html"))


def test_a_report_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "sheet.html"
    path.write_text("old")
    assert write_report(evaluation(), path, title="A & B") == path.resolve()
    assert "<title>A &amp; B</title>" in path.read_text()
    assert [item.name for item in tmp_path.iterdir()] == ["sheet.html"]


Thinning = Callable[[np.ndarray, int], tuple[np.ndarray, list[int]]]
floats = st.floats(-1e6, 1e6) | st.just(math.nan)


@pytest.mark.parametrize("thin", [thinned, sampled])
@given(st.lists(floats, max_size=300), st.integers(4, 60))
def test_thinning_keeps_ends_and_extremes(thin: Thinning, values: list[float], points: int) -> None:
    array = np.array(values, dtype=float)
    kept, starts = thin(array, points)
    present = np.flatnonzero(np.isfinite(array))
    assert set(kept.tolist()) <= set(present.tolist()) and len(kept) <= points + 4
    assert starts == sorted(set(starts)) and (not len(kept) or starts[0] == 0)
    if present.size:
        assert {kept[0], kept[-1]} == {present[0], present[-1]}
        assert array[kept].min() == array[present].min() and array[kept].max() == array[present].max()


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20), st.booleans())
def test_scales_hold_all_values_and_have_ticks(values: list[float], zero: bool) -> None:
    scale = fitted([np.array(values)], 100, 0, zero=zero)
    room = 1e-6 * (scale.high - scale.low)
    assert scale.low < scale.high
    assert scale.low - room <= min(values) and max(values) <= scale.high + room
    assert not zero or scale.low <= 0 <= scale.high
    places, step = ticks(scale)
    assert 1 <= len(places) <= 7 and step > 0
    assert all(scale.low - room <= place <= scale.high + room for place in places)


def test_ticks_of_dates_stand_where_the_text_changes() -> None:
    years = [str(2010 + number // 250) for number in range(1250)]
    assert date_ticks([years]) == [(250, "2011"), (500, "2012"), (750, "2013"), (1000, "2014")]
    assert date_ticks([["2010"], ["2010-05-01"]]) == [(0, "2010-05-01")]
    assert date_ticks([]) == []
    assert len(date_ticks([[str(number) for number in range(500)]])) <= 7


def test_where_many_sheets_are_drawn_lines_have_fewer_points() -> None:
    def path(found: PlainEvaluation) -> int:
        return max(len(mark) for mark in re.findall(r'class="l f" data-n="rank IC" d="(.*?)"', page(found)))

    assert path(evaluation(list("abcdefgh"), (1, 5, 21), 800)) < path(evaluation(["a"], (1,), 800))
