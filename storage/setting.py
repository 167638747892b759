"""The settings of a store: a file of its folder, for all who open it.

[cache]
hot = "512 MB"
persistent = "20 GB"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping

import msgspec

from factorloom.expressions.errors import FactorloomError, StoreError, suggest
from factorloom.storage.folder import SETTINGS, Folder
from factorloom.storage.tier import CacheLimits

__all__ = ["limits_of"]

CACHE = "cache"


def limits_of(folder: Folder) -> CacheLimits:
    """How much a store keeps, by the file of its settings; the usual limits where it has none.

    Raises
    ------
    StoreError
        The file cannot be read, is not TOML, or holds a key or a value that is none.
    """
    path = folder.root / SETTINGS
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return CacheLimits()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is not TOML: {error}") from None
    _refuse_unknown(f"{path}: $", found, [CACHE])
    given = found.get(CACHE, {})
    if not isinstance(given, Mapping):
        raise StoreError(f"{path}: $.{CACHE} must be a table", hint=f"write its keys below a line [{CACHE}]")
    _refuse_unknown(f"{path}: $.{CACHE}", given, [field.name for field in msgspec.structs.fields(CacheLimits)])
    limits = CacheLimits(**given)
    try:
        limits.checked()
    except FactorloomError as error:
        raise StoreError(f"{path}: $.{CACHE}: {error.message}", hint=error.hint) from None
    return limits


def _refuse_unknown(path: str, given: Iterable[str], known: list[str]) -> None:
    for key in given:
        if key not in known:
            raise StoreError(f"{path}.{key}: unknown key", hint=suggest(key, known))
