"""What stands behind the nodes: operators, and how they are declared.

An `Operator` is born from a function whose signature declares inputs (`Input`, or `Key` for a category) and
parameters (any annotated `Kind`), and whose body is only its documentation. Its forms (see `form.py`) are then attached
below it. An operator whose body returns a factor is shorthand for it, and needs no forms.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Annotated, Any, Generic, ParamSpec, TypeAlias, TypeVar, get_args, get_type_hints

from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ArgumentError, FactorloomError, UnknownOperatorError, suggest
from factorloom.expressions.factor import OPERATORS, Factor, intern
from factorloom.expressions.form import Form, Statistic
from factorloom.expressions.parameter import Kind, Literal, Name, Value
from factorloom.expressions.render import render_call

__all__ = ["COL", "LIT", "Operator", "col", "find", "grouped", "lit", "operator"]

P = ParamSpec("P")
Function = TypeVar("Function", bound=Callable[..., Any])
BarCount: TypeAlias = Callable[..., int]


class Operator(Generic[P]):
    """One operator of the factor language: callable, documented, and known by name in text.

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
    forms : dict of str to Form
        `meaning`, `polars` and `kernel`; cell-wise operators need no kernel.
    """

    def __init__(
        self,
        function: Callable[P, Factor],
        axis: Axis,
        *,
        lookback: BarCount | None = None,
        lookahead: BarCount | None = None,
        unbounded: bool = False,
        version: int | str = 1,
    ) -> None:
        functools.update_wrapper(self, function)
        self.name = function.__name__
        self.axis = axis
        self.version = version
        self.unbounded = unbounded
        self.looks_ahead = lookahead is not None and lookback is None
        self._lookback, self._lookahead = lookback, lookahead
        self.signature = inspect.signature(function)
        self.inputs, self.kinds = _declared(function)
        self.variadic = next((p.name for p in self.signature.parameters.values() if p.kind is p.VAR_POSITIONAL), None)
        self._body = function
        self.forms: dict[str, Form] = {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Factor:
        try:
            return self.build(args, kwargs)
        except FactorloomError as error:
            error.at(*render_call(self.name, args, kwargs, error.argument, self.argument_names(len(args))))
            raise

    def __repr__(self) -> str:
        return f"<Operator {self.name}{self.signature}>"

    @property
    def summary(self) -> str:
        """The first sentence of the documentation."""
        return (self.__doc__ or "").strip().partition("\n")[0]

    @property
    def statistics(self) -> tuple[Statistic, ...]:
        """What the kernel reads besides inputs and parameters."""
        return self.forms["kernel"].statistics if "kernel" in self.forms else ()

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
        return function

    def call(self, form: str, inputs: Sequence[object], parameters: tuple[Value, ...]) -> Any:
        """What a form gives for these inputs, less the category, and the parameters that it names."""
        function, names = self.forms[form].function, self.forms[form].names
        given = list(zip(self.input_names(len(inputs) + (self.axis is Axis.GROUP)), inputs, strict=False))
        named: dict[str, object] = {name: value for name, value in given if self._is_keyword(name)}
        placed = [value for name, value in given if name not in named]
        named |= {name: value for name, value in self.named(parameters).items() if name in names}
        return function(*placed, **named)

    def build(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Factor:
        """The node for these arguments; an error carries the name of the argument at fault."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"{self.name}: {error}", hint=f"call it as {self.name}{self._usage()}") from None
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

    def input_names(self, count: int) -> tuple[str, ...]:
        """The name of each of so many inputs, the variadic one as often as it takes one."""
        extra = count - len(self.inputs) + 1
        return tuple(name for name in self.inputs for _ in range(extra if name == self.variadic else 1))

    def argument_names(self, count: int) -> tuple[str, ...]:
        """The name that each of so many positional arguments goes to, the variadic ones as `exposures[0]` and on."""
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

    def as_input(self, name: str, value: object) -> Factor:
        """The factor that an argument stands for."""
        is_key = self.axis is Axis.GROUP and name == self.inputs[-1]
        if is_key and isinstance(value, str):
            return col(value)
        if isinstance(value, Factor) and (not is_key or value.operator is COL):
            return value
        if isinstance(value, Real) and not is_key:
            return lit(value)  # type: ignore[arg-type]
        expected = "a column" if is_key else "a factor or a number"
        error = ArgumentError(f"{self.name}: {name} must be {expected}, got {_shown(value)}", hint=_mend(value, is_key))
        error.argument = name
        raise error

    def _many(self, values: tuple[object, ...]) -> tuple[Factor, ...]:
        """The variadic input."""
        if not values:
            message = f"{self.name}: {self.variadic} must be at least 1 factor, got none"
            raise ArgumentError(message, hint=f"call it as {self.name}{self._usage()}")
        return tuple(self.as_input(f"{self.variadic}[{place}]", value) for place, value in enumerate(values))

    def _flat(self, arguments: Mapping[str, Any]) -> tuple[Factor, ...]:
        """All inputs in one row, the variadic ones at their place."""
        rows = (arguments[name] if name == self.variadic else (arguments[name],) for name in self.inputs)
        return tuple(itertools.chain.from_iterable(rows))

    def _is_keyword(self, name: str) -> bool:
        return self.signature.parameters[name].kind is inspect.Parameter.KEYWORD_ONLY

    def _usage(self) -> str:
        parts = [str(p.replace(annotation=inspect.Parameter.empty)) for p in self.signature.parameters.values()]
        return f"({', '.join(parts)})"


def operator(
    axis: Axis,
    *,
    lookback: BarCount | None = None,
    lookahead: BarCount | None = None,
    unbounded: bool = False,
    version: int | str = 1,
) -> Callable[[Callable[P, Factor]], Operator[P]]:
    """Register a documented signature as an operator.

    `lookback` and `lookahead` count bars before and after the current one; they are given all parameters by name.
    """

    def register(function: Callable[P, Factor]) -> Operator[P]:
        made = Operator(function, axis, lookback=lookback, lookahead=lookahead, unbounded=unbounded, version=version)
        assert made.name not in OPERATORS, f"operator {made.name} is defined twice"
        OPERATORS[made.name] = made
        return made

    return register


def grouped(cross: Operator[...]) -> Callable[[Callable[P, Factor]], Operator[P]]:
    """Register an operator that is `cross` within each category of a date, with all its forms."""

    def register(function: Callable[P, Factor]) -> Operator[P]:
        made = operator(Axis.GROUP, version=cross.version)(function)
        made.forms.update(cross.forms)
        return made

    return register


def find(name: str) -> Operator[...]:
    """The operator of that name in text, or `UnknownOperatorError` with a suggestion."""
    try:
        return OPERATORS[name]
    except KeyError:
        raise UnknownOperatorError(f"unknown operator {name!r}", hint=suggest(name, OPERATORS)) from None


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


def _shown(value: object) -> str:
    return str(value) if isinstance(value, Factor) else repr(value)


def _mend(value: object, is_key: bool) -> str | None:
    if is_key:
        return "group by a column that holds text, categories or whole numbers"
    if isinstance(value, str):
        return f"for a column write fl.col({value!r}), for an expression fl.parse({value!r})"
    return None


@operator(Axis.CELL)
def col(name: Annotated[str, Name()]) -> Factor:
    """A column of the panel.

    In text a plain name is a column; `col("52wh")` gives any other name.

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


COL: Operator[...] = OPERATORS["col"]
LIT: Operator[...] = OPERATORS["lit"]
