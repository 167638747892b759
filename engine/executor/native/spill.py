"""A temporary file in which outputs wait for the last stage, whole columns of float64 one after another."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable

import numpy as np

from factorloom.engine.bars.layout import Array
from factorloom.expressions.errors import MemoryLimitError
from factorloom.expressions.factor import Factor

__all__ = ["SpillFile"]


class SpillFile:
    """A file without a name, which is gone once it is closed, in the folder that `TMPDIR` names."""

    def __init__(self, outputs: Iterable[Factor], rows: int) -> None:
        self._file = tempfile.TemporaryFile(prefix="factorloom-", buffering=0)  # noqa: SIM115
        self._starts = {node: number * rows * 8 for number, node in enumerate(outputs)}

    def close(self) -> None:
        self._file.close()

    def write(self, node: Factor, values: Array, row: int) -> None:
        """Write the values of an output from this row on.

        Raises
        ------
        MemoryLimitError
            Where the folder is full.
        """
        data, place = values.view(np.uint8), self._starts[node] + 8 * row
        try:
            while data.size:
                self._file.seek(place)
                count = self._file.write(data.data)
                data, place = data[count:], place + count
        except OSError as error:
            raise MemoryLimitError(
                f"results that wait in {tempfile.gettempdir()} cannot be written: {error.strerror}",
                hint="set TMPDIR to a folder with more room, or allow more memory",
            ) from error

    def read(self, node: Factor, values: Array, row: int) -> None:
        """Fill an array with the values of an output from this row on."""
        data, place = values.view(np.uint8), self._starts[node] + 8 * row
        while data.size:
            self._file.seek(place)
            count = self._file.readinto(data.data)
            assert count, "the file of outputs was cut short"
            data, place = data[count:], place + count
