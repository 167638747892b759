"""What an evaluation is asked for, checked before anything runs."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.category import TEXT
from factorloom.engine.bars.selection import When, select
from factorloom.engine.plan.request import Factors, OneFactor, make_request, named_factors
from factorloom.engine.research.evaluation.labels import Halted
from factorloom.expressions.errors import ArgumentError, LookaheadError, ParameterError, UnknownColumnError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col
from factorloom.expressions.parse import parse

__all__ = ["DEFAULTS", "EvaluationOptions", "Settings", "checked_factors", "checked_settings"]

MOST_QUANTILES = 100


class EvaluationOptions(TypedDict, total=False):
    """The arguments of `evaluate` that say how; it explains them."""

    horizons: Sequence[int]
    quantiles: int
    group: str | None
    price: str
    entry_lag: int
    costs_bps: float
    start: When | None
    end: When | None
    halted: Halted
    weights: OneFactor | None
    neutral: bool


DEFAULTS: EvaluationOptions = {
    "horizons": (1, 5, 21),
    "quantiles": 5,
    "group": None,
    "price": "close",
    "entry_lag": 1,
    "costs_bps": 0,
    "start": None,
    "end": None,
    "halted": "last",
    "weights": None,
    "neutral": False,
}


@dataclass(frozen=True)
class Settings:
    """The arguments of an evaluation, as checked; `evaluate` explains them."""

    horizons: tuple[int, ...]
    quantiles: int
    group: str | None
    universe: Factor | None
    price: str
    entry_lag: int
    costs_bps: float
    start: When | None
    end: When | None
    halted: Halted
    weights: Factor | None
    neutral: bool

    def as_dict(self) -> dict[str, Any]:
        """The arguments as plain values: factors as text, dates as ISO text."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("universe", "weights", "start", "end"):
            plain[name] = None if plain[name] is None else str(plain[name])
        return plain


def checked_factors(factors: Factors, bars: Bars) -> dict[str, Factor]:
    """The factors by name, refused where they look ahead or where these bars cannot give them."""
    wanted = named_factors(factors, (), {})
    for name, factor in wanted.items():
        _refuse_lookahead(f"factor {name!r}", factor)
    make_request(bars, wanted, (), {})
    return wanted


def checked_settings(
    bars: Bars,
    *,
    horizons: object,
    quantiles: object,
    group: object,
    universe: object,
    price: object,
    entry_lag: object,
    costs_bps: object,
    start: When | None,
    end: When | None,
    halted: object,
    weights: object,
    neutral: object,
) -> Settings:
    """Check every argument against the bars."""
    if price is None and weights is not None:
        raise ParameterError("weights need a price", hint="returns are weighted: name the price that they come from")
    select(start, end)
    named = _group(group, bars)
    if not isinstance(neutral, bool):
        raise ArgumentError(f"neutral must be True or False, got {neutral!r}")
    if neutral and named is None:
        raise ParameterError("neutral=True needs a group", hint="name the column of groups: group='sector'")
    return Settings(
        horizons=_horizons(horizons),
        quantiles=_whole("quantiles", quantiles, 2, MOST_QUANTILES),
        group=named,
        universe=_column_or_factor("universe", universe, bars),
        price=_price(price, bars),
        entry_lag=_whole("entry_lag", entry_lag, 0),
        costs_bps=_number("costs_bps", costs_bps),
        start=start,
        end=end,
        halted=_halted(halted),
        weights=_column_or_factor("weights", weights, bars),
        neutral=neutral,
    )


def _refuse_lookahead(what: str, factor: Factor) -> None:
    ahead = factor.looking_ahead()
    if ahead:
        hint = "a factor may use only the past; labels look ahead, and are made here"
        raise LookaheadError(f"{what}: {', '.join(ahead)} looks ahead in {factor}", hint=hint)


def _horizons(given: object) -> tuple[int, ...]:
    values = [given] if isinstance(given, int) else given
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise ArgumentError(f"horizons must be whole numbers, got {given!r}", hint="for example horizons=(1, 5, 21)")
    horizons = tuple(_whole("a horizon", each, 1) for each in values)
    if not horizons:
        raise ParameterError("there must be at least one horizon", hint="for example horizons=(1, 5, 21)")
    if len(set(horizons)) < len(horizons):
        raise ParameterError(f"horizons must differ, got {horizons}")
    return horizons


def _whole(name: str, value: object, least: int, most: int | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ArgumentError(f"{name} must be a whole number, got {value!r}")
    number = int(value)
    if number < least or (most is not None and number > most):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ParameterError(f"{name} must be {bounds}, got {number}")
    return number


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ArgumentError(f"{name} must be a number, got {value!r}")
    if not 0 <= float(value) < math.inf:
        raise ParameterError(f"{name} must be a finite number of at least 0, got {value}")
    return float(value)


def _halted(value: object) -> Halted:
    if value == "last":
        return "last"
    if value == "missing":
        return "missing"
    if isinstance(value, str | bool) or not isinstance(value, numbers.Real):
        raise ParameterError(
            f"halted must be 'last', 'missing' or a return, got {value!r}",
            hint="a symbol without a price on the exit date gets its last price, nothing, or a return such as -0.3",
        )
    if not -1 <= float(value) < math.inf:
        raise ParameterError(f"halted must be a return of at least -1, got {value}")
    return float(value)


def _price(price: object, bars: Bars) -> str:
    if not isinstance(price, str):
        raise ArgumentError(f"price must be the name of a column, got {price!r}")
    _known("price", price, bars)
    if not bars.table.schema[price].is_float():
        raise ArgumentError(f"price: column {price!r} holds categories, not numbers")
    return price


def _group(group: object, bars: Bars) -> str | None:
    if group is None:
        return None
    if not isinstance(group, str):
        raise ArgumentError(f"group must be the name of a column, got {group!r}")
    _known("group", group, bars)
    if not isinstance(bars.table.schema[group], TEXT):
        raise ArgumentError(
            f"group: column {group!r} holds numbers, not categories", hint="give the groups as text, such as sectors"
        )
    return group


def _known(argument: str, name: str, bars: Bars) -> None:
    if name not in bars.columns:
        raise UnknownColumnError(f"{argument}: the panel has no column {name!r}", hint=suggest(name, bars.columns))


def _column_or_factor(argument: str, value: object, bars: Bars) -> Factor | None:
    """A column by its name, or a factor in any form."""
    if value is None:
        return None
    if isinstance(value, str) and value.isidentifier():
        _known(argument, value, bars)
        value = col(value)
    given: OneFactor = parse(value) if isinstance(value, str) else value  # type: ignore[assignment]
    (factor,) = named_factors({argument: given}, (), {}).values()
    _refuse_lookahead(argument, factor)
    make_request(bars, {argument: factor}, (), {})
    return factor
