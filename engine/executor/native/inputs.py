"""Any number of arrays as one argument of a compiled loop, so that one driver serves all numbers of inputs.

A tuple of arrays would be a type of its own for each number, and take longer to compile the more it has.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from numba import types
from numba.core import cgutils
from numba.core.typing.templates import Signature
from numba.extending import intrinsic, make_attribute_wrapper, models, overload, register_model

from factorloom.engine.executor.native.view import view
from factorloom.engine.runtime.jit import COUNTS

__all__ = ["inputs_of"]


class InputsType(types.Type):
    """Arrays at the addresses that the first slots name: of each the values from `start` on."""

    def __init__(self) -> None:
        super().__init__("Inputs")


INPUTS = InputsType()
MEMBERS = [("env", COUNTS), ("slots", COUNTS), ("start", types.int64), ("size", types.int64)]


@register_model(InputsType)
class InputsModel(models.StructModel):
    """How it is passed on."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, MEMBERS)  # type: ignore[no-untyped-call]


for _name, _ in MEMBERS:
    make_attribute_wrapper(InputsType, _name, _name)


def _inputs_of(typing: Any, env: Any, slots: Any, start: Any, size: Any) -> tuple[Signature, Callable[..., Any]]:
    """The inputs of a driver whose last slot is its output: of each so many values from `start` on."""

    def build(context: Any, builder: Any, signature: Signature, args: Any) -> Any:
        made: Any = cgutils.create_struct_proxy(INPUTS)(context, builder)  # type: ignore[no-untyped-call]
        for (name, kind), value in zip(MEMBERS, args, strict=True):
            context.nrt.incref(builder, kind, value)  # it is given back with what is made here
            setattr(made, name, value)
        return made._getvalue()

    return INPUTS(*[kind for _, kind in MEMBERS]), build


inputs_of: Any = intrinsic(_inputs_of)


@overload(len, strict=False)
def _len(inputs: Any) -> Callable[..., Any] | None:
    if not isinstance(inputs, InputsType):
        return None
    return lambda inputs: inputs.slots.size - 1


@overload(operator.getitem, strict=False)
def _getitem(inputs: Any, place: Any) -> Callable[..., Any] | None:
    if not isinstance(inputs, InputsType):
        return None
    return lambda inputs, place: view(inputs.env[inputs.slots[place]] + 8 * inputs.start, inputs.size, "read")
