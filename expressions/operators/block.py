"""How windows are summed without drift: plain loops that the kernels of moving operators call.

A series is cut into blocks of `window` bars. Every window is then the tail of one block followed by the head of the
next; tails are accumulated backwards, heads forwards, and the two are merged. Nothing is ever subtracted, so an
outlier leaves no trace once it has left the window, and a bar costs the same whatever the window. Sums of squares
are taken around a value of the window itself, so a high price level costs no digits, and a constant window has a
sum of squares of exactly 0.

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


def block_moments(x: Array, window: int, count: Array, base: Array, shift: Array, square: Array) -> None:
    """Number, mean and sum of squared deviations of every window; the mean is `base + shift`.

    The mean comes in two parts so that `(x - base) - shift` keeps every digit at any price level.
    """
    tail_count, tail_shift, tail_square = np.zeros(window + 1), np.zeros(window + 1), np.zeros(window + 1)
    tail_base = 0.0
    for start in range(0, x.size, window):
        stop = min(start + window, x.size)
        n = m = q = head_base = 0.0
        for i in range(start, stop):
            if not np.isnan(x[i]):
                if n == 0.0:
                    head_base = x[i]
                n += 1.0
                delta = x[i] - head_base - m
                m += delta / n
                q += delta * (x[i] - head_base - m)
            k = i - start + 1
            both = n + tail_count[k]
            count[i] = both
            if tail_count[k] == 0.0 or n == 0.0:
                base[i] = head_base if n > 0.0 else tail_base
                shift[i] = m + tail_shift[k]
                square[i] = q + tail_square[k]
            else:
                apart = (tail_base - head_base) + (tail_shift[k] - m)
                base[i] = head_base
                shift[i] = m + apart * tail_count[k] / both
                square[i] = q + tail_square[k] + apart * apart * n * tail_count[k] / both
        n = m = q = 0.0
        for i in range(stop - 1, start - 1, -1):
            if not np.isnan(x[i]):
                if n == 0.0:
                    tail_base = x[i]
                n += 1.0
                delta = x[i] - tail_base - m
                m += delta / n
                q += delta * (x[i] - tail_base - m)
            tail_count[i - start] = n
            tail_shift[i - start] = m
            tail_square[i - start] = q


def block_comoments(
    x: Array, y: Array, window: int, count: Array, square_x: Array, square_y: Array, product: Array
) -> None:
    """Number of bars where both are present, and sums of squared deviations and of their products."""
    tail = np.zeros((window + 1, 6))
    tail_x = tail_y = 0.0
    for start in range(0, x.size, window):
        stop = min(start + window, x.size)
        n = mx = my = qx = qy = qxy = head_x = head_y = 0.0
        for i in range(start, stop):
            if not (np.isnan(x[i]) or np.isnan(y[i])):
                if n == 0.0:
                    head_x, head_y = x[i], y[i]
                n += 1.0
                dx, dy = x[i] - head_x - mx, y[i] - head_y - my
                mx += dx / n
                my += dy / n
                qx += dx * (x[i] - head_x - mx)
                qy += dy * (y[i] - head_y - my)
                qxy += dx * (y[i] - head_y - my)
            k = i - start + 1
            other = tail[k, 0]
            both = n + other
            weight = n * other / both if n > 0.0 and other > 0.0 else 0.0
            apart_x = (tail_x - head_x) + (tail[k, 1] - mx)
            apart_y = (tail_y - head_y) + (tail[k, 2] - my)
            count[i] = both
            square_x[i] = qx + tail[k, 3] + apart_x * apart_x * weight
            square_y[i] = qy + tail[k, 4] + apart_y * apart_y * weight
            product[i] = qxy + tail[k, 5] + apart_x * apart_y * weight
        n = mx = my = qx = qy = qxy = 0.0
        for i in range(stop - 1, start - 1, -1):
            if not (np.isnan(x[i]) or np.isnan(y[i])):
                if n == 0.0:
                    tail_x, tail_y = x[i], y[i]
                n += 1.0
                dx, dy = x[i] - tail_x - mx, y[i] - tail_y - my
                mx += dx / n
                my += dy / n
                qx += dx * (x[i] - tail_x - mx)
                qy += dy * (y[i] - tail_y - my)
                qxy += dx * (y[i] - tail_y - my)
            tail[i - start, 0] = n
            tail[i - start, 1] = mx
            tail[i - start, 2] = my
            tail[i - start, 3] = qx
            tail[i - start, 4] = qy
            tail[i - start, 5] = qxy
