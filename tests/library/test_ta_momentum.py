"""Momentum, volume and volatility indicators against TA-Lib, or a plain loop where TA-Lib has none.

TA-Lib has the same inputs and the same parameters in the same order, so that one comparison does for all.
"""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import factorloom as fl
from factorloom.expressions.library.ta import directional, momentum, oscillator, volatility, volume
from tests.oracle import assert_same, to_array

Array = npt.NDArray[np.float64]
Bars = dict[str, Array]

COLUMNS = ("open", "high", "low", "close", "volume")
MODULES = (momentum, oscillator, directional, volume, volatility)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    name.upper(): getattr(module, name) for module in MODULES for name in module.__all__
}
OWN = {"CHOP", "CRSI", "FISHER", "HV", "KVO", "PMO", "ULCER"}
"""What TA-Lib lacks; `test_ta_expected.py` has some of them."""

SEED_OF_MACD = "TA-Lib starts the fast average late, where the slow one starts"
SEED_OF_WILDER = "TA-Lib starts Wilder's sums from one movement less than Wilder"
WARM_UP = {
    "MACD": (150, SEED_OF_MACD),
    "PLUS_DM": (300, SEED_OF_WILDER),
    "MINUS_DM": (300, SEED_OF_WILDER),
    "PLUS_DI": (300, SEED_OF_WILDER),
    "MINUS_DI": (300, SEED_OF_WILDER),
    "DX": (300, SEED_OF_WILDER),
    "ADX": (300, SEED_OF_WILDER),
    "ADXR": (300, SEED_OF_WILDER),
}
"""Bars after the first value from which both agree, with default parameters, and why not earlier."""

EARLY = {"KDJ", "MACD", "SMI", "STOCH", "STOCHF", "STOCHRSI"}
"""TA-Lib holds all outputs back until the last one is there: the line until its average is."""

LATE = {"PLUS_DM", "MINUS_DM"}
"""One bar, for the reason of `SEED_OF_WILDER`."""

NEUTRAL: dict[str, float] = {
    "ADX": 0,
    "ADXR": 0,
    "BOP": 0,
    "CCI": 0,
    "CMO": 0,
    "CMOU": 0,
    "CVI": 0,
    "DX": 0,
    "ER": 1,
    "IMI": 50,
    "KDJ": 0,
    "MASSI": 25,
    "MFI": 0,
    "MINUS_DI": 0,
    "PLUS_DI": 0,
    "RSI": 0,
    "RVI": 50,
    "SMI": 0,
    "STOCH": 0,
    "STOCHF": 0,
    "STOCHRSI": 0,
    "TSI": 0,
    "ULTOSC": 0,
    "VHF": 0,
    "VORTEX": 0,
    "WILLR": 0,
}
"""What TA-Lib says where a price never moved: 0 divided by 0, which is missing here."""

CUMULATIVE = {"AD", "NVI", "OBV", "PVI", "PVT", "VWAP", "WAD"}
"""Sums over the whole history, which skip a missing bar as if it had never been."""

every_function = pytest.mark.parametrize("name", FUNCTIONS)
every_peer = pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - OWN))


@pytest.fixture(scope="module")
def simulated() -> pl.DataFrame:
    """A random walk in whole ticks, with ties, bars without range and bars that close where they open."""
    rng = np.random.default_rng(11)
    close = np.round(50 * np.exp(np.cumsum(rng.normal(0, 0.01, 3000))), 1)
    open_ = np.round(close * np.exp(rng.normal(0, 0.004, close.size)), 1)
    spread = np.round(np.abs(rng.normal(0, 0.3, (2, close.size))), 1)
    flat = rng.random(close.size) < 0.02
    open_, spread = np.where(flat, close, open_), np.where(flat, 0, spread)
    high, low = np.maximum(open_, close) + spread[0], np.minimum(open_, close) - spread[1]
    return frame(open_, np.round(high, 1), np.round(low, 1), close, volumes(rng, close))


def volumes(rng: np.random.Generator, like: Array) -> Array:
    return np.round(np.exp(rng.normal(3, 1, like.size))) + 1


def frame(*columns: Array, symbol: str = "SIM") -> pl.DataFrame:
    days = pl.date_range(datetime.date(2000, 1, 1), datetime.date(2100, 1, 1), eager=True).head(columns[0].size)
    return pl.DataFrame({"symbol": symbol, "date": days, **dict(zip(COLUMNS, columns, strict=True))})


@pytest.fixture(scope="module")
def index(data_folder: Path) -> pl.DataFrame:
    """The S&P 500 since 1999."""
    bars = pl.read_csv(data_folder / "indicators" / "bars" / "longish.csv")
    date, volume = pl.col("date").str.to_date(), pl.col("volume").cast(pl.Float64)
    return bars.select(pl.lit("SPX").alias("symbol"), date, *COLUMNS[:4], volume)


def symbols(bars: pl.DataFrame) -> Iterator[Bars]:
    for part in bars.sort("symbol", "date").partition_by("symbol", maintain_order=True):
        yield {name: part[name].to_numpy() for name in COLUMNS}


def factors(name: str, *values: int) -> tuple[fl.Factor, ...]:
    """All outputs, with these parameters instead of the defaults."""
    made = FUNCTIONS[name](**dict(zip(parameters(name), values, strict=bool(values))))
    return made if isinstance(made, tuple) else (made,)


def parameters(name: str) -> dict[str, int]:
    declared = inspect.signature(FUNCTIONS[name]).parameters.values()
    return {p.name: p.default for p in declared if isinstance(p.default, int)}


def outputs(name: str, bars: pl.DataFrame, *values: int) -> list[list[Array]]:
    """What we give, for every output and symbol."""
    panel = fl.Panel.from_frame(bars)
    table = panel.compute({f"out{k}": factor for k, factor in enumerate(factors(name, *values))})
    parts = table.partition_by("symbol", maintain_order=True)
    return [[to_array(part[f"out{k}"]) for part in parts] for k in range(table.width - 2)]


def theirs(talib: Any, name: str, bars: Bars, *values: int) -> list[Array]:
    """What TA-Lib gives for one symbol, every output."""
    function = talib.Function(name)
    names = [key for key in function.info["parameters"] if not key.endswith("matype")]
    found = function(bars, **dict(zip(names, values, strict=bool(values))))
    found = [np.asarray(x, dtype=np.float64) for x in (found if isinstance(found, list) else [found])]
    if name == "FRACTAL":  # whole numbers, which cannot be missing and are 100 where they are true
        found = [np.where(np.arange(x.size) < sum(values or (2, 2)), np.nan, x / 100) for x in found]
    return found


def check(talib: Any, name: str, bars: pl.DataFrame, *values: int) -> None:
    warm_up = WARM_UP.get(name, (0, ""))[0] * (2 if values else 1)
    made = factors(name, *values)
    for k, mine in enumerate(outputs(name, bars, *values)):
        for x, inputs in zip(mine, symbols(bars), strict=True):
            y = theirs(talib, name, inputs, *values)[k]
            first = int(np.isnan(y).argmin())
            begin = int(np.isnan(x).argmin())
            if name in EARLY and k == 0:
                assert begin == made[k].lookback <= first
            else:
                assert begin == first + (name in LATE)
            if name == "BOP":
                assert (y[np.isnan(x)] == NEUTRAL[name]).all()
                y = np.where(np.isnan(x), np.nan, y)
            from_ = max(first, begin) + warm_up
            assert x.size > from_ + 500
            scale = np.nanmax(np.abs(y[first:]))
            assert_same(x[from_:], y[from_:], f"{name} output {k}", scale)


@every_peer
def test_simulated_bars_as_talib(talib: Any, simulated: pl.DataFrame, name: str) -> None:
    check(talib, name, simulated)


@every_peer
def test_fifty_stocks_as_talib(talib: Any, nifty: pl.DataFrame, name: str) -> None:
    check(talib, name, nifty)


@every_peer
def test_twenty_years_of_an_index_as_talib(talib: Any, index: pl.DataFrame, name: str) -> None:
    check(talib, name, index)


@every_peer
def test_defaults_and_other_parameters_are_those_of_talib(talib: Any, simulated: pl.DataFrame, name: str) -> None:
    given = talib.Function(name).info["parameters"]
    mine = list(parameters(name).values())
    assert mine == [value for key, value in given.items() if not key.endswith("matype")]
    if mine:
        check(talib, name, simulated, *(value + 3 for value in mine))


@every_function
def test_nothing_looks_ahead_and_text_parses_back(name: str) -> None:
    for factor in factors(name):
        assert factor.lookahead == 0
        assert fl.parse(str(factor)) is factor


@every_peer
def test_prices_that_never_move(talib: Any, name: str) -> None:
    """Whatever is 0 divided by 0 is missing; all else is as TA-Lib says."""
    still = frame(*[np.full(300, 10.0)] * 4, np.full(300, 5.0))
    expected = theirs(talib, name, next(symbols(still)))
    for (x,), y in zip(outputs(name, still), expected, strict=True):
        if name in NEUTRAL:
            assert y[-1] == NEUTRAL[name]
            assert np.isnan(x).all()
        else:
            assert_same(x[100:], y[100:], name)


@every_function
def test_a_missing_bar_heals(simulated: pl.DataFrame, name: str) -> None:
    hole = 1500
    halted = simulated.with_columns(
        pl.when(pl.int_range(pl.len()) != hole).then(column).alias(column) for column in COLUMNS
    )
    whole, skipped = outputs(name, simulated), outputs(name, simulated.remove(pl.int_range(pl.len()) == hole))
    for factor, (x,), (full,), (short,) in zip(factors(name), outputs(name, halted), whole, skipped, strict=True):
        assert_same(x[:hole], full[:hole], name)
        if name in CUMULATIVE:
            assert_same(np.delete(x, hole), short, name)
            assert np.isnan(x[hole])
        else:
            healed = hole + (1000 if factor.unbounded else factor.lookback + 1)
            assert_same(x[healed:], full[healed:], name, np.nanmax(np.abs(full)))


@every_function
def test_a_symbol_of_five_bars(simulated: pl.DataFrame, name: str) -> None:
    """It is what the first five bars of a longer life are."""
    young = simulated.head(5).with_columns(symbol=pl.lit("YOUNG"))
    for factor, (old, new) in zip(factors(name), outputs(name, pl.concat([simulated, young])), strict=True):
        assert_same(new, old[:5], name)
        assert np.isnan(new).all() == (factor.lookback > 4)


@every_function
def test_both_engines_agree(simulated: pl.DataFrame, name: str) -> None:
    panel = fl.Panel.from_frame(simulated.head(600))
    for factor in factors(name):
        one, other = (to_array(panel.compute(x=factor, engine=engine)["x"]) for engine in ("numba", "polars"))  # type: ignore[call-overload]
        assert_same(one, other, str(factor))


def ranges(bars: Bars) -> Array:
    """True ranges, missing on the first bar."""
    last = np.concatenate([[np.nan], bars["close"][:-1]])
    return np.maximum(bars["high"], last) - np.minimum(bars["low"], last)


def moving(bars: int, size: int, value: Callable[[slice], float]) -> Array:
    """The value of every full window."""
    return np.array([value(slice(i + 1 - bars, i + 1)) if i + 1 >= bars else np.nan for i in range(size)])


def plain_chop(bars: Bars, n: int = 14) -> list[Array]:
    true_range = ranges(bars)

    def value(w: slice) -> float:
        return float(np.log10(true_range[w].sum() / (bars["high"][w].max() - bars["low"][w].min())))

    return [100 * moving(n, true_range.size, value) / np.log10(n)]


def plain_ulcer(bars: Bars, n: int = 14) -> list[Array]:
    close = bars["close"]
    fall = moving(n, close.size, lambda w: 100 * (close[w][-1] - close[w].max()) / close[w].max())
    return [moving(n, close.size, lambda w: float(np.sqrt((fall[w] ** 2).mean())))]


def plain_hv(bars: Bars, n: int = 20) -> list[Array]:
    returns = np.diff(np.log(bars["close"]), prepend=np.nan)
    return [moving(n, returns.size, lambda w: float(returns[w].std(ddof=1)))]


def plain_kvo(bars: Bars) -> list[Array]:
    """Bar by bar: the trend, the ranges since it began, the force, and its averages."""
    price, spread = bars["high"] + bars["low"] + bars["close"], bars["high"] - bars["low"]
    force, trend, swing = np.full(price.size, np.nan), 0.0, 0.0
    for i in range(1, price.size):
        way = float(np.sign(np.round(price[i] - price[i - 1], 9)))
        if way and way != trend:
            trend, swing = way, spread[i - 1]
        swing += spread[i]
        if trend and swing:
            force[i] = 100 * bars["volume"][i] * abs(2 * spread[i] / swing - 1) * trend
    line = average(force, 34) - average(force, 55)
    return [line, average(np.where(np.isnan(force), np.nan, line), 13)]


def average(x: Array, n: int) -> Array:
    """The exponential average from the mean of the first values."""
    out, seen = np.full(x.size, np.nan), np.empty(0)
    for i, value in enumerate(x):
        if not np.isnan(value):
            seen = np.append(seen, value)
            if seen.size == n:
                out[i] = seen.mean()
            elif seen.size > n:
                out[i] = out[i - 1] + 2 / (n + 1) * (value - out[i - 1])
        elif i:
            out[i] = out[i - 1]
    return out


@pytest.mark.parametrize("plain", [plain_chop, plain_hv, plain_kvo, plain_ulcer])
def test_what_talib_lacks_as_a_plain_loop(simulated: pl.DataFrame, plain: Callable[[Bars], list[Array]]) -> None:
    name = plain.__name__.removeprefix("plain_").upper()
    for (x,), y in zip(outputs(name, simulated), plain(next(symbols(simulated))), strict=True):
        assert_same(x, y, name)
