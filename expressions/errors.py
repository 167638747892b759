"""Every error that Factorloom raises on purpose: one family, each also a built-in kind of error.

An error says what is wrong, where, and what to do. For a fault inside a text, the error carries the text and the
position of the fault, and shows it with a caret.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ArgumentError",
    "BarsError",
    "CancelledError",
    "DatasetError",
    "ExpressionError",
    "FactorloomError",
    "FileError",
    "ForkedError",
    "IndicatorError",
    "LookaheadError",
    "MemoryLimitError",
    "MissingLibraryError",
    "ModelError",
    "ParameterError",
    "ParseError",
    "PromiseError",
    "StoreError",
    "UnknownColumnError",
    "UnknownFactorError",
    "UnknownOperatorError",
    "WindowError",
    "plural",
    "suggest",
]

CONTEXT = 60
"""Characters shown on each side of a fault in a long text."""


class FactorloomError(Exception):
    """Base of all errors of Factorloom.

    Parameters
    ----------
    message
        What is wrong, with the offending value.
    hint
        What to do about it.
    text, position
        The text that holds the fault, and the offset of the fault in it.

    Operators set `argument` to the name of the argument at fault.
    """

    def __init__(self, message: str, *, hint: str | None = None, text: str | None = None, position: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.text = text
        self.position = position
        self.argument: str | None = None

    def at(self, text: str, position: int) -> None:
        """Set the text and the position of the fault, unless they are already known."""
        if self.text is None:
            self.text, self.position = text, position

    def __str__(self) -> str:
        lines = [self.message]
        if self.text is not None:
            shown, column = _excerpt(self.text, self.position)
            lines += [f"  in {shown}", " " * (5 + column) + "^"]
        if self.hint is not None:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class ParseError(FactorloomError, ValueError):
    """Text that is not a factor."""


class ExpressionError(FactorloomError, ValueError):
    """An expression of Polars that is not a factor."""


class ParameterError(FactorloomError, ValueError):
    """A parameter outside its range."""


class WindowError(ParameterError):
    """A window, or its `min_samples`, outside its range."""


class ArgumentError(FactorloomError, TypeError):
    """An argument of the wrong type, missing, or one too many."""


class UnknownOperatorError(FactorloomError, KeyError):
    """An operator that is not in the registry."""


class UnknownColumnError(FactorloomError, KeyError):
    """A column that the panel does not have."""


class UnknownFactorError(FactorloomError, KeyError):
    """A factor that the library does not have."""


class BarsError(FactorloomError, ValueError):
    """Bars that cannot be a panel: bad keys, duplicated keys, unusable columns."""


class CancelledError(FactorloomError, RuntimeError):
    """A computation that was cancelled before its end."""


class MemoryLimitError(FactorloomError, MemoryError):
    """A computation needs more memory than it, or the process, may take."""


class FileError(FactorloomError, OSError):
    """A file that cannot be written."""


class ForkedError(FactorloomError, RuntimeError):
    """A computation in a process that was forked from one that had computed before."""


class IndicatorError(FactorloomError, ValueError):
    """An indicator that is not well declared, fails on plain bars, or cannot be compiled."""


class PromiseError(FactorloomError, AssertionError):
    """A factor that breaks what is promised of every factor; the hint is code that shows it."""


class MissingLibraryError(FactorloomError, ImportError):
    """A library that is not installed, and which extra brings it."""


class LookaheadError(FactorloomError, ValueError):
    """A factor that looks ahead where only the past may be known."""


class ModelError(FactorloomError, ValueError):
    """A score model that is not well formed; the message carries the path to the fault."""


class StoreError(FactorloomError, ValueError):
    """A store that cannot be opened, read or written."""


class DatasetError(StoreError, KeyError):
    """A dataset that the store does not hold."""


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "bar"), plural(2000, "bar")
    ('1 bar', '2,000 bars')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"


SHOWN = 20
"""How many known names a hint lists."""


def suggest(name: str, known: Iterable[str]) -> str | None:
    """The hint for an unknown `name`: the most similar known one, or else the known ones.

    >>> suggest("clsoe", ["open", "close"])
    "did you mean 'close'?"
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1) or [x for x in names if x.lower() == name.lower()]
    if near:
        return f"did you mean {near[0]!r}?"
    more = f", … and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"known: {', '.join(sorted(names)[:SHOWN])}{more}" if names else None


def _excerpt(text: str, position: int) -> tuple[str, int]:
    """The line around `position`, cut to a readable length, and the column of `position` in it."""
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    left, right = max(start, position - CONTEXT), min(end, position + CONTEXT)
    head, tail = "…" if left > start else "", "…" if right < end else ""
    return head + text[left:right] + tail, len(head) + position - left
