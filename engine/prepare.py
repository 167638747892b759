"""Compiling ahead of the first computation, for images and deployments."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from factorloom.engine.bars.number import check_dtype
from factorloom.engine.executor.choose import numba_is_off
from factorloom.engine.executor.column import is_plain
from factorloom.engine.plan.passes import make_plan
from factorloom.engine.plan.request import named_factors
from factorloom.engine.runtime import cache
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.progress import default_observer
from factorloom.expressions.factor import Factor

__all__ = ["Preparation", "prepare"]

log = logging.getLogger(__name__)


class Preparation(NamedTuple):
    """What `prepare` did.

    Attributes
    ----------
    compiled, loaded
        How many kernels were compiled, and how many were on disk. Those that this process has already are not counted.
    folder
        Where compiled kernels are kept; None where no folder is writable.
    """

    compiled: int
    loaded: int
    folder: Path | None

    def __str__(self) -> str:
        kept = "not kept: no folder is writable" if self.folder is None else f"kept in {self.folder}"
        return f"{self.compiled} kernels compiled, {self.loaded} loaded from disk; {kept}"


def prepare(
    *factors: Factor | Mapping[str, Factor],
    dtype: Literal["float64", "float32"] = "float64",
    observer: Observer | None = None,
) -> Preparation:
    """Compile what factors need, so that the first computation need not.

    Compiled kernels are kept on disk, where later processes find them: also those of other users, and where the folder
    can no longer be written to, as in the image of a container.

    Parameters
    ----------
    factors
        Factors, and mappings of factors such as a library. Those of a mapping are prepared to be computed together, and
        each alone.
    dtype
        The type of the results.

    Examples
    --------
    >>> import factorloom as fl
    >>> done = fl.prepare(fl.ts_mean(fl.close, 20), {"gap": fl.close / fl.open_})
    >>> fl.prepare(fl.ts_mean(fl.close, 20)).compiled
    0
    """
    check_dtype(dtype)
    single = [each for each in factors if not isinstance(each, Mapping)]
    groups = [named_factors(each, (), {}) for each in factors if isinstance(each, Mapping)]
    if single or not groups:
        groups.append(named_factors(None, single, {}))
    alone = {factor: {"factor": factor} for group in groups for factor in group.values()}
    plans = [make_plan(wanted, dtype=dtype) for wanted in (*groups, *alone.values())]
    plans = [plan for plan in plans if not is_plain(plan)]
    if not plans or numba_is_off():
        return Preparation(0, 0, None if numba_is_off() else cache.folder())
    from factorloom.engine.executor.native import machine

    done = machine.prepare(plans, observer or default_observer())
    result = Preparation(done.compiled, done.loaded, cache.folder())
    log.info("%s", result)
    return result
