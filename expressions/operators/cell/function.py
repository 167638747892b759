"""Functions of one value of a bar: logarithms, powers, and curves that bound a value.

A result that is not finite becomes missing.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.cell.arithmetic import multiply, power

__all__ = ["abs", "arctan", "exp", "log", "log1p", "sigmoid", "sign", "signed_power", "sqrt", "square", "tanh"]

Array: TypeAlias = npt.NDArray[np.float64]


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


abs.meaning(np.abs)


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


sign.meaning(np.sign)


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


log.meaning(np.log)


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


log1p.meaning(np.log1p)


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


exp.meaning(np.exp)


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


sqrt.meaning(np.sqrt)


@sqrt.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.sqrt()


@operator(Axis.CELL)
def square(x: Input) -> Factor:
    """The square, `x * x`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.square(fl.close)))
    date             A      B     C
    2024-01-02   100.0  400.0     -
    2024-01-03   121.0  361.0  25.0
    2024-01-04   144.0  484.0  49.0
    """


square.meaning(np.square)


@square.polars
def _(x: pl.Expr) -> pl.Expr:
    return x * x


@operator(Axis.CELL)
def signed_power(x: Input, exponent: Input) -> Factor:
    """A power that keeps the sign: `sign(x) * abs(x) ** exponent`, so that `exponent=0.5` is a signed root.

    Shorthand: the text of a factor shows the formula. Missing where either is, and where 0 has a negative
    exponent.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.signed_power(fl.close - 11, 0.5)))
    date            A      B       C
    2024-01-02   -1.0    3.0       -
    2024-01-03    0.0  2.828  -2.449
    2024-01-04    1.0  3.317    -2.0
    """
    return multiply(sign(x), power(abs(x), exponent))


@operator(Axis.CELL)
def tanh(x: Input) -> Factor:
    """The hyperbolic tangent: it maps any value into (-1, 1), and leaves small ones nearly unchanged.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.tanh(fl.returns * 10)))
    date             A       B      C
    2024-01-02       -       -      -
    2024-01-03   0.762  -0.462      -
    2024-01-04   0.721   0.918  0.999
    """


tanh.meaning(np.tanh)


@tanh.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.tanh()


@operator(Axis.CELL)
def sigmoid(x: Input) -> Factor:
    """The logistic function, `1 / (1 + exp(-x))`: it maps any value into (0, 1), and 0 to 0.5.

    It does not overflow: it is 0 for very low values and 1 for very high ones.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.sigmoid(fl.returns * 10)))
    date             A      B      C
    2024-01-02       -      -      -
    2024-01-03   0.731  0.378      -
    2024-01-04   0.713  0.829  0.982
    """


@sigmoid.meaning
def _(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


@sigmoid.polars
def _(x: pl.Expr) -> pl.Expr:
    return 1 / (1 + (-x).exp())


@operator(Axis.CELL)
def arctan(x: Input) -> Factor:
    """The angle whose tangent is `x`, in radians: it maps any value into (-pi/2, pi/2).

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.arctan(fl.returns * 10)))
    date             A       B      C
    2024-01-02       -       -      -
    2024-01-03   0.785  -0.464      -
    2024-01-04   0.738   1.006  1.326
    """


arctan.meaning(np.arctan)


@arctan.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.arctan()
