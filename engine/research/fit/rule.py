"""How the weights of a score model are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec.structs import force_setattr

from factorloom.engine.research.document import check_choice, check_positive, check_whole, shortened
from factorloom.engine.research.label import forward_return
from factorloom.expressions.errors import FactorloomError, ModelError
from factorloom.expressions.factor import Factor

__all__ = ["Every", "Fit", "Target"]

Method = Literal["ic", "icir", "ridge", "elastic_net"]
METHODS: tuple[Method, ...] = ("ic", "icir", "ridge", "elastic_net")
Every = Literal["date", "week", "month", "quarter"]
EVERY: tuple[Every, ...] = ("date", "week", "month", "quarter")
Target = Literal["rank", "zscore", "return"]
TARGETS: tuple[Target, ...] = ("rank", "zscore", "return")
LONGEST = 100_000
"""Dates: more than any market has."""
FEWEST_FOLDS, MOST_FOLDS = 2, 50


class Fit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the weights of a score model are fitted on the returns that followed.

    On the first date of every period, weights are fitted on the `window` dates before, of which the last ones, whose
    returns are not yet known, are left out: the purge. They hold until the next fit.

    Attributes
    ----------
    method : {"ic", "icir", "ridge", "elastic_net"}
        Weights are the mean of the rank ICs of the window; the mean over the standard deviation of the ICs; or the
        coefficients of a regression of `target` on the factors, both less their mean of the date.
    horizon, entry_lag, price
        The forward return, as of `fl.forward_return`; `price` is a column.
    window : int
        How many dates a fit trains on, at least 2. At the start of the panel half of them are enough.
    every : {"date", "week", "month", "quarter"}
        The first date of each week, month or quarter is a fitting date, or every date.
    target : {"rank", "zscore", "return"}
        What a regression explains: `cs_rank` of the forward returns, their `cs_zscore`, or themselves.
    alpha : float or list of float
        The penalty of a regression, per row: as in scikit-learn's `ElasticNet`; `Ridge` multiplies it by the rows. Of
        several, each fit takes the one with the smallest squared error on the rows that are left out, fold by fold.
    l1_ratio : float
        The share of the penalty on absolute values, from 0 to 1, of `"elastic_net"`.
    folds : int
        Into how many stretches of dates the window is cut to choose an `alpha`.
    positive : bool
        Whether weights below 0, which turn the direction of a factor around, are ruled out.
    purge : int or None
        Dates between a date that is trained on and the fitting date; None and at least `entry_lag + horizon`.
    embargo : int or None
        Dates that folds leave out after the tested ones, beyond the purge; None and at least the lookback.

    Raises
    ------
    ModelError
        A value has no meaning, or a purge is too short; the message says what it needs.

    Examples
    --------
    >>> import factorloom as fl
    >>> fl.Fit("ridge", horizon=21, alpha=[0.01, 0.1, 1]).needed_purge
    22
    >>> fl.Fit("ic", horizon=21, purge=21)
    Traceback (most recent call last):
        ...
    factorloom.expressions.errors.ModelError: $.purge: must be at least 22, got 21
      hint: a return over 21 dates that is entered 1 date later is known 22 dates later
    """

    method: Method
    horizon: int = 21
    window: int = 504
    every: Every = "month"
    entry_lag: int = 1
    price: str = "close"
    target: Target = "rank"
    alpha: float | list[float] = 0.1
    l1_ratio: float = 0.5
    folds: int = 5
    positive: bool = False
    purge: int | None = None
    embargo: int | None = None

    def __post_init__(self) -> None:
        for name, known in (("method", METHODS), ("every", EVERY), ("target", TARGETS)):
            check_choice(f"$.{name}", getattr(self, name), known)
        for name, least in (("horizon", 1), ("entry_lag", 0), ("window", 2)):
            check_whole(f"$.{name}", getattr(self, name), least, LONGEST)
        check_whole("$.folds", self.folds, FEWEST_FOLDS, min(MOST_FOLDS, self.window))
        if not isinstance(self.price, str) or not self.price:
            raise ModelError(f"$.price: must be the name of a column, got {shortened(self.price)}")
        if not isinstance(self.positive, bool):
            raise ModelError(f"$.positive: must be true or false, got {shortened(self.positive)}")
        force_setattr(self, "alpha", _alpha(self.alpha))
        force_setattr(self, "l1_ratio", _ratio(self.l1_ratio))
        self._check_purge()
        if self.embargo is not None:
            check_whole("$.embargo", self.embargo, 0, LONGEST)

    def __hash__(self) -> int:
        return hash(msgspec.json.encode(self))

    @property
    def needed_purge(self) -> int:
        """After how many dates the label of a date is known."""
        return self.entry_lag + self.horizon

    @property
    def gap(self) -> int:
        """Dates between a date that is trained on and the fitting date."""
        return self.needed_purge if self.purge is None else self.purge

    @property
    def alphas(self) -> list[float]:
        """The penalties to choose from."""
        return self.alpha if isinstance(self.alpha, list) else [self.alpha]

    @property
    def regresses(self) -> bool:
        """Whether weights are the coefficients of a regression."""
        return self.method in ("ridge", "elastic_net")

    @property
    def label(self) -> Factor:
        """The forward return: it looks ahead."""
        return forward_return(self.horizon, self.entry_lag, self.price)

    def check_embargo(self, lookback: int | None) -> None:
        """Refuse folds that cannot be kept apart; a lookback of None reaches back without end."""
        if not self.regresses or len(self.alphas) == 1:
            return
        if self.embargo is not None and (lookback is None or self.embargo < lookback):
            needed = "have no number" if lookback is None else f"be at least {lookback}"
            raise ModelError(
                f"$.embargo: must {needed}, got {self.embargo}",
                hint="the lookback of the factors; left out, it is derived",
            )
        if self.window // self.folds <= self.gap:
            raise ModelError(
                f"$.folds: {self.folds} folds of {self.window} dates are not longer than the purge of {self.gap}",
                hint="take a longer window, fewer folds, or a single alpha",
            )

    def _check_purge(self) -> None:
        if self.purge is None:
            return
        if isinstance(self.purge, int) and not isinstance(self.purge, bool) and self.purge < self.needed_purge:
            known = f"a return over {self.horizon} dates that is entered {self.entry_lag} date later"
            raise ModelError(
                f"$.purge: must be at least {self.needed_purge}, got {self.purge}",
                hint=f"{known} is known {self.needed_purge} dates later",
            )
        check_whole("$.purge", self.purge, self.needed_purge, LONGEST)


def _alpha(given: object) -> float | list[float]:
    if isinstance(given, Sequence) and not isinstance(given, str):
        if not given:
            raise ModelError("$.alpha: must be a number or several, got none")
        return [check_positive(f"$.alpha[{place}]", each) for place, each in enumerate(given)]
    return check_positive("$.alpha", given)


def _ratio(given: object) -> float:
    try:
        ratio = 0.0 if given == 0 and not isinstance(given, bool) else check_positive("$.l1_ratio", given)
    except FactorloomError:
        ratio = 2.0
    if ratio > 1:
        raise ModelError(f"$.l1_ratio: must be a number from 0 to 1, got {shortened(given)}")
    return ratio
