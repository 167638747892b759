"""Alpha158 and Alpha101 as a user of Polars would write them are the factors of the libraries, or have their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

import factorloom as fl
import factorloom.polars
from factorloom.bench.workload import Workload, make_bars
from factorloom.expressions.errors import ExpressionError
from factorloom.polars import to_polars
from tests.oracle import assert_same, to_array

assert factorloom.polars

WRITTEN: dict[str, Callable[..., pl.Expr]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "power": lambda x, y: x.pow(y),
    "negate": lambda x: -x,
    "abs": lambda x: x.abs(),
    "sign": lambda x: x.sign(),
    "log": lambda x: x.log(),
    "less": lambda x, y: x < y,
    "less_equal": lambda x, y: x <= y,
    "greater": lambda x, y: x > y,
    "greater_equal": lambda x, y: x >= y,
    "equal": lambda x, y: x == y,
    "logical_and": lambda x, y: x & y,
    "logical_or": lambda x, y: x | y,
    "where": lambda c, x, y: pl.when(c).then(x).when(c.is_null()).then(None).otherwise(y),
    "fill": lambda x, y: x.fill_null(y),
    "ts_delay": lambda x, periods: x.shift(periods),
    "ts_delta": lambda x, periods: x.diff(periods),
    "ts_pct_change": lambda x, periods: x.pct_change(periods),
    "ts_mean": lambda x, window, min_samples: x.rolling_mean(window, min_samples=min_samples),
    "ts_sum": lambda x, window, min_samples: x.rolling_sum(window, min_samples=min_samples),
    "ts_std": lambda x, window, min_samples: x.rolling_std(window, min_samples=min_samples),
    "ts_var": lambda x, window, min_samples: x.rolling_var(window, min_samples=min_samples),
    "ts_min": lambda x, window, min_samples: x.rolling_min(window, min_samples=min_samples),
    "ts_max": lambda x, window, min_samples: x.rolling_max(window, min_samples=min_samples),
    "ts_quantile": lambda x, window, q, min_samples: x.rolling_quantile(
        q, "linear", window_size=window, min_samples=min_samples
    ),
    "ts_corr": lambda x, y, window, min_samples: pl.rolling_corr(x, y, window_size=window, min_samples=min_samples),
    "ts_cov": lambda x, y, window, min_samples: pl.rolling_cov(x, y, window_size=window, min_samples=min_samples),
    "cs_rank": lambda x, method: (x.rank() / x.count()).over("date") if method == "percent" else x.rank().over("date"),
    "group_demean": lambda x, by: (x - x.mean()).over("date", by),
}
"""How Polars says what an operator says; the others are written with the namespace `fl`."""


def written(factor: fl.Factor) -> pl.Expr:
    done: dict[fl.Factor, Any] = {}
    for node in factor.walk():
        name, values = node.operator.name, node.operator.named(node.parameters)
        if name == "col":
            done[node] = pl.col(str(values["name"]))
        elif name == "lit":
            done[node] = pl.lit(float(values["value"])) if node is not fl.missing else pl.lit(None)
        elif name in WRITTEN:
            inputs = [done[child] for child in node.operands]
            keys = [str(child.parameters[0]) for child in node.inputs[len(inputs) :]]
            done[node] = WRITTEN[name](*inputs, *keys, *values.values())
        else:
            first, *others = (done[child] for child in node.inputs)
            done[node] = getattr(first.fl, name)(*others, **values)
    return done[factor]


@pytest.fixture(scope="module")
def panel() -> fl.Panel:
    rng = np.random.default_rng(3)
    bars = make_bars(Workload(12, 330))
    lost = pl.Series(rng.random(bars.height) < 0.01)
    bars = bars.with_columns(pl.when(lost).then(None).otherwise(pl.col("close")).alias("close"))
    return fl.Panel.from_frame(bars.sample(fraction=0.98, seed=1))


def check(panel: fl.Panel, library: dict[str, fl.Factor]) -> int:
    """How many are the same factor; the values of the others are compared."""
    read = {name: fl.from_polars(written(factor)) for name, factor in library.items()}
    others = [name for name, factor in library.items() if read[name] is not factor]
    if others:
        got = panel.compute({name: read[name] for name in others})
        expected = panel.compute({name: library[name] for name in others})
        for name in others:
            right = to_array(expected[name])
            assert_same(to_array(got[name]), right, name, float(np.abs(right[np.isfinite(right)]).max(initial=0)))
    return len(library) - len(others)


def test_alpha158(panel: fl.Panel) -> None:
    library = dict(fl.library.alpha158())
    assert len(library) == 158
    assert check(panel, library) > 120


def test_alpha101(panel: fl.Panel) -> None:
    library = dict(fl.library.alpha101().available(panel.columns))
    assert len(library) > 75
    assert check(panel, library) > 40


def of_plain_form(library: dict[str, fl.Factor]) -> dict[str, fl.Factor]:
    """The factors without an operator that Polars has no plain expression for."""
    try:
        to_polars(library)
    except ExpressionError as error:
        told = re.match(r"no form in plain expressions of Polars: (.*)", error.message)
        assert told
        names = set(told[1].split(", "))
        return {key: each for key, each in library.items() if names.isdisjoint(n.operator.name for n in each.walk())}
    return dict(library)


@pytest.mark.parametrize("name", ["alpha101", "alpha158", "alpha360", "gtja191", "technical", "styles"])
def test_stages_on_plain_polars_have_the_values_of_the_panel(panel: fl.Panel, name: str) -> None:
    library = getattr(fl.library, name)().available(panel.columns)
    plain = of_plain_form(library)
    assert len(plain) > len(library) / 5
    rows = panel.frame.sample(fraction=1.0, shuffle=True, seed=2)
    for start in range(0, len(plain), 40):
        some = dict(list(plain.items())[start : start + 40])
        got, expected = to_polars(some).apply(rows).sort("symbol", "date"), panel.compute(some)
        for key in some:
            assert_same(to_array(got[key]), to_array(expected[key]), key)
