"""Explanations of scores: the numbers of `fl.score`, steps as in plain NumPy, changes as scores of frames by hand."""

from __future__ import annotations

import datetime
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.research.model import ScoreFactor, ScoreModel, Winsorize
from factorloom.engine.research.waterfall import Part, waterfall
from factorloom.expressions.errors import ArgumentError, ParameterError, UnknownColumnError
from tests.engine.plain_score import market, plain_winsorize
from tests.engine.test_score_rules import Numbers, frame_of, plain_residual, plain_rotation, plain_transform

NAMES = ("a", "b", "c")
SVG = "{http://www.w3.org/2000/svg}"
RULES = (None, Winsorize(), Winsorize("mad", 1.0), Winsorize("std", 1.5), Winsorize("quantile", 0.1))
ROTATIONS = ((None, "reweight"), (None, "neutral"), ("order", "neutral"), ("symmetric", "neutral"))


@st.composite
def models(draw: st.DrawFn) -> ScoreModel:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    rotation, missing = draw(st.sampled_from(ROTATIONS))
    groups = draw(st.sampled_from([{}, {"g": 2.0}]))
    weights = st.floats(0.1, 10)
    group = "g" if groups else None
    return ScoreModel(
        "drawn",
        {name: ScoreFactor(name, draw(weights), draw(st.sampled_from([-1, 1])), group) for name in names},
        winsorize=draw(st.sampled_from(RULES)),
        transform=draw(st.sampled_from(["robust_zscore", "zscore", "rank", "normal_score"])),
        exposures=draw(st.sampled_from([(), ("size",), ("size", "beta")])),
        neutralize=draw(st.sampled_from([None, "sector"])),
        orthogonalize=rotation,
        missing=missing,
        min_factors=draw(st.sampled_from([None, 1])),
        groups=groups,
    )


@st.composite
def panels(draw: st.DrawFn) -> fl.Panel:
    """Three dates with missing values, gaps, ties, a constant, unknown sectors that change, and other units."""
    symbols = draw(st.integers(1, 30))
    frame = frame_of(draw(st.integers(0, 999)), symbols, 3, draw(st.sampled_from([0.0, 0.2, 0.6])))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    if draw(st.booleans()):
        frame = frame.with_columns(pl.col("a").round(0), pl.col("b") * 1e6)
    if draw(st.booleans()):
        frame = frame.with_columns(c=pl.lit(2.0))
    sectors = np.array(["x", "y", "z", None], dtype=object)[rng.choice(4, frame.height, p=[0.5, 0.3, 0.15, 0.05])]
    frame = frame.with_columns(sector=pl.Series(sectors.tolist(), dtype=pl.String))
    kept = rng.random(frame.height) > draw(st.sampled_from([0.0, 0.2]))
    kept[0] = True
    return fl.Panel.from_frame(frame.filter(pl.Series(kept)))


def row_of(table: pl.DataFrame, symbol: str) -> dict[str, Any] | None:
    found = table.filter(pl.col("symbol") == symbol)
    return found.row(0, named=True) if found.height else None


def parts_of(row: dict[str, Any] | None, model: ScoreModel) -> list[float | None]:
    return [row[f"contribution_{name}"] if row else None for name in model.factors]


def zeros(parts: list[float | None]) -> Numbers:
    return np.array([part or 0.0 for part in parts])


# --- the numbers of the score -------------------------------------------------------------------------------


@given(panels(), models(), st.data())
def test_an_explanation_has_the_numbers_of_the_score(panel: fl.Panel, model: ScoreModel, data: st.DataObject) -> None:
    symbol = data.draw(st.sampled_from(panel.symbols.to_list()))
    date = data.draw(st.sampled_from(panel.dates.to_list()))
    found = fl.explain_score(panel, model, symbol, date)
    table = fl.score(panel, model, date=date)
    row = row_of(table, symbol)
    assert found.of == table["score"].count()
    assert found.factors["factor"].to_list() == list(model.factors)
    assert found.factors["contribution"].to_list() == parts_of(row, model)
    if row is None:
        assert (found.score, found.rank, found.reason) == (None, None, f"no bar on {date}")
        assert found.factors["missing"].to_list() == [found.reason] * len(model.factors)
    else:
        for name in ("score", "rank", "percentile", "reason"):
            assert getattr(found, name) == row[name]
        raw = panel.compute(model.raw, dates=date, symbols=symbol)
        assert found.factors["raw"].to_list() == list(raw.drop("symbol", "date").row(0))
    if found.score is not None:
        total = math.fsum(found.factors["contribution"].drop_nulls())
        assert abs(total - found.score) <= 1e-12 * max(1.0, found.factors["contribution"].abs().max() or 0.0)  # type: ignore[operator]
    _weighing(found, model)
    ET.fromstring(found.to_svg())


def _weighing(found: fl.ScoreExplanation, model: ScoreModel) -> None:
    """The contribution is direction * share * z, to the last bit, unless exposures are taken from it once more."""
    last = "rotated" if model.orthogonalize else "neutral" if model.exposures else "standardized"
    shares = []
    for row in found.factors.iter_rows(named=True):
        assert row["weight"] == model.shares[row["factor"]]
        assert (row["contribution"] is None) <= (row["missing"] is not None)
        if row["share"] is None:
            assert row["missing"] is not None
            continue
        shares.append(row["share"])
        weighed = row[last] * (row["direction"] * row["share"])
        assert weighed == (row["weighed"] if model.exposures else row["contribution"])
    if shares and model.missing == "reweight":
        assert math.fsum(shares) == pytest.approx(1, abs=1e-12)


# --- steps against plain NumPy ------------------------------------------------------------------------------

options = st.fixed_dictionaries(
    {
        "winsorize": st.sampled_from(RULES),
        "transform": st.sampled_from(["robust_zscore", "zscore", "rank", "normal_score"]),
        "exposures": st.sampled_from([(), ("size",), ("size", "beta")]),
        "neutralize": st.sampled_from([None, "sector"]),
        "orthogonalize": st.sampled_from([None, "order", "symmetric"]),
    }
)


def plain_steps(day: pl.DataFrame, model: ScoreModel) -> dict[str, Numbers]:
    """Each step as an array, a row per symbol and a column per factor."""
    sectors = day["sector"].to_numpy() if model.neutralize else None
    shape = (day.height, len(model.factors))
    steps = {name: np.full(shape, np.nan) for name in ("winsorized", "standardized", "neutral")}
    within = sectors if sectors is not None and not model.exposures else np.full(day.height, "all")
    for place, name in enumerate(model.factors):
        raw = day[name].to_numpy().astype(float)
        for group in np.unique(within):
            rows = (within == group) & ~np.isnan(raw)
            clipped = plain_winsorize(day.filter(pl.Series(rows))[name].to_pandas(), model.winsorize).to_numpy()
            steps["winsorized"][rows, place] = clipped
            steps["standardized"][rows, place] = plain_transform(clipped, model.transform)
        if model.exposures:
            exposures = day.select(*model.exposures).to_numpy().astype(float)
            rest = plain_residual(steps["standardized"][:, place], exposures, sectors)
            steps["neutral"][:, place] = (rest - np.nanmean(rest)) / np.nanstd(rest, ddof=1)
    z = steps["neutral" if model.exposures else "standardized"]
    enough = (~np.isnan(z)).sum(axis=1) >= model.needed
    steps["rotated"] = np.full(shape, np.nan)
    if model.orthogonalize:
        steps["rotated"][enough] = plain_rotation(np.nan_to_num(z[enough]), model.orthogonalize)
    return steps


@given(options, st.integers(0, 999), st.integers(40, 60), st.sampled_from([0.0, 0.1]), st.integers(0, 39))
def test_steps_are_those_of_plain_numpy(
    drawn: dict[str, Any], seed: int, symbols: int, missing: float, place: int
) -> None:
    model = ScoreModel(
        "m", {"a": ScoreFactor("a", 2), "b": ScoreFactor("b", 1, -1), "c": "c"}, **drawn, missing="neutral"
    )
    frame = frame_of(seed, symbols, 1, missing).sort("symbol")
    symbol = frame["symbol"][place]
    found = fl.explain_score(fl.Panel.from_frame(frame), model, symbol).factors
    for step, expected in plain_steps(frame, model).items():
        if step in found.columns:
            ours = found[step].to_numpy().astype(float)
            np.testing.assert_allclose(ours, expected[place], rtol=0, atol=1e-8, err_msg=step)
    assert ("neutral" in found.columns) == bool(model.exposures) == ("weighed" in found.columns)
    assert ("rotated" in found.columns) == bool(model.orthogonalize)


# --- changes ------------------------------------------------------------------------------------------------


@given(panels(), models(), st.data())
def test_changes_are_scores_of_frames_made_by_hand(panel: fl.Panel, model: ScoreModel, data: st.DataObject) -> None:
    symbol = data.draw(st.sampled_from(panel.symbols.to_list()))
    dates = panel.dates.to_list()
    date = data.draw(st.sampled_from(dates))
    earlier = [day for day in dates if day < date]
    if not earlier:
        assert fl.explain_score(panel, model, symbol, date).changes.is_empty()
        return
    before = data.draw(st.sampled_from([None, *earlier]))
    found = fl.explain_score(panel, model, symbol, date, before=before)
    day = before or earlier[-1]
    assert found.before == day
    first, last = (row_of(fl.score(panel, model, date=each), symbol) for each in (day, date))
    s0, s1 = parts_of(first, model), parts_of(last, model)
    assert found.changes["before"].to_list() == s0
    assert found.changes["after"].to_list() == s1
    expected = zeros(s1) - zeros(s0)
    if first is not None and last is not None:
        expected = zeros(_moved(panel, model, symbol, date, day)) - zeros(s0)
    np.testing.assert_array_equal(found.changes["value"].to_numpy(), expected)
    total = found.changes.select(pl.sum_horizontal("value", "universe", "weight")).to_series().to_numpy()
    scale = max(1.0, *np.abs([*zeros(s0), *zeros(s1), *expected]))
    np.testing.assert_allclose(total, zeros(s1) - zeros(s0), rtol=0, atol=1e-12 * scale)
    assert found.changes["weight"].to_list() == [0.0] * len(model.factors)
    for note, pair in zip(found.changes["note"], zip(s0, s1, strict=True), strict=True):
        assert (note is not None) == (None in pair)


def _moved(
    panel: fl.Panel, model: ScoreModel, symbol: str, date: datetime.date, before: datetime.date
) -> list[float | None]:
    """The contributions on the earlier date with today's columns of the symbol: its factors are columns."""
    frame = panel.frame
    others = frame.filter((pl.col("date") == before) & (pl.col("symbol") != symbol))
    own = frame.filter((pl.col("date") == date) & (pl.col("symbol") == symbol)).with_columns(date=pl.lit(before))
    table = fl.score(fl.Panel.from_frame(pl.concat([others, own])), model)
    return parts_of(row_of(table, symbol), model)


def test_only_the_universe_changed() -> None:
    frame = frame_of(5, 12, 2, 0.0)
    days = sorted(frame["date"].unique())
    same = frame.filter(pl.col("symbol") == "S03", pl.col("date") == days[0]).with_columns(date=pl.lit(days[1]))
    frame = pl.concat([frame.filter(~((pl.col("symbol") == "S03") & (pl.col("date") == days[1]))), same])
    changes = fl.explain_score(fl.Panel.from_frame(frame), ScoreModel("m", {"a": "a", "b": "b"}), "S03").changes
    assert changes["value"].to_list() == [0.0, 0.0]
    assert all(abs(each) > 1e-3 for each in changes["universe"])


# --- degenerate dates ---------------------------------------------------------------------------------------


def frame_with(**columns: list[Any]) -> fl.Panel:
    """Two dates of symbols A, B, C ...; values by date, then by symbol."""
    size = len(next(iter(columns.values()))) // 2
    days = [datetime.date(2024, 1, 2)] * size + [datetime.date(2024, 1, 3)] * size
    frame = pl.DataFrame({"symbol": list("ABCDEFGH"[:size]) * 2, "date": days, **columns}, strict=False)
    return fl.Panel.from_frame(frame.cast(dict.fromkeys(set(columns) - {"sector"}, pl.Float64)))  # type: ignore[arg-type]


def test_a_symbol_that_is_new_or_gone() -> None:
    frame = frame_with(a=[1, 2, 4, 3, 5, 1]).frame
    model = ScoreModel("m", {"a": "a"})
    new = fl.explain_score(
        fl.Panel.from_frame(frame.filter(~((pl.col("symbol") == "B") & (pl.col("a") == 2)))), model, "B"
    )
    assert new.changes.row(0) == ("a", None, new.score, new.score, 0.0, 0.0, "no bar on 2024-01-02")
    panel = fl.Panel.from_frame(frame.filter(~((pl.col("symbol") == "B") & (pl.col("a") == 5))))
    gone = fl.explain_score(panel, model, "B")
    assert (gone.score, gone.reason, gone.of) == (None, "no bar on 2024-01-03", 2)
    assert gone.changes.row(0) == ("a", 0.0, None, 0.0, 0.0, 0.0, "no bar on 2024-01-03")
    assert "no score: no bar on 2024-01-03" in str(gone)


@pytest.mark.parametrize(
    ("options", "columns", "why"),
    [
        ({}, {"a": [1, 2], "b": [None, None]}, ["no spread on the date", "raw value missing"]),
        ({}, {"a": [2] * 6, "b": [1, 2, 3, 1, 2, 3]}, ["no spread on the date", None]),
        ({"min_factors": 2}, {"a": [None] * 6, "b": [1, 2, 3, 1, 2, 3]}, ["raw value missing", "too few factors"]),
        (
            {"neutralize": "sector"},
            {"a": [1, 2, 3, 4] * 2, "b": [1, 2, 3, 5] * 2, "sector": [None, "x", "x", "x"] * 2},
            ["no sector", "no sector"],
        ),
        (
            {"neutralize": "sector"},
            {"a": [1, 2, 3, 4] * 2, "b": [None, 2, 3, 5] * 2, "sector": ["y", "x", "x", "x"] * 2},
            ["no spread in its sector", "raw value missing"],
        ),
        (
            {"exposures": ["size"]},
            {"a": [1, 2, 3, 4] * 2, "b": [1, 2, 3, 5] * 2, "size": [None, 2, 3, 5] * 2},
            ["no size", "no size"],
        ),
        (
            {"exposures": ["size"]},
            {"a": [1, 2, 3, 4] * 2, "b": [1, 3, 2, 5] * 2, "size": [1, 2, 3, 4] * 2},
            ["no spread left by the exposures", None],
        ),
        (
            {"orthogonalize": "order", "missing": "neutral"},
            {"a": [1, 2, 3, 5] * 2, "b": [2, 4, 6, 10] * 2},
            [None, "explained by the factors before it"],
        ),
    ],
)
def test_why_a_factor_has_no_value(options: dict[str, Any], columns: dict[str, list[Any]], why: list[str]) -> None:
    model = ScoreModel("m", {"a": "a", "b": "b"}, **options)
    found = fl.explain_score(frame_with(**columns), model, "A")
    assert found.factors["missing"].to_list() == why
    for text in filter(None, why):
        assert text in str(found)


def test_the_first_date_is_compared_with_nothing() -> None:
    found = fl.explain_score(fl.example(), ScoreModel("m", {"a": "close"}), "A", "2024-01-02")
    assert found.before is None and found.changes.is_empty() and "since" not in str(found)
    assert found.changes.columns == ["factor", "before", "after", "value", "universe", "weight", "note"]


def test_bars_with_a_time_of_day() -> None:
    frame = market(6, 40).with_columns(pl.col("date").cast(pl.Datetime("us")).dt.offset_by("10h"))
    later = frame.with_columns(pl.col("date").dt.offset_by("5h"), pl.col("close") * 1.01)
    panel = fl.Panel.from_frame(pl.concat([frame, later]))
    found = fl.explain_score(panel, ScoreModel("m", {"a": "ts_pct_change(close, 3)"}), "S01", "2023-01-20")
    assert (found.date, found.before) == (datetime.datetime(2023, 1, 20, 15), datetime.datetime(2023, 1, 20, 10))
    assert found.score is not None


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"symbol": "AA"}, ParameterError, "no symbol 'AA'\n.*did you mean 'A'"),
        ({"symbol": 3}, ArgumentError, "symbol must be text, got int"),
        ({"date": "2024-01-07"}, ParameterError, "no bars on 2024-01-07\n.*nearest earlier date is 2024-01-04"),
        ({"before": "2024-01-04"}, ParameterError, "before must be earlier than 2024-01-04, got 2024-01-04"),
        ({"before": "2023-01-04"}, ParameterError, "no bars on 2023-01-04"),
        ({"model": "m"}, ArgumentError, "model must be a ScoreModel"),
        ({"panel": None}, ArgumentError, "panel must be a Panel"),
        ({"panel": fl.Panel(fl.example().table.clear())}, ParameterError, "no symbol 'A'"),
        ({"model": ScoreModel("m", {"a": "close"}, neutralize="sectr")}, UnknownColumnError, "did you mean 'sector'"),
    ],
)
def test_what_cannot_be_explained(given: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        fl.explain_score(**({"panel": fl.example(), "model": ScoreModel("m", {"a": "close"}), "symbol": "A"} | given))


# --- how it is shown ----------------------------------------------------------------------------------------


def drawn(picture: str) -> tuple[ET.Element, list[dict[str, float]]]:
    """The picture, parsed, and its bars, which lie within it."""
    root = ET.fromstring(picture)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    bars = [{key: float(bar.attrib[key]) for key in ("x", "y", "width", "height")} for bar in root.iter(f"{SVG}rect")]
    for bar in bars:
        assert bar["x"] >= 0 and bar["x"] + bar["width"] <= width + 1
        assert bar["y"] >= 0 and bar["y"] + bar["height"] <= height
    return root, bars


numbers = st.one_of(st.floats(-1e305, 1e305), st.floats(-3, 3), st.sampled_from([0.0, -0.0, 5e-324, 1e305]))


@given(
    st.lists(st.tuples(st.text(max_size=30), st.none() | numbers), max_size=40),
    st.none() | numbers,
    st.text(max_size=9),
)
def test_any_picture_is_xml(parts: list[tuple[str, float | None]], total: float | None, title: str) -> None:
    root, bars = drawn(waterfall(title, [Part(*part, note="<&>") for part in parts], Part("score", total, title)))
    known = sum(value is not None for _, value in parts)
    assert len(bars) == min(known, 30) + (total is not None)
    assert root[0].tag == f"{SVG}title" and root.attrib["role"] == "img"


def test_bars_lead_from_zero_to_the_score() -> None:
    parts = [Part("small", 0.5), Part("big", 2.0), Part("down", -1.0), Part("none", None, "raw value missing")]
    root, (big, down, small, score) = drawn(waterfall("A", parts, Part("score", 1.5)))
    unit = big["width"] / 2
    assert [down["width"], small["width"], score["width"]] == pytest.approx([unit, unit / 2, 1.5 * unit], abs=0.2)
    assert big["x"] == score["x"] and down["x"] == small["x"]
    assert big["x"] + big["width"] == pytest.approx(down["x"] + down["width"], abs=0.2)
    assert small["x"] + small["width"] == pytest.approx(score["x"] + score["width"], abs=0.2)
    kinds = [bar.attrib["class"] for bar in root.iter(f"{SVG}rect")]
    assert kinds == ["p", "n", "p", "t"]
    assert "raw value missing" in [text.text for text in root.iter(f"{SVG}text")]


def test_many_factors_are_summed_in_one_bar() -> None:
    parts = [Part(f"f{n}", 1.0 / (n + 1)) for n in range(100)]
    root, bars = drawn(waterfall("A", parts, Part("score", 5.0)))
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert len(bars) == 31
    assert words[words.index("71 others") + 1] == f"+{sum(1.0 / (n + 1) for n in range(29, 100)):.4g}"


def test_names_are_escaped() -> None:
    frame = fl.example().frame.with_columns(pl.col("symbol").replace("A", '<b a="1">&\x00\u202e'))
    found = fl.explain_score(fl.Panel.from_frame(frame), ScoreModel("m", {"a": "close"}), frame["symbol"].min())  # type: ignore[arg-type]
    assert found.symbol.startswith("<b")
    for text in (found.to_svg(), found._repr_html_()):
        assert "<b a" not in text and "\x00" not in text and "\u202e" not in text
    drawn(found.to_svg())


def test_text_and_html_have_the_tables() -> None:
    panel = fl.Panel.from_frame(market())
    model = ScoreModel(
        "rich",
        {
            "up": ScoreFactor("ts_pct_change(close, 5)", group="g"),
            "late": ScoreFactor("ts_delay(close, 99)", group="g"),
        },
        exposures={"size": "log(close)"},
        groups={"g": 1},
    )
    found = fl.explain_score(panel, model, "S23")
    text = str(found)
    assert text.startswith(f"S23 on {panel.dates[-1]}, rich: score ")
    assert re.search(r"factor +group +raw +winsorized +standardized +neutral +direction +share +weighed", text)
    assert re.search(r"late +g +- .*raw value missing$", text, re.MULTILINE)
    assert f"since {panel.dates[-2]}" in text
    page = found._repr_html_()
    assert page.count("<table>") == 2 and page.count("<svg") == 1
    assert repr(found).startswith("<ScoreExplanation: S23 on ")


# --- real bars ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rotation", [None, "symmetric"])
def test_real_scores_are_explained(rotation: Any, data_folder: Path) -> None:
    names = pl.read_csv(data_folder / "reference" / "sp500_gics_sectors.csv")
    bars = pl.read_parquet(data_folder / "prices" / "sp500_2013_2018.parquet").drop("file_symbol")
    bars = bars.join(names.select(symbol="Symbol", sector="GICS Sector"), on="symbol", how="left")
    panel = fl.Panel.from_frame(bars)
    model = ScoreModel(
        "real",
        {
            "momentum": ScoreFactor("ts_delay(close, 21) / ts_delay(close, 252) - 1", 2),
            "reversal": ScoreFactor("ts_pct_change(close, 5)", 1, -1),
            "volatility": ScoreFactor("ts_std(returns, 60)", 1, -1),
        },
        neutralize="sector",
        exposures={"size": "log(ts_mean(close * volume, 20))"},
        orthogonalize=rotation,
        missing="neutral" if rotation else "reweight",
    )
    dates = panel.dates.to_list()
    for date, before in ((dates[-1], None), (dates[700], dates[640])):
        table = fl.score(panel, model, date=date)
        earlier = fl.score(panel, model, date=before or dates[-2])
        for symbol in ("AAPL", "XOM", "BAC", table["symbol"][-1]):
            found = fl.explain_score(panel, model, symbol, date, before=before)
            s0, s1 = (parts_of(row_of(each, symbol), model) for each in (earlier, table))
            assert found.factors["contribution"].to_list() == s1 and found.changes["before"].to_list() == s0
            total = found.changes.select(pl.sum_horizontal("value", "universe", "weight")).to_series().to_numpy()
            np.testing.assert_allclose(total, zeros(s1) - zeros(s0), rtol=0, atol=1e-12)
            assert abs(zeros(s1).sum() - (found.score or 0.0)) <= 1e-12
