"""The factor sets that are timed.

The libraries, with average volumes in shares as the peers have them; and every operator once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any

from factorloom.expressions import library
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import Operator, col
from factorloom.expressions.parse import operators

__all__ = ["SETS", "arguments", "sample", "single"]

ARGUMENTS = {"window": 20, "periods": 5, "by": "sector", "threshold": 1.0}
COLUMNS = ("close", "volume", "vwap", "amount")
"""What operators are timed with: these columns, one after another, wherever no argument has a value of its own."""


def single() -> dict[str, Factor]:
    """Every operator that looks along time or across symbols, once, on plain columns."""
    return {op.name: _call(op) for op in operators() if op.axis is not Axis.CELL}


def arguments(op: Operator[...]) -> dict[str, Any]:
    """What an operator is timed with: what it must be given, and nothing else.

    >>> from factorloom.expressions.operator import find
    >>> arguments(find("ts_corr"))
    {'x': <Factor close>, 'y': <Factor volume>, 'window': 20}
    """
    columns = map(col, COLUMNS)
    required = [p.name for p in op.signature.parameters.values() if p.default is p.empty]
    return {name: ARGUMENTS[name] if name in ARGUMENTS else next(columns) for name in required}


def _call(op: Operator[...]) -> Factor:
    given = arguments(op)
    named = {name: given.pop(name) for name in tuple(given) if _only_by_name(op, name)}
    return op(*given.values(), **named)


def _only_by_name(op: Operator[...], name: str) -> bool:
    return op.signature.parameters[name].kind is Parameter.KEYWORD_ONLY


SETS: Mapping[str, Callable[[], Mapping[str, Factor]]] = {
    "alpha158": library.alpha158,
    "alpha101": lambda: library.alpha101(adv="shares"),
    "gtja191": library.gtja191,
    "operators": single,
}


def sample(factors: Mapping[str, Factor], count: int) -> dict[str, Factor]:
    """So many of the factors, evenly spread.

    >>> sample(dict.fromkeys("abcdef"), 3)
    {'a': None, 'c': None, 'e': None}
    """
    names = list(factors)
    chosen = (names[place * len(names) // count] for place in range(count))
    return {name: factors[name] for name in chosen}
