"""Indicators: operators along time that users write as a plain Python loop.

The loop sees the bars of one symbol, as arrays, and fills one array per output. It is the meaning, the Polars form
and the kernel at once: Numba compiles it when it first runs. What is declared is frozen: the code, the constants that
it names and the functions that it calls make up the version of the operator, so that results cached for other code are
not reused. Every indicator is first tried out in plain Python (`trial.py`).
"""

from __future__ import annotations

import inspect
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Annotated, Any, TypeAlias, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import IndicatorError
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.form import BAR, Statistic
from factorloom.expressions.frozen import fingerprint, freeze
from factorloom.expressions.operator import Operator
from factorloom.expressions.parameter import Count, Flag, Kind, Real, Value
from factorloom.expressions.registry import OPERATORS, BarCount, Definition

__all__ = ["Indicator", "Indicators", "Loop", "add_indicators", "builtin", "make_indicators"]

Array: TypeAlias = npt.NDArray[np.float64]
Loop: TypeAlias = Callable[..., None]

PLAIN: dict[object, Kind] = {int: Count(1), float: Real(), bool: Flag()}
"""The kinds of parameters that are annotated as plain numbers."""


class Indicator(Operator[...]):
    """An operator made from a loop.

    Attributes
    ----------
    family, module : str
        The name of the loop, which all its operators share, and the module that declares it.
    outputs : tuple of str
        The names of the outputs that the loop fills.
    """

    def __init__(
        self, loop: FunctionType, shared: Statistic, number: int, lookback: BarCount | None, unbounded: bool
    ) -> None:
        assert isinstance(shared.loop, FunctionType)
        self._loop, self._number = shared.loop, number
        self.family, self.module, self.outputs = loop.__name__, loop.__module__, shared.outputs
        version = fingerprint(shared.loop) + (fingerprint(lookback) if isinstance(lookback, FunctionType) else "")
        is_one = len(shared.outputs) == 1
        name = self.family if is_one else f"{self.family}_{shared.outputs[number]}"
        super().__init__(
            _facade(loop, shared, name), Axis.TIME, lookback=lookback, unbounded=unbounded, version=version
        )
        self._arguments = shared.arguments
        self.meaning(self._last)
        self.polars(self._lazy)
        if is_one:
            self.kernel(shared.loop)
        else:
            self.kernel_from(shared)(_copy(shared.outputs[number]))

    def run(self, inputs: Sequence[Array], values: Mapping[str, Value], fill: float = np.nan) -> tuple[Array, ...]:
        """All outputs of the plain loop, in arrays that are filled with `fill` before."""
        given: dict[str, object] = {name: kind.encode(values[name]) for name, kind in self.kinds.items()}
        given |= {name: _read_only(x) for name, x in zip(self.inputs, inputs, strict=True)}
        outputs = tuple(np.full(inputs[0].size, fill) for _ in self.outputs)
        with np.errstate(all="ignore"):
            self._loop(*(given[name] for name in self._arguments), *outputs)
        return outputs

    def call(self, form: str, inputs: Sequence[object], parameters: tuple[Value, ...]) -> Any:
        """The result of a form for these inputs and all parameters."""
        return self.forms[form].function(inputs, self.named(parameters))

    def _last(self, inputs: Sequence[Array], values: Mapping[str, Value]) -> float:
        return float(self.run(inputs, values)[self._number][-1])

    def _lazy(self, inputs: Sequence[pl.Expr], values: Mapping[str, Value]) -> pl.Expr:
        def loop(columns: Sequence[pl.Series]) -> pl.Series:
            return pl.Series(self.run([x.to_numpy() for x in columns], values)[self._number], nan_to_null=True)

        return pl.map_batches(inputs, loop, return_dtype=pl.Float64, returns_scalar=False)


class Indicators:
    """Several operators made from one loop, one for each output; calling it gives a factor of each."""

    def __init__(self, operators: Sequence[Indicator]) -> None:
        first = operators[0]
        self.operators = tuple(operators)
        self.__name__, self.__module__ = first.family, first.module
        self.__doc__, self.__signature__ = first.__doc__, first.signature
        try:
            self._result: Any = namedtuple(first.family, first.outputs)  # type: ignore[misc]
        except ValueError as error:
            raise IndicatorError(f"indicator {first.family}: {error}", hint="rename this output") from None

    def __call__(self, *args: object, **kwargs: object) -> Any:
        return self._result(*(op(*args, **kwargs) for op in self.operators))

    def __repr__(self) -> str:
        return f"<Indicators {', '.join(op.name for op in self.operators)}>"


def builtin(*, lookback: BarCount | None = None, unbounded: bool = False) -> Callable[[Loop], Indicator]:
    """An indicator of Factorloom itself: its tests try it out, so that importing it does not."""

    def declare(loop: Loop) -> Indicator:
        (made,) = make_indicators(loop, lookback, unbounded, ())
        add_indicators([made])
        return made

    return declare


def make_indicators(
    loop: Loop, lookback: BarCount | None, unbounded: bool, outputs: tuple[str, ...]
) -> list[Indicator]:
    """The operators of a loop, one for each output."""
    if not isinstance(loop, FunctionType):
        name = getattr(loop, "__name__", repr(loop))
        raise IndicatorError(
            f"indicator {name} is a {type(loop).__name__}, not a plain function",
            hint="leave out other decorators, such as numba.njit: the loop is compiled when it is first used",
        )
    if lookback is None and not unbounded:
        raise IndicatorError(
            f"indicator {loop.__name__} does not say how many bars it needs",
            hint="write lookback=lambda window, **_: window - 1, or unbounded=True where all history counts",
        )
    if lookback is not None and not isinstance(lookback, FunctionType):
        raise IndicatorError(
            f"lookback of indicator {loop.__name__} is a {type(lookback).__name__}, not a plain function",
            hint="write lookback=lambda window, **_: window - 1",
        )
    lookback = freeze(lookback) if lookback else None
    outputs = outputs or ("out",)
    shared = Statistic(freeze(loop), _arguments(loop, outputs), outputs)
    return [Indicator(loop, shared, number, lookback, unbounded) for number in range(len(outputs))]


def add_indicators(made: Sequence[Indicator]) -> None:
    """Register the operators of a loop, in place of those that it defined before."""
    old = {op.name for op in OPERATORS.values() if _is_same(op, made[0])}
    for op in made:
        if op.name in OPERATORS and op.name not in old:
            other = OPERATORS[op.name]
            owner = f"in {other.module}" if isinstance(other, Indicator) else "by Factorloom"
            raise IndicatorError(f"operator {op.name} is defined {owner}", hint="give the indicator another name")
    for name in old:
        del OPERATORS[name]
    OPERATORS.update({op.name: op for op in made})


def _is_same(op: Definition, other: Indicator) -> bool:
    return isinstance(op, Indicator) and (op.family, op.module) == (other.family, other.module)


def _arguments(loop: FunctionType, outputs: tuple[str, ...]) -> tuple[str, ...]:
    """The names of inputs and parameters, in order."""
    declared = list(inspect.signature(loop).parameters.values())
    names = tuple(p.name for p in declared)
    if not loop.__name__.isidentifier():
        raise IndicatorError("an indicator needs a name", hint="write it with def")
    for p in declared:
        if p.kind is not p.POSITIONAL_OR_KEYWORD:
            raise IndicatorError(f"indicator {loop.__name__}: {p} is not a plain argument")
    if names[-len(outputs) :] != outputs:
        usage = f"def {loop.__name__}({', '.join((*(n for n in names if n not in outputs), *outputs))})"
        raise IndicatorError(f"indicator {loop.__name__} must take {', '.join(outputs)} last", hint=f"write {usage}")
    return names[: -len(outputs)]


def _facade(loop: FunctionType, shared: Statistic, name: str) -> Callable[..., Any]:
    """A function with the signature that the operator has for callers: that of the loop without its outputs."""

    def facade(*args: object, **kwargs: object) -> None:
        """Return None: an indicator is not shorthand for other operators."""

    hints = _annotations(loop)
    declared = inspect.signature(loop).parameters
    kinds = {argument: _annotation(loop, argument, hints.get(argument)) for argument in shared.arguments}
    if BAR in declared:
        raise IndicatorError(
            f"indicator {loop.__name__}: {BAR} is a name of the engine's own", hint="rename the argument"
        )
    if Input not in kinds.values():
        raise IndicatorError(f"indicator {loop.__name__} has no input", hint="arguments without annotation are inputs")
    facade.__name__ = facade.__qualname__ = name
    facade.__module__, facade.__annotations__ = loop.__module__, kinds
    facade.__doc__ = inspect.cleandoc(loop.__doc__ or "")
    facade.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [declared[argument].replace(annotation=kind) for argument, kind in kinds.items()]
    )
    if name != loop.__name__:
        facade.__doc__ = f"The output `{name[len(loop.__name__) + 1 :]}` of `{loop.__name__}`.\n\n{facade.__doc__}"
    return facade


def _annotations(loop: FunctionType) -> dict[str, Any]:
    try:
        return get_type_hints(loop, include_extras=True)
    except NameError as error:
        raise IndicatorError(f"indicator {loop.__name__}: an annotation cannot be read: {error}") from None


def _annotation(loop: FunctionType, name: str, hint: Any) -> Any:
    """The annotation of an operator for an argument that a loop annotates like this."""
    hint = _without_alias(hint)
    if any(isinstance(extra, Kind) for extra in get_args(hint)):
        return hint
    if hint in PLAIN:
        return Annotated[hint, PLAIN[hint]]
    if hint in (None, np.ndarray, Input, Factor) or get_origin(hint) is np.ndarray:
        return Input
    raise IndicatorError(
        f"indicator {loop.__name__}: {name} is annotated as {hint!r}, which is not a parameter of a loop",
        hint="annotate parameters as fl.Window, fl.Periods, int, float or bool, and leave inputs bare",
    )


def _without_alias(hint: Any) -> Any:
    """The type behind an alias: NumPy's `NDArray` from 2.5 on, and any `type Name = ...`."""
    while hasattr(get_origin(hint) or hint, "__value__"):
        hint = (get_origin(hint) or hint).__value__
    return hint


def _copy(output: str) -> Loop:
    """The kernel of one output: a copy of what the shared loop has filled."""

    def copy(filled: Array, out: Array) -> None:
        for i in range(out.size):
            out[i] = filled[i]

    copy.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in (output, "out")]
    )
    return copy


def _read_only(x: Array) -> Array:
    """A read-only view of the same values."""
    view = x.view()
    view.flags.writeable = False
    return view
