"""Functions as they are at one moment: with the names they use bound for good, and a digest of all of it.

A notebook changes a constant, or a function that another one calls, without telling those who use it. What is
compiled, cached or compared must know what it really is.
"""

from __future__ import annotations

import builtins
import dis
import hashlib
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

__all__ = ["fingerprint", "freeze"]


def freeze(function: FunctionType) -> FunctionType:
    """The same function, and the same functions called by it, deaf to later changes of the names they use.

    All of them then bear the names by which they are called, and belong to this module: what is compiled and kept on
    disk looks for its module again, and a notebook or a script is not there.
    """
    return _freeze(function, function.__name__, {})


def fingerprint(function: FunctionType | np.ufunc) -> str:
    """16 hexadecimal digits of the code, of the values that it names, and of the functions that it calls.

    Comments, spaces and documentation do not count. A function of NumPy is its name.

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
    cells = tuple(CellType(*_content(cell)) for cell in function.__closure__ or ())
    twin = FunctionType(function.__code__, scope, name, function.__defaults__, cells)
    twin.__doc__ = function.__doc__
    done[function, name] = twin
    for known, value in _globals(function):
        scope[known] = _freeze(value, known, done) if isinstance(value, FunctionType) else value
    return twin


def _content(cell: CellType) -> tuple[Any, ...]:
    """What a cell holds: nothing yet for a name that is defined later."""
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
    for cell in function.__closure__ or ():
        for value in _content(cell):
            yield from _value(value, seen)
    for name, value in _globals(function):
        yield name
        yield from _value(value, seen)


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
