"""Drivers: compiled loops that compiled code calls by their address, so that a tile runs without the interpreter.

All have one signature. A driver finds what it reads and writes through the environment of a tile, which holds the
address of every array; `slots` says at which places, and `numbers` are the driver's own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from types import FunctionType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import types
from numba.core.cgutils import if_unlikely
from numba.core.errors import RequireLiteralValue
from numba.core.typing.templates import Signature
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.runtime.jit import COUNTS, NUMBERS, compile_source, compiled, loop
from factorloom.expressions.frozen import fingerprint

__all__ = ["FIRST_SLOT", "NUMBER", "ROWS", "START", "Driver", "call_all", "view"]

Flag: TypeAlias = npt.NDArray[np.uint8]

ROWS, START, NUMBER, FIRST_SLOT = range(4)
"""Places in the environment: how many rows the tile has, its first row, its number, and the first array."""

SIGNATURE = types.void(COUNTS, COUNTS, NUMBERS, COUNTS, types.int64, types.int64)
"""`driver(environment, slots, numbers, offsets, first_run, last_run)`."""


SOURCE = """
def {name}(env, slots, numbers, offsets, first, last):
    kernel(env, slots, numbers, offsets, first, last)
"""


class Driver:
    """A loop with the signature of drivers, compiled when its address is first needed."""

    def __init__(self, function: Callable[..., None]) -> None:
        assert isinstance(function, FunctionType)
        self._name = f"{function.__name__}_{fingerprint(function)}"
        self._source = SOURCE.format(name=self._name)
        self._kernel: FunctionType | np.ufunc = function

    @classmethod
    def of(cls, name: str, source: str, kernel: FunctionType | np.ufunc) -> Driver:
        """The driver of that name which a source defines, and which calls `kernel`."""
        made = cls.__new__(cls)
        made._name, made._source, made._kernel = name, source, kernel
        return made

    @cached_property
    def compiled(self) -> Any:
        """The function as Numba compiled it, or as it was loaded from disk."""
        kernel = compiled(self._kernel) if isinstance(self._kernel, FunctionType) else self._kernel
        return compile_source(self._name, self._source, {"view": view, "kernel": kernel}, (SIGNATURE,), python=False)

    @cached_property
    def address(self) -> int:
        """The address of its code, valid as long as the driver exists."""
        result = self.compiled.overloads[SIGNATURE.args]
        return int(result.library.get_pointer_to_function(result.fndesc.llvm_func_name))


def _view(typing: Any, place: Any, size: Any, kind: Any) -> tuple[Signature, Callable[..., Any]]:
    """The array of a kind, one of `ARRAYS`, that lies at an address."""
    if not isinstance(kind, types.StringLiteral):
        raise RequireLiteralValue("kind")
    array = ARRAYS[kind.literal_value]

    def build(context: Any, builder: Any, signature: Signature, args: Any) -> Any:
        made = make_array(array)(context, builder)  # type: ignore[no-untyped-call]
        item = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(array.dtype)))
        data = builder.inttoptr(args[0], context.get_data_type(array.dtype).as_pointer())
        populate_array(  # type: ignore[no-untyped-call]
            made, data=data, shape=[args[1]], strides=[item], itemsize=item, meminfo=None
        )
        return made._getvalue()

    return array(types.int64, types.int64, kind), build


view: Any = intrinsic(_view)

ARRAYS = {
    "read": types.Array(types.float64, 1, "C", readonly=True),
    "write": types.Array(types.float64, 1, "C"),
    "index": types.Array(types.int64, 1, "C"),
    "float32": types.Array(types.float32, 1, "C"),
    "bits": types.Array(types.uint8, 1, "C"),
    "uint16": types.Array(types.uint16, 1, "C"),
    "uint32": types.Array(types.uint32, 1, "C"),
}


def _call(
    typing: Any, code: Any, env: Any, slots: Any, numbers: Any, offsets: Any, first: Any, last: Any
) -> tuple[Signature, Callable[..., Any]]:
    """Call the driver at an address; what it raises is raised here."""

    def build(context: Any, builder: Any, signature: Signature, args: Any) -> Any:
        form = context.call_conv.get_function_type(types.none, SIGNATURE.args)
        target = builder.inttoptr(args[0], form.as_pointer())
        status, _ = context.call_conv.call_function(builder, target, types.none, SIGNATURE.args, args[1:])
        with if_unlikely(builder, status.is_error):  # type: ignore[no-untyped-call]
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.none(types.int64, *SIGNATURE.args), build


call: Any = intrinsic(_call)


FLAG = types.Array(types.uint8, 1, "C", readonly=True)
CALLS = types.void(*[COUNTS] * 3, NUMBERS, *[COUNTS] * 6, types.int64, types.int64, FLAG)


@loop(CALLS)
def call_all(
    codes: Index,
    slots: Index,
    slot_ends: Index,
    numbers: Array,
    number_ends: Index,
    addresses: Index,
    steps: Index,
    bounds: Index,
    offsets: Index,
    cuts: Index,
    first: int,
    last: int,
    stop: Flag,
) -> None:
    """Call one driver after another, each with its slots and numbers, on each of some tiles, until `stop` is set.

    A tile has the rows from one of `bounds` to the next, and the runs from one of `cuts` to the next. An address in its
    environment is that for row 0 and `steps` times its first row.
    """
    env = np.empty_like(addresses)
    for tile in range(first, last):
        env[:] = addresses + bounds[tile] * steps
        env[ROWS], env[START], env[NUMBER] = bounds[tile + 1] - bounds[tile], bounds[tile], tile
        a = b = 0
        for k in range(codes.size):
            if stop[0]:
                return
            c, d = slot_ends[k], number_ends[k]
            call(codes[k], env, slots[a:c], numbers[b:d], offsets, cuts[tile], cuts[tile + 1])
            a, b = c, d
