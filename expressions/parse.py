"""Text to factors: a whitelist over Python's own syntax tree, never `eval`.

The text of a factor is a Python expression made of names (columns), numbers, the operators that Python has, and calls
of registered operators. Everything else is refused with a caret at the fault. Limits bound the cost of hostile text:
its length is checked before Python's parser sees it, nesting and size while its tree is read.
"""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO

# The registry is filled when the operators are defined.
import factorloom.expressions.operators  # noqa: F401
from factorloom.expressions.column import READY_FACTORS
from factorloom.expressions.errors import ArgumentError, FactorloomError, ParseError, WindowError
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import Operator, col, find, lit
from factorloom.expressions.parameter import Count, Flag
from factorloom.expressions.registry import OPERATORS
from factorloom.expressions.render import BINARY, UNARY

__all__ = ["operators", "parse"]

SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
BY_SIGN = {sign: name for name, (sign, _) in BINARY.items()}
BY_PREFIX: dict[type[ast.AST], str] = {ast.USub: "negate", ast.Invert: "logical_not"}
assert set(BY_PREFIX.values()) == set(UNARY)


FOREIGN: dict[type[ast.AST], tuple[str, str]] = {
    ast.IfExp: ("`if … else`", "write where(condition, x, y)"),
    ast.Subscript: ("x[…]", "for the value of an earlier bar write ts_delay(x, 1)"),
    ast.BitXor: ("^", "for a power write **"),
    ast.FloorDiv: ("//", "write floor(x / y)"),
    ast.Lambda: ("`lambda`", "see fl.operators()"),
    ast.Attribute: ("x.y", "names of columns and operators have no dot"),
}
"""What other languages and Python have, and what to write instead."""
FOREIGN_SIGNS = {
    "&&": "write (…) & (…)",
    "||": "write (…) | (…)",
    "?": "for a choice write where(condition, x, y)",
}


def operators() -> tuple[Operator[...], ...]:
    """All registered operators with a meaning of their own, in the order of definition.

    The operators `polars_…` are left out: Polars runs what they hold (see `from_polars`).

    >>> import factorloom as fl
    >>> [op.name for op in fl.operators() if op.axis is fl.Axis.GROUP][:2]
    ['group_rank', 'group_count']
    >>> print(fl.operators()[0].summary)
    A column of the panel.
    """
    return tuple(find(name) for name, definition in OPERATORS.items() if definition.forms.keys() != {"polars"})


def parse(
    text: str, *, max_length: int = 20_000, max_depth: int = 100, max_nodes: int = 1_000, max_window: int = 5_000
) -> Factor:
    """Read the text form of a factor.

    Parameters
    ----------
    text
        For example `cs_zscore(ts_mean(close, 20) / close - 1)`.
    max_length, max_depth, max_nodes
        Limits on characters, on nesting and on the number of operators, names and numbers.
    max_window
        The largest window that any operator may have, in bars.

    Raises
    ------
    ParseError
        Where the text is not an expression of the language or goes over a limit.
    FactorloomError
        Where an operator refuses its arguments: `WindowError`, `ArgumentError`, `UnknownOperatorError`, …

    Examples
    --------
    >>> import factorloom as fl
    >>> fl.parse("ts_mean(close, 5) / close - 1").lookback
    4
    >>> fl.parse("ts_mean(close, 0)")
    Traceback (most recent call last):
        ...
    factorloom.expressions.errors.WindowError: window must be at least 1, got 0
      in ts_mean(close, 0)
                        ^
    """
    if not isinstance(text, str):
        raise ArgumentError(f"text must be a string, got {type(text).__name__}")
    if len(text) > max_length:
        raise ParseError(f"text is too long: {len(text):,} characters, at most {max_length:,} are read")
    line = " ".join(text.splitlines()).strip()
    return _Reader(line, max_depth, max_nodes, max_window).read()


@dataclass
class _Reader:
    text: str
    max_depth: int
    max_nodes: int
    max_window: int
    nodes: int = 0

    def read(self) -> Factor:
        return self.factor(self.tree(), 1)

    def tree(self) -> ast.expr:
        if not self.text:
            raise self.fault("the text is empty", 0, "write a factor, for example ts_mean(close, 20)")
        self.check_nesting()
        try:
            return ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            self.refuse_foreign_signs()
            raise self.fault(f"not a factor: {error.msg}", (error.offset or len(self.text) + 1) - 1) from None
        except (RecursionError, MemoryError):
            raise self.too_deep(0) from None
        except ValueError as error:
            raise self.fault(f"not a factor: {error}", 0) from None

    def refuse_foreign_signs(self) -> None:
        """Name the sign of other languages that Python does not understand."""
        for sign, ours in FOREIGN_SIGNS.items():
            if sign in self.text:
                raise self.fault(f"{sign} is not part of the language", self.text.index(sign), ours)

    def check_nesting(self) -> None:
        """Refuse deep brackets and runs of signs before Python's parser meets them, and comments altogether."""
        depth = run = 0
        try:
            for token in tokenize.generate_tokens(StringIO(self.text).readline):
                if token.type == tokenize.COMMENT:
                    raise self.fault("a comment is not part of a factor", token.start[1])
                depth += (token.string in "([{") - (token.string in ")]}") if token.type == tokenize.OP else 0
                run = run + 1 if token.type == tokenize.OP and token.string not in ")]}" else 0
                if max(depth, run) > self.max_depth:
                    raise self.too_deep(token.start[1])
        except (tokenize.TokenError, SyntaxError):
            return

    def factor(self, node: ast.expr, depth: int) -> Factor:
        if depth > self.max_depth:
            raise self.too_deep(self.place(node))
        self.count(node)
        read = READERS.get(type(node))
        if read is None:
            what, hint = FOREIGN.get(type(node), (type(node).__name__, "see fl.operators()"))
            raise self.fault(f"{what} is not part of the language", self.place(node), hint)
        return read(self, node, depth)

    def count(self, node: ast.expr) -> None:
        """Refuse too many operators, names and numbers."""
        self.nodes += 1
        if self.nodes > self.max_nodes:
            raise self.fault(f"too large: more than {self.max_nodes:,} operators, names and numbers", self.place(node))

    def name(self, node: ast.Name, depth: int) -> Factor:
        return READY_FACTORS[node.id] if node.id in READY_FACTORS else col(node.id)

    def constant(self, node: ast.Constant, depth: int) -> Factor:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            hint = f"for a column write col({node.value!r})" if isinstance(node.value, str) else None
            raise self.fault(f"{node.value!r} is not a number", self.place(node), hint)
        return self.build(lit, node, [node.value], {})

    def binary(self, node: ast.BinOp, depth: int) -> Factor:
        """A sum or product of any number of terms is a chain to the left, which is no nesting."""
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
            self.count(chain[-1])
        value = self.factor(chain[-1].left, depth + 1)
        for link in reversed(chain):
            sign = SIGNS.get(type(link.op))
            if sign is None:
                what, hint = FOREIGN.get(type(link.op), (type(link.op).__name__, "see fl.operators()"))
                raise self.fault(f"{what} is not part of the language", self.place(link), hint)
            right = self.factor(link.right, depth + 1)
            value = self.build(find(BY_SIGN[sign]), link, [value, right], {})
        return value

    def comparison(self, node: ast.Compare, depth: int) -> Factor:
        sign = SIGNS.get(type(node.ops[0]))
        if sign is None or len(node.ops) > 1:
            hint = "write (a < b) & (b < c)" if sign else "comparisons are == != < <= > >="
            raise self.fault("not a comparison of two values", self.place(node), hint)
        inputs = [self.factor(each, depth + 1) for each in (node.left, node.comparators[0])]
        return self.build(find(BY_SIGN[sign]), node, inputs, {})

    def signed(self, node: ast.UnaryOp, depth: int) -> Factor:
        constant = self.number(node)
        if constant is not None:
            return self.build(lit, node, [constant], {})
        if isinstance(node.op, ast.UAdd):
            return self.factor(node.operand, depth + 1)
        if isinstance(node.op, ast.Not):
            raise self.fault("`not` is not part of the language", self.place(node), "write ~(…)")
        return self.build(find(BY_PREFIX[type(node.op)]), node, [self.factor(node.operand, depth + 1)], {})

    def boolean(self, node: ast.BoolOp, depth: int) -> Factor:
        word, sign = ("and", "&") if isinstance(node.op, ast.And) else ("or", "|")
        raise self.fault(f"`{word}` is not part of the language", self.place(node), f"write (…) {sign} (…)")

    def call(self, node: ast.Call, depth: int) -> Factor:
        if not isinstance(node.func, ast.Name):
            raise self.fault("only operators can be called", self.place(node), "see fl.operators()")
        try:
            called = find(node.func.id)
        except FactorloomError as error:
            error.at(self.text, self.place(node))
            raise
        names = called.argument_names(len(node.args))
        args = [self.argument(called, name, value, depth) for name, value in zip(names, node.args, strict=False)]
        args += [None] * (len(node.args) - len(args))
        kwargs: dict[str, object] = {}
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg in kwargs:
                raise self.fault("not a keyword argument", self.place(keyword.value))
            kwargs[keyword.arg] = self.argument(called, keyword.arg, keyword.value, depth)
        return self.build(called, node, args, kwargs)

    def argument(self, called: Operator[...], name: str, node: ast.expr, depth: int) -> object:
        """An input of an operator as a factor, a parameter as a plain value."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        if name not in called.kinds:
            return self.factor(node, depth + 1)
        kind = called.kinds[name]
        if isinstance(kind, Flag) and isinstance(node, ast.Constant):
            return node.value
        value = self.number(node)
        if value is None and not _is_none(node):
            written = "True or False" if isinstance(kind, Flag) else "a number"
            raise self.fault(f"{name} must be written out as {written}", self.place(node))
        if isinstance(kind, Count) and value is not None and value > self.max_window:
            message = f"{name} must be at most {self.max_window:,}, got {value:,}"
            raise WindowError(message, text=self.text, position=self.place(node))
        return value

    def number(self, node: ast.expr) -> float | int | None:
        """The value of a number with any signs before it, or None for anything else."""
        sign = 1
        while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            sign = -sign if isinstance(node.op, ast.USub) else sign
            node = node.operand
        if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
            return None
        return sign * node.value if isinstance(node.value, int | float) else None

    def build(self, called: Operator[...], node: ast.expr, args: Sequence[object], kwargs: dict[str, object]) -> Factor:
        try:
            return called.build(tuple(args), kwargs)
        except FactorloomError as error:
            error.at(self.text, self.place(_argument_node(called, node, error.argument)))
            raise

    def place(self, node: ast.expr) -> int:
        """The offset of a node in characters: Python counts columns in UTF-8 bytes."""
        return len(self.text.encode()[: node.col_offset].decode(errors="ignore"))

    def fault(self, message: str, position: int, hint: str | None = None) -> ParseError:
        return ParseError(message, hint=hint, text=self.text, position=min(max(position, 0), len(self.text)))

    def too_deep(self, position: int) -> ParseError:
        return self.fault(f"nested too deep: more than {self.max_depth} levels", position)


READERS: dict[type[ast.expr], Callable[..., Factor]] = {
    ast.Name: _Reader.name,
    ast.Constant: _Reader.constant,
    ast.BinOp: _Reader.binary,
    ast.Compare: _Reader.comparison,
    ast.UnaryOp: _Reader.signed,
    ast.BoolOp: _Reader.boolean,
    ast.Call: _Reader.call,
}


def _argument_node(called: Operator[...], node: ast.expr, name: str | None) -> ast.expr:
    """The part of a call that gave the argument `name`, or the whole call."""
    if name is None or not isinstance(node, ast.Call):
        return node
    given = dict(zip(called.argument_names(len(node.args)), node.args, strict=False))
    given.update({keyword.arg: keyword.value for keyword in node.keywords if keyword.arg})
    return given.get(name, node)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
