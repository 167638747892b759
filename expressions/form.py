"""The forms of operators, and the statistics that several kernels share.

An operator has one meaning, in several forms, each a function:

- `meaning`: NumPy on ONE window or ONE cross-section (whole columns for cell-wise operators): the definition;
- `polars`: the same as a Polars expression inside its symbol or date;
- `kernel`: a plain loop over one symbol's bars, or one cross-section, that writes `out`.

The meaning and the Polars form take the inputs in order, and the parameters that they name; inputs after a variadic one
are passed by name too. The meaning of a cell-wise operator may be a ufunc. A kernel takes what it names, inputs (a
variadic one as a tuple) or parameters, and `out` last; it may also name the outputs of a `Statistic` of the same
inputs, which is computed once for all operators that read it, and `first_bar`, the number of the first bar that it is
given among all bars of the symbol.

Any form may name `dates_left` as a further input: how many dates of the market come after each bar. The market has the
dates of all bars, whatever symbol they belong to, so that a form can count dates where a symbol has gaps. An operator
of which one form names it must name it in all, and may use only differences up to its look-ahead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

__all__ = ["BAR", "DATES", "Form", "Statistic", "statistic"]

BAR = "first_bar"
"""What a loop calls the number of the first bar that it is given, among all bars of the symbol."""

DATES = "dates_left"
"""What a form calls the number of the market's dates after each bar."""


@dataclass(frozen=True)
class Statistic:
    """A plain loop whose results several kernels read: sums behind mean and deviation, the order behind ranks.

    Attributes
    ----------
    loop
        Takes inputs and parameters under the names that operators give them, then fills one array per output.
    arguments, outputs : tuple of str
        What it takes besides `first_bar`, and what it fills, in the order of its signature.
    every : str or None
        A parameter of which it takes the values of all operators that read it, as a tuple, to fill a tuple of outputs.
    """

    loop: Callable[..., None]
    arguments: tuple[str, ...]
    outputs: tuple[str, ...]
    every: str | None = None

    @property
    def name(self) -> str:
        return self.loop.__name__

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the loop's arguments but its outputs."""
        return tuple(inspect.signature(self.loop).parameters)[: -len(self.outputs)]


def statistic(*outputs: str, every: str | None = None) -> Callable[[Callable[..., None]], Statistic]:
    """Declare a plain loop as a statistic that fills these outputs, its last arguments."""

    def declare(loop: Callable[..., None]) -> Statistic:
        names = tuple(inspect.signature(loop).parameters)
        assert names[-len(outputs) :] == outputs, f"{loop.__name__} must take {outputs} last"
        assert every is None or (every in names and len(outputs) == 1), f"{loop.__name__} must take {every}"
        return Statistic(loop, tuple(name for name in names[: -len(outputs)] if name != BAR), outputs, every)

    return declare


@dataclass(frozen=True)
class Form:
    """One way to compute an operator.

    Attributes
    ----------
    function
        It computes the operator; see the module for its arguments.
    statistics : tuple of Statistic
        What the function may read besides the inputs and parameters of the operator.
    """

    function: Callable[..., Any]
    statistics: tuple[Statistic, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the arguments; a ufunc has none."""
        return () if isinstance(self.function, np.ufunc) else tuple(inspect.signature(self.function).parameters)
