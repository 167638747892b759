"""Read TOML and JSON into checked objects, and write TOML. Errors start with a path, in which `$` is the document."""

from __future__ import annotations

import json
import math
import numbers
import re
import reprlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from factorloom.expressions.errors import FactorloomError, LookaheadError, ModelError, suggest

__all__ = [
    "build",
    "check_choice",
    "check_name",
    "check_positive",
    "check_whole",
    "child_path",
    "errors_under",
    "model_error",
    "read_json",
    "read_text",
    "read_toml",
    "shortened",
    "write_toml",
]

Object = TypeVar("Object", bound=msgspec.Struct)

NAME = re.compile(r"[a-z][a-z0-9_]*")
SHORT = reprlib.Repr()
SHORT.maxlevel, SHORT.maxstring, SHORT.maxother = 2, 60, 60


def build(kind: type[Object], data: object, path: str) -> Object:
    """An object from a mapping of its fields; the paths of errors start with `path`."""
    if not isinstance(data, Mapping):
        raise ModelError(f"{path}: must be a table (a mapping), got {shortened(data)}")
    fields = msgspec.structs.fields(kind)
    known = [field.name for field in fields]
    for key in data:
        if key not in known:
            raise ModelError(f"{child_path(path, key)}: unknown key", hint=suggest(str(key), known))
    for field in fields:
        if field.required and field.name not in data:
            raise ModelError(f"{path}.{field.name}: missing key")
    with errors_under(path):
        return kind(**data)


@contextmanager
def errors_under(path: str) -> Iterator[None]:
    """Replace the leading `$` of errors by `path`."""
    try:
        yield
    except (ModelError, LookaheadError) as error:
        message = path + error.message.removeprefix("$") if error.message.startswith("$") else error.message
        raise type(error)(message, hint=error.hint, text=error.text, position=error.position) from None


def check_positive(path: str, value: object) -> float:
    """A finite number above 0, as a float."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            raise ModelError(f"{path}: too large for Float64") from None
        if 0 < number < math.inf:
            return number
    raise ModelError(f"{path}: must be a finite number greater than 0, got {shortened(value)}")


def check_whole(path: str, value: object, least: int, most: int) -> None:
    """Raise an error unless `value` is a whole number from `least` to `most`."""
    if type(value) is not int or not least <= value <= most:
        raise ModelError(f"{path}: must be a whole number from {least} to {most}, got {shortened(value)}")


def check_choice(path: str, value: object, known: Sequence[str]) -> None:
    """Raise an error unless `value` is one of the known words."""
    if value not in known:
        hint = suggest(str(value), known)
        raise ModelError(f"{path}: must be one of {', '.join(known)}, got {shortened(value)}", hint=hint)


def check_name(path: str, name: object) -> None:
    """Raise an error unless `name` is a valid name of a model or factor."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        rule = "use lower-case letters, digits and _, starting with a letter"
        raise ModelError(f"{path}: invalid name {shortened(name)}", hint=rule)


def model_error(path: str, error: FactorloomError) -> ModelError:
    """An error of the expression at `path` as a `ModelError`."""
    return ModelError(f"{path}: {error.message}", hint=error.hint, text=error.text, position=error.position)


def child_path(path: str, key: object) -> str:
    """The path of a key inside the table at `path`."""
    plain = isinstance(key, str) and re.fullmatch(r"[\w-]{1,60}", key)
    return f"{path}.{key}" if plain else f"{path}[{shortened(key)}]"


def shortened(value: object) -> str:
    """The `repr` of a value, cut to a readable length and depth."""
    return SHORT.repr(value)


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        known = [other.name for other in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise ModelError(f"{path}: {error.strerror}", hint=suggest(path.name, known)) from None
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: not TOML: {error}") from None


def read_toml(text: str, path: str = "$") -> object:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ModelError(f"{path}: nested too deep") from None
    except ValueError as error:
        position = _offset(text, str(error))
        raise ModelError(f"{path}: not TOML: {error}", text=text, position=position) from None


def _offset(text: str, message: str) -> int:
    """The offset of an error of tomllib, which gives line and column only in its message."""
    found = re.search(r"line (\d+), column (\d+)", message)
    if found is None:
        return len(text)
    lines = text.splitlines(keepends=True)[: int(found[1]) - 1]
    return sum(map(len, lines)) + int(found[2]) - 1


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
        duplicate = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"duplicate key {duplicate!r}")
    return table


def write_toml(table: Mapping[str, object]) -> str:
    """Keys and values in TOML. Values are written as JSON, which is valid TOML except for one character."""
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in table.items()}
    return "".join(f"{key} = {text}\n" for key, text in texts.items()).replace("\x7f", "\\u007f")
