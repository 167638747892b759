"""A stage on all of its tiles: parts of it on threads, each with scratch memory of its own."""

from __future__ import annotations

import itertools
from queue import SimpleQueue

import numpy as np

from factorloom.engine.bars.bars import Bars
from factorloom.engine.executor.native.program import Program, Scratch
from factorloom.engine.executor.native.result import Values
from factorloom.engine.executor.native.tile import Tiles
from factorloom.engine.plan.plan import Stage
from factorloom.engine.runtime.memory import allocate
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import for_each, processors

__all__ = ["run_stage"]

CHUNKS = 16
"""Parts of a stage for each thread: few, so that little time goes into handing them out, but more than one, so that no
thread waits long for the last.
"""


def run_stage(stage: Stage, bars: Bars, tiles: Tiles, values: Values, observer: Observer) -> None:
    """Run a stage on these tiles, and leave what it keeps and emits in `values`."""
    values.prepare(stage, tiles)
    program = Program(stage, bars, tiles, values.kept, values.columns)
    threads = max(1, min(processors(), len(tiles)))
    chunks = np.unique(np.linspace(0, len(tiles), 1 + CHUNKS * threads, dtype=int)).tolist()
    spare: SimpleQueue[Scratch] = SimpleQueue()
    for _ in range(threads):
        spare.put(allocate(program.scratch, 8 * program.width * tiles.size))

    def run_chunk(chunk: tuple[int, int]) -> None:
        scratch = spare.get()
        try:
            with np.errstate(all="ignore"):
                program.run(*chunk, scratch, observer)
        finally:
            spare.put(scratch)

    with observer.task(stage.orientation.value, len(chunks) - 1):
        for_each(run_chunk, itertools.pairwise(chunks), observer)
    observer.ran(len(tiles) * len(stage.steps))
