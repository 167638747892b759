"""How other engines compute the published formulas, where that differs from ours.

`Differences` lists, for one engine and one set, the operators that it defines differently and the formulas that it
writes differently. Both are expressed in our factor language, so `Differences.translate` gives a factor with the
engine's values, and computing that factor proves the cause of a difference. The tests check this, and that nothing else
differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from factorloom.expressions.factor import Factor
from factorloom.expressions.parse import parse

__all__ = ["CONSTANT", "TIES", "Differences", "FormulaDifference", "OperatorDifference"]

TIES = "ranks of values that are equal up to rounding"
CONSTANT = "correlations with values that are constant up to rounding (0 / 0)"


@dataclass(frozen=True)
class OperatorDifference:
    """An operator that an engine defines differently.

    Attributes
    ----------
    cause : str
        What the engine does, in one sentence.
    build : callable, optional
        From the inputs and parameters of the operator, a factor with the engine's values; None where the factor
        language cannot express it.
    """

    cause: str
    build: Callable[..., Factor] | None = None


@dataclass(frozen=True)
class FormulaDifference:
    """A formula that an engine writes differently.

    Attributes
    ----------
    cause : str
    replacements : mapping, optional
        From a part of our formula to the engine's part; None where the factor language cannot express it.
    """

    cause: str
    replacements: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Differences:
    """How an engine's version of a set differs from ours.

    Attributes
    ----------
    engine, set : str
    operators : mapping
        By the name of the operator.
    formulas : mapping
        By the name of the factor.
    rounding : mapping
        Factors that depend on rounding, and what rounding decides in them: `TIES` or `CONSTANT`.
    real : mapping
        The same for real bars, where that adds a factor or a cause.
    limits : tuple of str
        What the bars that are compared leave out, and the engine computes differently.
    """

    engine: str
    set: str
    operators: Mapping[str, OperatorDifference] = field(default_factory=dict)
    formulas: Mapping[str, FormulaDifference] = field(default_factory=dict)
    rounding: Mapping[str, str] = field(default_factory=dict)
    real: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()

    def translate(self, name: str, factor: Factor) -> Factor | None:
        """A factor in our language with the engine's values; None where the language cannot express it.

        >>> import factorloom as fl
        >>> rank = OperatorDifference("does not divide", lambda x, window, *_: fl.ts_rank(x, window) * window)
        >>> print(Differences("other", "alpha101", {"ts_rank": rank}).translate("alpha004", fl.ts_rank(fl.low, 9)))
        ts_rank(low, 9) * 9
        """
        formula = self.formula(name, factor)
        if formula is None or any(self.operators[operator].build is None for operator in self.operators_in(factor)):
            return None
        return formula.rebuild(self._replace_operator)

    def formula(self, name: str, factor: Factor) -> Factor | None:
        """The engine's formula, with our definitions of the operators; None where the language cannot express it."""
        difference = self.formulas.get(name, FormulaDifference("", {}))
        return None if difference.replacements is None else _replaced(factor, difference.replacements)

    def operators_in(self, factor: Factor) -> list[str]:
        """The operators of a factor that the engine defines differently."""
        names = {node.operator.name for node in factor.walk()}
        return [operator for operator in self.operators if operator in names]

    def _replace_operator(self, node: Factor) -> Factor | None:
        difference = self.operators.get(node.operator.name)
        if difference is None or difference.build is None:
            return None
        return difference.build(*node.inputs, *node.parameters)


def _replaced(factor: Factor, replacements: Mapping[str, str]) -> Factor:
    text = str(factor)
    for ours, theirs in replacements.items():
        if ours not in text:
            raise ValueError(f"{ours!r} does not occur in {text!r}")
        text = text.replace(ours, theirs)
    return parse(text)
