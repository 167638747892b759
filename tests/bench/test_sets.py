"""The sets are those of the libraries, and every operator is timed."""

from __future__ import annotations

from factorloom.bench.sets import SETS, every_operator, sample
from factorloom.bench.workload import Workload, make_bars
from factorloom.engine.panel import Panel
from factorloom.expressions.axis import Axis
from factorloom.expressions.parse import operators


def test_every_set_can_be_computed_on_the_bars_of_a_workload() -> None:
    panel = Panel.from_frame(make_bars(Workload(symbols=4, bars=20)))
    sizes = {name: panel.compute(factors()).width - 2 for name, factors in SETS.items() if name != "operators"}
    assert sizes == {"alpha158": 158, "alpha101": 101, "gtja191": 191, "column": 1, "rank": 1, "styles": 22}


def test_average_volumes_are_in_shares_as_in_the_other_engines() -> None:
    assert "vwap * volume" not in str(SETS["alpha101"]()["alpha043"])


def test_every_operator_along_time_or_across_symbols_is_timed() -> None:
    assert list(every_operator()) == [op.name for op in operators() if op.axis is not Axis.CELL]


def test_a_sample_is_spread_over_the_set() -> None:
    factors = SETS["alpha158"]()
    assert len(sample(factors, 20)) == 20
    assert sample(factors, 158) == dict(factors)
    assert len({name.rstrip("0123456789") for name in sample(factors, 20)}) > 10
