"""Check the factors that a module of the user's declares."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from types import FunctionType

from factorloom.engine.testing.check import check_factors, check_indicator
from factorloom.expressions.errors import ArgumentError, plural, suggest
from factorloom.expressions.indicator import Indicator, Indicators

__all__ = ["check_declared"]


def check_declared(reference: str, *, examples: int, seed: int) -> str:
    """Check what `module:name` refers to: a factor, an indicator, or a mapping or list of them; says what was checked.

    Raises
    ------
    ArgumentError
        There is no such module or name, or it is something else, or empty.
    PromiseError
        A promise is broken.
    """
    found = _find(reference)
    many = found if isinstance(found, Mapping | list | tuple) else [found]
    named = dict(many) if isinstance(many, Mapping) else {str(value): value for value in many}
    if not named:
        raise ArgumentError(f"{reference} is empty")
    loops = [value for value in named.values() if isinstance(value, Indicator | Indicators)]
    factors = {name: value for name, value in named.items() if not isinstance(value, Indicator | Indicators)}
    for loop in loops:
        check_indicator(loop, examples=examples, seed=seed)
    if factors:
        check_factors(factors, examples=examples, seed=seed)
    what = plural(len(factors), "factor") if factors else plural(len(loops), "indicator")
    more = f" and {plural(len(loops), 'indicator')}" if factors and loops else ""
    return f"{what}{more} checked on {plural(examples, 'set')} of bars: all promises kept"


def _find(reference: str) -> object:
    module, colon, name = reference.partition(":")
    if not (module and colon and name):
        raise ArgumentError(f"{reference!r} is not a module and a name", hint="for example my_factors:FACTORS")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        loaded = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise ArgumentError(f"module {module} cannot be imported: {type(error).__name__}: {error}") from error
    found: object = loaded
    for part in name.split("."):
        if not hasattr(found, part):
            known = [name for name in dir(found) if not name.startswith("_")]
            raise ArgumentError(f"{module} has no {part!r}", hint=suggest(part, known))
        found = getattr(found, part)
    if not isinstance(found, FunctionType):
        return found
    try:
        return found()
    except (Exception, SystemExit) as error:
        raise ArgumentError(f"{reference} cannot be called: {type(error).__name__}: {error}") from error
