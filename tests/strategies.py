"""Hypothesis strategies: panels as markets make them, and factors as people write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import polars as pl
from hypothesis import strategies as st

import factorloom as fl
from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import FactorloomError
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import Operator
from factorloom.expressions.parameter import Choice, Count, Kind, Literal, Real, Value

CATEGORIES = ["tech", "energy", "bank", None]
SHAPES = ("walk", "ties", "constant", "missing", "level", "mixed", "zeros")
COLUMNS = ("close", "open", "volume")
MAX_BARS, MAX_SYMBOLS, MAX_WINDOW = 14, 5, 6


@st.composite
def panels(draw: st.DrawFn) -> fl.Panel:
    """Panels with gaps, ties, constants, missing columns, huge offsets, late listings, and single symbols."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = {name: draw(st.sampled_from(SHAPES)) for name in COLUMNS}
    gaps = draw(st.sampled_from([0.0, 0.2, 0.6]))
    parts = [
        _symbol(rng, f"S{number}", draw(st.integers(1, MAX_BARS)), draw(st.integers(0, 5)), shapes, gaps)
        for number in range(draw(st.integers(1, MAX_SYMBOLS)))
    ]
    frame = pl.concat(parts)
    return fl.Panel.from_frame(frame.sample(fraction=1, shuffle=True, seed=int(rng.integers(1000))))


def _symbol(
    rng: np.random.Generator, name: str, bars: int, late: int, shapes: dict[str, str], gaps: float
) -> pl.DataFrame:
    days = [date(2024, 1, 1) + timedelta(days=int(day)) for day in late + np.cumsum(rng.integers(1, 3, bars))]
    values = {column: _values(rng, shape, bars, gaps) for column, shape in shapes.items()}
    sector = CATEGORIES[int(rng.integers(len(CATEGORIES)))]
    return pl.DataFrame(
        {"symbol": [name] * bars, "date": days, **values, "sector": pl.Series([sector] * bars, dtype=pl.String)}
    )


def _values(rng: np.random.Generator, shape: str, bars: int, gaps: float) -> np.ndarray:
    walk = 100 * np.exp(np.cumsum(rng.normal(0, 0.05, bars)))
    x = {
        "walk": walk,
        "ties": rng.integers(-2, 3, bars).astype(float),
        "constant": np.full(bars, 0.1),
        "missing": np.full(bars, np.nan),
        "level": 1e8 + rng.normal(0, 1, bars),
        "mixed": np.where(rng.random(bars) < 0.2, rng.normal(0, 1e6, bars), rng.normal(0, 1, bars)),
        "zeros": np.where(rng.random(bars) < 0.5, 0.0, rng.normal(0, 1, bars)),
    }[shape]
    return np.where(rng.random(bars) < gaps, np.nan, x)


WHOLES = range(-2, 20)
NUMBERS = (0.25, 0.1, 0.4, -1.5, 0.0, 2.0, 3.0)


def legal(name: str, kind: Kind, values: dict[str, Value]) -> list[Value]:
    """Some legal values of a parameter, given those before it."""
    if isinstance(kind, Count):
        return list(range(kind.minimum, kind.minimum + MAX_WINDOW + 1))
    candidates: list[Value] = [*NUMBERS, *WHOLES, True, False, "close", "52wh", "open", "class", "returns", "a'b"]
    candidates += kind.words if isinstance(kind, Choice) else ()
    return [value for value in candidates if _is_legal(name, kind, value, values)]


def _is_legal(name: str, kind: Kind, value: Value, values: dict[str, Value]) -> bool:
    try:
        kind.check(name, value, values)
    except FactorloomError:
        return False
    return isinstance(value, float) or not isinstance(kind, Real | Literal)


@st.composite
def calls(draw: st.DrawFn, operator: Operator[...], inputs: st.SearchStrategy[Factor]) -> Factor:
    """One legal call of an operator; options are sometimes left out, and there are one to three of a variadic input."""
    return _call(
        operator,
        lambda size: [draw(inputs) for _ in range(size or draw(st.integers(1, 3)))],
        lambda values: draw(st.sampled_from(values)),
        lambda: draw(st.booleans()),
    )


def plain_call(operator: Operator[...]) -> Factor:
    """The simplest call of an operator."""
    return _call(operator, lambda size: [fl.close] * (size or 1), lambda values: values[-1], lambda: True)


def _call(
    operator: Operator[...],
    some: Callable[[int], list[Factor]],
    one_of: Callable[[list[Value]], Value],
    leave_out: Callable[[], bool],
) -> Factor:
    args: list[object] = []
    kwargs: dict[str, object] = {}
    values: dict[str, Value] = {}
    for name, declared in operator.signature.parameters.items():
        given: list[object]
        if name in operator.kinds:
            values[name] = one_of(legal(name, operator.kinds[name], values))
            given = [values[name]]
        elif operator.axis is Axis.GROUP and name == operator.inputs[-1]:
            given = ["sector"]
        else:
            given = list(some(0 if name == operator.variadic else 1))
        if declared.kind is not declared.KEYWORD_ONLY:
            args += given
        elif declared.default is declared.empty or not leave_out():
            kwargs[name] = given[0]
        elif name in values:
            values[name] = operator.kinds[name].check(name, declared.default, values)
    return operator.build(tuple(args), kwargs)


columns = st.sampled_from([fl.col(name) for name in COLUMNS])
SOURCES = ("col", "lit")


def factors(max_leaves: int = 6) -> st.SearchStrategy[Factor]:
    """Any factor, of any operators."""
    leaves = columns | st.floats(-10, 10).map(fl.lit) | st.just(fl.missing)
    registered = [op for op in fl.operators() if op.name not in SOURCES]
    return st.recursive(
        leaves,
        lambda inner: st.sampled_from(registered).flatmap(lambda op: calls(op, inner)),
        max_leaves=max_leaves,
    )
