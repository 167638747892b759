"""`fl.indicator`: how users make an operator of a plain loop, tried out before it joins the language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

from factorloom.expressions.errors import IndicatorError
from factorloom.expressions.indicator import Indicator, Indicators, Loop, add_indicators, make_indicators
from factorloom.expressions.registry import BarCount
from factorloom.expressions.trial import try_out

__all__ = ["indicator"]


@overload
def indicator(*, lookback: BarCount | None = None, unbounded: bool = False) -> Callable[[Loop], Indicator]: ...
@overload
def indicator(
    *, lookback: BarCount | None = None, unbounded: bool = False, outputs: Sequence[str]
) -> Callable[[Loop], Indicators]: ...
def indicator(
    *loops: object, lookback: BarCount | None = None, unbounded: bool = False, outputs: Sequence[str] = ()
) -> Callable[[Loop], Indicator | Indicators]:
    """Make an operator of a plain loop over the bars of one symbol.

    The arguments of the loop are inputs (arrays of Float64, NaN where missing), parameters (annotated as `fl.Window`,
    `fl.Periods`, `int`, `float` or `bool`), and `out` last, to be filled on every bar. Numba compiles the loop, so it
    is written in the part of Python and NumPy that Numba knows. A result that is not finite becomes missing.

    Parameters
    ----------
    lookback
        Gives the bars before the current one that a value needs, from the parameters by name.
    unbounded
        Whether a value depends on the whole history; `lookback` is then the warm-up, and may be left out.
    outputs
        The names of several outputs, which then replace `out`. Each becomes an operator `<loop>_<output>`, and the loop
        runs once for all of them.

    Raises
    ------
    IndicatorError
        Where the loop is not well declared, has the name of another operator, reads what may change unnoticed, fails in
        plain Python, leaves bars unwritten, or needs older bars than `lookback` gives.
    LookaheadError
        Where a value of the trial changes when later bars are added.

    Examples
    --------
    >>> import numpy as np, factorloom as fl
    >>> @fl.indicator(lookback=lambda periods: periods)
    ... def rise(x, periods: fl.Periods, out):
    ...     "The change over some bars."
    ...     for i in range(x.size):
    ...         out[i] = x[i] - x[i - periods] if i >= periods else np.nan
    >>> print(fl.example().show(rise(fl.close, 1)))
    date           A     B    C
    2024-01-02     -     -    -
    2024-01-03   1.0  -1.0    -
    2024-01-04   1.0   3.0  2.0
    """

    if loops:
        raise IndicatorError(
            "fl.indicator takes no function",
            hint="write it in brackets above the loop: @fl.indicator(lookback=lambda window, **_: window - 1)",
        )

    def declare(loop: Loop) -> Indicator | Indicators:
        made = make_indicators(loop, lookback, unbounded, tuple(outputs))
        try_out(made[0])
        add_indicators(made)
        return Indicators(made) if outputs else made[0]

    return declare
