"""Factors as text: `str(factor)` prints what `parse` reads back to the same node."""

from __future__ import annotations

import keyword
import math
from collections.abc import Iterator, Mapping, Sequence

from factorloom.expressions.errors import ParameterError
from factorloom.expressions.parameter import Value
from factorloom.expressions.registry import Node

__all__ = ["BINARY", "MAX_SIZE", "READY", "UNARY", "render", "render_call"]

MAX_SIZE = 100_000
"""How many nodes a text may have: shared parts are written out each time, so a text may grow without bound."""

BINARY = {
    "equal": ("==", 1),
    "not_equal": ("!=", 1),
    "less": ("<", 1),
    "less_equal": ("<=", 1),
    "greater": (">", 1),
    "greater_equal": (">=", 1),
    "logical_or": ("|", 2),
    "logical_and": ("&", 3),
    "add": ("+", 4),
    "subtract": ("-", 4),
    "multiply": ("*", 5),
    "divide": ("/", 5),
    "modulo": ("%", 5),
    "power": ("**", 7),
}
"""Sign and precedence of the operators written between their inputs, as in Python."""

UNARY = {"negate": "-", "logical_not": "~"}
"""Sign of the operators written before their input."""

READY = ("missing", "returns")
"""Names that are not columns in text: a column of such a name is written `col('returns')`."""

COMPARISON, SIGNED, POWER, ATOM = 1, 6, 7, 8


def render(factor: Node, names: Mapping[Node, str] | None = None) -> str:
    """The text of a factor, without recursion, however deep the factor is.

    A node in `names` is written as its name.
    """
    if names is None and factor.size > MAX_SIZE:
        raise ParameterError(
            f"the text of this factor would have {factor.size:,} nodes, more than {MAX_SIZE:,}",
            hint="it has shared parts, which are written out each time: print or store the parts",
        )
    names = names or {}
    pieces: list[str] = []
    stack: list[str | tuple[Node, int]] = [(factor, 0)]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            pieces.append(item)
            continue
        node, required = item
        if node in names:
            pieces.append(names[node])
            continue
        inside = _pieces(node)
        if _precedence(node) < required:
            inside = ["(", *inside, ")"]
        stack += reversed(inside)
    return "".join(pieces)


def render_call(
    name: str, args: Sequence[object], kwargs: Mapping[str, object], fault: str | None, names: Sequence[str]
) -> tuple[str, int]:
    """The text of a call that failed, and the offset of the argument named `fault` in it."""
    given = [(names[place] if place < len(names) else "", "", value) for place, value in enumerate(args)]
    given += [(key, f"{key}=", value) for key, value in kwargs.items()]
    text, position = f"{name}(", 0
    for place, (key, label, value) in enumerate(given):
        text += ", " if place else ""
        position = len(text) if key == fault else position
        text += label + (_brief(value) if isinstance(value, Node) else _constant(value))
    return f"{text})", position


def _brief(factor: Node) -> str:
    return render(factor) if factor.size <= MAX_SIZE else "…"


def _pieces(node: Node) -> list[str | tuple[Node, int]]:
    name = node.operator.name
    if name == "col":
        return [_column(str(node.parameters[0]))]
    if name == "lit":
        return [_constant(node.parameters[0])]
    if name in BINARY:
        sign, level = BINARY[name]
        left, right = _required(level)
        return [(node.inputs[0], left), f" {sign} ", (node.inputs[1], right)]
    if _is_signed(node):
        return [UNARY[name], (node.inputs[0], SIGNED)]
    arguments: list[str | tuple[Node, int]] = []
    for label, value in _arguments(node):
        arguments += [label, value if isinstance(value, str) else (value, 0), ", "]
    return [f"{name}(", *arguments[:-1], ")"]


def _arguments(node: Node) -> Iterator[tuple[str, Node | str]]:
    """The arguments to write, each with its label: all but options at their default. Options are named."""
    inputs, parameters = list(node.inputs), node.operator.named(node.parameters)
    is_bare = True
    for name, declared in node.operator.signature.parameters.items():
        extra = len(node.inputs) - len(node.operator.inputs) if name == node.operator.variadic else 0
        values = [_constant(parameters[name])] if name in parameters else [inputs.pop(0) for _ in range(1 + extra)]
        is_option = declared.kind is declared.KEYWORD_ONLY or (
            declared.default is not declared.empty and name in parameters and node.operator.variadic is None
        )
        is_bare = is_bare and not is_option
        if not (is_option and _is_default(node, name, values[0], parameters)):
            yield from (("" if is_bare else f"{name}=", value) for value in values)


def _required(level: int) -> tuple[int, int]:
    """The precedence that the left and the right input need to be written without brackets."""
    if level == POWER:
        return ATOM, SIGNED
    if level == COMPARISON:
        return level + 1, level + 1
    return level, level + 1


def _precedence(node: Node) -> int:
    name = node.operator.name
    if name in BINARY:
        return BINARY[name][1]
    if _is_signed(node) or (name == "lit" and str(node.parameters[0]).startswith("-")):
        return SIGNED
    return ATOM


def _is_signed(node: Node) -> bool:
    """Whether the node is written as a sign before its input; `negate(1)` is not, because `-1` is a constant."""
    return node.operator.name in UNARY and not (
        node.operator.name == "negate" and node.inputs[0].operator.name == "lit"
    )


def _is_default(node: Node, name: str, value: Node | str, parameters: Mapping[str, Value]) -> bool:
    default = node.operator.signature.parameters[name].default
    if default is node.operator.signature.empty:
        return False
    if name not in parameters:
        return isinstance(value, Node) and (default is value or _is_literal(value, default))
    others = {key: other for key, other in parameters.items() if key != name}
    return node.operator.kinds[name].check(name, default, others) == parameters[name]


def _is_literal(node: Node, value: object) -> bool:
    """Whether the node is this constant."""
    return (
        node.operator.name == "lit"
        and isinstance(value, int | float)
        and _constant(node.parameters[0]) == _constant(float(value))
    )


def _column(name: str) -> str:
    plain = name.isidentifier() and name.isascii() and not keyword.iskeyword(name) and name not in READY
    return name if plain else f"col({name!r})"


def _constant(value: object) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "missing"
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
    return repr(value)
