"""Kakushadze's 101 alphas against a plain reading of the paper, and the disputed ones on numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import factorloom as fl
from factorloom.expressions.errors import ParameterError
from factorloom.expressions.library import Library, alpha101
from factorloom.expressions.parse import parse
from tests.library import plain_alpha101
from tests.library.plain import rank
from tests.library.plain_alpha101 import ALPHA101, Bars, Column
from tests.library.rounding import assert_the_same_but_for_rounding
from tests.oracle import to_array

Array = npt.NDArray[np.float64]

PRICES = ["open", "high", "low", "close", "vwap"]
CLASSES = ["sector", "industry", "subindustry"]
SWITCHES = [{}, {"adv": "shares"}, {"rank": "unit"}, {"adv": "shares", "rank": "unit"}]
AVERAGED = {7, 17, 21, 25, 28, 31, 36, 39, 43, 47, *range(61, 66), *range(67, 73), *range(74, 82), *range(85, 101)}
"""The formulas of the paper that have an average daily volume."""
UNRANKED = {6, 7, 9, 12, 21, 23, 24, 26, 28, 32, 35, 41, 43, 46, 48, 49, 51, 53, 54, 58, 59, 84, 89, 101}
"""The formulas of the paper that have no rank across symbols."""


def names(numbers: set[int]) -> set[str]:
    return {f"alpha{number:03}" for number in numbers}


# --- against the paper, read independently ------------------------------------------------------------------


def simulated() -> pl.DataFrame:
    """25 symbols of 420 dates: late starts, dates left out, prints and volumes missing, halts, ties, still days.

    The prices of symbols are alike, so that their ranks change. Five of them have volumes of a period of 8, so that the
    mean of 60 goes up and down, as it must for alpha096 to have a value.
    """
    rng = np.random.default_rng(101)
    days = np.busday_offset("2020-01-01", np.arange(420))
    parts = [_symbol(rng, number, days) for number in range(25)]
    return pl.concat(parts).with_columns(cap=pl.col("close") * 1e6)


def _symbol(rng: np.random.Generator, number: int, days: npt.NDArray[np.datetime64]) -> pl.DataFrame:
    regular, n = number < 5, len(days)
    noise = rng.standard_normal(n)
    close = 50 * np.exp(0.02 * noise if regular else 0.02 * np.cumsum(noise) - 0.002 * np.arange(n))
    start = close * np.exp(0.01 * rng.standard_normal(n))
    high, low = (f(start, close) * (1 + sign * 0.01 * rng.random(n)) for f, sign in ((np.maximum, 1), (np.minimum, -1)))
    volume = 1e5 * np.exp(0.5 * rng.standard_normal(n))
    if regular:
        volume = 1e5 * (1 + 0.5 * np.resize([1, 0, 1.3, 0, 0, 1, 0, 1.2], n) + 0.01 * rng.random(n))
    prices = {"open": start, "high": high, "low": low, "close": close, "vwap": (high + low + 2 * close) / 4}
    bars = pl.DataFrame(
        {"date": days, **{k: np.round(x, 2) for k, x in prices.items()}, "volume": np.round(volume, -2)}
    )
    bars = bars.with_columns(
        pl.lit(f"S{number:02}").alias("symbol"),
        *(pl.lit(f"{name} {number % k}").alias(name) for name, k in zip(CLASSES, (2, 4, 8), strict=True)),
    )
    return bars if regular else _spoilt(rng, bars, gaps=number % 2 == 0)


def _spoilt(rng: np.random.Generator, bars: pl.DataFrame, gaps: bool) -> pl.DataFrame:
    still, halted, *lost = (pl.Series(rng.random(bars.height)) < share for share in (0.01, 0.01, *[0.002 * gaps] * 6))
    bars = bars.with_columns(pl.when(still).then("close").otherwise(name).alias(name) for name in PRICES)
    bars = bars.with_columns(volume=pl.when(halted).then(0.0).otherwise("volume"))
    bars = bars.with_columns(
        pl.when(out).then(None).otherwise(name).alias(name) for out, name in zip(lost, [*PRICES, "volume"], strict=True)
    )
    there = pl.Series(rng.random(bars.height) > 0.02 * gaps)
    return bars.filter(there)[int(rng.integers(0, 60)) :]


@pytest.fixture(scope="module")
def market() -> fl.Panel:
    return fl.Panel.from_frame(simulated())


@pytest.fixture(scope="module")
def index_members(sp500: pl.DataFrame) -> fl.Panel:
    """Every 16th symbol of the S&P 500, over the last 330 dates."""
    symbols, first = sp500["symbol"].unique().sort()[::16], sp500["date"].unique().sort()[-330]
    return fl.Panel.from_frame(sp500.filter(pl.col("symbol").is_in(symbols.implode()), pl.col("date") >= first))


def check(panel: fl.Panel, library: Library, *, adv: str = "dollar", empty: Sequence[str] = ()) -> None:
    """All formulas of the library have the values that the paper's have."""
    frame = panel.frame.with_columns(pl.col("symbol", "date").rank("dense")).to_pandas()
    frame[CLASSES] = frame[CLASSES].astype(object)
    bars, values = Bars(frame, adv), panel.compute(library)
    for name in library:
        formula = ALPHA101[name]
        expected = formula(bars).values
        assert np.isfinite(expected).any() == (name not in empty), name
        assert_the_same_but_for_rounding(
            to_array(values[name]),
            expected,
            lambda noise, formula=formula: formula(Bars(frame, adv, noise)).values,
            name,
        )


def test_the_formulas_of_the_paper(market: fl.Panel) -> None:
    check(market, alpha101())


def test_average_volumes_in_shares(market: fl.Panel) -> None:
    check(market, alpha101(adv="shares").select(*names(AVERAGED)), adv="shares")


def test_ranks_from_0_to_1(market: fl.Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    def from_0_to_1(x: Column) -> Column:
        present = np.bincount(x.axes.date, ~np.isnan(x.values))[x.axes.date]
        with np.errstate(all="ignore"):
            return Column((np.rint(2 * rank(x).values * present) / 2 - 1) / (present - 1), x.axes)

    monkeypatch.setattr(plain_alpha101, "rank", from_0_to_1)
    check(market, alpha101(rank="unit").select(*names(set(range(1, 102)) - UNRANKED)))


def test_the_formulas_of_the_paper_on_real_bars(index_members: fl.Panel) -> None:
    check(index_members, alpha101(), empty=["alpha096"])


# --- what the switches change, and what holds for all -------------------------------------------------------


def test_the_switches_change_the_formulas_that_they_should() -> None:
    paper, shares, unit = alpha101(), alpha101(adv="shares"), alpha101(rank="unit")
    assert {name for name in paper if shares[name] is not paper[name]} == names(AVERAGED)
    assert {name for name in paper if unit[name] is paper[name]} == names(UNRANKED)
    assert not {node.operator.name for factor in shares.values() for node in factor.walk()} - {
        node.operator.name for factor in paper.values() for node in factor.walk()
    }


@pytest.mark.parametrize("given", [{"adv": "euro"}, {"rank": "ordinal"}])
def test_a_switch_of_no_meaning_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="must be '"):
        alpha101(**given)


@pytest.mark.parametrize("given", SWITCHES)
def test_names_are_in_order_and_every_text_parses_back(given: dict[str, Any]) -> None:
    library = alpha101(**given)
    assert list(library) == [f"alpha{number:03}" for number in range(1, 102)]
    assert len(set(library.values())) == 101
    for name, factor in library.items():
        assert factor.lookahead == 0 and not factor.unbounded, name
        assert parse(str(factor)) is factor, name


def test_later_bars_change_nothing(market: fl.Panel) -> None:
    """The values of the first 300 dates are those that the first 300 dates alone give."""
    library = alpha101()
    known = market.frame.filter(pl.col("date") < market.frame["date"].unique().sort()[300])
    early, late = fl.Panel.from_frame(known).compute(library), market.compute(library)
    late = early.select("symbol", "date").join(late, on=["symbol", "date"], how="left", maintain_order="left")
    for name in library:
        np.testing.assert_array_equal(late[name].to_numpy(), early[name].to_numpy(), err_msg=name)


# --- disputes, on numbers worked out by hand ----------------------------------------------------------------


def last(name: str, *symbols: dict[str, Any], **given: Any) -> list[float]:
    """The values on the last date, of symbols that have bars on the same dates."""
    bars = len(next(column for column in symbols[0].values() if not np.isscalar(column)))
    days = np.busday_offset("2020-01-01", np.arange(bars))
    parts = [pl.DataFrame({"symbol": f"S{k}", "date": days, **columns}) for k, columns in enumerate(symbols)]
    values = fl.Panel.from_frame(pl.concat(parts)).compute(alpha101(**given).select(name))
    return values.filter(pl.col("date") == days[-1])[name].to_list()


def test_001_has_its_constant() -> None:
    """The closes are highest in the 5th and in the 2nd of 5 bars: ranks 1 and 1/2."""
    rising, still = {"close": [1.0, 2, 3, 4, 5, 6]}, {"close": [1.0, 2, 3, 3, 3, 3]}
    assert last("alpha001", rising, still) == [0.5, 0.0]
    assert last("alpha001", rising, still, rank="unit") == [0.5, -0.5]


def test_007_compares_shares_with_dollars_unless_told_otherwise() -> None:
    """adv20 is 105 shares and 1,050 dollars; 60 equal changes have the mean rank of 30.5."""
    bars = {"close": np.arange(1.0, 101), "vwap": 10.0, "volume": np.r_[np.full(99, 100.0), 200.0]}
    assert last("alpha007", bars) == [-1.0]
    assert last("alpha007", bars, adv="shares") == [-30.5 / 60]


def test_010_is_a_rank() -> None:
    closes = np.arange(1.0, 7)
    assert last("alpha010", {"close": closes}, {"close": 7 * closes}) == [0.5, 1.0]


def test_029_takes_the_least_of_5_bars() -> None:
    """The first rises less than the second over 5 bars, save 4 bars ago; 6 bars ago and before nothing moved.

    On that bar and the next both have been the higher, and share the rank of 3/4; the five equal returns have 3/5.
    """
    first = {"close": [10.0] * 8 + [11, 40, 11, 11, 11, 11]}
    second = {"close": [10.0] * 8 + [20, 20, 20, 20, 20, 30]}
    assert last("alpha029", first, second) == pytest.approx([0.75 + 0.6, 0.5 + 0.6])


def test_032_divides_by_7_once() -> None:
    """A close below the mean of 7, in a market of one: 1, and 20 for a positive correlation."""
    rising = np.arange(1.0, 236)
    assert last("alpha032", {"vwap": rising, "close": np.r_[rising[:-1], 100.0]}) == [21.0]


def test_036_divides_by_200_once() -> None:
    """(mean - open) * (close - open) is about 1 * 2 and 0.1 * 0.2; with 1/200 of the mean it is -197 and -2."""
    before, low = np.ones(6), np.ones(200)
    first = {
        "open": 99.0,
        "close": np.r_[100 * low, 101.0],
        "volume": np.r_[low[1:], 2.0, 1.0],  # correlates with close - open: 1
        "vwap": np.r_[low[5:], before[2:], 2.0, 2.0],  # correlates with adv20: 1
    }
    second = {
        "open": 9.9,
        "close": np.r_[10 * low, 10.1],
        "volume": np.r_[low[1:], 0.5, 1.0],  # -1
        "vwap": np.r_[low[5:], 1.0, 2.0, 1.0, 2.0, 1.0, 2.0],  # less than 1
    }
    expected = [2.21 + 0.7 / 2 + 0.73 * 0.75 + 1 + 0.6, 2.21 / 2 + 0.7 + 0.73 * 0.75 + 1 / 2 + 0.6 / 2]
    assert last("alpha036", first, second, adv="shares") == pytest.approx(expected)


def test_038_ranks_the_close_along_time() -> None:
    """The first one's close is the highest of 10 while its open is the lowest, the second one's the other way round."""
    up, down = np.arange(1.0, 11), np.arange(10.0, 0, -1)
    assert last("alpha038", {"close": up, "open": down}, {"close": down, "open": up}) == [-1.0, -0.25]


def test_047_divides_by_5_once() -> None:
    """200 shares of 2,000 dollars a day, a high that is its own mean, and all ranks 1."""
    bars = {"high": np.full(20, 11.0), "close": 10.0, "vwap": 10.0, "volume": 200.0}
    assert last("alpha047", bars) == pytest.approx([0.1 - 1])


def test_windows_are_rounded_down() -> None:
    """084 prints windows of 15.3217 and 20.7127 and a change over 4.96796: 20 equal values are 10.5th."""
    rising = np.arange(40) / 4
    assert last("alpha084", {"close": rising, "vwap": rising}) == [10.5 / 20]
    assert "ts_delta(close * 0.369701 + vwap * (1 - 0.369701), 1), 2)" in str(alpha101()["alpha087"])


def test_the_two_scales_of_ranks() -> None:
    """033 ranks open / close - 1; two of the three tie."""
    symbols = [{"open": [x], "close": 1.0} for x in (3.0, 1.0, 3.0)]
    assert last("alpha033", *symbols) == pytest.approx([2.5 / 3, 1 / 3, 2.5 / 3])
    assert last("alpha033", *symbols, rank="unit") == [0.75, 0.0, 0.75]
    assert last("alpha033", symbols[0], rank="unit") == [None]
