"""The kinds of parameters that operators take, as annotations of their signatures.

A kind checks a value when a factor is built and gives its canonical form, so that equal factors are equal by content.
An operator writes `window: Annotated[int, Count(1)]`, or one of the aliases below.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import numpy as np

from factorloom.expressions.errors import ArgumentError, ParameterError, WindowError, suggest

__all__ = [
    "Choice",
    "Count",
    "Flag",
    "Kind",
    "Literal",
    "MinSamples",
    "Name",
    "Periods",
    "Real",
    "Samples",
    "Value",
    "Whole",
    "Window",
]

Value: TypeAlias = int | float | str
"""What the canonical form of a parameter may be."""


class Kind:
    """Base of all kinds: `check` gives the canonical value or raises, `encode` the number that kernels get."""

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        raise NotImplementedError

    def encode(self, value: Value) -> float | int:
        assert not isinstance(value, str)
        return value


@dataclass(frozen=True)
class Count(Kind):
    """A whole number of bars, at least `minimum`."""

    minimum: int = 1
    reason: str | None = None

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        whole = _whole(name, value)
        if whole < self.minimum:
            raise WindowError(f"{name} must be at least {self.minimum}, got {whole}", hint=self.reason)
        return whole


@dataclass(frozen=True)
class Samples(Kind):
    """How many present values a window needs; by default as many as the window has bars.

    An `endless` average has no window to fill, and may need more.
    """

    minimum: int = 1
    window: str = "window"
    endless: bool = False

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        window = others[self.window]
        assert isinstance(window, int)
        if value is None:
            return window
        whole = _whole(name, value)
        if self.endless and whole < self.minimum:
            raise WindowError(f"{name} must be at least {self.minimum}, got {whole}")
        if not self.endless and not self.minimum <= whole <= window:
            raise WindowError(f"{name} must be between {self.minimum} and {self.window} ({window}), got {whole}")
        return whole


@dataclass(frozen=True)
class Real(Kind):
    """A finite number, greater than `above` and less than `below` where they are given."""

    above: float | None = None
    below: float | None = None

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        number = _number(name, value)
        if math.isnan(number):
            raise ParameterError(f"{name} must be a number, got {value!r}")
        if self.above is not None and number <= self.above:
            raise ParameterError(f"{name} must be greater than {self.above:g}, got {value!r}")
        if self.below is not None and number >= self.below:
            raise ParameterError(f"{name} must be less than {self.below:g}, got {value!r}")
        return number


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number from `least` to `most` that is not a number of bars."""

    least: int
    most: int

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        whole = _whole(name, value)
        if not self.least <= whole <= self.most:
            raise ParameterError(f"{name} must be between {self.least} and {self.most}, got {whole}")
        return whole


@dataclass(frozen=True)
class Choice(Kind):
    """One of some words; kernels get its index."""

    words: tuple[str, ...]

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        if value not in self.words:
            known = ", ".join(map(repr, self.words))
            raise ParameterError(f"{name} must be one of {known}, got {value!r}", hint=suggest(str(value), self.words))
        return str(value)

    def encode(self, value: Value) -> int:
        return self.words.index(str(value))


@dataclass(frozen=True)
class Flag(Kind):
    """True or False."""

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        if not isinstance(value, bool | np.bool_):
            raise ArgumentError(f"{name} must be True or False, got {value!r}")
        return bool(value)

    def encode(self, value: Value) -> int:
        return int(value)


@dataclass(frozen=True)
class Name(Kind):
    """The name of a column."""

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        if not isinstance(value, str) or not value:
            raise ArgumentError(f"{name} must be a column name, got {value!r}")
        return value


@dataclass(frozen=True)
class Literal(Kind):
    """A constant of the expression; NaN is the missing value."""

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        return _number(name, value) + 0.0


def _number(name: str, value: object) -> float:
    if not isinstance(value, numbers.Real):
        raise ArgumentError(f"{name} must be a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise ParameterError(f"{name} must be finite, got a number too large for Float64")
    return number


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentError(f"{name} must be a whole number, got {value!r}")
    return int(value.__index__())


Window: TypeAlias = Annotated[int, Count(1)]
Periods: TypeAlias = Annotated[int, Count(1)]
MinSamples: TypeAlias = Annotated[int | None, Samples()]
