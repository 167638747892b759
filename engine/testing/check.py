"""Search for bars on which a factor or an indicator breaks a promise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from factorloom.engine.plan.request import OneFactor, named_factors
from factorloom.engine.testing.bars import draw_bars
from factorloom.engine.testing.promise import PROMISES, Case
from factorloom.engine.testing.reduce import reduced, written
from factorloom.expressions.column import close, high, low, open_, volume
from factorloom.expressions.errors import ArgumentError, ParameterError, PromiseError, suggest
from factorloom.expressions.indicator import Indicator, Indicators
from factorloom.expressions.trial import try_out

__all__ = ["check_factor", "check_factors", "check_indicator"]

INPUTS = (close, volume, open_, high, low)


def check_factor(
    factor: OneFactor, *, examples: int = 50, seed: int = 0, promises: Iterable[str] | None = None
) -> None:
    """Search for bars on which a factor breaks a promise.

    Bars are drawn at random, with gaps, ties, constants, huge offsets, late listings, suspensions and times of day; the
    same seed draws the same bars. Cells that are decided by rounding are not counted: they change when all numbers are
    scaled by about 1e-12.

    Parameters
    ----------
    factor
        A factor, its text, or an expression of Polars.
    examples
        How many sets of bars are tried.
    seed
        Seed of the first set of bars; the next one has the next seed.
    promises
        By default all: `"no look-ahead"`, `"part = whole"` (to the last bit), `"executor = executor"` (to 1e-9, and the
        same cells missing), `"symbols have no order"`, `"missing stays local"`, `"finite"`.

    Raises
    ------
    PromiseError
        With the smallest bars that were found, as code.
    ParameterError
        An option has a wrong value.

    Examples
    --------
    >>> import factorloom as fl
    >>> from factorloom.testing import check_factor
    >>> check_factor(fl.cs_rank(fl.ts_mean(fl.close, 3)), examples=3)
    """
    check_factors([factor], examples=examples, seed=seed, promises=promises)


def check_factors(
    factors: Mapping[str, OneFactor] | Iterable[OneFactor],
    *,
    examples: int = 50,
    seed: int = 0,
    promises: Iterable[str] | None = None,
) -> None:
    """Search for bars on which any of some factors breaks a promise, as `check_factor` does for one.

    Parameters
    ----------
    factors
        Factors by name, such as a library, or a list of them.
    examples, seed, promises
        As for `check_factor`, whose errors this raises too.
    """
    given: object = list(factors) if isinstance(factors, Iterable) and not isinstance(factors, Mapping) else factors
    wanted = named_factors(given, (), {})
    chosen = dict(PROMISES)
    if promises is not None:
        if not isinstance(promises, Iterable):
            raise ParameterError(f"promises must be a list of names, got {promises!r}")
        names = [promises] if isinstance(promises, str) else list(promises)
        if not names:
            raise ParameterError("promises is empty", hint="leave it out to check all of them")
        for name in names:
            if not isinstance(name, str) or name not in PROMISES:
                raise ParameterError(f"{name!r} is not a promise", hint=suggest(str(name), PROMISES))
        chosen = {name: PROMISES[name] for name in names}
    for option, value, least in (("seed", seed, 0), ("examples", examples, 1)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ParameterError(f"{option} must be a whole number of at least {least}, got {value!r}")
    for number in range(seed, seed + examples):
        case = Case(draw_bars(np.random.default_rng(number), wanted.values()), wanted, number)
        for name, promise in chosen.items():
            finding = promise(case)
            if finding is not None:
                smallest, finding = reduced(case, promise, finding)
                raise PromiseError(
                    f"{finding.name} breaks the promise {name!r}: for {finding.symbol} on {finding.date} it is "
                    f"{finding.expected}, and {finding.found} by {finding.how}",
                    hint="this shows it:\n\n" + written(smallest, finding, name),
                )


def check_indicator(
    indicator: Indicator | Indicators, *, examples: int = 50, seed: int = 0, **parameters: object
) -> None:
    """Search for bars on which an indicator breaks a promise: its plain loop, and its factors.

    Parameters
    ----------
    indicator
        What `fl.indicator` made.
    examples, seed
        As for `check_factor`.
    parameters
        By name; the others are at their defaults.

    Raises
    ------
    IndicatorError, LookaheadError
        As declaring an indicator does.
    PromiseError
        As `check_factor` does.
    """
    if not isinstance(indicator, Indicator | Indicators):
        raise ArgumentError(f"indicator must be made by fl.indicator, got {type(indicator).__name__}")
    operators = indicator.operators if isinstance(indicator, Indicators) else (indicator,)
    try_out(operators[0])
    inputs = [INPUTS[number % len(INPUTS)] for number in range(len(operators[0].inputs))]
    check_factors({op.name: op(*inputs, **parameters) for op in operators}, examples=examples, seed=seed)
