"""The listed differences of other engines, compared with the engines that are installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import factorloom as fl
from factorloom.bench.agreement import COMPARISON, TOLERANCE, compare, last_bars
from factorloom.bench.difference import CONSTANT, Differences
from factorloom.bench.difference.page import DIFFERENCES, page
from factorloom.bench.peer import NotRunnableError, is_installed, load_engine
from factorloom.bench.sets import SETS
from factorloom.bench.workload import make_bars
from tests.library.conftest import complete

SAME = 0.999
"""The fraction of cells that must be missing in both or in neither: other engines lose a few to their running sums."""
SUMS = {
    *("add", "subtract", "cs_scale", "group_demean"),
    *("ts_corr", "ts_cov", "ts_decay_linear", "ts_delta", "ts_ema", "ts_mean", "ts_std", "ts_sum"),
}
"""Operators after which equal values may differ in their last digits."""
SEEDS = range(60)


@pytest.fixture(scope="module")
def bars() -> pl.DataFrame:
    return make_bars(COMPARISON)


@pytest.fixture(scope="module")
def real_bars(data_folder: Path) -> pl.DataFrame:
    """The last days of Indian stocks, of those that have a bar on every one of them."""
    bars = pl.read_parquet(data_folder / "prices" / "nifty50_2015_2021.parquet")
    dates = bars["date"].unique().sort().tail(COMPARISON.bars)
    prices = pl.col("open", "high", "low", "close", "volume", "vwap").cast(pl.Float64)
    recent = complete(bars.filter(pl.col("date") >= dates[0]).select("symbol", "date", prices))
    return recent.filter(pl.len().over("symbol") == dates.len())


Compared = tuple[Differences, dict[str, fl.Factor], pl.DataFrame]


each_engine = pytest.fixture(
    scope="module", params=DIFFERENCES, ids=lambda differences: f"{differences.engine}-{differences.set}"
)


@each_engine
def compared(request: pytest.FixtureRequest, bars: pl.DataFrame) -> Compared:
    """The differences of an engine, our factors that it supports, and its values."""
    return values_of(request.param, bars)


@each_engine
def compared_on_real_bars(request: pytest.FixtureRequest, real_bars: pl.DataFrame) -> tuple[pl.DataFrame, Compared]:
    """The same on as many real symbols as the engine takes without filling them up."""
    symbols = real_bars["symbol"].unique().sort()
    used = symbols.head(symbols.len() // 4 * 4) if request.param.engine == "kunquant" else symbols
    bars = real_bars.filter(pl.col("symbol").is_in(used.implode()))
    return bars, values_of(request.param, bars)


def values_of(differences: Differences, bars: pl.DataFrame, *names: str) -> Compared:
    """The values of an engine on the last bars: of all factors that it supports, or of some."""
    if not is_installed(differences.engine):
        pytest.skip(f"{differences.engine} is not installed (the extra peers)")
    try:
        engine = load_engine(differences.engine)(bars, 2)
    except NotRunnableError as error:
        pytest.skip(str(error))
    every = SETS[differences.set]()
    factors = {name: every[name] for name in names or every if engine.supports(name, every[name])}
    return differences, factors, last_bars(engine.to_frame(engine.prepare(factors)()))


def translated(differences: Differences, factors: dict[str, fl.Factor]) -> dict[str, fl.Factor]:
    """The factors with the engine's values, as far as our language can express them."""
    theirs = {name: differences.translate(name, factor) for name, factor in factors.items()}
    return {name: factor for name, factor in theirs.items() if factor is not None}


def test_translated_factors_have_the_values_of_the_engine(bars: pl.DataFrame, compared: Compared) -> None:
    differences, factors, values = compared
    exact = {name: factor for name, factor in factors.items() if name not in differences.rounding}
    theirs = translated(differences, exact)
    table = last_bars(fl.Panel.from_frame(bars).compute(theirs))
    assert not [name for name in theirs if not alike(table[name], values[name])]


def test_every_listed_factor_and_operator_differs(bars: pl.DataFrame, compared: Compared) -> None:
    differences, factors, values = compared
    ours = last_bars(fl.Panel.from_frame(bars).compute(factors))
    differ = {name for name in factors if not alike(ours[name], values[name])}
    assert set(differences.rounding) <= differ
    assert set(differences.formulas) <= differ
    used = {operator for name in differ for operator in differences.operators_in(factors[name])}
    assert used == set(differences.operators)


def test_rounding_explains_the_differences_that_are_left_to_it(bars: pl.DataFrame, compared: Compared) -> None:
    check_rounding(bars, compared, compared[0].rounding)


def check_rounding(bars: pl.DataFrame, compared: Compared, causes: Mapping[str, str]) -> None:
    """Every cell that differs changes when what rounding decides is perturbed; and some do."""
    if not causes:
        return
    differences, factors, values = compared
    exact = translated(differences, {name: factors[name] for name in causes})
    assert exact.keys() == causes.keys()
    table = last_bars(fl.Panel.from_frame(bars).compute(exact))
    expected = {name: table[name].to_numpy() for name in exact}
    left = {name: _differ(values[name].cast(pl.Float64).to_numpy(), expected[name]) for name in exact}
    assert [name for name, cells in left.items() if not cells.any()] == []
    perturbed = {name: _perturbed(factor, causes[name] is CONSTANT) for name, factor in exact.items()}
    noise = [np.random.default_rng([3, seed]).uniform(-1, 1, bars.height) for seed in SEEDS]
    for seed in SEEDS:
        some = {name: perturbed[name] for name, cells in left.items() if cells.any()}
        if not some:
            return
        columns = {f"noise{k}": noise[(seed + k) % len(SEEDS)] for k in SEEDS}
        noisy = fl.Panel.from_frame(bars.with_columns(pl.lit(float(seed % 3 - 1)).alias("level"), **columns))
        table = last_bars(noisy.compute(some))
        for name in some:
            left[name] &= ~_differ(table[name].to_numpy(), expected[name])
    assert {name: cells.sum() for name, cells in left.items() if cells.any()} == {}


def test_real_bars_add_only_what_rounding_decides(compared_on_real_bars: tuple[pl.DataFrame, Compared]) -> None:
    bars, (differences, factors, values) = compared_on_real_bars
    decided = {**differences.rounding, **differences.real}
    theirs = translated(differences, {name: factor for name, factor in factors.items() if name not in decided})
    table = last_bars(fl.Panel.from_frame(bars).compute(theirs))
    assert not [name for name in theirs if not alike(table[name], values[name])]


def test_rounding_explains_the_differences_on_real_bars(
    compared_on_real_bars: tuple[pl.DataFrame, Compared],
) -> None:
    bars, compared = compared_on_real_bars
    check_rounding(bars, compared, compared[0].real)


def test_a_correlation_with_a_rank_that_stays_is_left_to_rounding(bars: pl.DataFrame) -> None:
    """The cause on simulated bars: one of 50 symbols is always the cheapest. Its rank is 1/50, which is rounded."""
    few = bars.filter(pl.col("symbol").is_in(bars["symbol"].unique().sort().head(50).implode()))
    first = pl.col("symbol") == few["symbol"][0]
    cheap = few.with_columns(open=pl.when(first).then(pl.col("open") / 1e4).otherwise("open"))
    qweave = next(each for each in DIFFERENCES if (each.engine, each.set) == ("qweave", "gtja191"))
    _, factors, values = values_of(qweave, cheap, "gtja105")
    ours = last_bars(fl.Panel.from_frame(cheap).compute(factors))
    assert compare(ours["gtja105"], values["gtja105"]).equal
    assert ours.filter(first)["gtja105"].is_null().all()
    assert values.filter(first)["gtja105"].is_finite().all()


def test_kunquant_is_wrong_after_a_missing_bar_and_ranks_what_fills_up_symbols(bars: pl.DataFrame) -> None:
    kunquant = next(each for each in DIFFERENCES if each.engine == "kunquant")
    symbol, date = bars["symbol"][0], bars["date"][300]
    gap = bars.filter(~((pl.col("symbol") == symbol) & (pl.col("date") == date)))
    few = bars.filter(pl.col("symbol") != symbol)
    for frame, name, wrong in (
        (bars, "alpha006", 0),
        (gap, "alpha006", 1),
        (bars, "alpha038", 0),
        (few, "alpha038", 63),
    ):
        _, factors, values = values_of(kunquant, frame, name)
        ours = last_bars(fl.Panel.from_frame(frame).compute(translated(kunquant, factors)))
        differ = ours.select("symbol", differ=(ours[name] - values[name]).abs() > TOLERANCE)
        assert differ.filter("differ")["symbol"].n_unique() == wrong, name


def test_the_page_is_current() -> None:
    stored = Path(__file__).parents[2] / "docs" / "disagreements.md"
    assert stored.read_text() == page(), "generate it again: factorloom bench differences -o docs/disagreements.md"


def alike(ours: pl.Series, theirs: pl.Series) -> bool:
    agreement = compare(ours, theirs)
    return agreement.equal and agreement.same_missing >= SAME


def _perturbed(factor: fl.Factor, constant: bool) -> fl.Factor:
    """The factor with sums changed by 1e-11, and with `constant` any value for an undefined correlation."""

    def change(node: fl.Factor) -> fl.Factor | None:
        if node.operator.name not in SUMS:
            return None
        noise, other = (fl.col(f"noise{(node.size + k) % len(SEEDS)}") for k in range(2))
        changed = node * (1 + 1e-11 * noise) + 1e-14 * other
        any_value = 2 * noise + 4 * fl.col("level")
        return fl.fill(changed, any_value) if constant and node.operator.name == "ts_corr" else changed

    return factor.rebuild(change)


def _differ(values: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    present = np.where(np.isfinite(values), values, np.nan)
    return ~np.isclose(present, expected, rtol=0, atol=TOLERANCE * np.nanmax(np.abs(expected)), equal_nan=True)
