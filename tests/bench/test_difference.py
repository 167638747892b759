"""Readings of other engines: whoever is installed is computed beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import factorloom as fl
from factorloom.bench.agreement import CHECKED, TOLERANCE, compare, latest
from factorloom.bench.difference import CONSTANT, Reading
from factorloom.bench.difference.page import READINGS, page
from factorloom.bench.market import make
from factorloom.bench.peer import NotRunnableError, installed, load
from factorloom.bench.sets import SETS

SAME = 0.999
"""The share of cells that must be there in both or in neither: peers lose a few to their running sums."""
SUMS = {
    *("cs_scale", "group_demean"),
    *("ts_corr", "ts_cov", "ts_decay_linear", "ts_delta", "ts_ema", "ts_mean", "ts_std", "ts_sum"),
}
"""Operators whose last digits depend on the order in which numbers are added."""
SEEDS = range(36)


@pytest.fixture(scope="module")
def bars() -> pl.DataFrame:
    return make(CHECKED)


@pytest.fixture(scope="module", params=READINGS, ids=lambda reading: f"{reading.engine}-{reading.set}")
def compared(request: pytest.FixtureRequest, bars: pl.DataFrame) -> tuple[Reading, dict[str, fl.Factor], pl.DataFrame]:
    """A reading, those of our factors that the engine has, and its values."""
    reading: Reading = request.param
    if not installed(reading.engine):
        pytest.skip(f"{reading.engine} is not installed (the extra peers)")
    try:
        engine = load(reading.engine)(bars, 2)
    except NotRunnableError as error:
        pytest.skip(str(error))
    factors = {name: factor for name, factor in SETS[reading.set]().items() if engine.has(name, factor)}
    return reading, factors, latest(engine.frame(engine.ready(factors)()))


Compared = tuple[Reading, dict[str, fl.Factor], pl.DataFrame]


def test_every_factor_has_the_values_of_its_reading(bars: pl.DataFrame, compared: Compared) -> None:
    reading, factors, values = compared
    theirs = {name: reading.theirs(name, factor) for name, factor in factors.items() if name not in reading.rounding}
    said = {name: factor for name, factor in theirs.items() if factor is not None}
    table = latest(fl.Panel.from_frame(bars).compute(said))
    assert not [name for name in said if not alike(table[name], values[name])]


def test_nothing_is_listed_in_vain(bars: pl.DataFrame, compared: Compared) -> None:
    reading, factors, values = compared
    ours = latest(fl.Panel.from_frame(bars).compute(factors))
    differ = {name for name in factors if not alike(ours[name], values[name])}
    assert set(reading.rounding) <= differ
    assert set(reading.formulas) <= differ
    assert {operator for name in differ for operator in reading.used(factors[name])} == set(reading.operators)


def test_what_rounding_decides_moves_with_the_last_digits(bars: pl.DataFrame, compared: Compared) -> None:
    reading, factors, values = compared
    if not reading.rounding:
        return
    written = {name: reading.theirs(name, factors[name]) for name in reading.rounding}
    exact = {name: factor for name, factor in written.items() if factor is not None}
    assert exact.keys() == reading.rounding.keys()
    shaken = {
        f"{name} {seed}": _shaken(factor, seed, reading.rounding[name] is CONSTANT)
        for name, factor in exact.items()
        for seed in SEEDS
    }
    rng = np.random.default_rng(3)
    noise = [pl.Series(f"noise{seed}", rng.uniform(-1, 1, bars.height)) for seed in SEEDS]
    table = latest(fl.Panel.from_frame(bars.with_columns(noise)).compute({**exact, **shaken}))
    for name in exact:
        right = table[name].to_numpy()
        moves = [_apart(table[f"{name} {seed}"].to_numpy(), right) for seed in SEEDS]
        apart = _apart(values[name].cast(pl.Float64).to_numpy(), right)
        assert apart.any(), name
        assert not (apart & ~np.any(moves, axis=0)).any(), name


def test_the_page_is_current() -> None:
    stored = Path(__file__).parents[2] / "docs" / "disagreements.md"
    assert stored.read_text() == page(), "write it anew: factorloom bench differences -o docs/disagreements.md"


def alike(ours: pl.Series, theirs: pl.Series) -> bool:
    found = compare(ours, theirs)
    return found.equal and found.missing >= SAME


def _shaken(factor: fl.Factor, seed: int, constant: bool) -> fl.Factor:
    """With sums put off by 1e-11, and anything for a correlation with a constant if asked."""

    def change(node: fl.Factor) -> fl.Factor | None:
        if node.operator.name not in SUMS:
            return None
        noise = fl.col(f"noise{(seed + node.size) % len(SEEDS)}")
        moved = node * (1 + 1e-11 * noise) + 1e-14 * noise
        anything = 2 * noise + (seed % 3 - 1)
        return fl.fill(moved, anything) if constant and node.operator.name == "ts_corr" else moved

    return factor.rebuild(change)


def _apart(values: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    present = np.where(np.isfinite(values), values, np.nan)
    return ~np.isclose(present, right, rtol=0, atol=TOLERANCE * np.nanmax(np.abs(right)), equal_nan=True)
