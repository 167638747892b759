"""A stage on all of its tiles: parts of it on threads, each with scratch memory of its own."""

from __future__ import annotations

import itertools
from queue import Empty, SimpleQueue

import numpy as np

from factorloom.engine.bars.bars import Bars
from factorloom.engine.executor.native.parts import divide
from factorloom.engine.executor.native.program import Program, Scratch
from factorloom.engine.executor.native.result import Values
from factorloom.engine.executor.native.tile import Tiles
from factorloom.engine.plan.plan import Stage
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import for_each, processors

__all__ = ["parts_of", "run_stage"]

CHUNKS = 16
"""Parts of a stage for each thread: few, so that little time goes into handing them out, but more than one, so that no
thread waits long for the last.
"""

LONG_ROWS = 262_144
"""Where a tile has more rows, and more than a thread's share of all rows, threads share its outputs."""

LONG_PARTS = 4
"""Parts of such a stage for each thread: with more, each needs fewer registers, and more is computed twice."""


def run_stage(stage: Stage, bars: Bars, tiles: Tiles, values: Values, observer: Observer) -> None:
    """Run a stage on these tiles, and leave what it keeps and emits in `values`."""
    values.prepare(stage, tiles)
    parts = parts_of(stage, tiles)
    programs = [_Program(Program(part, bars, tiles, values), keep=len(parts) == 1) for part in parts]
    threads = max(1, min(processors(), len(tiles)))
    chunks = np.unique(np.linspace(0, len(tiles), 1 + CHUNKS * threads, dtype=int)).tolist()
    items = list(itertools.product(itertools.pairwise(chunks), programs))
    with observer.task(stage.orientation.value, len(items)):
        for_each(lambda item: item[1].run(*item[0], observer), items, observer)
    values.finish(stage)
    observer.ran(len(tiles) * sum(len(part.steps) for part in parts))


def parts_of(stage: Stage, tiles: Tiles) -> list[Stage]:
    """The stage, or where tiles are too long to keep all threads busy, stages with some of its outputs each."""
    rows = tiles.rows.stop - tiles.rows.start
    is_long = tiles.size > LONG_ROWS and tiles.size * processors() > rows
    return divide(stage, LONG_PARTS * processors()) if is_long and processors() > 1 else [stage]


class _Program:
    """A program with the scratch memory of the threads that run it, kept from one run to the next or not."""

    def __init__(self, program: Program, *, keep: bool) -> None:
        self._program, self._keep = program, keep
        self._spare: SimpleQueue[Scratch] = SimpleQueue()

    def run(self, first: int, last: int, observer: Observer) -> None:
        """Run it on some tiles."""
        try:
            scratch = self._spare.get_nowait()
        except Empty:
            scratch = self._program.scratch()
        try:
            with np.errstate(all="ignore"):
                self._program.run(first, last, scratch, observer)
        finally:
            if self._keep:
                self._spare.put(scratch)
