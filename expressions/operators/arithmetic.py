"""Arithmetic on the values of one bar.

The meaning works on whole columns (NaN is missing) and is also what the engine runs, tile by tile. Every result that
is not finite becomes missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ParameterError
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.parameter import Real, Value

__all__ = [
    "abs",
    "add",
    "clip",
    "divide",
    "exp",
    "log",
    "log1p",
    "max",
    "min",
    "modulo",
    "multiply",
    "negate",
    "power",
    "sign",
    "sqrt",
    "subtract",
]

Array: TypeAlias = npt.NDArray[np.float64]


class _Upper(Real):
    """An upper limit: not below the lower one."""

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        upper, lower = super().check(name, value, others), others["lower"]
        assert isinstance(upper, float) and isinstance(lower, float)
        if upper < lower:
            raise ParameterError(f"{name} must not be below lower ({lower:g}), got {upper:g}")
        return upper


# --- arithmetic -------------------------------------------------------------------------------------------------


@operator(Axis.CELL)
def add(x: Input, y: Input) -> Factor:
    """`x + y`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close + 1))
    date            A     B    C
    2024-01-02   11.0  21.0    -
    2024-01-03   12.0  20.0  6.0
    2024-01-04   13.0  23.0  8.0
    """


@add.meaning
def _(x: Array, y: Array) -> Array:
    return np.add(x, y)


@add.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x + y


@operator(Axis.CELL)
def subtract(x: Input, y: Input) -> Factor:
    """`x - y`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.high - fl.low))
    date           A    B    C
    2024-01-02   1.0  2.0    -
    2024-01-03   1.5  2.5  0.5
    2024-01-04   1.0  3.5  2.0
    """


@subtract.meaning
def _(x: Array, y: Array) -> Array:
    return np.subtract(x, y)


@subtract.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x - y


@operator(Axis.CELL)
def multiply(x: Input, y: Input) -> Factor:
    """`x * y`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close * fl.volume))
    date              A       B      C
    2024-01-02   1000.0  4000.0      -
    2024-01-03   1320.0  3990.0  250.0
    2024-01-04   1080.0  4840.0  420.0
    """


@multiply.meaning
def _(x: Array, y: Array) -> Array:
    return np.multiply(x, y)


@multiply.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x * y


@operator(Axis.CELL)
def divide(x: Input, y: Input) -> Factor:
    """`x / y`; missing where `y` is 0.

    >>> import factorloom as fl
    >>> print(fl.example().show(1 / (fl.close - 11)))
    date            A      B       C
    2024-01-02   -1.0  0.111       -
    2024-01-03      -  0.125  -0.167
    2024-01-04    1.0  0.091   -0.25
    """


@divide.meaning
def _(x: Array, y: Array) -> Array:
    return np.divide(x, y)


@divide.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x / y


@operator(Axis.CELL)
def modulo(x: Input, y: Input) -> Factor:
    """The remainder `x - y * floor(x / y)`, with the sign of `y`; missing where `y` is 0.

    The quotient is rounded to Float64 first, so that `1 % 0.1` is 0 where Python's own `%` gives 0.0999….

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close % 7))
    date           A    B    C
    2024-01-02   3.0  6.0    -
    2024-01-03   4.0  5.0  5.0
    2024-01-04   5.0  1.0  0.0
    """


@modulo.meaning
def _(x: Array, y: Array) -> Array:
    return x - y * np.floor(x / y)


@modulo.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x - y * (x / y).floor()


@operator(Axis.CELL)
def power(x: Input, y: Input) -> Factor:
    """`x ** y`; missing where either is missing, and where the result is not a real number.

    >>> import factorloom as fl
    >>> print(fl.example().show((fl.close - 11) ** 0.5))
    date           A      B  C
    2024-01-02     -    3.0  -
    2024-01-03   0.0  2.828  -
    2024-01-04   1.0  3.317  -
    """


@power.meaning
def _(x: Array, y: Array) -> Array:
    return np.where(np.isnan(x) | np.isnan(y), np.nan, np.power(x, y))


@power.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return pl.when(x.is_not_null() & y.is_not_null()).then(x.pow(y))


@operator(Axis.CELL)
def negate(x: Input) -> Factor:
    """`-x`.

    >>> import factorloom as fl
    >>> print(fl.example().show(-fl.close))
    date             A      B     C
    2024-01-02   -10.0  -20.0     -
    2024-01-03   -11.0  -19.0  -5.0
    2024-01-04   -12.0  -22.0  -7.0
    """


@negate.meaning
def _(x: Array) -> Array:
    return np.negative(x)


@negate.polars
def _(x: pl.Expr) -> pl.Expr:
    return -x


# --- functions of one value -------------------------------------------------------------------------------------


@operator(Axis.CELL)
def abs(x: Input) -> Factor:
    """The absolute value, `|x|`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.abs(fl.close - 11)))
    date           A     B    C
    2024-01-02   1.0   9.0    -
    2024-01-03   0.0   8.0  6.0
    2024-01-04   1.0  11.0  4.0
    """


@abs.meaning
def _(x: Array) -> Array:
    return np.abs(x)


@abs.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.abs()


@operator(Axis.CELL)
def sign(x: Input) -> Factor:
    """-1, 0 or 1.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.sign(fl.close - 11)))
    date            A    B     C
    2024-01-02   -1.0  1.0     -
    2024-01-03    0.0  1.0  -1.0
    2024-01-04    1.0  1.0  -1.0
    """


@sign.meaning
def _(x: Array) -> Array:
    return np.sign(x)


@sign.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.sign()


@operator(Axis.CELL)
def log(x: Input) -> Factor:
    """The natural logarithm; missing where `x <= 0`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.log(fl.close - 10)))
    date             A      B  C
    2024-01-02       -  2.303  -
    2024-01-03     0.0  2.197  -
    2024-01-04   0.693  2.485  -
    """


@log.meaning
def _(x: Array) -> Array:
    return np.log(x)


@log.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.log()


@operator(Axis.CELL)
def log1p(x: Input) -> Factor:
    """`log(1 + x)`, exact for small `x`; missing where `x <= -1`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.log1p(fl.returns)))
    date             A       B      C
    2024-01-02       -       -      -
    2024-01-03   0.095  -0.051      -
    2024-01-04   0.087   0.147  0.336
    """


@log1p.meaning
def _(x: Array) -> Array:
    return np.log1p(x)


@log1p.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.log1p()


@operator(Axis.CELL)
def exp(x: Input) -> Factor:
    """The exponential; missing where it overflows.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.exp(fl.close - 11)))
    date             A          B      C
    2024-01-02   0.368   8103.084      -
    2024-01-03     1.0   2980.958  0.002
    2024-01-04   2.718  59874.142  0.018
    """


@exp.meaning
def _(x: Array) -> Array:
    return np.exp(x)


@exp.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.exp()


@operator(Axis.CELL)
def sqrt(x: Input) -> Factor:
    """The square root; missing where `x < 0`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.sqrt(fl.close)))
    date             A      B      C
    2024-01-02   3.162  4.472      -
    2024-01-03   3.317  4.359  2.236
    2024-01-04   3.464   4.69  2.646
    """


@sqrt.meaning
def _(x: Array) -> Array:
    return np.sqrt(x)


@sqrt.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.sqrt()


@operator(Axis.CELL)
def min(x: Input, y: Input) -> Factor:
    """The smaller of two values of a bar; missing where either is missing.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.min(fl.close, 11)))
    date            A     B    C
    2024-01-02   10.0  11.0    -
    2024-01-03   11.0  11.0  5.0
    2024-01-04   11.0  11.0  7.0
    """


@min.meaning
def _(x: Array, y: Array) -> Array:
    return np.minimum(x, y)


@min.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return pl.when(x <= y).then(x).when(x > y).then(y)


@operator(Axis.CELL)
def max(x: Input, y: Input) -> Factor:
    """The larger of two values of a bar; missing where either is missing.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.max(fl.close, 11)))
    date            A     B     C
    2024-01-02   11.0  20.0     -
    2024-01-03   11.0  19.0  11.0
    2024-01-04   12.0  22.0  11.0
    """


@max.meaning
def _(x: Array, y: Array) -> Array:
    return np.maximum(x, y)


@max.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return pl.when(x >= y).then(x).when(x < y).then(y)


@operator(Axis.CELL)
def clip(x: Input, lower: Annotated[float, Real()], upper: Annotated[float, _Upper()]) -> Factor:
    """`x` held between `lower` and `upper`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.clip(fl.close, 10, 20)))
    date            A     B     C
    2024-01-02   10.0  20.0     -
    2024-01-03   11.0  19.0  10.0
    2024-01-04   12.0  20.0  10.0
    """


@clip.meaning
def _(x: Array, lower: float, upper: float) -> Array:
    return np.minimum(np.maximum(x, lower), upper)


@clip.polars
def _(x: pl.Expr, lower: float, upper: float) -> pl.Expr:
    return x.clip(lower, upper)
