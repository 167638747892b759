"""How many threads compute, and the one pool of them that the process has."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.setting import settings
from factorloom.expressions.errors import ForkedError

__all__ = ["ALONE", "check_process", "for_each", "for_each_of", "processors"]

Item = TypeVar("Item")

ALONE = 1 << 20
"""So many values are handled by one thread."""

_pool: ThreadPoolExecutor | None = None
_size = 0
_has_computed = _is_forked = False
_lock = threading.Lock()


def processors() -> int:
    """The threads that `configure` allows, or the processors that the process may run on."""
    threads = settings().threads
    if threads is not None:
        return threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def for_each(work: Callable[[Item], None], items: Iterable[Item], observer: Observer) -> None:
    """Do the same work for every item, on up to `processors()` threads of the pool that all callers share.

    Callers take turns item by item. Where an item fails, or the caller is interrupted or cancelled, no further item
    begins, and this returns when none is running any more.
    """
    waiting = iter(items)
    running: set[Future[None]] = set()
    try:
        for item in islice(waiting, processors()):
            running.add(_submit(work, item))
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
                observer.advance()
            for item in islice(waiting, len(done)):
                running.add(_submit(work, item))
    except BaseException:
        observer.cancel()
        raise
    finally:
        wait([future for future in running if not future.cancel()])


def for_each_of(work: Callable[[Item], None], items: Sequence[Item], size: int) -> None:
    """Do the same work for every item, each of so many values: on threads only where that is worth it."""
    if len(items) * size > ALONE:
        for_each(work, items, Observer())
    else:
        for item in items:
            work(item)


def _submit(work: Callable[[Item], None], item: Item) -> Future[None]:
    """Hand work to the pool, which has as many threads as any caller was ever allowed."""
    global _pool, _size
    with _lock:
        if _pool is None or _size < processors():
            if _pool is not None:
                _pool.shutdown(wait=False)
            _size = processors()
            _pool = ThreadPoolExecutor(_size, thread_name_prefix="factorloom")
        try:
            return _pool.submit(work, item)
        except RuntimeError as error:
            if "shutdown" not in str(error):
                raise
    return _done_here(work, item)


def _done_here(work: Callable[[Item], None], item: Item) -> Future[None]:
    """Work in the thread of the caller: when the interpreter ends, pools take no work any more."""
    future: Future[None] = Future()
    try:
        work(item)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(None)
    return future


def check_process() -> None:
    """Refuse to compute in a fork of a process that has computed: the threads of Polars and ours did not come along.

    Raises
    ------
    ForkedError
    """
    global _has_computed
    _has_computed = True
    if _is_forked:
        raise ForkedError(
            "this process was forked from one that has computed already, and would hang",
            hint="start processes with the method 'spawn': multiprocessing.get_context('spawn')",
        )


def _forget() -> None:
    global _pool, _lock, _is_forked
    _is_forked = _is_forked or _has_computed or _pool is not None
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
