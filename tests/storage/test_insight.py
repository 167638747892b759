"""What a store says of what it keeps, and that it keeps within its limits."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_series_equal

import factorloom as fl
from factorloom.engine.research.model import ScoreModel
from factorloom.expressions.errors import ArgumentError, FactorloomError, ParameterError
from factorloom.expressions.parse import parse
from factorloom.storage.store import Store, open_store
from factorloom.storage.tier import CacheLimits, Tiers

FACTORS = {"mean": parse("ts_mean(close, 5)"), "rank": parse("cs_rank(volume)")}


def states(store: Store, **options: Any) -> list[str]:
    return store.explain("demo", FACTORS, **options)["state"].to_list()


def test_explain_says_where_values_are(loaded: Store, bars: pl.DataFrame) -> None:
    assert states(loaded) == ["missing", "missing"]
    table = loaded.explain("demo", FACTORS)
    assert table["cells"].to_list() == [bars.height] * 2
    assert table["seconds"].to_list() == [None, None]
    loaded.compute("demo", FACTORS)
    assert states(loaded) == ["hot", "hot"]
    loaded.clear()
    assert states(loaded) == ["persistent", "persistent"]
    more = bars.filter(pl.col("date") == bars["date"].max()).with_columns(pl.col("date").dt.offset_by("1d"))
    loaded.load("demo", more)
    assert states(loaded) == ["partly", "partly"]
    table = loaded.explain("demo", FACTORS)
    assert table["missing_days"].to_list() == [1, 1]
    assert table["cells"].to_list() == [more.height] * 2
    assert all(seconds > 0 for seconds in table["seconds"])
    assert states(loaded, end=bars["date"].max()) == ["persistent", "persistent"]
    assert loaded.counters.misses == 2


def test_differences_of_versions(loaded: Store, bars: pl.DataFrame) -> None:
    loaded.save("demo", FACTORS)
    day = bars["date"].unique().sort()[-3]
    symbol = bars.filter(date=day)["symbol"][0]
    one = bars.filter(symbol=symbol, date=day).with_columns(pl.col("close") * 2)
    new = one.with_columns(symbol=pl.lit("ZZZZ"))
    loaded.load("demo", pl.concat([one, new]))
    found = loaded.diff("demo", 1, model=ScoreModel("m", {"x": parse("ts_mean(close, 5)")}))
    assert found.bars.select("symbol", "date", "change").rows() == [(symbol, day, "updated"), ("ZZZZ", day, "inserted")]
    assert found.bars["columns"][0].to_list() == ["close"]
    cells = dict(found.factors.select("name", "cells").iter_rows())
    on_day = bars.filter(date=day).height
    assert cells == {"mean": 3 + 1, "rank": on_day + 1}
    assert symbol in found.ranks["symbol"].to_list()
    assert loaded.diff("demo", 2).bars.is_empty()


def test_stats_count_and_limits_hold(bars: pl.DataFrame) -> None:
    limits = CacheLimits(hot=300_000, compressed=200_000)
    with open_store(":memory:", cache=limits) as store:
        store.load("demo", bars)
        for number in range(20):
            store.compute("demo", x=parse(f"close * {number + 2}"))
        stats = store.stats()
        assert stats["tier"].to_list() == ["hot", "compressed", "persistent"]
        assert (stats["bytes"][:2] <= stats["limit"][:2]).all()
        assert stats["items"].min() > 0
        assert stats["evictions"][0] > 0
        assert stats["misses"][0] == 20
        for number in range(19, 15, -1):
            assert store.compute("demo", x=parse(f"close * {number + 2}"))["x"].len() == bars.height
        assert store.stats()["hits"][:2].sum() == 4
        assert store.stats()["seconds_saved"][0] > 0
        store.clear()
        assert store.stats()["bytes"][:2].to_list() == [0, 0]
        store.clear("all")
        assert store.stats()["items"].to_list() == [0, 0, 0]


def test_what_was_made_first_leaves_the_files_first(bars: pl.DataFrame) -> None:
    with open_store(":memory:", cache=CacheLimits(hot=0, compressed=0, persistent=400_000)) as store:
        store.load("demo", bars)
        store.save("demo", FACTORS)
        store.pin("demo", pinned=parse("close * 1.5"))
        store.compute("demo", pinned=parse("close * 1.5"))
        for number in range(10):
            store.compute("demo", x=parse(f"ts_mean(close, {number + 7})"))
        assert store.stats()["bytes"][2] <= 400_000
        assert states(store) == ["persistent", "persistent"]
        assert store.explain("demo", x="close * 1.5")["state"].to_list() == ["persistent"]
        assert store.explain("demo", x="ts_mean(close, 7)")["state"].to_list() == ["missing"]
        assert store.explain("demo", x="ts_mean(close, 16)")["state"].to_list() == ["persistent"]
        store.pin("demo", pinned=parse("close * 1.5"), on=False)
        assert store.sql("SELECT count(*) FROM catalog.factors").item() == 2


@pytest.mark.parametrize(
    "limits",
    [{"hot": -1}, {"hot": "lots"}, {"compressed": None}, {"persistent": 1.5}, {"seconds": 0}, {"seconds": "x"}],
)
def test_limits_that_are_none(limits: dict[str, Any]) -> None:
    with pytest.raises(FactorloomError):
        open_store(":memory:", cache=CacheLimits(**limits))
    with pytest.raises(ArgumentError, match="must be CacheLimits"):
        open_store(":memory:", cache=limits)  # type: ignore[arg-type]


def test_a_later_version_finds_what_is_in_memory(loaded: Store, bars: pl.DataFrame) -> None:
    dates = bars["date"].unique().sort().to_list()
    early, late = {"end": dates[5]}, {"start": dates[-5]}
    before = [loaded.compute("demo", FACTORS, **span) for span in (early, late)]
    more = bars.filter(pl.col("date") == dates[-1]).with_columns(pl.col("date").dt.offset_by("1d"))
    loaded.load("demo", more)
    assert states(loaded, **early) == ["hot", "hot"]
    assert loaded.compute("demo", FACTORS, **early).equals(before[0])
    loaded.load("demo", bars.filter(pl.col("date") == dates[0]).with_columns(pl.col("close") + 1, pl.col("volume") + 1))
    assert states(loaded, **early) != ["hot", "hot"]
    assert states(loaded, **late) != ["hot", "hot"]  # there is a bar more
    with open_store(":memory:") as fresh:
        fresh.load("demo", loaded.panel("demo"))
        for span in (early, late):
            assert loaded.compute("demo", FACTORS, **span).equals(fresh.compute("demo", FACTORS, **span))


def test_only_these_tiers_can_be_cleared(loaded: Store) -> None:
    with pytest.raises(ParameterError, match="tier must be"):
        loaded.clear("hot")  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 60)), max_size=60), st.integers(0, 800), st.integers(0, 400)
)
def test_tiers_never_hold_more_and_never_forget_what_they_hold(
    steps: list[tuple[int, int]], hot: int, compressed: int
) -> None:
    tiers = Tiers(CacheLimits(hot=hot, compressed=compressed))
    known: dict[tuple[int, str], pl.Series] = {}
    for number, size in steps:
        key = number, "factor"
        for found in tiers.get([key]).values():
            assert_series_equal(found, known[key], check_names=False)
        known[key] = pl.Series([None, *[float(size)] * (size - 1)], dtype=pl.Float64)
        tiers.put(key, known[key])
        for tier in (tiers.hot, tiers.compressed):
            assert tier.bytes == sum(item[1] for item in tier.items.values()) <= tier.limit
        assert not tiers.hot.items.keys() & tiers.compressed.items.keys()


def test_values_grow_old() -> None:
    tiers = Tiers(CacheLimits(seconds=1e-9))
    tiers.put((1, "x"), pl.Series([1.0, 2.0]))
    assert not tiers.get([(1, "x")])


# --- explained scores ---------------------------------------------------------------------------------------

MODEL = ScoreModel(
    "rich",
    {"change": parse("ts_pct_change(close, 20)"), "value": parse("book_to_price")},
    neutralize="sector",
    exposures={"size": parse("log(close * volume)")},
)


def same(found: fl.ScoreExplanation, expected: fl.ScoreExplanation) -> None:
    for name in ("symbol", "date", "model", "score", "rank", "percentile", "reason", "of", "before"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found.factors.equals(expected.factors)
    assert found.changes.equals(expected.changes)


@pytest.mark.parametrize("neutralize", ["sector", "branch", None])
@pytest.mark.parametrize("dates", [{}, {"date": "2025-06-06"}, {"date": dt.date(2025, 6, 6), "before": 20250502}])
def test_a_stored_score_is_explained_as_by_the_engine(
    loaded: Store, bars: pl.DataFrame, dates: dict[str, Any], neutralize: str | None
) -> None:
    branches = (
        bars.select("symbol", branch=pl.col("symbol").str.head(1)).unique().with_columns(valid_from=dt.date(2025, 1, 1))
    )
    loaded.load_attributes("demo", branches)
    model = msgspec.structs.replace(MODEL, neutralize=neutralize)
    symbol = bars["symbol"][0]
    found = loaded.explain_score("demo", model, symbol, **dates)
    same(found, fl.explain_score(loaded.panel("demo"), model, symbol, **dates))
    row = loaded.score("demo", model, date=found.date).filter(symbol=symbol).row(0, named=True)
    assert found.score == row["score"]
    assert found.factors["contribution"].to_list() == [row["contribution_change"], row["contribution_value"]]


def test_an_explanation_knows_versions_and_times_of_day(store: Store, bars: pl.DataFrame) -> None:
    days = bars["date"].unique().sort()
    morning = bars.filter(pl.col("date") >= days[-30]).with_columns(
        pl.col("date").cast(pl.Datetime("us")).dt.offset_by("9h")
    )
    evening = morning.with_columns(pl.col("date").dt.offset_by("8h"), pl.col("close") * 1.01)
    store.load("intraday", pl.concat([morning, evening]))
    symbol = bars["symbol"][0]
    panel = store.panel("intraday")
    first = str(days[-30])
    for dates in (
        {},
        {"date": days[-3]},
        {"date": f"{days[-3]} 09:00"},
        {"date": days[-2], "before": first},
        {"date": first},
    ):
        same(store.explain_score("intraday", MODEL, symbol, **dates), fl.explain_score(panel, MODEL, symbol, **dates))
    store.load("intraday", evening.filter(date=evening["date"].max()).with_columns(pl.col("close") * 2))
    assert store.explain_score("intraday", MODEL, symbol, as_of=1).factors.equals(
        fl.explain_score(panel, MODEL, symbol).factors
    )
    assert not store.explain_score("intraday", MODEL, symbol).factors.equals(
        fl.explain_score(panel, MODEL, symbol).factors
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"symbol": "ZZZZZ"}, "no symbol 'ZZZZZ'"),
        ({"date": "2025-06-07"}, "no bars on 2025-06-07\n.*nearest earlier date is 2025-06-06"),
        ({"before": "2025-12-31"}, "before must be earlier than 2025-12-31"),
        ({"model": "m"}, "a model must be a ScoreModel, got str"),
        ({"model": ScoreModel("m", {"a": "close"}, neutralize="sectr")}, "no column 'sectr'\n.*did you mean 'sector'"),
    ],
)
def test_scores_that_a_store_cannot_explain(
    loaded: Store, bars: pl.DataFrame, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(FactorloomError, match=f"(?s){message}"):
        loaded.explain_score("demo", **({"model": MODEL, "symbol": bars["symbol"][0]} | given))
