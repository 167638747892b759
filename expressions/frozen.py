"""Functions as they are now: with the values of all names that they use, and a fingerprint of the whole.

A notebook may change a constant, or a function that another one calls, after an indicator has been declared. What is
compiled or cached must not change with it, and must be recognised as something else where it is declared again.
"""

from __future__ import annotations

import builtins
import dis
import hashlib
import itertools
import sys
from collections import namedtuple
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType, NoneType
from typing import Any, TypeAlias

import numpy as np

from factorloom.expressions.errors import IndicatorError

__all__ = ["fingerprint", "freeze"]

LIBRARIES = ("builtins", "cmath", "math", "numba", "numpy")
"""Modules whose functions and constants do not change."""

PLAIN = bool, int, float, complex, str, bytes, NoneType, np.generic
"""Values that a fingerprint covers as they are."""

NAMED = {name for name in dir(namedtuple("_", ())) if name.startswith("_")}
"""What every named tuple has."""

OTHERS = "let it read numbers, tuples, arrays and plain functions by name, or make them parameters"
"""What to do where a value as a whole may change."""

NUMBA = "numba.core.types", "numba.core.extending"
"""Where the types and the intrinsic functions of Numba are."""

Done: TypeAlias = dict[tuple[FunctionType, str], FunctionType]


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
        Where the function, or one that it calls, reads what may change unnoticed: an attribute of a module, a class or
        an object, a value that it has imported itself, or one that it has kept from an earlier call.

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


def _freeze(function: FunctionType, name: str, done: Done) -> FunctionType:
    if (function, name) in done:
        return done[function, name]
    scope: dict[str, Any] = {"__builtins__": builtins, "__name__": __name__}
    cells = tuple(CellType() for _ in function.__closure__ or ())
    twin = FunctionType(function.__code__, scope, name, None, cells)
    twin.__doc__ = function.__doc__
    done[function, name] = twin
    for cell, known, original in zip(cells, function.__code__.co_freevars, function.__closure__ or (), strict=True):
        for value in _content(original):
            cell.cell_contents = _frozen(value, known, done)
    for known, value in _globals(function):
        scope[known] = _frozen(value, known, done)
    twin.__defaults__ = _frozen(function.__defaults__, name, done)
    twin.__kwdefaults__ = {known: _frozen(value, known, done) for known, value in _keywords(function)} or None
    return twin


def _frozen(value: Any, name: str, done: Done) -> Any:
    """A value that nothing else can change: functions with all they read, copies of arrays, tuples for lists."""
    value = _plain_function(value)
    if isinstance(value, FunctionType) and not _is_of_library(value):
        return _freeze(value, name, done)
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
        return value
    if isinstance(value, tuple | list):
        parts = [_frozen(part, name, done) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def _plain_function(value: Any) -> Any:
    """The plain function that `numba.njit` has compiled, and any other value as it is."""
    inner = getattr(value, "py_func", None)
    return inner if isinstance(inner, FunctionType) else value


def _keywords(function: FunctionType) -> Iterable[tuple[str, Any]]:
    return (function.__kwdefaults__ or {}).items()


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
    yield from (step.argval for step in _steps(code) if step.opname == "LOAD_GLOBAL")
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _names(value)


def _parts(function: FunctionType, seen: set[CodeType]) -> Iterator[str]:
    if function.__code__ in seen:
        return
    seen.add(function.__code__)
    _refuse_state(function, function.__code__)
    yield from _code(function.__code__, function.__doc__)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        for value in _content(cell):
            _refuse_open(function, name, value)
            yield from _value(value, seen)
    for name, value in _globals(function):
        _refuse_open(function, name, value)
        yield name
        yield from _value(value, seen)


def _refuse_state(function: FunctionType, code: CodeType) -> None:
    """Refuse code that imports, or that keeps values between calls."""
    for step in _steps(code):
        if step.opname == "IMPORT_NAME" and not _is_library(step.argval):
            message, hint = f"imports {step.argval}", "import it before the function"
        elif step.opname == "STORE_GLOBAL" or (
            step.opname == "STORE_DEREF" and step.argval in function.__code__.co_freevars
        ):
            message, hint = f"changes {step.argval}, which is not its own", "give the name a value inside the function"
        else:
            continue
        raise IndicatorError(f"{function.__name__} {message}, so its values may change unnoticed", hint=hint)
    for value in code.co_consts:
        if isinstance(value, CodeType):
            _refuse_state(function, value)


def _refuse_open(function: FunctionType, name: str, value: Any) -> None:
    """Refuse a name whose value can change without changing the fingerprint."""
    path = next(_attributes(function.__code__, name), ())
    attribute = path[-1] if path and not _has_fixed_attributes(value) else None
    if attribute is None and _is_fixed(value):
        return
    read = ".".join((name, *path)) if attribute else name
    hint = f"write {attribute} = {read} before the function and read {attribute}, or make it a parameter"
    raise _open(function, f"{read},", hint if attribute else OTHERS)


def _open(function: FunctionType, read: str, hint: str) -> IndicatorError:
    return IndicatorError(f"{function.__name__} reads {read} which may change unnoticed", hint=hint)


def _defaults(function: FunctionType) -> Iterator[tuple[str, Any]]:
    defaults, count = function.__defaults__ or (), function.__code__.co_argcount
    yield from zip(function.__code__.co_varnames[count - len(defaults) : count], defaults, strict=True)
    yield from _keywords(function)


def _has_fixed_attributes(value: Any) -> bool:
    return isinstance(value, (*PLAIN, np.ndarray, tuple, list, frozenset)) or _is_of_library(value)


def _is_fixed(value: Any) -> bool:
    """Whether a fingerprint covers all that a function can find in a value, attributes of functions aside."""
    value = _plain_function(value)
    if isinstance(value, tuple | list | frozenset):
        return all(map(_is_fixed, value)) and (not isinstance(value, tuple) or _has_only_fields(type(value)))
    if isinstance(value, np.ndarray):
        return type(value) in (np.ndarray, np.memmap) and not value.dtype.hasobject
    if isinstance(value, type) and issubclass(value, tuple):
        return _has_only_fields(value)
    if isinstance(value, type) and value.__module__.partition(".")[0] in sys.stdlib_module_names:
        return True
    return isinstance(value, (*PLAIN, FunctionType)) or _is_of_library(value)


def _has_only_fields(kind: type) -> bool:
    """Whether a class of tuples, named or not, adds no constant and no method."""
    fields = getattr(kind, "_fields", ())
    added = set(dir(kind)) - set(dir(tuple)) - set(fields)
    return all(name.startswith("__") or name in NAMED for name in added)


def _is_of_library(value: Any) -> bool:
    """Whether a module, function or class is part of a library, and no function of the user's that it has wrapped."""
    if isinstance(value, ModuleType):
        return _is_library(value.__name__)
    if isinstance(value, BuiltinFunctionType):
        return value.__self__ is None or isinstance(value.__self__, ModuleType)
    if isinstance(value, FunctionType | type | np.ufunc | type(np.mean)):
        return _is_library(value.__module__ or "")
    return type(value).__module__.startswith(NUMBA)


def _is_library(module: str) -> bool:
    return module.partition(".")[0] in LIBRARIES


def _attributes(code: CodeType, name: str) -> Iterator[tuple[str, ...]]:
    """The attributes, and those of attributes, that a code reads from the value of a name, inner functions included."""
    steps = _steps(code)
    for place, step in enumerate(steps):
        if step.opname in ("LOAD_GLOBAL", "LOAD_DEREF") and step.argval == name:
            rest = itertools.takewhile(lambda s: s.opname in ("LOAD_ATTR", "LOAD_METHOD"), steps[place + 1 :])
            if path := tuple(s.argval for s in rest):
                yield path
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _attributes(value, name)


@lru_cache(maxsize=256)
def _steps(code: CodeType) -> tuple[dis.Instruction, ...]:
    """The instructions of a code: taking it apart is slow, and functions that are called by many are met often."""
    return tuple(step for step in dis.get_instructions(code) if step.opname not in ("CACHE", "EXTENDED_ARG"))


def _code(code: CodeType, documentation: str | None = None) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_names} {code.co_argcount}"
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _code(value)
        elif value != documentation:
            yield from _value(value, set())


def _value(value: Any, seen: set[CodeType]) -> Iterator[str]:
    value = _plain_function(value)
    if isinstance(value, FunctionType) and not _is_of_library(value):
        yield from _parts(value, seen)
        for name, default in _defaults(value):
            if not _is_fixed(default):
                raise _open(value, f"{name}, its default,", OTHERS)
        yield from _value(value.__defaults__, seen) if value.__defaults__ else ()
        yield from _value(tuple((value.__kwdefaults__ or {}).items()), seen) if value.__kwdefaults__ else ()
    elif isinstance(value, tuple | list | frozenset):
        yield " ".join((type(value).__name__, *getattr(value, "_fields", ())))
        for part in sorted(value, key=repr) if isinstance(value, frozenset) else value:
            yield from _value(part, seen)
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape} {hashlib.blake2b(value.tobytes()).hexdigest()}"
    elif isinstance(value, bool | int | float | complex | str | bytes | np.generic | None):
        yield f"{type(value).__name__} {value!r}"
    elif isinstance(value, ModuleType):
        yield value.__name__
    else:
        yield " ".join((getattr(value, "__qualname__", type(value).__qualname__), *getattr(value, "_fields", ())))
