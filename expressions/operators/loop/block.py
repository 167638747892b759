"""Sums over windows without drift: the block method, as statistics that the operators on windows share.

A series is cut into blocks of `window` bars. Every window is then the tail of one block followed by the head of the
next, and costs the same whatever its length:

    bars        a b c d e | f g h i j | k ...        window 5
    window at h     d e + f g h                      the tail `d e` and the head `f g h`

Each loop below takes one block after another. Its first half walks forwards: it adds every bar to the sums of the head,
and merges these with the sums of the tail that the block before has left for the same offset. Its second half walks
backwards and leaves the tails of this block for the next one: `tail[k]` covers all but the first `k + 1` bars.

Nothing is ever subtracted, so an outlier leaves no trace once it has left the window. Moments are taken around a value
of the window, the base: the first value of the head, or the last of the tail. Sums are then never larger than the
spread of the window makes them, so a high price level costs no digits, a constant has a spread of exactly 0, and
windows of whole numbers are exact, so that equal ones tie. A scatter that is rounding noise is 0 (see `noise.py`). To
merge a tail with a head, its sums are moved from its own base to that of the head.

Blocks are counted from the first bar of the symbol. `first_bar` is the number of the first bar that is given: a part of
the bars is cut into the same blocks as all of them, so that its sums are the same to the last bit.

Missing values (NaN) are skipped. Indices are unsigned: with signed ones, compiled code would test whether they
count from the end of the array.
"""

from __future__ import annotations

import numpy as np

from factorloom.expressions.form import statistic
from factorloom.expressions.operators.loop.noise import denoised_products, denoised_scatter
from factorloom.expressions.operators.loop.window import Array

__all__ = ["comoments", "moments", "products", "shape", "shared_comoments", "sums"]


@statistic("total")
def sums(x: Array, window: int, first_bar: int, total: Array) -> None:
    """The sum of the present values of every window."""
    tail = np.zeros(min(window, x.size + first_bar % window))
    for start in range(-(first_bar % window), x.size, window):
        low, width = max(0, -start), min(window, x.size - start)
        s = 0.0
        for k in range(low, width):
            i = np.uint64(start + k)
            s += x[i] if x[i] == x[i] else 0.0
            total[i] = s + tail[k]
        s = 0.0
        for k in range(width - 1, max(low, 1) - 1, -1):
            i = np.uint64(start + k)
            s += x[i] if x[i] == x[i] else 0.0
            tail[np.uint64(k - 1)] = s


@statistic("product")
def products(x: Array, window: int, first_bar: int, product: Array) -> None:
    """The product of the present values of every window, 1 for a window without values."""
    tail = np.ones(min(window, x.size + first_bar % window))
    for start in range(-(first_bar % window), x.size, window):
        low, width = max(0, -start), min(window, x.size - start)
        p = 1.0
        for k in range(low, width):
            i = np.uint64(start + k)
            p *= x[i] if x[i] == x[i] else 1.0
            product[i] = p * tail[k]
        p = 1.0
        for k in range(width - 1, max(low, 1) - 1, -1):
            i = np.uint64(start + k)
            p *= x[i] if x[i] == x[i] else 1.0
            tail[np.uint64(k - 1)] = p


@statistic("count", "base", "total", "scatter")
def moments(x: Array, window: int, first_bar: int, count: Array, base: Array, total: Array, scatter: Array) -> None:
    """The number of values, a base, the sum of deviations from it, and `count` times the sum of squared deviations from
    the mean.

    The mean is `base + total / count`; in two parts, so that a deviation from it keeps every digit at any level.
    The variance is `scatter / (count * (count - 1))`; the scatter itself is exact for whole numbers.
    """
    tail = np.zeros((3, min(window, x.size + first_bar % window)))
    tail_n, tail_s, tail_q = tail[0], tail[1], tail[2]
    last = 0.0
    for start in range(-(first_bar % window), x.size, window):
        low, width = max(0, -start), min(window, x.size - start)
        first = last
        n = s = q = 0.0
        for k in range(low, width):
            i = np.uint64(start + k)
            value = x[i]
            if value == value:
                if n == 0.0:
                    first = value
                d = value - first
                n += 1.0
                s += d
                q += d * d
            m, t, gap = tail_n[k], tail_s[k], last - first
            number = n + m
            deviations = s + (t + m * gap)
            squares = q + (tail_q[k] + gap * (2.0 * t + m * gap))
            count[i], base[i], total[i] = number, first, deviations
            scatter[i] = number * squares - deviations * deviations
        n = s = q = 0.0
        for k in range(width - 1, max(low, 1) - 1, -1):
            value = x[np.uint64(start + k)]
            if value == value:
                if n == 0.0:
                    last = value
                d = value - last
                n += 1.0
                s += d
                q += d * d
            j = np.uint64(k - 1)
            tail_n[j], tail_s[j], tail_q[j] = n, s, q
    for row in range(x.size):
        scatter[row] = denoised_scatter(scatter[row], count[row] * base[row])


@statistic("count", "base", "total", "square", "cube", "fourth")
def shape(
    x: Array,
    window: int,
    first_bar: int,
    count: Array,
    base: Array,
    total: Array,
    square: Array,
    cube: Array,
    fourth: Array,
) -> None:
    """The number of values, a base, and sums of the first four powers of the deviations from it."""
    tail = np.zeros((5, min(window, x.size + first_bar % window)))
    tail_n, tail_s, tail_q, tail_c, tail_f = tail[0], tail[1], tail[2], tail[3], tail[4]
    last = 0.0
    for start in range(-(first_bar % window), x.size, window):
        low, width = max(0, -start), min(window, x.size - start)
        first = last
        n = s = q = c = f = 0.0
        for k in range(low, width):
            i = np.uint64(start + k)
            value = x[i]
            if value == value:
                if n == 0.0:
                    first = value
                d = value - first
                n += 1.0
                s += d
                q += d * d
                c += d * d * d
                f += (d * d) * (d * d)
            m, t, u, v, gap = tail_n[k], tail_s[k], tail_q[k], tail_c[k], last - first
            count[i], base[i] = n + m, first
            total[i] = s + (t + gap * m)
            square[i] = q + (u + gap * (2.0 * t + gap * m))
            cube[i] = c + (v + gap * (3.0 * u + gap * (3.0 * t + gap * m)))
            fourth[i] = f + (tail_f[k] + gap * (4.0 * v + gap * (6.0 * u + gap * (4.0 * t + gap * m))))
        n = s = q = c = f = 0.0
        for k in range(width - 1, max(low, 1) - 1, -1):
            value = x[np.uint64(start + k)]
            if value == value:
                if n == 0.0:
                    last = value
                d = value - last
                n += 1.0
                s += d
                q += d * d
                c += d * d * d
                f += (d * d) * (d * d)
            j = np.uint64(k - 1)
            tail_n[j], tail_s[j], tail_q[j], tail_c[j], tail_f[j] = n, s, q, c, f


def comoments(
    x: Array,
    y: Array,
    window: int,
    first_bar: int,
    count: Array,
    base_x: Array,
    base_y: Array,
    total_x: Array,
    total_y: Array,
    scatter_x: Array,
    scatter_y: Array,
    scatter_xy: Array,
) -> None:
    """The moments of two inputs over the bars where both are present, and their joint scatter.

    The covariance is `scatter_xy / (count * (count - 1))`.
    """
    tail = np.zeros((6, min(window, x.size + first_bar % window)))
    tail_n, tail_x, tail_y, tail_xx, tail_yy, tail_xy = tail[0], tail[1], tail[2], tail[3], tail[4], tail[5]
    last_x = last_y = 0.0
    for start in range(-(first_bar % window), x.size, window):
        low, width = max(0, -start), min(window, x.size - start)
        first_x, first_y = last_x, last_y
        n = sx = sy = xx = yy = xy = 0.0
        for k in range(low, width):
            i = np.uint64(start + k)
            if x[i] == x[i] and y[i] == y[i]:
                if n == 0.0:
                    first_x, first_y = x[i], y[i]
                dx, dy = x[i] - first_x, y[i] - first_y
                n += 1.0
                sx += dx
                sy += dy
                xx += dx * dx
                yy += dy * dy
                xy += dx * dy
            m, tx, ty, gx, gy = tail_n[k], tail_x[k], tail_y[k], last_x - first_x, last_y - first_y
            number = n + m
            ax, ay = sx + (tx + m * gx), sy + (ty + m * gy)
            count[i], base_x[i], base_y[i], total_x[i], total_y[i] = number, first_x, first_y, ax, ay
            scatter_x[i] = number * (xx + (tail_xx[k] + gx * (2.0 * tx + m * gx))) - ax * ax
            scatter_y[i] = number * (yy + (tail_yy[k] + gy * (2.0 * ty + m * gy))) - ay * ay
            scatter_xy[i] = number * (xy + (tail_xy[k] + gx * ty + gy * (tx + m * gx))) - ax * ay
        n = sx = sy = xx = yy = xy = 0.0
        for k in range(width - 1, max(low, 1) - 1, -1):
            i = np.uint64(start + k)
            if x[i] == x[i] and y[i] == y[i]:
                if n == 0.0:
                    last_x, last_y = x[i], y[i]
                dx, dy = x[i] - last_x, y[i] - last_y
                n += 1.0
                sx += dx
                sy += dy
                xx += dx * dx
                yy += dy * dy
                xy += dx * dy
            j = np.uint64(k - 1)
            tail_n[j], tail_x[j], tail_y[j], tail_xx[j], tail_yy[j], tail_xy[j] = n, sx, sy, xx, yy, xy
    for row in range(x.size):
        scatter_x[row] = denoised_scatter(scatter_x[row], count[row] * base_x[row])
        scatter_y[row] = denoised_scatter(scatter_y[row], count[row] * base_y[row])
        scatter_xy[row] = denoised_products(scatter_xy[row], scatter_x[row], scatter_y[row])


OUTPUTS = "count", "base_x", "base_y", "total_x", "total_y", "scatter_x", "scatter_y", "scatter_xy"
shared_comoments = statistic(*OUTPUTS)(comoments)
"""As a statistic, for kernels that always read it; `ts_corr` calls the plain loop, and only for long windows."""
