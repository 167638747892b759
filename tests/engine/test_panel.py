"""Bars become a panel, or an error says what is wrong with them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.executor.native import tile
from factorloom.engine.panel import Engine
from factorloom.engine.testing.strategies import factors, panels
from factorloom.expressions.errors import ArgumentError, BarsError, FactorloomError, ParseError, UnknownColumnError
from tests.oracle import assert_same, mean_of, to_array

BARS = pl.DataFrame(
    {
        "symbol": ["B", "A", "A"],
        "date": [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 2)],
        "close": [1.0, 2.0, 3.0],
    }
)


@pytest.mark.parametrize(
    "make", [lambda df: df, lambda df: df.lazy(), lambda df: df.to_arrow(), lambda df: df.to_pandas()]
)
def test_any_frame_is_sorted(make: Any) -> None:
    panel = fl.Panel.from_frame(make(BARS))
    assert panel.frame["symbol"].to_list() == ["A", "A", "B"]
    assert panel.frame["close"].to_list() == [3.0, 2.0, 1.0]
    assert panel.columns == ("close",)
    assert panel.symbols.to_list() == ["A", "B"]
    assert panel.dates.len() == 2


def test_key_columns_may_have_other_names() -> None:
    panel = fl.Panel.from_frame(BARS.rename({"symbol": "ticker", "date": "day"}), symbol="ticker", date="day")
    assert panel.compute(x=fl.cs_rank(fl.close)).columns == ["symbol", "date", "x"]
    assert panel["symbol"].to_list() == ["A", "A", "B"]


@pytest.mark.parametrize(
    ("dates", "first"),
    [
        (["2024-01-02", "2024-01-03", "2024-01-02"], date(2024, 1, 2)),
        (["2024-01-02T10:00:00", "2024-01-03T10:00:00.5", "2024-01-02T10:00:00"], datetime(2024, 1, 2, 10)),
        (["2024-01-02 10:00:00", "2024-01-03 10:00:00", "2024-01-02 10:00:00"], datetime(2024, 1, 2, 10)),
    ],
)
def test_iso_text_is_read_as_dates(dates: list[str], first: date) -> None:
    assert fl.Panel.from_frame(BARS.with_columns(date=pl.Series(dates))).dates[0] == first


def test_numbers_become_float64_and_what_is_not_finite_is_missing() -> None:
    frame = BARS.with_columns(
        volume=pl.Series([1, 2, None]),
        flag=pl.Series([True, False, None]),
        wild=pl.Series([np.inf, -np.inf, np.nan]),
        sector=pl.Series(["a", None, "b"], dtype=pl.Categorical),
    )
    panel = fl.Panel.from_frame(frame)
    assert panel.frame.schema["volume"] == panel.frame.schema["flag"] == pl.Float64
    assert panel.frame["wild"].null_count() == 3
    assert panel.compute(x=fl.col("flag") + fl.col("volume"))["x"].to_list() == [None, 2.0, 2.0]


REFUSED = [
    (
        BARS.with_columns(symbol=pl.lit("A"), date=pl.lit(date(2024, 1, 2))),
        BarsError,
        "is repeated in 2 bars: A",
    ),
    (BARS.with_columns(symbol=pl.Series(["A", None, "B"])), BarsError, "1 bar without a symbol"),
    (BARS.with_columns(date=pl.Series([None, None, date(2024, 1, 2)])), BarsError, "2 bars without a date"),
    (
        BARS.with_columns(date=pl.Series(["2024-01-02", "02.01.2024", "?"])),
        BarsError,
        "2 dates cannot be read: '02.01.2024' in row 2, '[?]' in row 3",
    ),
    (
        BARS.with_columns(date=pl.Series(["2024-01-02", "2024-01-02T10:00:00", "2024-01-04"])),
        BarsError,
        "1 date with a time of day, among",
    ),
    (BARS.with_columns(date=pl.Series([1.5, 2.5, 3.5])), BarsError, "3 dates cannot be read: 1.5 in row 1"),
    (
        BARS.with_columns(symbol=pl.Series([1.5, 2.5, 3.5])),
        BarsError,
        "text or whole numbers, got Float64",
    ),
    (BARS.rename({"date": "when"}), UnknownColumnError, "no column 'date'"),
    ([1, 2, 3], ArgumentError, "must be a table or a path, got list"),
]


@pytest.mark.parametrize(("frame", "kind", "message"), REFUSED, ids=[message for _, _, message in REFUSED])
def test_bad_bars_are_refused(frame: Any, kind: type[FactorloomError], message: str) -> None:
    with pytest.raises(kind, match=message):
        fl.Panel.from_frame(frame)


COMPUTE_REFUSED: list[tuple[Any, type[FactorloomError], str]] = [
    (
        lambda p: p.compute(x=fl.ts_mean(fl.col("clsoe"), 5)),
        UnknownColumnError,
        "(?s)no column 'clsoe'.*did you mean 'close'",
    ),
    (lambda p: p.compute(x=fl.col("sector") + 1), ArgumentError, "holds categories"),
    (lambda p: p.compute(x=fl.col("sector")), ArgumentError, "holds categories"),
    (lambda p: p.compute(x=fl.group_rank(fl.close, "industry")), UnknownColumnError, "no column 'industry'"),
    (lambda p: p.compute(date=fl.close), ArgumentError, "key column"),
    (lambda p: p.compute(), ArgumentError, "no factor"),
    (lambda p: p.compute(x=["close"]), ArgumentError, "give a factor such as fl.close"),
    (lambda p: p.compute({"x": fl.close}, x=fl.open_), ArgumentError, "two factors"),
    (lambda p: p.compute(x=fl.close, engine="rust"), ArgumentError, "engine must be"),
    (lambda p: p.compute(x=fl.close, dtype="int8"), ArgumentError, "dtype must be"),
]


@pytest.mark.parametrize(("call", "kind", "message"), COMPUTE_REFUSED, ids=[m for _, _, m in COMPUTE_REFUSED])
def test_bad_requests_are_refused_before_anything_runs(call: Any, kind: type[FactorloomError], message: str) -> None:
    with pytest.raises(kind, match=message):
        call(fl.example())


@given(panels(), st.lists(factors(), min_size=1, max_size=4))
def test_any_factors_together_mean_what_each_means_alone(panel: fl.Panel, wanted: list[fl.Factor]) -> None:
    """Sharing, staging and tiling change nothing: every column equals its own computation, to the last bit."""
    together = panel.compute({str(number): factor for number, factor in enumerate(wanted)})
    for number, factor in enumerate(wanted):
        alone = panel.compute(value=factor)["value"]
        assert together[str(number)].equals(alone, null_equal=True)
        to_array(alone)
    assert panel.explain(*dict.fromkeys(wanted)).count("stage") >= 1


@given(panels(), factors(max_leaves=3))
def test_the_size_of_a_tile_does_not_matter(panel: fl.Panel, factor: fl.Factor) -> None:
    whole = panel.compute(value=factor)["value"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tile, "TILE_ROWS", 3)
        assert panel.compute(value=factor)["value"].equals(whole, null_equal=True)


def test_staged_factors_agree_with_their_meaning_on_a_market() -> None:
    market = fl.Panel.from_frame(_market())
    for text in [
        "ts_mean(cs_rank(close), 3)",
        "cs_zscore(ts_mean(group_demean(returns, sector), 4))",
        "ts_corr(cs_rank(volume), cs_rank(returns), 5)",
        "group_rank(ts_std(cs_demean(returns), 5), sector) * ts_rank(volume, 4)",
        "ts_beta(returns, cs_mean(returns), 6)",
        "where(close > cs_mean(close), ts_ema(close, 3), missing)",
    ]:
        factor = fl.parse(text)
        for engine in ("numba", "polars"):
            values = to_array(market.compute(value=factor, engine=engine)["value"])  # type: ignore[arg-type]
            assert_same(values, mean_of(factor, market), f"{text} by {engine}")


def _market() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    days = pl.date_range(date(2024, 1, 1), date(2024, 2, 9), eager=True)
    frame = pl.DataFrame({"symbol": [f"S{k}" for k in range(12)]}).join(pl.DataFrame({"date": days}), how="cross")
    noise = rng.normal(0, 0.02, frame.height)
    return frame.with_columns(
        close=100 * np.exp(noise),
        volume=rng.integers(0, 5, frame.height).astype(float),
        sector=pl.col("symbol").str.slice(1).cast(pl.Int64).mod(3).cast(pl.String),
    ).filter(pl.Series(rng.random(frame.height) > 0.15))


def test_plans_show_what_is_shared() -> None:
    mean = fl.ts_mean(fl.close, 2)
    text = fl.example().explain(a=mean / fl.close, b=fl.cs_rank(mean), label=fl.ts_lead(fl.close, 1))
    assert text.splitlines()[0] == (
        "3 factors, 4 operations (1 shared) and 1 statistic (read 1 time), lookback 1 bar, look-ahead 1 bar, 3 stages"
    )


def test_float32_and_bare_factors() -> None:
    values = fl.example().compute(fl.close / 3, fl.open_, dtype="float32")
    assert values.columns == ["symbol", "date", "close / 3", "open"]
    assert values.schema["open"] == pl.Float32


@pytest.mark.parametrize("engine", ["numba", "polars"])
def test_what_overflows_in_float32_is_missing(engine: Engine) -> None:
    largest = float(np.finfo(np.float32).max)
    values = [1.0, largest, np.nextafter(largest + 2.0**103, 0), largest + 2.0**103, 1e300, -1e39, None]
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(len(values))]
    panel = fl.Panel.from_frame(pl.DataFrame({"symbol": ["A"] * len(values), "date": days, "close": values}))
    result = panel.compute(x=fl.close, twice=fl.close * 2, dtype="float32", engine=engine)
    assert result["x"].to_list() == [1.0, largest, largest, None, None, None, None]
    assert result["twice"].to_list() == [2.0, None, None, None, None, None, None]


def test_factors_in_text_and_in_lists() -> None:
    panel = fl.example()
    gap = fl.close / fl.open_ - 1
    values = panel.compute(gap=gap)
    assert panel.compute({"gap": "close / open - 1"}).equals(values)
    assert panel.compute(gap="close / open - 1").equals(values)
    assert panel.compute([gap, "volume"]).columns == ["symbol", "date", "close / open - 1", "volume"]
    assert panel.compute("close / open - 1", "volume").equals(panel.compute((gap, fl.volume)))
    with pytest.raises(
        ArgumentError, match=r"'date' is not a factor: '2024-01-03'\n  hint: to select dates write dates="
    ):
        panel.compute(gap, date="2024-01-03")
    with pytest.raises(ArgumentError, match=r"'x' is not a factor: 3\n  hint: give a factor"):
        panel.compute(x=3)
    with pytest.raises(ParseError, match="not a factor"):
        panel.compute(x="close +")


def test_arrays_do_not_mix_with_factors() -> None:
    for mixed in (lambda: np.arange(3) * fl.close, lambda: fl.close * np.arange(3), lambda: np.sqrt(fl.close)):
        with pytest.raises(TypeError):
            mixed()


def test_operators_show_how_they_are_called() -> None:
    assert repr(fl.ts_mean) == "<Operator ts_mean(x, window, *, min_samples=None)>"
