"""TOML and JSON to checked objects and back, each fault told with its path: `$` is the whole document."""

from __future__ import annotations

import json
import math
import numbers
import re
import reprlib
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from factorloom.expressions.errors import FactorloomError, LookaheadError, ModelError, suggest

__all__ = [
    "brief",
    "build",
    "child",
    "named",
    "placed",
    "positive",
    "read_json",
    "read_text",
    "read_toml",
    "under",
    "write_toml",
]

Part = TypeVar("Part", bound=msgspec.Struct)

NAME = re.compile(r"[a-z][a-z0-9_]*")
SHORT = reprlib.Repr()
SHORT.maxlevel, SHORT.maxstring, SHORT.maxother = 2, 60, 60


def build(kind: type[Part], data: object, path: str) -> Part:
    """An object from a mapping of its fields; what is wrong inside is told under `path`."""
    if not isinstance(data, Mapping):
        raise ModelError(f"{path}: must be a table of keys, got {brief(data)}")
    fields = msgspec.structs.fields(kind)
    known = [field.name for field in fields]
    for key in data:
        if key not in known:
            raise ModelError(f"{child(path, key)}: unknown key", hint=suggest(str(key), known))
    for field in fields:
        if field.required and field.name not in data:
            raise ModelError(f"{path}.{field.name}: missing")
    with under(path):
        return kind(**data)


@contextmanager
def under(path: str) -> Iterator[None]:
    """Put `path` in place of the leading `$` of an error."""
    try:
        yield
    except (ModelError, LookaheadError) as error:
        message = path + error.message.removeprefix("$") if error.message.startswith("$") else error.message
        raise type(error)(message, hint=error.hint, text=error.text, position=error.position) from None


def positive(path: str, value: object) -> float:
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            raise ModelError(f"{path}: too large for Float64") from None
        if 0 < number < math.inf:
            return number
    raise ModelError(f"{path}: must be a finite number greater than 0, got {brief(value)}")


def named(path: str, name: object) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        rule = "a name is lower-case letters, digits and _, and starts with a letter"
        raise ModelError(f"{path}: {brief(name)} is not a name", hint=rule)


def placed(path: str, error: FactorloomError) -> ModelError:
    return ModelError(f"{path}: {error.message}", hint=error.hint, text=error.text, position=error.position)


def child(path: str, key: object) -> str:
    plain = isinstance(key, str) and re.fullmatch(r"[\w-]{1,60}", key)
    return f"{path}.{key}" if plain else f"{path}[{brief(key)}]"


def brief(value: object) -> str:
    """The start of a value's text; what is nested deep is not followed."""
    return SHORT.repr(value)


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        beside = [other.name for other in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise ModelError(f"{path}: {error.strerror}", hint=suggest(path.name, beside)) from None
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: not TOML: {error}") from None


def read_toml(text: str, path: str = "$") -> object:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ModelError(f"{path}: nested too deep") from None
    except ValueError as error:
        place = _offset(text, str(error))
        raise ModelError(f"{path}: not TOML: {error}", text=text, position=place) from None


def _offset(text: str, message: str) -> int:
    """Where tomllib found the fault: it tells line and column only in its message."""
    place = re.search(r"line (\d+), column (\d+)", message)
    if place is None:
        return len(text)
    lines = text.splitlines(keepends=True)[: int(place[1]) - 1]
    return sum(map(len, lines)) + int(place[2]) - 1


def read_json(source: bytes | str) -> object:
    try:
        text = source if isinstance(source, str) else source.decode()
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise ModelError("$: nested too deep") from None
    except json.JSONDecodeError as error:
        raise ModelError(f"$: not JSON: {error}", text=error.doc, position=error.pos) from None
    except ValueError as error:
        raise ModelError(f"$: not JSON: {error}") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is given twice")
    return table


def write_toml(table: Mapping[str, object]) -> str:
    """Keys and values in TOML: text as JSON writes it, which TOML reads, but for one character."""
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in table.items()}
    return "".join(f"{key} = {text}\n" for key, text in texts.items()).replace("\x7f", "\\u007f")
