"""Kernels: the plain loops of the operators, compiled by Numba when first used, and kept on disk.

An operator's kernel sees one run of rows at a time. `compiled` wraps it into a driver that walks over the runs of a
tile, releases the interpreter's lock, and makes every result that is not finite missing. The driver is written as
source, because Numba keeps compiled code only for functions with a file and a name; the name carries a digest of the
kernel's own code and of everything it calls, so that a changed kernel is never served from an old cache.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import itertools
import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FunctionType
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.bytecode import FunctionIdentity

from factorloom.engine.progress import progress
from factorloom.expressions.axis import Axis
from factorloom.expressions.operator import Operator
from factorloom.expressions.parameter import Real

__all__ = ["compiled", "count", "prepare", "runs", "scalars"]

log = logging.getLogger(__name__)

READ = types.Array(types.float64, 1, "C", readonly=True)
WRITE = types.Array(types.float64, 1, "C")
INDEX = types.Array(types.int64, 1, "C", readonly=True)

FAR_LINE = 10_000
DRIVER = """
def {name}(offsets, first, last, {inputs}, {parameters}out):
    origin = offsets[first]
    for run in range(first, last):
        a, b = offsets[run] - origin, offsets[run + 1] - origin
        kernel({slices}, {parameters}out[a:b])
        for i in range(a, b):
            if not np.isfinite(out[i]):
                out[i] = np.nan
"""

# Numba tells compiled functions of one name apart by a counter that starts at 1 in every process, so code that two
# processes cached may bear the same symbol and be linked to the wrong function (numba issue 10486: a rank was seen to
# return another kernel's values). A random start makes every symbol unique.
assert hasattr(FunctionIdentity, "_unique_ids"), "this version of Numba names compiled functions in another way"
FunctionIdentity._unique_ids = itertools.count(secrets.randbits(60))

_READY: dict[str, Callable[..., None]] = {}
_LOCK = threading.RLock()
_launched = 0


def runs() -> int:
    """How many kernels have run in this process: one for every operator and tile."""
    return _launched


def count(launched: int) -> None:
    """Add to the number of kernels that have run."""
    global _launched
    with _LOCK:
        _launched += launched


def prepare(operators: Sequence[Operator[...]]) -> None:
    """Compile what is not compiled yet, or load it from disk, with a progress bar: the first run takes a while."""
    missing = [op for op in dict.fromkeys(operators) if op.kernel_form and op.name not in _READY]
    if not missing:
        return
    log.info("preparing %d kernels: compiled when first used, then kept on disk", len(missing))
    with _LOCK, progress("preparing kernels", len(missing)) as advance:
        for op in missing:
            compiled(op)
            advance()


def compiled(op: Operator[...]) -> Callable[..., None]:
    """The driver of an operator: `driver(offsets, first_run, last_run, *inputs, *scalars, out)`."""
    if op.name not in _READY:
        with _LOCK:
            _READY[op.name] = _compile(op)
    return _READY[op.name]


def scalars(op: Operator[...], parameters: Sequence[Any]) -> tuple[float | int, ...]:
    """The parameters that the kernel names, as numbers, in the kernel's order."""
    values = op.named(tuple(parameters))
    return tuple(op.kinds[name].encode(values[name]) for name in _scalar_names(op))


def _scalar_names(op: Operator[...]) -> tuple[str, ...]:
    assert op.kernel_form is not None
    names = tuple(inspect.signature(op.kernel_form).parameters)
    return names[_width(op) : -1]


def _width(op: Operator[...]) -> int:
    """How many arrays the kernel takes: the category of a group is not one of them."""
    return len(op.inputs) - (op.axis is Axis.GROUP)


def _compile(op: Operator[...]) -> Callable[..., None]:
    kernel = op.kernel_form
    assert isinstance(kernel, FunctionType)
    arrays = [f"x{place}" for place in range(_width(op))]
    names = _scalar_names(op)
    name = f"{op.name}_{_fingerprint(kernel)}"
    source = DRIVER.format(
        name=name,
        inputs=", ".join(arrays),
        parameters="".join(f"{scalar}, " for scalar in names),
        slices=", ".join(f"{array}[a:b]" for array in arrays),
    )
    scope: dict[str, Any] = {"np": np, "kernel": _jit(kernel), "__name__": __name__}
    # Numba looks for the source again when it keeps the code: past the end of this file it finds none and goes on.
    exec(compile("\n" * FAR_LINE + source, __file__, "exec"), scope)
    numbers = [_scalar_type(op, scalar) for scalar in names]
    signature = types.void(INDEX, types.int64, types.int64, *[READ] * len(arrays), *numbers, WRITE)
    try:
        return _build(scope[name], signature, keep=True)
    except (OSError, RuntimeError) as error:
        log.warning("compiled kernels cannot be kept on disk: %s; set NUMBA_CACHE_DIR to a folder with space", error)
        return _build(scope[name], signature, keep=False)


def _build(function: Callable[..., None], signature: Any, *, keep: bool) -> Callable[..., None]:
    driver = numba.njit(nogil=True, cache=keep, error_model="numpy")(function)
    driver.compile(signature)
    driver.disable_compile()
    return driver


def _scalar_type(op: Operator[...], name: str) -> Any:
    return types.float64 if isinstance(op.kinds[name], Real) else types.int64


@functools.cache
def _jit(function: FunctionType) -> Any:
    """A plain loop compiled together with the plain loops that it calls."""
    scope = dict(function.__globals__)
    scope.update({called.__name__: _jit(called) for called in _called(function)})
    twin = FunctionType(function.__code__, scope, function.__name__)
    return numba.njit(nogil=True, error_model="numpy")(twin)


def _called(function: FunctionType) -> Iterator[FunctionType]:
    """The functions of ours that a kernel calls by name."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType) and value.__module__.startswith("factorloom."):
            yield value


def _fingerprint(function: FunctionType) -> str:
    """A digest of the code of a kernel, of what it calls, and of the constants that it names."""
    content = hashlib.blake2b(digest_size=8)
    for part in _parts(function):
        content.update(part.encode())
    return content.hexdigest()


def _parts(function: FunctionType) -> Iterator[str]:
    code = function.__code__
    yield f"{code.co_code.hex()}{code.co_names}{code.co_varnames}"
    yield repr([value for value in code.co_consts if not isinstance(value, CodeType)])
    for name in code.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, int | float):
            yield f"{name}={value!r}"
    for called in _called(function):
        yield from _parts(called)
