"""Functions as they are now: with the values of all names that they use, and a fingerprint of the whole.

A notebook may change a constant, or a function that another one calls, after an indicator has been declared. What is
compiled or cached must not change with it, and must be recognised as something else where it is declared again.
"""

from __future__ import annotations

import builtins
import copy
import dis
import hashlib
import itertools
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType, ModuleType, NoneType
from typing import Any

import numpy as np

from factorloom.expressions.errors import IndicatorError

__all__ = ["fingerprint", "freeze"]

LIBRARIES = ("cmath", "math", "numba", "numpy")
"""Modules whose functions and constants do not change."""

PLAIN = bool, int, float, complex, str, bytes, NoneType, np.generic, np.ndarray, tuple, list, frozenset
"""Values that a fingerprint covers as they are."""


def freeze(function: FunctionType) -> FunctionType:
    """A copy of a function and of the functions that it calls, which later changes of the names they use do not reach.

    All of them get the names by which they are called, and this module as their own: Numba imports the module of what
    it kept on disk, and a notebook or a script cannot be imported.
    """
    return _freeze(function, function.__name__, {})


def fingerprint(function: FunctionType | np.ufunc) -> str:
    """16 hexadecimal digits of the code, of the values that it names, and of the functions that it calls.

    Comments, spaces and documentation do not count. A function of NumPy is its name.

    Raises
    ------
    IndicatorError
        Where the function reads an attribute of a module or an object: compiled code would keep its first value, and a
        later change would go unnoticed.

    >>> def double(x): return 2 * x
    >>> def twice(x): return 2 * x  # the same
    >>> fingerprint(double) == fingerprint(twice)
    True
    """
    if isinstance(function, np.ufunc):
        return function.__name__
    content = hashlib.blake2b(digest_size=8)
    for part in _parts(function, set()):
        content.update(f"{part}\n".encode())
    return content.hexdigest()


def _freeze(function: FunctionType, name: str, done: dict[tuple[FunctionType, str], FunctionType]) -> FunctionType:
    if (function, name) in done:
        return done[function, name]
    scope: dict[str, Any] = {"__builtins__": builtins, "__name__": __name__}
    cells = tuple(CellType(*map(_copied, _content(cell))) for cell in function.__closure__ or ())
    twin = FunctionType(function.__code__, scope, name, function.__defaults__, cells)
    twin.__doc__ = function.__doc__
    done[function, name] = twin
    for known, value in _globals(function):
        is_function = isinstance(value, FunctionType)
        scope[known] = _freeze(value, known, done) if is_function else _copied(value)
    return twin


def _copied(value: Any) -> Any:
    return copy.deepcopy(value) if isinstance(value, np.ndarray | tuple | list) else value


def _content(cell: CellType) -> tuple[Any, ...]:
    """The content of a cell; empty for a name that is defined later."""
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def _globals(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name in sorted(set(_names(function.__code__))):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _names(code: CodeType) -> Iterator[str]:
    """The global names that a code reads, inner functions included."""
    yield from (step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _names(value)


def _parts(function: FunctionType, seen: set[CodeType]) -> Iterator[str]:
    if function.__code__ in seen:
        return
    seen.add(function.__code__)
    yield from _code(function.__code__, function.__doc__)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        for value in _content(cell):
            _refuse_open(function, name, value)
            yield from _value(value, seen)
    for name, value in _globals(function):
        _refuse_open(function, name, value)
        yield name
        yield from _value(value, seen)


def _refuse_open(function: FunctionType, name: str, value: Any) -> None:
    """Refuse a name whose value can change without changing the fingerprint."""
    if isinstance(value, PLAIN) or (isinstance(value, ModuleType) and value.__name__.partition(".")[0] in LIBRARIES):
        return
    attribute = next(_attributes(function.__code__, name), None)
    if callable(value) and attribute is None:
        return
    read = f"{name}.{attribute}" if attribute else name
    hint = "let it read numbers, tuples, arrays and functions by name, or make them parameters"
    if attribute:
        hint = f"write {attribute} = {read} before the function and read {attribute}, or make it a parameter"
    raise IndicatorError(f"{function.__name__} reads {read}, which may change unnoticed", hint=hint)


def _attributes(code: CodeType, name: str) -> Iterator[str]:
    """The attributes that a code reads from the value of a name, inner functions included."""
    steps = [step for step in dis.get_instructions(code) if step.opname not in ("CACHE", "EXTENDED_ARG")]
    for step, following in itertools.pairwise(steps):
        is_name = step.opname in ("LOAD_GLOBAL", "LOAD_DEREF") and step.argval == name
        if is_name and following.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            yield following.argval
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _attributes(value, name)


def _code(code: CodeType, documentation: str | None = None) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_names} {code.co_argcount}"
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _code(value)
        elif value != documentation:
            yield from _value(value, set())


def _value(value: Any, seen: set[CodeType]) -> Iterator[str]:
    value = getattr(value, "py_func", value)
    if isinstance(value, FunctionType):
        yield from _parts(value, seen)
        yield from _value(value.__defaults__, seen) if value.__defaults__ else ()
    elif isinstance(value, tuple | list | frozenset):
        yield type(value).__name__
        for part in sorted(value, key=repr) if isinstance(value, frozenset) else value:
            yield from _value(part, seen)
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape} {hashlib.blake2b(value.tobytes()).hexdigest()}"
    elif isinstance(value, bool | int | float | complex | str | bytes | np.generic | None):
        yield f"{type(value).__name__} {value!r}"
    elif isinstance(value, ModuleType):
        yield value.__name__
    else:
        yield getattr(value, "__qualname__", type(value).__qualname__)
