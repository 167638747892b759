"""Hypothesis strategies: panels as markets make them, and factors as people write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import strategies as st

from factorloom.engine.panel import Panel
from factorloom.engine.testing.bars import CATEGORIES, SHAPES, ZONES, shaped
from factorloom.expressions.axis import Axis
from factorloom.expressions.column import close, missing
from factorloom.expressions.errors import FactorloomError
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import Operator, col, lit
from factorloom.expressions.parameter import Choice, Count, Kind, Literal, Real, Value
from factorloom.expressions.parse import operators

__all__ = ["SOURCES", "calls", "columns", "factors", "panels", "plain_call"]

COLUMNS = ("close", "open", "volume")
GROUPS = ("sector",)
MAX_BARS, MAX_SYMBOLS, MAX_WINDOW = 14, 5, 6


@st.composite
def panels(
    draw: st.DrawFn,
    columns: Sequence[str] = COLUMNS,
    groups: Sequence[str] = GROUPS,
    *,
    max_bars: int = MAX_BARS,
    max_symbols: int = MAX_SYMBOLS,
    intraday: bool = False,
) -> Panel:
    """Panels with gaps, ties, constants, missing columns, huge offsets, late listings, suspensions and single symbols.

    Parameters
    ----------
    columns, groups
        The columns of numbers, and those of categories.
    max_bars, max_symbols
        The most bars of a symbol, and symbols.
    intraday
        Whether bars have a time of day; some then come in a time zone, which the panel removes.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = {name: draw(st.sampled_from(SHAPES)) for name in columns}
    gaps = draw(st.sampled_from([0.0, 0.2, 0.6]))
    parts = []
    for number in range(draw(st.integers(1, max_symbols))):
        bars, late = draw(st.integers(1, max_bars)), draw(st.integers(0, 5))
        days = [int(day) for day in late + np.cumsum(rng.integers(1, 3, bars))]
        values = {name: np.where(rng.random(bars) < gaps, np.nan, shaped(rng, s, bars)) for name, s in shapes.items()}
        category = {name: CATEGORIES[int(rng.integers(len(CATEGORIES)))] for name in groups}
        text = {name: pl.Series([word] * bars, dtype=pl.String) for name, word in category.items()}
        dates = [_date(day, intraday=intraday) for day in days]
        parts.append(pl.DataFrame({"symbol": [f"S{number}"] * bars, "date": dates, **values, **text}))
    frame = pl.concat(parts)
    zone = draw(st.sampled_from(ZONES)) if intraday else None
    if zone is not None:
        frame = frame.with_columns(pl.col("date").dt.replace_time_zone(zone))
    return Panel.from_frame(frame.sample(fraction=1, shuffle=True, seed=int(rng.integers(1000))))


def _date(day: int, *, intraday: bool) -> date:
    if intraday:
        return datetime(2024, 1, 1, 9, 30) + timedelta(days=day // 4, hours=day % 4)
    return date(2024, 1, 1) + timedelta(days=day)


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
    return _call(operator, lambda size: [close] * (size or 1), lambda values: values[-1], lambda: True)


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


columns = st.sampled_from([col(name) for name in COLUMNS])
SOURCES = ("col", "lit")


def factors(max_leaves: int = 6) -> st.SearchStrategy[Factor]:
    """Any factor, of any operators."""
    leaves = columns | st.floats(-10, 10).map(lit) | st.just(missing)
    registered = [op for op in operators() if op.name not in SOURCES]
    return st.recursive(
        leaves,
        lambda inner: st.sampled_from(registered).flatmap(lambda op: calls(op, inner)),
        max_leaves=max_leaves,
    )
