"""What a caller wants, checked before anything runs, as a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TypeAlias

import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.number import check_dtype
from factorloom.engine.plan.passes import make_plan
from factorloom.engine.plan.plan import Plan
from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ArgumentError, UnknownColumnError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL
from factorloom.expressions.parse import parse
from factorloom.expressions.polars.read import from_polars, named_from_polars

__all__ = ["Factors", "OneFactor", "make_request", "named_factors", "refuse_keys"]

OneFactor: TypeAlias = Factor | str | pl.Expr
"""A factor, its text, or an expression of Polars."""

Factors: TypeAlias = OneFactor | Sequence[OneFactor] | Mapping[str, OneFactor] | None
"""Factors by name, or without names: these are named by their text, expressions by their alias."""

SHOWN = 10
"""So many factors are named in an error."""


def make_request(
    bars: Bars,
    factors: object,
    more: Iterable[object],
    named: Mapping[str, object],
    dtype: str = "float64",
    *,
    streamed: bool = False,
) -> Plan:
    """The plan for the factors that a caller names in any way, refused where these bars cannot give them."""
    check_dtype(dtype)
    wanted = named_factors(factors, more, named)
    _check(wanted, bars)
    return make_plan(wanted, dtype=dtype, streamed=streamed)


SELECTIONS = {
    "date": "to select dates write dates=day, or start= and end=",
    "symbol": "to select symbols write symbols=",
}
"""Keyword arguments that are not there, and what is."""


def named_factors(
    factors: object, more: Iterable[object], named: Mapping[str, object], *, keys: tuple[str, str] = ("symbol", "date")
) -> dict[str, Factor]:
    """All factors by name; `keys` is what expressions of Polars call symbol and date."""
    pairs: list[tuple[str | None, object]] = []
    if isinstance(factors, Mapping):
        pairs += factors.items()
    elif isinstance(factors, list | tuple):
        more = [*factors, *more]
    elif factors is not None:
        more = [factors, *more]
    pairs += [_named(each, keys) if isinstance(each, pl.Expr) else (str(each), each) for each in more]
    pairs += named.items()
    wanted: dict[str, Factor] = {}
    for name, factor in ((str(factor) if name is None else name, factor) for name, factor in pairs):
        if not isinstance(name, str):
            raise ArgumentError(f"the name of a factor must be text, got {name!r}", hint="for example 'momentum'")
        if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
            raise ArgumentError(
                f"the name of a factor must be text, got half a character in {name!r}", hint="for example 'momentum'"
            )
        if name in wanted:
            raise ArgumentError(f"two factors are named {name!r}")
        wanted[name] = _factor(name, factor, keys)
    if not wanted:
        raise ArgumentError("no factor to compute", hint="for example {'momentum': fl.ts_pct_change(fl.close, 20)}")
    return wanted


def refuse_keys(names: Iterable[str], keys: tuple[str, str]) -> None:
    """Refuse factors that are named as a key column."""
    for name in names:
        if name in keys:
            raise ArgumentError(f"a factor cannot be named {name!r}: that is a key column", hint="give it another name")


def _named(expression: pl.Expr, keys: tuple[str, str]) -> tuple[str | None, Factor]:
    return named_from_polars(expression, symbol=keys[0], date=keys[1])


def _factor(name: str, value: object, keys: tuple[str, str]) -> Factor:
    """A factor, one in text, or an expression of Polars."""
    if isinstance(value, Factor):
        return value
    if isinstance(value, str) and name not in SELECTIONS:
        return parse(value)
    if isinstance(value, pl.Expr):
        return from_polars(value, symbol=keys[0], date=keys[1])
    hint = SELECTIONS.get(name, "give a factor such as fl.close, its text, or an expression of Polars")
    raise ArgumentError(f"{name!r} is not a factor: {value!r}", hint=hint)


def _check(wanted: Mapping[str, Factor], bars: Bars) -> None:
    """Refuse factors that these bars cannot give."""
    refuse_keys(wanted, (bars.symbol, bars.date))
    _check_columns(wanted, bars)
    numbers = {name for name, kind in bars.table.schema.items() if kind.is_float()}
    for factor in wanted.values():
        for node in factor.walk():
            _check_inputs(factor, node, bars, numbers)
        if factor.operator is COL:
            _check_number(factor, factor, bars, numbers)


def _check_columns(wanted: Mapping[str, Factor], bars: Bars) -> None:
    """Name all factors that lack columns in one error; a single one gets an error with a caret later."""
    lacking = {name: set(factor.columns).difference(bars.columns) for name, factor in wanted.items()}
    listed = [f"{name} ({', '.join(sorted(columns))})" for name, columns in lacking.items() if columns]
    if len(listed) > 1:
        rest = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
        raise UnknownColumnError(
            f"{len(listed)} of {len(wanted)} factors need columns that the panel does not have: "
            f"{', '.join(listed[:SHOWN])}{rest}",
            hint="add the columns, or take the factors that your columns allow: library.available(panel.columns)",
        )


def _check_inputs(factor: Factor, node: Factor, bars: Bars, numbers: Set[str]) -> None:
    for place, child in enumerate(node.inputs):
        is_key = node.operator.axis is Axis.GROUP and place == len(node.inputs) - 1
        if child.operator is COL and not is_key:
            _check_number(factor, child, bars, numbers)
        elif child.operator is COL:
            _check_known(factor, child, bars)


def _check_known(factor: Factor, column: Factor, bars: Bars) -> str:
    name = str(column.parameters[0])
    if name not in bars.columns:
        text = str(factor)
        raise UnknownColumnError(
            f"the panel has no column {name!r}",
            hint=suggest(name, bars.columns),
            text=text,
            position=text.find(str(column)),
        )
    return name


def _check_number(factor: Factor, column: Factor, bars: Bars, numbers: Set[str]) -> None:
    name = _check_known(factor, column, bars)
    if name not in numbers:
        text = str(factor)
        raise ArgumentError(
            f"column {name!r} holds categories, not numbers",
            hint="text may only be grouped by, as in group_rank(x, sector)",
            text=text,
            position=text.find(str(column)),
        )
