"""The factor sets that are timed: libraries, every operator once, and what new users compute first.

Average volumes of Alpha101 are in shares, as the other engines compute them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any

from factorloom.bench.workload import Workload, make_bars
from factorloom.expressions import library
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import Operator, col
from factorloom.expressions.operators import cs_rank, ts_mean
from factorloom.expressions.parse import operators

__all__ = ["FIRST", "SETS", "arguments", "every_operator", "sample"]

ARGUMENTS = {"window": 20, "periods": 5, "by": "sector", "threshold": 1.0}
COLUMNS = ("close", "volume", "vwap", "amount")
"""Operators are timed on these: `ARGUMENTS` by name, and one column after another for every other argument."""


def every_operator() -> dict[str, Factor]:
    """Every operator along time or across symbols, once, on plain columns."""
    return {op.name: _call(op) for op in operators() if op.axis is not Axis.CELL}


def arguments(op: Operator[...]) -> dict[str, Any]:
    """The arguments that an operator is timed with: only the required ones.

    >>> from factorloom.expressions.operator import find
    >>> arguments(find("ts_corr"))
    {'x': <Factor close>, 'y': <Factor volume>, 'window': 20}
    """
    columns = map(col, COLUMNS)
    required = [p.name for p in op.signature.parameters.values() if p.default is p.empty]
    return {name: ARGUMENTS[name] if name in ARGUMENTS else next(columns) for name in required}


def _call(op: Operator[...]) -> Factor:
    values = arguments(op)
    keywords = {name: values.pop(name) for name in tuple(values) if _is_keyword_only(op, name)}
    return op(*values.values(), **keywords)


def _is_keyword_only(op: Operator[...], name: str) -> bool:
    return op.signature.parameters[name].kind is Parameter.KEYWORD_ONLY


SETS: Mapping[str, Callable[[], Mapping[str, Factor]]] = {
    "alpha158": library.alpha158,
    "alpha101": lambda: library.alpha101(adv="shares"),
    "gtja191": library.gtja191,
    "operators": every_operator,
    "column": lambda: {"close": col("close")},
    "rank": lambda: {"rank": cs_rank(ts_mean(col("close"), 20))},
    "styles": lambda: library.styles().available(make_bars(Workload(symbols=1, bars=1)).columns),
}

FIRST = ("column", "rank", "styles")
"""Sets of which only the first result is timed."""


def sample(factors: Mapping[str, Factor], count: int) -> dict[str, Factor]:
    """A number of factors, evenly spread over the set.

    >>> sample(dict.fromkeys("abcdef"), 3)
    {'a': None, 'c': None, 'e': None}
    """
    names = list(factors)
    chosen = (names[place * len(names) // count] for place in range(count))
    return {name: factors[name] for name in chosen}
