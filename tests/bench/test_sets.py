"""The sets are whole, named as in their sources, and every operator is timed."""

from __future__ import annotations

import numpy as np

from factorloom.bench.market import Market, make
from factorloom.bench.sets import SETS, alpha101, alpha158, sample, single
from factorloom.engine.panel import Panel
from factorloom.expressions.axis import Axis
from factorloom.expressions.parse import operators


def test_alpha158_has_158_features_of_bars_alone() -> None:
    factors = alpha158()
    assert len(factors) == len(set(factors.values())) == 158
    assert {"KMID", "VWAP0", "ROC5", "IMXD20", "VSUMD60"} <= factors.keys()
    assert {column for factor in factors.values() for column in factor.columns} == {
        "open",
        "high",
        "low",
        "close",
        "volume",
        "vwap",
    }
    assert max(factor.lookback for factor in factors.values()) == 60


def test_alpha101_has_20_formulas_and_all_of_them_rank() -> None:
    factors = alpha101()
    assert len(factors) == len(set(factors.values())) == 20
    ranks = {"cs_rank", "ts_rank"}
    used = [{node.operator.name for node in factor.walk()} for factor in factors.values()]
    assert all(names & ranks for names in used)
    assert sum("ts_corr" in names for names in used) >= 5


def test_features_of_alpha158_mean_what_qlib_says() -> None:
    bars = make(Market(symbols=1, bars=70, ragged=False))
    factors = alpha158()
    names = ["ROC5", "STD20", "RSV10", "IMAX30", "CNTD5", "SUMP60", "WVMA5"]
    values = Panel.from_frame(bars).compute({name: factors[name] for name in names}).row(-1, named=True)
    close, high, low, volume = (bars[name].to_numpy() for name in ("close", "high", "low", "volume"))
    change = np.diff(close)
    moved = np.abs(close[1:] / close[:-1] - 1) * volume[1:]
    expected = {
        "ROC5": close[-6] / close[-1],
        "STD20": close[-20:].std(ddof=1) / close[-1],
        "RSV10": (close[-1] - low[-10:].min()) / (high[-10:].max() - low[-10:].min()),
        "IMAX30": (high[-30:].argmax() + 1) / 30,
        "CNTD5": (change[-5:] > 0).mean() - (change[-5:] < 0).mean(),
        "SUMP60": np.maximum(change, 0)[-60:].sum() / np.abs(change)[-60:].sum(),
        "WVMA5": moved[-5:].std(ddof=1) / moved[-5:].mean(),
    }
    for name, value in expected.items():
        assert np.isclose(values[name], value, rtol=1e-9), name


def test_every_operator_that_looks_around_is_timed() -> None:
    assert list(single()) == [op.name for op in operators() if op.axis is not Axis.CELL]


def test_a_sample_is_spread_over_the_set() -> None:
    factors = SETS["alpha158"]()
    assert len(sample(factors, 20)) == 20
    assert sample(factors, 158) == factors
    assert len({name.rstrip("0123456789") for name in sample(factors, 20)}) > 10
