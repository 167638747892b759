"""Trying an indicator out in plain Python, to find the errors that compiled code does not report.

Compiled code reads past the end of an array without an error, and returns uninitialised memory where a loop does not
write. In plain Python, a trial checks that

- every output is written on every bar;
- later bars change nothing: a truncated series has the same values;
- where the lookback is bounded, nor do bars that are older than it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from factorloom.expressions.errors import FactorloomError, IndicatorError, LookaheadError
from factorloom.expressions.indicator import Indicator, Indicators
from factorloom.expressions.parameter import Kind, Value

__all__ = ["check_indicator", "try_out"]

Array: TypeAlias = npt.NDArray[np.float64]

MIN_BARS, MAX_BARS = 120, 1_000
UNWRITTEN = -1.2345e250
CANDIDATES: tuple[Value, ...] = (5, 0.5, 2.0, 1, True, -0.5, 2)
"""Values for a parameter that has no default: the first legal one is used."""


def try_out(indicator: Indicator) -> None:
    """Try an indicator on random walks, with and without gaps.

    Raises
    ------
    IndicatorError
        Where it fails, leaves an output unwritten, or needs bars older than its lookback.
    LookaheadError
        Where a value changes when later bars are added.
    """
    values = _values(indicator)
    longest = max([_lookback(indicator, values), *(value for value in values.values() if isinstance(value, int))])
    bars = min(max(MIN_BARS, 3 * longest), MAX_BARS)
    for gaps in (0.0, 0.1):
        _try_on(indicator, _walks(len(indicator.inputs), bars, gaps), values)


def check_indicator(indicator: Indicator | Indicators, *inputs: Any, **parameters: Any) -> None:
    """Try an indicator out on one symbol's bars, as is done on random walks when it is declared.

    Parameters
    ----------
    inputs
        One series of numbers per input, oldest first.
    parameters
        By name; the others are at their defaults.

    Raises
    ------
    IndicatorError, LookaheadError
        As `indicator` does.
    """
    tried = indicator.operators[0] if isinstance(indicator, Indicators) else indicator
    node = tried(*[0.0] * len(inputs), **parameters)
    arrays = [np.asarray(x, dtype=np.float64) for x in inputs]
    _try_on(tried, arrays, tried.named(node.parameters))


def _try_on(indicator: Indicator, inputs: Sequence[Array], values: Mapping[str, Value]) -> None:
    """Try an indicator on one symbol's bars."""
    whole = _run(indicator, inputs, values)
    for output, first, second in zip(indicator.outputs, whole, _run(indicator, inputs, values, UNWRITTEN), strict=True):
        bar = _difference(first, second)
        if bar is not None:
            message = f"indicator {indicator.family} uses {output}[{bar}] before it is written, or never writes it"
            raise IndicatorError(message, hint=f"write {output}[i] on every bar, np.nan where there is no value")
    _try_shortened(indicator, inputs, values, whole)
    if not indicator.unbounded:
        _try_later(indicator, inputs, values, whole)


def _try_shortened(
    indicator: Indicator, inputs: Sequence[Array], values: Mapping[str, Value], whole: Sequence[Array]
) -> None:
    size = inputs[0].size
    for cut in _cuts(size):
        part = _run(indicator, [x[:cut] for x in inputs], values)
        for output, short, long in zip(indicator.outputs, part, whole, strict=True):
            bar = _difference(short, long[:cut])
            if bar is not None:
                raise LookaheadError(
                    f"indicator {indicator.family} looks ahead: {output}[{bar}] is {short[bar]:g} when bar {cut - 1} "
                    f"is the last one, and {long[bar]:g} when there are {size} bars",
                    hint="read no bar after i; at i = 0, x[i - 1] is the last bar of all",
                )


def _try_later(
    indicator: Indicator, inputs: Sequence[Array], values: Mapping[str, Value], whole: Sequence[Array]
) -> None:
    lookback = indicator.span(values)[0]
    for start in _cuts(inputs[0].size - lookback):
        part = _run(indicator, [x[start:] for x in inputs], values)
        for output, short, long in zip(indicator.outputs, part, whole, strict=True):
            bar = _difference(short[lookback:], long[start + lookback :])
            if bar is not None:
                raise IndicatorError(
                    f"indicator {indicator.family} needs more than {lookback} bars before the current one: "
                    f"{output}[{bar + start + lookback}] changes when the first {start} bars are cut off",
                    hint="let lookback give more bars, or write unbounded=True where all history counts",
                )


def _lookback(indicator: Indicator, values: Mapping[str, Value]) -> int:
    try:
        return operator.index(indicator.span(values)[0])
    except TypeError as error:
        hint = "it is given every parameter by name, and gives a whole number: lambda window, **_: window - 1"
        raise IndicatorError(f"lookback of indicator {indicator.family}: {error}", hint=hint) from None


def _cuts(size: int) -> Iterator[int]:
    """Where to cut a series: near its ends, and inside."""
    yield from sorted({cut for cut in (1, 2, size // 5, size // 2, size - 1) if 0 < cut < size})


def _run(
    indicator: Indicator, inputs: Sequence[Array], values: Mapping[str, Value], fill: float = math.nan
) -> tuple[Array, ...]:
    try:
        return indicator.run(inputs, values, fill)
    except Exception as error:
        given = "".join(f", {name}={value!r}" for name, value in values.items())
        raise IndicatorError(
            f"indicator {indicator.family} fails on {inputs[0].size} bars{given}: {type(error).__name__}: {error}",
            hint="compiled code does not report this, but reads other memory"
            if isinstance(error, IndexError)
            else None,
        ) from error


def _difference(left: Array, right: Array) -> int | None:
    """The first bar on which two series differ; values that are not finite are missing."""
    both = np.isfinite(left) & np.isfinite(right)
    scale = np.abs(right[both]).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        differs = np.where(both, np.abs(left - right) > 1e-9 * scale, np.isfinite(left) != np.isfinite(right))
    return int(differs.argmax()) if differs.any() else None


def _values(indicator: Indicator) -> dict[str, Value]:
    """The defaults of the parameters, and any legal value for those that have none."""
    values: dict[str, Value] = {}
    for name, kind in indicator.kinds.items():
        default = indicator.signature.parameters[name].default
        missing = default is indicator.signature.empty
        values[name] = _any_value(indicator, name, kind, values) if missing else kind.check(name, default, values)
    return values


def _any_value(indicator: Indicator, name: str, kind: Kind, values: Mapping[str, Value]) -> Value:
    for value in CANDIDATES:
        try:
            return kind.check(name, value, values)
        except FactorloomError:
            continue
    message = f"indicator {indicator.family} cannot be tried out: no value of {name} is known"
    raise IndicatorError(message, hint=f"give {name} a default")


def _walks(count: int, bars: int, gaps: float) -> list[Array]:
    """Correlated random walks, like the columns of one symbol."""
    rng = np.random.default_rng(5)
    walk = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, bars)))
    series = [walk * np.exp(rng.normal(0, 0.01, bars)) for _ in range(count)]
    return [np.where(rng.random(bars) < gaps, np.nan, x) for x in series]
