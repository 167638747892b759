"""How Numba compiles here: each function once, as part of the one that calls it, and nothing that nobody calls.

Numba makes a library of machine code of every function, of those that a function calls too, down to `np.empty`: each is
optimised and translated with all that it calls, and given wrappers for callers from Python and C. Of a loop that is
compiled here only the outermost function is ever called by its address, so the others stay drafts: they are linked
into it and translated once, there. Loops of ours are optimised before that, so that they are vectorised before they are
inlined, which some of them need; those of Numba itself are not. That halves the time.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import contextlib
import hashlib
import logging
import pickle
from collections.abc import Iterator
from functools import cache as once
from typing import Any

import numba
from numba.core.caching import _Cache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompileResult
from numba.core.compiler_lock import global_compiler_lock
from numba.core.environment import lookup_environment
from numba.core.lowering import Lower
from numba.core.registry import cpu_target
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import dumps

from factorloom.engine.runtime import cache

__all__ = ["LOOPING", "Kept", "whole"]

log = logging.getLogger(__name__)

LOOPING: set[str] = set()
"""The names of functions of ours that have loops, and are called by others."""

FORMAT = 2
"""Raised when what generated sources call, such as `view`, changes its meaning."""


class _Draft(JITCodeLibrary):
    """The code of a function as it was typed, until somebody asks for its address."""

    _is_draft = True

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        if not self._is_draft:
            super()._optimize_final_module()
        elif self.name in LOOPING and not any(library.name in LOOPING for library in self._linking_libraries):
            manager, passes = self._codegen._module_pass_manager()
            manager.run(self._final_module, passes)

    def _finalize_final_module(self) -> None:
        if self._is_draft:
            self._finalize_dynamic_globals()
            self._finalized = True
            return
        super()._finalize_final_module()
        codegen: Any = self._codegen
        for variable in self._final_module.global_variables:
            environment = lookup_environment(variable.name)
            if environment is not None:
                codegen.set_env(variable.name, environment)

    def get_pointer_to_function(self, name: str) -> int:
        """The address of a function: 0 where there is none of that name, as for all that has no wrapper."""
        self._ensure_finalized()
        if self._is_draft:
            if not any(function.name == name for function in self.get_defined_functions()):
                return 0
            self._is_draft = False
            self._optimize_final_module()
            self._finalize_final_module()
        return int(super().get_pointer_to_function(name))


@contextlib.contextmanager
def whole(name: str) -> Iterator[None]:
    """Compile the function of that name as a whole: what it calls becomes a part of it."""
    codegen: Any = cpu_target.target_context.codegen()
    lower: Any = Lower

    def library(of: str, **options: Any) -> JITCodeLibrary:
        made = _Draft(codegen, of, **options)
        made._is_draft = of != name
        return made

    def set_environment(of: str, environment: Any) -> None:
        if codegen._engine.is_symbol_defined(of):
            usual(of, environment)

    def wrapper(lowering: Any) -> None:
        if not lowering.flags.no_cpython_wrapper:
            create_wrapper(lowering)

    with global_compiler_lock:
        create_wrapper = lower.create_cfunc_wrapper
        usual = codegen.set_env
        codegen.create_library, codegen.set_env, lower.create_cfunc_wrapper = library, set_environment, wrapper
        try:
            yield
        finally:
            del codegen.create_library, codegen.set_env
            lower.create_cfunc_wrapper = create_wrapper


class Kept(_Cache):
    """The code of one function on disk, in the form in which Numba asks for it.

    Its file is named by the function, and by all else on which the code depends: the source around it, its signature,
    the version of Numba, and the processor. Numba's own files would need the folder to be writable.
    """

    def __init__(self, name: str, source: str) -> None:
        self._name, self._source = name, source

    @property
    def cache_path(self) -> str:
        """The folder."""
        return str(cache.folder() or "")

    def holds(self, signature: Any) -> bool:
        """Whether there is code for a signature."""
        return self._file(signature) in cache.kept()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The code for a signature; None where there is none of use."""
        data = cache.load(self._file(sig))
        if data is None:
            return None
        rtsys.initialize(target_context)
        try:
            return CompileResult._rebuild(target_context, *pickle.loads(data))
        except (ImportError, AttributeError):  # it names something that has moved since
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code for a signature; what refers to objects in memory cannot be kept."""
        try:
            if data.library.has_dynamic_globals:
                raise ValueError("it refers to an address in memory")
            content = dumps(data._reduce())
        except Exception as error:
            log.warning("the compiled code of %s is not kept on disk: %s: %s", self._name, type(error).__name__, error)
        else:
            cache.keep(self._file(sig), content)

    def enable(self) -> None:
        """It is always on."""

    def disable(self) -> None:
        """It is always on."""

    def flush(self) -> None:
        """Nothing is held back."""

    def _file(self, signature: Any) -> str:
        digest = hashlib.blake2b(f"{self._source}\n{signature}\n{_target()}".encode(), digest_size=8)
        return f"{self._name}.{cache.TAG}.{digest.hexdigest()}"


@once
def _target() -> str:
    """What code depends on besides its source: compiler and processor."""
    return f"{FORMAT} {numba.__version__} {cpu_target.target_context.codegen().magic_tuple()}"
