"""Which spreads are none: those that are rounding noise at their own level.

Sums that are computed in different ways differ in their last digits. A window of such sums seems to move, and inputs
whose covariance is 0 seem to move together; a division or a rank makes a number of any size of that. So one rule holds
wherever deviations are measured, in every form of an operator:

- the spread of values is 0 where it is below 2^-45 (13 digits) of their level: sums of a few hundred values have less
  rounding, and prices of 1e8 that move by 1e-5 have more spread;
- a sum of products of deviations is 0 where it is below 2^-40 (12 digits) of the largest value that it could have: of
  deviations that are themselves small differences, as those of ranks, the last digits are noise.

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
"""The share of the product of two spreads below which a sum of products is rounding noise; also of values that tie."""

LEVEL_NOISE = 2.0**-45
"""The share of a level below which a spread is rounding noise."""


def denoised_spread(distance: float, level: float) -> float:
    """A distance between values at a level, 0 where it is noise."""
    return 0.0 if distance < LEVEL_NOISE * abs(level) else distance


def denoised_scatter(squares: float, level: float) -> float:
    """A sum of squared deviations, 0 where it is noise; `level` is that of the values, times the root of the sum's
    weights."""
    noise = LEVEL_NOISE * level
    return 0.0 if squares < noise * noise else squares


def denoised_products(products: float, scatter_x: float, scatter_y: float) -> float:
    """A sum of products of deviations, 0 where it is noise or where either input has no scatter."""
    noise = (NOISE * scatter_x) * (NOISE * scatter_y)
    return 0.0 if (products * products < noise) | (scatter_x == 0.0) | (scatter_y == 0.0) else products


def denoised_spread_column(distance: pl.Expr, level: pl.Expr) -> pl.Expr:
    """`denoised_spread` for columns."""
    return pl.when(distance < LEVEL_NOISE * level.abs()).then(0.0).otherwise(distance)


def denoised_scatter_column(squares: pl.Expr, level: pl.Expr) -> pl.Expr:
    """`denoised_scatter` for columns."""
    noise = LEVEL_NOISE * level
    return pl.when(squares < noise * noise).then(0.0).otherwise(squares)


def denoised_products_column(products: pl.Expr, scatter_x: pl.Expr, scatter_y: pl.Expr) -> pl.Expr:
    """`denoised_products` for columns."""
    noise = (NOISE * scatter_x) * (NOISE * scatter_y)
    is_noise = (products * products < noise) | (scatter_x == 0) | (scatter_y == 0)
    return pl.when(is_noise).then(0.0).otherwise(products)
