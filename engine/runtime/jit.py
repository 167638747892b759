"""Plain loops compiled by Numba, and kept on disk under a name that identifies their code.

Everything that is compiled in this project goes through here.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import itertools
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any, Generic, ParamSpec, TypeVar

import numba
import numpy as np
from numba import types
from numba.core.bytecode import FunctionIdentity

from factorloom.engine.runtime import cache
from factorloom.engine.runtime.compiler import LOOPING, Kept, whole
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.progress import COMPILING
from factorloom.expressions.errors import IndicatorError
from factorloom.expressions.frozen import fingerprint

__all__ = ["COUNTS", "NUMBERS", "Loop", "any_order", "compile_source", "compiled", "disabled", "loop", "prepare"]

COUNTS = types.Array(types.int64, 1, "C", readonly=True)
NUMBERS = types.Array(types.float64, 1, "C", readonly=True)
"""Arrays that a loop reads: of int64, and of float64."""

P = ParamSpec("P")
R = TypeVar("R")

# Numba distinguishes compiled functions of one name by a counter that starts at 1 in every process, so code that two
# processes cached may bear the same symbol and be linked to the wrong function (numba issue 10486: a rank was seen to
# return another kernel's values). A random start makes every symbol unique.
assert hasattr(FunctionIdentity, "_unique_ids"), "this version of Numba names compiled functions in another way"
FunctionIdentity._unique_ids = itertools.count(secrets.randbits(60))

WRAPPER = """
def {name}({arguments}):
    return loop({arguments})
"""
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
ANY_ORDER: set[FunctionType] = set()
_LOCK = threading.RLock()


def disabled() -> bool:
    """Whether Numba is switched off, by `NUMBA_DISABLE_JIT=1`, so that indicators run step by step in plain Python."""
    return bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]


class Loop(Generic[P, R]):
    """A plain loop that is compiled when it is first called, and called as it is where Numba is switched off.

    Parameters
    ----------
    signatures
        The types of its arguments and result, as Numba has them: one for each combination that is used.
    """

    def __init__(self, function: Callable[P, R], signatures: tuple[Any, ...]) -> None:
        assert isinstance(function, FunctionType)
        functools.update_wrapper(self, function)
        self._function, self._signatures = function, signatures
        self._compiled: Callable[P, R] | None = function if disabled() else None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.prepare()(*args, **kwargs)

    def prepare(self) -> Callable[P, R]:
        """The compiled loop, compiled now if it is not yet."""
        if self._compiled is None:
            with _LOCK:
                self._compiled = self._compiled or self._compile()
        return self._compiled

    def _compile(self) -> Callable[P, R]:
        names = ", ".join(self._function.__code__.co_varnames[: self._function.__code__.co_argcount])
        name = f"{self._function.__name__}_{fingerprint(self._function)}"
        source = WRAPPER.format(name=name, arguments=names)
        made: Callable[P, R] = compile_source(name, source, {"loop": compiled(self._function)}, self._signatures)
        return made


def prepare(observer: Observer, *loops: Loop[..., Any]) -> None:
    """Compile loops, which takes long only once: the observer is told."""
    with observer.task(COMPILING, len(loops)):
        for each in loops:
            each.prepare()
            observer.advance()


def loop(*signatures: Any) -> Callable[[Callable[P, R]], Loop[P, R]]:
    """Declare a plain loop of the engine's own, for these signatures."""
    return lambda function: Loop(function, signatures)


def any_order(function: Callable[P, R]) -> Callable[P, R]:
    """Declare that a plain loop may add in any order, and so many numbers at a time: the last digits of its sums may
    differ between processors, never between two runs on one. What was compiled before this was declared, or is no
    longer, is not recognised as such: raise `compiler.FORMAT`."""
    assert isinstance(function, FunctionType)
    ANY_ORDER.add(function)
    return function


def compile_source(
    name: str, source: str, scope: Mapping[str, Any], signatures: tuple[Any, ...], *, python: bool = True
) -> Any:
    """Compile the function of that name which a source defines, or load its code from disk.

    Without `python` it cannot be called by the interpreter, and takes less time to compile.

    Raises
    ------
    numba.core.errors.NumbaError
        Where it is not in the part of Python that Numba compiles.
    """
    names = {"np": np, "__name__": __name__, **scope}
    exec(compile(source, f"<{name}>", "exec"), names)
    built: Any = numba.njit(**OPTIONS | {"no_cpython_wrapper": not python})(names[name])
    built._cache = kept = Kept(name, source)
    for signature in signatures:
        with contextlib.nullcontext() if kept.holds(signature) else cache.exclusive(name), whole(name):
            built.compile(signature)
    built.disable_compile()
    return built


@functools.cache
def compiled(function: FunctionType) -> Any:
    """A plain loop compiled together with the plain loops that it calls."""
    _refuse_recursion(function, ())
    scope = dict(function.__globals__)
    scope.update({name: compiled(called) for name, called in _called(function)})
    twin = FunctionType(function.__code__, scope, function.__name__, function.__defaults__, function.__closure__)
    if any(step.opname.startswith("JUMP_BACKWARD") for step in dis.get_instructions(function)):
        LOOPING.add(twin.__qualname__)
    order: dict[str, Any] = {"fastmath": {"reassoc"}} if function in ANY_ORDER else {}
    return numba.njit(**OPTIONS | {"no_cpython_wrapper": True} | order)(twin)


def _refuse_recursion(function: FunctionType, above: tuple[FunctionType, ...]) -> None:
    if function in above:
        raise IndicatorError(f"{function.__name__} calls itself", hint="write a loop instead")
    for _, called in _called(function):
        _refuse_recursion(called, (*above, function))


def _called(function: FunctionType) -> Iterator[tuple[str, FunctionType]]:
    """The functions that a loop calls by name: ours, and those of its own module."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType) and (
            value.__module__.startswith("factorloom.") or value.__module__ == function.__module__
        ):
            yield name, value
