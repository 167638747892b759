"""Forward returns equal a plain loop over symbols and dates, whole and in part, and refuse what makes no sense."""

from __future__ import annotations

from datetime import date
from math import inf, log, log1p, nan
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.plan.reach import needed_rows
from factorloom.engine.testing.strategies import panels
from factorloom.expressions.errors import ArgumentError, LookaheadError, ParameterError, UnknownColumnError, WindowError
from tests.oracle import Array, assert_same, to_array


class Market(NamedTuple):
    """Columns of bars by symbol and date, and the dates of all of them."""

    dates: list[date]
    bars: dict[str, dict[date, dict[str, Any]]]

    @classmethod
    def of(cls, panel: fl.Panel) -> Market:
        bars: dict[str, dict[date, dict[str, Any]]] = {}
        for row in panel.frame.iter_rows(named=True):
            bars.setdefault(row["symbol"], {})[row["date"]] = row
        return cls(sorted({day for series in bars.values() for day in series}), bars)

    def price(self, symbol: str, day: date | None, column: str) -> float:
        """A price, NaN where there is none or it is not positive."""
        value = None if day is None else self.bars[symbol].get(day, {}).get(column)
        return nan if value is None or not value > 0 else float(value)

    def ahead(self, symbol: str, day: date, periods: int, exit: str) -> date | None:
        """The date so many dates, or bars of the symbol, after one."""
        days = self.dates if exit == "date" else sorted(self.bars[symbol])
        place = days.index(day) + periods
        return days[place] if place < len(days) else None


def plain(market: Market, **options: Any) -> Array:
    """Labels in the order of the panel, by loops."""
    keys = [(symbol, day) for symbol in market.bars for day in sorted(market.bars[symbol])]
    labels = {key: one(market, *key, **options) for key in keys}
    excess = options.get("excess")
    if isinstance(excess, str):
        labels = {key: label - fmean(group(market, labels, key, excess)) for key, label in labels.items()}
    return np.array([labels[key] for key in keys], dtype=np.float64)


def group(market: Market, labels: dict[tuple[str, date], float], key: tuple[str, date], excess: str) -> list[float]:
    """The labels of the same date, and of the same category where excess is not the market."""

    def category(symbol: str) -> object:
        return None if excess == "market" else market.bars[symbol][key[1]][excess]

    mine = category(key[0])
    if np.isnan(labels[key]) or (excess != "market" and mine is None):
        return [nan]
    return [x for (symbol, day), x in labels.items() if day == key[1] and not np.isnan(x) and category(symbol) == mine]


def one(
    market: Market,
    symbol: str,
    day: date,
    *,
    horizon: int,
    entry_lag: int = 1,
    price: str = "close",
    exit: str = "date",
    halted: str | float = "last",
    log: bool = False,
    excess: object = None,
    entry_price: str | None = None,
) -> float:
    entry = market.ahead(symbol, day, entry_lag, exit)
    paid = market.price(symbol, entry, entry_price or price)
    end = None if entry is None or entry not in market.bars[symbol] else market.ahead(symbol, entry, horizon, exit)
    if entry is None or end is None or np.isnan(paid):
        return nan
    sold = market.price(symbol, end, price)
    if np.isnan(sold) and isinstance(halted, float):
        made = log1p(halted) if log else halted
    else:
        if np.isnan(sold) and halted == "last":
            known = [x for d in market.bars[symbol] if entry <= d <= end and (x := market.price(symbol, d, price)) > 0]
            sold = known[-1] if known else nan
        made = change(paid, sold, log=log)
    if isinstance(excess, fl.Factor):
        made -= benchmark(market, symbol, entry, end, str(excess), exit, log=log)
    return made if np.isfinite(made) else nan


def change(old: float, new: float, *, log: bool) -> float:
    ratio = new / old
    if log:
        return float(np.log(ratio)) if 0 < ratio < inf else nan
    return ratio - 1


def benchmark(market: Market, symbol: str, entry: date, end: date, column: str, exit: str, *, log: bool) -> float:
    """Its own return, or the mean of those of the date where the symbol has none."""

    def own(name: str) -> float:
        made = change(market.price(name, entry, column), market.price(name, end, column), log=log)
        return made if np.isfinite(made) else nan

    mine = own(symbol)
    if not np.isnan(mine) or exit == "bar":
        return mine
    known = [x for name in market.bars if not np.isnan(x := own(name))]
    return fmean(known) if known else nan


OPTIONS = st.fixed_dictionaries(
    {"horizon": st.integers(1, 9) | st.just(50)},
    optional={
        "entry_lag": st.integers(0, 3),
        "price": st.sampled_from(["close", "open"]),
        "exit": st.sampled_from(["date", "bar"]),
        "halted": st.sampled_from(["last", "missing", -0.3, 0.0]),
        "log": st.booleans(),
        "excess": st.sampled_from([None, "market", "sector"]),
        "entry_price": st.sampled_from(["open", "volume"]),
    },
)


def prices(panel: fl.Panel) -> fl.Panel:
    """The panel with most prices positive, so that labels are there; some stay missing, zero or negative."""
    numbers = [name for name in panel.columns if panel.table.schema[name].is_float()]
    positive = [
        pl.when(pl.int_range(pl.len()) % 7 == place).then(name).otherwise(pl.col(name).abs() + 1).alias(name)
        for place, name in enumerate(numbers)
    ]
    return fl.Panel.from_frame(panel.frame.with_columns(positive))


MARKETS = panels(max_bars=15, max_symbols=5).map(prices)


def labels_of(panel: fl.Panel, label: fl.Factor, engine: Any = "numba", **part: Any) -> Array:
    return to_array(panel.compute(label=label, engine=engine, **part)["label"])


@given(panel=MARKETS, options=OPTIONS)
def test_labels_equal_a_plain_loop(panel: fl.Panel, options: dict[str, Any]) -> None:
    with np.errstate(all="ignore"):
        expected = plain(Market.of(panel), **options)
    for engine in ("numba", "polars"):
        assert_same(labels_of(panel, fl.forward_return(**options), engine), expected, f"{options} by {engine}", 1.0)


@settings(max_examples=20)
@given(panel=MARKETS, horizon=st.integers(1, 6), exit=st.sampled_from(["date", "bar"]), log=st.booleans())
def test_the_return_of_a_benchmark_is_taken_off(panel: fl.Panel, horizon: int, exit: str, log: bool) -> None:
    options: dict[str, Any] = {"horizon": horizon, "exit": exit, "log": log, "excess": fl.volume}
    with np.errstate(all="ignore"):
        expected = plain(Market.of(panel), **options)
    for engine in ("numba", "polars"):
        assert_same(labels_of(panel, fl.forward_return(**options), engine), expected, f"{options} by {engine}", 1.0)


@given(panel=MARKETS, options=OPTIONS, data=st.data())
def test_parts_equal_the_whole(panel: fl.Panel, options: dict[str, Any], data: st.DataObject) -> None:
    """To the last bit: the dates of the market are those of all symbols, whatever is computed."""
    label = fl.forward_return(**options)
    days = sorted(data.draw(st.lists(st.sampled_from(panel.dates.to_list()), min_size=2, max_size=2)))
    symbols = data.draw(st.lists(st.sampled_from(panel.symbols.to_list()), min_size=1, unique=True))
    whole = panel.compute(label=label)
    chosen = pl.col("date").is_between(*days) & pl.col("symbol").is_in(symbols)
    expected = whole.filter(chosen)
    assert panel.compute(label=label, start=days[0], end=days[1], symbols=symbols).equals(expected)
    assert panel.compute(label=label, dates=days, symbols=symbols).equals(
        whole.filter(pl.col("date").is_in(days) & pl.col("symbol").is_in(symbols))
    )
    assert panel.lazy(label=label).filter(chosen).collect().equals(expected)
    assert pl.concat(panel.blocks(label=label, symbols=symbols, start=days[0], end=days[1])).equals(expected)
    polars = panel.compute(label=label, engine="polars")
    part = panel.compute(label=label, engine="polars", start=days[0], end=days[1], symbols=symbols)
    assert part.equals(polars.filter(chosen))
    stages = label.to_polars(name="label").apply(panel.frame)["label"]
    assert_same(to_array(stages), to_array(whole["label"]), f"stages of {label}", 1.0)


@given(panel=MARKETS, options=OPTIONS, data=st.data())
def test_what_was_complete_never_changes(panel: fl.Panel, options: dict[str, Any], data: st.DataObject) -> None:
    """Later bars change no label whose exit they come after; those of other dates are missing before."""
    options.pop("exit", None)
    label = fl.forward_return(**options)
    cut = data.draw(st.sampled_from(panel.dates.to_list()))
    early = fl.Panel.from_frame(panel.frame.filter(pl.col("date") <= cut))
    before, after = early.compute(label=label), panel.compute(label=label).filter(pl.col("date") <= cut)
    complete = early.dates.head(max(0, early.dates.len() - label.lookahead))
    is_complete = pl.col("date").is_in(complete.implode())
    assert before.filter(is_complete).equals(after.filter(is_complete))
    assert before.filter(~is_complete)["label"].null_count() == before.filter(~is_complete).height


@given(panel=MARKETS, options=OPTIONS)
@settings(max_examples=20)
def test_only_near_bars_are_needed(panel: fl.Panel, options: dict[str, Any]) -> None:
    """Of a symbol no more bars than it looks ahead, and they are enough: see the parts."""
    label = fl.forward_return(**{**options, "excess": None})
    chosen = np.zeros(panel.rows, np.bool_)
    chosen[panel.by_symbol[:-1]] = True
    needed = np.add.reduceat(needed_rows(panel.plan(label), panel, chosen).astype(int), panel.by_symbol[:-1])
    assert needed.max() <= label.lookahead + 1


def market_of(text: str, first: date = date(2024, 1, 1)) -> fl.Panel:
    """A line for each symbol: its closes by date, `-` where it has no bar, `?` where it has no price."""
    rows = []
    for line in text.strip().splitlines():
        symbol, *cells = line.split()
        for place, cell in enumerate(cells):
            day = date.fromordinal(first.toordinal() + place)
            close = None if cell == "?" else float(cell) if cell != "-" else nan
            rows += [] if cell == "-" else [{"symbol": symbol, "date": day, "close": close, "open": 1.0}]
    return fl.Panel.from_frame(pl.DataFrame(rows, schema_overrides={"close": pl.Float64}))


GAPS = """
ALL   1  2  3  4  5  6
GAP   1  2  -  4  5  6
GONE  1  2  3  -  -  -
LATE  -  -  3  4  5  6
HOLE  1  2  3  ?  5  6
ZERO  1  0  3  4 -5  6
"""


def shown(label: fl.Factor) -> dict[str, list[float | None]]:
    frame = market_of(GAPS).compute(label=label)
    return {symbol: part["label"].round(4).to_list() for (symbol,), part in frame.group_by("symbol")}


def test_gaps_and_ends_of_symbols() -> None:
    """Bought on the next date, sold two dates later."""
    assert shown(fl.forward_return(2)) == {
        "ALL": [1.0, 0.6667, 0.5, None, None, None],
        "GAP": [1.0, None, None, None, None],
        "GONE": [0.5, 0.0, None],
        "LATE": [0.5, None, None, None],
        "HOLE": [0.5, 0.6667, None, None, None, None],
        "ZERO": [None, 0.3333, 0.5, None, None, None],
    }
    missing = shown(fl.forward_return(2, halted="missing"))
    assert missing["GONE"] == [None, None, None]
    assert missing["HOLE"] == [None, 0.6667, None, None, None, None]
    assert shown(fl.forward_return(2, halted=-1))["GONE"] == [-1.0, -1.0, None]
    assert shown(fl.forward_return(2, halted=-0.5, log=True))["GONE"] == [round(log(0.5), 4)] * 2 + [None]
    assert shown(fl.forward_return(2, exit="bar"))["GAP"] == [1.5, 0.5, None, None, None]
    assert shown(fl.forward_return(1, entry_price="open"))["ALL"] == [2.0, 3.0, 4.0, 5.0, None, None]


def test_what_a_symbol_did_before_the_entry_does_not_count() -> None:
    """Its last price is one from the entry on, although the entry was paid in another one."""
    panel = market_of("A 5 ? - 1\nB 1 1 1 1")
    label = fl.forward_return(1, entry_price="open")
    assert panel.compute(label=label, symbols="A")["label"].to_list() == [None, None, None]


def test_one_symbol_and_no_bars() -> None:
    panel = market_of("A 1 2 3")
    assert panel.compute(label=fl.forward_return(1, 0))["label"].to_list() == [1.0, 0.5, None]
    assert panel.compute(label=fl.forward_return(1, 0, excess="market"))["label"].to_list() == [0.0, 0.0, None]
    assert panel.compute(label=fl.forward_return(3))["label"].null_count() == 3
    empty = fl.Panel.from_frame(fl.example().frame.clear())
    for engine in ("numba", "polars"):
        assert empty.compute(label=fl.forward_return(1), engine=engine).height == 0  # type: ignore[arg-type]


def test_a_label_is_a_factor_that_looks_ahead() -> None:
    label = fl.forward_return(5, entry_lag=2)
    assert (label.lookahead, label.lookback, label.columns) == (7, 0, ("close",))
    assert label is fl.forward_return(5, 2, fl.close)
    assert label is fl.forward_return(5, 2, pl.col("close"))
    assert fl.parse(str(label)) is label
    assert label.looking_ahead() == ("ts_lead_dates",)
    with pytest.raises(LookaheadError, match="ts_lead_dates"):
        fl.score(fl.example(), fl.ScoreModel("m", {"x": fl.ScoreFactor(label)}))


FAULTS: list[tuple[type[Exception], str, dict[str, Any]]] = [
    (WindowError, "horizon must be at least 1, got 0", {"horizon": 0}),
    (ArgumentError, "horizon must be a whole number", {"horizon": 1.5}),
    (ArgumentError, "horizon must be a whole number", {"horizon": True}),
    (WindowError, "entry_lag must be at least 0, got -1", {"entry_lag": -1}),
    (ParameterError, "exit must be 'date' or 'bar', got 'day'", {"exit": "day"}),
    (ParameterError, "halted must be 'last', 'missing' or a return, got 'lost'", {"halted": "lost"}),
    (ParameterError, "at least -1, got -1.5", {"halted": -1.5}),
    (ParameterError, "greater than -1, to have a logarithm, got -1", {"halted": -1, "log": True}),
    (ParameterError, "halted must be a return", {"halted": nan}),
    (ArgumentError, "halted must be 'last', 'missing' or a return, got None", {"halted": None}),
    (ArgumentError, "halted must be 'last', 'missing' or a return, got True", {"halted": True}),
    (ArgumentError, "log must be True or False, got 1", {"log": 1}),
    (ArgumentError, "price must be the name of a column or a factor, got 3", {"price": 3}),
    (ArgumentError, "price must be the name of a column or a factor, got ''", {"price": ""}),
    (ArgumentError, "entry_price must be the name", {"entry_price": ["open"]}),
    (ArgumentError, "excess must be 'market', the name of a column or a factor, got ''", {"excess": ""}),
    (ArgumentError, "excess must be the name of a column or a factor, got 0.1", {"excess": 0.1}),
]


@pytest.mark.parametrize(("kind", "message", "options"), FAULTS, ids=[str(options) for *_, options in FAULTS])
def test_what_makes_no_sense_is_refused(kind: type[Exception], message: str, options: dict[str, Any]) -> None:
    with pytest.raises(kind, match=message):
        fl.forward_return(**{"horizon": 1, **options})


def test_columns_that_are_not_there_are_named() -> None:
    for options in ({"price": "adjusted"}, {"excess": "adjusted"}, {"entry_price": "adjusted"}):
        with pytest.raises(UnknownColumnError, match="no column 'adjusted'"):
            fl.example().compute(label=fl.forward_return(1, **options))  # type: ignore[arg-type]


# --- real bars ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bars(data_folder: Path) -> pl.DataFrame:
    frame = pl.read_parquet(data_folder / "prices" / "sp500_2013_2018.parquet").drop("file_symbol")
    sectors = pl.read_csv(data_folder / "reference" / "sp500_gics_sectors.csv")
    names = sectors.select(symbol="Symbol", sector="GICS Sector")
    return frame.join(names, on="symbol", how="left", maintain_order="left").sort("symbol", "date")


@pytest.fixture(scope="module")
def panel(bars: pl.DataFrame) -> fl.Panel:
    return fl.Panel.from_frame(bars)


HORIZONS = (1, 5, 21)


def on_grid(panel: fl.Panel, column: str) -> tuple[Array, Array, Array]:
    """A column as dates by symbols, and the place of each bar in it."""
    grid = np.full((panel.dates.len(), panel.symbols.len()), np.nan)
    days, names = panel.date_codes, np.repeat(np.arange(panel.symbols.len()), np.diff(panel.by_symbol))
    grid[days, names] = panel.frame[column].fill_null(nan).to_numpy()
    return grid, days, names


def test_real_bars_equal_a_grid_of_dates_and_symbols(panel: fl.Panel) -> None:
    grid, days, names = on_grid(panel, "close")
    labels = {str(horizon): fl.forward_return(horizon, halted="missing") for horizon in HORIZONS}
    labels |= {f"last {horizon}": fl.forward_return(horizon) for horizon in HORIZONS}
    filled = pl.DataFrame(grid, nan_to_null=True).fill_null(strategy="forward").to_numpy()
    for engine in ("numba", "polars"):
        values = panel.compute(labels, engine=engine)  # type: ignore[arg-type]
        for horizon in HORIZONS:
            for name, exits in ((str(horizon), grid), (f"last {horizon}", filled)):
                expected = np.full(grid.shape, np.nan)
                expected[: -1 - horizon] = exits[1 + horizon :] / grid[1:-horizon] - 1
                assert_same(to_array(values[name]), expected[days, names], f"{name} by {engine}")


def test_real_bars_without_the_mean_of_the_sector(panel: fl.Panel) -> None:
    raw = panel.compute(x=fl.forward_return(5)).with_columns(panel.frame["sector"].cast(pl.String))
    expected = raw.select(
        pl.when(pl.col("sector").is_not_null()).then(pl.col("x") - pl.col("x").mean().over("date", "sector"))
    )
    values = panel.compute(x=fl.forward_return(5, excess="sector"))["x"]
    assert_same(to_array(values), to_array(expected.to_series()), "sector", 1.0)


def test_as_qweave_labels_them(bars: pl.DataFrame, panel: fl.Panel) -> None:
    """Its labels go along the same dates, and have no return without a bar at the exit; no price there is 0 or less."""
    qweave = pytest.importorskip("qweave", reason="qweave is not installed")
    theirs = qweave.with_labels(bars, "symbol", "date", list(HORIZONS), entry_lag=1, entry_col="open")
    labels = {str(horizon): fl.forward_return(horizon, halted="missing", entry_price="open") for horizon in HORIZONS}
    ours = panel.compute(labels)
    both = ours.join(theirs, on=["symbol", "date"], how="left", maintain_order="left")
    for horizon in HORIZONS:
        expected = both[f"ret_{horizon}"].fill_nan(None)
        assert_same(to_array(ours[str(horizon)]), to_array(expected), f"horizon {horizon}")
