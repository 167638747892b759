"""Which spreads are none: those that are rounding noise at their own level.

Sums that are computed in different ways differ in their last digits. A window of such sums seems to move, and inputs
whose covariance is 0 seem to move together; a division or a rank makes a number of any size of that. So one rule holds
wherever deviations are measured, in every form of an operator:

- the spread of values is 0 where it is below 2^-40 (12 digits) of their level;
- a sum of products of deviations is 0 where it is below 2^-40 of the largest value that it could have.

Rounding leaves less than 1e-13 in windows of a year, and spreads that are data are larger: prices of 1e8 that move by
1e-3 have 1e-11 of their level.

The functions on numbers serve NumPy and compiled loops. They keep NaN and infinities.
"""

from __future__ import annotations

import polars as pl

__all__ = [
    "NOISE",
    "denoised_products",
    "denoised_products_column",
    "denoised_scatter",
    "denoised_scatter_column",
    "denoised_spread",
    "denoised_spread_column",
]

NOISE = 2.0**-40
"""The share of a level, or of the product of two spreads, below which a value is rounding noise."""


def denoised_spread(distance: float, level: float) -> float:
    """A distance between values at a level, 0 where it is noise."""
    return 0.0 if distance < NOISE * abs(level) else distance


def denoised_scatter(squares: float, level: float) -> float:
    """A sum of squared deviations, 0 where it is noise; `level` is that of the values, times the root of the sum's
    weights."""
    noise = NOISE * level
    return 0.0 if squares < noise * noise else squares


def denoised_products(products: float, scatter_x: float, scatter_y: float) -> float:
    """A sum of products of deviations, 0 where it is noise or where either input has no scatter."""
    noise = (NOISE * scatter_x) * (NOISE * scatter_y)
    return 0.0 if (products * products < noise) | (scatter_x == 0.0) | (scatter_y == 0.0) else products


def denoised_spread_column(distance: pl.Expr, level: pl.Expr) -> pl.Expr:
    """`denoised_spread` for columns."""
    return pl.when(distance < NOISE * level.abs()).then(0.0).otherwise(distance)


def denoised_scatter_column(squares: pl.Expr, level: pl.Expr) -> pl.Expr:
    """`denoised_scatter` for columns."""
    noise = NOISE * level
    return pl.when(squares < noise * noise).then(0.0).otherwise(squares)


def denoised_products_column(products: pl.Expr, scatter_x: pl.Expr, scatter_y: pl.Expr) -> pl.Expr:
    """`denoised_products` for columns."""
    noise = (NOISE * scatter_x) * (NOISE * scatter_y)
    is_noise = (products * products < noise) | (scatter_x == 0) | (scatter_y == 0)
    return pl.when(is_noise).then(0.0).otherwise(products)
