"""Plain loops compiled by Numba, and kept on disk under a name that tells their code apart."""

from __future__ import annotations

import functools
import itertools
import logging
import secrets
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba.core.bytecode import FunctionIdentity

from factorloom.engine.executor.native.call import SIGNATURE, view
from factorloom.expressions.errors import IndicatorError

__all__ = ["compile_driver", "driver"]

log = logging.getLogger(__name__)

FAR_LINE = 10_000

# Numba tells compiled functions of one name apart by a counter that starts at 1 in every process, so code that two
# processes cached may bear the same symbol and be linked to the wrong function (numba issue 10486: a rank was seen to
# return another kernel's values). A random start makes every symbol unique.
assert hasattr(FunctionIdentity, "_unique_ids"), "this version of Numba names compiled functions in another way"
FunctionIdentity._unique_ids = itertools.count(secrets.randbits(60))


def compile_driver(name: str, source: str, kernel: FunctionType | np.ufunc) -> Any:
    """Compile the driver `name` of a source that calls `kernel`.

    Numba keeps compiled code only for functions with a file and a name. It looks for the source again when it does: a
    function that lies past the end of this file has none, and Numba goes on.
    """
    scope: dict[str, Any] = {
        "np": np,
        "view": view,
        "kernel": kernel if isinstance(kernel, np.ufunc) else _jit(kernel),
        "__name__": __name__,
    }
    exec(compile("\n" * FAR_LINE + source, __file__, "exec"), scope)
    return driver(scope[name])


def driver(function: Callable[..., None]) -> Any:
    """A loop with the signature of drivers, compiled at once, and kept on disk where that can be."""
    try:
        return _build(function, keep=True)
    except (OSError, RuntimeError) as error:
        log.warning("compiled kernels cannot be kept on disk: %s; set NUMBA_CACHE_DIR to a folder with space", error)
        return _build(function, keep=False)


def _build(function: Callable[..., None], *, keep: bool) -> Any:
    options: dict[str, Any] = {"nogil": True, "cache": keep, "error_model": "numpy", "no_cpython_wrapper": True}
    built: Any = numba.njit(**options)(function)
    built.compile(SIGNATURE)
    built.disable_compile()
    return built


@functools.cache
def _jit(function: FunctionType) -> Any:
    """A plain loop compiled together with the plain loops that it calls."""
    _refuse_recursion(function, ())
    scope = dict(function.__globals__)
    scope.update({called.__name__: _jit(called) for called in _called(function)})
    twin = FunctionType(function.__code__, scope, function.__name__, closure=function.__closure__)
    return numba.njit(nogil=True, error_model="numpy")(twin)


def _refuse_recursion(function: FunctionType, above: tuple[FunctionType, ...]) -> None:
    if function in above:
        raise IndicatorError(f"{function.__name__} calls itself", hint="write a loop instead")
    for called in _called(function):
        _refuse_recursion(called, (*above, function))


def _called(function: FunctionType) -> Iterator[FunctionType]:
    """The functions that a kernel calls by name: ours, and those that stand beside it."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType) and (
            value.__module__.startswith("factorloom.") or value.__module__ == function.__module__
        ):
            yield value
