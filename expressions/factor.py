"""The node: a lazy expression, interned by its content.

A `Factor` is an operator applied to inputs and parameters. Nodes are interned by their digest: equal factors are one
object, so identity is equality, equality is sharing, and the digest is the cache key.
"""

from __future__ import annotations

import functools
import hashlib
import struct
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ArgumentError, UnknownOperatorError, plural
from factorloom.expressions.notebook import tree_html
from factorloom.expressions.parameter import Value
from factorloom.expressions.registry import CONVERSIONS, OPERATORS, Definition, Node
from factorloom.expressions.render import MAX_SIZE, render

if TYPE_CHECKING:
    from factorloom.expressions.polars.stages import PolarsStages

__all__ = ["DATES_LEFT", "Factor", "Input", "Key", "dates_left", "intern"]


class Factor(Node):
    """A lazy expression that gives one Float64 per bar.

    Factors are made by operators and Python arithmetic, never by calling this class. They are immutable and
    interned: equal expressions are the same object, so compare with `is`; `==` builds an `equal` node.

    Attributes
    ----------
    operator, inputs, parameters
        The operator, the factors it is applied to, and the values of its parameters.
    digest : str
        32 hexadecimal digits, the same in every process, from the operator's name and version, the parameters and
        the digests of the inputs.
    axis : Axis
        The widest axis among the operators.
    lookback, lookahead : int
        Bars before and after the current one that the value needs.
    unbounded : bool
        Whether the value depends on the whole history (`ts_ema`, `ts_cumsum`); `lookback` is then only the warm-up.
    columns : tuple of str
        The columns that the factor reads, sorted.
    depth, size : int
        The length of the longest path to a column, and how many nodes the text has: a shared part counts as often as it
        is written.

    Examples
    --------
    >>> import factorloom as fl
    >>> momentum = fl.ts_delay(fl.close, 21) / fl.ts_delay(fl.close, 252) - 1
    >>> print(momentum)
    ts_delay(close, 21) / ts_delay(close, 252) - 1
    >>> momentum.lookback, momentum.columns, momentum.axis
    (252, ('close',), <Axis.TIME: 'time'>)
    >>> momentum is fl.parse(str(momentum))
    True
    """

    __slots__ = ("axis", "columns", "depth", "digest", "lookahead", "lookback", "unbounded")

    __array_ufunc__ = None  # NumPy leaves `array * factor` to the factor, which refuses arrays

    inputs: tuple[Factor, ...]
    digest: str
    axis: Axis
    lookback: int
    lookahead: int
    unbounded: bool
    columns: tuple[str, ...]
    depth: int

    def __init__(self, *_: object) -> None:
        raise ArgumentError("a Factor is not created directly", hint="use fl.col, fl.parse or an operator")

    def walk(self) -> Iterator[Factor]:
        """Every distinct node below and including this one, inputs before the nodes that use them."""
        seen: set[int] = set()
        stack = [(self, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                yield node
            elif id(node) not in seen:
                seen.add(id(node))
                stack.append((node, True))
                stack += [(child, False) for child in reversed(node.inputs)]

    def on(self, inputs: tuple[Factor, ...]) -> Factor:
        """The same operator and parameters on other inputs."""
        if all(new is old for new, old in zip(inputs, self.inputs, strict=True)):
            return self
        return intern(self.operator, inputs, self.operator.named(self.parameters))

    def rebuild(self, change: Callable[[Factor], Factor | None]) -> Factor:
        """This factor with some of its nodes replaced.

        `change` is called with every node after its inputs have been replaced; None keeps the node.

        >>> import factorloom as fl
        >>> momentum = fl.close / fl.ts_delay(fl.close, 20) - 1
        >>> print(momentum.rebuild(lambda node: fl.vwap if node is fl.close else None))
        vwap / ts_delay(vwap, 20) - 1
        """
        done: dict[Factor, Factor] = {}
        for node in self.walk():
            kept = node.on(tuple(done[child] for child in node.inputs))
            new = change(kept)
            done[node] = kept if new is None else new
        return done[self]

    @property
    def operands(self) -> tuple[Factor, ...]:
        """What the forms of the operator read: the inputs that are numbers, all but the category on `Axis.GROUP`.

        After them comes `dates_left()` where the operator counts dates of the market.
        """
        if self.operator.counts_dates:
            return (*self.inputs, dates_left())
        return self.inputs[:-1] if self.operator.axis is Axis.GROUP else self.inputs

    def looking_ahead(self) -> tuple[str, ...]:
        """The names of the operators that look ahead; empty where the factor as a whole does not."""
        if not self.lookahead:
            return ()
        return tuple(dict.fromkeys(node.operator.name for node in self.walk() if node.operator.looks_ahead))

    def to_polars(self, *, symbol: str = "symbol", date: str = "date", name: str = "value") -> PolarsStages:
        """The factor as stages of plain expressions of Polars, which anyone can apply to a frame.

        Raises
        ------
        ExpressionError
            Where an operator has no form in plain expressions; the message names it.

        Examples
        --------
        >>> import factorloom as fl
        >>> stages = fl.ts_mean(fl.close, 2).to_polars(name="mean")
        >>> stages.apply(fl.example().frame)["mean"].to_list()[:3]
        [None, 10.5, 11.5]
        """
        stages: PolarsStages = CONVERSIONS["polars"]({name: self}, symbol=symbol, date=date)
        return stages

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Factor is immutable: {name} cannot be set")

    def __bool__(self) -> NoReturn:
        raise ArgumentError(
            f"a Factor has no truth value: {self!r}",
            hint="use & | ~ instead of and, or, not; fl.where instead of if; `is` to compare two factors",
        )

    def __hash__(self) -> int:
        return id(self) >> 4

    def __str__(self) -> str:
        return render(self)

    def __repr__(self) -> str:
        text = render(self) if self.size <= MAX_SIZE else f"{self.operator.name}(…) of {self.size:,} nodes"
        return f"<Factor {text}>"

    def _repr_html_(self) -> str:
        ahead = f", look-ahead {plural(self.lookahead, 'bar')}" if self.lookahead else ""
        memory = ", unbounded memory" if self.unbounded else ""
        return tree_html("Factor", f"lookback {plural(self.lookback, 'bar')}{ahead}{memory}", self)

    def __reduce__(self) -> tuple[Any, ...]:
        places = {node: place for place, node in enumerate(self.walk())}
        return _restore, (
            tuple((n.operator.name, tuple(places[child] for child in n.inputs), n.parameters) for n in places),
        )

    def __copy__(self) -> Factor:
        return self

    def __deepcopy__(self, memo: object) -> Factor:
        return self

    def __add__(self, other: Input) -> Factor:
        return _infix("add", self, other)

    def __radd__(self, other: Input) -> Factor:
        return _infix("add", other, self)

    def __sub__(self, other: Input) -> Factor:
        return _infix("subtract", self, other)

    def __rsub__(self, other: Input) -> Factor:
        return _infix("subtract", other, self)

    def __mul__(self, other: Input) -> Factor:
        return _infix("multiply", self, other)

    def __rmul__(self, other: Input) -> Factor:
        return _infix("multiply", other, self)

    def __truediv__(self, other: Input) -> Factor:
        return _infix("divide", self, other)

    def __rtruediv__(self, other: Input) -> Factor:
        return _infix("divide", other, self)

    def __mod__(self, other: Input) -> Factor:
        return _infix("modulo", self, other)

    def __rmod__(self, other: Input) -> Factor:
        return _infix("modulo", other, self)

    def __pow__(self, other: Input) -> Factor:
        return _infix("power", self, other)

    def __rpow__(self, other: Input) -> Factor:
        return _infix("power", other, self)

    def __lt__(self, other: Input) -> Factor:
        return _infix("less", self, other)

    def __le__(self, other: Input) -> Factor:
        return _infix("less_equal", self, other)

    def __gt__(self, other: Input) -> Factor:
        return _infix("greater", self, other)

    def __ge__(self, other: Input) -> Factor:
        return _infix("greater_equal", self, other)

    def __eq__(self, other: Input) -> Factor:  # type: ignore[override]
        return _infix("equal", self, other)

    def __ne__(self, other: Input) -> Factor:  # type: ignore[override]
        return _infix("not_equal", self, other)

    def __and__(self, other: Input) -> Factor:
        return _infix("logical_and", self, other)

    def __rand__(self, other: Input) -> Factor:
        return _infix("logical_and", other, self)

    def __or__(self, other: Input) -> Factor:
        return _infix("logical_or", self, other)

    def __ror__(self, other: Input) -> Factor:
        return _infix("logical_or", other, self)

    def __invert__(self) -> Factor:
        return _infix("logical_not", self)

    def __neg__(self) -> Factor:
        return _infix("negate", self)

    def __pos__(self) -> Factor:
        return self

    def __abs__(self) -> Factor:
        return _infix("abs", self)


Input: TypeAlias = Factor | float
"""An input of an operator: a factor, or a number that becomes a constant."""

Key: TypeAlias = Factor | str
"""A category to group by: a column, or its name."""

DATES_LEFT = "\0dates left"
"""The column that every panel has besides its own: how many of its dates come after that of each bar."""

_INTERNED: weakref.WeakValueDictionary[str, Factor] = weakref.WeakValueDictionary()
_LOCK = threading.Lock()


def intern(definition: Definition, inputs: tuple[Factor, ...], values: Mapping[str, Value]) -> Factor:
    """The one node with this content."""
    parameters = tuple(values.values())
    digest = _digest(definition, inputs, parameters)
    with _LOCK:
        node = _INTERNED.get(digest)
        if node is None:
            node = _INTERNED[digest] = _node(definition, inputs, parameters, values, digest)
        return node


def _node(
    definition: Definition,
    inputs: tuple[Factor, ...],
    parameters: tuple[Value, ...],
    values: Mapping[str, Value],
    digest: str,
) -> Factor:
    before, after = definition.span(values)
    axis, unbounded = definition.axis, definition.unbounded
    columns: tuple[str, ...] = ()
    lookback = lookahead = depth = 0
    size = 1
    for child in inputs:
        axis = child.axis if child.axis is not axis and axis < child.axis else axis
        unbounded = unbounded or child.unbounded
        lookback, lookahead = max(lookback, child.lookback), max(lookahead, child.lookahead)
        depth, size = max(depth, child.depth), size + child.size
        columns = columns if columns == child.columns else tuple(sorted({*columns, *child.columns}))
    fields = {
        "operator": definition,
        "inputs": inputs,
        "parameters": parameters,
        "digest": digest,
        "axis": axis,
        "lookback": before + lookback,
        "lookahead": max(0, after + lookahead),
        "unbounded": unbounded,
        "columns": (str(values["name"]),) if definition.name == "col" else columns,
        "depth": 1 + depth,
        "size": size,
    }
    node = object.__new__(Factor)
    for name, value in fields.items():
        object.__setattr__(node, name, value)
    return node


def _digest(definition: Definition, inputs: tuple[Factor, ...], parameters: tuple[Value, ...]) -> str:
    content = hashlib.blake2b(f"{definition.name}@{definition.version}".encode(), digest_size=16)
    for value in parameters:
        packed = struct.pack("<d", value) if isinstance(value, float) else str(value).encode(errors="surrogatepass")
        content.update(f"|{type(value).__name__}:{len(packed)}:".encode() + packed)
    for child in inputs:
        content.update(bytes.fromhex(child.digest))
    return content.hexdigest()


@functools.cache
def dates_left() -> Factor:
    """The column `DATES_LEFT`, an operand of operators that count dates; it is never an input, nor written in text."""
    return intern(OPERATORS["col"], (), {"name": DATES_LEFT})


def _restore(nodes: tuple[tuple[str, tuple[int, ...], tuple[Value, ...]], ...]) -> Factor:
    """The last of these nodes: of each the operator, the places of its inputs among those before it, and parameters.

    A list, since nodes in nodes would be pickled by recursion, which ends at some depth.
    """
    made: list[Factor] = []
    for name, inputs, parameters in nodes:
        definition = OPERATORS.get(name)
        if definition is None:
            raise UnknownOperatorError(
                f"unknown operator {name!r}", hint="declare the indicator of that name before loading its factors"
            )
        made.append(intern(definition, tuple(made[place] for place in inputs), definition.named(parameters)))
    return made[-1]


def _infix(name: str, *inputs: object) -> Factor:
    factor: Factor = OPERATORS[name](*inputs)
    return factor
