"""The shapes of kernels: what the driver of a step is called, and its source. Nothing is compiled here.

A kernel sees one run of rows at a time. Its driver walks over the runs of a tile, takes views of each, which compile
faster than slices, and makes every result of an operator that is not finite missing. Steps of one shape share a driver,
whatever they read.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType
from typing import Any, TypeAlias

import numpy as np

from factorloom.engine.plan.plan import Plan, Run, SharedStatistic, Step
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.form import BAR, DATES
from factorloom.expressions.frozen import fingerprint
from factorloom.expressions.registry import OPERATORS

__all__ = [
    "READY",
    "Read",
    "Shape",
    "arguments_of",
    "called_by",
    "from_text",
    "has_kernel",
    "key_of",
    "missing_in",
    "shape_of",
    "shapes_of",
    "to_text",
]

Read: TypeAlias = Factor | tuple[SharedStatistic, str] | str
"""What a kernel reads: the value of a node, one output of a statistic, or `BAR`."""

DRIVER = """
def {name}(env, slots, numbers, offsets, first, last):
    origin = offsets[first]
    for run in range(first, last):
        a, b = offsets[run] - origin, offsets[run + 1] - origin
        {views}
        kernel({pieces})
"""
CLEANING = """        for i in range(out.size):
            out[i] = out[i] if out[i] - out[i] == 0 else np.nan
"""
"""What is not finite leaves something of itself, or NaN; to ask `np.isfinite` takes longer to compile."""
ELEMENTWISE = """
def {name}(env, slots, numbers, offsets, first, last):
    size = offsets[last] - offsets[first]
    {views}
    for i in range(size):
        value = kernel({pieces})
        out[i] = value if value - value == 0 else np.nan
"""
RUNS = -2
"""How many arrays stand for `first_bar`: one number for every run."""

MANY = -1
"""How many arrays stand for a variadic argument that is the only one: any number, in the same driver."""

ARITHMETIC = {
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.absolute, np.sign, np.sqrt, np.square, np.floor,
    np.ceil, np.minimum, np.maximum
}  # fmt: skip
"""What compiled loops do as fast as NumPy, and clean in the same pass; NumPy's logarithms and powers are faster."""


@dataclass(frozen=True)
class Shape:
    """What a driver depends on.

    Attributes
    ----------
    arguments
        For each its name, and how many arrays stand for it (or `MANY`, or `RUNS`), or which and how many numbers.
    variadic
        The argument that is a tuple; those of a statistic fill a tuple too.
    """

    function: FunctionType | np.ufunc
    name: str
    arguments: tuple[tuple[str, int | tuple[str, int]], ...]
    outputs: tuple[str, ...]
    variadic: str | None

    @property
    def is_statistic(self) -> bool:
        """Whether it is a statistic, whose outputs are used as they are."""
        return self.outputs != ("out",)

    @property
    def is_any_number(self) -> bool:
        """Whether its driver takes any number of inputs."""
        return any(kind == MANY for _, kind in self.arguments)

    @cached_property
    def title(self) -> str:
        """The name of the driver, which identifies its code."""
        return "_".join([self.name, *map(_worded, self.arguments), fingerprint(self.function)])

    @cached_property
    def source(self) -> str:
        """The driver, which calls the function as `kernel`."""
        is_ufunc = isinstance(self.function, np.ufunc)
        start, size = ("", "size") if is_ufunc else (" + 8 * a", "b - a")
        kinds = [(place, kind) for place, (_, kind) in enumerate(self.arguments) if isinstance(kind, int)]
        arrays = [(x, kind) for place, kind in kinds for x in _arrays(place, kind)]
        views = [
            f'{x} = view(env[slots[{slot}]], last, "index")'
            if kind == RUNS
            else f'{x} = view(env[slots[{slot}]]{start}, {size}, "read")'
            for slot, (x, kind) in enumerate(arrays)
        ]
        first = "slots.size - 1 + " if self.is_any_number else f"{len(arrays)} + "
        views += [f'{x} = view(env[slots[{first}{n}]]{start}, {size}, "write")' for n, x in enumerate(self.outputs)]
        if is_ufunc:
            pieces, source = [f"{x}[i]" for x, _ in arrays], ELEMENTWISE
        else:
            pieces, source = list(_pieces(self)), DRIVER + ("" if self.is_statistic else CLEANING)
        indent = "\n    " if is_ufunc else "\n        "
        return source.format(name=self.title, views=indent.join(views), pieces=", ".join(pieces))


READY: dict[Shape, Any] = {}
"""The driver of each shape that is compiled, or loaded from disk."""


def shapes_of(plans: Iterable[Plan]) -> set[Shape]:
    """The shapes of all steps of plans."""
    runs = (run for plan in plans for stage in plan.stages for run in stage.steps)
    return {shape_of(run) for run in runs if has_kernel(run.step)}


def missing_in(plans: Iterable[Plan]) -> set[Shape]:
    """Those that have no driver yet."""
    return shapes_of(plans) - READY.keys()


def to_text(shape: Shape) -> dict[str, Any]:
    """A shape as JSON, for another process that has the same operators."""
    return {
        "title": shape.title,
        "name": shape.name,
        "arguments": shape.arguments,
        "outputs": shape.outputs,
        "variadic": shape.variadic,
    }


def from_text(text: Mapping[str, Any]) -> Shape:
    """The shape that `to_text` wrote.

    Raises
    ------
    LookupError
        Where no operator here has such a loop.
    """
    arguments = tuple((name, kind if isinstance(kind, int) else tuple(kind)) for name, kind in text["arguments"])
    for function in _functions(text["name"]):
        shape = Shape(function, text["name"], arguments, tuple(text["outputs"]), text["variadic"])
        if shape.title == text["title"]:
            return shape
    raise LookupError(text["title"])


def _functions(name: str) -> Iterator[FunctionType | np.ufunc]:
    """The loops of the operator of that name, and of statistics of that name."""
    for operator in OPERATORS.values():
        yield from (each.loop for each in operator.statistics if each.name == name)  # type: ignore[misc]
        if operator.name == name:
            yield from (form.function for key, form in operator.forms.items() if key != "polars")  # type: ignore[misc]


def called_by(function: Any) -> set[FunctionType]:
    """A function and all that it calls by name; none for a ufunc."""
    seen: set[FunctionType] = set()
    waiting = [function]
    while waiting:
        one = waiting.pop()
        if isinstance(one, FunctionType) and one not in seen:
            seen.add(one)
            waiting += [one.__globals__.get(name) for name in one.__code__.co_names]
    return seen


def key_of(step: Step) -> Factor | None:
    """The category of a step that goes group by group."""
    if isinstance(step, SharedStatistic):
        return step.key
    return step.inputs[-1] if step.operator.axis is Axis.GROUP else None


def has_kernel(step: Step) -> bool:
    """Whether a step runs as compiled code."""
    return _function(step) is not None


def _function(step: Step) -> Callable[..., Any] | None:
    if isinstance(step, SharedStatistic):
        return step.statistic.loop
    forms = step.operator.forms
    if "kernel" in forms:
        return forms["kernel"].function
    plain = forms["meaning"].function if "meaning" in forms else None
    return plain if plain in ARITHMETIC else None


def arguments_of(run: Run) -> list[tuple[str, list[Any]]]:
    """Every argument of the loop but its outputs, with what stands for it: one value, or those of a variadic."""
    step = run.step
    if isinstance(step, SharedStatistic):
        given: dict[str, Any] = dict(zip(step.statistic.arguments, step.arguments, strict=True)) | {BAR: BAR}
        return [
            (name, list(given[name]) if isinstance(given[name], tuple) else [given[name]])
            for name in step.statistic.names
        ]
    op = step.operator
    if "kernel" not in op.forms:
        return [(f"x{place}", [child]) for place, child in enumerate(step.inputs)]
    known: dict[str, list[Any]] = {BAR: [BAR]} | ({DATES: [step.operands[-1]]} if op.counts_dates else {})
    for name, value in op.named(step.parameters).items():
        known[name] = [op.kinds[name].encode(value)]
    for name, child in zip(op.input_names(len(step.inputs)), step.inputs, strict=True):
        known[name] = [*known.get(name, []), child] if name != BAR else [child]
    for shared in run.statistics:
        known.update(
            {name: [(shared, out)] for name, out in zip(shared.statistic.outputs, shared.outputs, strict=True)}
        )
    return [(name, known.get(name, [])) for name in op.forms["kernel"].names[:-1]]


def shape_of(run: Run) -> Shape:
    """What the driver of a step depends on."""
    step, arguments = run.step, arguments_of(run)
    kinds = tuple((name, _kind(given)) for name, given in arguments)
    function = _function(step)
    assert isinstance(function, FunctionType | np.ufunc)
    if isinstance(step, SharedStatistic):
        outputs = tuple(f"out{place}" for place in range(len(step.outputs)))
        return Shape(function, step.statistic.name, kinds, outputs, step.statistic.every)
    variadic = step.operator.variadic
    if isinstance(function, FunctionType) and [name for name, _ in kinds] == [variadic]:
        kinds = ((str(variadic), MANY),)
    return Shape(function, step.operator.name, kinds, ("out",), variadic)


def _kind(given: list[Any]) -> int | tuple[str, int]:
    """What stands for an argument; see `Shape.arguments`."""
    if given and isinstance(given[0], str):
        return RUNS
    return (type(given[0]).__name__, len(given)) if given and isinstance(given[0], float | int) else len(given)


def _pieces(shape: Shape) -> Iterator[str]:
    """The arguments of the kernel for one run: each an array, a number, or a tuple of either."""
    numbers = itertools.count()
    for place, (name, kind) in enumerate(shape.arguments):
        if kind == MANY:
            yield "inputs_of(env, slots, a, b - a)"
            continue
        if kind == RUNS:
            parts = [f"{_arrays(place, kind)[0]}[run]"]
        elif isinstance(kind, int):
            parts = _arrays(place, kind)
        else:
            parts = [f"{kind[0]}(numbers[{next(numbers)}])" for _ in range(kind[1])]
        yield _tuple(parts) if name == shape.variadic else parts[0]
    outputs = list(shape.outputs)
    yield from [_tuple(outputs)] if shape.is_statistic and shape.variadic else outputs


def _tuple(parts: Sequence[str]) -> str:
    return f"({''.join(f'{part}, ' for part in parts)})"


def _worded(argument: tuple[str, int | tuple[str, int]]) -> str:
    kind = argument[1]
    if kind in (MANY, RUNS):
        return "n" if kind == MANY else "bar"
    return str(kind) if isinstance(kind, int) else f"{kind[0]}{kind[1]}"


def _arrays(place: int, size: int) -> list[str]:
    """What the arrays of an argument are called: never as its user calls it, so that no name is met twice."""
    return [f"x{place}_{number}" for number in range(1 if size == RUNS else size)]
