"""What an evaluation is asked for, checked before anything runs."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.category import TEXT
from factorloom.engine.bars.selection import When, date_span
from factorloom.engine.plan.request import Factors, OneFactor, make_request, named_factors
from factorloom.engine.research.evaluation.labels import Halted
from factorloom.engine.research.label import MARKET
from factorloom.engine.research.series import check_costs, real
from factorloom.expressions.errors import (
    ArgumentError,
    BarsError,
    LookaheadError,
    ParameterError,
    UnknownColumnError,
    suggest,
)
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col
from factorloom.expressions.parse import parse

__all__ = [
    "EvaluationOptions",
    "Settings",
    "checked_factors",
    "checked_settings",
    "whole_number",
]

MOST_QUANTILES = 100
LONGEST = 10**9
"""Market dates: beyond any panel, and the sum of two is still a whole number of the machine."""
HIGHEST_RETURN = 1e300
HORIZONS = "for example horizons=(1, 5, 21)"


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
    log: bool
    excess: OneFactor | None


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
    log: bool
    excess: Factor | str | None

    @property
    def category(self) -> str | None:
        """The column of categories whose mean is taken off the labels."""
        return self.excess if isinstance(self.excess, str) and self.excess != MARKET else None

    def as_dict(self) -> dict[str, Any]:
        """The arguments as plain values: factors as text, dates as ISO text."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("universe", "weights", "start", "end", "excess"):
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
    horizons: object = (1, 5, 21),
    quantiles: object = 5,
    group: object = None,
    universe: object = None,
    price: object = "close",
    entry_lag: object = 1,
    costs_bps: object = 0,
    start: When | None = None,
    end: When | None = None,
    halted: object = "last",
    weights: object = None,
    neutral: object = False,
    log: object = False,
    excess: object = None,
) -> Settings:
    """Check every argument against the bars."""
    if price is None and weights is not None:
        raise ParameterError("weights need a price", hint="returns are weighted: name the price that they come from")
    if not bars.rows:
        raise BarsError("there are no bars to evaluate on", hint="load bars first")
    date_span(bars, start, end)
    named = _group(group, bars)
    if not isinstance(neutral, bool):
        raise ArgumentError(
            f"neutral must be True or False, got {neutral!r}", hint="neutral=True compares names within their group"
        )
    if not isinstance(log, bool):
        raise ArgumentError(
            f"log must be True or False, got {log!r}", hint="log=True takes the logarithm of returns for correlations"
        )
    if neutral and named is None:
        raise ParameterError("neutral=True needs a group", hint="name the column of groups: group='sector'")
    return Settings(
        horizons=_horizons(horizons),
        quantiles=whole_number("quantiles", quantiles, 2, MOST_QUANTILES, hint="quantiles=5 cuts names into fifths"),
        group=named,
        universe=_column_or_factor("universe", universe, bars),
        price=_price(price, bars),
        entry_lag=whole_number(
            "entry_lag", entry_lag, 0, LONGEST, hint="dates from a factor's own to the entry, such as 1"
        ),
        costs_bps=check_costs(costs_bps),
        start=start,
        end=end,
        halted=_halted(halted, log=log),
        weights=_column_or_factor("weights", weights, bars),
        neutral=neutral,
        log=log,
        excess=_excess(excess, bars),
    )


def _refuse_lookahead(what: str, factor: Factor) -> None:
    ahead = factor.looking_ahead()
    if ahead:
        hint = "a factor may use only the past; labels look ahead, and are made here"
        raise LookaheadError(f"{what}: {', '.join(ahead)} looks ahead in {factor}", hint=hint)


def _horizons(given: object) -> tuple[int, ...]:
    values = [given] if isinstance(given, numbers.Integral) else given
    try:
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
            raise TypeError
        each_given: list[object] = list(values)
    except TypeError:  # also an array without an axis
        raise ArgumentError(f"horizons must be whole numbers, got {given!r}", hint=HORIZONS) from None
    horizons = tuple(whole_number("a horizon", each, 1, LONGEST, hint=HORIZONS) for each in each_given)
    if not horizons:
        raise ParameterError("there must be at least one horizon", hint=HORIZONS)
    if len(set(horizons)) < len(horizons):
        raise ParameterError(f"horizons must differ, got {horizons}", hint="name each horizon once")
    return horizons


def whole_number(name: str, value: object, least: int, most: int, *, hint: str) -> int:
    """A whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ArgumentError(f"{name} must be a whole number, got {value!r}", hint=hint)
    number = int(value)
    if not least <= number <= most:
        bounds = f"at least {least}" if most == LONGEST and number < least else f"from {least} to {most}"
        raise ParameterError(f"{name} must be {bounds}, got {number}", hint=hint)
    return number


def _halted(value: object, *, log: bool) -> Halted:
    if value == "last":
        return "last"
    if value == "missing":
        return "missing"
    if isinstance(value, str | bool) or not isinstance(value, numbers.Real):
        raise ParameterError(
            f"halted must be 'last', 'missing' or a return, got {value!r}",
            hint="a symbol without a price on the exit date gets its last price, nothing, or a return such as -0.3",
        )
    if not -1 <= real(value) <= HIGHEST_RETURN:
        hint = "it is a ratio: -0.3 is a loss of 30 percent"
        raise ParameterError(f"halted must be a return of at least -1, got {value}", hint=hint)
    if log and value == -1:
        hint = "a little more, such as halted=-0.99, or log=False"
        raise ParameterError("halted must be greater than -1 where log=True, to have a logarithm", hint=hint)
    return real(value)


def _price(price: object, bars: Bars) -> str:
    if not isinstance(price, str):
        raise ArgumentError(f"price must be the name of a column, got {price!r}", hint="for example price='close'")
    _known("price", price, bars)
    if not bars.table.schema[price].is_float():
        raise ArgumentError(
            f"price: column {price!r} holds categories, not numbers", hint="name a column of prices: price='close'"
        )
    return price


def _group(group: object, bars: Bars) -> str | None:
    if group is None:
        return None
    if not isinstance(group, str):
        raise ArgumentError(f"group must be the name of a column, got {group!r}", hint="for example group='sector'")
    _known("group", group, bars)
    if not isinstance(bars.table.schema[group], TEXT):
        raise ArgumentError(
            f"group: column {group!r} holds numbers, not categories", hint="give the groups as text, such as sectors"
        )
    return group


def _excess(value: object, bars: Bars) -> Factor | str | None:
    """`"market"`, a column of categories, or the level of a benchmark."""
    if isinstance(value, str):
        if value == MARKET:
            return value
        if value.isidentifier() and value not in bars.columns:
            raise UnknownColumnError(
                f"excess: the panel has no column {value!r}", hint=suggest(value, [MARKET, *bars.columns])
            )
        if value in bars.columns and isinstance(bars.table.schema[value], TEXT):
            return value
    elif isinstance(value, bool | numbers.Number):
        raise ArgumentError(
            f"excess must be 'market', the name of a column or a factor, got {value!r}",
            hint="for example excess='market', or excess='sector'",
        )
    return _column_or_factor("excess", value, bars)


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
