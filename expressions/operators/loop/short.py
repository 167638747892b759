"""Sums over short, full windows: one lag after another, for many windows side by side.

The block method of `block.py` costs the same for every window, but takes one bar after another. For a few bars it is
faster to add up every window anew, which a processor does for several windows at once. Sums are taken around the newest
value of the window, so they are as exact as those of `block.py`; a missing value makes them missing.
"""

from __future__ import annotations

import numpy as np

from factorloom.expressions.operators.loop.noise import denoised_products, denoised_scatter
from factorloom.expressions.operators.loop.window import Array

__all__ = ["SHORT", "correlate_short", "covary_short", "decay_short"]

SHORT = 16
"""The longest window, in bars, for which this is faster."""

AHEAD = 256
"""Windows that are summed side by side."""


def decay_short(x: Array, window: int, out: Array) -> None:
    """The linearly weighted mean of full windows."""
    out[: window - 1] = np.nan
    sums, weight = np.empty(AHEAD), window * (window + 1) / 2
    for start in range(window - 1, x.size, AHEAD):
        size = min(AHEAD, x.size - start)
        sums[:] = 0.0
        for lag in range(1, window):
            _add_weighted(x, start, lag, float(window - lag), sums[:size])
        for k in range(size):
            i = np.uint64(start + k)
            out[i] = x[i] + sums[np.uint64(k)] / weight


def _add_weighted(x: Array, start: int, lag: int, weight: float, sums: Array) -> None:
    for k in range(sums.size):
        sums[np.uint64(k)] += weight * (x[np.uint64(start + k - lag)] - x[np.uint64(start + k)])


def correlate_short(x: Array, y: Array, window: int, out: Array) -> None:
    """The correlation of full windows; missing where either input is constant."""
    out[: window - 1] = np.nan
    sums = np.empty((5, AHEAD))
    for start in range(window - 1, x.size, AHEAD):
        size = min(AHEAD, x.size - start)
        sum_x, sum_y, sum_xx, sum_yy, sum_xy = _rows_of(sums, size)
        sums[:] = 0.0
        _add_all(x, y, window, start, sum_x, sum_y, sum_xx, sum_yy, sum_xy)
        for k in range(size):
            i, j = np.uint64(start + k), np.uint64(k)
            scatter_x = denoised_scatter(window * sum_xx[j] - sum_x[j] * sum_x[j], window * x[i])
            scatter_y = denoised_scatter(window * sum_yy[j] - sum_y[j] * sum_y[j], window * y[i])
            products = denoised_products(window * sum_xy[j] - sum_x[j] * sum_y[j], scatter_x, scatter_y)
            correlation = products / (np.sqrt(scatter_x) * np.sqrt(scatter_y))
            out[i] = max(min(correlation, 1.0), -1.0)


def covary_short(x: Array, y: Array, window: int, out: Array) -> None:
    """The sample covariance of full windows; 0 where either input is constant."""
    out[: window - 1] = np.nan
    sums, pairs = np.empty((5, AHEAD)), float(window * (window - 1))
    for start in range(window - 1, x.size, AHEAD):
        size = min(AHEAD, x.size - start)
        sum_x, sum_y, sum_xx, sum_yy, sum_xy = _rows_of(sums, size)
        sums[:] = 0.0
        _add_all(x, y, window, start, sum_x, sum_y, sum_xx, sum_yy, sum_xy)
        for k in range(size):
            i, j = np.uint64(start + k), np.uint64(k)
            scatter_x = denoised_scatter(window * sum_xx[j] - sum_x[j] * sum_x[j], window * x[i])
            scatter_y = denoised_scatter(window * sum_yy[j] - sum_y[j] * sum_y[j], window * y[i])
            products = window * sum_xy[j] - sum_x[j] * sum_y[j]
            out[i] = denoised_products(products, scatter_x, scatter_y) / pairs if products == products else np.nan


def _rows_of(sums: Array, size: int) -> tuple[Array, Array, Array, Array, Array]:
    """The five rows of sums, each as long as there are windows: sums in rows of their own are added faster."""
    return sums[0, :size], sums[1, :size], sums[2, :size], sums[3, :size], sums[4, :size]


def _add_all(
    x: Array,
    y: Array,
    window: int,
    start: int,
    sum_x: Array,
    sum_y: Array,
    sum_xx: Array,
    sum_yy: Array,
    sum_xy: Array,
) -> None:
    """Add the deviations from the newest value, and their products, for the windows that end from `start` on."""
    for lag in range(1, window - 1, 2):
        _add_two(x, y, start, lag, sum_x, sum_y, sum_xx, sum_yy, sum_xy)
    if window % 2 == 0:
        _add_one(x, y, start, window - 1, sum_x, sum_y, sum_xx, sum_yy, sum_xy)


def _add_one(
    x: Array, y: Array, start: int, lag: int, sum_x: Array, sum_y: Array, sum_xx: Array, sum_yy: Array, sum_xy: Array
) -> None:
    for k in range(sum_x.size):
        i, j, p = np.uint64(start + k), np.uint64(k), np.uint64(start + k - lag)
        a, b = x[p] - x[i], y[p] - y[i]
        sum_x[j] += a
        sum_y[j] += b
        sum_xx[j] += a * a
        sum_yy[j] += b * b
        sum_xy[j] += a * b


def _add_two(
    x: Array, y: Array, start: int, lag: int, sum_x: Array, sum_y: Array, sum_xx: Array, sum_yy: Array, sum_xy: Array
) -> None:
    """The same for this lag and the next one: sums are read and written once for both."""
    for k in range(sum_x.size):
        i, j, p = np.uint64(start + k), np.uint64(k), np.uint64(start + k - lag)
        q = p - np.uint64(1)
        a, b, c, d = x[p] - x[i], y[p] - y[i], x[q] - x[i], y[q] - y[i]
        sum_x[j] += a + c
        sum_y[j] += b + d
        sum_xx[j] += a * a + c * c
        sum_yy[j] += b * b + d * d
        sum_xy[j] += a * b + c * d
