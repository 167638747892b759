"""Every operator by its name, and what nodes and operators need to know of each other.

A factor knows its operator, and an operator makes factors. So that neither has to import the other, both build on what
stands here: a `Definition` is an operator without the making of factors, a `Node` is as much of a factor as its text
needs. `Operator` and `Factor` add the rest.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, get_args, get_type_hints

from factorloom.expressions.axis import Axis
from factorloom.expressions.form import DATES, Form, Statistic
from factorloom.expressions.parameter import Kind, Value

__all__ = ["CONVERSIONS", "OPERATORS", "READERS", "BarCount", "Definition", "Node", "register"]

BarCount: TypeAlias = Callable[..., int]


class Node:
    """An operator on inputs, with parameters.

    Attributes
    ----------
    operator, inputs, parameters
    size : int
        How many nodes the text has: a shared part counts as often as it is written.
    """

    __slots__ = ("__weakref__", "inputs", "operator", "parameters", "size")

    operator: Definition
    inputs: tuple[Node, ...]
    parameters: tuple[Value, ...]
    size: int


class Definition:
    """An operator as it is declared: its signature, its forms, and the bars that it reads.

    Attributes
    ----------
    name, axis, version
        `version` is part of every digest: raise it when the meaning changes, and cached results are not reused.
    signature : inspect.Signature
    inputs : tuple of str
        Names of the arguments that are factors, the category last for operators on `Axis.GROUP`.
    variadic : str or None
        The one among them that takes any number of factors (`*exposures`).
    kinds : mapping of str to Kind
        The parameters and what they accept.
    unbounded, looks_ahead : bool
        Whether a value depends on the whole history, and whether it reads bars after the current one.
    forms : dict of str to Form
        `meaning`, `polars` and `kernel`; cell-wise operators need no kernel.
    counts_dates : bool
        Whether its forms read, after the inputs, how many dates of the market come after each bar; see `form.py`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        axis: Axis,
        *,
        lookback: BarCount | None = None,
        lookahead: BarCount | None = None,
        unbounded: bool = False,
        rank: Callable[..., bool] | None = None,
        version: int | str = 1,
    ) -> None:
        functools.update_wrapper(self, function)
        self.name = function.__name__
        self.axis = axis
        self.version = version
        self.unbounded = unbounded
        self.looks_ahead = lookahead is not None and lookback is None
        self._lookback, self._lookahead = lookback, lookahead
        self._rank = rank
        self.signature = inspect.signature(function)
        self.inputs, self.kinds = _declared(function)
        self.variadic = next((p.name for p in self.signature.parameters.values() if p.kind is p.VAR_POSITIONAL), None)
        self._body = function
        self.forms: dict[str, Form] = {}
        self.counts_dates = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The factor for these arguments."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<Operator {self.name}{self.usage}>"

    @property
    def usage(self) -> str:
        """The arguments as they are written in a call."""
        empty = inspect.Signature.empty
        arguments = [each.replace(annotation=empty) for each in self.signature.parameters.values()]
        return str(inspect.Signature(arguments))

    @property
    def summary(self) -> str:
        """The first sentence of the documentation."""
        return (self.__doc__ or "").strip().partition("\n")[0]

    @property
    def statistics(self) -> tuple[Statistic, ...]:
        """What the kernel reads besides inputs and parameters."""
        return self.forms["kernel"].statistics if "kernel" in self.forms else ()

    def call(self, form: str, inputs: Sequence[object], parameters: tuple[Value, ...]) -> Any:
        """The result of a form for these operands of a node, and the parameters that it names."""
        function, names = self.forms[form].function, self.forms[form].names
        dates = {DATES: inputs[-1]} if self.counts_dates else {}
        inputs = inputs[:-1] if self.counts_dates else inputs
        given = list(zip(self.input_names(len(inputs) + (self.axis is Axis.GROUP)), inputs, strict=False))
        named: dict[str, object] = dates | {name: value for name, value in given if self._is_keyword(name)}
        placed = [value for name, value in given if name not in named]
        named |= {name: value for name, value in self.named(parameters).items() if name in names}
        return function(*placed, **named)

    def input_names(self, count: int) -> tuple[str, ...]:
        """The name of each of `count` inputs; that of the variadic one is repeated."""
        extra = count - len(self.inputs) + 1
        return tuple(name for name in self.inputs for _ in range(extra if name == self.variadic else 1))

    def argument_names(self, count: int) -> tuple[str, ...]:
        """The name of each of `count` positional arguments; the variadic ones are `exposures[0]` and so on."""
        names = tuple(self.signature.parameters)
        if self.variadic is None:
            return names[:count]
        before = names.index(self.variadic)
        return names[: min(before, count)] + tuple(f"{self.variadic}[{k}]" for k in range(count - before))

    def named(self, parameters: tuple[Value, ...]) -> dict[str, Value]:
        """The parameters of a node by name."""
        return dict(zip(self.kinds, parameters, strict=True))

    def span(self, parameters: Mapping[str, Value]) -> tuple[int, int]:
        """Bars that this operator alone reads before and after the current one; a negative after: only older bars."""
        before = self._lookback(**parameters) if self._lookback else 0
        after = self._lookahead(**parameters) if self._lookahead else 0
        return before, after

    def is_rank(self, parameters: tuple[Value, ...]) -> bool:
        """Whether values are mean ranks from 1 on, divided by the number of present members of the cross-section."""
        return self._rank is not None and self._rank(**self.named(parameters))

    def _is_keyword(self, name: str) -> bool:
        return self.signature.parameters[name].kind is inspect.Parameter.KEYWORD_ONLY


READERS: dict[type, Callable[[Any], Any]] = {}
"""What makes a factor of an object of another library, by the type of the object: expressions of Polars."""

CONVERSIONS: dict[str, Callable[..., Any]] = {}
"""What a factor can be written as, by name: `"polars"`."""

OPERATORS: dict[str, Definition] = {}
"""Every operator by its name in text, in the order of definition."""


def register(operator: Definition) -> None:
    """Add an operator to the language."""
    assert operator.name not in OPERATORS, f"operator {operator.name} is defined twice"
    OPERATORS[operator.name] = operator


def _declared(function: Callable[..., Any]) -> tuple[tuple[str, ...], dict[str, Kind]]:
    """Names of the inputs, and kinds of the parameters, from the annotations of a signature."""
    inputs: list[str] = []
    kinds: dict[str, Kind] = {}
    hints = get_type_hints(function, include_extras=True)
    for name in inspect.signature(function).parameters:
        kind = next((extra for extra in get_args(hints[name]) if isinstance(extra, Kind)), None)
        if kind is None:
            inputs.append(name)
        else:
            kinds[name] = kind
    return tuple(inputs), kinds
