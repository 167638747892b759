"""How other engines read the published formulas, where that is not how we do.

A `Reading` is what an engine takes operators for, and what it writes otherwise in some formulas. Both are in our
language, so that `Reading.theirs` is a factor with the engine's values: computing it proves the cause of a difference.
The tests do, and ask that nothing else differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from factorloom.expressions.factor import Factor
from factorloom.expressions.parse import parse

__all__ = ["CONSTANT", "TIES", "Change", "Meaning", "Reading"]

TIES = "ranks of values that are equal but for their last digits"
CONSTANT = "correlations with what is constant but for its last digits, 0 / 0"


@dataclass(frozen=True)
class Meaning:
    """What an engine takes an operator for.

    Attributes
    ----------
    cause : str
        What it does, in one sentence.
    build : callable, optional
        From the inputs and parameters of the operator, the factor that the engine computes; nothing where our language
        cannot say it.
    """

    cause: str
    build: Callable[..., Factor] | None = None


@dataclass(frozen=True)
class Change:
    """What an engine writes otherwise in a formula.

    Attributes
    ----------
    cause : str
    text : mapping, optional
        From what stands in our formula to what the engine has in its place; nothing where our language cannot say it.
    """

    cause: str
    text: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Reading:
    """How an engine reads a set.

    Attributes
    ----------
    engine, set : str
    operators : mapping
        By the name of the operator.
    formulas : mapping
        By the name of the factor.
    rounding : mapping
        Factors that hang on the last digits of sums, and what rounding decides in them: `TIES` or `CONSTANT`.
    """

    engine: str
    set: str
    operators: Mapping[str, Meaning] = field(default_factory=dict)
    formulas: Mapping[str, Change] = field(default_factory=dict)
    rounding: Mapping[str, str] = field(default_factory=dict)

    def theirs(self, name: str, factor: Factor) -> Factor | None:
        """The factor in our language that has the engine's values; nothing where there is none.

        >>> import factorloom as fl
        >>> plain = Meaning("does not divide", lambda x, window, *_: fl.ts_rank(x, window) * window)
        >>> print(Reading("other", "alpha101", {"ts_rank": plain}).theirs("alpha004", fl.ts_rank(fl.low, 9)))
        ts_rank(low, 9) * 9
        """
        written = self.written(name, factor)
        if written is None or any(self.operators[operator].build is None for operator in self.used(factor)):
            return None
        return written.rebuild(self._meant)

    def written(self, name: str, factor: Factor) -> Factor | None:
        """The engine's formula, as far as our language can say it."""
        change = self.formulas.get(name, Change("", {}))
        return None if change.text is None else _changed(factor, change.text)

    def used(self, factor: Factor) -> list[str]:
        """Those of the operators of a factor that mean something else to the engine."""
        names = {node.operator.name for node in factor.walk()}
        return [operator for operator in self.operators if operator in names]

    def _meant(self, node: Factor) -> Factor | None:
        meaning = self.operators.get(node.operator.name)
        return None if meaning is None or meaning.build is None else meaning.build(*node.inputs, *node.parameters)


def _changed(factor: Factor, changes: Mapping[str, str]) -> Factor:
    text = str(factor)
    for ours, theirs in changes.items():
        if ours not in text:
            raise ValueError(f"there is no {ours!r} in {text!r}")
        text = text.replace(ours, theirs)
    return parse(text)
