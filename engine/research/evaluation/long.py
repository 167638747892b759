"""Arrays as Polars frames in long form: one row for each combination of keys."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["long"]


def long(keys: Mapping[str, pl.Series], values: Mapping[str, npt.NDArray[np.generic]]) -> pl.DataFrame:
    """A frame of keys and values; each array has one axis for each key, in order.

    NaN and infinities become null, counts Int64.

    >>> import numpy as np, polars as pl
    >>> long({"a": pl.Series(["x", "y"]), "b": pl.Series([1, 2])}, {"n": np.array([[1, 2], [3, 4]])}).rows()
    [('x', 1, 1), ('x', 2, 2), ('y', 1, 3), ('y', 2, 4)]
    """
    shape = tuple(key.len() for key in keys.values())
    columns = []
    for axis, (name, key) in enumerate(keys.items()):
        codes = np.arange(shape[axis]).reshape([-1 if place == axis else 1 for place in range(len(shape))])
        columns.append(key.gather(pl.Series(np.broadcast_to(codes, shape).reshape(-1))).alias(name))
    for name, array in values.items():
        flat = np.ascontiguousarray(np.broadcast_to(array, shape)).reshape(-1)
        if flat.dtype.kind == "f":
            columns.append(pl.Series(name, np.where(np.isinf(flat), np.nan, flat), nan_to_null=True))
        else:
            columns.append(pl.Series(name, flat.astype(np.int64 if flat.dtype.kind in "iu" else flat.dtype)))
    return pl.DataFrame(columns)
