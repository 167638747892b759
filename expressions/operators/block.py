"""How windows are summed without drift: plain loops that the kernels of moving operators call.

A series is cut into blocks of `window` bars. Every window is then the tail of one block followed by the head of the
next; tails are accumulated backwards, heads forwards, and the two are merged. Nothing is ever subtracted, so an
outlier leaves no trace once it has left the window, and a bar costs the same whatever the window. Moments are taken
around a member of the window: its distance from the mean is bounded by the spread itself, so no price level costs
digits, a constant window has a spread of exactly 0, and windows of whole numbers come out exact, ties and all.

All functions ignore missing values (NaN), and fill their last arguments, one value per bar.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["block_comoments", "block_max", "block_moments", "block_sums"]

Array: TypeAlias = npt.NDArray[np.float64]


def block_sums(x: Array, window: int, count: Array, total: Array) -> None:
    """Number and sum of the present values of every window."""
    tail_count, tail_total = np.zeros(window + 1), np.zeros(window + 1)
    for start in range(0, x.size, window):
        stop = min(start + window, x.size)
        n = s = 0.0
        for i in range(start, stop):
            if not np.isnan(x[i]):
                n += 1.0
                s += x[i]
            count[i] = n + tail_count[i - start + 1]
            total[i] = s + tail_total[i - start + 1]
        n = s = 0.0
        for i in range(stop - 1, start - 1, -1):
            if not np.isnan(x[i]):
                n += 1.0
                s += x[i]
            tail_count[i - start] = n
            tail_total[i - start] = s


def block_max(x: Array, window: int, sign: float, count: Array, best: Array) -> None:
    """Number of present values and largest `sign * x` of every window."""
    tail_count, tail_best = np.zeros(window + 1), np.full(window + 1, -np.inf)
    for start in range(0, x.size, window):
        stop = min(start + window, x.size)
        n, top = 0.0, -np.inf
        for i in range(start, stop):
            if not np.isnan(x[i]):
                n += 1.0
                top = max(top, sign * x[i])
            count[i] = n + tail_count[i - start + 1]
            best[i] = max(top, tail_best[i - start + 1])
        n, top = 0.0, -np.inf
        for i in range(stop - 1, start - 1, -1):
            if not np.isnan(x[i]):
                n += 1.0
                top = max(top, sign * x[i])
            tail_count[i - start] = n
            tail_best[i - start] = top


def block_moments(x: Array, window: int, count: Array, base: Array, total: Array, square: Array) -> None:
    """Number, a member, the sum around that member, and the sum of squared deviations from the mean.

    The mean is `base + total / count`; in two parts, so that a deviation from it keeps every digit at any level.
    """
    tail_count, tail_total, tail_square = np.zeros(window + 1), np.zeros(window + 1), np.zeros(window + 1)
    tail_base = 0.0
    for start in range(0, x.size, window):
        stop = min(start + window, x.size)
        n = s = q = head_base = 0.0
        for i in range(start, stop):
            if not np.isnan(x[i]):
                if n == 0.0:
                    head_base = x[i]
                apart = x[i] - head_base
                n += 1.0
                s += apart
                q += apart * apart
            k = i - start + 1
            other, both = tail_count[k], n + tail_count[k]
            if other == 0.0:
                base[i], total[i], squares = head_base, s, q
            elif n == 0.0:
                base[i], total[i], squares = tail_base, tail_total[k], tail_square[k]
            else:
                gap = tail_base - head_base
                base[i] = head_base
                total[i] = s + (tail_total[k] + other * gap)
                squares = q + (tail_square[k] + 2.0 * gap * tail_total[k] + other * gap * gap)
            count[i] = both
            square[i] = max(0.0, (both * squares - total[i] * total[i]) / both)
        n = s = q = 0.0
        for i in range(stop - 1, start - 1, -1):
            if not np.isnan(x[i]):
                if n == 0.0:
                    tail_base = x[i]
                apart = x[i] - tail_base
                n += 1.0
                s += apart
                q += apart * apart
            tail_count[i - start] = n
            tail_total[i - start] = s
            tail_square[i - start] = q


def block_comoments(
    x: Array, y: Array, window: int, count: Array, square_x: Array, square_y: Array, product: Array
) -> None:
    """Number of bars where both are present, and sums of squared deviations and of their products."""
    tail = np.zeros((window + 1, 6))
    tail_x = tail_y = 0.0
    for start in range(0, x.size, window):
        stop = min(start + window, x.size)
        n = sx = sy = qx = qy = qxy = head_x = head_y = 0.0
        for i in range(start, stop):
            if not (np.isnan(x[i]) or np.isnan(y[i])):
                if n == 0.0:
                    head_x, head_y = x[i], y[i]
                a, b = x[i] - head_x, y[i] - head_y
                n, sx, sy, qx, qy, qxy = n + 1.0, sx + a, sy + b, qx + a * a, qy + b * b, qxy + a * b
            k = i - start + 1
            m, tx, ty, ux, uy, uxy = tail[k, 0], tail[k, 1], tail[k, 2], tail[k, 3], tail[k, 4], tail[k, 5]
            if m > 0.0 and n > 0.0:
                gx, gy = tail_x - head_x, tail_y - head_y
                ux += 2.0 * gx * tx + m * gx * gx
                uy += 2.0 * gy * ty + m * gy * gy
                uxy += gx * ty + gy * tx + m * gx * gy
                tx += m * gx
                ty += m * gy
            both, ax, ay = n + m, sx + tx, sy + ty
            count[i] = both
            square_x[i] = max(0.0, (both * (qx + ux) - ax * ax) / both)
            square_y[i] = max(0.0, (both * (qy + uy) - ay * ay) / both)
            product[i] = (both * (qxy + uxy) - ax * ay) / both
        n = sx = sy = qx = qy = qxy = 0.0
        for i in range(stop - 1, start - 1, -1):
            if not (np.isnan(x[i]) or np.isnan(y[i])):
                if n == 0.0:
                    tail_x, tail_y = x[i], y[i]
                a, b = x[i] - tail_x, y[i] - tail_y
                n, sx, sy, qx, qy, qxy = n + 1.0, sx + a, sy + b, qx + a * a, qy + b * b, qxy + a * b
            k = i - start
            tail[k, 0], tail[k, 1], tail[k, 2] = n, sx, sy
            tail[k, 3], tail[k, 4], tail[k, 5] = qx, qy, qxy
