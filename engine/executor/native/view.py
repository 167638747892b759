"""Arrays in compiled code, made of an address and a size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core.errors import RequireLiteralValue
from numba.core.typing.templates import Signature
from numba.extending import intrinsic

__all__ = ["view"]


def _view(typing: Any, place: Any, size: Any, kind: Any) -> tuple[Signature, Callable[..., Any]]:
    """The array of a kind, one of `ARRAYS`, that lies at an address."""
    if not isinstance(kind, types.StringLiteral):
        raise RequireLiteralValue("kind")
    array = ARRAYS[kind.literal_value]

    def build(context: Any, builder: Any, signature: Signature, args: Any) -> Any:
        from numba.np.arrayobj import make_array, populate_array  # slow to import, and only needed to compile

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
