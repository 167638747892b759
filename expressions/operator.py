"""Operators, and how they are declared.

An `Operator` is made of a function whose signature declares inputs (`Input`, or `Key` for a category) and parameters
(any annotated `Kind`), and whose body is only its documentation. Its forms (see `form.py`) are then attached below it.
An operator whose body returns a factor is shorthand for it, and needs no forms.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Annotated, Any, Generic, ParamSpec, TypeVar

from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ArgumentError, FactorloomError, UnknownOperatorError, suggest
from factorloom.expressions.factor import Factor, intern
from factorloom.expressions.form import DATES, Form, Statistic
from factorloom.expressions.parameter import Literal, Name, Value
from factorloom.expressions.registry import OPERATORS, READERS, BarCount, Definition, register
from factorloom.expressions.render import render_call

__all__ = ["COL", "LIT", "Operator", "col", "find", "grouped", "lit", "operator"]

P = ParamSpec("P")
Function = TypeVar("Function", bound=Callable[..., Any])


class Operator(Definition, Generic[P]):
    """One operator of the factor language: callable, documented, and known by name in text.

    Its attributes are those of `Definition`: `name`, `axis`, `signature`, `inputs`, `kinds`, `forms` and others.
    """

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Factor:
        if not kwargs and self._takes(args):
            return intern(self, args, {})  # type: ignore[arg-type]
        try:
            return self.build(args, kwargs)
        except FactorloomError as error:
            error.at(*render_call(self.name, args, kwargs, error.argument, self.argument_names(len(args))))
            raise

    def meaning(self, function: Function) -> Function:
        """Attach the meaning."""
        return self._attach("meaning", function)

    def polars(self, function: Function) -> Function:
        """Attach the Polars form."""
        return self._attach("polars", function)

    def kernel(self, function: Function) -> Function:
        """Attach the kernel."""
        return self._attach("kernel", function)

    def kernel_from(self, *statistics: Statistic) -> Callable[[Function], Function]:
        """Attach the kernel, which may also name the outputs of these statistics."""
        assert all(self.variadic not in each.arguments for each in statistics), "a statistic takes single inputs"
        return lambda function: self._attach("kernel", function, statistics)

    def _attach(self, name: str, function: Function, statistics: tuple[Statistic, ...] = ()) -> Function:
        self.forms[name] = Form(function, statistics)
        self.counts_dates = DATES in self.forms[name].names
        return function

    def _takes(self, args: tuple[object, ...]) -> bool:
        """Whether these are all that it takes: factors, for an operator without parameters that is no shorthand."""
        is_plain = not self.kinds and self.variadic is None and self.axis is not Axis.GROUP and bool(self.forms)
        return is_plain and len(args) == len(self.inputs) and all(type(each) is Factor for each in args)

    def build(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Factor:
        """The node for these arguments; an error carries the name of the argument at fault."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"{self.name}: {error}", hint=f"call it as {self.name}{self.usage}") from None
        bound.apply_defaults()
        given = bound.arguments
        for name in self.inputs:
            given[name] = self._many(given[name]) if name == self.variadic else self.as_input(name, given[name])
        values: dict[str, Value] = {}
        for name, kind in self.kinds.items():
            try:
                values[name] = given[name] = kind.check(name, given[name], values)
            except FactorloomError as error:
                error.argument = name
                raise
        body: Callable[..., Factor | None] = self._body
        longhand = body(*bound.args, **bound.kwargs)
        return intern(self, self._flat(given), values) if longhand is None else longhand

    def as_input(self, name: str, value: object) -> Factor:
        """The factor of an argument: itself, a constant for a number, or a column for the name of a category."""
        is_key = self.axis is Axis.GROUP and name == self.inputs[-1]
        for kind, read in READERS.items():
            value = read(value) if isinstance(value, kind) else value
        if is_key and isinstance(value, str):
            return col(value)
        if isinstance(value, Factor) and (not is_key or value.operator is COL):
            return value
        if isinstance(value, Real) and not is_key:
            return lit(value)  # type: ignore[arg-type]
        expected = "a column" if is_key else "a factor or a number"
        error = ArgumentError(f"{self.name}: {name} must be {expected}, got {_shown(value)}", hint=_hint(value, is_key))
        error.argument = name
        raise error

    def _many(self, values: tuple[object, ...]) -> tuple[Factor, ...]:
        """The factors of the variadic input."""
        if not values:
            message = f"{self.name}: {self.variadic} must be at least 1 factor, got none"
            raise ArgumentError(message, hint=f"call it as {self.name}{self.usage}")
        return tuple(self.as_input(f"{self.variadic}[{k}]", value) for k, value in enumerate(values))

    def _flat(self, arguments: Mapping[str, Any]) -> tuple[Factor, ...]:
        """All inputs in one tuple, the variadic ones in their position."""
        inputs = (arguments[name] if name == self.variadic else (arguments[name],) for name in self.inputs)
        return tuple(itertools.chain.from_iterable(inputs))


def operator(
    axis: Axis,
    *,
    lookback: BarCount | None = None,
    lookahead: BarCount | None = None,
    unbounded: bool = False,
    rank: Callable[..., bool] | None = None,
    version: int | str = 1,
) -> Callable[[Callable[P, Factor]], Operator[P]]:
    """Register a documented signature as an operator.

    `lookback` and `lookahead` give the bars before and after the current one from all parameters, by name. `rank` says
    with which parameters the values are mean ranks divided by the number of present members: these can be kept as whole
    numbers.
    """

    def declare(function: Callable[P, Factor]) -> Operator[P]:
        made: Operator[P] = Operator(
            function, axis, lookback=lookback, lookahead=lookahead, unbounded=unbounded, rank=rank, version=version
        )
        register(made)
        return made

    return declare


def grouped(cross: Operator[...]) -> Callable[[Callable[P, Factor]], Operator[P]]:
    """Register an operator that applies `cross` within each category of a date, with all its forms."""

    def declare(function: Callable[P, Factor]) -> Operator[P]:
        made = operator(Axis.GROUP, version=cross.version)(function)
        made.forms.update(cross.forms)
        return made

    return declare


def find(name: str) -> Operator[...]:
    """The operator of that name in text, or `UnknownOperatorError` with a suggestion."""
    found = OPERATORS.get(name)
    if not isinstance(found, Operator):
        raise UnknownOperatorError(f"unknown operator {name!r}", hint=_directions(name) or suggest(name, OPERATORS))
    return found


def _directions(name: str) -> str | None:
    """The operators of that name that say in which direction they look."""
    ways = {"cs": "across symbols", "ts": "along time", "group": "within groups"}
    found = [f"{way}_{name} ({what})" for way, what in ways.items() if f"{way}_{name}" in OPERATORS]
    return f"write {' or '.join(found)}" if found else None


def _shown(value: object) -> str:
    return str(value) if isinstance(value, Factor) else repr(value)


def _hint(value: object, is_key: bool) -> str | None:
    if is_key:
        return "group by a column that holds text, categories or whole numbers"
    if isinstance(value, str):
        return f"for a column write fl.col({value!r}), for an expression fl.parse({value!r})"
    return None


@operator(Axis.CELL)
def col(name: Annotated[str, Name()]) -> Factor:
    """A column of the panel.

    In text a plain name is a column; any other name is written `col("52wh")`.

    >>> import factorloom as fl
    >>> print(fl.col("close") / fl.col("52wh"))
    close / col('52wh')
    """


@operator(Axis.CELL)
def lit(value: Annotated[float, Literal()]) -> Factor:
    """A constant; NaN is the missing value, in text `missing`.

    >>> import factorloom as fl
    >>> print(fl.lit(2) * fl.close)
    2 * close
    """


COL: Operator[...] = col
LIT: Operator[...] = lit
