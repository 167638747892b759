"""The reference of all operators as a page, made from the registry."""

from __future__ import annotations

import inspect

from factorloom.expressions.axis import Axis
from factorloom.expressions.operator import Operator
from factorloom.expressions.parse import operators
from factorloom.expressions.render import BINARY, UNARY

__all__ = ["reference", "usage"]

HEADINGS = {
    Axis.CELL: "Values of one bar",
    Axis.TIME: "Along time: the bars of one symbol",
    Axis.CROSS: "Across the symbols of one date",
    Axis.GROUP: "Across the symbols of one date, within a category",
}
HEAD = """# Operators

Made from the code by `factorloom operators --format markdown`. The examples use the three symbols on three dates of
`fl.example()`; `-` is missing. See [Writing factors](expressions.md) for how they are combined.
"""


def reference() -> str:
    """All operators in Markdown: for each axis a table, then the documentation of every operator."""
    parts = [HEAD]
    for axis, heading in HEADINGS.items():
        members = [op for op in operators() if op.axis is axis]
        parts.append(f"## {heading}\n")
        parts.append("| operator | |\n|---|---|")
        parts += [f"| [`{_cell(usage(op))}`](#{op.name}) | {_cell(op.summary)} |" for op in members]
        parts += ["", *(_entry(op) for op in members)]
    return "\n".join(parts).rstrip() + "\n"


def usage(op: Operator[...]) -> str:
    """How an operator is written: its sign where it has one, otherwise its call.

    >>> from factorloom.expressions.operator import find
    >>> usage(find("add")), usage(find("ts_mean"))
    ('x + y', 'ts_mean(x, window, *, min_samples=None)')
    """
    if op.name in BINARY:
        return f"x {BINARY[op.name][0]} y"
    if op.name in UNARY:
        return f"{UNARY[op.name]}x"
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in op.signature.parameters.values()]
    return f"{op.name}{inspect.Signature(bare)}".replace("=nan", "=missing")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _entry(op: Operator[...]) -> str:
    """The documentation of an operator, its examples as code."""
    prose, _, example = inspect.cleandoc(op.__doc__ or "").partition(">>> import factorloom as fl\n")
    code, _, rest = example.partition("\n\n")
    body = f"### {op.name}\n\n`{usage(op)}`\n\n{prose.strip()}\n"
    if code:
        body += f"\n```pycon\n{code.strip()}\n```\n"
    return body + (f"\n{rest.strip()}\n" if rest else "")
