"""The quantile of the normal distribution, for a kernel and for total columns.

Source: Wichura (1988), Algorithm AS 241, Applied Statistics 37, 477-484: about 16 digits. Its third branch, for
probabilities below 1.4e-11, is left out: only a cross-section of more than 3e10 members would need it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["normal_quantile", "normal_quantiles"]

Array: TypeAlias = npt.NDArray[np.float64]
Number: TypeAlias = Any
"""A float, or an array of them."""

CENTRAL = 0.425
TAIL = 1.6


def normal_quantile(below: float, above: float) -> float:
    """The quantile at `below / (below + above)`; exchanging the two changes its sign and no bit of its size."""
    total = below + above
    deviation = (below - above) / (2 * total)
    if abs(deviation) <= CENTRAL:
        value: float = deviation * _centre(CENTRAL * CENTRAL - deviation * deviation)
        return value
    value = _tail(np.sqrt(-np.log(min(below, above) / total)) - TAIL)
    return value if deviation > 0 else -value


def normal_quantiles(below: Array, above: Array) -> Array:
    """The same for total columns."""
    total = below + above
    deviation = (below - above) / (2 * total)
    tail = _tail(np.sqrt(-np.log(np.minimum(below, above) / total)) - TAIL)
    central = deviation * _centre(CENTRAL * CENTRAL - deviation * deviation)
    return np.where(np.abs(deviation) <= CENTRAL, central, np.copysign(tail, deviation))


def _centre(r: Number) -> Number:
    numerator = r * 2509.0809287301226727 + 33430.575583588128105
    numerator = ((numerator * r + 67265.770927008700853) * r + 45921.953931549871457) * r + 13731.693765509461125
    numerator = ((numerator * r + 1971.5909503065514427) * r + 133.14166789178437745) * r + 3.3871328727963666080
    denominator = r * 5226.4952788528545610 + 28729.085735721942674
    denominator = ((denominator * r + 39307.895800092710610) * r + 21213.794301586595867) * r + 5394.1960214247511077
    return numerator / (((denominator * r + 687.18700749205790830) * r + 42.313330701600911252) * r + 1)


def _tail(r: Number) -> Number:
    numerator = r * 7.74545014278341407640e-4 + 2.27238449892691845833e-2
    numerator = ((numerator * r + 2.41780725177450611770e-1) * r + 1.27045825245236838258) * r + 3.64784832476320460504
    numerator = ((numerator * r + 5.76949722146069140550) * r + 4.63033784615654529590) * r + 1.42343711074968357734
    denominator = r * 1.05075007164441684324e-9 + 5.47593808499534494600e-4
    denominator = (
        (denominator * r + 1.51986665636164571966e-2) * r + 1.48103976427480074590e-1
    ) * r + 6.89767334985100004550e-1
    return numerator / (((denominator * r + 1.67638483018380384940) * r + 2.05319162663775882187) * r + 1)
