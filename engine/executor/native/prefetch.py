"""Asking for a cache line before it is needed, so that the processor does not wait for memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.core.errors import RequireLiteralValue
from numba.core.typing.templates import Signature
from numba.extending import intrinsic

__all__ = ["prefetch"]

KINDS = {"read": (0, 2), "write": (1, 3)}
"""For each kind the second and third argument of LLVM's `prefetch`: whether to write, and how near to bring the line.

A line that is read is brought into the second level of the cache only: the first level is small and in use.
"""


def _prefetch(typing: Any, address: Any, kind: Any) -> tuple[Signature, Callable[..., Any]]:
    """Ask for the cache line at an address, to "read" or to "write"; without effect on values."""
    if not isinstance(kind, types.StringLiteral):
        raise RequireLiteralValue("kind")
    pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    form = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
    write, nearness = KINDS[kind.literal_value]

    def build(context: Any, builder: Any, signature: Signature, args: Any) -> Any:
        function = get_or_insert_function(builder.module, form, "llvm.prefetch.p0i8")  # type: ignore[no-untyped-call]
        options = [ir.Constant(number, value) for value in (write, nearness, 1)]
        builder.call(function, [builder.inttoptr(args[0], pointer), *options])
        return context.get_dummy_value()

    return types.none(types.int64, kind), build


prefetch: Any = intrinsic(_prefetch)
