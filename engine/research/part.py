"""The parts of a score model: a factor with its weight and direction, and the rule that clips outliers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
import polars as pl
from msgspec.structs import force_setattr

from factorloom.engine.research.document import check_name, check_positive, model_error, shortened
from factorloom.expressions.errors import FactorloomError, LookaheadError, ModelError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.parse import parse
from factorloom.expressions.polars.read import from_polars

__all__ = ["Method", "ScoreFactor", "Winsorize", "check_expression"]

Method = Literal["mad", "std", "quantile"]
METHODS: tuple[Method, ...] = ("mad", "std", "quantile")


class ScoreFactor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, eq=False):
    """One factor of a score model.

    Attributes
    ----------
    expression : Factor
        The raw factor, or its text.
    weight : float
        Greater than 0; only the ratios of weights matter.
    direction : int
        1 if high values are good, -1 if low values are.
    group : str or None
        The group of the factor, where the model has group weights.

    Examples
    --------
    >>> import factorloom as fl
    >>> volatility = fl.ScoreFactor("ts_std(returns, 20)", weight=2, direction=-1)
    >>> volatility.expression is fl.ts_std(fl.returns, 20)
    True
    """

    expression: Factor
    weight: float = 1.0
    direction: Literal[-1, 1] = 1
    group: str | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            expression: Factor | str | pl.Expr,
            weight: float = 1.0,
            direction: Literal[-1, 1] = 1,
            group: str | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        force_setattr(self, "expression", check_expression("$.expression", self.expression))
        force_setattr(self, "weight", check_positive("$.weight", self.weight))
        if self.direction not in (-1, 1) or type(self.direction) is not int:
            raise ModelError(f"$.direction: must be 1 or -1, got {self.direction!r}")
        if self.group is not None:
            check_name("$.group", self.group)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScoreFactor) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    @property
    def _content(self) -> tuple[object, ...]:
        content = (self.expression.digest, self.weight, self.direction)
        return content if self.group is None else (*content, self.group)


class Winsorize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How outliers are clipped before scoring: the parameters of `cs_winsorize`.

    Attributes
    ----------
    method : {"mad", "std", "quantile"}
        The limits are the median plus or minus robust standard deviations, the mean plus or minus standard deviations,
        or quantiles.
    limit : float
        The number of (robust) standard deviations; with `"quantile"` the fraction clipped at each end, below 0.5.
    """

    method: Method = "mad"
    limit: float = 3.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            hint = suggest(str(self.method), METHODS)
            raise ModelError(f"$.method: must be one of {', '.join(METHODS)}, got {self.method!r}", hint=hint)
        force_setattr(self, "limit", check_positive("$.limit", self.limit))
        if self.method == "quantile" and self.limit >= 0.5:
            rule = "must be below 0.5 with method 'quantile': it is the fraction clipped at each end"
            raise ModelError(f"$.limit: {rule}, got {self.limit:g}", hint="for example 0.01")


def check_expression(path: str, expression: object) -> Factor:
    """The factor, parsed if it is text. It may not look ahead."""
    if isinstance(expression, str | pl.Expr):
        try:
            expression = parse(expression) if isinstance(expression, str) else from_polars(expression)
        except FactorloomError as error:
            raise model_error(path, error) from None
    if not isinstance(expression, Factor):
        raise ModelError(f"{path}: must be a factor or its text, got {shortened(expression)}")
    ahead = expression.looking_ahead()
    if ahead:
        hint = "a score may use only the past; look-ahead is for labels"
        raise LookaheadError(f"{path}: {', '.join(ahead)} looks ahead in {expression}", hint=hint)
    return expression
