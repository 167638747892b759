"""Search for bars on which a factor or an indicator breaks a promise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from factorloom.engine.plan.request import named_factors
from factorloom.engine.testing.bars import draw_bars
from factorloom.engine.testing.promise import PROMISES, Case
from factorloom.engine.testing.reduce import reduced, written
from factorloom.expressions.column import close, high, low, open_, volume
from factorloom.expressions.errors import ParameterError, PromiseError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.indicator import Indicator, Indicators
from factorloom.expressions.trial import try_out

__all__ = ["check_factor", "check_factors", "check_indicator"]

INPUTS = (close, volume, open_, high, low)


def check_factor(
    factor: Factor | str, *, examples: int = 50, seed: int = 0, promises: Iterable[str] | None = None
) -> None:
    """Search for bars on which a factor breaks a promise.

    Bars are drawn at random, with gaps, ties, constants, huge offsets, late listings, suspensions and times of day; the
    same seed draws the same bars. Cells that hang on rounding alone are not counted: they change when all numbers are
    off by a hair.

    Parameters
    ----------
    factor
        A factor, or one in text.
    examples
        How many sets of bars are tried.
    seed
        Of the first one.
    promises
        By default all: `"no look-ahead"`, `"part = whole"` (to the last bit), `"executor = executor"` (to 1e-9, and the
        same cells missing), `"symbols have no order"`, `"missing stays local"`, `"finite"`.

    Raises
    ------
    PromiseError
        With the smallest bars that were found, as code.

    Examples
    --------
    >>> import factorloom as fl
    >>> from factorloom.testing import check_factor
    >>> check_factor(fl.cs_rank(fl.ts_mean(fl.close, 3)), examples=3)
    """
    check_factors([factor], examples=examples, seed=seed, promises=promises)


def check_factors(
    factors: Mapping[str, Factor | str] | Iterable[Factor | str],
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
    """
    wanted = named_factors(factors if isinstance(factors, Mapping) else list(factors), (), {})
    chosen = dict(PROMISES)
    if promises is not None:
        for name in promises:
            if name not in PROMISES:
                raise ParameterError(f"{name!r} is not a promise", hint=suggest(name, PROMISES))
        chosen = {name: PROMISES[name] for name in promises}
    if not isinstance(examples, int) or isinstance(examples, bool) or examples < 1:
        raise ParameterError(f"examples must be a whole number of at least 1, got {examples!r}")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ParameterError(f"seed must be a whole number of at least 0, got {seed!r}")
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
    operators = indicator.operators if isinstance(indicator, Indicators) else (indicator,)
    try_out(operators[0])
    inputs = [INPUTS[number % len(INPUTS)] for number in range(len(operators[0].inputs))]
    check_factors({op.name: op(*inputs, **parameters) for op in operators}, examples=examples, seed=seed)
