"""The listed differences of other engines, compared with the engines that are installed."""

from __future__ import annotations

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

SAME = 0.999
"""The fraction of cells that must be missing in both or in neither: other engines lose a few to their running sums."""
SUMS = {
    *("add", "subtract", "cs_scale", "group_demean"),
    *("ts_corr", "ts_cov", "ts_decay_linear", "ts_delta", "ts_ema", "ts_mean", "ts_std", "ts_sum"),
}
"""Operators after which equal values may differ in their last digits."""
SEEDS = range(36)


@pytest.fixture(scope="module")
def bars() -> pl.DataFrame:
    return make_bars(COMPARISON)


Compared = tuple[Differences, dict[str, fl.Factor], pl.DataFrame]


@pytest.fixture(scope="module", params=DIFFERENCES, ids=lambda differences: f"{differences.engine}-{differences.set}")
def compared(request: pytest.FixtureRequest, bars: pl.DataFrame) -> Compared:
    """The differences of an engine, our factors that it supports, and its values."""
    differences: Differences = request.param
    if not is_installed(differences.engine):
        pytest.skip(f"{differences.engine} is not installed (the extra peers)")
    try:
        engine = load_engine(differences.engine)(bars, 2)
    except NotRunnableError as error:
        pytest.skip(str(error))
    factors = {name: factor for name, factor in SETS[differences.set]().items() if engine.supports(name, factor)}
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
    differences, factors, values = compared
    if not differences.rounding:
        return
    exact = translated(differences, {name: factors[name] for name in differences.rounding})
    assert exact.keys() == differences.rounding.keys()
    perturbed = {
        f"{name} {seed}": _perturbed(factor, seed, differences.rounding[name] is CONSTANT)
        for name, factor in exact.items()
        for seed in SEEDS
    }
    rng = np.random.default_rng(3)
    noise = [pl.Series(f"noise{seed}", rng.uniform(-1, 1, bars.height)) for seed in SEEDS]
    table = last_bars(fl.Panel.from_frame(bars.with_columns(noise)).compute({**exact, **perturbed}))
    for name in exact:
        expected = table[name].to_numpy()
        changed = [_differ(table[f"{name} {seed}"].to_numpy(), expected) for seed in SEEDS]
        differ = _differ(values[name].cast(pl.Float64).to_numpy(), expected)
        assert differ.any(), name
        assert not (differ & ~np.any(changed, axis=0)).any(), name


def test_the_page_is_current() -> None:
    stored = Path(__file__).parents[2] / "docs" / "disagreements.md"
    assert stored.read_text() == page(), "generate it again: factorloom bench differences -o docs/disagreements.md"


def alike(ours: pl.Series, theirs: pl.Series) -> bool:
    agreement = compare(ours, theirs)
    return agreement.equal and agreement.same_missing >= SAME


def _perturbed(factor: fl.Factor, seed: int, constant: bool) -> fl.Factor:
    """The factor with sums changed by 1e-11, and with `constant` any value for an undefined correlation."""

    def change(node: fl.Factor) -> fl.Factor | None:
        if node.operator.name not in SUMS:
            return None
        noise, other = (fl.col(f"noise{(seed + node.size + k) % len(SEEDS)}") for k in range(2))
        changed = node * (1 + 1e-11 * noise) + 1e-14 * other
        any_value = 2 * noise + (seed % 3 - 1)
        return fl.fill(changed, any_value) if constant and node.operator.name == "ts_corr" else changed

    return factor.rebuild(change)


def _differ(values: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    present = np.where(np.isfinite(values), values, np.nan)
    return ~np.isclose(present, expected, rtol=0, atol=TOLERANCE * np.nanmax(np.abs(expected)), equal_nan=True)
